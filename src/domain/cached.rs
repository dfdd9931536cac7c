//! Readings that a step waits for and that may be kept answers, from before its act: nothing is called done from them.
//!
//! Boxes keep answers for up to a minute. The proofs wait for a reading that is younger than the act whatever was kept
//! ([`super::world::Reading::proven_after`]); this says so to whoever looks on.

use jiff::{SignedDuration, Timestamp};

use super::action::Kind;
use super::ids::NodeId;
use super::run::{Phase, Run};
use super::step::Step;
use super::world::World;

/// A reading that may be from before the act that it is to prove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MayBeCached {
    pub node: NodeId,
    pub read_at: Timestamp,
    /// How old its facts may have been then.
    pub may_be_old: SignedDuration,
    /// When the act was ordered.
    pub act_since: Timestamp,
    /// When the node is read next.
    pub next_look: Option<Timestamp>,
}

/// The readings that can't prove the act under way yet, of the node concerned or of both; empty while nothing waits for one.
pub fn of(run: &Run, world: &World) -> Vec<MayBeCached> {
    let waits = matches!(run.phase, Phase::Waiting { .. } | Phase::InDoubt { .. });
    let (Some(step), Some(act)) = (run.step().filter(|_| waits), run.act.as_ref()) else { return Vec::new() };
    let nodes = NodeId::BOTH.into_iter().filter(|node| proves(run, step, *node));
    let since = act.since;
    let cached = |node: NodeId| {
        let reading = &world.readings[node];
        let current = reading.current.as_ref().filter(|current| current.may_be_old > SignedDuration::ZERO)?;
        let (read_at, may_be_old) = (current.at, current.may_be_old);
        let proves = current.as_of.is_some() || reading.proven_after(since);
        (!proves).then_some(MayBeCached { node, read_at, may_be_old, act_since: since, next_look: world.next_look })
    };
    nodes.filter_map(cached).collect()
}

/// True if the step's effect is seen on this node.
fn proves(run: &Run, step: &Step, node: NodeId) -> bool {
    match step.kind {
        Kind::BreakFailover | Kind::EstablishFailover => true,
        Kind::ForceSync => node == run.plan.primary,
        Kind::Update | Kind::Drain | Kind::Quiesce | Kind::Reopen => step.node == Some(node),
        // Their files, or the name's servers, show it.
        _ => false,
    }
}
