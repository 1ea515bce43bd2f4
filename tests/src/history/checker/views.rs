//! I4, I6, and the half of I5 that nothing is left out.

use std::collections::{BTreeSet, HashMap, HashSet};

use uuid::Uuid;

use super::record::{Reading, Sight};
use super::{Invariant, Judge};

/// Which message stands at which place of which conversation.
type Known<'a> = HashMap<(&'a str, u64), Uuid>;

impl<'a> Judge<'a> {
    pub(super) fn views(&mut self) {
        let sights = self.record.sights();
        let known: Known<'a> =
            sights.map(|(conversation, sight)| ((conversation, sight.seq), sight.client_id)).collect();
        for ((device, conversation, _), sights) in &self.record.views {
            let Some(user) = sights.first().map(|sight| sight.user) else { continue };
            let whose = format!("device {device}");
            self.order(conversation, sights, &whose);
            self.gaps_of_view(conversation, user, sights, &known, &whose);
        }
        for reading in &self.record.readings {
            self.order(reading.conversation, &reading.sights, "a read");
            self.gaps_of_reading(reading, &known);
        }
    }

    fn order(&mut self, conversation: &str, sights: &[Sight<'_>], whose: &str) {
        let (mut seqs, mut ids, mut last) = (HashSet::new(), HashSet::new(), 0);
        for sight in sights {
            let which = (Some(sight.seq), Some(sight.client_id));
            if !seqs.insert(sight.seq) | !ids.insert(sight.client_id) {
                self.name(Invariant::I4, conversation, which, [sight.user], format!("{whose} has it twice"));
            } else if sight.seq < last {
                let what = format!("{whose} has it after {last}");
                self.name(Invariant::I6, conversation, which, [sight.user], what);
            }
            last = last.max(sight.seq);
        }
    }

    /// Places that a device left out, though what is before and what is behind belongs to one stay of its user, or the user
    /// stays for good and the place comes after the joining.
    fn gaps_of_view(
        &mut self,
        conversation: &'a str,
        user: u64,
        sights: &[Sight<'a>],
        known: &Known<'_>,
        whose: &str,
    ) {
        let has: BTreeSet<u64> = sights.iter().map(|sight| sight.seq).collect();
        let pairs: Vec<(u64, u64)> = has.iter().copied().zip(has.iter().copied().skip(1)).collect();
        for (before, behind) in pairs {
            for seq in before + 1..behind {
                let id = known.get(&(conversation, seq)).copied();
                let invoked = id.and_then(|id| self.record.messages.get(&id)).map(|message| message.invoked);
                let stays = self.record.stays(conversation, user);
                let alone = stays.len() == 1;
                let missed = stays.iter().any(|stay| {
                    // A stay without known places may have been interrupted.
                    let whole = alone
                        || (stay.joined_at.is_some() && stay.maybe_until.is_none())
                        || (stay.joined_at.is_some() && stay.left_at.is_some());
                    let within = whole
                        && stay.surely_from.is_some()
                        && stay.has_place(before)
                        && stay.has_place(behind)
                        && stay.joined_at.is_none_or(|joined| joined <= before);
                    within || (stay.surely_until.is_none() && stay.surely_follows(seq, invoked))
                });
                if missed {
                    self.name(
                        Invariant::I5,
                        conversation,
                        (Some(seq), id),
                        [user],
                        format!("{whose} has a gap"),
                    );
                }
            }
        }
    }

    /// Places that a read of all left out, though the user may see them. It begins at the beginning.
    fn gaps_of_reading(&mut self, reading: &Reading<'a>, known: &Known<'_>) {
        let Some(complete) = reading.complete() else { return };
        let has: BTreeSet<u64> = reading.sights.iter().map(|sight| sight.seq).collect();
        let Some(&last) = has.last() else { return };
        for seq in (1..last).filter(|seq| !has.contains(seq)) {
            let id = known.get(&(reading.conversation, seq)).copied();
            let invoked = id.and_then(|id| self.record.messages.get(&id)).map(|message| message.invoked);
            if self.must_read(reading, complete, seq, invoked) {
                let which = (Some(seq), id);
                self.name(Invariant::I5, reading.conversation, which, [reading.user], "a read has a gap");
            }
        }
    }

    /// Whether a complete read has to have this place: the user was there all the time, and it is for the user.
    pub(super) fn must_read(
        &self,
        reading: &Reading<'_>,
        complete: u64,
        seq: u64,
        invoked: Option<u64>,
    ) -> bool {
        self.record.stays(reading.conversation, reading.user).iter().any(|stay| {
            stay.surely_covers(reading.invoked, complete)
                && match stay.first_seq {
                    Some(first) => seq >= first,
                    None => stay.surely_follows(seq, invoked),
                }
        })
    }
}
