//! Syncs: asked for and seen, their verdict, and whether the pair is in sync.

use jiff::{SignedDuration, Timestamp};

use super::verdict::{Failure, Proof, not_yet};
use crate::domain::event::{Baseline, Evidence};
use crate::domain::facts::Link;
use crate::domain::ids::NodeId;
use crate::domain::run::{Act, Run};
use crate::domain::site::SyncFact;
use crate::domain::world::World;

/// R1 and BG-21: the primary's sync time differs from the one read before asking, is later than the asking on the
/// primary's own clock, and its status is good; where start and end can't be told apart, twice.
pub(super) fn force_sync(run: &Run, act: &Act, world: &World) -> Proof {
    let reading = &world.readings[run.plan.primary];
    let before = act.baseline.first_sync.as_ref().or(act.baseline.sync.as_ref());
    let Some(sync) = reading.sync().filter(|sync| Some(*sync) != before) else {
        return not_yet(format!("a sync on node `{}` that is newer than the one before", run.plan.primary));
    };
    let skew = skew(run, run.plan.primary, world);
    let is_new = |sync: &SyncFact| Some(sync) != before && is_later(sync, act.since, skew);
    if !is_new(sync) {
        return not_yet(format!("a sync that began after it was asked for; the last one is of {}", sync.at));
    }
    if !reading.shows_twice(is_new) {
        return not_yet("a second reading that shows a new sync");
    }
    if let Err(failure) = is_good(run, sync, world.now) {
        return Proof::Failed(failure.at(run.plan.primary));
    }
    if sync.ok.is_none() && act.baseline.first_sync.is_none() {
        let baseline = Baseline { first_sync: Some(sync.clone()), ..act.baseline.clone() };
        return Proof::SyncAgain(Box::new(baseline));
    }
    Proof::Done(Evidence::Sync { sync: sync.clone(), asked_at: act.since })
}

/// Later than the asking on the node's clock. Nodes state whole seconds, so the asking is rounded down to one.
pub(super) fn is_later(sync: &SyncFact, asked: Timestamp, skew: SignedDuration) -> bool {
    let asked = asked.checked_add(skew).unwrap_or(asked);
    sync.at.as_second() >= asked.as_second()
}

/// The node's clock minus ours where it is measured and within the policy's bound, else none.
pub(super) fn skew(run: &Run, node: NodeId, world: &World) -> SignedDuration {
    let measured = world.readings[node].current.as_ref().and_then(|observation| observation.clock_skew);
    measured.filter(|skew| skew.abs() <= run.plan.policy.max_clock_skew).unwrap_or(SignedDuration::ZERO)
}

/// A sync's verdict: the driver's own, its time against this machine's clock, and the status text against the policy's list.
pub fn is_good(run: &Run, sync: &SyncFact, now: Timestamp) -> Result<(), Failure> {
    let policy = &run.plan.policy;
    let status = sync.status.as_deref();
    if sync.ok == Some(false) {
        return Err(Failure::new("sync_failed", "a good sync", format!("a failed one: {}", status.unwrap_or("no status text"))));
    }
    if sync.is_ahead(now, policy) {
        let (expected, found) = (format!("a sync of before {now}"), format!("one that is dated {}", sync.at));
        return Err(Failure::new("clock_skew", expected, found));
    }
    let known = status.is_none_or(|text| policy.sync_ok_statuses.iter().any(|ok| ok.eq_ignore_ascii_case(text)));
    let accepted = status.is_some() && run.accepted_status.as_deref() == status;
    if !known && !accepted {
        let found = format!("`{}`", status.unwrap_or_default());
        return Err(Failure::new("sync_status_unknown", "a sync status of `policy.sync_ok_statuses`", found));
    }
    if sync.ok.is_none() && status.is_none() {
        return Err(Failure::new("sync_status_unknown", "a verdict on the sync", "neither verdict nor status text"));
    }
    Ok(())
}

/// BG-20: linked as planned, equal, and the last sync was good.
pub(super) fn in_sync(run: &Run, world: &World) -> Proof {
    let primary = run.plan.primary;
    let reading = &world.readings[primary];
    if world.link() == Link::Unknown {
        return not_yet("a reading of both nodes");
    }
    if world.link() != (Link::Linked { primary }) {
        let expected = Link::Linked { primary }.describe();
        return Proof::Failed(Failure::new("not_in_sync", expected, world.link().describe()));
    }
    match reading.sync().map(|sync| is_good(run, sync, world.now)) {
        Some(Err(failure)) => Proof::Failed(failure.at(primary)),
        Some(Ok(())) => {
            let at = reading.sync().map_or_else(String::new, |sync| sync.at.to_string());
            Proof::Done(Evidence::seen(format!("linked, node `{primary}` primary, last sync {at}")))
        }
        None => Proof::Done(Evidence::seen(format!("linked, node `{primary}` primary, no sync reported yet"))),
    }
}
