//! The reporting interface: which sessions a request asks for, and the answers.

use std::time::Duration;

use hyper::StatusCode;
use jiff::{SignedDuration, Timestamp};

use super::form::Form;
use super::listen::{Answer, Late, typed};
use super::xml::{self, Api};
use crate::domain::ids::NodeId;
use crate::domain::version::Version;
use crate::simulator::faults::Fault;
use crate::simulator::files::{self, Search};
use crate::simulator::world::World;

const XML: &str = "text/xml; charset=UTF-8";
const NO_SESSIONS: &str = "No sessions found for the given search criteria.";
/// How late a slow report comes, by the machine's clock.
const LATE: Duration = Duration::from_secs(3);

/// The vendor's products, by what the reports of their sessions are called. Each knows only its own names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Product {
    #[default]
    RemoteSupport,
    PrivilegedRemoteAccess,
}

impl Product {
    /// How the JSON edition calls it.
    pub fn code(self) -> &'static str {
        match self {
            Self::RemoteSupport => "rs",
            Self::PrivilegedRemoteAccess => "pra",
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::RemoteSupport => "Support",
            Self::PrivilegedRemoteAccess => "Access",
        }
    }
}

/// Answers a call of the reporting interface.
pub fn answer(world: &mut World, product: Product, node: NodeId, form: &Form) -> Answer {
    let version = world.node(node).version.clone();
    let report = form.value("generate_report").unwrap_or_default();
    match report.strip_prefix(product.prefix()) {
        Some("Session") => sessions(world, node, form, xml::session_list),
        Some("SessionListing") => sessions(world, node, form, xml::session_listing),
        Some("SessionRecording") => recording(world, node, form, None),
        _ if report == "CommandShellRecording" => {
            let number = form.value("instance").unwrap_or("0").parse().unwrap_or(u32::MAX);
            recording(world, node, form, Some(number))
        }
        _ => said(error(&version, "Invalid report type.")),
    }
}

fn said(document: String) -> Answer {
    Some(typed(StatusCode::OK, XML, document))
}

fn error(version: &Version, message: &str) -> String {
    xml::error(version, Api::Reporting, message)
}

type Document = fn(&Version, &[files::SessionFile]) -> String;

fn sessions(world: &mut World, node: NodeId, form: &Form, document: Document) -> Answer {
    let version = world.node(node).version.clone();
    let mut text = match search(form, world.now()) {
        Err(bad) => error(&version, &bad.to_string()),
        Ok(search) => match files::sessions(world, node, &search) {
            Ok(sessions) if sessions.is_empty() => error(&version, NO_SESSIONS),
            Ok(sessions) => document(&version, &sessions),
            Err(failed) => error(&version, &failed.to_string()),
        },
    };
    if world.faults.take(Fault::ReportLost, node, "extract_data") {
        return None;
    }
    if world.faults.take(Fault::ReportCut, node, "extract_data") {
        text.truncate(text.len() / 2);
    }
    let mut answer = typed(StatusCode::OK, XML, text);
    if world.faults.take(Fault::ReportSlow, node, "extract_data") {
        answer.extensions_mut().insert(Late(LATE));
    }
    Some(answer)
}

/// A recording's bytes, or an `<error>` under HTTP 200 where there is none or not yet.
fn recording(world: &mut World, node: NodeId, form: &Form, shell: Option<u32>) -> Answer {
    let late = world.faults.take(Fault::RecordingLate, node, "extract_data");
    let state = world.node(node);
    let lsid = form.value("lsid").unwrap_or_default();
    let record = state.records.values().find(|record| files::lsid_on(record, &state.version) == lsid);
    match record.and_then(|record| files::recording(record, shell)) {
        Some(_) if late => said(error(&state.version, "The recording is not yet available.")),
        Some(body) => Some(typed(StatusCode::OK, "application/octet-stream", body)),
        None => said(error(&state.version, "No recording found.")),
    }
}

/// The request cannot be understood; the text goes into an `<error>`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSearch {
    #[error("Exactly one of start_date, start_time, end_date, end_time, lsid and lsids is required.")]
    NotOne,
    #[error("Invalid value for {0}.")]
    Invalid(&'static str),
}

const FORMS: [&str; 6] = ["start_date", "start_time", "end_date", "end_time", "lsid", "lsids"];

/// Reads the search form. `*_time` is UNIX seconds with a duration in seconds, `*_date` a day with a duration in days;
/// duration 0 means up to now.
pub fn search(form: &Form, now: Timestamp) -> Result<Search, BadSearch> {
    let mut given = FORMS.into_iter().filter_map(|name| form.value(name).map(|value| (name, value)));
    let (Some((name, value)), None) = (given.next(), given.next()) else { return Err(BadSearch::NotOne) };
    if name == "lsid" || name == "lsids" {
        return Ok(Search::Lsids(value.split(',').map(|lsid| lsid.trim().to_owned()).collect()));
    }
    let (from, unit) = if name.ends_with("_date") {
        (midnight(value).ok_or(BadSearch::Invalid(name))?, 86_400)
    } else {
        (unix(value).ok_or(BadSearch::Invalid(name))?, 1)
    };
    let duration = form.value("duration").and_then(|text| text.parse::<u32>().ok()).ok_or(BadSearch::Invalid("duration"))?;
    let to = match duration {
        // One more second, as `now` has a fraction and the span's end does not belong to it.
        0 => now + SignedDuration::from_secs(1),
        _ => {
            from.checked_add(SignedDuration::from_secs(i64::from(duration) * unit)).map_err(|_| BadSearch::Invalid("duration"))?
        }
    };
    Ok(if name.starts_with("start") { Search::Started { from, to } } else { Search::Ended { from, to } })
}

fn unix(text: &str) -> Option<Timestamp> {
    Timestamp::from_second(text.parse().ok()?).ok()
}

fn midnight(text: &str) -> Option<Timestamp> {
    let date: jiff::civil::Date = text.parse().ok()?;
    Some(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searches_are_read_as_the_vendor_documents_them() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let now = at(2_000_000_000);
        let cases = [
            ("start_time=100&duration=50", Ok(Search::Started { from: at(100), to: at(150) })),
            ("end_time=100&duration=0", Ok(Search::Ended { from: at(100), to: at(2_000_000_001) })),
            ("start_date=1970-01-02&duration=2", Ok(Search::Started { from: at(86_400), to: at(259_200) })),
            ("lsids=a,%20b", Ok(Search::Lsids(vec!["a".into(), "b".into()]))),
            ("", Err(BadSearch::NotOne)),
            ("lsid=a&start_time=1&duration=1", Err(BadSearch::NotOne)),
            ("start_time=x&duration=1", Err(BadSearch::Invalid("start_time"))),
            ("start_time=1", Err(BadSearch::Invalid("duration"))),
            ("end_date=1970-13-02&duration=2", Err(BadSearch::Invalid("end_date"))),
            ("start_time=253402207200&duration=4294967295", Err(BadSearch::Invalid("duration"))),
        ];
        for (query, expected) in cases {
            assert_eq!(search(&Form::read(query, &[]), now), expected, "{query}");
        }
    }
}
