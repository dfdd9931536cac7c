//! A run that a person closed while the pair was unlinked: it only looks on, until the link is seen.

use super::next::{Next, record, rest};
use crate::domain::action::Kind;
use crate::domain::event::{Event, Notice};
use crate::domain::facts::Link;
use crate::domain::ids::NodeId;
use crate::domain::run::Run;
use crate::domain::world::World;

/// A run that was closed unprotected: its alert stands until the pair is seen linked.
pub fn watch_closed(run: &Run, world: &World) -> Next {
    let raised = run.has_notice(Notice::UnprotectedTooLong, None);
    let linked = matches!(world.link(), Link::Linked { .. }) && is_past_closing(run, world);
    let (is_so, message) = match (raised, linked) {
        (false, _) => (true, "the run was closed while the pair is without failover"),
        (true, true) => (false, "the pair is linked: the time without failover of the closed run is over"),
        (true, false) => return rest(None),
    };
    let event = Event::Noticed { notice: Notice::UnprotectedTooLong, node: None, raised: is_so, message: message.to_owned() };
    record(event, message)
}

/// Readings that show the pair as it is since the run was closed, and not as it was before a break that was under way then.
fn is_past_closing(run: &Run, world: &World) -> bool {
    let Some(from) = run.finished_at.map(|closed| closed + run.plan.may_take(Kind::BreakFailover)) else { return false };
    NodeId::BOTH.into_iter().all(|node| world.readings[node].current.as_ref().is_some_and(|read| read.is_after(from)))
}
