//! The fold itself: what each event makes of a run.

use std::sync::Arc;

use jiff::Timestamp;

use super::Command;
use super::gates;
use super::orders::{book, closed, replaced, resumed, revised, switch_back, warning_accepted};
use crate::domain::access::Recorded;
use crate::domain::action::{Kind, When};
use crate::domain::asked::Answer;
use crate::domain::checks::AcceptedWarning;
use crate::domain::estimate;
use crate::domain::event::{Cause, Event, Evidence, FileEvidence, Notice, Verdict, WaitingOn, total};
use crate::domain::ids::NodeId;
use crate::domain::ledger::Line;
use crate::domain::plan::Plan;
use crate::domain::rehearsal::Release;
use crate::domain::run::{Act, Checked, Hold, Instruction, Phase, Run, SyncEvidence};
use crate::domain::settings::{Acknowledged, Frozen};
use crate::domain::step::Step;
use crate::domain::version::Version;
use crate::domain::waiver::Waiver;

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
        Event::Checked { results } => run.checked = Some(Checked { at, results: results.clone() }),
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
        Event::Held { code, message, found, given_up, .. } => {
            disturb(run);
            // The break has had half of its effect: the pair is without failover from its order on.
            if code == "half_broken" {
                run.broken_at = run.broken_at.or(run.act.as_ref().map(|act| act.since));
            }
            run.act = run.act.take().filter(|_| !*given_up && run.phase != Phase::Acting);
            run.hold_requested = false;
            gates::held(run);
            run.phase = Phase::Held(Hold { code: code.clone(), message: message.clone(), found: found.clone(), since: at });
            return if code == "window_missed" { vec![Command::Export] } else { Vec::new() };
        }
        Event::HoldRequested {} => run.hold_requested = true,
        Event::Resumed { first, second, responsible } => {
            book(run, first.as_ref(), second.as_ref(), responsible.as_ref());
            resumed(run, at);
        }
        Event::SwitchBackOrdered { .. } => switch_back(run, at),
        Event::Revised { cause, goal, steps, seen, .. } => {
            revised(run, *goal, steps, seen, at);
            return if *cause == Cause::WindowEnds { vec![Command::Export] } else { Vec::new() };
        }
        Event::NodeReplaced { node, identity, .. } => replaced(run, *node, identity, at),
        Event::Closed { .. } => return closed(run, at),
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

/// The update under way, if one is, may have its effect whatever becomes of the run's steps.
pub fn doubt_update(run: &mut Run, at: Timestamp) {
    if let Some(node) = run.step().and_then(|step| step.node).filter(|_| run.is_at(Kind::Update)) {
        run.nodes[node].update_in_doubt = Some(at);
    }
}

