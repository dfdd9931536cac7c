//! Windows: when disruptive acts may begin, and how people write them down.
//!
//! A window is written as a start and a length (`2026-11-22T02:00[Europe/Berlin] +4h`) and kept as two instants, so that
//! nothing is left to decide once a plan is made: neither a change of the clocks nor of the zone's rules moves it later.
//! Zone names are looked up in the system's time zone database, and in the one compiled in where there is none.
//!
//! [`recurring`] windows are a rule of which each occurrence is such a window; [`freeze`] is when nothing may be done; [`choose`]
//! finds the next window that is free and long enough; [`civil`] is the one place that says what a change of the clocks means.

pub mod calendar;
pub mod choose;
pub mod civil;
mod duration;
pub mod freeze;
pub mod recurring;

use jiff::fmt::temporal::{Pieces, PiecesOffset};
use jiff::tz::{AmbiguousOffset, AmbiguousTimestamp, Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use duration::{MAX_DURATION, NotADuration, format_duration, parse_duration};

/// A window that begins in another year is a slip of the hand. Within these, sums of times with any duration of the config
/// ([`MAX_DURATION`]) stay far from the ends of the calendar.
const YEARS: std::ops::RangeInclusive<i16> = 1970..=2200;

/// When disruptive acts may begin: from `from`, and before `to`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WindowDocument")]
pub struct Window {
    pub from: Timestamp,
    pub to: Timestamp,
    /// The zone that the operator named, for display.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

impl Window {
    /// Reads a start and a length.
    ///
    /// # Shapes and units
    /// The start is RFC 3339 with offset, a civil time with its zone in brackets, or `now`; the length is elapsed time, as
    /// [`parse_duration`] reads it. A leap second (`23:59:60`) is read as the second before it.
    ///
    /// # Errors
    /// A civil time that doesn't exist or exists twice is refused with both choices, ready to be pasted.
    pub fn parse(text: &str, now: Timestamp) -> Result<Self, NotAWindow> {
        let malformed = || NotAWindow::Shape(text.to_owned());
        let text = text.trim();
        let cut = text.char_indices().zip(text.chars().skip(1)).find(|((_, c), next)| c.is_whitespace() && *next == '+');
        let ((at, space), _) = cut.ok_or_else(malformed)?;
        let (start, length) = (text[..at].trim_end(), &text[at + space.len_utf8() + 1..]);
        let length = parse_duration(length).map_err(NotAWindow::Length)?;
        let (from, zone) = match start {
            "now" => (now, None),
            start => parse_start(start)?,
        };
        let to = from.checked_add(length).map_err(|_| malformed())?;
        if !YEARS.contains(&from.to_zoned(TimeZone::UTC).year()) {
            return Err(NotAWindow::Far(text.to_owned()));
        }
        Ok(Self { from, to, zone })
    }

    /// True from the first instant of the window up to, and without, its end.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.has_begun(at) && !self.is_over(at)
    }

    /// True if something that begins at `at` and takes `expected` begins and ends inside the window (R3).
    pub fn fits(&self, at: Timestamp, expected: SignedDuration) -> bool {
        self.contains(at) && at.checked_add(expected).is_ok_and(|end| end <= self.to)
    }

    pub fn has_begun(&self, at: Timestamp) -> bool {
        self.from <= at
    }

    pub fn is_over(&self, at: Timestamp) -> bool {
        self.to <= at
    }

    pub fn length(&self) -> SignedDuration {
        self.to.duration_since(self.from)
    }
}

/// The stored form, checked when read.
#[derive(Deserialize)]
struct WindowDocument {
    from: Timestamp,
    to: Timestamp,
    #[serde(default)]
    zone: Option<String>,
}

impl TryFrom<WindowDocument> for Window {
    type Error = &'static str;

    fn try_from(document: WindowDocument) -> Result<Self, Self::Error> {
        let WindowDocument { from, to, zone } = document;
        if from < to { Ok(Self { from, to, zone }) } else { Err("a window must end after it begins") }
    }
}

/// Why a text is no window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAWindow {
    #[error("`{0}` is not a window; expected a start and a length, as in `2026-11-22T02:00[Europe/Berlin] +4h` or `now +4h`")]
    Shape(String),
    #[error("the window's length is not usable: {0}")]
    Length(NotADuration),
    #[error("`{0}` begins in a year outside 1970 to 2200; look at the year")]
    Far(String),
    #[error(
        "`{0}` is not a start; expected a time with offset (`2026-11-22T02:00:00+01:00`), or a civil time with its zone in \
         brackets (`2026-11-22T02:00[Europe/Berlin]`), or `now`"
    )]
    Start(String),
    #[error("`{0}` has neither offset nor zone; add one, as in `{0}Z` or `{0}[Europe/Berlin]`")]
    NoZone(String),
    #[error("`{0}` names a time zone that is not known; expected a name as in `Europe/Berlin`")]
    UnknownZone(String),
    #[error("`{text}` does not exist, the clocks are put forward over it; write `{earlier}` or `{later}`")]
    Gap { text: String, earlier: String, later: String },
    #[error("`{text}` exists twice, the clocks are put back over it; write `{earlier}` or `{later}`")]
    Fold { text: String, earlier: String, later: String },
    #[error("`{text}` contradicts itself: the zone's offset is {expected} then; write `{choice}` or leave the zone out")]
    Conflict { text: String, expected: String, choice: String },
}

