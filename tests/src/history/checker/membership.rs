//! I8: nothing reaches who is not in the conversation, and nobody else writes in it.

use super::super::Event;
use super::record::{Record, Sight};
use super::{Invariant, Judge, Micros};

impl<'a> Judge<'a> {
    pub(super) fn membership(&mut self) {
        for ((_, conversation, _), sights) in &self.record.views {
            for sight in sights {
                self.leak(conversation, *sight, None);
            }
        }
        for reading in &self.record.readings {
            for sight in &reading.sights {
                self.leak(reading.conversation, *sight, Some(reading.invoked));
            }
        }
        for (((_, conversation, _), seq), updates) in &self.record.updates {
            for update in updates {
                self.leak_of_change(conversation, *seq, update);
            }
        }
        for (client_id, message) in &self.record.messages {
            let Some((acked, seq)) = message.acked else { continue };
            let closed = self.record.closures.get(message.conversation).is_some_and(|closures| {
                closures.iter().any(|closure| {
                    closure.acked.is_some_and(|closed| closed < message.invoked)
                        && closure.lifted.is_none_or(|lifted| acked < lifted)
                })
            });
            let inside = self.record.stays(message.conversation, message.user).iter().any(|stay| {
                stay.may_overlap(message.invoked, acked) && stay.left_at.is_none_or(|left| seq <= left)
            });
            let which = (Some(seq), Some(*client_id));
            if closed {
                let members: Vec<u64> = self.record.members(message.conversation).collect();
                self.name(Invariant::I8, message.conversation, which, members, "sent after an acked block");
            } else if !inside {
                let what = "sent by somebody who is not in the conversation";
                self.name(Invariant::I8, message.conversation, which, [message.user], what);
            }
        }
    }

    /// Names a sight that no stay of the user covers: by the places between which the user was there, and by time. A delivery
    /// may be under way while the user leaves, so what counts there is when the message was sent; a read counts by when it
    /// began.
    fn leak(&mut self, conversation: &'a str, sight: Sight<'a>, read: Option<Micros>) {
        let message = self.record.messages.get(&sight.client_id);
        let sent = message.map_or(0, |message| message.invoked);
        // What a message has become was sent when it was changed.
        let invoked = self.changed_at(conversation, sight.seq, sight.event).map_or(sent, |at| at.max(sent));
        let acked = message.and_then(|message| message.acked);
        let allowed = self.record.stays(conversation, sight.user).iter().any(|stay| {
            // What was acked before the joining began came before it.
            let early = acked.is_some_and(|(acked, _)| acked < stay.maybe_from) && stay.first_seq.is_none();
            stay.maybe_from <= sight.at
                && stay.has_place(sight.seq)
                && !early
                && stay.maybe_until.is_none_or(|left| read.unwrap_or(invoked) <= left)
        });
        if !allowed {
            let what = if read.is_some() { "read by a non-member" } else { "delivered to a non-member" };
            let which = (Some(sight.seq), Some(sight.client_id));
            self.name(Invariant::I8, conversation, which, [sight.user], what);
        }
    }
}

impl<'a> Judge<'a> {
    /// Names what a device shows a message to have become, if no stay of the user covers it: the change was sent when it
    /// began.
    fn leak_of_change(&mut self, conversation: &'a str, seq: u64, update: &Event) {
        let invoked = self.changed_at(conversation, seq, update).unwrap_or(0);
        let allowed = self.record.stays(conversation, update.user).iter().any(|stay| {
            stay.maybe_from <= update.at
                && stay.has_place(seq)
                && stay.maybe_until.is_none_or(|left| invoked <= left)
        });
        if !allowed {
            let what = "a change delivered to a non-member";
            self.name(Invariant::I8, conversation, (Some(seq), None), [update.user], what);
        }
    }

    /// When the change began at the earliest that made this of the message; none when nobody knows.
    fn changed_at(&self, conversation: &'a str, seq: u64, event: &Event) -> Option<Micros> {
        let revision = event.revision.filter(|revision| *revision > 0)?;
        let edits = self.record.edits.get(&(conversation, seq))?;
        let made_it = edits.iter().filter(|edit| match edit.revision {
            Some(made) => made == revision,
            None => !edit.failed && edit.body == event.body,
        });
        made_it.map(|edit| edit.invoked).min()
    }
}

/// Why sends failed of people who were in the conversation from the beginning of the send to its end.
pub(super) fn failures(record: &Record<'_>) -> Vec<String> {
    let failed = record.messages.values().filter(|message| message.failed);
    let of_members = failed.filter(|message| {
        let ended = message.ended.unwrap_or(Micros::MAX);
        let stays = record.stays(message.conversation, message.user);
        stays.iter().any(|stay| stay.surely_covers(message.invoked, ended))
    });
    of_members.map(|message| message.why.to_owned()).collect()
}
