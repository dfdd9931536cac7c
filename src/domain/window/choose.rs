//! Which window is meant where a person writes `next`: the first of the site's that is free and long enough.

use jiff::{SignedDuration, Timestamp};

use super::calendar::{Calendar, Usual};
use super::freeze::Frozen;
use super::{NotAWindow, Window, format_duration};

/// A window as a person asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    Fixed(Window),
    /// `next`, or `next NAME`.
    Next(Option<String>),
}

impl Wanted {
    /// Reads `next`, `next NAME`, or what [`Window::parse`] reads.
    ///
    /// # Errors
    /// As [`Window::parse`].
    pub fn parse(text: &str, now: Timestamp) -> Result<Self, NotAWindow> {
        let trimmed = text.trim();
        match trimmed.split_once(char::is_whitespace) {
            _ if trimmed == "next" => Ok(Self::Next(None)),
            Some(("next", name)) => Ok(Self::Next(Some(name.trim().to_owned()))),
            _ => Window::parse(text, now).map(Self::Fixed),
        }
    }
}

/// What a part of a plan asks of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// Its steps begin no earlier than this.
    pub earliest: Timestamp,
    /// By the estimates, from its first step's begin.
    pub length: SignedDuration,
}

/// Why no window is chosen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoneFree {
    #[error("the site has no usual window; `[windows]` in its file may have `fixed` and `[[windows.recurring]]`")]
    NoWindows,
    #[error("no recurring window of the site is called `{name}`; there are {known}")]
    UnknownName { name: String, known: String },
    #[error(
        "none of the next {} windows is free from {} on and {} long{}", .seen, .need.earliest, format_duration(.need.length), but(.frozen)
    )]
    AllTaken { seen: usize, need: Need, frozen: Option<Frozen> },
}

fn but(frozen: &Option<Frozen>) -> String {
    frozen.as_ref().map(|frozen| format!("; the first that is long enough lies in {frozen}")).unwrap_or_default()
}

/// The first window of the calendar that is outside every freeze and in which a part of a plan fits.
///
/// # Errors
/// There is none within a year and a day, or no window bears the name.
pub fn next(calendar: &Calendar, name: Option<&str>, now: Timestamp, need: Need) -> Result<Window, NoneFree> {
    if let Some(name) = name.filter(|name| !calendar.names().any(|known| known == *name)) {
        let known = calendar.names().map(|known| format!("`{known}`")).collect::<Vec<_>>();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return Err(NoneFree::UnknownName { name: name.to_owned(), known });
    }
    let usual = calendar.upcoming(now, name);
    if usual.is_empty() {
        return Err(NoneFree::NoWindows);
    }
    let seen = usual.len();
    let (free, frozen): (Vec<Usual>, Vec<Usual>) =
        usual.into_iter().filter(|usual| fits(&usual.window, need)).partition(|usual| usual.frozen.is_none());
    let taken = || NoneFree::AllTaken { seen, need, frozen: frozen.into_iter().next().and_then(|usual| usual.frozen) };
    free.into_iter().next().map(|usual| usual.window).ok_or_else(taken)
}

