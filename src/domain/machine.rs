//! The only place where a run changes: the fold of an event over a run.
//!
//! Live running and replay after a crash are the same function. Which event comes next is [`super::decide`]'s business.

mod apply;
mod command;
mod done;
pub mod drawing;
pub mod edges;
mod gates;
mod orders;

use std::sync::Arc;

use jiff::Timestamp;

use super::event::{Event, Notice, Outcome, Verdict, WaitingOn};
use super::gate::Gate;
use super::ids::{PerNode, RunId};
use super::journal::{self, ChainError, Record};
use super::late;
use super::plan::{Adoption, Plan};
use super::run::{Frozen, Phase, Run, Steps};
use super::waiver::WAIVABLE;
use apply::apply;
pub use command::Command;
use edges::PhaseKind;

/// An event that is not expected where the run stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("run `{run}` is {phase}{}; event `{event}` is not expected there", step.as_ref().map(|step| format!(" at `{step}`")).unwrap_or_default())]
pub struct IllegalEvent {
    pub run: RunId,
    pub phase: &'static str,
    pub step: Option<String>,
    pub event: String,
}

/// A journal that can't be folded.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error("record {seq} of run `{run}` holds the event `{event}`, which this build can't read")]
    Unreadable {
        run: RunId,
        seq: u64,
        event: String,
        #[source]
        source: serde_json::Error,
    },
    #[error("record {seq}")]
    Illegal {
        seq: u64,
        #[source]
        source: IllegalEvent,
    },
    #[error("the journal of run `{0}` does not begin with `started`")]
    Headless(RunId),
}

/// Folds a whole run's records, checking the chain on the way.
pub fn replay(records: &[Record]) -> Result<Run, ReplayError> {
    journal::verify(records)?;
    let mut run: Option<Run> = None;
    for record in records {
        let event = Event::from_parts(&record.event, &record.data).map_err(|source| ReplayError::Unreadable {
            run: record.run.clone(),
            seq: record.seq,
            event: record.event.clone(),
            source,
        })?;
        let folded = match (run.take(), &event) {
            (None, Event::Started { plan }) => begin(record.run.clone(), plan.clone(), &record.actor, record.at),
            (None, _) => return Err(ReplayError::Headless(record.run.clone())),
            (Some(run), event) => {
                next(&run, event, record.at).map_err(|source| ReplayError::Illegal { seq: record.seq, source })?.0
            }
        };
        run = Some(Run { seq: record.seq, last_at: record.at, head: record.hash.clone(), ..folded });
    }
    run.ok_or_else(|| ReplayError::Headless(RunId { site: "?".to_owned(), number: 1 }))
}

/// A new run, before its first record.
pub fn begin(id: RunId, plan: Box<Plan>, actor: &str, at: Timestamp) -> Run {
    let run = Run {
        id,
        started_by: actor.to_owned(),
        started_at: at,
        finished_at: None,
        seq: 0,
        last_at: at,
        head: journal::GENESIS.to_owned(),
        phase: Phase::Ready,
        progress: Steps::default(),
        act: None,
        windows: plan.windows.clone(),
        responsible: Some(plan.responsible.clone().unwrap_or_else(|| actor.to_owned())),
        nodes: PerNode::default(),
        survivor: plan.primary,
        sync: None,
        broken_at: None,
        unlinked_at: None,
        protected_at: None,
        autopilot_off: None,
        verdict: None,
        asked: None,
        bound: Vec::new(),
        waivers: Vec::new(),
        soak_from: None,
        soaked: false,
        used_at: None,
        accepted_status: None,
        hold_requested: false,
        acknowledged: Vec::new(),
        switched_back: false,
        way: None,
        way_by_itself: false,
        revision: 0,
        resumed: 0,
        instructions: 0,
        notices: Vec::new(),
        released: None,
        checked: None,
        access: None,
        accepted: Vec::new(),
        settings: Frozen::default(),
        ttl: None,
        plan: Arc::from(plan),
    };
    match run.plan.adopted.clone() {
        Some(adoption) => adopt(run, *adoption, at),
        None => run,
    }
}

