//! How each action is recognised as done: from readings, never from an answer (contract: "Done is proved so").

mod clients;
mod link;
mod settings;
mod sync;
mod traffic;
mod ttl;
mod update;
mod verdict;

use jiff::Timestamp;

use super::action::Kind;
use super::event::Evidence;
use super::facts::Link;
use super::ids::NodeId;
use super::run::{Act, Phase, Run};
use super::site::{Observation, Role};
use super::step::Step;
use super::world::World;
use clients::{closed, emptied, opened};
use link::{broken, established};
use sync::{force_sync, in_sync};
use traffic::switched;
use update::updated;
use verdict::not_yet;

pub use clients::left_on;
pub use link::{both_primary, linked_by_hand, reversed};
pub use traffic::switched_but;
pub use ttl::{is_lowered, is_restored};
pub use update::came_back;
pub use verdict::{Failure, Proof};

/// Looks for the effect of the act that is under way.
pub fn of_act(run: &Run, step: &Step, act: &Act, world: &World) -> Proof {
    let node = step.node.unwrap_or(run.plan.primary);
    match step.kind {
        Kind::ForceSync => force_sync(run, act, world),
        Kind::BreakFailover => broken(run, act, world),
        Kind::Update => updated(run, node, step.hop, act.since, world),
        Kind::EstablishFailover => established(run, node, act, world),
        Kind::Drain => emptied(node, act, world),
        Kind::Quiesce => closed(node, act, world),
        Kind::Reopen => opened(node, act, world),
        Kind::SwitchTraffic => switched(run, node, world),
        Kind::LowerTtl => ttl::is_lowered(run, world),
        Kind::RestoreTtl => ttl::is_restored(run, world),
        Kind::Backup | Kind::ExtractData => not_yet("its files"),
        Kind::Preflight
        | Kind::CheckSync
        | Kind::RecordSettings
        | Kind::Verify
        | Kind::Confirm
        | Kind::Soak
        | Kind::CompareSettings
        | Kind::FinalCheck => of_look(run, step, world),
    }
}

/// Judges a step that only looks.
pub fn of_look(run: &Run, step: &Step, world: &World) -> Proof {
    match step.kind {
        Kind::CheckSync => in_sync(run, world),
        Kind::Verify => verified(run, step.node.unwrap_or(run.plan.primary), world),
        Kind::FinalCheck => final_check(run, world),
        Kind::RecordSettings | Kind::CompareSettings => settings::of_look(run, step, world),
        _ => not_yet("nothing: this step is decided elsewhere"),
    }
}

/// Able to serve on the version it should have: two healthy readings since it was last touched, and taking clients
/// unless this run closed it.
fn verified(run: &Run, node: NodeId, world: &World) -> Proof {
    let reading = &world.readings[node];
    let record = &run.nodes[node];
    let since = record.touched_at.unwrap_or(run.started_at);
    let Some(current) = reading.current.as_ref() else {
        return not_yet(format!("node `{node}` to answer"));
    };
    let expected = run.expected_version(node);
    // A way home begins at what is observed: a version that this site knows, though no step of this run is known to have brought it.
    let known = run.is_ordered() && (current.version == run.plan.from.version || current.version == run.plan.to.version);
    if current.version != expected.version && !known {
        let found = format!("version {}", current.version);
        return Proof::Failed(
            Failure::new("wrong_version", format!("version {} on node `{node}`", expected.version), found).at(node),
        );
    }
    if !reading.proven_after(since) || !reading.healthy_twice() || current.role == Role::Standby {
        return not_yet(format!("two healthy readings of node `{node}`"));
    }
    if current.takes_clients == Some(false) && record.closed_at.is_none() {
        return not_yet(format!("node `{node}` to take a client for `{}`", run.plan.service));
    }
    let client = match (record.closed_at, current.takes_clients) {
        (Some(_), _) => "closed to clients by this run",
        (None, Some(_)) => "takes a client for the service's name",
        (None, None) => "whether it takes clients is the program's word",
    };
    let but = world.jump_clients_left(node);
    Proof::Done(Evidence::seen(format!("version {}, healthy twice, {client}{but}", current.version)))
}

