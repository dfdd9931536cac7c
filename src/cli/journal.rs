//! `changeover journal show/verify/export/rebuild`: the record of a run.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use crate::domain::ids::RunId;
use crate::domain::journal::Record;
use crate::server::view;

use super::client::Client;
use super::rebuild::Rebuild;
use super::verify::Verify;
use super::watch::records;
use super::{Daemon, Exit, Failure, Format, Run, output};

/// The record of a run
#[derive(Subcommand)]
pub enum Journal {
    Show(Show),
    Verify(Verify),
    Export(Export),
    Rebuild(Rebuild),
}

impl Journal {
    pub fn as_run(&self) -> &dyn Run {
        match self {
            Self::Show(command) => command,
            Self::Verify(command) => command,
            Self::Export(command) => command,
            Self::Rebuild(command) => command,
        }
    }
}

/// Show a run's records: what happened, who caused it, and why
#[derive(Args)]
pub struct Show {
    /// The run
    run: String,
    #[command(flatten)]
    daemon: Daemon,
    #[command(flatten)]
    format: Format,
}

impl Run for Show {
    fn run(&self) -> Result<Exit, Failure> {
        let client = Client::new(&self.daemon)?;
        let records = records(&client, &self.run, 0)?;
        if self.format.json {
            output::json(&view::Journal { run: run_of(&self.run, &records)?, records })?;
        } else {
            let head = ["SEQ", "AT", "ACTOR", "EVENT", "STEP", "REASON"].map(str::to_owned).to_vec();
            let people = names(&client);
            let row = |record: &Record| row(record, &people);
            let rows: Vec<Vec<String>> = std::iter::once(head).chain(records.iter().map(row)).collect();
            output::say(&output::table(&rows))?;
        }
        Ok(Exit::Done)
    }

    fn json(&self) -> bool {
        self.format.json
    }
}

/// The names that the daemon's file has for users. The records have the users; without the names they are shown alone.
fn names(client: &Client) -> BTreeMap<String, String> {
    let people = client.get(&["people"]).and_then(|reply| reply.read::<view::People>());
    let people = people.map(|answer| answer.people).unwrap_or_default();
    people.into_iter().map(|person| (person.user, person.name)).collect()
}

fn row(record: &Record, people: &BTreeMap<String, String>) -> Vec<String> {
    let actor = &record.actor;
    vec![
        record.seq.to_string(),
        record.at.to_string(),
        people.get(actor).map_or_else(|| actor.clone(), |name| format!("{name} ({actor})")),
        record.event.clone(),
        record.step.clone().unwrap_or_else(|| "-".to_owned()),
        record.reason.replace('\n', " "),
    ]
}

/// The id that the records carry; every run has at least its first.
fn run_of(asked: &str, records: &[Record]) -> Result<RunId, Failure> {
    let first = records.first().map(|record| record.run.clone());
    first.ok_or_else(|| Failure::new("unknown_run", format!("run `{asked}` has no records")))
}

/// Write a run's records, one JSON object a line; `journal verify --file` reads them back
#[derive(Args)]
pub struct Export {
    /// The run
    run: String,
    /// Write to this file, which must not be there yet, and not to stdout
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    daemon: Daemon,
    /// Print one JSON object that says what was written
    #[arg(long, requires = "output")]
    json: bool,
}

impl Run for Export {
    fn run(&self) -> Result<Exit, Failure> {
        let reply = Client::new(&self.daemon)?.journal(&self.run, 0)?;
        let text = reply.text()?;
        let Some(path) = &self.output else {
            output::raw(text)?;
            return Ok(Exit::Done);
        };
        save(path, text).map_err(|error| {
            Failure::new("output", format!("`{}` could not be written", path.display())).because(error.to_string())
        })?;
        let records = text.lines().count();
        if self.json {
            output::json(&json!({ "run": self.run, "records": records, "file": path }))?;
        } else {
            output::tell(&format!("{records} records written to `{}`", path.display()));
        }
        Ok(Exit::Done)
    }

    fn json(&self) -> bool {
        self.json
    }
}

/// Writes a new file; one that is there is kept.
fn save(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::File::create_new(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
