//! Which messages the application has: what comes next, what it saw already, what is missing.

use std::collections::{BTreeMap, HashMap};

use broker_schemas::Conversation;
use broker_schemas::message::SYNC_MAX;

/// How many conversations are remembered; past it, the one that was quiet for longest is forgotten, and counts again
/// from where the user has read it.
const REMEMBERED: usize = 16 * SYNC_MAX;
/// How many conversations may wait for a sync to say where they begin; further ones begin with the message at hand.
const STRANGERS: usize = SYNC_MAX;

/// How a message fits to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    /// It is the next one, and now counts as seen.
    Next,
    /// It was seen before.
    Seen,
    /// Messages before it are missing. It does not count as seen: a sync brings it again, after them.
    Gap,
}

/// The last contiguous message of each conversation.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    cursors: HashMap<Conversation, Cursor>,
    /// Conversations of which a message was pushed, though nobody said where they begin: the smallest seq that was.
    strangers: HashMap<Conversation, u64>,
    clock: u64,
}

#[derive(Debug, Clone, Copy)]
struct Cursor {
    seq: u64,
    touched: u64,
}

impl Inbox {
    /// Starts a conversation after `seq`, unless it is known better.
    pub(crate) fn start(&mut self, conversation: Conversation, seq: u64) {
        self.clock += 1;
        self.cursors.entry(conversation).or_insert(Cursor { seq, touched: self.clock });
        self.strangers.remove(&conversation);
        self.forget_one_too_many();
    }

    /// A message was pushed.
    pub(crate) fn push(&mut self, conversation: Conversation, seq: u64) -> Fit {
        if !self.cursors.contains_key(&conversation) {
            if seq > 1 && self.strangers.len() < STRANGERS {
                let first = self.strangers.entry(conversation).or_insert(seq);
                *first = seq.min(*first);
                return Fit::Gap;
            }
            self.start(conversation, seq - 1);
        }
        self.fit(conversation, seq)
    }

    /// A sync brought a message. A conversation that is not known begins with it: the server counted from where the user
    /// has read.
    pub(crate) fn fetch(&mut self, conversation: Conversation, seq: u64) -> Fit {
        self.start(conversation, seq - 1);
        self.fit(conversation, seq)
    }

    fn fit(&mut self, conversation: Conversation, seq: u64) -> Fit {
        self.clock += 1;
        let Some(cursor) = self.cursors.get_mut(&conversation) else { return Fit::Gap };
        cursor.touched = self.clock;
        match seq {
            _ if seq <= cursor.seq => Fit::Seen,
            _ if seq == cursor.seq + 1 => {
                cursor.seq = seq;
                Fit::Next
            }
            _ => Fit::Gap,
        }
    }

    /// Whether the conversation has messages up to `seq` that were not seen.
    pub(crate) fn lacks(&self, conversation: Conversation, seq: u64) -> bool {
        self.cursors.get(&conversation).is_none_or(|cursor| cursor.seq < seq)
    }

    /// What to tell the server. Where there are more conversations than a sync may name, those that moved last: a page of
    /// a sync moves its conversations, so the next page goes on after it.
    pub(crate) fn have(&self) -> BTreeMap<Conversation, u64> {
        let mut cursors: Vec<_> = self.cursors.iter().collect();
        if cursors.len() > SYNC_MAX {
            cursors.select_nth_unstable_by_key(SYNC_MAX, |(_, cursor)| std::cmp::Reverse(cursor.touched));
            cursors.truncate(SYNC_MAX);
        }
        cursors.into_iter().map(|(conversation, cursor)| (*conversation, cursor.seq)).collect()
    }

    /// A sync is complete. What is a stranger still has nothing unread before the message that was pushed, so it begins
    /// there. Whether that leaves something to sync.
    pub(crate) fn settle(&mut self, asked: &HashMap<Conversation, u64>) -> bool {
        let mut again = false;
        for (&conversation, &first) in asked {
            if !self.cursors.contains_key(&conversation) {
                self.start(conversation, first - 1);
                again = true;
            }
        }
        again
    }

    /// The strangers by now; a sync that begins later says where they begin.
    pub(crate) fn strangers(&self) -> HashMap<Conversation, u64> {
        self.strangers.clone()
    }

    fn forget_one_too_many(&mut self) {
        if self.cursors.len() > REMEMBERED
            && let Some(&quietest) =
                self.cursors.iter().min_by_key(|(_, cursor)| cursor.touched).map(|(name, _)| name)
        {
            self.cursors.remove(&quietest);
        }
    }
}

#[cfg(test)]
mod tests {
    use broker_schemas::GroupId;

    use super::*;

    fn group(number: u64) -> Conversation {
        Conversation::group(GroupId::new(number).unwrap())
    }

    #[test]
    fn whatever_the_order_of_pushes_each_message_is_next_exactly_once() {
        let mut inbox = Inbox::default();
        inbox.start(group(1), 4);
        assert_eq!(inbox.push(group(1), 4), Fit::Seen);
        assert_eq!(inbox.push(group(1), 6), Fit::Gap);
        assert_eq!(inbox.fetch(group(1), 5), Fit::Next);
        assert_eq!(inbox.fetch(group(1), 6), Fit::Next);
        assert_eq!(inbox.push(group(1), 6), Fit::Seen);
        assert_eq!(inbox.push(group(1), 7), Fit::Next);
    }

    #[test]
    fn a_new_conversation_begins_with_its_first_message() {
        assert_eq!(Inbox::default().push(group(1), 1), Fit::Next);
    }

    #[test]
    fn a_later_sign_in_does_not_move_what_was_seen_already() {
        let mut inbox = Inbox::default();
        inbox.start(group(1), 9);
        inbox.start(group(1), 2);
        assert_eq!(inbox.push(group(1), 9), Fit::Seen);
    }

    #[test]
    fn a_stranger_begins_where_the_sync_says_or_else_with_what_was_pushed() {
        let mut inbox = Inbox::default();
        assert_eq!(inbox.push(group(1), 8), Fit::Gap);
        assert_eq!(inbox.push(group(2), 5), Fit::Gap);
        let asked = inbox.strangers();
        assert_eq!(inbox.fetch(group(1), 7), Fit::Next);
        assert!(inbox.settle(&asked));
        assert_eq!(inbox.fetch(group(1), 8), Fit::Next);
        assert_eq!(inbox.fetch(group(2), 5), Fit::Next);
        assert!(inbox.strangers().is_empty());
    }

    #[test]
    fn a_sync_names_the_conversations_that_moved_last() {
        let mut inbox = Inbox::default();
        for number in 1..=SYNC_MAX as u64 + 10 {
            inbox.start(group(number), 0);
        }
        inbox.fetch(group(3), 1);
        let have = inbox.have();
        assert_eq!(have.len(), SYNC_MAX);
        assert_eq!(have.get(&group(3)), Some(&1));
        assert!(!have.contains_key(&group(1)));
    }
}
