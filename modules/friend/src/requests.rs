//! `friend.requests`: requests that wait for an answer, and the users one blocks.

use broker_schemas::SignedIn;
use broker_schemas::friend::{ListRequests, RequestEntry, Requests};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::people::People;
use crate::store::{Entry, Kind};

impl Handle<ListRequests> for Module {
    async fn handle(&self, call: &Call<SignedIn>, _: ListRequests) -> Result<Requests> {
        let me = call.caller.user();
        let incoming = self.store.list(me, Kind::Incoming).await?;
        let outgoing = self.store.list(me, Kind::Outgoing).await?;
        let blocked = self.store.list(me, Kind::Blocked).await?;
        let users: Vec<_> =
            [&incoming, &outgoing, &blocked].into_iter().flatten().map(|entry| entry.user).collect();
        let people = self.people(&call.scope, &users).await?;
        Ok(Requests {
            incoming: named(&incoming, &people),
            outgoing: named(&outgoing, &people),
            blocked: named(&blocked, &people),
        })
    }
}

/// Keeps the order; leaves out whom the user module doesn't know.
fn named(entries: &[Entry], people: &People) -> Vec<RequestEntry> {
    entries
        .iter()
        .filter_map(|entry| {
            let profile = people.get(entry.user)?;
            Some(RequestEntry {
                user: entry.user,
                name: profile.name.clone(),
                display_name: profile.display_name.clone(),
                since: entry.since,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use broker_schemas::{Timestamp, UserId};

    use super::*;
    use crate::people::tests::people;

    #[test]
    fn the_oldest_stays_first_and_the_deleted_are_left_out() {
        let people = people(&[(1, "alice"), (3, "zoe")]);
        let entry = |user, since| Entry { user: UserId::new(user).unwrap(), since: Timestamp(since) };
        let named = named(&[entry(3, 10), entry(2, 20), entry(1, 30)], &people);
        let names: Vec<_> = named.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["zoe", "alice"]);
    }
}
