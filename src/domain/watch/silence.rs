//! What is said of a node that can't be read: silence during its update is no news.

use crate::domain::action::Kind;
use crate::domain::ids::NodeId;
use crate::domain::limit;
use crate::domain::run::Run;
use crate::domain::world::World;

/// Why the node was not read; `None` if it was, or was not asked yet.
pub fn told(run: &Run, node: NodeId, world: &World) -> Option<String> {
    let reading = &world.readings[node];
    let error = reading.error.clone()?;
    let updating = run.is_at(Kind::Update) && run.step().and_then(|step| step.node) == Some(node);
    let (Some(since), true, Some(act)) = (reading.silent_since, updating, run.act.as_ref()) else { return Some(error) };
    let until = act.since.saturating_add(run.plan.limit(Kind::Update)).unwrap_or(since);
    let limit = limit::told(&run.plan.policy, Kind::Update);
    Some(if world.now <= until {
        format!("silent since {since} during its update, normal up to {until} (limit {limit}); do not restart it; last: {error}")
    } else {
        format!(
            "silent since {since}, longer than its update may take (limit {limit}); do not restart it before you have looked at it; last: {error}"
        )
    })
}
