//! What a finished step leaves in a run.

use std::sync::Arc;

use jiff::Timestamp;

use super::command::Command;
use crate::domain::access::Recorded;
use crate::domain::action::{Kind, When};
use crate::domain::estimate;
use crate::domain::event::{Evidence, Notice};
use crate::domain::file::{FileEvidence, total};
use crate::domain::ids::NodeId;
use crate::domain::plan::Plan;
use crate::domain::run::{Checked, Frozen, Phase, Run, SyncEvidence};
use crate::domain::step::Step;
use crate::domain::unsynced;
use crate::domain::version::Version;

/// Marks the current step done and keeps what it leaves.
pub fn step_done(run: &mut Run, evidence: &Evidence, at: Timestamp) -> Vec<Command> {
    let Some(index) = run.position() else { return Vec::new() };
    let step = run.plan.steps[index].clone();
    link_proven(run, step.kind);
    let commands = effect(run, &step, evidence, at);
    run.progress[index].done_at = Some(at);
    let first = step.kind == Kind::Update && step.node.is_some_and(|node| run.nodes[node.other()].hops == 0);
    if let Some(took) = run.progress[index].measured().filter(|_| first) {
        let predicted = estimate::of_this_run(&run.plan.policy, Kind::Update, took);
        Arc::make_mut(&mut Arc::make_mut(&mut run.plan).fit).learn_update(predicted);
    }
    run.act = None;
    run.asked = None;
    end_waivers(run, &step.id);
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

/// What other hands did to the link is over once a step has proven it, there or gone.
fn link_proven(run: &mut Run, kind: Kind) {
    use Kind::{BreakFailover, CheckSync, EstablishFailover, FinalCheck, ForceSync};
    if matches!(kind, CheckSync | ForceSync | BreakFailover | EstablishFailover | FinalCheck) && run.unlinked_at.take().is_some()
    {
        run.notices.retain(|(notice, _)| !notice.is_of_the_exposure());
    }
}

/// The step is done, or stopped.
pub fn end_waivers(run: &mut Run, step: &str) {
    for waiver in run.waivers.iter_mut().filter(|waiver| waiver.step == step) {
        waiver.over = true;
    }
}

/// What a finished step means for the run: the counterpart of [`Facts::after`](crate::domain::facts::Facts::after), with real evidence.
fn effect(run: &mut Run, step: &Step, evidence: &Evidence, at: Timestamp) -> Vec<Command> {
    let node = step.node.unwrap_or(run.plan.primary);
    let until = run.act.as_ref().map_or(at, |act| act.since);
    let had_range = !unsynced::is_empty(run, until);
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
            record.extracted_at = had_range.then_some(at);
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
                run.checked = Some(Checked::new(at, results, run.checked.as_ref()));
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