/// A pair taken over as it was found: what a person vouches for stands where else the journal's evidence would.
fn adopt(mut run: Run, adoption: Adoption, at: Timestamp) -> Run {
    run.survivor = adoption.survivor;
    run.broken_at = adoption.broken.then(|| adoption.since.unwrap_or(at).min(at));
    run.verdict = adoption.accepted.then_some(Verdict::Accept);
    run.soaked = adoption.accepted;
    run.way = Some(adoption.goal);
    let backups = adoption.backups.map(|file| file.map(|file| (at, file)));
    let PerNode { a, b } = backups;
    (run.nodes.a.backup, run.nodes.b.backup) = (a, b);
    (run.nodes.a.updated, run.nodes.b.updated) = (adoption.updated.a, adoption.updated.b);
    (run.nodes.a.hops, run.nodes.b.hops) = (adoption.updated.a.into(), adoption.updated.b.into());
    run
}

/// Applies an event that happened `at`.
///
/// # Errors
/// [`IllegalEvent`] if the event is not expected in the run's phase; the run is unchanged.
pub fn next(run: &Run, event: &Event, at: Timestamp) -> Result<(Run, Vec<Command>), IllegalEvent> {
    if !is_expected(run, event) {
        return Err(IllegalEvent {
            run: run.id.clone(),
            phase: phase_name(&run.phase),
            step: run.step().map(|step| step.id.clone()),
            event: event.name().to_owned(),
        });
    }
    let mut run = run.clone();
    let commands = apply(&mut run, event, at);
    Ok((run, commands))
}

/// The phase's word in messages and JSON.
pub fn phase_name(phase: &Phase) -> &'static str {
    PhaseKind::of(phase).name()
}

/// The table's word, and what it can't say: a step begins and is done only where one is left, only an open gate is answered
/// (`production` also while the version soaks, and with a no also before it is asked), only a waivable rule is waived and for the
/// step that comes next, only a run that has succeeded is released, and a finished run notices nothing but the end of the
/// unprotected time that it was closed in.
fn is_expected(run: &Run, event: &Event) -> bool {
    let fits = match event {
        Event::LineAcknowledged { line, digest, .. } => {
            run.settings.open().any(|open| open.id == *line && open.digest == *digest)
        }
        Event::Confirmed { gate: Gate::Production, .. } if run.is_rethinkable() => true,
        Event::Confirmed { gate: Gate::Production, verdict: Verdict::Reject, .. } if run.is_rejectable() => true,
        // It is answered line by line.
        Event::Confirmed { gate: Gate::SettingsLedger, .. } => false,
        Event::Confirmed { gate, .. } => run.open_gate() == Some(*gate),
        Event::Reminded { .. } => run.asked.is_some() && matches!(run.phase, Phase::Waiting { on: WaitingOn::Gate, .. }),
        Event::Waived { rule, step, .. } => WAIVABLE.contains(rule) && may_be_waived(run, step),
        Event::StepBegun { .. } | Event::StepDone { .. } => run.step().is_some(),
        Event::Released { withdrawn: true, .. } => run.released.is_some(),
        Event::Released { .. } => run.phase == Phase::Finished(Outcome::Succeeded),
        Event::Noticed { notice, .. } if run.is_finished() => run.is_watched() && *notice == Notice::UnprotectedTooLong,
        _ => true,
    };
    fits && edges::expected(PhaseKind::of(&run.phase), event).is_some()
}

/// What is set aside is for the step where the run stands, or for the one that its gate keeps waiting.
fn may_be_waived(run: &Run, step: &str) -> bool {
    run.step().into_iter().chain(late::kept_waiting(run)).any(|known| known.id == step)
}
