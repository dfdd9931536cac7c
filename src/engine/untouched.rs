//! Runs whose journal this build can't fold: they are kept, shown and left alone.

use jiff::Timestamp;

use crate::domain::alert::{self, Alert};
use crate::domain::alike::Alike;
use crate::domain::ids::RunId;
use crate::domain::journal::Record;
use crate::domain::machine;
use crate::domain::refold::{self, Cause};
use crate::domain::run::Run;
use crate::domain::sheet;

use crate::ports::StoreError;

use super::problem::{Kind, Problem};

/// A run whose journal this build can't fold. Nothing is written to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Untouched {
    pub run: RunId,
    /// `journal_unreadable`, or `damaged` where the chain is broken.
    pub code: &'static str,
    pub message: String,
    /// The record that can't be followed, as its number.
    pub unread: u64,
    /// The journal's last record.
    pub last: Record,
    /// No record says that it is finished or closed: its site takes no other run.
    pub open: bool,
    /// How the pair stood before the record that can't be followed.
    pub state: Option<String>,
}

/// Folds a run's stored records.
///
/// # Errors
/// The run as far as it can be known without the fold; `None` if there is no record at all.
pub fn fold(records: &[Record]) -> Result<Run, Option<Box<Untouched>>> {
    machine::replay(records).map_err(|error| {
        let last = records.last()?.clone();
        let place = refold::place(&error);
        Some(Box::new(Untouched {
            run: last.run.clone(),
            code: Cause::of(&error).code(),
            message: refold::sentence(&error),
            unread: records.get(place).map_or(last.seq, |record| record.seq),
            open: !records.iter().any(|record| matches!(record.event.as_str(), "finished" | "closed")),
            state: refold::before(records, &error).map(|run| sheet::state(&run)),
            last,
        }))
    })
}

/// Folds the runs of a store one after the other: those that this build can fold, and those that it leaves alone.
///
/// # Errors
/// The store can't be read.
pub fn fold_all<Stored>(stored: Stored) -> Result<(Vec<Run>, Vec<Untouched>), StoreError>
where
    Stored: Iterator<Item = Result<(RunId, Vec<Record>), StoreError>>,
{
    let (mut runs, mut left, mut alike) = (Vec::new(), Vec::new(), Alike::default());
    for next in stored {
        match fold(&next?.1) {
            Ok(mut run) => {
                alike.share(&mut run);
                runs.push(run);
            }
            Err(why) => left.extend(why.map(|why| *why)),
        }
    }
    Ok((runs, left))
}

impl Untouched {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self.code {
            "damaged" => "see the guide on restoring; `changeover journal export` still gives what is there".to_owned(),
            _ => format!("start the build that wrote it; `changeover journal show {}` still works", self.run),
        }
    }

    /// How things stand, as far as this build can tell.
    pub fn state(&self) -> String {
        let (seq, event, at) = (self.last.seq, &self.last.event, self.last.at);
        let before = self.state.as_ref().map(|state| format!("; before record {}: {state}", self.unread)).unwrap_or_default();
        format!("the run was left as it is at record {seq} (`{event}` at {at}){before}")
    }

    /// R12: it may be under way, so that its site takes no other run.
    pub fn blocks_its_site(&self) -> Problem {
        let (site, run) = (&self.run.site, &self.run);
        let message = format!("site `{site}` has a run that this build can't go on with: `{run}`");
        Problem::new(Kind::Conflict, "one_run", message)
            .because("R12 one_run: a site has at most one run")
            .because(self.message.clone())
            .state(self.state())
            .hint(self.hint())
    }

    pub fn takes_no_word(&self) -> Problem {
        Problem::new(Kind::Conflict, self.code, format!("run `{}` was left untouched", self.run))
            .because(self.message.clone())
            .state(self.state())
            .hint(self.hint())
    }

    pub fn alert(&self, now: Timestamp) -> Alert {
        let summary = format!("run `{}` can't be gone on with by this build: {}", self.run, self.message);
        let place = alert::Place { run: &self.run, seq: self.last.seq, step: self.last.step.clone(), at: now };
        alert::not_driven(place, self.code, summary, (self.state(), self.hint()))
    }
}
