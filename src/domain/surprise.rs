//! Changes that nobody planned: whatever is not as the journal has it. And whether a person has begun what they were told to do, since
//! what an act under way explains is no surprise.

use jiff::{SignedDuration, Timestamp};

use super::action::Kind;
use super::facts::Link;
use super::ids::{NodeId, PerNode};
use super::proof::{self, Failure};
use super::run::Run;
use super::site::{Role, SharedOn};
use super::world::World;

/// A change that nobody planned: the run is held with it.
pub fn surprise(run: &Run, world: &World) -> Option<Failure> {
    surprises(run, world).into_iter().find(|failure| !is_acknowledged(run, failure, world))
}

/// Everything that is not as the journal has it, whether a person has seen it or not.
pub fn surprises(run: &Run, world: &World) -> Vec<Failure> {
    let [a, b] = NodeId::BOTH.map(|node| wrong_version(run, node, world));
    let failures = [wrong_box(run, world), wrong_link(run, world), a, b, on_both(world), wrong_traffic(run, world)];
    failures.into_iter().flatten().collect()
}

/// What is not as the plan has it, in words for the person who lets the run go on.
pub fn differences(run: &Run, world: &World) -> Vec<String> {
    let place = |failure: &Failure| failure.node.map(|node| format!("node `{node}`: ")).unwrap_or_default();
    surprises(run, world).iter().map(|failure| format!("{}{}", place(failure), failure.message)).collect()
}

/// In a change of roles done by hand both nodes are standby for some seconds, and readings may be a minute old: for so long it is
/// awaited. Nobody serves meanwhile, so a person is called soon after.
pub const BOTH_STANDBY_LIMIT: SignedDuration = SignedDuration::from_mins(2);

/// Until when two standbys are awaited as the middle of a change of roles; `None` if it is not so, or no longer.
pub fn role_change_until(run: &Run, world: &World) -> Option<Timestamp> {
    let until = both_standby_since(world)? + BOTH_STANDBY_LIMIT;
    (!run.is_finished() && world.now < until).then_some(until)
}

fn both_standby_since(world: &World) -> Option<Timestamp> {
    let since = |node: NodeId| world.readings[node].role_since();
    (world.link() == Link::BothStandby).then(|| since(NodeId::A).max(since(NodeId::B)))?
}

/// A person has seen exactly this and resumed the run. Two primaries, two standbys, and a link towards the survivor, no word
/// makes good.
pub fn is_acknowledged(run: &Run, failure: &Failure, world: &World) -> bool {
    let harmful = match world.link() {
        Link::BothPrimary | Link::BothStandby => true,
        Link::Linked { primary } => run.unprotected_since().is_some() && primary != run.survivor,
        _ => false,
    };
    let link = matches!(failure.code, "role_conflict" | "both_standby");
    // What a person ordered to break the link, or to move on with it broken, must be able to go on.
    let mended = run.way.is_some() && run.step().is_some_and(|step| step.kind == Kind::BreakFailover);
    !(link && harmful && !mended) && run.acknowledged.contains(&failure.message)
}

/// R13: another box answers at a node's address.
fn wrong_box(run: &Run, world: &World) -> Option<Failure> {
    NodeId::BOTH.into_iter().find_map(|node| {
        let found = &world.readings[node].current.as_ref()?.identity;
        let expected = &run.plan.nodes[node].identity;
        let failure = || Failure::new("wrong_box", format!("box {expected} at node `{node}`"), format!("box {found}")).at(node);
        (found != expected).then(failure)
    })
}

/// The link as the journal says it should be; while a step changes it, everything between before and after is fine.
pub fn wrong_link(run: &Run, world: &World) -> Option<Failure> {
    let link = world.link();
    if link == Link::BothPrimary {
        return Some(proof::both_primary());
    }
    if link == Link::BothStandby {
        return role_change_until(run, world).is_none().then(both_standby);
    }
    // While a link is to be broken it may be there still, but not the other way round; what a person ordered mends that too.
    let planned = Link::Linked { primary: run.plan.primary };
    if run.is_at(Kind::BreakFailover) && !run.is_ordered() && matches!(link, Link::Linked { .. }) && link != planned {
        return Some(Failure::new("role_conflict", planned.describe(), link.describe()));
    }
    if link == Link::Unknown
        || run.is_at(Kind::BreakFailover)
        || run.is_at(Kind::EstablishFailover)
        || !readings_are_young(run, world)
    {
        return None;
    }
    let linked_by_us = run.protected_at.is_some();
    if run.broken_at.is_some() && !linked_by_us {
        return unplanned_link(run, link);
    }
    let primary = if linked_by_us { run.survivor } else { run.plan.primary };
    if link == (Link::Linked { primary }) {
        return None;
    }
    let code = if matches!(link, Link::Linked { .. }) { "role_conflict" } else { "out_of_band" };
    Some(Failure::new(code, Link::Linked { primary }.describe(), link.describe()))
}

fn both_standby() -> Failure {
    let found = "both nodes standby: nobody serves, and it is more than a moment in a change of roles";
    Failure::new("both_standby", "one primary", found)
}

