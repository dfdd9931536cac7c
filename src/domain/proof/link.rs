//! The failover link: broken, and established from the survivor.

use jiff::Timestamp;

use super::sync::{is_good, is_later, skew};
use super::verdict::{Failure, Proof, not_yet};
use crate::domain::action::Kind;
use crate::domain::event::Evidence;
use crate::domain::facts::Link;
use crate::domain::ids::NodeId;
use crate::domain::run::{Act, Phase, Run};
use crate::domain::site::{Role, SyncFact};
use crate::domain::world::World;

/// Both nodes report no relationship, by readings younger than the order (BG-21, R15).
pub(super) fn broken(run: &Run, act: &Act, world: &World) -> Proof {
    let young = NodeId::BOTH.into_iter().all(|node| world.readings[node].proven_after(act.since));
    match world.link() {
        Link::Broken if young => {
            // In doubt, or awaited through a hold: the pair may be without failover since the order.
            let late = matches!(run.phase, Phase::InDoubt { .. }) || run.at().is_some_and(|progress| progress.tries == 0);
            let found = "both nodes report no relationship".to_owned();
            Proof::Done(Evidence::Seen { found, since: late.then_some(act.since) })
        }
        // On a way home two primaries are what is to be mended.
        Link::BothPrimary if !run.is_ordered() => Proof::Failed(both_primary()),
        Link::Half if world.now.duration_since(act.since) > run.plan.limit(Kind::BreakFailover) => {
            Proof::Failed(half("half_broken", Link::Broken, world))
        }
        link => not_yet(format!("both nodes without relationship; now: {}", link.describe())),
    }
}

fn half(code: &'static str, expected: Link, world: &World) -> Failure {
    let role = |node: NodeId| world.readings[node].role().map_or("unread", Role::as_str);
    Failure::new(code, expected.describe(), format!("node `a` {}, node `b` {}", role(NodeId::A), role(NodeId::B)))
}

pub fn both_primary() -> Failure {
    Failure::new("role_conflict", "one primary at most", "both nodes primary")
}

/// Roles as asked, then one newer good sync (R1, R6).
pub(super) fn established(run: &Run, primary: NodeId, act: &Act, world: &World) -> Proof {
    let link = world.link();
    if link == (Link::Linked { primary: primary.other() }) {
        return Proof::Failed(reversed(primary));
    }
    if link == Link::BothPrimary {
        return Proof::Failed(both_primary());
    }
    if link == Link::Half && world.now.duration_since(act.since) > run.plan.limit(Kind::EstablishFailover) {
        return Proof::Failed(half("half_established", Link::Linked { primary }, world));
    }
    let young = NodeId::BOTH.into_iter().all(|node| world.readings[node].proven_after(act.since));
    if link != (Link::Linked { primary }) || !young {
        return not_yet(format!("node `{primary}` primary and node `{}` standby; now: {}", primary.other(), link.describe()));
    }
    let reading = &world.readings[primary];
    let skew = skew(run, primary, world);
    let is_new = |sync: &SyncFact| Some(sync) != act.baseline.sync.as_ref() && is_later(sync, act.since, skew);
    let Some(sync) = reading.sync().filter(|_| reading.shows_twice(is_new)) else {
        return not_yet(format!("the first sync from node `{primary}`"));
    };
    match is_good(run, sync, world.now) {
        Ok(()) => Proof::Done(Evidence::Sync { sync: sync.clone(), asked_at: act.since }),
        // A failed one that a person has seen, and resumed from, is not held against the run again.
        Err(_) if sync.at <= waiting_since(run, act) + skew => {
            not_yet(format!("a sync from node `{primary}` that is newer than the failed one"))
        }
        Err(failure) => Proof::Failed(failure.at(primary)),
    }
}

/// Established by a person: linked from the survivor, and a good sync since the break.
pub fn linked_by_hand(run: &Run, primary: NodeId, world: &World) -> Option<Evidence> {
    let reading = &world.readings[primary];
    let sync = reading.sync().filter(|sync| run.broken_at.is_some_and(|broken| sync.at > broken))?;
    let proven = world.link() == Link::Linked { primary } && is_good(run, sync, world.now).is_ok();
    proven.then(|| Evidence::Sync { sync: sync.clone(), asked_at: sync.at })
}

fn waiting_since(run: &Run, act: &Act) -> Timestamp {
    match run.phase {
        Phase::Waiting { since, .. } => since,
        _ => act.since,
    }
}

/// R8: the link runs the wrong way; a sync over it would overwrite the survivor.
pub fn reversed(primary: NodeId) -> Failure {
    let found = format!("node `{}` is primary: its next sync overwrites node `{primary}`; break the link now", primary.other());
    Failure::new("role_conflict", format!("node `{primary}` primary"), found)
}