/// Linked from the survivor, equal, healthy, and the name leads to it.
fn final_check(run: &Run, world: &World) -> Proof {
    let primary = run.survivor;
    if world.link() != (Link::Linked { primary }) {
        return not_yet(format!("{}; now: {}", Link::Linked { primary }.describe(), world.link().describe()));
    }
    if !NodeId::BOTH.into_iter().all(|node| world.readings[node].healthy_twice()) {
        return not_yet("two healthy readings of both nodes");
    }
    // A cached answer may be from before the last step's end, and the pair another one since.
    let since = run.progress.begun().filter_map(|progress| progress.done_at).max();
    let is_young = |read: &Observation| since.is_none_or(|since| read.is_after(since));
    if !NodeId::BOTH.into_iter().all(|node| world.readings[node].current.as_ref().is_some_and(is_young)) {
        return not_yet("readings of both nodes that are younger than the step before");
    }
    if world.has_traffic && world.traffic.target() != Some(primary) {
        return not_yet(format!("`{}` to lead to node `{primary}`; now: {}", run.plan.service, world.traffic.describe()));
    }
    // Home is two equal versions and a service: a person may have acknowledged another version, or closed the door, meanwhile.
    if let Some(failure) = unequal(world) {
        return Proof::Failed(failure);
    }
    if world.readings[primary].current.as_ref().is_some_and(|observation| observation.takes_clients == Some(false)) {
        return not_yet(format!("node `{primary}` to take a client for `{}`", run.plan.service));
    }
    let but = world.jump_clients_left(primary);
    Proof::Done(Evidence::seen(format!("linked, both healthy on {}, node `{primary}` serves{but}", run.plan.to.version)))
}

/// The versions of both nodes, if they differ.
fn unequal(world: &World) -> Option<Failure> {
    let [a, b] = NodeId::BOTH.map(|node| world.readings[node].current.as_ref());
    let (a, b) = (a?, b?);
    let differ = a.version != b.version || a.build.is_some() && b.build.is_some() && a.build != b.build;
    let found = || format!("node `a` runs {}, node `b` {}", a.version, b.version);
    differ.then(|| Failure::new("wrong_version", "equal versions and builds on both nodes", found()))
}

/// Until when an act that was sent may have its effect yet: only a reading from later shows that it had none. `None` for an
/// update, of which that is never concluded.
pub fn latest_effect(run: &Run, step: &Step, act: &Act, world: &World) -> Option<Timestamp> {
    // A lost answer leaves open when the act took effect: at the latest when the doubt arose.
    let doubted = match run.phase {
        Phase::InDoubt { since, .. } => since,
        _ => act.since,
    };
    match step.kind {
        Kind::Update => None,
        Kind::ForceSync | Kind::BreakFailover | Kind::EstablishFailover => Some(act.since + run.plan.may_take(step.kind)),
        Kind::SwitchTraffic | Kind::LowerTtl | Kind::RestoreTtl => Some(act.since + world.settling),
        Kind::Drain | Kind::Quiesce | Kind::Reopen => {
            let node = step.node.unwrap_or(run.plan.primary);
            Some(doubted + world.readings[node].current.as_ref().map(|current| current.may_be_old).unwrap_or_default())
        }
        // Its files were not handed over: whatever lies there proves nothing.
        _ => Some(doubted),
    }
}

/// True if the readings prove that an act in doubt had no effect, so that it may be repeated without harm.
///
/// Acts that take time to show (sync, break, establish) are given their expected time first: "not done" is never
/// concluded from a reading that may be earlier than the effect. A link that is half way is no sign of "no effect".
pub fn had_no_effect(run: &Run, step: &Step, act: &Act, world: &World) -> bool {
    let waited = world.now.duration_since(act.since);
    // A lost answer leaves open when the act took effect: at the latest when the doubt arose.
    let latest = match run.phase {
        Phase::InDoubt { since, .. } => since,
        _ => act.since,
    };
    let read = |node: NodeId| world.readings[node].proven_after(latest);
    match step.kind {
        Kind::Backup | Kind::ExtractData => true,
        Kind::Drain | Kind::Quiesce | Kind::Reopen => step.node.is_some_and(read),
        // Names that nobody answers for, or that are split, prove nothing.
        Kind::SwitchTraffic => {
            let left = step.node.map(NodeId::other);
            waited >= world.settling && left.is_some() && world.traffic.target() == left && world.traffic.steady_count >= 2
        }
        Kind::LowerTtl | Kind::RestoreTtl => waited >= world.settling && super::ttl::is_untouched(run, step, world),
        Kind::ForceSync | Kind::BreakFailover | Kind::EstablishFailover => {
            let before =
                if step.kind == Kind::EstablishFailover { Link::Broken } else { Link::Linked { primary: run.plan.primary } };
            waited >= run.plan.may_take(step.kind) && world.link() == before && NodeId::BOTH.into_iter().all(read)
        }
        _ => false,
    }
}

/// True if the order certainly had its effect, though what must follow it is not proven: repeating it would be wrong, and the
/// run goes on looking for the proof once a person resumes it.
pub fn keeps_its_act(step: &Step, failure: &Failure) -> bool {
    match step.kind {
        Kind::BreakFailover => failure.code == "half_broken",
        Kind::EstablishFailover => {
            matches!(failure.code, "half_established" | "sync_failed" | "sync_status_unknown" | "clock_skew")
        }
        _ => false,
    }
}
