//! The fold itself: what each event makes of a run.

use jiff::Timestamp;

use super::command::Command;
use super::done::step_done;
use super::gates;
use super::orders::{
    awaited_of, book, closed, doubt_update, replaced, restart_soak, resumed, revised, switch_back, warning_accepted,
};
use crate::domain::action::Kind;
use crate::domain::check::AcceptedWarning;
use crate::domain::event::{Cause, Event, Notice, WaitingOn};
use crate::domain::facts::Link;
use crate::domain::ids::NodeId;
use crate::domain::ledger::Line;
use crate::domain::run::{Acknowledged, Act, Answer, Checked, Hold, Instruction, Phase, Release, Run, Waiver};

pub fn apply(run: &mut Run, event: &Event, at: Timestamp) -> Vec<Command> {
    match event {
        Event::Started { .. } | Event::Undelivered { .. } => {}
        Event::Recovered {} => recovered(run, at),
        Event::StepBegun { attempt, baseline } => {
            gates::begun(run);
            if run.step().is_some_and(|step| step.kind == Kind::LowerTtl) {
                run.ttl.get_or_insert_default().begun(&baseline.ttl);
            }
            if let Some(index) = run.position() {
                run.progress[index].attempts = *attempt;
                run.progress[index].tries += 1;
                run.progress[index].begun_at.get_or_insert(at);
                run.progress[index].ending = baseline.ending;
            }
            let act = Act { attempt: *attempt, since: at, baseline: baseline.clone(), accepted: false, instruction: None };
            run.act = Some(Box::new(act));
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
            disturb(run);
            // Whatever is waited for comes before the step begins anew: an instruction that is out is withdrawn.
            run.act = None;
            run.phase = Phase::Waiting { on: *on, since: at, until: *until };
            gates::waits(run, *on, at);
        }
        Event::RetryScheduled { until, .. } => {
            disturb(run);
            run.act = None;
            run.phase = Phase::Waiting { on: WaitingOn::Retry, since: at, until: Some(*until) };
        }
        Event::Doubted { message } => {
            disturb(run);
            doubt_update(run, at);
            run.phase = Phase::InDoubt { since: at, message: message.clone() };
        }
        Event::StepDone { evidence, already } => {
            if *already {
                disturb(run);
            }
            return step_done(run, evidence, at);
        }
        Event::EvidenceLapsed { step, rule } => {
            disturb(run);
            run.act = None;
            if let Some(index) = run.plan.steps.iter().position(|known| known.id == *step) {
                let progress = &mut run.progress[index];
                (progress.done_at, progress.begun_at, progress.disturbed) = (None, None, false);
                if let Some(lowered) = run.ttl.as_mut().filter(|_| run.plan.steps[index].kind == Kind::LowerTtl) {
                    lowered.proven_at = None;
                }
                gates::void(run, index, rule, at);
            }
            run.phase = Phase::Ready;
        }
        Event::Confirmed { gate, verdict, note, by, shown } => {
            let answer = Answer { by: by.clone(), verdict: *verdict, note: note.clone(), at, shown: shown.clone() };
            return gates::confirmed(run, *gate, answer);
        }
        Event::Reminded { escalated, .. } => gates::reminded(run, *escalated, at),
        Event::Denied { .. } => {}
        Event::Waived { rule, step, reason, by, shown } => {
            let (step, reason, by, shown) = (step.clone(), reason.clone(), by.clone(), shown.clone());
            gates::waived(run, Waiver { rule: *rule, step, by, reason, at, shown, used: false, over: false });
        }
        Event::Checked { results } => run.checked = Some(Checked::new(at, results, run.checked.as_ref())),
        Event::WarningAccepted { check, node, basis, reason, by, left } => {
            let word = AcceptedWarning {
                check: check.clone(),
                node: *node,
                basis: basis.clone(),
                reason: reason.clone(),
                by: by.clone(),
            };
            warning_accepted(run, word, left.is_empty());
        }
        Event::Held { code, message, found, node, given_up, .. } => {
            disturb(run);
            if code == "out_of_band" && *found == Link::Broken.describe() {
                run.unlinked_at = run.unlinked_at.or(Some(at));
            }
            // The break has had half of its effect: the pair is without failover from its order on.
            if code == "half_broken" {
                run.broken_at = run.broken_at.or(run.act.as_ref().map(|act| act.since));
            }
            run.act = run.act.take().filter(|_| !*given_up && run.phase != Phase::Acting);
            run.hold_requested = false;
            gates::held(run);
            let (code, message, found) = (code.clone(), message.clone(), found.clone());
            let exports = code == "window_missed";
            run.phase = Phase::Held(Hold { code, message, found, node: *node, since: at });
            return if exports { vec![Command::Export] } else { Vec::new() };
        }
        Event::HoldRequested {} => run.hold_requested = true,
        Event::Resumed { first, second, responsible } => {
            book(run, first.as_ref(), second.as_ref(), responsible.as_ref());
            resumed(run, at);
        }
        Event::SwitchBackOrdered { .. } => switch_back(run, at),
        Event::Revised { cause, goal, steps, seen, .. } => {
            revised(run, *goal, steps, seen, at);
            run.way_by_itself = matches!(cause, Cause::WindowEnds | Cause::GateExpired);
            return if *cause == Cause::WindowEnds { vec![Command::Export] } else { Vec::new() };
        }
        Event::NodeReplaced { node, identity, .. } => replaced(run, *node, identity, at),
        Event::Closed { off_since, .. } => return closed(run, *off_since, at),
        Event::Noticed { notice, node, raised, .. } => noticed(run, (*notice, *node), *raised, at),
        Event::SettingsCompared { lines, .. } => compared(run, lines),
        Event::LineAcknowledged { line, digest, by, note } => {
            let (digest, by, note) = (digest.clone(), by.clone(), note.clone());
            run.settings.acknowledged.insert(line.clone(), Acknowledged { digest, by, at, note });
        }
        Event::Finished { outcome } => {
            run.finished_at = Some(at);
            run.phase = Phase::Finished(*outcome);
            return vec![Command::Export];
        }
        Event::Released { by, note, withdrawn } => {
            run.released = (!withdrawn).then(|| Release { by: by.clone(), at, note: note.clone() });
        }
    }
    Vec::new()
}

