//! Recurring windows: on which days, from when to when on the wall clock of a zone.
//!
//! Both ends are civil times, so that the window opens at the same time on the wall all year. What that means on a night on which
//! the clocks change is [`super::civil`]'s: such an occurrence is shorter or longer than the others, and flagged.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use super::{Window, civil};

/// How far ahead occurrences are looked for: a year and a day, so that every yearly pattern that is not the 29th of February comes
/// up.
pub const HORIZON_DAYS: i32 = 366;

/// A window that comes again.
#[derive(Clone, Debug, PartialEq)]
pub struct Recurring {
    /// What people call it: `next NAME`.
    pub name: String,
    /// Any of these.
    pub on: Vec<Days>,
    pub from: Time,
    /// Not after `from`: of the next day.
    pub to: Time,
    pub zone: TimeZone,
}

/// On which days a window opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Days {
    Daily,
    Weekly(Weekday),
    /// The first to fourth of its kind in a month; -1: the last.
    Nth(i8, Weekday),
    /// A day of the month; months that don't have it are left out.
    OfMonth(i8),
    LastOfMonth,
}

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

const PLACES: [(&str, i8); 5] = [("first", 1), ("second", 2), ("third", 3), ("fourth", 4), ("last", -1)];

/// A text is no day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a day; expected `daily`, a weekday (`sunday`), its place in the month (`first sunday` to `fourth sunday`, `last sunday`), \
     or a day of the month (`1` to `31`, `last`)"
)]
pub struct NotADay(pub String);

impl std::str::FromStr for Days {
    type Err = NotADay;

    fn from_str(text: &str) -> Result<Self, NotADay> {
        let word = text.trim().to_ascii_lowercase();
        let weekday = |name: &str| WEEKDAYS.iter().find(|(known, _)| *known == name).map(|(_, day)| *day);
        let found = match word.as_str() {
            "daily" => Some(Self::Daily),
            "last" => Some(Self::LastOfMonth),
            word => match word.split_once(' ') {
                Some((place, name)) => {
                    let place = PLACES.iter().find(|(known, _)| *known == place).map(|(_, nth)| *nth);
                    place.zip(weekday(name.trim())).map(|(nth, day)| Self::Nth(nth, day))
                }
                None => weekday(word).map(Self::Weekly).or_else(|| of_month(word)),
            },
        };
        found.ok_or_else(|| NotADay(text.to_owned()))
    }
}

fn of_month(word: &str) -> Option<Days> {
    let day: i8 = word.parse().ok()?;
    (1..=31).contains(&day).then_some(Days::OfMonth(day))
}

impl Days {
    pub fn hold(self, date: Date) -> bool {
        match self {
            Self::Daily => true,
            Self::Weekly(day) => date.weekday() == day,
            Self::Nth(nth, day) => date.nth_weekday_of_month(nth, day).is_ok_and(|found| found == date),
            Self::OfMonth(day) => date.day() == day,
            Self::LastOfMonth => date == date.last_of_month(),
        }
    }
}

impl Recurring {
    /// The window that opens on this day, if one does. One that the clocks are put forward over as a whole does not take place.
    pub fn on(&self, date: Date) -> Option<Window> {
        if !self.on.iter().any(|days| days.hold(date)) {
            return None;
        }
        let (from, to) = self.on_the_wall(date)?;
        let (from, to) = (civil::instant(&self.zone, from).ok()?, civil::instant(&self.zone, to).ok()?);
        (from < to).then(|| Window { from, to, zone: Some(civil::name(&self.zone)) })
    }

    fn on_the_wall(&self, date: Date) -> Option<(DateTime, DateTime)> {
        let last = if self.to <= self.from { date.tomorrow().ok()? } else { date };
        Some((date.to_datetime(self.from), last.to_datetime(self.to)))
    }

    /// How much longer the window is than this rule says, less than zero where it is shorter; `None` if it is none of this rule's.
    ///
    /// The instants alone don't tell: a begin that the clocks are put forward over is after the change already.
    pub fn gain(&self, window: &Window) -> Option<SignedDuration> {
        let date = self.zone.to_datetime(window.from).date();
        // A begin late at night that the clocks are put forward over is on the next day.
        let of_rule = |date: &Date| self.on(*date).is_some_and(|own| (own.from, own.to) == (window.from, window.to));
        let date = [date].into_iter().chain(date.yesterday().ok()).find(of_rule)?;
        let (from, to) = self.on_the_wall(date)?;
        Some(window.length() - to.duration_since(from))
    }

