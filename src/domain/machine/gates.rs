//! What becomes of gates and waivers: persons add up until a gate has enough of them, and what was shown stays beside the word.

use jiff::Timestamp;

use super::command::Command;
use super::done::{end_waivers, step_done};
use super::orders::go_on;
use crate::domain::action::{Kind, When};
use crate::domain::backups;
use crate::domain::event::{Evidence, Verdict, WaitingOn};
use crate::domain::gate::Gate;
use crate::domain::late;
use crate::domain::rule::Rule;
use crate::domain::run::{Answer, Asked, Bound, Hold, Phase, Run, Waiver};
use crate::domain::waiver::hold_code;

/// A person's word at a gate. A rejection by one holds the run at once: silence and refusal never lead on (R10). An acceptance
/// counts when there are as many persons as the policy asks for.
pub fn confirmed(run: &mut Run, gate: Gate, answer: Answer) -> Vec<Command> {
    let at = answer.at;
    if answer.verdict == Verdict::Reject {
        rejected(run, gate, &answer);
        return Vec::new();
    }
    // Accepted already, soaking still: the acceptance becomes an early one.
    if gate == Gate::Production && run.may_be_made_early() {
        run.verdict = Some(answer.verdict);
        return Vec::new();
    }
    if !take(run, gate, answer) {
        return Vec::new();
    }
    let answers = run.asked.take().map(|asked| asked.answers).unwrap_or_default();
    match gate {
        Gate::SyncStatus => {
            run.accepted_status = run.hold().map(|hold| hold.found.trim_matches('`').to_owned());
            go_on(run, at);
            Vec::new()
        }
        Gate::SmallerBackup => {
            backups::accept(run);
            go_on(run, at);
            Vec::new()
        }
        Gate::NodeClosed | Gate::NodeOpen => step_done(run, &Evidence::seen("a person's word"), at),
        _ => accepted(run, gate, &answers, at),
    }
}

/// Keeps an acceptance; true once there are enough.
fn take(run: &mut Run, gate: Gate, answer: Answer) -> bool {
    let policy = run.plan.policy.gate(gate);
    let at = answer.at;
    let asked = run.asked.take().filter(|asked| asked.gate == gate);
    let asked = run.asked.insert(asked.unwrap_or_else(|| Asked::new(gate, at)));
    asked.take(answer);
    asked.is_complete(&policy)
}

fn accepted(run: &mut Run, gate: Gate, answers: &[Answer], at: Timestamp) -> Vec<Command> {
    if gate == Gate::Production {
        let early = answers.iter().any(|answer| answer.verdict == Verdict::AcceptEarly);
        run.verdict = Some(if early { Verdict::AcceptEarly } else { Verdict::Accept });
    }
    let Some(step) = run.step().cloned().filter(|step| step.gate == Some(gate)) else { return Vec::new() };
    if gate == Gate::AutomaticFailoverOff {
        run.autopilot_off = Some(step.when);
    }
    let shown = answers.last().and_then(|answer| answer.shown.clone()).filter(|_| !gate.is_checklist());
    if let Some(shown) = shown {
        run.bound.push(Bound { gate, step: step.id.clone(), shown });
    }
    step_done(run, &Evidence::seen("confirmed by a person"), at)
}

/// Held, and asked again if a person lets the run go on.
fn rejected(run: &mut Run, gate: Gate, answer: &Answer) {
    // The run is held already, and stays so.
    if matches!(gate, Gate::SyncStatus | Gate::SmallerBackup) {
        return;
    }
    if gate == Gate::Production {
        run.verdict = Some(Verdict::Reject);
        reopen(run, gate);
    }
    let by = answer.by.as_ref().map_or_else(|| "a person".to_owned(), ToString::to_string);
    let why = answer.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
    let message = format!("the gate `{gate}` was rejected by {by}{why}");
    (run.act, run.asked) = (None, None);
    run.bound.retain(|bound| bound.gate != gate);
    let found = "rejected".to_owned();
    run.phase = Phase::Held(Hold { code: found.clone(), message, found, node: None, since: answer.at });
}

