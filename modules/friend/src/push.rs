//! What users are told as it happens. Best effort: `friend.list` and `friend.requests` have the record.

use broker_schemas::Event;
use broker_schemas::UserId;
use broker_schemas::friend::{AcceptedEvent, RemovedEvent};
use broker_schemas::subject::Audience;
use natter_host::Scope;

use crate::Module;
use crate::change::Change;
use crate::people::People;
use crate::relation::Pair;

impl Module {
    /// Tells every session of each of `users`.
    pub(crate) async fn push<E, U>(&self, users: U, event: &E)
    where
        E: Event + Sync,
        U: IntoIterator<Item = UserId, IntoIter: Send>,
    {
        let audiences = users.into_iter().map(Audience::User);
        if let Err(error) = self.bus.push_each(audiences, event).await {
            tracing::debug!(%error, event = E::NAME, "not pushed");
        }
    }

    /// Opens the gate of two new friends and tells both. In this order: whoever learns of a friend may write.
    pub(crate) async fn announce_friendship(&self, scope: &Scope, pair: Pair, people: &People) {
        self.open_gate(scope, pair).await;
        for Pair { me, other } in [pair, pair.flipped()] {
            let friend = people.get_or_nameless(other);
            let event = AcceptedEvent {
                user: other,
                name: friend.name,
                display_name: friend.display_name,
                online: friend.online,
            };
            self.push([me], &event).await;
        }
    }

    /// Tells each of the two whom a tie was shown to that it ended.
    pub(crate) async fn push_removed(&self, pair: Pair, change: &Change) {
        if !change.unties() {
            return;
        }
        if change.before.is_shown() {
            self.push([pair.me], &RemovedEvent { user: pair.other }).await;
        }
        if change.before.flipped().is_shown() {
            self.push([pair.other], &RemovedEvent { user: pair.me }).await;
        }
    }
}
