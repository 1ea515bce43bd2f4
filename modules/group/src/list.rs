//! `group.list`: one's groups, by name.

use std::collections::HashMap;
use std::time::Duration;

use broker_schemas::group::{GroupEntry, Groups, ListGroups};
use broker_schemas::message::GetUnread;
use broker_schemas::{GroupId, SignedIn};
use natter_host::{Call, Handle, Result, Scope};

use crate::Module;
use crate::store::Listed;

/// How long an answer waits for the counts that it can do without.
const PATIENCE: Duration = Duration::from_secs(1);

impl Handle<ListGroups> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: ListGroups) -> Result<Groups> {
        let listed = self.store.groups_of(call.caller.user()).await?;
        let unread = match request.unread {
            Some(false) => HashMap::new(),
            _ if listed.is_empty() => HashMap::new(),
            None | Some(true) => self.unread_if_possible(&call.scope).await,
        };
        Ok(Groups { groups: by_name(listed, &unread) })
    }
}

impl Module {
    /// How much the caller, whose passport is in `scope`, hasn't read in each group.
    async fn unread_if_possible(&self, scope: &Scope) -> HashMap<GroupId, u64> {
        match self.bus.call(&scope.within(PATIENCE), &GetUnread {}).await {
            Ok(unread) => unread
                .conversations
                .into_iter()
                .filter_map(|standing| Some((standing.conversation.group_id()?, standing.unread())))
                .collect(),
            Err(error) => {
                tracing::debug!(%error, "unread messages not counted");
                HashMap::new()
            }
        }
    }
}

fn by_name(listed: Vec<Listed>, unread: &HashMap<GroupId, u64>) -> Vec<GroupEntry> {
    let entry = |listed: Listed| GroupEntry {
        unread: unread.get(&listed.group).copied(),
        group: listed.group,
        name: listed.name,
        role: listed.role,
        members: listed.members,
    };
    let mut groups: Vec<_> = listed.into_iter().map(entry).collect();
    groups.sort_by_cached_key(|entry| (entry.name.to_lowercase(), entry.group));
    groups
}

#[cfg(test)]
mod tests {
    use broker_schemas::rights::Role;

    use super::*;

    #[test]
    fn groups_come_by_name_whatever_the_case_each_with_what_is_unread() {
        let group = |number| GroupId::new(number).unwrap();
        let listed = |number, name: &str| Listed {
            group: group(number),
            name: name.into(),
            role: Role::Member,
            members: 2,
        };
        let all = vec![listed(1, "zoo"), listed(3, "Bees"), listed(2, "bees")];
        let sorted = by_name(all, &HashMap::from([(group(1), 7)]));
        let shown: Vec<_> = sorted.iter().map(|entry| (entry.group.get(), entry.unread)).collect();
        assert_eq!(shown, [(2, None), (3, None), (1, Some(7))]);
    }
}
