//! How long others have been at a change without getting it told: whoever takes too long may be dead.

use std::collections::HashMap;
use std::mem;
use std::time::{Duration, Instant};

use crate::store::Head;

/// What another copy of this module has not told in that time, this one tells. It is measured by one's own clock from
/// when one first saw the change, for the copies' clocks may differ.
const PATIENCE: Duration = Duration::from_secs(2);

/// The oldest changes of groups that others tell, each with when it was first seen so.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// In the round before, and in this one: whatever is in neither was told.
    before: HashMap<Head, Instant>,
    now: HashMap<Head, Instant>,
}

impl Watch {
    /// Whether another copy has had its time with a change, which is seen in this round.
    pub(crate) fn is_overdue(&mut self, head: Head, now: Instant) -> bool {
        let first_seen = self.before.get(&head).copied().unwrap_or(now);
        let first_seen = *self.now.entry(head).or_insert(first_seen);
        now.duration_since(first_seen) >= PATIENCE
    }

    /// Every group was looked at since the last time this was called.
    pub(crate) fn end_round(&mut self) {
        self.before = mem::take(&mut self.now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use broker_schemas::GroupId;

    fn head(version: u64, teller: i64) -> Head {
        Head { group: GroupId::new(7).unwrap(), version, teller }
    }

    #[test]
    fn a_change_is_overdue_once_it_was_seen_with_the_same_copy_for_so_long() {
        let (mut watch, begin) = (Watch::default(), Instant::now());
        assert!(!watch.is_overdue(head(1, 5), begin));
        watch.end_round();
        // Rounds that end early change nothing, nor does being looked at twice.
        assert!(!watch.is_overdue(head(1, 5), begin + PATIENCE / 2));
        assert!(watch.is_overdue(head(1, 5), begin + PATIENCE));
        watch.end_round();
        assert!(watch.is_overdue(head(1, 5), begin + PATIENCE));
        // Who goes on with the next one, or who took it over, has its own time.
        assert!(!watch.is_overdue(head(2, 5), begin + PATIENCE));
        assert!(!watch.is_overdue(head(1, 6), begin + PATIENCE));
    }

    #[test]
    fn what_was_told_meanwhile_is_forgotten() {
        let (mut watch, begin) = (Watch::default(), Instant::now());
        assert!(!watch.is_overdue(head(1, 5), begin));
        watch.end_round();
        watch.end_round();
        assert!(!watch.is_overdue(head(1, 5), begin + PATIENCE));
        assert_eq!(watch.before.len() + watch.now.len(), 1);
    }
}
