//! The only place where a run changes: the fold of an event over a run.
//!
//! Live running and replay after a crash are the same function. Which event comes next is [`super::decide`]'s business.

use jiff::Timestamp;

use super::action::{Gate, Kind, When};
use super::event::{Event, Evidence, Notice, Verdict, WaitingOn};
use super::ids::{NodeId, PerNode, RunId};
use super::journal::{self, ChainError, Record};
use super::plan::Plan;
use super::run::{Act, Hold, Instruction, Phase, Progress, Run, SyncEvidence};
use super::step::Step;

/// What the engine does after the record is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Send the act of the current step.
    Act,
    /// Send the journal and the by-hand sheet to the places off this host.
    Export,
}

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
    Run {
        id,
        started_by: actor.to_owned(),
        started_at: at,
        finished_at: None,
        seq: 0,
        last_at: at,
        head: journal::GENESIS.to_owned(),
        phase: Phase::Ready,
        progress: vec![Progress::default(); plan.steps.len()],
        act: None,
        windows: plan.windows.clone(),
        nodes: PerNode::default(),
        survivor: plan.primary,
        sync: None,
        broken_at: None,
        protected_at: None,
        autopilot_off: None,
        verdict: None,
        soak_from: None,
        soaked: false,
        accepted_status: None,
        hold_requested: false,
        acknowledged: Vec::new(),
        switched_back: false,
        resumed: 0,
        instructions: 0,
        notices: Vec::new(),
        plan,
    }
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
            event: event.to_parts().0,
        });
    }
    let mut run = run.clone();
    let commands = apply(&mut run, event, at);
    Ok((run, commands))
}

/// The phase's word in messages and JSON.
pub fn phase_name(phase: &Phase) -> &'static str {
    match phase {
        Phase::Ready => "ready",
        Phase::Acting => "acting",
        Phase::Waiting { .. } => "waiting",
        Phase::InDoubt { .. } => "in_doubt",
        Phase::Held(_) => "held",
        Phase::Finished(_) => "finished",
    }
}

/// The table of phases and the events that they expect.
fn is_expected(run: &Run, event: &Event) -> bool {
    use Event as E;
    let told = matches!(event, E::Recovered {} | E::HoldRequested {} | E::Noticed { .. } | E::Undelivered { .. });
    match &run.phase {
        // A finished run only learns that one of its alerts was never delivered.
        Phase::Finished(_) => matches!(event, E::Undelivered { .. }),
        Phase::Ready => {
            told || matches!(
                event,
                E::StepBegun { .. }
                    | E::Waited { .. }
                    | E::StepDone { .. }
                    | E::EvidenceLapsed { .. }
                    | E::Held { .. }
                    | E::SwitchBackOrdered { .. }
                    | E::Finished { .. }
            )
        }
        Phase::Acting => {
            told || matches!(
                event,
                E::ActAccepted {}
                    | E::Instructed { .. }
                    | E::StepDone { .. }
                    | E::RetryScheduled { .. }
                    | E::Doubted { .. }
                    | E::Held { .. }
            )
        }
        Phase::Waiting { .. } => {
            let answers = matches!(event, E::Confirmed { .. } | E::Resumed { .. } | E::SwitchBackOrdered { .. });
            let goes_on = matches!(
                event,
                E::StepBegun { .. }
                    | E::Waited { .. }
                    | E::StepDone { .. }
                    | E::EvidenceLapsed { .. }
                    | E::Doubted { .. }
                    | E::Held { .. }
                    | E::Finished { .. }
            );
            told || answers || goes_on
        }
        Phase::InDoubt { .. } => {
            told || matches!(
                event,
                E::StepBegun { .. }
                    | E::Waited { .. }
                    | E::StepDone { .. }
                    | E::EvidenceLapsed { .. }
                    | E::Held { .. }
                    | E::Resumed { .. }
                    | E::SwitchBackOrdered { .. }
            )
        }
        Phase::Held(_) => told || matches!(event, E::Resumed { .. } | E::Confirmed { .. } | E::SwitchBackOrdered { .. }),
    }
}

