//! A user's stays in a conversation: from which moment to which, and from which place to which.

use super::super::{Event, Operation, Step};
use super::Micros;

/// A stay in a conversation. A moment is known as two: that of the question and that of the answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stay {
    /// The join was invoked: from here on things may be seen.
    pub(super) maybe_from: Micros,
    /// The join was acked: what is sent from here on must be seen.
    pub(super) surely_from: Option<Micros>,
    /// What may be seen begins here, as the conversation has it; with the joining, if this is absent.
    pub(super) first_seq: Option<u64>,
    /// Where the joining stands.
    pub(super) joined_at: Option<u64>,
    /// The leave was invoked: what is sent from here on need not be seen.
    pub(super) surely_until: Option<Micros>,
    /// The leave was acked: what is sent from here on must not be seen, and nothing can be read.
    pub(super) maybe_until: Option<Micros>,
    /// Where the leaving stands.
    pub(super) left_at: Option<u64>,
}

impl Stay {
    /// Whether the place lies in what the user may see because of this stay, as far as places tell.
    pub(super) fn has_place(&self, seq: u64) -> bool {
        let first = self.first_seq.or(self.joined_at);
        first.is_none_or(|first| seq >= first) && self.left_at.is_none_or(|last| seq <= last)
    }

    /// Whether the user may be in the conversation at some time of this span.
    pub(super) fn may_overlap(&self, from: Micros, until: Micros) -> bool {
        self.maybe_from <= until && self.maybe_until.is_none_or(|left| from <= left)
    }

    /// Whether the user is in the conversation all of this span.
    pub(super) fn surely_covers(&self, from: Micros, until: Micros) -> bool {
        self.surely_from.is_some_and(|joined| joined <= from)
            && self.surely_until.is_none_or(|left| until <= left)
    }

    /// Whether a message surely came after the joining: by its place, or because its sending began later. A message that
    /// nobody saw sent has no such moment.
    pub(super) fn surely_follows(&self, seq: u64, invoked: Option<Micros>) -> bool {
        let later = invoked.is_some_and(|invoked| self.surely_from.is_some_and(|joined| joined <= invoked));
        self.surely_from.is_some() && (later || self.joined_at.is_some_and(|joined| joined < seq))
    }
}

/// A user's stays in one conversation, the last one last.
#[derive(Debug, Default)]
pub(super) struct Stays {
    stays: Vec<Stay>,
    /// When the present leave was invoked.
    leaving: Option<Micros>,
}

impl Stays {
    pub(super) fn all(&self) -> &[Stay] {
        &self.stays
    }

    /// Where the notices of its beginning and its end stand.
    pub(super) fn place(&mut self, index: usize, operation: Operation, seq: u64) {
        let Some(stay) = self.stays.get_mut(index) else { return };
        match operation {
            Operation::Join => stay.joined_at = Some(seq),
            _ => stay.left_at = Some(seq),
        }
    }

    /// Takes a step of a joining or a leaving; the index of the stay that it is about.
    pub(super) fn take(&mut self, event: &Event) -> Option<usize> {
        let stays = &mut self.stays;
        match (event.operation, event.step) {
            (Operation::Join, Step::Invoke) => stays.push(Stay {
                maybe_from: event.at,
                surely_from: None,
                first_seq: event.seq,
                joined_at: None,
                surely_until: None,
                maybe_until: None,
                left_at: None,
            }),
            (Operation::Join, Step::Ok) => {
                let stay = stays.last_mut()?;
                stay.surely_from = Some(event.at);
                stay.first_seq = event.seq.or(stay.first_seq);
            }
            // A stay that never was begins after everything.
            (Operation::Join, Step::Fail) => stays.last_mut()?.maybe_from = Micros::MAX,
            // A stay whose joining or leaving is unknown may go on beside the last one, and ends with it.
            (Operation::Leave, Step::Invoke) => {
                self.leaving = Some(event.at);
                for stay in stays.iter_mut() {
                    stay.surely_until.get_or_insert(event.at);
                }
            }
            (Operation::Leave, Step::Ok) => {
                for stay in stays.iter_mut() {
                    stay.maybe_until.get_or_insert(event.at);
                }
            }
            (Operation::Leave, Step::Fail) => {
                for stay in stays.iter_mut().filter(|stay| stay.surely_until == self.leaving) {
                    stay.surely_until = None;
                }
            }
            _ => {}
        }
        stays.len().checked_sub(1)
    }
}
