//! I8: nothing reaches who is not in the conversation, and nobody else writes in it.

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
        let invoked = message.map_or(0, |message| message.invoked);
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