/// Reads a moment as a window's start is written: with offset, or civil with its zone.
///
/// # Errors
/// As [`Window::parse`].
pub fn parse_moment(text: &str) -> Result<Timestamp, NotAWindow> {
    Ok(parse_start(text.trim())?.0)
}

fn parse_start(text: &str) -> Result<(Timestamp, Option<String>), NotAWindow> {
    let malformed = || NotAWindow::Start(text.to_owned());
    let pieces = Pieces::parse(text).map_err(|_| malformed())?;
    let civil = pieces.date().to_datetime(pieces.time().ok_or_else(malformed)?);
    let unknown = |_| NotAWindow::UnknownZone(text.to_owned());
    match (pieces.offset(), pieces.to_time_zone().map_err(unknown)?) {
        (None, None) => Err(NotAWindow::NoZone(text.to_owned())),
        (Some(offset), None) => Ok((numeric(offset).to_timestamp(civil).map_err(|_| malformed())?, None)),
        (None, Some(zone)) => Ok((unambiguous(text, &zone, zone.to_ambiguous_timestamp(civil))?, zone_name(&zone))),
        (Some(offset), Some(zone)) => {
            let at = numeric(offset).to_timestamp(civil).map_err(|_| malformed())?;
            agree(text, at, offset, &zone)?;
            Ok((at, zone_name(&zone)))
        }
    }
}

fn numeric(offset: PiecesOffset) -> Offset {
    match offset {
        PiecesOffset::Numeric(offset) => offset.offset(),
        // Zulu, and whatever jiff may add that has no number of its own.
        _ => Offset::UTC,
    }
}

fn zone_name(zone: &TimeZone) -> Option<String> {
    zone.iana_name().map(str::to_owned)
}

fn unambiguous(text: &str, zone: &TimeZone, found: AmbiguousTimestamp) -> Result<Timestamp, NotAWindow> {
    let malformed = |_| NotAWindow::Start(text.to_owned());
    let choice = |at: Result<Timestamp, jiff::Error>| Ok(with_offset(at.map_err(malformed)?, zone));
    let text = text.to_owned();
    match found.offset() {
        AmbiguousOffset::Unambiguous { .. } => found.unambiguous().map_err(malformed),
        AmbiguousOffset::Gap { .. } => {
            Err(NotAWindow::Gap { earlier: choice(found.earlier())?, later: choice(found.later())?, text })
        }
        AmbiguousOffset::Fold { .. } => {
            Err(NotAWindow::Fold { earlier: choice(found.earlier())?, later: choice(found.later())?, text })
        }
    }
}

