//! How fast a campaign sends.

use std::time::Duration;

use tokio::time::Instant;

/// What is sent at once: a tenth of a second's worth, so that what people write to each other finds its way between.
const SHARE: u32 = 10;
/// What one call takes.
const LARGEST: u32 = 512;

/// A rate, kept over batches.
#[derive(Debug)]
pub(super) struct Pace {
    per_second: u32,
    /// When the next batch is due.
    due: Instant,
}

impl Pace {
    pub(super) fn new(per_second: u32) -> Self {
        Self { per_second: per_second.max(1), due: Instant::now() }
    }

    /// How many recipients go into one batch.
    pub(super) const fn batch(&self) -> usize {
        let share = self.per_second.div_ceil(SHARE);
        (if share < LARGEST { share } else { LARGEST }) as usize
    }

    /// Counts a batch that is sent `now`, and returns when the next one is due. Time that was lost is not made up for: a rate
    /// is a promise to everyone else.
    pub(super) fn sent(&mut self, recipients: usize, now: Instant) -> Instant {
        let took = Duration::from_secs_f64(recipients as f64 / f64::from(self.per_second));
        self.due = self.due.max(now.checked_sub(took).unwrap_or(now)) + took;
        self.due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_a_tenth_of_a_seconds_worth_and_at_least_one() {
        for (rate, batch) in [(1, 1), (10, 1), (11, 2), (500, 50), (10_000, 512)] {
            assert_eq!(Pace::new(rate).batch(), batch, "{rate}");
        }
    }

    #[test]
    fn a_rate_is_kept_and_lost_time_is_not_made_up_for() {
        let started = Instant::now();
        let mut pace = Pace { per_second: 100, due: started };
        let mut send = |mut now: Instant| {
            for _ in 0..10 {
                now = pace.sent(10, now).max(now);
            }
            now
        };
        assert_eq!(send(started) - started, Duration::from_secs(1));
        let later = started + Duration::from_secs(60);
        assert!(send(later) - later >= Duration::from_millis(900));
    }
}
