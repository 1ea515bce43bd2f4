//! Bans, mutes, and what staff takes away.

use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

use crate::{Conversation, GroupId, Seq, Text, Timestamp, UserId};

/// See [`Admin`](super::Admin)'s `ban`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Ban {
    /// Whom.
    pub user: UserId,
    /// Why, in words that the user reads. 1 byte to 1 KiB.
    pub reason: Text<1024>,
    /// Until when; for good when absent.
    pub until: Option<Timestamp>,
}

/// See [`Admin`](super::Admin)'s `unban`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Unban {
    /// Whom.
    pub user: UserId,
}

/// See [`Admin`](super::Admin)'s `mute`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Mute {
    /// Whom.
    pub user: UserId,
    /// Until when; a moment that has passed, or none, lets the user write again.
    pub until: Option<Timestamp>,
}

/// See [`Admin`](super::Admin)'s `sign_out`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct SignOut {
    /// Whom.
    pub user: UserId,
}

/// See [`Admin`](super::Admin)'s `remove_message`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct RemoveMessage {
    /// Where it stands.
    pub conversation: Conversation,
    /// Its place there.
    pub seq: Seq,
}

/// See [`Admin`](super::Admin)'s `dissolve_group`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct DissolveGroup {
    /// Which.
    pub group: GroupId,
}