pub fn awaited_of(run: &Run) -> WaitingOn {
    match run.step().map(|step| step.kind) {
        _ if run.act.as_ref().is_some_and(|act| act.instruction.is_some()) => WaitingOn::Operator,
        Some(Kind::SwitchTraffic | Kind::LowerTtl | Kind::RestoreTtl) => WaitingOn::Traffic,
        _ => WaitingOn::Appliance,
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

/// The soak's clock begins anew: at the failure's end, and at its begin too, so that what was over is not over meanwhile. A word
/// that the rest of it need not be awaited was given before the failure.
pub fn restart_soak(run: &mut Run, at: Timestamp) {
    (run.soak_from, run.soaked, run.used_at) = (Some(at), false, None);
    run.notices.retain(|(notice, _)| *notice != Notice::SoakInconclusive);
    run.verdict = run.verdict.map(|verdict| if verdict == Verdict::AcceptEarly { Verdict::Accept } else { verdict });
    for (step, progress) in run.plan.steps.iter().zip(&mut run.progress) {
        if step.kind == Kind::Soak {
            progress.done_at = None;
        }
    }
}

/// Marks the current step done and keeps what it leaves.
pub fn step_done(run: &mut Run, evidence: &Evidence, at: Timestamp) -> Vec<Command> {
    let Some(index) = run.position() else { return Vec::new() };
    let step = run.plan.steps[index].clone();
    let commands = effect(run, &step, evidence, at);
    run.progress[index].done_at = Some(at);
    let first = step.kind == Kind::Update && step.node.is_some_and(|node| run.nodes[node.other()].hops == 0);
    if let Some(took) = run.progress[index].measured().filter(|_| first) {
        let predicted = estimate::of_this_run(&run.plan.policy, Kind::Update, took);
        Arc::make_mut(&mut Arc::make_mut(&mut run.plan).fit).learn_update(predicted);
    }
    run.act = None;
    run.asked = None;
    gates::end_waivers(run, &step.id);
    run.phase = Phase::Ready;
    if run.step().is_none_or(|next| next.when != step.when) {
        run.acknowledged.clear();
        run.notices.retain(|(notice, _)| *notice != Notice::WindowClosing);
    }
    if step.when >= When::Window2 {
        run.notices.retain(|(notice, _)| !notice.is_of_the_soak());
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
        Kind::Backup => {
            record.backup = first_file(evidence).map(|file| (at, file));
            record.accepted_bytes = None;
        }
        Kind::ForceSync => {
            run.sync = sync_of(evidence, at);
            run.accepted_status = None;
        }
        Kind::BreakFailover => {
            // A link that came back unplanned and was broken again: the pair was without failover since the first break.
            run.broken_at = run.broken_at.or(since_of(evidence)).or(Some(at));
            run.protected_at = None;
            touch_both(run, at);
            return vec![Command::Export];
        }
        Kind::RecordSettings => {
            run.settings = recorded(evidence);
        }
        Kind::CompareSettings => run.settings.settled_at = Some(at),
        Kind::Update => {
            record.hops = hops_after(&run.plan, step, evidence);
            record.updated = record.hops >= run.plan.hop_count();
            record.updated_at = Some(at);
            record.update_in_doubt = None;
            record.touched_at = Some(at);
            if let Evidence::Version { build, .. } = evidence {
                record.build.clone_from(build);
            }
        }
        Kind::Verify => record.verified_at = Some(at),
        Kind::Quiesce => record.closed_at = Some(at),
        Kind::Reopen => record.closed_at = None,
        Kind::ExtractData => {
            record.extracted_at = Some(at);
            record.extracted_records = records_of(evidence);
            record.extracted_bytes = bytes_of(evidence);
        }
        Kind::SwitchTraffic => {
            record.served_until = None;
            run.nodes[node.other()].served_until = Some(at);
            run.survivor = node;
            run.settings.settled_at = None;
            return vec![Command::Export];
        }
        Kind::Soak => run.soaked = true,
        Kind::LowerTtl => {
            if let Evidence::Ttl { names, negative, .. } = evidence {
                run.ttl.get_or_insert_default().proven(names, *negative, at);
            }
        }
        Kind::RestoreTtl => {
            if let Some(lowered) = &mut run.ttl {
                lowered.restored = true;
            }
        }
        Kind::EstablishFailover => {
            run.protected_at = Some(at);
            run.notices.retain(|(notice, _)| !notice.is_of_the_exposure());
            run.accepted_status = None;
            touch_both(run, at);
        }
        Kind::Preflight => {
            if let Evidence::Checks { results } = evidence {
                run.checked = Some(Checked { at, results: results.clone() });
                run.access = Recorded::among(results, at);
            }
        }
        Kind::CheckSync | Kind::Drain | Kind::Confirm | Kind::FinalCheck => {}
    }
    Vec::new()
}

/// The hops that a node has behind it: by what it shows, since a person may have installed more than was asked for.
fn hops_after(plan: &Plan, step: &Step, evidence: &Evidence) -> u32 {
    let shown: Option<Version> = match evidence {
        Evidence::Version { version, .. } => version.parse().ok(),
        _ => None,
    };
    shown.and_then(|version| plan.hops_done(&version)).unwrap_or_default().max(step.hop + 1)
}

fn since_of(evidence: &Evidence) -> Option<Timestamp> {
    match evidence {
        Evidence::Seen { since, .. } => *since,
        _ => None,
    }
}

fn touch_both(run: &mut Run, at: Timestamp) {
    for node in NodeId::BOTH {
        run.nodes[node].touched_at = Some(at);
    }
}

fn first_file(evidence: &Evidence) -> Option<FileEvidence> {
    match evidence {
        Evidence::Files { files, .. } => files.first().cloned(),
        _ => None,
    }
}

/// What was listed at the break, and what could not be.
fn recorded(evidence: &Evidence) -> Frozen {
    match evidence {
        Evidence::Settings { snapshot, unread, .. } => {
            Frozen { snapshot: snapshot.clone(), unread: unread.clone(), ..Frozen::default() }
        }
        _ => Frozen::default(),
    }
}

/// What was acknowledged as it was counts no more once it is something else, and so does the comparison before.
fn compared(run: &mut Run, lines: &[Line]) {
    run.settings.lines = lines.to_vec();
    if run.settings.open().next().is_some() {
        run.settings.settled_at = None;
    }
}

fn records_of(evidence: &Evidence) -> Option<u64> {
    match evidence {
        Evidence::Files { records, .. } => *records,
        _ => None,
    }
}

fn bytes_of(evidence: &Evidence) -> Option<u64> {
    match evidence {
        Evidence::Files { files, bytes, .. } => Some(bytes.unwrap_or_else(|| total(files))),
        _ => None,
    }
}

fn sync_of(evidence: &Evidence, at: Timestamp) -> Option<SyncEvidence> {
    match evidence {
        Evidence::Sync { sync, .. } => Some(SyncEvidence { sync: sync.clone(), proven_at: at }),
        _ => None,
    }
}
