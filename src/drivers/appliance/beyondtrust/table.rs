//! The table of sessions that a person opens: `sessions.csv`, one row a session (RFC 4180, UTF-8).
//!
//! Made from the reports as they were received, which are read again one session at a time. A session that more than one
//! report holds has one row: as it ended, where a report has its end.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use super::answer::CallError;
use super::download::local;
use super::lsids::Lsids;
use super::manifest::hash;
use super::private;
use super::recordings::{self, Wanted};
use super::sessions::{Moment, Session, each_session};
use crate::ports::ProducedFile;

/// The table's name in an attempt's folder.
pub const NAME: &str = "sessions.csv";
const HEAD: [&str; 13] = [
    "lsid",
    "lseq",
    "type",
    "start",
    "end",
    "seconds",
    "duration",
    "representatives",
    "customers",
    "chat",
    "recordings",
    "recordings_missing",
    "report",
];

/// One report on disk: its folder and its name there.
#[derive(Clone, Debug)]
pub struct Report {
    pub path: PathBuf,
    pub name: String,
}

/// Shows every session of the reports once. `reports` are in the order of trust: what an earlier one holds is left out of a
/// later one.
///
/// # Errors
/// As [`each_session`]; whatever `meet` says.
pub fn each_once(reports: &[Report], mut meet: impl FnMut(&Report, Session) -> Result<(), CallError>) -> Result<u64, CallError> {
    let mut seen = Lsids::default();
    for report in reports {
        let file = File::open(&report.path).map_err(|error| local(&report.path, &error))?;
        each_session(BufReader::new(file), |session| if seen.insert(&session.lsid)? { meet(report, session) } else { Ok(()) })?;
    }
    Ok(seen.len() as u64)
}

/// Writes the table into `directory`; how many sessions it has.
///
/// # Errors
/// `Local` where it can't be written.
pub fn write(directory: &Path, reports: &[Report], with_recordings: bool) -> Result<(ProducedFile, u64), CallError> {
    let (temporary, path) = (directory.join(format!(".{NAME}.part")), directory.join(NAME));
    let file = private::file(&temporary).map_err(|error| local(&temporary, &error))?;
    let mut table = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(BufWriter::new(file));
    let failed = |error: csv::Error| local(&temporary, &std::io::Error::other(error));
    table.write_record(HEAD).map_err(failed)?;
    let sessions = each_once(reports, |report, session| {
        let row = row(directory, report, &session, with_recordings);
        table.write_record(row.iter().map(|cell| defused(cell))).map_err(failed)
    })?;
    let whole = table.into_inner().map_err(|error| error.into_error()).and_then(|mut inner| {
        inner.flush()?;
        inner.get_ref().sync_all()
    });
    whole.map_err(|error| local(&temporary, &error))?;
    std::fs::rename(&temporary, &path).map_err(|error| local(&path, &error))?;
    let (sha256, bytes) = hash(&path).map_err(|error| local(&path, &error))?;
    Ok((ProducedFile { path, sha256, bytes }, sessions))
}

fn row(directory: &Path, report: &Report, session: &Session, with_recordings: bool) -> Vec<String> {
    let wanted = Wanted::of(session);
    let (there, lacking): (Vec<Wanted>, Vec<Wanted>) =
        wanted.into_iter().partition(|wanted| directory.join(wanted.file_name()).exists());
    let lacking = if with_recordings { lacking } else { Vec::new() };
    let seconds = session.start.at.zip(session.end.at).map(|(start, end)| end.duration_since(start).as_secs().to_string());
    vec![
        session.lsid.clone(),
        session.lseq.trim().to_owned(),
        session.kind.trim().to_owned(),
        time(&session.start),
        time(&session.end),
        seconds.unwrap_or_default(),
        session.duration.trim().to_owned(),
        names(&session.representatives),
        names(&session.customers),
        if session.chat { "yes" } else { "" }.to_owned(),
        there.iter().map(Wanted::file_name).collect::<Vec<_>>().join("; "),
        lacking.iter().map(|wanted| recordings::what(wanted).to_owned()).collect::<Vec<_>>().join("; "),
        report.name.clone(),
    ]
}

/// RFC 3339 in UTC where the box says seconds; else the box's own text.
fn time(moment: &Moment) -> String {
    moment.at.map_or_else(|| moment.text.trim().to_owned(), |at| at.to_string())
}

fn names(names: &[String]) -> String {
    names.iter().map(|name| name.trim()).filter(|name| !name.is_empty()).collect::<Vec<_>>().join("; ")
}

/// A cell that a spreadsheet would take for a formula gets an apostrophe before it, which makes it a text.
pub fn defused(cell: &str) -> String {
    let formula = cell.trim_start_matches(' ').starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    if formula { format!("'{cell}") } else { cell.to_owned() }
}
