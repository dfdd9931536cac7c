//! The preflight step, and when it is to be done once more.

use jiff::{SignedDuration, Timestamp};

use super::next::{Next, done, held, wait};
use crate::domain::action::{Kind, When};
use crate::domain::check::Outcome;
use crate::domain::checks;
use crate::domain::event::{Evidence, WaitingOn};
use crate::domain::ids::NodeId;
use crate::domain::rule::Rule;
use crate::domain::run::{Phase, Run};
use crate::domain::step::Step;
use crate::domain::surprise;
use crate::domain::world::World;

/// Results younger than this are never renewed, whatever the policy says: a look at slow nodes takes a minute, and results that
/// lapse sooner than the run gets on would be renewed without end.
pub const LEAST_AGE: SignedDuration = SignedDuration::from_mins(5);

/// The preflight's checks; they are also shown by `changeover check`.
pub fn preflight(run: &Run, step: &Step, world: &World) -> Next {
    let checks = checks::of_run(run, world);
    match checks::verdict(&checks) {
        Outcome::Fail => held(checks::first_failure(&checks), true),
        Outcome::Unknown => {
            let failure = checks::first_failure(&checks);
            match &run.phase {
                Phase::Waiting { on: WaitingOn::Appliance, since, .. }
                    if world.now.duration_since(*since) > run.plan.policy.max_silence =>
                {
                    held(failure, true)
                }
                _ => wait(run, WaitingOn::Appliance, None, failure.message),
            }
        }
        _ => match checks::failure(&checks, &run.acceptances()) {
            Some(failure) => held(failure, true),
            None => done(step, Evidence::Checks { results: checks::findings(&checks) }, false),
        },
    }
}

/// The preflight step whose results are too old for the first act of window one, which would begin now. Later acts have their own
/// rules over fresh readings, and after the break the pair is not what a preflight expects.
pub fn lapsed<'a>(run: &'a Run, step: &Step, world: &World) -> Option<&'a Step> {
    let first = |step: &Step| step.when == When::Window1 && step.kind.acts();
    if !first(step) || run.is_ordered() || run.broken_at.is_some() || !is_put_right(run, world) {
        return None;
    }
    let begun = |step: &&Step| first(step) && run.progress_of(step).is_some_and(|progress| progress.attempts > 0);
    if run.plan.steps.iter().any(|step| begun(&step)) || has_not_begun(run, step, world.now) {
        return None;
    }
    let preflight =
        run.plan.steps.iter().take_while(|known| known.id != step.id).filter(|step| step.kind == Kind::Preflight).last()?;
    let done_at = run.progress_of(preflight)?.done_at?;
    (world.now.duration_since(done_at) > run.plan.policy.max_check_age.max(LEAST_AGE)).then_some(preflight)
}

/// What a person has seen and let go on after would fail the preflight for ever, as long as it is so; and only whole readings show
/// that it is not so any more.
fn is_put_right(run: &Run, world: &World) -> bool {
    let told = NodeId::BOTH.into_iter().all(|node| world.readings[node].is_steady());
    let named = !world.has_traffic || world.traffic.target().is_some();
    run.acknowledged.is_empty() || told && named && surprise::surprises(run, world).is_empty()
}

/// The window is still to come, and awaited: what is renewed now would be too old again by then.
fn has_not_begun(run: &Run, step: &Step, now: Timestamp) -> bool {
    run.windows.of(step.when).is_some_and(|window| now < window.from) && !run.is_waived(Rule::R3, step)
}
