//! Runs that can be folded and go no further in this process, and why: people must see them, and hear of them once.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::watch;

use super::Around;
use super::api::{Kind, NotDriven, Problem, Snapshot};
use crate::domain::alert::{self, Alert};
use crate::domain::ids::RunId;
use crate::domain::sheet;
use crate::ports::StoreError;

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
