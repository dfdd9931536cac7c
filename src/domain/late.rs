//! What a run does when what is left of its window is too short for the next step: it holds, or it goes home by itself.
//!
//! A run that waits for a word is late with the step behind it: a window does not wait for an answer.
//!
//! Going home by itself only ends the unprotected time (R3's exemption), on the way that `abort` would show, under the same rules.

use jiff::{SignedDuration, Timestamp};

use super::action::Kind;
use super::event::{Cause, Event, WaitingOn};
use super::homeward;
use super::ids::NodeId;
use super::plan::{self, Goal, OutOfTime};
use super::rule::Rule;
use super::rules::{self, Cure, Violation};
use super::run::{Phase, Run};
use super::site::WhenWindowEnds;
use super::step::Step;
use super::way_home::Way;
use super::world::World;

/// What follows for this run.
#[derive(Clone, Debug, PartialEq)]
pub enum Late {
    Hold,
    /// A reading that is missing now decides it; it is awaited no longer than `policy.max_silence`.
    Look,
    Home(Box<Way>),
}

/// Where a run waits for people's words, the step behind it that R3 binds in the same part: answers may stay away for as long as they
/// like, and its window does not.
pub fn kept_waiting(run: &Run) -> Option<&Step> {
    run.step().filter(|step| matches!(step.kind, Kind::Confirm | Kind::CompareSettings))?;
    run.next_bound(false).map(|(step, _)| step)
}

/// The step that words keep waiting and that could not begin any more if they came now, with what stands against it.
pub fn kept_too_long<'r>(run: &'r Run, world: &World) -> Option<(&'r Step, Violation)> {
    let step = kept_waiting(run)?;
    let is_late = |violation: &Violation| violation.rule == Rule::R3 && violation.cure == Cure::Person;
    let violation = rules::violations(step, &world.facts(run, step)).into_iter().find(is_late)?;
    Some((step, violation))
}

/// When [`kept_too_long`] is to be asked: in its latest safe start a step begins still.
pub fn kept_until(run: &Run, now: Timestamp) -> Option<Timestamp> {
    let latest = run.plan.not_after(&run.windows, kept_waiting(run)?, run.is_ordered())?;
    latest.checked_add(SignedDuration::from_secs(1)).ok().filter(|until| *until > now)
}

/// What follows now, by what is observed.
pub fn of(run: &Run, world: &World) -> Late {
    let policy = run.plan.policy.when_window_ends;
    let unprotected = run.unprotected_since().is_some();
    if policy != WhenWindowEnds::Home || !unprotected || run.is_ordered() || !homeward::may_be_ordered(run, world) {
        return Late::Hold;
    }
    match homeward::of_run(run, world).ways.into_iter().next() {
        Some(way) if leads_home(&way) && order(run, world, &way).is_some() => Late::Home(Box::new(way)),
        _ if is_unclear(world) => Late::Look,
        _ => Late::Hold,
    }
}

/// Home, and without an update: that would need time in a window too.
fn leads_home(way: &Way) -> bool {
    way.goal == Goal::Home && way.steps.iter().all(|step| step.kind != Kind::Update)
}

/// A node that was not read twice since the daemon came up, or whose last answer was lost, hides ways that are there.
pub(super) fn is_unclear(world: &World) -> bool {
    NodeId::BOTH.into_iter().any(|node| !world.readings[node].healthy_twice())
}

/// The event with which the run goes home by itself; `None` where a person must see first what was changed.
pub fn order(run: &Run, world: &World, way: &Way) -> Option<Event> {
    let note = "what was left of the window was too short for the next step (`policy.when_window_ends`)".to_owned();
    homeward::order_by_itself(run, world, way, Cause::WindowEnds, Some(note))
}

/// Until when a reading that decides it is awaited.
pub fn look_until(run: &Run, world: &World) -> Timestamp {
    let since = match run.phase {
        Phase::Waiting { on: WaitingOn::Appliance, since, .. } if run.act.is_none() => since,
        _ => world.now,
    };
    since + run.plan.policy.max_silence
}

/// What happens at a step of this run if it does not begin in time, by what is observed.
pub fn out_of_time(run: &Run, step: &Step, world: &World) -> OutOfTime {
    match of(run, world) {
        _ if !plan::is_bound(step, run.is_ordered()) => OutOfTime::Finish,
        Late::Home(_) => OutOfTime::Home,
        Late::Hold | Late::Look => OutOfTime::Hold,
    }
}