/// Rejected while it soaks, the version is asked about again before the soak goes on.
fn reopen(run: &mut Run, gate: Gate) {
    let Some(here) = run.position().filter(|_| run.is_rethinkable()) else { return };
    if let Some(index) = run.plan.steps[..here].iter().rposition(|step| step.gate == Some(gate)) {
        run.progress[index].done_at = None;
    }
}

/// A waiting begins: at a gate it opens it, unless it is open already; for a window it ends what was waived here.
pub fn waits(run: &mut Run, on: WaitingOn, at: Timestamp) {
    // The ledger's is no step's own: it opens while settings are compared.
    let gate = run.open_gate().filter(|_| on == WaitingOn::Gate);
    if let Some(gate) = gate {
        let known = run.asked.take().filter(|asked| asked.gate == gate);
        run.asked = Some(known.unwrap_or_else(|| Asked::new(gate, at)));
    }
    if on == WaitingOn::Window {
        held(run);
    }
}

pub fn reminded(run: &mut Run, escalated: bool, at: Timestamp) {
    if let Some(asked) = &mut run.asked {
        asked.reminded_at = Some(at);
        asked.escalated_at = asked.escalated_at.or(escalated.then_some(at));
    }
}

/// An act begins: from here on our own acts change what gates and waivers showed. The acceptance of the version stands until
/// window two acts.
pub fn begun(run: &mut Run) {
    let Some((id, when)) = run.step().map(|step| (step.id.clone(), step.when)) else { return };
    run.bound.retain(|bound| bound.gate == Gate::Production && when < When::Window2);
    for waiver in run.waivers.iter_mut().filter(|waiver| waiver.step == id) {
        waiver.used = true;
    }
}

/// A step is done once more: a confirmation of it counts no more. Where its evidence has changed, neither does what it stood for.
pub fn void(run: &mut Run, index: usize, rule: &str, at: Timestamp) {
    let step = run.plan.steps[index].clone();
    let was_bound = run.bound.iter().any(|bound| bound.step == step.id);
    run.bound.retain(|bound| bound.step != step.id);
    if rule != Rule::R10.name() {
        return;
    }
    run.asked = None;
    // Evidence that changes again and again is a person's.
    run.progress[index].tries += 1;
    match step.gate {
        // Only some of those who must have answered: nothing counted yet.
        _ if !was_bound => {}
        Some(Gate::Production) => void_production(run, at),
        Some(Gate::AutomaticFailoverOff) => run.autopilot_off = None,
        _ => {}
    }
}

/// With an early acceptance the waiver of the shortest soak is void too.
fn void_production(run: &mut Run, at: Timestamp) {
    let early = run.verdict.take() == Some(Verdict::AcceptEarly);
    let short = run.soak_from.is_none_or(|from| at < from + run.plan.shortest_soak());
    if !(early && short) {
        return;
    }
    run.soaked = false;
    for (_, progress) in run.plan.steps.iter().zip(run.progress.begun_mut()).filter(|(step, _)| step.kind == Kind::Soak) {
        progress.done_at = None;
    }
}

/// A promise is set aside for the step where the run stands; what stopped it for this rule stops it no more.
pub fn waived(run: &mut Run, waiver: Waiver) {
    let (code, at) = (hold_code(waiver.rule), waiver.at);
    run.waivers.push(waiver);
    if run.hold().is_some_and(|hold| hold.code != code) {
        return;
    }
    // A hold forgets who has answered, and since when the gate was open.
    if run.hold().is_some() {
        run.asked = None;
    }
    go_on(run, at);
}

/// What was waived for the present step, or for the one that it keeps waiting, holds no more: it was held, or waits for its window
/// again.
pub fn held(run: &mut Run) {
    let stopped: Vec<String> = run.step().into_iter().chain(late::kept_waiting(run)).map(|step| step.id.clone()).collect();
    for id in stopped {
        end_waivers(run, &id);
    }
}
