//! How long to wait before trying again.

use std::time::Duration;

/// Waits that double from `first` up to `most`, each shortened at random by up to a half, so that the clients of a
/// restarted server don't come back in one wave.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, next: first }
    }

    /// The next wait.
    pub(crate) fn wait(&mut self) -> Duration {
        let whole = self.next.min(self.most);
        self.next = whole.saturating_mul(2);
        shorten(whole)
    }

    /// It worked: the next failure is a first one.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}

/// `whole`, shortened at random by up to a half.
pub(crate) fn shorten(whole: Duration) -> Duration {
    // Without randomness there is still a wait, only a less polite one.
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    whole.mul_f64(0.5 + 0.5 * f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_bound_and_begin_again_after_success() {
        let (first, most) = (Duration::from_millis(200), Duration::from_secs(15));
        let mut backoff = Backoff::new(first, most);
        let mut whole = first;
        for _ in 0..12 {
            let wait = backoff.wait();
            assert!(wait >= whole / 2 && wait <= whole, "{wait:?} of {whole:?}");
            whole = (whole * 2).min(most);
        }
        assert!(backoff.wait() >= most / 2);
        backoff.reset();
        assert!(backoff.wait() <= first);
    }
}
