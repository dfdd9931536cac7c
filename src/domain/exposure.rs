//! Time without failover, summed: by site, by month, over runs.
//!
//! From each run's fold alone: from the break until failover was proven again, or until now. A month is a calendar month in UTC,
//! and a span over its end is split there.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};

use super::ids::RunId;
use super::run::Run;

/// Everything that is known of a daemon's sites.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exposure {
    pub sites: Vec<SiteExposure>,
    pub seconds: i64,
    /// Runs that are not in the sums, since this build can't fold their journals.
    #[serde(default)]
    pub untouched: Vec<RunId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteExposure {
    pub site: String,
    pub months: Vec<Month>,
    pub seconds: i64,
}

/// What fell into one month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Month {
    /// `2026-11`, in UTC.
    pub month: String,
    pub seconds: i64,
    /// Runs with a part of their time in this month.
    pub runs: u32,
    /// One of them goes on: counted until now.
    pub open: bool,
}

/// One span without failover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    from: Timestamp,
    to: Timestamp,
    open: bool,
}

/// The sums of these runs until `now`; those of one site, or of all.
pub fn of<'a>(runs: impl IntoIterator<Item = &'a Run>, site: Option<&str>, now: Timestamp) -> Exposure {
    let mut spans: BTreeMap<&str, Vec<Span>> = BTreeMap::new();
    for run in runs.into_iter().filter(|run| site.is_none_or(|site| run.id.site == site)) {
        // A site whose runs never broke the link is shown with nothing: that is known, too.
        spans.entry(&run.id.site).or_default().extend(span(run, now));
    }
    let sites: Vec<SiteExposure> = spans.into_iter().map(|(site, spans)| of_site(site, &spans)).collect();
    let seconds = sites.iter().map(|site| site.seconds).sum();
    Exposure { sites, seconds, untouched: Vec::new() }
}

fn span(run: &Run, now: Timestamp) -> Option<Span> {
    let from = run.broken_at?;
    let to = run.protected_at.unwrap_or(now);
    (from < to).then_some(Span { from, to, open: run.protected_at.is_none() })
}

/// What one month has so far.
#[derive(Default)]
struct Sum {
    lasted: SignedDuration,
    runs: u32,
    open: bool,
}

fn of_site(site: &str, spans: &[Span]) -> SiteExposure {
    let mut months: BTreeMap<Date, Sum> = BTreeMap::new();
    for span in spans {
        for (month, part) in split(*span) {
            let sum = months.entry(month).or_default();
            sum.runs += 1;
            sum.open |= span.open && part.to == span.to;
        }
    }
    let merged = merged(spans);
    for (month, part) in merged.iter().flat_map(|span| split(*span)) {
        months.entry(month).or_default().lasted += part.to.duration_since(part.from);
    }
    // Whole seconds of the whole, so that the months' parts of seconds are not lost one by one.
    let total: SignedDuration = merged.iter().map(|span| span.to.duration_since(span.from)).sum();
    let month = |(month, sum): (Date, Sum)| {
        let Sum { lasted, runs, open } = sum;
        Month { month: month.strftime("%Y-%m").to_string(), seconds: lasted.as_secs(), runs, open }
    };
    SiteExposure { site: site.to_owned(), months: months.into_iter().map(month).collect(), seconds: total.as_secs() }
}

/// The same time, counted once: a run that was closed unprotected and the one that took the pair over both have it.
fn merged(spans: &[Span]) -> Vec<Span> {
    let mut sorted = spans.to_vec();
    sorted.sort_unstable_by_key(|span| span.from);
    let mut merged: Vec<Span> = Vec::new();
    for span in sorted {
        match merged.last_mut().filter(|last| span.from <= last.to) {
            Some(last) => last.to = last.to.max(span.to),
            None => merged.push(span),
        }
    }
    merged
}

/// The parts of a span, each with the first day of its month.
fn split(span: Span) -> Vec<(Date, Span)> {
    let mut parts = Vec::new();
    let mut from = span.from;
    while from < span.to {
        let month = from.to_zoned(TimeZone::UTC).date().first_of_month();
        let to = next_month(month).map_or(span.to, |next| next.min(span.to));
        parts.push((month, Span { from, to, open: span.open }));
        from = to;
    }
    parts
}

/// The begin of the month after; `None` at the end of all times.
fn next_month(month: Date) -> Option<Timestamp> {
    let next = month.checked_add(1.month()).ok()?;
    Some(next.to_zoned(TimeZone::UTC).ok()?.timestamp())
}
