//! The hours of a day in which a campaign sends.

use broker_schemas::Error;
use broker_schemas::admin::Hours;

use crate::Checked;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_that_are_none_are_refused() {
        assert!(check_hours(Hours { from_minute: 0, to_minute: 1_439 }).is_ok());
        assert!(check_hours(Hours { from_minute: 0, to_minute: 1_440 }).is_err());
        assert!(check_hours(Hours { from_minute: 60, to_minute: 60 }).is_err());
    }
}
