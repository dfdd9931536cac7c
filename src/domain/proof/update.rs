//! Versions and builds after an update.

use jiff::{SignedDuration, Timestamp};

use super::verdict::{Failure, Proof, not_yet};
use crate::domain::action::Kind;
use crate::domain::event::Evidence;
use crate::domain::ids::NodeId;
use crate::domain::run::Run;
use crate::domain::step::Step;
use crate::domain::world::World;

/// The expected version and build, healthy, no longer updating.
pub(super) fn updated(run: &Run, node: NodeId, hop: u32, since: Timestamp, world: &World) -> Proof {
    let reading = &world.readings[node];
    let Some(current) = &reading.current else {
        return not_yet(format!("node `{node}` to answer again; a box that is silent while it updates is healthy"));
    };
    if current.updating {
        return not_yet(format!("node `{node}` to finish its update"));
    }
    let target = &run.plan.target_of(hop).version;
    if current.version != *target {
        let before = run.expected_version(node);
        let as_before = current.version == before.version && !is_foreign(before.build.as_deref(), current.build.as_deref());
        if as_before || !reading.proven_after(since) {
            return not_yet(format!("version {target} on node `{node}`; it shows {}", current.version));
        }
        let build = current.build.as_ref().map(|build| format!(", build {build}")).unwrap_or_default();
        let found = format!("version {}{build}", current.version);
        return Proof::Failed(Failure::new("wrong_version", format!("version {target} on node `{node}`"), found).at(node));
    }
    if !reading.proven_after(since) || !reading.healthy_twice() {
        return not_yet(format!("two healthy readings of node `{node}` on {target}"));
    }
    match wrong_build(run.build_of(hop), node, current.build.as_deref()) {
        Some(failure) => Proof::Failed(failure),
        None => Proof::Done(Evidence::Version { version: current.version.to_string(), build: current.build.clone() }),
    }
}

/// Both nodes are looked at together; the answers of one look are not further apart.
const ONE_LOOK: SignedDuration = SignedDuration::from_mins(1);

/// A person began the update they were told of, and it failed: the node was away for long enough to have restarted, alone, and is
/// back, healthy, on its old version. The instruction must not stand as if nobody had begun. How long a silence a site puts up with
/// elsewhere (`policy.max_silence`) does not matter here.
pub fn came_back(run: &Run, step: &Step, world: &World) -> Option<Failure> {
    let (Kind::Update, Some(node), Some(act)) = (step.kind, step.node, run.act.as_ref()) else { return None };
    let reading = &world.readings[node];
    let (from, until) = reading.was_away_since(act.since).filter(|away| !were_both_away(node, *away, world))?;
    let current = reading.current.as_ref().filter(|current| current.version == run.expected_version(node).version)?;
    let failed = reading.healthy_twice() && reading.proven_after(until);
    let silent = until.duration_since(from).as_mins();
    let found = || format!("it was silent for {silent} min and runs {} still", current.version);
    let target = &run.plan.target_of(step.hop).version;
    failed.then(|| Failure::new("step_failed", format!("version {target} on node `{node}`"), found()).at(node))
}

/// The other node was silent for all of that time and came back, too: it was our way to them, and tells nothing of an update.
fn were_both_away(node: NodeId, (from, until): (Timestamp, Timestamp), world: &World) -> bool {
    let other = world.readings[node.other()].last_silence;
    other.is_some_and(|(since, back)| since <= from + ONE_LOOK && back + ONE_LOOK >= until)
}

/// On the version that it had before, but a build that it did not have: something else was installed.
fn is_foreign(before: Option<&str>, build: Option<&str>) -> bool {
    before.is_some() && build.is_some() && before != build
}

fn wrong_build(expected: Option<String>, node: NodeId, found: Option<&str>) -> Option<Failure> {
    let (expected, found) = (expected?, found?);
    let failure =
        || Failure::new("wrong_version", format!("build {expected} on node `{node}`"), format!("build {found}")).at(node);
    (expected != found).then(failure)
}