/// What lies between the intent of the current step and its proof is not the act's own time.
fn disturb(run: &mut Run) {
    if let Some(index) = run.position() {
        run.progress[index].disturbed |= run.progress[index].begun_at.is_some();
    }
}

/// Nothing was read while the daemon was down: what is awaited of a reading is awaited anew, not held as not seen in time.
fn recovered(run: &mut Run, at: Timestamp) {
    run.resumed += 1;
    if let Phase::Waiting { on: WaitingOn::Appliance, since, .. } = &mut run.phase
        && run.act.is_none()
    {
        *since = at;
    }
}

fn accept(run: &mut Run) {
    if let Some(act) = &mut run.act {
        act.accepted = true;
    }
}

fn noticed(run: &mut Run, key: (Notice, Option<NodeId>), raised: bool, at: Timestamp) {
    if key.0 == Notice::SoakInUse {
        run.used_at = Some(at);
        return run.notices.retain(|(notice, _)| *notice != Notice::SoakInconclusive);
    }
    run.notices.retain(|known| *known != key);
    if key.0.is_soak_condition() && run.soak_restarts() && !run.is_in_window_two() {
        restart_soak(run, at);
    }
    // R9: what was extracted before is not all of it any more: neither when it begins nor when it is over.
    if let (Notice::StraySession | Notice::BackOpen, Some(node)) = key {
        run.nodes[node].extracted_at = None;
    }
    if raised {
        run.notices.push(key);
    } else if run.is_watched() {
        // The link was seen again: there is nothing left to look for.
        run.protected_at = Some(at);
        run.notices.retain(|(notice, _)| !notice.is_of_the_exposure());
    }
}

/// What was acknowledged as it was counts no more once it is something else, and so does the comparison before.
fn compared(run: &mut Run, lines: &[Line]) {
    run.settings.lines = lines.to_vec();
    if run.settings.open().next().is_some() {
        run.settings.settled_at = None;
    }
}
