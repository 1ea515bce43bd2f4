//! Telling who is in a conversation that something happened there. Best effort: the record is in SQL, and whoever misses
//! a push finds it by `message.sync`.

use broker_schemas::subject::Audience;
use broker_schemas::{Conversation, Event};
use natter_host::Bus;

/// Who of a group's members is told of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AsOf {
    /// Who is a member as of this version of the group.
    pub(crate) version: u64,
    /// And became one by this version, or an earlier one.
    pub(crate) joined_by: u64,
}

impl AsOf {
    /// Everybody who is a member as of `version`.
    pub(crate) const fn version(version: u64) -> Self {
        Self { version, joined_by: version }
    }
}

/// Tells the two, or the members of the group: published once, however many they are.
pub(crate) async fn to_all<E: Event>(bus: &Bus, conversation: Conversation, as_of: AsOf, event: &E) {
    let pushed = match (conversation.pair(), conversation.group_id()) {
        (Some((a, b)), _) => bus.push_each([Audience::User(a), Audience::User(b)], event).await,
        (None, Some(group)) => bus.push_to_members(group, as_of.version, as_of.joined_by, event).await,
        (None, None) => Ok(()),
    };
    if let Err(error) = pushed {
        tracing::debug!(%error, event = E::NAME, "not pushed");
    }
}
