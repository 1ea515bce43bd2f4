//! `friend.list`: one's friends, by name.

use broker_schemas::SignedIn;
use broker_schemas::friend::{FriendEntry, Friends, ListFriends};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::people::People;
use crate::store::{Entry, Kind};

impl Handle<ListFriends> for Module {
    async fn handle(&self, call: &Call<SignedIn>, _: ListFriends) -> Result<Friends> {
        let friends = self.store.list(call.caller.user(), Kind::Friend).await?;
        let users: Vec<_> = friends.iter().map(|friend| friend.user).collect();
        let people = self.people(&call.scope, &users).await?;
        Ok(Friends { friends: by_name(&friends, &people) })
    }
}

/// A friend whom the user module doesn't know is about to be forgotten here too, and left out.
fn by_name(friends: &[Entry], people: &People) -> Vec<FriendEntry> {
    let mut named: Vec<_> = friends
        .iter()
        .filter_map(|friend| {
            let profile = people.get(friend.user)?;
            Some(FriendEntry {
                user: friend.user,
                name: profile.name.clone(),
                display_name: profile.display_name.clone(),
                online: profile.online,
                since: friend.since,
            })
        })
        .collect();
    named.sort_by_cached_key(|friend| (friend.name.to_lowercase(), friend.user));
    named
}

#[cfg(test)]
mod tests {
    use broker_schemas::{Timestamp, UserId};

    use super::*;
    use crate::people::tests::people;

    #[test]
    fn friends_come_by_name_whatever_the_case_and_without_the_deleted() {
        let people = people(&[(1, "zoe"), (2, "Bob"), (3, "alice")]);
        let entry = |user| Entry { user: UserId::new(user).unwrap(), since: Timestamp(5) };
        let named = by_name(&[entry(1), entry(2), entry(3), entry(4)], &people);
        let names: Vec<_> = named.iter().map(|friend| friend.name.as_str()).collect();
        assert_eq!(names, ["alice", "Bob", "zoe"]);
    }
}
