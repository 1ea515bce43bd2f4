//! Hears who delivers: a beat that is missing says that deliveries may be missing, too.

use std::collections::HashMap;
use std::time::Duration;

use broker_schemas::delivery::Beat;
use broker_schemas::{ContentType, Error, subject};
use natter_host::Bus;
use natter_host::bus::Subscription;
use tokio::time::{Instant, timeout};

/// What breaks one way mostly breaks several: so long is waited for others that miss something, too.
const GATHER: Duration = Duration::from_millis(500);
/// A stranger who is in the middle of counting has begun before this edge did, or its first beats were missed.
const ACQUAINTED_AFTER: Duration = Duration::from_secs(3);
/// Whoever was silent for so long is a stranger again.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);

pub(crate) struct Beats {
    told: Subscription,
    heard: Heard,
}

impl Beats {
    pub(crate) async fn subscribe(bus: &Bus) -> Result<Self, Error> {
        let told = bus.subscribe(&subject::beat()).await?;
        Ok(Self { told, heard: Heard::new(Instant::now()) })
    }

    /// Returns when one was missed, or `false` when none will come any more.
    pub(crate) async fn missed(&mut self) -> bool {
        while let Some(body) = self.told.next().await {
            if self.heard.misses(&body, Instant::now()) {
                tracing::info!("a beat is missing: so may be deliveries");
                let _ = timeout(GATHER, self.hear_all()).await;
                return true;
            }
        }
        false
    }

    async fn hear_all(&mut self) {
        while let Some(body) = self.told.next().await {
            self.heard.misses(&body, Instant::now());
        }
    }
}

/// The last number of each, and when it was heard.
struct Heard {
    last: HashMap<u64, (u64, Instant)>,
    since: Instant,
}

impl Heard {
    fn new(since: Instant) -> Self {
        Self { last: HashMap::new(), since }
    }

    /// Hears a beat at `now`; whether one before it is missing.
    fn misses(&mut self, body: &[u8], now: Instant) -> bool {
        let Ok(Beat { by, number }) = ContentType::Postcard.decode(body) else {
            tracing::warn!("a beat of an unknown shape");
            return false;
        };
        let is_new_here = now < self.since + ACQUAINTED_AFTER;
        let Some((last, at)) = self.last.get_mut(&by) else {
            self.last.retain(|_, (_, at)| now < *at + FORGOTTEN_AFTER);
            self.last.insert(by, (number, now));
            return number > 1 && !is_new_here;
        };
        // One that was overtaken, on another way through the bus, is not missing any more; that it was, is known.
        let is_missing = number > *last + 1;
        (*last, *at) = (number.max(*last), now);
        is_missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is heard at so many seconds since the edge began, and whether something is missing then.
    fn hear(told: &[(u64, u64, u64, bool)]) {
        let since = Instant::now();
        let mut heard = Heard::new(since);
        for (second, by, number, expected) in told {
            let body = ContentType::Postcard.encode(&Beat { by: *by, number: *number }).unwrap();
            let misses = heard.misses(&body, since + Duration::from_secs(*second));
            assert_eq!(misses, *expected, "{number} of {by} at {second} s");
        }
    }

    #[test]
    fn whoever_counts_on_is_complete_and_whoever_leaves_one_out_is_not() {
        hear(&[
            (1, 7, 1, false),
            (2, 7, 2, false),
            (2, 8, 1, false),
            (3, 7, 4, true),
            (3, 8, 2, false),
            (4, 7, 5, false),
        ]);
    }

    #[test]
    fn one_that_is_late_is_no_news() {
        hear(&[(1, 7, 1, false), (2, 7, 3, true), (3, 7, 2, false), (4, 7, 4, false)]);
    }

    #[test]
    fn at_first_everybody_is_in_the_middle_and_later_only_who_was_missed() {
        hear(&[(1, 7, 90, false), (2, 8, 40, false), (10, 9, 1, false), (11, 10, 3, true)]);
    }

    #[test]
    fn whoever_was_silent_for_long_is_forgotten_and_missed_when_it_is_back() {
        hear(&[(1, 7, 1, false), (120, 8, 1, false), (121, 7, 120, true), (122, 7, 121, false)]);
    }

    #[test]
    fn what_is_no_beat_is_passed_over() {
        let now = Instant::now();
        assert!(!Heard::new(now).misses(b"", now));
    }
}
