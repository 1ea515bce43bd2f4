//! One conversation, as far as it is known here.

use std::collections::BTreeMap;
use std::time::Duration;

use broker_schemas::{Seq, UserId, message};
use natter_client::{Draft, Event};
use uuid::Uuid;

use super::Page;
use crate::text::Safe;

/// How many messages of a conversation are kept; those at the other end go first, and come back from history.
pub(crate) const KEPT: usize = 2_000;
/// How many messages of a conversation may wait to be stored.
pub(crate) const PENDING: usize = 64;
/// How many messages that others quote are kept beside them.
const QUOTED: usize = 256;

/// A message that is stored. What an application sent with it is not kept.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) entry: message::Entry,
    pub(crate) text: Safe,
}

/// A message of one's own that has no place in the conversation yet.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    pub(crate) client_id: Uuid,
    pub(crate) draft: Draft,
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

/// A page of history that is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fetching {
    pub(crate) page: Page,
    /// Whether it is shown instead of what is there, or beside it.
    pub(crate) instead: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Thread {
    /// By seq, without gaps: the last ones, or a window further up.
    pub(crate) messages: BTreeMap<u64, Stored>,
    /// Messages that others quote; none, where there is none such.
    pub(crate) quoted: BTreeMap<u64, Option<Stored>>,
    pub(crate) pending: Vec<Pending>,
    /// The last message that there is.
    pub(crate) latest: u64,
    /// The last message that plain mode has written.
    pub(crate) written: u64,
    /// Up to where the user has read, here or elsewhere.
    pub(crate) read: u64,
    /// Up to where the others have read.
    pub(crate) readers: BTreeMap<UserId, u64>,
    /// Up to where the server knows that the user has read.
    pub(crate) told: u64,
    /// The server is being told, or could not be; the next sign-in tries again.
    pub(crate) telling: bool,
    pub(crate) fetching: Option<Fetching>,
    /// There are no older messages.
    pub(crate) complete: bool,
    /// Who is writing, and until when that is shown.
    pub(crate) typing: BTreeMap<UserId, Duration>,
}

impl Stored {
    pub(crate) fn new(mut entry: message::Entry) -> Self {
        if let Some(payload) = entry.payload.take() {
            // Never shown, and as large as a frame.
            entry.payload = Some(message::Payload { data: "".try_into().unwrap_or(payload.data), ..payload });
        }
        let text = Safe::text(&entry.text);
        Self { entry, text }
    }

    fn change(&mut self, event: &Event, me: UserId) {
        if event.apply_to(&mut self.entry, me) {
            self.text = Safe::text(&self.entry.text);
        }
    }
}

impl Thread {
    /// Adds a message that was stored just now, or was missed.
    pub(crate) fn store(&mut self, entry: &message::Entry) {
        let seq = entry.seq.get();
        self.forget_pending(entry);
        self.typing.remove(&entry.from);
        // Looking further up: it comes with the pages down to it.
        if self.messages.is_empty() || seq <= self.last() + 1 {
            self.messages.insert(seq, Stored::new(entry.clone()));
            if self.messages.len() > KEPT {
                self.messages.pop_first();
                self.complete = false;
            }
        }
        self.latest = self.latest.max(seq);
    }

    /// Adds a page of history, which was asked for as `page`. `more`: whether there is more beyond it. Whether it was still
    /// wanted.
    pub(crate) fn fill(&mut self, page: Page, entries: Vec<message::Entry>, more: bool) -> bool {
        let Some(fetching) = self.fetching.take_if(|fetching| fetching.page == page) else { return false };
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            if let Page::Before(_) = page {
                self.complete = true;
            }
            return true;
        };
        let (first, last) = (first.seq.get(), last.seq.get());
        let (own_first, own_last) = (self.first().unwrap_or(first), self.last());
        let apart = last + 1 < own_first || (own_last > 0 && own_last + 1 < first);
        if fetching.instead || apart {
            self.messages.clear();
            self.complete = false;
        }
        for entry in entries {
            self.forget_pending(&entry);
            self.latest = self.latest.max(entry.seq.get());
            self.messages.entry(entry.seq.get()).or_insert_with(|| Stored::new(entry));
        }
        match page {
            Page::Before(_) => {
                self.complete = !more;
                while self.messages.len() > KEPT {
                    self.messages.pop_last();
                }
            }
            Page::After(_) => {
                while self.messages.len() > KEPT {
                    self.messages.pop_first();
                    self.complete = false;
                }
            }
        }
        true
    }

    fn forget_pending(&mut self, entry: &message::Entry) {
        self.pending.retain(|pending| Some(pending.client_id) != entry.client_id);
    }

    /// Takes in a change of a message.
    pub(crate) fn change(&mut self, event: &Event, me: UserId) {
        let Some(seq) = event.change().map(|change| change.seq.get()) else { return };
        for stored in self.copies(seq) {
            stored.change(event, me);
        }
    }

    /// Takes in what became of a message.
    pub(crate) fn replace(&mut self, entry: &message::Entry) {
        for stored in self.copies(entry.seq.get()) {
            if stored.entry.revision < entry.revision {
                *stored = Stored::new(entry.clone());
            }
        }
    }

    fn copies(&mut self, seq: u64) -> impl Iterator<Item = &mut Stored> {
        let quoted = self.quoted.get_mut(&seq).and_then(Option::as_mut);
        self.messages.get_mut(&seq).into_iter().chain(quoted)
    }

    /// Keeps a message that others quote.
    pub(crate) fn quote(&mut self, seq: Seq, entry: Option<message::Entry>) {
        if self.quoted.len() >= QUOTED {
            self.quoted.pop_first();
        }
        self.quoted.insert(seq.get(), entry.map(Stored::new));
    }

    /// A message, if it is here.
    pub(crate) fn get(&self, seq: Seq) -> Option<&Stored> {
        self.messages.get(&seq.get()).or_else(|| self.quoted.get(&seq.get())?.as_ref())
    }

    pub(crate) fn first(&self) -> Option<u64> {
        self.messages.first_key_value().map(|(seq, _)| *seq)
    }

    pub(crate) fn last(&self) -> u64 {
        self.messages.last_key_value().map_or(0, |(seq, _)| *seq)
    }

    /// Whether there are newer messages than those here.
    pub(crate) fn is_behind(&self) -> bool {
        !self.messages.is_empty() && self.last() < self.latest
    }

    /// How many messages the user has not read.
    pub(crate) const fn unread(&self) -> u64 {
        self.latest.saturating_sub(self.read)
    }

    /// Whether a message that the user has not read mentions them.
    pub(crate) fn calls(&self, me: UserId) -> bool {
        self.messages.range(self.read + 1..).any(|(_, stored)| stored.entry.mentions.contains(&me))
    }

    /// How many others have read up to `seq`.
    pub(crate) fn read_by(&self, seq: u64) -> usize {
        self.readers.values().filter(|read| **read >= seq).count()
    }
}
