//! Window two while the pair is without failover: that it can't be kept is told when it is known, and not on its night.

use jiff::Timestamp;

use super::raise::raise;
use crate::domain::action::When;
use crate::domain::booking;
use crate::domain::event::{Event, Notice};
use crate::domain::facts::Lack;
use crate::domain::run::Run;
use crate::domain::world::World;

/// What window two lacked at the break it may lack again: the soak began anew, an update was measured, nobody spoke in time.
pub fn lost(run: &Run, world: &World) -> Option<Event> {
    if !is_ahead(run, world.now) {
        return None;
    }
    let lack = lack(run, world);
    let message = lack.as_ref().map_or_else(|| "window two can be kept again as it is booked".to_owned(), told);
    raise(run, Notice::SecondWindowLost, None, lack.is_some(), message)
}

/// What window two lacks, of which steps are still ahead while the pair is without failover.
pub fn lack(run: &Run, world: &World) -> Option<Lack> {
    booking::of_window(run, world).filter(|_| is_ahead(run, world.now))
}

fn told(lack: &Lack) -> String {
    format!("{lack}; the pair is without failover, and stays so until another one is booked")
}

/// Failover is broken and steps of window two are still to come in it. While an act is under way nobody knows what will be left to do
/// after it; once window two has begun and the run stands in it, its steps are held one by one.
fn is_ahead(run: &Run, now: Timestamp) -> bool {
    let broken = run.unprotected_since().is_some() && !run.is_ordered() && run.act.is_none();
    let Some(here) = run.position().filter(|_| broken) else { return false };
    let has_begun = run.windows.second.as_ref().is_some_and(|window| window.has_begun(now));
    let left = run.plan.steps[here..].iter().any(|step| step.when == When::Window2);
    left && (run.plan.steps[here].when < When::Window2 || !has_begun)
}
