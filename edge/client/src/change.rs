//! What a change does to the message that it is about.

use broker_schemas::message::{EditedEvent, Entry, ReactedEvent, Reaction, RecalledEvent};
use broker_schemas::{Conversation, Seq, UserId};

use crate::Event;

/// Which message an event changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Where it stands.
    pub conversation: Conversation,
    /// Its place there.
    pub seq: Seq,
    /// The conversation's revision that the change made.
    pub revision: u64,
}

impl Event {
    /// The message that this changes, if it is an edit, a recall or a reaction.
    #[must_use]
    pub const fn change(&self) -> Option<Change> {
        match *self {
            Self::Edited(EditedEvent { conversation, seq, revision, .. })
            | Self::Recalled(RecalledEvent { conversation, seq, revision, .. })
            | Self::Reacted(ReactedEvent { conversation, seq, revision, .. }) => {
                Some(Change { conversation, seq, revision })
            }
            _ => None,
        }
    }

    /// Makes `entry` what it is after this change, for the user `me`. Whether it is about this message, and not in it already.
    ///
    /// A page of history that was asked for before an event came may show the message before or after the event: keep the
    /// changes that come while such a call is under way, and apply them to its answer.
    #[must_use]
    pub fn apply_to(&self, entry: &mut Entry, me: UserId) -> bool {
        let Some(change) = self.change() else { return false };
        if (change.conversation, change.seq) != (entry.conversation, entry.seq)
            || change.revision <= entry.revision
        {
            return false;
        }
        match self {
            Self::Edited(edited) => {
                edited.text.clone_into(&mut entry.text);
                entry.edited_at = Some(edited.edited_at);
            }
            Self::Recalled(recalled) => {
                entry.recalled_by = Some(recalled.by);
                entry.text.clear();
                (entry.quote, entry.payload) = (None, None);
                entry.mentions.clear();
                entry.reactions.clear();
            }
            Self::Reacted(reacted) => react(&mut entry.reactions, reacted, me),
            _ => {}
        }
        entry.revision = change.revision;
        true
    }
}

fn react(reactions: &mut Vec<Reaction>, reacted: &ReactedEvent, me: UserId) {
    let mine = reacted.user == me;
    match reactions.iter_mut().find(|known| known.reaction == reacted.reaction) {
        Some(known) if reacted.removed => {
            known.count = known.count.saturating_sub(1);
            known.mine &= !mine;
        }
        Some(known) => {
            known.count += 1;
            known.mine |= mine;
        }
        None if reacted.removed => {}
        None => reactions.push(Reaction { reaction: reacted.reaction.clone(), count: 1, mine }),
    }
    reactions.retain(|known| known.count > 0);
}

#[cfg(test)]
mod tests {
    use broker_schemas::{GroupId, Timestamp};

    use super::*;

    fn id(number: u64) -> UserId {
        UserId::new(number).unwrap()
    }

    fn entry() -> Entry {
        Entry {
            conversation: Conversation::group(GroupId::new(9).unwrap()),
            seq: Seq::new(4).unwrap(),
            from: id(2),
            client_id: None,
            text: "helo".into(),
            sent_at: Timestamp(0),
            quote: Seq::new(3).ok(),
            mentions: vec![id(1)],
            payload: None,
            notice: None,
            edited_at: None,
            recalled_by: None,
            reactions: Vec::new(),
            revision: 7,
            campaign: None,
        }
    }

    fn reacted(user: u64, revision: u64, removed: bool) -> Event {
        let Entry { conversation, seq, .. } = entry();
        Event::Reacted(ReactedEvent {
            conversation,
            seq,
            revision,
            user: id(user),
            reaction: "👍".into(),
            removed,
        })
    }

    #[test]
    fn a_change_that_is_in_the_message_already_changes_nothing() {
        let mut message = entry();
        let Entry { conversation, seq, .. } = message;
        let edited = |revision, text: &str| {
            Event::Edited(EditedEvent {
                conversation,
                seq,
                revision,
                text: text.into(),
                edited_at: Timestamp(1),
            })
        };
        assert!(!edited(7, "old").apply_to(&mut message, id(1)));
        assert_eq!(message, entry());
        assert!(edited(8, "hello").apply_to(&mut message, id(1)));
        assert_eq!((message.text.as_str(), message.revision), ("hello", 8));
        assert!(!edited(8, "hello").apply_to(&mut message, id(1)));
    }

    #[test]
    fn reactions_are_counted_and_know_the_callers_own() {
        let mut message = entry();
        for event in [reacted(2, 8, false), reacted(1, 9, false)] {
            assert!(event.apply_to(&mut message, id(1)));
        }
        assert_eq!(message.reactions, [Reaction { reaction: "👍".into(), count: 2, mine: true }]);
        assert!(reacted(1, 10, true).apply_to(&mut message, id(1)));
        assert_eq!(message.reactions, [Reaction { reaction: "👍".into(), count: 1, mine: false }]);
        assert!(reacted(2, 11, true).apply_to(&mut message, id(1)));
        assert!(message.reactions.is_empty());
    }

    #[test]
    fn nothing_is_left_of_a_message_that_was_recalled() {
        let mut message =
            Entry { reactions: vec![Reaction { reaction: "👍".into(), count: 1, mine: false }], ..entry() };
        let Entry { conversation, seq, .. } = message;
        let event = Event::Recalled(RecalledEvent { conversation, seq, revision: 8, by: id(2) });
        assert!(event.apply_to(&mut message, id(1)));
        let bare = Entry {
            text: String::new(),
            quote: None,
            mentions: Vec::new(),
            recalled_by: Some(id(2)),
            revision: 8,
            ..entry()
        };
        assert_eq!(message, bare);
    }
}
