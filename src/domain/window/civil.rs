//! Wall clocks: the one instant that a civil time means, and what a change of the clocks does to a window.
//!
//! A rule that stands for years (a recurring window, a day of a freeze) can't be refused because on one night its time does not
//! exist or exists twice. So both have one meaning: a time that the clocks are put forward over is the instant at which they are
//! put forward; of a time that exists twice it is the first. A window that a person writes for one night is refused instead, with
//! both choices ([`super::Window::parse`]).

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::{Window, format_duration};

/// The instant that a time on the wall clock means.
///
/// # Errors
/// Only at the ends of the calendar (the years -9999 and 9999).
pub fn instant(zone: &TimeZone, civil: DateTime) -> Result<Timestamp, jiff::Error> {
    let found = zone.to_ambiguous_timestamp(civil);
    match found.offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(civil),
        AmbiguousOffset::Fold { before, .. } => before.to_timestamp(civil),
        // With the offset that holds after the change, the time is before it: the next change is this one.
        AmbiguousOffset::Gap { before, after } => {
            let earlier = after.to_timestamp(civil)?;
            zone.following(earlier).next().map_or_else(|| before.to_timestamp(civil), |change| Ok(change.timestamp()))
        }
    }
}

/// The first instant of a civil day.
///
/// # Errors
/// As [`instant`].
pub fn day(zone: &TimeZone, date: Date) -> Result<Timestamp, jiff::Error> {
    instant(zone, date.to_datetime(jiff::civil::Time::midnight()))
}

/// How much longer a window is than its two ends on the wall say; less than zero where it is shorter.
pub fn gain(window: &Window, zone: &TimeZone) -> SignedDuration {
    let seconds = zone.to_offset(window.from).seconds() - zone.to_offset(window.to).seconds();
    SignedDuration::from_secs(i64::from(seconds))
}

/// What the clocks do to a window, for people: nothing, or that it is shorter or longer by `gained` than it looks on the wall.
pub fn flags(window: &Window, zone: &TimeZone, gained: SignedDuration) -> Vec<String> {
    let name = zone.iana_name().unwrap_or("the zone");
    let (by, long) = (format_duration(gained.abs()), format_duration(window.length()));
    match gained.signum() {
        0 => Vec::new(),
        1 => vec![format!("gains {by}: the clocks of {name} go back within it, and it is {long} long")],
        _ => vec![format!("loses {by}: the clocks of {name} go forward within it, and it is {long} long")],
    }
}

/// The zone's name as it is written; `UTC` for what has none.
pub fn name(zone: &TimeZone) -> String {
    zone.iana_name().unwrap_or("UTC").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_gap_is_its_instant_and_a_fold_is_its_first() {
        let cases = [
            ("Europe/Berlin", "2026-03-29T01:59:59", "2026-03-29T00:59:59Z"),
            ("Europe/Berlin", "2026-03-29T02:00", "2026-03-29T01:00:00Z"),
            ("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T01:00:00Z"),
            ("Europe/Berlin", "2026-03-29T02:59:59", "2026-03-29T01:00:00Z"),
            ("Europe/Berlin", "2026-03-29T03:00", "2026-03-29T01:00:00Z"),
            ("Europe/Berlin", "2026-10-25T01:59:59", "2026-10-24T23:59:59Z"),
            ("Europe/Berlin", "2026-10-25T02:00", "2026-10-25T00:00:00Z"),
            ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30:00Z"),
            ("Europe/Berlin", "2026-10-25T03:00", "2026-10-25T02:00:00Z"),
            ("America/New_York", "2026-03-08T02:30", "2026-03-08T07:00:00Z"),
            ("America/New_York", "2026-11-01T01:30", "2026-11-01T05:30:00Z"),
            // Half an hour.
            ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:30:00Z"),
            ("Australia/Lord_Howe", "2026-10-04T02:30", "2026-10-03T15:30:00Z"),
            ("Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-04T14:45:00Z"),
            ("Australia/Lord_Howe", "2026-04-05T02:00", "2026-04-04T15:30:00Z"),
            // A whole day that never was: the clocks were put over the date line.
            ("Pacific/Apia", "2011-12-30T12:00", "2011-12-30T10:00:00Z"),
            ("UTC", "2028-02-29T23:59:59", "2028-02-29T23:59:59Z"),
        ];
        for (zone, civil, expected) in cases {
            let zone = TimeZone::get(zone).unwrap();
            assert_eq!(instant(&zone, civil.parse().unwrap()).unwrap(), at(expected), "{zone:?} {civil}");
        }
    }

    #[test]
    fn a_day_begins_at_its_first_instant() {
        let cairo = TimeZone::get("Africa/Cairo").unwrap();
        // At midnight the clocks go forward to one.
        assert_eq!(day(&cairo, "2026-04-24".parse().unwrap()).unwrap(), at("2026-04-23T22:00:00Z"));
        assert_eq!(day(&TimeZone::UTC, "2026-12-31".parse().unwrap()).unwrap(), at("2026-12-31T00:00:00Z"));
    }

    #[test]
    fn a_window_that_the_clocks_change_in_is_flagged() {
        let cases = [
            (
                "Europe/Berlin",
                "2026-03-29T00:00:00Z",
                "2026-03-29T03:00:00Z",
                Some("loses 1h: the clocks of Europe/Berlin go forward within it, and it is 3h long"),
            ),
            (
                "Europe/Berlin",
                "2026-10-24T23:00:00Z",
                "2026-10-25T04:00:00Z",
                Some("gains 1h: the clocks of Europe/Berlin go back within it, and it is 5h long"),
            ),
            (
                "Australia/Lord_Howe",
                "2026-10-03T15:00:00Z",
                "2026-10-03T17:00:00Z",
                Some("loses 30m: the clocks of Australia/Lord_Howe go forward within it, and it is 2h long"),
            ),
            // Which begins or ends in the very instant of the change holds it or does not.
            ("Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-29T03:00:00Z", None),
            ("Europe/Berlin", "2026-03-28T23:00:00Z", "2026-03-29T00:59:59Z", None),
            ("UTC", "2026-03-29T00:00:00Z", "2026-03-29T03:00:00Z", None),
        ];
        for (zone, from, to, expected) in cases {
            let window = Window { from: at(from), to: at(to), zone: None };
            let zone = TimeZone::get(zone).unwrap();
            let found = flags(&window, &zone, gain(&window, &zone));
            assert_eq!(found.first().map(String::as_str), expected, "{zone:?} {from}");
        }
    }
}
