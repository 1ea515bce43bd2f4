//! The judge: what must hold of what clients saw, and the bounds of a run. One file for each property, or for two that are
//! looked at together.

mod acked;
mod bounds;
mod changes;
mod membership;
mod notices;
mod order;
mod places;
mod record;
mod stay;
mod views;

use std::collections::BTreeSet;
use std::fmt;

use uuid::Uuid;

use super::{Line, Micros};
pub use bounds::{Bounds, Figures, Growth, Level};
use record::Record;
#[cfg(test)]
pub(super) use record::notice_id;

/// What must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// What was acked is in the view and the history of everyone who may see it.
    I1,
    /// No message that nobody sent, or that says something else than was sent.
    I2,
    /// A `client_id` has one place.
    I3,
    /// No view has a message twice.
    I4,
    /// A place has the same message for all, and none is left out.
    I5,
    /// On each device, places only grow.
    I6,
    /// What was acked before another send began has the smaller place.
    I7,
    /// Nothing is delivered or read outside membership, or was sent after an acked block.
    I8,
    /// A send whose answer is unknown is absent for all, or present for all.
    I9,
    /// Recovery, memory and file descriptors are bounded.
    I10,
    /// In the end, a message that was changed says the same for all, and what was acked last.
    I11,
}

/// One breach, in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Of what.
    pub invariant: Invariant,
    /// Where; empty for [`Invariant::I10`].
    pub conversation: String,
    /// Which message, by its place.
    pub seq: Option<u64>,
    /// Which message, by its name; a notice has one of its own making.
    pub client_id: Option<Uuid>,
    /// Who saw it, or should have.
    pub users: Vec<u64>,
    /// What happened.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.invariant, self.what)?;
        if !self.conversation.is_empty() {
            write!(f, "; conversation {}", self.conversation)?;
        }
        if let Some(seq) = self.seq {
            write!(f, ", seq {seq}")?;
        }
        if let Some(client_id) = self.client_id {
            write!(f, ", client_id {client_id}")?;
        }
        if !self.users.is_empty() {
            write!(f, ", users {:?}", self.users)?;
        }
        Ok(())
    }
}

/// The verdict.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Each breach; none is good.
    pub violations: Vec<Violation>,
    /// What the history amounts to.
    pub figures: Figures,
    /// Why sends failed of people who were in the conversation from the beginning of the send to its end.
    pub failures: Vec<String>,
    /// How the memory of each process went, of those that lived long enough to say.
    pub levels: Vec<Level>,
}

impl Report {
    /// Whether nothing was breached.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.violations.is_empty()
    }
}

/// Judges a history.
#[must_use]
pub fn check(lines: &[Line], bounds: &Bounds) -> Report {
    let mut record = Record::read(lines);
    let mut violations = notices::tie(&mut record);
    let mut judge = Judge { record: &record, violations: Vec::new() };
    judge.bodies_and_places();
    judge.views();
    judge.acked_and_unknown();
    judge.ack_order();
    judge.membership();
    judge.changes();
    violations.append(&mut judge.violations);
    // What was lost first.
    violations.sort_by_key(|violation| violation.invariant);
    let figures = bounds::figures(&record, lines);
    let levels = bounds::levels(lines, bounds.growth);
    violations.extend(bounds::breaches(&figures, &levels, bounds));
    let failures = membership::failures(&record);
    Report { violations, figures, failures, levels }
}

struct Judge<'a> {
    record: &'a Record<'a>,
    violations: Vec<Violation>,
}

impl Judge<'_> {
    fn name(
        &mut self,
        invariant: Invariant,
        conversation: &str,
        (seq, client_id): (Option<u64>, Option<Uuid>),
        users: impl IntoIterator<Item = u64>,
        what: impl Into<String>,
    ) {
        let users: BTreeSet<u64> = users.into_iter().collect();
        self.violations.push(Violation {
            invariant,
            conversation: conversation.to_owned(),
            seq,
            client_id,
            users: users.into_iter().collect(),
            what: what.into(),
        });
    }
}
