//! The service's name: where every server leads it, and what caches explain.

use jiff::Timestamp;

use super::verdict::{Proof, not_yet};
use crate::domain::action::Kind;
use crate::domain::event::Evidence;
use crate::domain::ids::NodeId;
use crate::domain::run::Run;
use crate::domain::step::Step;
use crate::domain::world::World;
use crate::domain::{agreement, resolvers, ttl};

/// Every entry's every server names the node, the box behind the name is it, and caches explain what resolvers say.
pub(super) fn switched(run: &Run, to: NodeId, world: &World) -> Proof {
    if world.traffic.target() != Some(to) {
        let half = agreement::partly(&world.traffic).map(|partly| format!("{}; ", partly.describe(to))).unwrap_or_default();
        let now = world.traffic.describe();
        return not_yet(format!("`{}` to lead to node `{to}` everywhere; {half}now: {now}", run.plan.service));
    }
    if let Some(identity) = world.traffic.other_identity(&run.plan.nodes[to].identity) {
        return not_yet(format!("node `{to}` to answer at `{}`; box {identity} does", run.plan.service));
    }
    let lag = resolvers::lag(&world.traffic, to, clear_from(run));
    if !lag.unexplained.is_empty() {
        let lagging = lag.unexplained.join(", ");
        return not_yet(format!("every resolver to lead to node `{to}`, as every server does; now: {lagging}"));
    }
    Proof::Done(Evidence::seen(with(led(run, world), &lag.explained)))
}

/// The switch is proven by every authoritative server, and only resolvers lag that nothing explains: they are named, and do not
/// keep the run for ever. Nothing that a run does makes them forget sooner.
pub fn switched_but(run: &Run, step: &Step, world: &World) -> Option<Evidence> {
    let to = step.node.filter(|to| step.kind == Kind::SwitchTraffic && world.traffic.target() == Some(*to))?;
    if world.traffic.other_identity(&run.plan.nodes[to].identity).is_some() {
        return None;
    }
    let lag = resolvers::lag(&world.traffic, to, clear_from(run));
    let named = [lag.unexplained, lag.explained].concat();
    (!named.is_empty()).then(|| Evidence::seen(with(led(run, world), &named)))
}

/// When a TTL that this run lowered has run out in every cache.
fn clear_from(run: &Run) -> Option<Timestamp> {
    run.ttl.as_ref()?.clear_from
}

fn with(found: String, more: &[String]) -> String {
    std::iter::once(found).chain(more.iter().cloned()).collect::<Vec<_>>().join("; ")
}

/// What the servers say, and for how long caches may say otherwise.
fn led(run: &Run, world: &World) -> String {
    let since = run.act.as_ref().map_or(world.now, |act| act.since);
    let caches = ttl::afterwards(run, since, world).map(|caches| format!("; {caches}")).unwrap_or_default();
    format!("{}{caches}", world.traffic.describe())
}
