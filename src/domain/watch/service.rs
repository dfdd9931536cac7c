//! Whether the node that should serve takes clients: the one thing that users notice at once.

use jiff::Timestamp;

use crate::domain::action::Kind;
use crate::domain::event::{Event, Notice};
use crate::domain::ids::NodeId;
use crate::domain::run::Run;
use crate::domain::world::World;

/// The node that should serve has taken no client for longer than `policy.max_silence`, and nothing of ours explains it; and that
/// it is over, because it takes clients again or because another node serves now.
pub fn not_serving(run: &Run, node: NodeId, world: &World) -> Option<Event> {
    if run.has_notice(Notice::NotServing, Some(node)) {
        return over(run, node, world).map(|message| noticed(node, false, message));
    }
    let since = unexplained_since(run, world).filter(|_| node == run.survivor)?;
    let long = world.now.duration_since(since) >= run.plan.policy.max_silence;
    let closed = if run.nodes[node].closed_at.is_some() { ", this run closed it" } else { "" };
    let message = format!("node `{node}` should serve and takes no client{closed}: nobody is served since {since}");
    long.then(|| noticed(node, true, message))
}

fn noticed(node: NodeId, raised: bool, message: String) -> Event {
    Event::Noticed { notice: Notice::NotServing, node: Some(node), raised, message }
}

/// A reading that tells nothing ends nothing.
fn over(run: &Run, node: NodeId, world: &World) -> Option<String> {
    if node != run.survivor {
        return Some(format!("node `{}` serves now in the place of node `{node}`", run.survivor));
    }
    let takes = world.readings[node].current.as_ref().and_then(|observation| observation.takes_clients);
    (takes == Some(true)).then(|| format!("node `{node}` takes clients again"))
}

/// Since when the node that should serve refuses clients without a reason of ours. While a run moves the service its own closing
/// is the reason; one that is held moves nothing, so that the time counts from the hold on.
fn unexplained_since(run: &Run, world: &World) -> Option<Timestamp> {
    let since = world.readings[run.survivor].denied_since()?;
    let own = run.nodes[run.survivor].closed_at.is_some() && moves_on(run);
    match run.hold() {
        Some(hold) => Some(if own { since.max(hold.since) } else { since }),
        None => (!own && !is_at_work(run)).then_some(since),
    }
}

/// An act of ours that is under way takes the serving node from its users.
fn is_at_work(run: &Run) -> bool {
    let takes_away = |kind| matches!(kind, Kind::Update | Kind::Quiesce | Kind::Reopen | Kind::SwitchTraffic);
    run.act.is_some() && run.step().is_some_and(|step| takes_away(step.kind))
}

/// What is left of this part of the plan opens the node again or moves the service off it.
fn moves_on(run: &Run) -> bool {
    let Some(position) = run.position() else { return false };
    let part = run.plan.steps[position].when;
    let rest = run.plan.steps[position..].iter().filter(|step| step.when == part);
    rest.into_iter().any(|step| match step.kind {
        Kind::Reopen => step.node == Some(run.survivor),
        Kind::SwitchTraffic => step.node != Some(run.survivor),
        _ => false,
    })
}
