//! How fast one user may do what costs others something. It counts in memory, so each copy of a module has its own.

use std::fmt::Debug;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::time::Duration;

use broker_schemas::Error;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// Forget the keys whose budget is whole once there are this many.
const KEPT: usize = 100_000;

/// A budget for each key, of which so many pieces can be spent at once, and one comes back each interval (the generic cell
/// rate algorithm).
#[derive(Debug)]
pub struct Limiter<K: Debug + Clone + Eq + Hash>(Option<DefaultKeyedRateLimiter<K>>);

impl<K: Debug + Clone + Eq + Hash> Limiter<K> {
    /// No limit when `burst` or `interval` is 0.
    #[must_use]
    pub fn new(burst: u32, interval: Duration) -> Self {
        let quota = NonZeroU32::new(burst)
            .and_then(|burst| Some(Quota::with_period(interval)?.allow_burst(burst)))
            .map(RateLimiter::keyed);
        Self(quota)
    }

    /// Spends a piece of the budget of `key`. `words` say what happens too fast.
    ///
    /// # Errors
    /// [`broker_schemas::Code::RateLimited`], with how long to wait for a piece. Nothing is spent.
    pub fn check(&self, key: &K, words: &str) -> Result<(), Error> {
        let Some(limiter) = &self.0 else { return Ok(()) };
        if limiter.len() > KEPT {
            limiter.retain_recent();
        }
        limiter
            .check_key(key)
            .map_err(|until| Error::rate_limited(words, until.wait_time_from(DefaultClock::default().now())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use broker_schemas::Code;

    #[test]
    fn a_burst_passes_and_what_follows_is_told_how_long_to_wait() {
        let limiter = Limiter::new(3, Duration::from_secs(60));
        for _ in 0..3 {
            limiter.check(&1, "too fast").unwrap();
        }
        let error = limiter.check(&1, "too fast").unwrap_err();
        assert_eq!((error.code, &*error.message), (Code::RateLimited, "too fast"));
        assert!(error.retry_after_ms.is_some_and(|wait| (50_000..=60_000).contains(&wait)), "{error:?}");
        limiter.check(&2, "too fast").unwrap();
    }

    #[test]
    fn zero_means_no_limit() {
        for limiter in [Limiter::new(0, Duration::from_secs(1)), Limiter::new(1, Duration::ZERO)] {
            assert!((0..1_000).all(|_| limiter.check(&1, "too fast").is_ok()));
        }
    }

    #[test]
    fn what_is_kept_of_those_who_did_nothing_for_long_is_bounded() {
        let limiter = Limiter::new(1, Duration::from_nanos(1));
        for key in 0..=2 * KEPT {
            limiter.check(&key, "too fast").unwrap();
        }
        assert!(limiter.0.unwrap().len() <= KEPT + 1);
    }
}