/// Whether a part that takes so long fits, begun at the window's begin or at the earliest moment after it.
pub fn fits(window: &Window, need: Need) -> bool {
    let begin = window.from.max(need.earliest);
    !window.is_over(begin) && begin.checked_add(need.length).is_ok_and(|end| end <= window.to)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::civil::{Weekday, time};
    use jiff::tz::TimeZone;

    use super::super::freeze::{FreezeRule, span};
    use super::super::recurring::{Days, Recurring};
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn calendar(freezes: &[(&str, &str)]) -> Calendar {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let weekly = |name: &str, day, from, to| Recurring {
            name: name.to_owned(),
            on: vec![Days::Weekly(day)],
            from: time(from, 0, 0, 0),
            to: time(to, 0, 0, 0),
            zone: zone.clone(),
        };
        let freeze = |(from, to): &(&str, &str)| {
            let spans = vec![span(from, to).unwrap()];
            Arc::new(FreezeRule { name: "audit".to_owned(), owner: "owner1".to_owned(), zone: None, spans }.resolve(&zone))
        };
        Calendar {
            recurring: vec![weekly("sundays", Weekday::Sunday, 2, 6), weekly("wednesdays", Weekday::Wednesday, 2, 4)],
            fixed: vec![Window::parse("2026-11-28T00:00:00Z +8h", Timestamp::UNIX_EPOCH).unwrap()],
            freezes: freezes.iter().map(freeze).collect(),
            zone: zone.clone(),
        }
    }

    #[test]
    fn texts() {
        let now = at("2026-11-16T00:00:00Z");
        assert_eq!(Wanted::parse(" next ", now), Ok(Wanted::Next(None)));
        assert_eq!(Wanted::parse("next  sundays", now), Ok(Wanted::Next(Some("sundays".to_owned()))));
        assert!(matches!(Wanted::parse("now +4h", now), Ok(Wanted::Fixed(_))));
        assert!(Wanted::parse("nextsundays", now).is_err());
    }

    /// Every reason to pass a window over, alone.
    #[test]
    fn the_first_that_is_free_and_long_enough() {
        let hours = SignedDuration::from_hours;
        let cases: [(Option<&str>, &str, i64, &[(&str, &str)], &str); 8] = [
            (None, "2026-11-16T00:00:00Z", 1, &[], "2026-11-18T01:00:00Z"),
            // The Wednesday is too short.
            (None, "2026-11-16T00:00:00Z", 3, &[], "2026-11-22T01:00:00Z"),
            (Some("sundays"), "2026-11-16T00:00:00Z", 1, &[], "2026-11-22T01:00:00Z"),
            (None, "2026-11-16T00:00:00Z", 6, &[], "2026-11-28T00:00:00Z"),
            // Begun already: what is left of it counts.
            (None, "2026-11-18T01:59:59Z", 1, &[], "2026-11-18T01:00:00Z"),
            (None, "2026-11-18T02:00:01Z", 1, &[], "2026-11-22T01:00:00Z"),
            (None, "2026-11-16T00:00:00Z", 1, &[("2026-11-18", "2026-11-22")], "2026-11-25T01:00:00Z"),
            (
                Some("wednesdays"),
                "2026-11-16T00:00:00Z",
                2,
                &[("2026-11-18T01:59:59Z", "2026-11-25T00:59:59Z")],
                "2026-11-25T01:00:00Z",
            ),
        ];
        for (name, earliest, length, freezes, expected) in cases {
            let need = Need { earliest: at(earliest), length: hours(length) };
            let found = next(&calendar(freezes), name, at("2026-11-16T00:00:00Z"), need).unwrap();
            assert_eq!(found.from, at(expected), "{name:?} {earliest} {length} {freezes:?}");
        }
    }

    #[test]
    fn why_there_is_none() {
        let now = at("2026-11-16T00:00:00Z");
        let need = Need { earliest: now, length: SignedDuration::from_hours(4) };
        let refused = |calendar: &Calendar, name| next(calendar, name, now, need).unwrap_err().to_string();
        assert!(refused(&Calendar::default(), None).starts_with("the site has no usual window"));
        let unknown = refused(&calendar(&[]), Some("mondays"));
        assert_eq!(unknown, "no recurring window of the site is called `mondays`; there are `sundays`, `wednesdays`");
        let taken = refused(&calendar(&[("2026-01-01", "2028-01-01")]), None);
        assert!(taken.ends_with("4h long; the first that is long enough lies in the freeze `audit` of `owner1`, 2025-12-31T23:00:00Z to 2028-01-01T23:00:00Z"), "{taken}");
        let long = Need { length: SignedDuration::from_hours(9), ..need };
        let short = next(&calendar(&[]), None, now, long).unwrap_err().to_string();
        assert_eq!(short, "none of the next 107 windows is free from 2026-11-16T00:00:00Z on and 9h long");
    }
}
