//! One conversation, as far as it is known here.

use std::collections::BTreeMap;

use broker_schemas::{Timestamp, UserId, message};
use uuid::Uuid;

use crate::text::Safe;

/// How many messages of a conversation are kept; the oldest go first, and come back from history.
pub(crate) const KEPT: usize = 2_000;
/// How many messages of a conversation may wait to be stored.
pub(crate) const PENDING: usize = 64;

/// A message that is stored.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) from: UserId,
    pub(crate) text: Safe,
    pub(crate) sent_at: Timestamp,
}

/// A message of one's own that has no place in the conversation yet.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    pub(crate) client_id: Uuid,
    pub(crate) text: String,
    pub(crate) stage: Stage,
}

/// How far it got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    Sending,
    /// Stored for good. It takes its place when it comes back, after those before it: whatever counts as read was shown.
    Sent,
    /// Given up, and why.
    Failed(Safe),
}

#[derive(Debug, Default)]
pub(crate) struct Thread {
    /// By seq, without gaps.
    pub(crate) messages: BTreeMap<u64, Stored>,
    pub(crate) pending: Vec<Pending>,
    /// Up to where the user has read, here or elsewhere.
    pub(crate) read: u64,
    /// Up to where the other one has read.
    pub(crate) peer_read: u64,
    /// Up to where the server knows that the user has read.
    pub(crate) told: u64,
    /// The server is being told, or could not be; the next sign-in tries again.
    pub(crate) telling: bool,
    /// Older messages are being fetched.
    pub(crate) fetching: bool,
    /// There are no older messages, or no more are kept.
    pub(crate) complete: bool,
}

impl Thread {
    /// Adds a message that is stored. Whether it was new.
    pub(crate) fn store(&mut self, seq: u64, client_id: Uuid, stored: Stored) -> bool {
        self.pending.retain(|pending| pending.client_id != client_id);
        let new = self.messages.insert(seq, stored).is_none();
        if self.messages.len() > KEPT {
            self.messages.pop_first();
            self.complete = false;
        }
        new
    }

    /// Adds a page of older messages.
    pub(crate) fn prepend(&mut self, page: Vec<message::Entry>) {
        self.fetching = false;
        self.complete = page.is_empty() || page.first().is_some_and(|entry| entry.seq.get() == 1);
        for entry in page {
            self.messages.entry(entry.seq.get()).or_insert_with(|| Stored::from(&entry));
            self.pending.retain(|pending| pending.client_id != entry.client_id);
        }
        self.complete |= self.messages.len() >= KEPT;
    }

    pub(crate) fn first(&self) -> Option<u64> {
        self.messages.first_key_value().map(|(seq, _)| *seq)
    }

    pub(crate) fn last(&self) -> u64 {
        self.messages.last_key_value().map_or(0, |(seq, _)| *seq)
    }

    /// How many messages of others the user `me` has not read.
    pub(crate) fn unread(&self, me: UserId) -> usize {
        self.messages.range(self.read + 1..).filter(|(_, message)| message.from != me).count()
    }
}

impl From<&message::Entry> for Stored {
    fn from(entry: &message::Entry) -> Self {
        Self { from: entry.from, text: Safe::text(&entry.text), sent_at: entry.sent_at }
    }
}
