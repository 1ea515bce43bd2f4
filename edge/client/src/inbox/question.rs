//! One sync: what it asks, and what its answer says about what the application has.

use std::collections::{BTreeMap, HashMap, HashSet};

use broker_schemas::Conversation;
use broker_schemas::message::{Entry, SYNC_MAX};

use super::{Fit, Inbox};

/// A sync that is under way.
#[derive(Debug, Default)]
pub(crate) struct Question {
    /// How far each conversation has come: by what was asked, then by the answer.
    reached: HashMap<Conversation, u64>,
    /// Conversations of which the answer told something.
    begun: HashSet<Conversation>,
    /// The strangers when it was asked: it says where they begin.
    strangers: HashMap<Conversation, u64>,
    /// Conversations that the user left since.
    gone: HashSet<Conversation>,
    /// The answer didn't fit: another one is needed.
    again: bool,
}

impl Question {
    pub(super) fn forget(&mut self, conversation: Conversation) {
        self.strangers.remove(&conversation);
        self.gone.insert(conversation);
    }
}

/// What a message is that a sync brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fetched {
    /// The next one of its conversation.
    Message,
    /// One that was seen, in a state that was not.
    Changed,
    /// Nothing new.
    Nothing,
}

impl Inbox {
    /// What to ask the server: the last message and the last change of each conversation.
    ///
    /// Where there are more conversations than a sync may name, those that moved last: a page of a sync moves its
    /// conversations, so the next page goes on after it.
    pub(crate) fn ask(&mut self) -> (BTreeMap<Conversation, u64>, BTreeMap<Conversation, u64>) {
        let mut known: Vec<_> = self.known.iter().collect();
        if known.len() > SYNC_MAX {
            known.select_nth_unstable_by_key(SYNC_MAX, |(_, known)| std::cmp::Reverse(known.touched));
            known.truncate(SYNC_MAX);
        }
        let have: BTreeMap<_, _> =
            known.iter().filter_map(|(name, known)| Some((**name, known.seq?))).collect();
        let revisions = known.iter().map(|(name, known)| (**name, known.revision)).collect();
        self.question = Some(Question {
            reached: have.clone().into_iter().collect(),
            strangers: self.strangers.clone(),
            ..Question::default()
        });
        (have, revisions)
    }

    /// The answer brought a message.
    pub(crate) fn fetch(&mut self, entry: &Entry) -> Fetched {
        let (conversation, seq) = (entry.conversation, entry.seq.get());
        let Some(question) = &mut self.question else { return Fetched::Nothing };
        if question.gone.contains(&conversation) {
            return Fetched::Nothing;
        }
        let first = question.begun.insert(conversation);
        let asked = question.reached.insert(conversation, seq);
        // A conversation that is not known begins here: the server counted from where the user has read.
        self.start(conversation, seq - 1);
        if first && asked.is_some_and(|asked| seq > asked + 1) {
            // The server leaves nothing out but what the user may not read.
            let known = self.know(conversation);
            known.seq = known.seq.max(Some(seq - 1));
        }
        match self.fit(entry) {
            Fit::Next => Fetched::Message,
            // It may have changed since it was pushed.
            Fit::Seen => {
                let known = self.know(conversation);
                if entry.revision <= known.revision {
                    return Fetched::Nothing;
                }
                known.note(entry.revision);
                Fetched::Changed
            }
            Fit::Gap => {
                self.ask_again();
                Fetched::Nothing
            }
        }
    }

    /// The answer brought a message that changed. Whether that is news. `more`: whether the answer is only a part.
    pub(crate) fn fetch_change(&mut self, entry: &Entry, more: bool) -> bool {
        let conversation = entry.conversation;
        let Some(question) = &self.question else { return false };
        if question.gone.contains(&conversation) {
            return false;
        }
        let reached = question.reached.get(&conversation).copied();
        let Some(known) = self.known.get_mut(&conversation) else { return false };
        if entry.revision <= known.revision {
            return false;
        }
        if more {
            self.in_parts.insert(conversation);
        }
        if more && known.seq > reached {
            // Messages were pushed that this part doesn't have: what it says is not all that changed until this revision.
            known.note(entry.revision);
        } else {
            known.revision = entry.revision;
            known.ahead = known.ahead.max(entry.revision);
        }
        true
    }

    fn ask_again(&mut self) {
        if let Some(question) = &mut self.question {
            question.again = true;
        }
    }

    /// The answer was taken in, `more` says whether it is only a part. Whether there is something left to ask.
    ///
    /// What is a stranger still after the last part has nothing unread before the message that was pushed, so it begins there.
    pub(crate) fn settle(&mut self, more: bool) -> bool {
        let Some(question) = self.question.take() else { return more };
        if more {
            return true;
        }
        self.caught_up = true;
        self.in_parts.clear();
        let mut again = question.again;
        for (conversation, first) in question.strangers {
            if self.seq_of(conversation).is_none() {
                self.start(conversation, first - 1);
                again = true;
            }
        }
        again
    }

    /// The question was not answered.
    pub(crate) fn give_up(&mut self) {
        self.question = None;
    }
}
