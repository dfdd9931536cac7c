//! Freezes: times in which nothing may be done, each with a name and somebody who answers for it.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use super::{Window, civil};

/// A moment as it is written: an instant, or a time on the wall clock of whichever zone reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    At(Timestamp),
    Civil(DateTime),
}

impl Moment {
    fn instant(self, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::At(at) => Some(at),
            Self::Civil(civil) => civil::instant(zone, civil).ok(),
        }
    }
}

/// A freeze as it is written. Where it names no zone, its days are those of each site.
#[derive(Clone, Debug, PartialEq)]
pub struct FreezeRule {
    pub name: String,
    pub owner: String,
    pub zone: Option<TimeZone>,
    /// From each first moment up to, and without, the second.
    pub spans: Vec<(Moment, Moment)>,
}

/// A freeze of one site: the spans as instants, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freeze {
    pub name: String,
    pub owner: String,
    spans: Vec<(Timestamp, Timestamp)>,
}

/// A freeze that takes a window out, with the span that does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frozen {
    pub name: String,
    pub owner: String,
    pub from: Timestamp,
    pub to: Timestamp,
}

impl std::fmt::Display for Frozen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the freeze `{}` of `{}`, {} to {}", self.name, self.owner, self.from, self.to)
    }
}

/// Why two texts are no span.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotASpan {
    #[error(
        "`{0}` is neither a day (`2026-12-20` or `2026-12-20[Europe/Berlin]`) nor a time (`2026-12-20T18:00`, \
         `2026-12-20T18:00:00+01:00` or `2026-12-20T18:00[Europe/Berlin]`)"
    )]
    Moment(String),
    #[error("it ends before it begins")]
    Reversed,
}

/// The span from one text to another: a day as its end is frozen as a whole, a time as its end is free again.
///
/// # Errors
/// Neither day nor time; or the end is not after the begin.
pub fn span(from: &str, to: &str) -> Result<(Moment, Moment), NotASpan> {
    let (begin, end) = (moment(from, Edge::Begin)?, moment(to, Edge::End)?);
    if is_reversed(begin, end) { Err(NotASpan::Reversed) } else { Ok((begin, end)) }
}

/// Which end of a span a text stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edge {
    Begin,
    End,
}

/// True if the end is not after the begin, in whichever zone a time on the wall is read. Where that depends on the zone, the span
/// holds in those in which it is one.
fn is_reversed(begin: Moment, end: Moment) -> bool {
    let in_utc = |civil: DateTime| TimeZone::UTC.to_timestamp(civil);
    match (begin, end) {
        (Moment::At(begin), Moment::At(end)) => begin >= end,
        (Moment::Civil(begin), Moment::Civil(end)) => begin >= end,
        (Moment::At(begin), Moment::Civil(end)) => in_utc(end).is_ok_and(|end| begin.duration_since(end) >= FARTHEST),
        (Moment::Civil(begin), Moment::At(end)) => in_utc(begin).is_ok_and(|begin| begin.duration_since(end) >= FARTHEST),
    }
}

/// No wall clock is farther from UTC: Kiribati's are 14 hours before it, and none is more than 12 behind.
const FARTHEST: SignedDuration = SignedDuration::from_hours(14);

fn moment(text: &str, edge: Edge) -> Result<Moment, NotASpan> {
    let malformed = || NotASpan::Moment(text.to_owned());
    let text = text.trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(Moment::At(at));
    }
    let (civil, zone) = match text.strip_suffix(']') {
        Some(text) => text.split_once('[').map(|(civil, zone)| (civil.trim_end(), Some(zone))).ok_or_else(malformed)?,
        None => (text, None),
    };
    let civil = on_the_wall(civil, edge).ok_or_else(malformed)?;
    let Some(zone) = zone else { return Ok(Moment::Civil(civil)) };
    let zone = TimeZone::get(zone).map_err(|_| malformed())?;
    civil::instant(&zone, civil).map(Moment::At).map_err(|_| malformed())
}

