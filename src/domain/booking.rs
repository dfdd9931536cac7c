//! Which windows a run is given: what its parts ask of one, what freezes take out, and what window two lacks before failover may
//! be broken.
//!
//! Between the windows the pair is without failover, so the first is only worth beginning if the second is certain: that is the
//! part of R3 that speaks of a window in which the step does not even stand.

use jiff::{SignedDuration, Timestamp};

use super::action::{Kind, When};
use super::event::Verdict;
use super::facts::Lack;
use super::plan::{self, Plan};
use super::run::Run;
use super::step::Step;
use super::window::choose::{Need, fits};
use super::world::World;

/// The code of the hold in which a run waits for a better window two.
pub const HOLD: &str = "no_second_window";

/// How long a part's steps take by the estimates, up to the end of the last one that keeps to the window, at its worst and with
/// what must fit after it: what only looks may end after it.
pub fn length<'s>(steps: impl IntoIterator<Item = &'s Step>, plan: &Plan) -> SignedDuration {
    let (mut sum, mut bound) = (SignedDuration::ZERO, SignedDuration::ZERO);
    for step in steps {
        if plan::is_bound(step, false) {
            bound = bound.max(sum.saturating_add(plan.need(step)));
        }
        sum = sum.saturating_add(plan.likely(step.kind));
    }
    bound
}

/// What a part of a plan that is started at `now` asks of its window.
pub fn need_of_plan(plan: &Plan, when: When, now: Timestamp) -> Need {
    let steps = || plan.steps.iter().filter(|step| step.when == when);
    let begins = || plan.steps.iter().zip(plan.times(now)).find(|(step, _)| step.when == when).map(|(_, at)| at);
    let soak = plan
        .windows
        .first
        .as_ref()
        .filter(|_| when == When::Window2 && plan.urgent.is_none())
        .map(|first| first.to.saturating_add(plan.policy.min_soak).unwrap_or(Timestamp::MAX));
    Need { earliest: soak.or_else(begins).unwrap_or(now).max(now), length: length(steps(), plan) }
}

/// What the rest of a part of a run asks of its window.
pub fn need_of_run(run: &Run, when: When, now: Timestamp) -> Need {
    let steps = run.left_to_do().filter(|step| step.when == when);
    let earliest = if when == When::Window2 { soaked_from(run, now) } else { now };
    Need { earliest, length: length(steps, &run.plan) }
}

/// When the soak will be over at the soonest: what is left of window one comes before it. One that was cut short by an early
/// acceptance is waited for no more.
fn soaked_from(run: &Run, now: Timestamp) -> Timestamp {
    let is_over = run.soaked || run.verdict == Some(Verdict::AcceptEarly);
    if is_over || !run.left_to_do().any(|step| step.kind == Kind::Soak) {
        return now;
    }
    let before = run.left_to_do().take_while(|step| step.when <= When::Window1);
    let work = before.fold(SignedDuration::ZERO, |sum, step| sum.saturating_add(run.plan.likely(step.kind)));
    let from = run.soak_from.unwrap_or_else(|| now.saturating_add(work).unwrap_or(Timestamp::MAX));
    from.saturating_add(run.plan.shortest_soak()).unwrap_or(Timestamp::MAX).max(now)
}

/// What window two lacks where `step` breaks failover and steps of window two come after it.
pub fn lacks(run: &Run, step: &Step, world: &World) -> Vec<Lack> {
    let here = run.position().unwrap_or(run.plan.steps.len());
    let second = run.plan.steps[here..].iter().any(|step| step.when == When::Window2);
    if step.kind != Kind::BreakFailover || !second {
        return Vec::new();
    }
    let mut lacks: Vec<Lack> = of_window(run, world).into_iter().collect();
    let user = run.responsible.clone().filter(|user| !user.trim().is_empty());
    let people = &world.config.people;
    if user.as_ref().is_none_or(|user| !people.is_empty() && people.of(user).is_none()) {
        lacks.push(Lack::Nobody { user });
    }
    lacks
}

/// What the window itself lacks, whoever is responsible for it.
pub fn of_window(run: &Run, world: &World) -> Option<Lack> {
    let frozen = run.windows.second.as_ref().and_then(|window| world.config.calendar.frozen(window));
    unreachable_from(run, world.now).or(frozen.map(Lack::Frozen))
}

/// What window two lacks for a run that goes on at `from`: its steps come too late, or don't fit.
pub fn unreachable_from(run: &Run, from: Timestamp) -> Option<Lack> {
    let Some(window) = &run.windows.second else { return Some(Lack::NotBooked) };
    let to = window.to;
    if window.is_over(from) {
        return Some(Lack::Over { to });
    }
    let need = need_of_run(run, When::Window2, from);
    let need = Need { earliest: need.earliest.max(window.from), ..need };
    (!fits(window, need)).then_some(Lack::TooShort { need, to })
}
