//! I2, I3, and the half of I5 that a place holds one message.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use uuid::Uuid;

use super::super::{Event, hash};
use super::record::{Message, Sight};
use super::{Invariant, Judge};

type Users = BTreeSet<u64>;

impl<'a> Judge<'a> {
    pub(super) fn bodies_and_places(&mut self) {
        for event in &self.record.reused {
            let which = (None, event.client_id);
            self.name(
                Invariant::I3,
                &event.conversation,
                which,
                [event.user],
                "the client used a name twice",
            );
        }
        let mut places: HashMap<Uuid, BTreeMap<u64, Users>> = HashMap::new();
        let mut holders: HashMap<(&str, u64), BTreeMap<Uuid, Users>> = HashMap::new();
        for (event, seq) in &self.record.acks {
            let Some(client_id) = event.client_id else { continue };
            places.entry(client_id).or_default().entry(*seq).or_default().insert(event.user);
            let holder = holders.entry((&event.conversation, *seq)).or_default();
            holder.entry(client_id).or_default().insert(event.user);
        }
        let mut named = HashSet::new();
        for (conversation, sight) in self.record.sights() {
            let Sight { seq, client_id, user, .. } = sight;
            places.entry(client_id).or_default().entry(seq).or_default().insert(user);
            holders.entry((conversation, seq)).or_default().entry(client_id).or_default().insert(user);
            if let Some(wrong) = self.wrong(conversation, sight)
                && named.insert((client_id, user, wrong))
            {
                self.name(Invariant::I2, conversation, (Some(seq), Some(client_id)), [user], wrong);
            }
        }
        for (client_id, seqs) in places.iter().filter(|(_, seqs)| seqs.len() > 1) {
            let conversation = self.record.messages.get(client_id).map_or("", |message| message.conversation);
            let what = format!("one message has the places {:?}", seqs.keys().collect::<Vec<_>>());
            let which = (seqs.keys().next().copied(), Some(*client_id));
            self.name(Invariant::I3, conversation, which, seqs.values().flatten().copied(), what);
        }
        for ((conversation, seq), ids) in holders.iter().filter(|(_, ids)| ids.len() > 1) {
            let what = format!("one place has {} messages, {:?}", ids.len(), ids.keys().collect::<Vec<_>>());
            let which = (Some(*seq), ids.keys().next().copied());
            self.name(Invariant::I5, conversation, which, ids.values().flatten().copied(), what);
        }
    }

    /// What is wrong with a message as somebody saw it.
    fn wrong(&self, conversation: &'a str, sight: Sight<'a>) -> Option<&'static str> {
        let Some(message) = self.record.messages.get(&sight.client_id) else {
            return Some("nobody sent this message");
        };
        if message.conversation != conversation {
            Some("the message was sent to another conversation")
        } else if !self.may_say(message, sight) {
            Some("the message says something else than was sent")
        } else if sight.event.from.is_some_and(|from| from != message.user) {
            Some("the message is said to be from somebody else")
        } else if message.failed {
            Some("the send was refused, and the message is there")
        } else {
            None
        }
    }

    /// Whether a message says what it was sent with, or what it was edited to.
    fn may_say(&self, message: &Message<'_>, sight: Sight<'_>) -> bool {
        let Event { at, body, revision, .. } = *sight.event;
        if message.body == body {
            return true;
        }
        // Only what says that it was changed may be what it was changed to.
        revision.is_some_and(|revision| revision > 0)
            && self.record.edits.get(&(message.conversation, sight.seq)).is_some_and(|edits| {
                edits.iter().any(|edit| {
                    !edit.failed && edit.body.is_some() && edit.body == body && edit.invoked <= at
                })
            })
    }
}

/// What a recalled message says.
pub(super) fn nothing() -> u64 {
    hash("")
}
