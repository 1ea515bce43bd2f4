//! `group.requests`: who asks to join, and who is kept out.

use broker_schemas::SignedIn;
use broker_schemas::friend::RequestEntry;
use broker_schemas::group::{ListRequests, Requests};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::people::People;
use crate::store::{Entry, Outsider};

impl Handle<ListRequests> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: ListRequests) -> Result<Requests> {
        let group = self.store.look(call.caller.user(), &request).await?.group.id;
        let mut asking = self.store.outsiders(group, Outsider::Asking).await?;
        let blocked = self.store.outsiders(group, Outsider::Blocked).await?;
        let users: Vec<_> = asking.iter().chain(&blocked).map(|entry| entry.user).collect();
        let people = self.people_if_possible(&call.scope, &users).await;
        // Who has deleted the account asks no more, and is about to be forgotten here too. Whoever is kept out is shown
        // whatever became of the account, so that they can be unblocked.
        asking.retain(|entry| !people.knows_gone(entry.user));
        Ok(Requests { asking: named(&asking, &people), blocked: named(&blocked, &people) })
    }
}

/// Keeps the order.
fn named(entries: &[Entry], people: &People) -> Vec<RequestEntry> {
    let entry = |entry: &Entry| {
        let profile = people.get_or_nameless(entry.user);
        RequestEntry {
            user: entry.user,
            name: profile.name,
            display_name: profile.display_name,
            since: entry.since,
        }
    };
    entries.iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use broker_schemas::Timestamp;

    use super::*;
    use crate::group::tests::user;
    use crate::people::tests::people;

    #[test]
    fn the_oldest_stays_first_and_who_has_no_account_is_shown_by_number() {
        let entry = |number, since| Entry { user: user(number), since: Timestamp(since) };
        let entries = [entry(3, 10), entry(2, 20), entry(1, 30)];
        let names = |people: &People| -> Vec<_> {
            named(&entries, people).into_iter().map(|entry| entry.name).collect()
        };
        assert_eq!(names(&people(&[(1, "alice"), (3, "zoe")])), ["zoe", "2", "alice"]);
        assert_eq!(names(&People::default()), ["3", "2", "1"]);
    }
}