/// A day's begin, or its end. The parser takes any form of a day for the midnight at its begin: as an end that would leave the last
/// day free, so what names no time of day is a day as people write it, or nothing.
fn on_the_wall(text: &str, edge: Edge) -> Option<DateTime> {
    if text.contains(['T', 't', ' ']) {
        return text.parse().ok();
    }
    let day: Date = text.parse().ok().filter(|_| text.len() == "2026-12-20".len())?;
    let day = if edge == Edge::End { day.checked_add(1.day()).ok()? } else { day };
    Some(day.into())
}

impl FreezeRule {
    /// The freeze as instants, in its own zone or else in the site's. Spans that the clocks leave nothing of are left out.
    pub fn resolve(&self, zone: &TimeZone) -> Freeze {
        let zone = self.zone.as_ref().unwrap_or(zone);
        let resolved = |(from, to): &(Moment, Moment)| Some((from.instant(zone)?, to.instant(zone)?));
        let mut spans: Vec<_> = self.spans.iter().filter_map(resolved).filter(|(from, to)| from < to).collect();
        spans.sort_unstable();
        Freeze { name: self.name.clone(), owner: self.owner.clone(), spans }
    }
}

impl Freeze {
    /// The first span that overlaps the window. One that ends in the instant in which the window begins does not.
    pub fn takes_out(&self, window: &Window) -> Option<Frozen> {
        let until = self.spans.partition_point(|(from, _)| *from < window.to);
        // Spans may overlap each other, so that an early long one outlasts later short ones.
        let (from, to) = self.spans[..until].iter().find(|(_, to)| window.from < *to)?;
        Some(Frozen { name: self.name.clone(), owner: self.owner.clone(), from: *from, to: *to })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(from: &str, to: &str) -> FreezeRule {
        FreezeRule { name: "year-end".to_owned(), owner: "owner1".to_owned(), zone: None, spans: vec![span(from, to).unwrap()] }
    }

    fn window(from: &str, to: &str) -> Window {
        Window { from: from.parse().unwrap(), to: to.parse().unwrap(), zone: None }
    }

    #[test]
    fn a_freeze_of_days_holds_its_last_day_in_the_sites_zone() {
        let freeze = rule("2026-12-20", "2027-01-02").resolve(&TimeZone::get("Europe/Berlin").unwrap());
        let cases = [
            ("2026-12-19T20:00:00Z", "2026-12-19T23:00:00Z", false),
            ("2026-12-19T20:00:00Z", "2026-12-19T23:00:01Z", true),
            ("2026-12-25T01:00:00Z", "2026-12-25T05:00:00Z", true),
            ("2026-12-01T01:00:00Z", "2027-02-01T05:00:00Z", true),
            ("2027-01-02T22:59:59Z", "2027-01-03T05:00:00Z", true),
            ("2027-01-02T23:00:00Z", "2027-01-03T05:00:00Z", false),
        ];
        for (from, to, frozen) in cases {
            assert_eq!(freeze.takes_out(&window(from, to)).is_some(), frozen, "{from} {to}");
        }
        let said = freeze.takes_out(&window("2026-12-25T01:00:00Z", "2026-12-25T05:00:00Z")).unwrap().to_string();
        assert_eq!(said, "the freeze `year-end` of `owner1`, 2026-12-19T23:00:00Z to 2027-01-02T23:00:00Z");
    }

    #[test]
    fn spans_of_every_form() {
        let cases = [
            ("2026-12-20", "2026-12-20", Some(("2026-12-20T00:00:00Z", "2026-12-21T00:00:00Z"))),
            ("2028-02-29", "2028-02-29", Some(("2028-02-29T00:00:00Z", "2028-03-01T00:00:00Z"))),
            ("2026-12-20T18:00", "2026-12-21", Some(("2026-12-20T18:00:00Z", "2026-12-22T00:00:00Z"))),
            ("2026-12-20T18:00:00+01:00", "2026-12-20T19:00:00Z", Some(("2026-12-20T17:00:00Z", "2026-12-20T19:00:00Z"))),
            ("2026-12-20T18:00[Europe/Berlin]", "2026-12-31", Some(("2026-12-20T17:00:00Z", "2027-01-01T00:00:00Z"))),
            ("2026-12-21", "2026-12-20", None),
            ("2026-12-20T18:00", "2026-12-20T18:00", None),
            ("2026-12-20T18:00Z", "2026-12-20T17:00Z", None),
            // An instant and a time on the wall: refused where no zone makes a span of them.
            ("2027-12-20T18:00[Europe/Berlin]", "2027-01-03", None),
            ("2026-12-22T14:00:00Z", "2026-12-21", None),
            ("2026-12-22T14:00:00", "2026-12-22T00:00:00Z", None),
            ("2026-12-20T18:00:00", "2026-12-20T19:00:00Z", Some(("2026-12-20T18:00:00Z", "2026-12-20T19:00:00Z"))),
            ("2026-13-20", "2026-12-20", None),
            ("christmas", "2026-12-20", None),
            ("2026-12-20T18:00[Europe/Belrin]", "2026-12-31", None),
            ("", "", None),
            // The last day is frozen, in whatever form it is written.
            ("2026-12-20", "2026-12-21 ", Some(("2026-12-20T00:00:00Z", "2026-12-22T00:00:00Z"))),
            (" 2026-12-20\t", "\t2026-12-20", Some(("2026-12-20T00:00:00Z", "2026-12-21T00:00:00Z"))),
            ("2026-12-20", "2026-12-21[Europe/Berlin]", Some(("2026-12-20T00:00:00Z", "2026-12-21T23:00:00Z"))),
            ("2026-12-20[Europe/Berlin]", "2026-12-20 [Europe/Berlin] ", Some(("2026-12-19T23:00:00Z", "2026-12-20T23:00:00Z"))),
            ("2026-12-20 18:00", "2026-12-20T20", Some(("2026-12-20T18:00:00Z", "2026-12-20T20:00:00Z"))),
            ("2026-12-20", "20261221", None),
            ("2026-12-20", "20261221[Europe/Berlin]", None),
            ("2026-12-20", "2026-12-21Z", None),
            ("2026-12-20", "2026-12-21+01:00", None),
            ("2026-12-20", "2026-12-21+01:00[Europe/Berlin]", None),
            ("2026-12-20", "2026-W52-1", None),
            ("2026-12-20", "2026-12-21T", None),
            ("2026-12-20T18:00[Europe/Berlin", "2026-12-31", None),
        ];
        for (from, to, expected) in cases {
            let Ok(span) = span(from, to) else {
                assert_eq!(expected, None, "{from} {to}");
                continue;
            };
            let rule = FreezeRule { spans: vec![span], ..rule("2026-01-01", "2026-01-01") };
            let found = rule.resolve(&TimeZone::UTC).spans;
            let expected = expected.map(|(from, to)| (from.parse().unwrap(), to.parse().unwrap()));
            assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{from} {to}");
        }
    }

    /// Five in the morning of the next day in UTC is the day before still in Los Angeles, and not in Berlin.
    #[test]
    fn a_span_that_depends_on_the_zone_is_read() {
        let rule = rule("2026-12-21T05:00:00Z", "2026-12-20");
        for (zone, spans) in [("America/Los_Angeles", 1), ("Europe/Berlin", 0)] {
            assert_eq!(rule.resolve(&TimeZone::get(zone).unwrap()).spans.len(), spans, "{zone}");
        }
    }

    #[test]
    fn an_early_long_span_outlasts_later_short_ones() {
        let spans = [("2026-12-01", "2026-12-31"), ("2026-12-05", "2026-12-05"), ("2026-12-07", "2026-12-07")];
        let spans = spans.iter().map(|(from, to)| span(from, to).unwrap()).rev().collect();
        let freeze = FreezeRule { spans, ..rule("2026-01-01", "2026-01-01") }.resolve(&TimeZone::UTC);
        assert!(freeze.takes_out(&window("2026-12-20T01:00:00Z", "2026-12-20T02:00:00Z")).is_some());
    }
}