/// RFC 3339 with the offset that holds in the zone at that moment, ready to be pasted.
fn with_offset(at: Timestamp, zone: &TimeZone) -> String {
    at.display_with_offset(zone.to_offset(at)).to_string()
}

fn agree(text: &str, at: Timestamp, offset: PiecesOffset, zone: &TimeZone) -> Result<(), NotAWindow> {
    let expected = zone.to_offset(at);
    match offset {
        PiecesOffset::Numeric(given) if given.offset() != expected => {
            Err(NotAWindow::Conflict { text: text.to_owned(), expected: expected.to_string(), choice: with_offset(at, zone) })
        }
        // `Z` states an instant and says nothing about the zone's own offset.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_790_000_000, 0);

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn window(text: &str) -> Window {
        Window::parse(text, NOW).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn every_form_of_the_contract_is_read() {
        let cases = [
            ("2026-11-22T02:00[Europe/Berlin] +4h", "2026-11-22T01:00:00Z", "2026-11-22T05:00:00Z", Some("Europe/Berlin")),
            ("2026-11-22 02:00:30[Europe/Berlin]  +90min", "2026-11-22T01:00:30Z", "2026-11-22T02:30:30Z", Some("Europe/Berlin")),
            ("2026-11-22T01:00:00Z +4h", "2026-11-22T01:00:00Z", "2026-11-22T05:00:00Z", None),
            ("2026-11-22T02:00:00+01:00 +1d 2h", "2026-11-22T01:00:00Z", "2026-11-23T03:00:00Z", None),
            ("2026-11-22T02:00+01:00[Europe/Berlin] +1w", "2026-11-22T01:00:00Z", "2026-11-29T01:00:00Z", Some("Europe/Berlin")),
            ("2026-11-22T01:00Z[Europe/Berlin] +1h", "2026-11-22T01:00:00Z", "2026-11-22T02:00:00Z", Some("Europe/Berlin")),
            (" now +4h ", "2026-09-21T14:13:20Z", "2026-09-21T18:13:20Z", None),
            // A leap second is the second before it.
            ("2026-12-31T23:59:60Z +1h", "2026-12-31T23:59:59Z", "2027-01-01T00:59:59Z", None),
        ];
        for (text, from, to, zone) in cases {
            let expected = Window { from: at(from), to: at(to), zone: zone.map(str::to_owned) };
            assert_eq!(window(text), expected, "{text}");
        }
    }

    #[test]
    fn the_length_is_elapsed_time_across_a_change_of_the_clocks() {
        let spring = window("2026-03-29T01:00[Europe/Berlin] +4h");
        assert_eq!((spring.from, spring.to), (at("2026-03-29T00:00:00Z"), at("2026-03-29T04:00:00Z")));
        assert_eq!(spring.length(), SignedDuration::from_hours(4));
        let day = window("2026-10-24T12:00[Europe/Berlin] +1d");
        assert_eq!(day.to, at("2026-10-25T10:00:00Z"));
    }

    #[test]
    fn a_civil_time_that_is_not_one_moment_is_refused_with_both_choices() {
        let cases = [
            (
                "2026-03-29T02:30[Europe/Berlin] +4h",
                "`2026-03-29T02:30[Europe/Berlin]` does not exist, the clocks are put forward over it; \
                 write `2026-03-29T01:30:00+01:00` or `2026-03-29T03:30:00+02:00`",
            ),
            (
                "2026-10-25T02:30[Europe/Berlin] +4h",
                "`2026-10-25T02:30[Europe/Berlin]` exists twice, the clocks are put back over it; \
                 write `2026-10-25T02:30:00+02:00` or `2026-10-25T02:30:00+01:00`",
            ),
            (
                "2026-07-01T02:30+01:00[Europe/Berlin] +4h",
                "`2026-07-01T02:30+01:00[Europe/Berlin]` contradicts itself: the zone's offset is +02 then; \
                 write `2026-07-01T03:30:00+02:00` or leave the zone out",
            ),
        ];
        for (text, message) in cases {
            assert_eq!(Window::parse(text, NOW).unwrap_err().to_string(), message);
        }
        for choice in ["2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00", "2026-10-25T02:30:00+01:00"] {
            window(&format!("{choice} +4h"));
        }
    }

    #[test]
    fn junk_is_refused() {
        let cases = [
            "",
            "now",
            "now 4h",
            "now +",
            "now +0h",
            "now +-4h",
            "now +4h ago",
            "now +4",
            "now +4 apples",
            "now +1mo",
            "now +400d",
            "now +99999999999999999999h",
            "tomorrow +4h",
            "2026-11-22 +4h",
            "2026-11-22[Europe/Berlin] +4h",
            "2026-11-22T02:00 +4h",
            "2026-11-22T02:00[Europe/Belrin] +4h",
            "2026-11-31T02:00Z +4h",
            "2026-11-22T25:00Z +4h",
            "2026-11-22T02:00 +01:00 +4h",
            "2026-11-22T02:00Z/PT4H",
            "9999-12-30T22:00:00Z +1w",
            "2926-11-22T02:00Z +4h",
            "-009999-01-03T00:00Z +4h",
            "+4h",
            "\u{2003}+4h",
        ];
        for text in cases {
            assert!(Window::parse(text, NOW).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_window_holds_its_first_instant_and_not_its_last() {
        let window = window("2026-11-22T01:00:00Z +4h");
        let cases = [
            ("2026-11-22T00:59:59Z", false, false, false),
            ("2026-11-22T01:00:00Z", true, true, false),
            ("2026-11-22T04:00:00Z", true, true, false),
            ("2026-11-22T04:00:01Z", true, false, false),
            ("2026-11-22T04:59:59Z", true, false, false),
            ("2026-11-22T05:00:00Z", false, false, true),
        ];
        for (moment, contains, fits, over) in cases {
            let found =
                (window.contains(at(moment)), window.fits(at(moment), SignedDuration::from_hours(1)), window.is_over(at(moment)));
            assert_eq!(found, (contains, fits, over), "{moment}");
        }
        assert!(!window.fits(window.from, SignedDuration::MAX));
    }

    #[test]
    fn json_is_utc_and_checked() {
        let text = serde_json::to_string(&window("2026-11-22T02:00:00+01:00 +4h")).unwrap();
        assert_eq!(text, r#"{"from":"2026-11-22T01:00:00Z","to":"2026-11-22T05:00:00Z"}"#);
        let named = window("2026-11-22T02:00[Europe/Berlin] +4h");
        let text = serde_json::to_string(&named).unwrap();
        assert!(text.ends_with(r#","zone":"Europe/Berlin"}"#), "{text}");
        assert_eq!(serde_json::from_str::<Window>(&text).unwrap(), named);
        let reversed = r#"{"from":"2026-11-22T05:00:00Z","to":"2026-11-22T01:00:00Z"}"#;
        assert!(serde_json::from_str::<Window>(reversed).is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,60}", start in "[0-9TZ:+\\-\\[\\]/A-Za-z ]{0,40}", length in "[0-9a-z. \\-]{0,12}") {
            let _ = Window::parse(&text, NOW);
            let _ = Window::parse(&format!("{start} +{length}"), NOW);
        }

        #[test]
        fn what_is_read_contains_its_start(hours in 0_i64..200_000, minutes in 1_i64..10_000) {
            let from = NOW + SignedDuration::from_hours(hours);
            let read = window(&format!("{from} +{minutes}min"));
            prop_assert!(read.contains(read.from) && !read.contains(read.to));
            prop_assert_eq!(read.length(), SignedDuration::from_mins(minutes));
        }
    }
}
