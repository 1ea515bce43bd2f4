//! Moments in words.

use std::time::{Duration, UNIX_EPOCH};

use broker_schemas::Timestamp;

/// A moment as users read it in a refusal, such as `2026-01-31T12:00:00Z`. Beyond the year 9999, for which there is no form, it
/// is the end of that year.
#[must_use]
pub fn moment(at: Timestamp) -> String {
    const LAST: u64 = 253_402_300_799;
    let seconds = u64::try_from(at.0 / 1_000).unwrap_or(0).min(LAST);
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
}
