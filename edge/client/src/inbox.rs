//! What the application has: which message of a conversation comes next, which change, what it saw already, what is missing.
//!
//! Pushes are hints. A message is passed on when it is the next of its conversation, a change when it has the next revision;
//! whatever doesn't fit is asked for. A sync answers as of one moment, so what it tells can be counted on.

mod question;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use broker_schemas::message::{Entry, SYNC_MAX, Standing};
use broker_schemas::{Conversation, Seq};

pub(crate) use question::{Fetched, Question};

/// How many conversations are remembered; past it, the one that was quiet for longest is forgotten, and counts again
/// from where the user has read it.
const REMEMBERED: usize = 16 * SYNC_MAX;
/// How many conversations may wait for a sync to say where they begin; further ones begin with the message at hand.
const STRANGERS: usize = SYNC_MAX;

/// Up to where an application has a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cursor {
    /// The last message; 0 for none.
    pub seq: u64,
    /// The last change of a message; 0 for none.
    pub revision: u64,
}

/// How something fits to what came before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    /// It is the next one, and now counts as seen.
    Next,
    /// It was seen before.
    Seen,
    /// Something before it is missing. It does not count as seen: a sync brings it again, after that.
    Gap,
}

/// The last contiguous message and change of each conversation.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    known: HashMap<Conversation, Known>,
    /// Conversations of which a message was pushed, though nobody said where they begin: the smallest seq that was.
    strangers: HashMap<Conversation, u64>,
    /// The sync that is under way.
    question: Option<Question>,
    /// Conversations of which a part of an answer told changes. The next part may tell older ones, of messages after those told
    /// until now: these are taken from it, and not from pushes, which say what they were once.
    in_parts: HashSet<Conversation>,
    /// A sync was complete. Before, the application may have messages that are newer than its revisions say, from an earlier
    /// run.
    caught_up: bool,
    clock: u64,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    /// The last message. Unknown where only a change was pushed; then the server counts from where the user has read.
    seq: Option<u64>,
    /// The last change: each message is known in its state of this revision, or a later one.
    revision: u64,
    /// The latest revision in which a message was passed on. While it is ahead of `revision`, a pushed change may be older than
    /// what the application has.
    ahead: u64,
    touched: u64,
}

impl Known {
    fn note(&mut self, revision: u64) {
        // Each revision is of one message: with this one, every message is known as of it.
        if revision == self.revision + 1 {
            self.revision = revision;
        }
        self.ahead = self.ahead.max(revision);
    }
}

impl Inbox {
    /// What an application has that was restarted.
    pub(crate) fn resumed(cursors: &HashMap<Conversation, Cursor>) -> Self {
        let mut inbox = Self::default();
        for (&conversation, cursor) in cursors {
            let known = inbox.know(conversation);
            (known.seq, known.revision) = (Some(cursor.seq), cursor.revision);
        }
        inbox
    }

    /// Somebody signed in: where they stand, and whether these are all of their conversations.
    pub(crate) fn sign_in(&mut self, standings: &[Standing], all: bool) {
        self.question = None;
        if all {
            let here: HashSet<_> = standings.iter().map(|entry| entry.conversation).collect();
            // Put out of the group meanwhile: joining again begins anew.
            self.known.retain(|there, _| there.group_id().is_none() || here.contains(there));
        }
        for standing in standings {
            let new = !self.known.contains_key(&standing.conversation);
            let known = self.know(standing.conversation);
            let seq = known.seq.unwrap_or(standing.read_seq);
            // Somebody who left and joined again may read from there.
            known.seq = Some(seq.max(standing.first_seq.saturating_sub(1)));
            if new {
                known.revision = standing.revision;
            }
            self.strangers.remove(&standing.conversation);
        }
    }

    /// The conversation, which now is the one that moved last.
    fn know(&mut self, conversation: Conversation) -> &mut Known {
        self.clock += 1;
        if !self.known.contains_key(&conversation) && self.known.len() >= REMEMBERED {
            let quietest = self.known.iter().min_by_key(|(_, known)| known.touched).map(|(name, _)| *name);
            self.known.remove(&quietest.unwrap_or(conversation));
        }
        let known =
            self.known.entry(conversation).or_insert(Known { seq: None, revision: 0, ahead: 0, touched: 0 });
        known.touched = self.clock;
        known
    }

    /// Starts a conversation after `seq`, unless it is known better.
    pub(crate) fn start(&mut self, conversation: Conversation, seq: u64) {
        self.know(conversation).seq.get_or_insert(seq);
        self.strangers.remove(&conversation);
    }

    /// A message was pushed.
    pub(crate) fn push(&mut self, entry: &Entry) -> Fit {
        let (conversation, seq) = (entry.conversation, entry.seq.get());
        if self.seq_of(conversation).is_none() {
            if seq > 1 && self.strangers.len() < STRANGERS {
                let first = self.strangers.entry(conversation).or_insert(seq);
                *first = seq.min(*first);
                return Fit::Gap;
            }
            self.start(conversation, seq - 1);
        }
        if self.in_parts.contains(&conversation) && self.lacks(conversation, entry.seq) {
            return Fit::Gap;
        }
        self.fit(entry)
    }

    fn fit(&mut self, entry: &Entry) -> Fit {
        let seq = entry.seq.get();
        let known = self.know(entry.conversation);
        match known.seq {
            Some(have) if seq <= have => Fit::Seen,
            Some(have) if seq == have + 1 => {
                known.seq = Some(seq);
                known.note(entry.revision);
                Fit::Next
            }
            _ => Fit::Gap,
        }
    }

    /// A change of a message was pushed.
    pub(crate) fn push_change(&mut self, conversation: Conversation, seq: Seq, revision: u64) -> Fit {
        let caught_up = self.caught_up;
        let known = self.know(conversation);
        let in_order = caught_up && known.ahead <= known.revision && known.seq >= Some(seq.get());
        if revision <= known.revision {
            Fit::Seen
        } else if in_order && revision == known.revision + 1 {
            known.note(revision);
            Fit::Next
        } else {
            Fit::Gap
        }
    }

    /// The user is out of this conversation.
    pub(crate) fn forget(&mut self, conversation: Conversation) {
        self.known.remove(&conversation);
        self.strangers.remove(&conversation);
        self.in_parts.remove(&conversation);
        if let Some(question) = &mut self.question {
            question.forget(conversation);
        }
    }

    /// Whether the conversation has messages up to `seq` that were not seen.
    pub(crate) fn lacks(&self, conversation: Conversation, seq: Seq) -> bool {
        self.seq_of(conversation).is_none_or(|have| have < seq.get())
    }

    fn seq_of(&self, conversation: Conversation) -> Option<u64> {
        self.known.get(&conversation)?.seq
    }

    /// Up to where the application has a conversation, if that is known.
    pub(crate) fn cursor(&self, conversation: Conversation) -> Option<Cursor> {
        let known = self.known.get(&conversation)?;
        Some(Cursor { seq: known.seq?, revision: known.revision })
    }

    /// Up to where the application has each conversation.
    pub(crate) fn cursors(&self) -> HashMap<Conversation, Cursor> {
        self.known.keys().filter_map(|name| Some((*name, self.cursor(*name)?))).collect()
    }
}
