//! What operators announce, as everyone sees it. Made by the admin module's methods, see [`crate::admin`].

use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

use crate::admin::AnnouncedEvent;
use crate::caller::SignedIn;
use crate::{Done, List, events, facts, service};

/// How many announcements one answer or request may name.
pub const MAX: usize = 100;

service! {
    /// What operators announce, as everyone sees it.
    Announcement = "announcement" version 1,
    calls: [],
    hears: [],
    delivers: [];

    /// The announcements that one has not seen yet, the oldest first. A client asks after each sign-in.
    "list": ListUnseen => Unseen { by: SignedIn, on: [Client], repeat: Read, deadline_ms: 5_000 }

    /// Says that one has seen announcements: they are listed no more, on any device.
    "seen": MarkSeen => Done { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 5_000 }
}

/// See [`Announcement`]'s `list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct ListUnseen {}

/// Announcements that are in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Unseen {
    /// The oldest first, at most 100.
    pub announcements: Vec<AnnouncedEvent>,
}

/// See [`Announcement`]'s `seen`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct MarkSeen {
    /// Which.
    pub seen: List<SeenRevision, MAX>,
}

/// An announcement in one revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct SeenRevision {
    /// Which.
    pub announcement: u64,
    /// The revision that one has seen.
    pub revision: u32,
}

events! {}

facts! { Announcement {} }