    /// The occurrences that are not over at `now`, in order, for [`HORIZON_DAYS`].
    pub fn upcoming(&self, now: Timestamp) -> impl Iterator<Item = Window> + '_ {
        let today = self.zone.to_datetime(now).date();
        // One that opened yesterday may be open still; on the longest day it lasts 25 hours.
        let dates = (-2..=HORIZON_DAYS).map_while(move |days| today.checked_add(days.days()).ok());
        dates.filter_map(|date| self.on(date)).filter(move |window| !window.is_over(now))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn recurring(on: &[&str], from: &str, to: &str, zone: &str) -> Recurring {
        Recurring {
            name: "usual".to_owned(),
            on: on.iter().map(|days| days.parse().unwrap()).collect(),
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            zone: TimeZone::get(zone).unwrap(),
        }
    }

    fn first(rule: &Recurring, now: &str, count: usize) -> Vec<String> {
        let shown = |window: Window| format!("{} {}", window.from, window.to);
        rule.upcoming(now.parse().unwrap()).take(count).map(shown).collect()
    }

    #[test]
    fn days_are_read() {
        let cases = [
            ("daily", Days::Daily),
            ("Sunday", Days::Weekly(Weekday::Sunday)),
            ("first sunday", Days::Nth(1, Weekday::Sunday)),
            ("last friday", Days::Nth(-1, Weekday::Friday)),
            ("1", Days::OfMonth(1)),
            ("31", Days::OfMonth(31)),
            ("last", Days::LastOfMonth),
        ];
        for (text, days) in cases {
            assert_eq!(text.parse(), Ok(days), "{text}");
        }
        for text in
            ["", "0", "32", "-1", "sun", "fifth sunday", "first", "first 3", "last last", "weekly", "1.5", "sunday monday"]
        {
            assert!(text.parse::<Days>().is_err(), "{text}");
        }
    }

