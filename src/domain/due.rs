//! Looks that are dear, and when they are due: beside the nodes and the names, before the next decision. When settings are to be listed
//! is [`super::settings::due`].

use jiff::SignedDuration;

use super::action::Kind;
use super::event::WaitingOn;
use super::ids::NodeId;
use super::jump_clients::Seen;
use super::run::{Phase, Run};
use super::world::World;

/// True if the entries are to be tried now: the preflight of a run that will move traffic begins, or waits for an answer.
pub fn access(run: &Run, world: &World) -> bool {
    let at_preflight = run.step().is_some_and(|step| step.kind == Kind::Preflight);
    let older = |limit| world.access.as_ref().is_none_or(|tries| world.now.duration_since(tries.at) > limit);
    let due = match run.phase {
        Phase::Ready => older(FRESH),
        Phase::Waiting { on: WaitingOn::Appliance, .. } => older(AGAIN),
        _ => false,
    };
    at_preflight && world.has_traffic && run.moves_traffic() && due
}

/// The node whose Jump Clients are to be counted before the next decision: the one that serves, once it has the update, as often
/// as settings are compared (`policy.settings_look`). A count of 5,000 is 50 calls.
pub fn jump_clients(run: &Run, world: &World) -> Option<NodeId> {
    let node = run.serving();
    if run.is_finished() || run.phase == Phase::Acting || run.is_at(Kind::Update) || !run.nodes[node].updated {
        return None;
    }
    let pause = run.plan.policy.settings_look.max(SignedDuration::from_mins(1));
    let fresh = |seen: &Seen| seen.node == node && world.now.duration_since(seen.at) < pause;
    (!world.jump_clients.as_ref().is_some_and(fresh)).then_some(node)
}

/// After this long an answer is asked for again while the preflight waits for it: no server is pestered with updates.
const AGAIN: SignedDuration = SignedDuration::from_mins(1);
/// A preflight that begins takes no older answer than the looks just before it.
const FRESH: SignedDuration = SignedDuration::from_secs(10);
