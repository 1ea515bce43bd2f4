//! Broadcasts, and announcements as staff sees them.

use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

use super::TEXT_BYTES;
use crate::{Text, Timestamp};

/// See [`Admin`](super::Admin)'s `broadcast`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Broadcast {
    /// 1 byte to 4 KiB.
    pub text: Text<TEXT_BYTES>,
}

/// See [`Admin`](super::Admin)'s `announce`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Announce {
    /// 1 byte to 4 KiB.
    pub text: Text<TEXT_BYTES>,
    /// Until when, within a year from now.
    pub until: Timestamp,
}

/// A new announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Announced {
    /// Its id. Later ones have greater ones.
    pub announcement: u64,
}

/// See [`Admin`](super::Admin)'s `change_announcement`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct ChangeAnnouncement {
    /// Which.
    pub announcement: u64,
    /// The new text; as it is when absent.
    pub text: Option<Text<TEXT_BYTES>>,
    /// The new end; as it is when absent.
    pub until: Option<Timestamp>,
}

/// See [`Admin`](super::Admin)'s `withdraw`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Withdraw {
    /// Which.
    pub announcement: u64,
}

/// See [`Admin`](super::Admin)'s `announcements`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct ListAnnouncements {
    /// Only those before this one.
    pub before: Option<u64>,
    /// 1 to 200; 50 when absent.
    pub limit: Option<u32>,
}

/// A page of announcements.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Announcements {
    /// The newest first, ended and withdrawn ones included.
    pub announcements: Vec<AnnouncementEntry>,
    /// Whether there are older ones.
    pub more: bool,
}

/// An announcement, as staff sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct AnnouncementEntry {
    /// Its id.
    pub announcement: u64,
    /// 1 at first; each change of the text counts it up.
    pub revision: u32,
    /// What it says.
    pub text: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// Until when it is shown.
    pub until: Timestamp,
    /// When it was taken back.
    pub withdrawn_at: Option<Timestamp>,
    /// How many users have seen it in its present revision.
    pub seen_by: u64,
}

/// Pushed to everyone who is online.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct BroadcastEvent {
    /// What it says.
    pub text: String,
    /// When.
    pub at: Timestamp,
}

/// Pushed to everyone who is online when an announcement is made, changed or withdrawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct AnnouncedEvent {
    /// Its id.
    pub announcement: u64,
    /// Which revision of its text.
    pub revision: u32,
    /// What it says; absent when it was withdrawn.
    pub text: Option<String>,
    /// Until when.
    pub until: Timestamp,
}
