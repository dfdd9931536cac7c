//! Runs that this daemon keeps and does not drive, and why: people must see them, and hear of them once.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::watch;

use crate::domain::alert::{self, Alert};
use crate::domain::alike::Alike;
use crate::domain::ids::RunId;
use crate::domain::journal::Record;
use crate::domain::machine;
use crate::domain::refold::{self, Cause};
use crate::domain::run::Run;
use crate::domain::sheet;

use crate::ports::StoreError;

use super::Around;
use super::api::{Kind, Problem, Snapshot};

/// Why a run that can be folded goes no further in this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotDriven {
    /// `illegal_event`, `record_unfit`, `bug` or `site_gone`.
    pub code: &'static str,
    pub message: String,
    pub since: Timestamp,
    pub hint: String,
}

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

/// Shows that a run is not driven, logs it, and raises the alert.
pub async fn give_up(around: &Around, published: &watch::Sender<Snapshot>, code: &'static str, message: String, hint: String) {
    let run = published.borrow().run.clone();
    tracing::error!(site = run.id.site, run = %run.id, code, "the run goes no further in this process: {message}");
    let since = around.clock.now();
    let place = alert::Place { run: &run.id, seq: run.seq, step: run.step().map(|step| step.id.clone()), at: since };
    let summary = format!("run `{}` is not driven any more: {message}", run.id);
    let alert = alert::not_driven(place, code, summary, (sheet::state(&run), hint.clone()));
    let not_driven = Arc::new(NotDriven { code, message, since, hint });
    published.send_modify(|snapshot| snapshot.not_driven = Some(not_driven));
    raise(around, &run.id, &alert).await;
}

/// Drives a run, and tells where a bug breaks its loop off.
pub async fn guarded(around: Arc<Around>, published: Arc<watch::Sender<Snapshot>>, drive: BoxFuture<'static, ()>) {
    // What the loop held is gone with it; what others see of the run is its last published state, which is whole.
    if AssertUnwindSafe(drive).catch_unwind().await.is_err() {
        let hint = format!("restart the daemon, and report it with its log (`changeover status {}`)", published.borrow().run.id);
        Box::pin(give_up(&around, &published, "bug", "its loop broke off".to_owned(), hint)).await;
    }
}

/// A run whose site is no longer configured is shown and left alone.
pub async fn site_gone(around: Arc<Around>, published: Arc<watch::Sender<Snapshot>>) {
    let site = published.borrow().run.id.site.clone();
    let message = format!("site `{site}` is not configured any more");
    let hint = format!("put `{site}.toml` back and restart the daemon");
    give_up(&around, &published, "site_gone", message, hint).await;
}

/// Why a run that can be folded takes no word.
pub fn takes_no_word(snapshot: &Snapshot) -> Problem {
    let problem = Problem::new(Kind::Conflict, "not_in_this_phase", format!("run `{}` takes no word now", snapshot.run.id));
    match &snapshot.not_driven {
        _ if snapshot.run.is_finished() => problem.because("it is finished"),
        Some(why) => problem.because(format!("this daemon does not drive it: {}", why.message)).hint(why.hint.clone()),
        None => problem.because("this daemon does not drive it; see the log"),
    }
}

/// Keeps an alert that belongs to no record, and hands it over for delivery.
pub async fn raise(around: &Around, run: &RunId, alert: &Alert) {
    let items = around.hooks.alerts(run, std::slice::from_ref(alert));
    if let Err(error) = around.journal.append(Vec::new(), items.clone(), true).await {
        tracing::error!(%run, "the alert is not kept: {error}");
        if matches!(error, StoreError::Failed(_)) {
            around.fatal.notify_one();
        }
    }
    around.push(items);
}