fn apply(run: &mut Run, event: &Event, at: Timestamp) -> Vec<Command> {
    match event {
        Event::Started { .. } | Event::Undelivered { .. } => {}
        Event::Recovered {} => run.resumed += 1,
        Event::StepBegun { attempt, baseline } => {
            if let Some(index) = run.position() {
                run.progress[index].attempts = *attempt;
                run.progress[index].tries += 1;
            }
            run.act = Some(Act { attempt: *attempt, since: at, baseline: baseline.clone(), accepted: false, instruction: None });
            run.phase = Phase::Acting;
            return vec![Command::Act];
        }
        Event::ActAccepted {} => {
            accept(run);
            run.phase = Phase::Waiting { on: awaited_of(run), since: at, until: None };
        }
        Event::Instructed { number, not_after, lines } => {
            run.instructions = *number;
            if let Some(act) = &mut run.act {
                act.instruction = Some(Instruction { number: *number, not_after: *not_after, lines: lines.clone() });
            }
            run.phase = Phase::Waiting { on: WaitingOn::Operator, since: at, until: *not_after };
        }
        Event::Waited { on, until } => {
            // Whatever is waited for comes before the step begins anew: an instruction that is out is withdrawn.
            run.act = None;
            run.phase = Phase::Waiting { on: *on, since: at, until: *until };
        }
        Event::RetryScheduled { until, .. } => {
            run.act = None;
            run.phase = Phase::Waiting { on: WaitingOn::Retry, since: at, until: Some(*until) };
        }
        Event::Doubted { message } => run.phase = Phase::InDoubt { since: at, message: message.clone() },
        Event::StepDone { evidence, .. } => return step_done(run, evidence, at),
        Event::EvidenceLapsed { step, .. } => {
            run.act = None;
            if let Some(index) = run.plan.steps.iter().position(|known| known.id == *step) {
                run.progress[index].done_at = None;
            }
            run.phase = Phase::Ready;
        }
        Event::Confirmed { gate, verdict, .. } => return confirmed(run, *gate, *verdict, at),
        Event::Held { code, message, found, given_up, .. } => {
            run.act = run.act.take().filter(|_| !*given_up && run.phase != Phase::Acting);
            run.hold_requested = false;
            run.phase = Phase::Held(Hold { code: code.clone(), message: message.clone(), found: found.clone(), since: at });
            return if code == "window_missed" { vec![Command::Export] } else { Vec::new() };
        }
        Event::HoldRequested {} => run.hold_requested = true,
        Event::Resumed { first, second } => resumed(run, first.is_some() || second.is_some(), at, |windows| {
            windows.first = first.clone().or(windows.first.take());
            windows.second = second.clone().or(windows.second.take());
        }),
        Event::SwitchBackOrdered { .. } => switch_back(run),
        Event::Noticed { notice, node, raised, .. } => noticed(run, (*notice, *node), *raised),
        Event::Finished { outcome } => {
            run.finished_at = Some(at);
            run.phase = Phase::Finished(*outcome);
            return vec![Command::Export];
        }
    }
    Vec::new()
}

fn accept(run: &mut Run) {
    if let Some(act) = &mut run.act {
        act.accepted = true;
    }
}

fn awaited_of(run: &Run) -> WaitingOn {
    match run.step().map(|step| step.kind) {
        _ if run.act.as_ref().is_some_and(|act| act.instruction.is_some()) => WaitingOn::Operator,
        Some(Kind::SwitchTraffic) => WaitingOn::Traffic,
        _ => WaitingOn::Appliance,
    }
}

fn noticed(run: &mut Run, key: (Notice, Option<NodeId>), raised: bool) {
    run.notices.retain(|known| *known != key);
    if raised {
        run.notices.push(key);
    }
}

/// Marks the current step done and keeps what it leaves.
fn step_done(run: &mut Run, evidence: &Evidence, at: Timestamp) -> Vec<Command> {
    let Some(index) = run.position() else { return Vec::new() };
    let step = run.plan.steps[index].clone();
    let commands = effect(run, &step, evidence, at);
    run.progress[index].done_at = Some(at);
    run.act = None;
    run.phase = Phase::Ready;
    if run.step().is_none_or(|next| next.when != step.when) {
        run.acknowledged.clear();
        run.notices.retain(|(notice, _)| *notice != Notice::WindowClosing);
    }
    if step.when == When::Window1 && run.step().is_some_and(|next| next.when > When::Window1) && run.soak_from.is_none() {
        run.soak_from = Some(at);
        return vec![Command::Export];
    }
    commands
}

/// What a finished step means for the run: the counterpart of [`super::facts::Facts::after`], with real evidence.
fn effect(run: &mut Run, step: &Step, evidence: &Evidence, at: Timestamp) -> Vec<Command> {
    let node = step.node.unwrap_or(run.plan.primary);
    let record = &mut run.nodes[node];
    match step.kind {
        Kind::Backup => record.backup = first_file(evidence).map(|file| (at, file)),
        Kind::ForceSync => {
            run.sync = sync_of(evidence, at);
            run.accepted_status = None;
        }
        Kind::BreakFailover => {
            run.broken_at = Some(at);
            touch_both(run, at);
            return vec![Command::Export];
        }
        Kind::Update => {
            record.updated = true;
            record.touched_at = Some(at);
            if let Evidence::Version { build, .. } = evidence {
                record.build.clone_from(build);
            }
        }
        Kind::Verify => record.verified_at = Some(at),
        Kind::Quiesce => record.closed_at = Some(at),
        Kind::Reopen => record.closed_at = None,
        Kind::ExtractData => record.extracted_at = Some(at),
        Kind::SwitchTraffic => {
            record.served_until = None;
            run.nodes[node.other()].served_until = Some(at);
            run.survivor = node;
            return vec![Command::Export];
        }
        Kind::Soak => run.soaked = true,
        Kind::EstablishFailover => {
            run.protected_at = Some(at);
            run.accepted_status = None;
            touch_both(run, at);
        }
        Kind::Preflight | Kind::CheckSync | Kind::Drain | Kind::Confirm | Kind::FinalCheck => {}
    }
    Vec::new()
}