/// R8: while failover is broken any relationship is one that nobody planned.
fn unplanned_link(run: &Run, link: Link) -> Option<Failure> {
    match link {
        Link::Broken | Link::Unknown => None,
        Link::Linked { primary } if primary != run.survivor => Some(proof::reversed(run.survivor)),
        _ => {
            let found = format!("{}; break it now unless it was you", link.describe());
            Some(Failure::new("role_conflict", Link::Broken.describe(), found))
        }
    }
}

/// False while a reading may still show the time before this run's last change of the link.
fn readings_are_young(run: &Run, world: &World) -> bool {
    NodeId::BOTH.into_iter().all(|node| {
        let changed = run.protected_at.or(run.broken_at);
        let reading = &world.readings[node];
        changed.is_none_or(|changed| reading.current.as_ref().is_some_and(|observation| observation.is_after(changed)))
    })
}

/// A node's version changed although nobody was asked to update it.
fn wrong_version(run: &Run, node: NodeId, world: &World) -> Option<Failure> {
    let updating = run.is_at(Kind::Update) && run.step()?.node == Some(node);
    let current = world.readings[node].current.as_ref()?;
    let touched = run.nodes[node].touched_at.unwrap_or(run.started_at);
    if updating || !current.is_after(touched) {
        return None;
    }
    let expected = run.expected_version(node);
    let same_build = expected.build.is_none() || current.build.is_none() || expected.build == current.build;
    let failure = || {
        let found = format!("version {}, build {}", current.version, current.build.as_deref().unwrap_or("not told"));
        Failure::new("out_of_band", format!("version {expected} on node `{node}`"), found).at(node)
    };
    (current.version != expected.version || !same_build).then(failure)
}

/// R16: a shared address that is enabled on both nodes leads clients to either, and the network to neither for long.
fn on_both(world: &World) -> Option<Failure> {
    let failure = || Failure::new("shared_address_twice", "the shared address enabled on one node", world.traffic.describe());
    (world.traffic.shared_twice() == Some(SharedOn::Both)).then(failure)
}

/// The service's name leads to the node that should not serve, on every server or on some.
pub fn wrong_traffic(run: &Run, world: &World) -> Option<Failure> {
    let moving = run.is_at(Kind::SwitchTraffic);
    let traffic = &world.traffic;
    let elsewhere = match traffic.target() {
        Some(target) => (target != run.serving()).then_some("it leads"),
        // Before and while we move it ourselves the servers need not agree.
        None if run.step().is_some_and(|step| step.kind == Kind::SwitchTraffic) || run.is_put_back() => None,
        None => traffic.names(run.serving().other()).then_some("on some servers it leads"),
    };
    let how = elsewhere.filter(|_| !moving && traffic.steady_count >= 2)?;
    let expected = format!("`{}` leading to node `{}`", run.plan.service, run.serving());
    let found = format!("{how} to node `{}`: {}", run.serving().other(), traffic.describe());
    Some(Failure::new("out_of_band", expected, found))
}

/// True while an instruction is out and nothing shows that a person has begun to carry it out: withdrawing it undoes nothing.
pub fn is_untouched(run: &Run, world: &World) -> bool {
    run.act.as_ref().is_some_and(|act| act.instruction.is_some()) && !has_begun(run, world)
}

/// Whether the readings tell that a person has begun this by hand; a TTL that is begun with is set.
pub fn shows_its_begin(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Update
            | Kind::BreakFailover
            | Kind::Quiesce
            | Kind::Reopen
            | Kind::EstablishFailover
            | Kind::LowerTtl
            | Kind::RestoreTtl
    )
}

/// A sign that a person has begun what was asked: the box is silent, updating or updated, or the link is on its way.
pub fn has_begun(run: &Run, world: &World) -> bool {
    let Some(step) = run.step() else { return false };
    let primary = run.plan.primary;
    // One node that tells is enough: the other may be silent.
    let moved = |before: PerNode<Role>| {
        NodeId::BOTH.into_iter().any(|node| world.readings[node].role().is_some_and(|role| role != before[node]))
    };
    match (step.kind, step.node) {
        (Kind::Update, Some(node)) => match &world.readings[node].current {
            Some(observation) => {
                let same_box = observation.identity == run.plan.nodes[node].identity;
                same_box && (observation.updating || observation.version != run.expected_version(node).version)
            }
            // Silent, and not only closed to us.
            None => world.readings[node].refused_since.is_none(),
        },
        (Kind::BreakFailover, _) => moved(PerNode::new(|node| if node == primary { Role::Primary } else { Role::Standby })),
        (Kind::EstablishFailover, _) => moved(PerNode::new(|_| Role::Standalone)),
        // Disabled on the old node: nobody is reached until it is enabled on the new one.
        (Kind::SwitchTraffic, to) => world.traffic.shared() == Some(SharedOn::Neither) || to == world.traffic.target(),
        (Kind::Quiesce | Kind::Reopen, Some(node)) => {
            let effect = Some(step.kind == Kind::Reopen);
            world.readings[node].current.as_ref().is_some_and(|observation| observation.takes_clients == effect)
        }
        _ => false,
    }
}
