//! Chance, so that what many do doesn't happen at once.

use std::time::Duration;

use tokio::time::Instant;

/// A moment from now on, at random within `most`.
pub(crate) fn within(most: Duration) -> Instant {
    // Without randomness, late is better than never.
    let share = getrandom::u32().map_or(1.0, |random| f64::from(random) / f64::from(u32::MAX));
    Instant::now() + most.mul_f64(share)
}
