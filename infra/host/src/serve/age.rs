//! How long a request was on its way.
//!
//! A frozen broker, a frozen copy, or a link that dropped packets hands over requests whose callers have long given up, and
//! repeated them elsewhere. A kick that is done again then would put out somebody who has been taken in since. What
//! is left of a request's time says nothing of that, and clocks of machines differ. So a request says when it was sent by a
//! clock of the caller's own ([`now`]); the smallest difference to the clock here, of late, is that of a request that was on
//! its way for no time, and what another one has more is its age.

use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use moka::sync::Cache;

/// How long a smallest difference counts, once or twice: clocks drift.
const WINDOW: u64 = 10_000;
/// How many callers are remembered; one that isn't begins anew.
const CALLERS: u64 = 10_000;
/// One that is silent for so long is forgotten.
const SILENCE: Duration = Duration::from_secs(600);

/// Milliseconds by a clock of this process that nobody sets.
pub(crate) fn now() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// What is known of the clocks of callers.
#[derive(Debug)]
pub(super) struct Ages {
    callers: Cache<String, std::sync::Arc<Mutex<Clock>>>,
}

/// A caller's clock, against the one here.
#[derive(Debug)]
struct Clock {
    /// When the present window began.
    since: u64,
    /// The smallest difference in it.
    smallest: i64,
    /// The smallest one in the window before. It counts however long ago that was: what comes first after a long pause is
    /// what waited.
    before: i64,
}

impl Ages {
    pub(super) fn new() -> Self {
        Self { callers: Cache::builder().max_capacity(CALLERS).time_to_idle(SILENCE).build() }
    }

    /// How long a request was on its way that the caller behind the inbox of `reply_to` sent when its clock said `sent`.
    pub(super) fn age(&self, reply_to: &str, sent: u64, now: u64) -> Duration {
        let caller = reply_to.rsplit_once('.').map_or(reply_to, |(caller, _)| caller);
        let difference = i64::try_from(now).unwrap_or(i64::MAX) - i64::try_from(sent).unwrap_or(i64::MAX);
        let clock = match self.callers.get(caller) {
            Some(clock) => clock,
            None => self.callers.get_with(caller.to_owned(), || {
                Mutex::new(Clock { since: now, smallest: difference, before: difference }).into()
            }),
        };
        let age = clock.lock().unwrap_or_else(PoisonError::into_inner).age(difference, now);
        Duration::from_millis(u64::try_from(age).unwrap_or_default())
    }
}

impl Clock {
    fn age(&mut self, difference: i64, now: u64) -> i64 {
        if now.saturating_sub(self.since) >= WINDOW {
            (self.since, self.before, self.smallest) = (now, self.smallest, difference);
        }
        self.smallest = self.smallest.min(difference);
        difference - self.smallest.min(self.before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(age: Duration) -> u64 {
        u64::try_from(age.as_millis()).unwrap()
    }

    #[test]
    fn what_waited_is_as_old_as_it_waited_whatever_the_clocks_say() {
        for ahead in [0, 3_600_000] {
            let ages = Ages::new();
            let age = |sent: u64, now| millis(ages.age("_INBOX.edge.x.1", sent + ahead, now));
            assert_eq!(age(1_000, 1_002), 0);
            assert_eq!(age(1_100, 1_101), 0);
            assert_eq!(age(1_200, 1_250), 49);
            // Frozen for a minute: all that waited comes at once, the newest last.
            assert_eq!(age(1_300, 61_301), 60_000);
            assert_eq!(age(31_300, 61_301), 30_000);
            assert_eq!(age(61_300, 61_301), 0);
        }
    }

    #[test]
    fn each_caller_has_a_clock_of_its_own() {
        let ages = Ages::new();
        assert_eq!(millis(ages.age("_INBOX.edge.x.1", 5_000, 6_000)), 0);
        assert_eq!(millis(ages.age("_INBOX.edge.y.1", 100, 6_000)), 0);
        assert_eq!(millis(ages.age("_INBOX.edge.x.2", 5_000, 6_500)), 500);
    }

    #[test]
    fn a_clock_that_goes_wrong_is_believed_again_after_a_while() {
        let ages = Ages::new();
        // This one stood still for five seconds, as the clock of a machine that was suspended does.
        let age = |now: u64| millis(ages.age("_INBOX.edge.x.1", now - 5_000, now));
        assert_eq!(millis(ages.age("_INBOX.edge.x.1", 9_000, 9_000)), 0);
        assert_eq!(age(10_000), 5_000);
        assert_eq!(age(10_000 + WINDOW), 5_000);
        assert_eq!(age(10_000 + 2 * WINDOW), 0);
    }
}