fn touch_both(run: &mut Run, at: Timestamp) {
    for node in NodeId::BOTH {
        run.nodes[node].touched_at = Some(at);
    }
}

fn first_file(evidence: &Evidence) -> Option<super::event::FileEvidence> {
    match evidence {
        Evidence::Files { files, .. } => files.first().cloned(),
        _ => None,
    }
}

fn sync_of(evidence: &Evidence, at: Timestamp) -> Option<SyncEvidence> {
    match evidence {
        Evidence::Sync { sync, .. } => Some(SyncEvidence { sync: sync.clone(), proven_at: at }),
        _ => None,
    }
}

/// A person's word at a gate. A rejection holds the run: silence and refusal never lead on (R10).
fn confirmed(run: &mut Run, gate: Gate, verdict: Verdict, at: Timestamp) -> Vec<Command> {
    if gate == Gate::SyncStatus {
        // Rejected, the run stays held as it is.
        if verdict != Verdict::Reject {
            run.accepted_status = run.hold().map(|hold| hold.found.trim_matches('`').to_owned());
            go_on(run, at);
        }
        return Vec::new();
    }
    if gate == Gate::NodeClosed && verdict != Verdict::Reject {
        return step_done(run, &Evidence::seen("a person's word"), at);
    }
    if gate == Gate::Production {
        run.verdict = Some(verdict);
    }
    if verdict == Verdict::Reject {
        let message = format!("the gate `{gate}` was rejected by a person");
        let found = "rejected".to_owned();
        run.act = None;
        run.phase = Phase::Held(Hold { code: found.clone(), message, found, since: at });
        return Vec::new();
    }
    let Some(step) = run.step().cloned().filter(|step| step.gate == Some(gate)) else { return Vec::new() };
    if gate == Gate::AutomaticFailoverOff {
        run.autopilot_off = Some(step.when);
    }
    step_done(run, &Evidence::seen("confirmed by a person"), at)
}

/// Goes on after a hold, a doubt, or with another window.
fn resumed(run: &mut Run, rebooked: bool, at: Timestamp, book: impl FnOnce(&mut super::plan::Windows)) {
    if rebooked {
        book(&mut run.windows);
        // R17: it was confirmed for the window that is gone.
        run.autopilot_off = None;
        run.notices.retain(|(notice, _)| *notice != Notice::WindowClosing);
    }
    // A resumption takes more than the reserve: there is space again.
    run.notices.retain(|(notice, _)| *notice != Notice::StoreLow);
    run.hold_requested = false;
    let surprise = run.hold().filter(|hold| matches!(hold.code.as_str(), "out_of_band" | "role_conflict"));
    if let Some(seen) = surprise.map(|hold| hold.message.clone()).filter(|seen| !run.acknowledged.contains(seen)) {
        run.acknowledged.push(seen);
    }
    for progress in &mut run.progress {
        progress.tries = 0;
    }
    go_on(run, at);
}

/// Leaves a hold or a doubt: an act that was kept through a hold is awaited further, else the step begins anew.
fn go_on(run: &mut Run, at: Timestamp) {
    run.act = run.act.take().filter(|_| run.hold().is_some());
    run.phase = match run.act {
        Some(_) => Phase::Waiting { on: awaited_of(run), since: at, until: None },
        None => Phase::Ready,
    };
}

/// The fixed path back: open the node that traffic was taken from, prove that it can serve, move the name, close the
/// other and take its data. It replaces all steps that are not done; what follows is a person's decision.
fn switch_back(run: &mut Run) {
    let (to, from) = (run.survivor.other(), run.survivor);
    let here = run.position().unwrap_or(run.plan.steps.len());
    let when = run.step().map_or(When::Soak, |step| step.when);
    run.plan.steps.truncate(here);
    run.progress.truncate(here);
    let path =
        [(Kind::Reopen, to), (Kind::Verify, to), (Kind::SwitchTraffic, to), (Kind::Quiesce, from), (Kind::ExtractData, from)];
    for (kind, node) in path {
        let id = format!("switch-back.{kind}.{node}");
        run.plan.steps.push(Step { id, when, kind, node: Some(node), gate: None });
        run.progress.push(Progress::default());
    }
    run.switched_back = true;
    run.act = None;
    run.phase = Phase::Ready;
}

impl Run {
    /// True if traffic may be ordered back: a switch is proven, failover is not established again, and nothing of an
    /// update or establish is under way.
    pub fn may_switch_back(&self) -> bool {
        let switched = self.survivor != self.plan.primary && self.unprotected_since().is_some();
        let busy = matches!(self.phase, Phase::Acting) || self.is_at(Kind::Update) || self.is_at(Kind::EstablishFailover);
        switched && !self.switched_back && !busy
    }
}
