//! The hours of a day in which a campaign sends.

use broker_schemas::admin::Hours;
use broker_schemas::{Error, Timestamp};

use crate::Checked;

const MINUTE_MS: i64 = 60_000;
const DAY_MINUTES: u16 = 24 * 60;

/// # Errors
/// Says what is accepted.
pub(crate) fn check_hours(hours: Hours) -> Checked<()> {
    for (name, minute) in [("from_minute", hours.from_minute), ("to_minute", hours.to_minute)] {
        if minute >= DAY_MINUTES {
            return Err(Error::invalid(format!("hours.{name}: expected 0 to 1439, got {minute}")));
        }
    }
    if hours.from_minute == hours.to_minute {
        return Err(Error::invalid(
            "hours: from_minute and to_minute are the same: leave hours out for all day",
        ));
    }
    Ok(())
}

/// Whether `at` is within the hours of its day, in UTC.
pub(crate) fn includes(hours: Hours, at: Timestamp) -> bool {
    let Hours { from_minute: from, to_minute: to } = hours;
    let minute = at.0.div_euclid(MINUTE_MS).rem_euclid(i64::from(DAY_MINUTES));
    let (after_begin, before_end) = (minute >= i64::from(from), minute < i64::from(to));
    if from < to { after_begin && before_end } else { after_begin || before_end }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64, minute: i64) -> Timestamp {
        Timestamp(20_000 * 24 * 60 * MINUTE_MS + (hour * 60 + minute) * MINUTE_MS + 59_999)
    }

    #[test]
    fn hours_include_their_first_minute_and_not_their_last() {
        let day = Hours { from_minute: 9 * 60, to_minute: 17 * 60 };
        for (hour, minute, expected) in
            [(8, 59, false), (9, 0, true), (16, 59, true), (17, 0, false), (0, 0, false)]
        {
            assert_eq!(includes(day, at(hour, minute)), expected, "{hour}:{minute}");
        }
    }

    #[test]
    fn hours_over_midnight_go_on_in_the_morning() {
        let night = Hours { from_minute: 22 * 60, to_minute: 6 * 60 };
        for (hour, expected) in
            [(21, false), (22, true), (23, true), (0, true), (5, true), (6, false), (12, false)]
        {
            assert_eq!(includes(night, at(hour, 0)), expected, "{hour}");
        }
        let until_midnight = Hours { from_minute: 22 * 60, to_minute: 0 };
        assert!(includes(until_midnight, at(23, 59)) && !includes(until_midnight, at(0, 0)));
    }

    #[test]
    fn hours_that_are_none_are_refused() {
        assert!(check_hours(Hours { from_minute: 0, to_minute: 1_439 }).is_ok());
        assert!(check_hours(Hours { from_minute: 0, to_minute: 1_440 }).is_err());
        assert!(check_hours(Hours { from_minute: 60, to_minute: 60 }).is_err());
    }
}
