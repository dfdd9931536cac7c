//! Versions and builds after an update.

use jiff::Timestamp;

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

/// A person began the update they were told of, and it failed: the node was silent for longer than any restart takes, and is back
/// on its old version. The instruction must not stand as if nobody had begun.
pub fn came_back(run: &Run, step: &Step, world: &World) -> Option<Failure> {
    let (Kind::Update, Some(node), Some(act)) = (step.kind, step.node, run.act.as_ref()) else { return None };
    let reading = &world.readings[node];
    let (from, until) = reading.last_silence.filter(|(from, _)| *from >= act.since)?;
    let silent = until.duration_since(from);
    let current = reading.current.as_ref().filter(|current| current.version == run.expected_version(node).version)?;
    let failed = silent > run.plan.policy.max_silence && reading.healthy_twice() && reading.proven_after(until);
    let found = || format!("it was silent for {} min and runs {} still", silent.as_mins(), current.version);
    let target = &run.plan.target_of(step.hop).version;
    failed.then(|| Failure::new("step_failed", format!("version {target} on node `{node}`"), found()).at(node))
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
