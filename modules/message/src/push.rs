//! Telling who is in a conversation that something happened there. Best effort: the record is in SQL, and whoever misses
//! a push finds it by `message.sync`.

use broker_schemas::subject::Audience;
use broker_schemas::{Conversation, Event};
use natter_host::Bus;

/// Tells the two, or the members of the group as of `version`: published once, however many they are.
pub(crate) async fn to_all<E: Event>(bus: &Bus, conversation: Conversation, version: u64, event: &E) {
    let pushed = match (conversation.pair(), conversation.group_id()) {
        (Some((a, b)), _) => bus.push_each([Audience::User(a), Audience::User(b)], event).await,
        (None, Some(group)) => bus.push_to_members(group, version, event).await,
        (None, None) => Ok(()),
    };
    if let Err(error) = pushed {
        tracing::debug!(%error, event = E::NAME, "not pushed");
    }
}
