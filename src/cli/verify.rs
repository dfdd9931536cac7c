//! `changeover journal verify`: folds the records again, checks numbers and hashes, and compares with the daemon.

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::SignedDuration;
use serde::Serialize;
use serde_json::json;

use crate::domain::ids::RunId;
use crate::domain::journal::Record;
use crate::domain::machine;
use crate::domain::run::Run as Folded;
use crate::domain::world::World;
use crate::server::view::Status;

use super::client::Client;
use super::journal_file;
use super::watch::records;
use super::{Daemon, Exit, Failure, Format, Run, output};

/// Check a journal: numbers, hashes, the fold over all records, and the daemon's view of it
#[derive(Args)]
pub struct Verify {
    /// The run; with `--file` only this one
    #[arg(required_unless_present = "file")]
    run: Option<String>,
    /// Check an export or a `journal.log`; needs no daemon
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    daemon: Daemon,
    #[command(flatten)]
    format: Format,
}

/// What is said of a run whose journal is good.
#[derive(Serialize)]
struct Verified {
    run: RunId,
    records: u64,
    head: String,
    phase: &'static str,
}

impl Run for Verify {
    fn run(&self) -> Result<Exit, Failure> {
        let verified = match (&self.file, &self.run) {
            (Some(path), run) => of_file(path, run.as_deref())?,
            (None, Some(run)) => vec![of_daemon(&Client::new(&self.daemon)?, run)?],
            // Clap asks for one of both.
            (None, None) => Vec::new(),
        };
        if self.format.json {
            output::json(&json!({ "ok": true, "runs": verified }))?;
        } else {
            let line = |run: &Verified| {
                format!("run `{}`: {} records, all in place; {}; head {}\n", run.run, run.records, run.phase, run.head)
            };
            output::say(&verified.iter().map(line).collect::<String>())?;
        }
        Ok(Exit::Done)
    }

    fn json(&self) -> bool {
        self.format.json
    }
}

fn of_file(path: &Path, only: Option<&str>) -> Result<Vec<Verified>, Failure> {
    let found = journal_file::read(path)?;
    if found.torn {
        eprintln!("the last line of `{}` is cut off and was left out", path.display());
    }
    let wanted = found.runs.iter().filter(|(run, _)| only.is_none_or(|only| run.to_string() == only));
    let verified: Vec<Verified> = wanted.map(|(_, records)| fold(records).map(|run| verified(&run))).collect::<Result<_, _>>()?;
    if verified.is_empty() {
        let what = only.map_or_else(|| "any run".to_owned(), |run| format!("run `{run}`"));
        return Err(Failure::new("unknown_run", format!("`{}` holds no records of {what}", path.display())));
    }
    Ok(verified)
}

/// The status first: what comes after it is left out of the comparison.
fn of_daemon(client: &Client, run: &str) -> Result<Verified, Failure> {
    let status: Status = client.get(&["runs", run])?.read()?;
    let records = records(client, run, 0)?;
    let then: Vec<Record> = records.iter().filter(|record| record.seq <= status.seq).cloned().collect();
    agree(&fold(&then)?, &status)?;
    fold(&records).map(|run| verified(&run))
}

fn fold(records: &[Record]) -> Result<Folded, Failure> {
    machine::replay(records)
        .map_err(|error| Failure::of("damaged", &error).hint("compare with another copy: an export, or `journal.log`"))
}

fn verified(run: &Folded) -> Verified {
    Verified { run: run.id.clone(), records: run.seq, head: run.head.clone(), phase: machine::phase_name(&run.phase) }
}

/// Everything that the journal alone gives must be what the daemon shows.
fn agree(run: &Folded, status: &Status) -> Result<(), Failure> {
    let world = World::new(run.last_at, false, SignedDuration::ZERO);
    let folded = Status::of(run, &world, run.last_at);
    // What was read from the boxes and how long ago the break was belong to the moment of the status.
    let shown = Status { serving: folded.serving, nodes: folded.nodes.clone(), guide: None, way: None, ..status.clone() };
    let shown = Status {
        unprotected: crate::server::view::Unprotected { seconds: folded.unprotected.seconds, ..shown.unprotected },
        ..shown
    };
    if shown == folded {
        return Ok(());
    }
    let failure = Failure::new("differs", format!("run `{}`: the daemon shows another state than its journal gives", run.id));
    Err(failure.because(format!("journal: {}", text(&folded))).because(format!("daemon: {}", text(&shown))))
}

fn text(status: &Status) -> String {
    // Plain data: serializing it cannot fail.
    serde_json::to_string(status).unwrap_or_default()
}