    #[test]
    fn occurrences_of_every_kind() {
        type Case = (&'static [&'static str], &'static str, &'static str, &'static str, [&'static str; 2]);
        let cases: [Case; 7] = [
            (
                &["sunday"],
                "02:00",
                "06:00",
                "2026-11-16T00:00:00Z",
                ["2026-11-22T01:00:00Z 2026-11-22T05:00:00Z", "2026-11-29T01:00:00Z 2026-11-29T05:00:00Z"],
            ),
            (
                &["saturday", "sunday"],
                "22:00",
                "02:00",
                "2026-11-16T01:00:00Z",
                ["2026-11-21T21:00:00Z 2026-11-22T01:00:00Z", "2026-11-22T21:00:00Z 2026-11-23T01:00:00Z"],
            ),
            (
                &["first sunday"],
                "02:00",
                "06:00",
                "2026-11-16T00:00:00Z",
                ["2026-12-06T01:00:00Z 2026-12-06T05:00:00Z", "2027-01-03T01:00:00Z 2027-01-03T05:00:00Z"],
            ),
            (
                &["last"],
                "23:00",
                "23:00",
                "2026-12-15T00:00:00Z",
                ["2026-12-31T22:00:00Z 2027-01-01T22:00:00Z", "2027-01-31T22:00:00Z 2027-02-01T22:00:00Z"],
            ),
            // Months without a 30th are left out.
            (
                &["30"],
                "02:00",
                "03:00",
                "2027-01-31T00:00:00Z",
                ["2027-03-30T00:00:00Z 2027-03-30T01:00:00Z", "2027-04-30T00:00:00Z 2027-04-30T01:00:00Z"],
            ),
            (
                &["29"],
                "02:00",
                "03:00",
                "2028-02-01T00:00:00Z",
                ["2028-02-29T01:00:00Z 2028-02-29T02:00:00Z", "2028-03-29T00:00:00Z 2028-03-29T01:00:00Z"],
            ),
            // Open already, since yesterday.
            (
                &["daily"],
                "22:00",
                "02:00",
                "2026-11-16T00:30:00Z",
                ["2026-11-15T21:00:00Z 2026-11-16T01:00:00Z", "2026-11-16T21:00:00Z 2026-11-17T01:00:00Z"],
            ),
        ];
        for (on, from, to, now, expected) in cases {
            assert_eq!(first(&recurring(on, from, to, "Europe/Berlin"), now, 2), expected, "{on:?} {from} {to} {now}");
        }
    }

    /// On every night on which the clocks change, in three zones, begin and end before, in and after the change; and by how many
    /// minutes the window is longer.
    #[test]
    fn the_clocks_change() {
        let cases = [
            ("Europe/Berlin", "2026-03-29", "01:00", "05:00", "2026-03-29T00:00:00Z 2026-03-29T03:00:00Z", -60),
            ("Europe/Berlin", "2026-03-29", "02:30", "05:00", "2026-03-29T01:00:00Z 2026-03-29T03:00:00Z", -30),
            ("Europe/Berlin", "2026-03-29", "01:00", "02:30", "2026-03-29T00:00:00Z 2026-03-29T01:00:00Z", -30),
            ("Europe/Berlin", "2026-10-25", "01:00", "05:00", "2026-10-24T23:00:00Z 2026-10-25T04:00:00Z", 60),
            ("Europe/Berlin", "2026-10-25", "02:30", "05:00", "2026-10-25T00:30:00Z 2026-10-25T04:00:00Z", 60),
            ("Europe/Berlin", "2026-10-25", "01:00", "02:30", "2026-10-24T23:00:00Z 2026-10-25T00:30:00Z", 0),
            ("Europe/Berlin", "2026-10-25", "02:15", "02:45", "2026-10-25T00:15:00Z 2026-10-25T00:45:00Z", 0),
            ("America/New_York", "2026-03-08", "02:00", "06:00", "2026-03-08T07:00:00Z 2026-03-08T10:00:00Z", -60),
            ("America/New_York", "2026-03-08", "01:00", "05:00", "2026-03-08T06:00:00Z 2026-03-08T09:00:00Z", -60),
            ("America/New_York", "2026-11-01", "01:00", "05:00", "2026-11-01T05:00:00Z 2026-11-01T10:00:00Z", 60),
            ("Australia/Lord_Howe", "2026-10-04", "01:00", "05:00", "2026-10-03T14:30:00Z 2026-10-03T18:00:00Z", -30),
            ("Australia/Lord_Howe", "2026-04-05", "01:00", "05:00", "2026-04-04T14:00:00Z 2026-04-04T18:30:00Z", 30),
        ];
        for (zone, date, from, to, expected, gained) in cases {
            let rule = recurring(&["daily"], from, to, zone);
            let window = rule.on(date.parse().unwrap()).unwrap();
            assert_eq!(format!("{} {}", window.from, window.to), expected, "{zone} {date} {from}");
            assert_eq!(rule.gain(&window), Some(SignedDuration::from_mins(gained)), "{zone} {date} {from}");
            let other = Window { to: window.to + SignedDuration::from_secs(1), ..window };
            assert_eq!(rule.gain(&other), None, "{zone} {date} {from}");
        }
    }

    #[test]
    fn a_window_that_the_clocks_jump_over_does_not_take_place() {
        let rule = recurring(&["daily"], "02:00", "03:00", "Europe/Berlin");
        assert_eq!(rule.on("2026-03-29".parse().unwrap()), None);
        let next = first(&rule, "2026-03-28T12:00:00Z", 1);
        assert_eq!(next, ["2026-03-30T00:00:00Z 2026-03-30T01:00:00Z"]);
    }

    proptest! {
        #[test]
        fn no_day_panics(text in "\\PC{0,20}") {
            let _ = text.parse::<Days>();
        }

        #[test]
        fn occurrences_follow_each_other(second in -60_000_000_000_i64..200_000_000_000, from in 0_i8..24, to in 0_i8..24) {
            let now = Timestamp::from_second(second).unwrap();
            let zone = TimeZone::get("Australia/Lord_Howe").unwrap();
            let rule = Recurring { name: String::new(), on: vec![Days::Daily], from: Time::constant(from, 15, 0, 0), to: Time::constant(to, 45, 0, 0), zone };
            let mut last = None;
            for window in rule.upcoming(now).take(5) {
                prop_assert!(window.from < window.to && !window.is_over(now) && last.is_none_or(|last| last < window.from));
                last = Some(window.from);
            }
        }
    }
}
