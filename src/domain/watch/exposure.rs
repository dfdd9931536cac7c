//! The budget of time without failover: what is told at which share of it.

use super::raise::raise;
use crate::domain::event::{Event, Notice};
use crate::domain::run::Run;
use crate::domain::window::format_duration;
use crate::domain::world::World;

/// Shares of `policy.max_unprotected`, in percent, the highest first.
const SHARES: [(i64, Notice); 3] = [(100, Notice::UnprotectedTooLong), (80, Notice::Exposure80), (50, Notice::Exposure50)];

/// R10: the unprotected time is bounded, or an alert is out. The highest share that has passed, once: a daemon that was down over several of them tells only the last.
pub fn share_passed(run: &Run, world: &World) -> Option<Event> {
    run.off_since()?;
    let share = run.unprotected_share(world.now);
    let (percent, notice) = SHARES.into_iter().find(|(percent, _)| share >= *percent)?;
    let budget = format_duration(run.plan.policy.max_unprotected);
    let message = format!("the pair has been without failover for {percent} % of the budget of {budget} or more");
    raise(run, notice, None, true, message)
}
