//! Moments and lengths of time, as people type and read them.

use broker_schemas::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Zoned};

/// Which way a length of time is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Towards {
    Future,
    Past,
}

/// A moment to come: `7d` is in a week.
///
/// # Errors
/// Says what is accepted instead.
pub(super) fn ahead(text: &str) -> Result<Timestamp, String> {
    read(text, Towards::Future, &Zoned::now())
}

/// A moment that has passed: `7d` was a week ago.
///
/// # Errors
/// Says what is accepted instead.
pub(super) fn back(text: &str) -> Result<Timestamp, String> {
    read(text, Towards::Past, &Zoned::now())
}

fn read(text: &str, towards: Towards, now: &Zoned) -> Result<Timestamp, String> {
    let text = text.trim();
    let moment = |at: jiff::Timestamp| Timestamp(at.as_millisecond());
    let local = |at: DateTime| at.to_zoned(now.time_zone().clone()).map(|at| moment(at.timestamp())).ok();
    // A date has no unit, and a length of time has one.
    let is_length =
        text.starts_with(|c: char| c.is_ascii_digit()) && text.ends_with(|c: char| c.is_ascii_lowercase());
    let found = if is_length {
        let length: Option<Span> = text.parse().ok();
        let at = length.and_then(|length| match towards {
            Towards::Future => now.checked_add(length).ok(),
            Towards::Past => now.checked_sub(length).ok(),
        });
        at.map(|at| moment(at.timestamp()))
    } else if let Ok(at) = text.parse::<jiff::Timestamp>() {
        Some(moment(at))
    } else if let Ok(at) = text.parse::<DateTime>() {
        local(at)
    } else {
        text.parse::<Date>().ok().and_then(|day| local(day.at(0, 0, 0, 0)))
    };
    found.ok_or_else(|| {
        "expected a length of time (90m, 2h, 7d), a date and time of this machine (2026-12-01, '2026-12-01 18:00'), or one with its \
         zone (2026-12-01T18:00:00Z)"
            .to_owned()
    })
}

/// The hours of a day, `09:00-17:00`, in UTC.
///
/// # Errors
/// Says what is accepted instead.
pub(super) fn hours(text: &str) -> Result<broker_schemas::admin::Hours, String> {
    let minute = |time: &str| {
        let (hour, minute) = time.trim().split_once(':')?;
        let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
        (hour < 24 && minute < 60).then_some(hour * 60 + minute)
    };
    let (from, to) = text.split_once('-').ok_or(HOURS)?;
    let (from_minute, to_minute) = (minute(from).ok_or(HOURS)?, minute(to).ok_or(HOURS)?);
    Ok(broker_schemas::admin::Hours { from_minute, to_minute })
}

const HOURS: &str = "expected hours of a day in UTC, such as 09:00-17:00";

/// A moment, on the clock of this machine, to the second.
pub(super) fn shown(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default().to_zoned(TimeZone::system());
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A length of time in at most two units: `3d 4h`, `12m 5s`.
pub(super) fn length(seconds: u64) -> String {
    let units = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
    let first = units.iter().position(|(_, size)| seconds >= *size).unwrap_or(3);
    let mut left = seconds;
    let mut parts = Vec::new();
    for (unit, size) in units.iter().skip(first).take(2) {
        let count = left / size;
        left %= size;
        if count > 0 || parts.is_empty() {
            parts.push(format!("{count}{unit}"));
        }
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_noon() -> Zoned {
        "2026-11-22T12:00:00+01:00[Europe/Berlin]"
            .parse()
            .or_else(|_| "2026-11-22T12:00:00+01:00[+01:00]".parse())
            .unwrap()
    }

    fn ms(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    #[test]
    fn a_length_counts_from_now_in_the_direction_that_makes_sense() {
        let now = at_noon();
        for (text, ahead, back) in [
            ("90m", "2026-11-22T12:30:00Z", "2026-11-22T09:30:00Z"),
            ("2h", "2026-11-22T13:00:00Z", "2026-11-22T09:00:00Z"),
            ("7d", "2026-11-29T11:00:00Z", "2026-11-15T11:00:00Z"),
            ("1h30m", "2026-11-22T12:30:00Z", "2026-11-22T09:30:00Z"),
        ] {
            assert_eq!(read(text, Towards::Future, &now), Ok(ms(ahead)), "{text}");
            assert_eq!(read(text, Towards::Past, &now), Ok(ms(back)), "{text}");
        }
    }

    #[test]
    fn a_date_is_one_of_this_machine_unless_it_names_its_zone() {
        let now = at_noon();
        for (text, expected) in [
            ("2026-12-01", "2026-11-30T23:00:00Z"),
            ("2026-12-01 18:00", "2026-12-01T17:00:00Z"),
            ("2026-12-01T18:00:00", "2026-12-01T17:00:00Z"),
            ("2026-12-01T18:00:00Z", "2026-12-01T18:00:00Z"),
            ("2026-12-01T18:00:00-05:00", "2026-12-01T23:00:00Z"),
        ] {
            assert_eq!(read(text, Towards::Future, &now), Ok(ms(expected)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_forms_that_are_accepted() {
        for bad in ["", "soon", "7", "7 parsecs", "-2h", "2026-13-01", "18:00", "99999999d"] {
            assert!(read(bad, Towards::Future, &at_noon()).unwrap_err().contains("90m, 2h, 7d"), "{bad}");
        }
    }

    #[test]
    fn hours_are_minutes_of_a_day_and_may_go_over_midnight() {
        let hours_of = |text| hours(text).map(|hours| (hours.from_minute, hours.to_minute));
        assert_eq!(hours_of("09:00-17:30"), Ok((540, 1050)));
        assert_eq!(hours_of("22:00 - 6:00"), Ok((1320, 360)));
        for bad in ["", "9-17", "09:00", "24:00-01:00", "09:60-10:00", "-1:00-02:00"] {
            assert!(hours(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_length_has_two_units_at_most() {
        for (seconds, expected) in
            [(0, "0s"), (59, "59s"), (60, "1m"), (3_725, "1h 2m"), (86_400 * 3 + 3_600 * 4, "3d 4h")]
        {
            assert_eq!(length(seconds), expected);
        }
    }
}
