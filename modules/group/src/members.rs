//! `group.members`: a page of a group's members.

use broker_schemas::group::{ListMembers, MemberEntry, Members, PAGE_DEFAULT, PAGE_MAX};
use broker_schemas::{Error, SignedIn, Timestamp};
use natter_host::{Call, Handle, Result};

use crate::{Checked, Module};

impl Handle<ListMembers> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: ListMembers) -> Result<Members> {
        let limit = limit(request.limit)?;
        let seen = self.store.look(call.caller.user(), &request).await?;
        let mut page = self.store.members(seen.group.id, request.after, limit + 1).await?;
        let more = page.len() > limit as usize;
        page.truncate(limit as usize);

        let users: Vec<_> = page.iter().map(|(user, _)| *user).collect();
        let people = self.people_if_possible(&call.scope, &users).await;
        let now = Timestamp::now();
        let entry = |(user, membership): (_, crate::group::Membership)| {
            let profile = people.get_or_nameless(user);
            MemberEntry {
                user,
                name: profile.name,
                display_name: profile.display_name,
                online: profile.online,
                role: membership.role,
                muted_until: membership.cannot_write_until(&seen.group, now),
                since: membership.since,
            }
        };
        Ok(Members { members: page.into_iter().map(entry).collect(), more })
    }
}

fn limit(asked: Option<u32>) -> Checked<u32> {
    let limit = asked.unwrap_or(PAGE_DEFAULT);
    if (1..=PAGE_MAX).contains(&limit) {
        Ok(limit)
    } else {
        Err(Error::invalid(format!("limit: expected 1 to {PAGE_MAX}, got {limit}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_size_that_an_answer_can_hold() {
        assert_eq!(limit(None), Ok(100));
        assert_eq!(limit(Some(200)), Ok(200));
        assert!(limit(Some(0)).is_err());
        assert!(limit(Some(201)).is_err());
    }
}
