//! `changeover journal verify`: folds the records again, checks numbers and hashes, and compares with the daemon.

use std::error::Error as _;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::SignedDuration;
use serde::Serialize;
use serde_json::{Value, json};

use crate::domain::ids::RunId;
use crate::domain::journal::Record;
use crate::domain::machine::{self, ReplayError};
use crate::domain::refold::{self, Cause};
use crate::domain::run::Run as Folded;
use crate::domain::world::World;
use crate::server::view::Status;

use super::client::Client;
use super::journal_file::{self, ANOTHER_COPY, Lines};
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
        output::tell(&format!("the last line of `{}` is cut off and was left out", path.display()));
    }
    let wanted = found.runs.iter().filter(|(run, _)| only.is_none_or(|only| run.to_string() == only));
    let folded: Vec<Result<Verified, Failure>> = wanted.map(|(_, lines)| of_lines(path, lines)).collect();
    if folded.is_empty() {
        let what = only.map_or_else(|| "any run".to_owned(), |run| format!("run `{run}`"));
        let failure = Failure::new("unknown_run", format!("`{}` holds no records of {what}", path.display()));
        let runs: Vec<String> = found.runs.keys().map(|run| format!("`{run}`")).collect();
        return Err(if runs.is_empty() { failure } else { failure.because(format!("it holds {}", runs.join(", "))) });
    }
    let others = folded.iter().filter(|run| run.is_ok()).count();
    let state =
        |failure: Failure| if others == 0 { failure } else { failure.state(format!("other runs in it: {others}, all in place")) };
    folded.into_iter().collect::<Result<_, _>>().map_err(state)
}

/// One run of a file; the error names the line.
fn of_lines(path: &Path, lines: &Lines) -> Result<Verified, Failure> {
    let folded = machine::replay(&lines.records).map_err(|error| {
        let line = lines.numbers.get(refold::place(&error)).copied().unwrap_or_default();
        not_folded(&error, format!("`{}`, line {line}: {error}", path.display()))
    })?;
    Ok(verified(&folded))
}

/// The status first: what comes after it is left out of the comparison.
fn of_daemon(client: &Client, run: &str) -> Result<Verified, Failure> {
    let status: Value = client.get(&["runs", run])?.read()?;
    let records = records(client, run, 0)?;
    let seq = status["seq"].as_u64().unwrap_or(u64::MAX);
    let then: Vec<Record> = records.iter().filter(|record| record.seq <= seq).cloned().collect();
    let whose = |error: ReplayError| not_folded(&error, format!("the daemon's journal of run `{run}`: {error}"));
    let folded = machine::replay(&then).map_err(whose)?;
    if let Some(why) = status["untouched"]["message"].as_str() {
        let message = format!("the daemon left run `{run}` untouched, and this program can fold its journal");
        return Err(Failure::new("differs", message).because(why).hint("start the daemon again from the build of this program"));
    }
    agree(&folded, &status)?;
    Ok(verified(&machine::replay(&records).map_err(whose)?))
}

fn not_folded(error: &ReplayError, message: String) -> Failure {
    let cause = Cause::of(error);
    let failure = Failure::new(cause.code(), message).because_of(error.source());
    match cause {
        Cause::Damaged => failure.hint(ANOTHER_COPY),
        Cause::OtherBuild => failure.state("numbers and hashes are in place").hint("verify it with the build that wrote it"),
    }
}

fn verified(run: &Folded) -> Verified {
    Verified { run: run.id.clone(), records: run.seq, head: run.head.clone(), phase: machine::phase_name(&run.phase) }
}

/// What a status takes from the journal alone; the rest belongs to the moment in which it was made.
const FROM_THE_JOURNAL: [&str; 23] = [
    "run",
    "site",
    "procedure",
    "from",
    "to",
    "phase",
    "outcome",
    "waiting_on",
    "until",
    "gate",
    "step",
    "held",
    "instructions",
    "instruction",
    "survivor",
    "windows",
    "resumed",
    "seq",
    "head",
    "started_by",
    "started_at",
    "finished_at",
    "hold_requested",
];

/// Everything that the journal alone gives must be what the daemon shows.
fn agree(run: &Folded, shown: &Value) -> Result<(), Failure> {
    let world = World::new(run.last_at, false, SignedDuration::ZERO);
    // Plain data: serializing it cannot fail.
    let folded = serde_json::to_value(Status::of(run, &world, run.last_at)).unwrap_or_default();
    let differences = refold::differences(&taken(&folded), &taken(shown));
    if differences.is_empty() {
        return Ok(());
    }
    let message = format!("run `{}`: the daemon shows another state than its journal gives", run.id);
    let failure = differences.iter().fold(Failure::new("differs", message), |failure, (field, journal, daemon)| {
        failure.because(format!("{field}: the journal gives {journal}, the daemon shows {daemon}"))
    });
    Err(failure
        .hint("believe the journal: restart the daemon, which folds it again; if they still differ, report it with an export"))
}

fn taken(status: &Value) -> Value {
    let fields = FROM_THE_JOURNAL.iter().map(|field| ((*field).to_owned(), status[*field].clone()));
    let more = [("notices", &status["notices"]), ("unprotected_since", &status["unprotected"]["since"])];
    fields.chain(more.map(|(field, value)| (field.to_owned(), value.clone()))).collect()
}
