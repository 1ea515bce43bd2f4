//! How far from now the moments may be that staff names. What is further is a slip, and no clock shows it.

use std::time::Duration;

use broker_schemas::admin::Span;
use broker_schemas::{Error, Timestamp};

use crate::Checked;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// For what the platform says: a year.
const YEAR: Duration = DAY.saturating_mul(366);
/// For what is kept from users: a hundred years. What is to be for good is given no end.
const CENTURY: Duration = YEAR.saturating_mul(100);

/// Checks the moment at which something ends that the platform says.
///
/// # Errors
/// Says what is accepted.
pub(crate) fn check_end(field: &str, end: Timestamp, now: Timestamp) -> Checked<()> {
    if now < end && end <= now.after(YEAR) {
        Ok(())
    } else {
        Err(Error::invalid(format!("{field}: expected a moment within a year from now")))
    }
}

/// Checks the moment at which something begins, which may have passed: then it begins at once.
///
/// # Errors
/// Says what is accepted.
pub(crate) fn check_start(field: &str, start: Timestamp, now: Timestamp) -> Checked<()> {
    if (Timestamp(0)..=now.after(YEAR)).contains(&start) {
        Ok(())
    } else {
        Err(Error::invalid(format!("{field}: expected a moment from 1970 to a year from now")))
    }
}

/// Checks a time in which users did something.
///
/// # Errors
/// Says what is accepted.
pub(crate) fn check_span(field: &str, span: Span, now: Timestamp) -> Checked<()> {
    match (span.from, span.to) {
        (None, None) => {
            return Err(Error::invalid(format!(
                "{field}: expected from, to, or both; for everyone, use all"
            )));
        }
        (Some(from), Some(to)) if to <= from => {
            return Err(Error::invalid(format!("{field}.to: expected a moment after from")));
        }
        _ => {}
    }
    let check = |end: &str, at: Option<Timestamp>| {
        at.map_or(Ok(()), |at| check_start(&format!("{field}.{end}"), at, now))
    };
    check("from", span.from).and_then(|()| check("to", span.to))
}

/// Checks until when a user is kept from something.
///
/// # Errors
/// Says what is accepted.
pub(crate) fn check_kept_until(field: &str, until: Timestamp, now: Timestamp) -> Checked<()> {
    if until <= now.after(CENTURY) {
        Ok(())
    } else {
        Err(Error::invalid(format!("{field}: expected a moment within 100 years from now")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);
    const FAR: Timestamp = Timestamp(i64::MAX);

    #[test]
    fn what_is_said_ends_later_than_now_and_within_a_year() {
        assert!(check_end("until", Timestamp(1_000_001), NOW).is_ok());
        for bad in [NOW, Timestamp(0), NOW.after(YEAR + Duration::from_millis(1)), FAR] {
            let error = check_end("until", bad, NOW).unwrap_err();
            assert_eq!(error.message, "until: expected a moment within a year from now");
        }
    }

    #[test]
    fn a_start_may_have_passed_but_every_clock_shows_it() {
        for good in [Timestamp(0), NOW, NOW.after(YEAR)] {
            assert!(check_start("starts_at", good, NOW).is_ok());
        }
        for bad in [Timestamp(-1), Timestamp(i64::MIN), NOW.after(YEAR + Duration::from_millis(1)), FAR] {
            assert!(check_start("starts_at", bad, NOW).is_err(), "{bad:?}");
            let span = Span { from: None, to: Some(bad) };
            let error = check_span("segment", span, NOW).unwrap_err();
            assert!(error.message.starts_with("segment.to: expected a moment from 1970"), "{error}");
        }
    }

    #[test]
    fn nobody_is_kept_from_something_until_a_moment_that_no_clock_shows() {
        assert!(check_kept_until("until", NOW.after(CENTURY), NOW).is_ok());
        assert!(check_kept_until("until", FAR, NOW).is_err());
    }
}
