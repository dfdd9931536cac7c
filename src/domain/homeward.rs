//! The way home of a run: from where it stands, when one may be ordered, and the event with which the run takes it.

use jiff::Timestamp;

use super::action::{Kind, When};
use super::event::{Cause, Event};
use super::facts::Facts;
use super::ids::NodeId;
use super::proof;
use super::run::{Phase, Run};
use super::step::Step;
use super::surprise;
use super::way_home::{Found, Way, find};
use super::world::World;

/// The ways from where a run stands.
pub fn of_run(run: &Run, world: &World) -> Found {
    let when = run.step().map_or(When::Finish, |step| step.when);
    find(&facts(run, world, when), when)
}

/// The facts at a run's place, whatever its next step is.
pub fn facts(run: &Run, world: &World, when: When) -> Facts {
    let id = String::new();
    world.facts(run, &Step { id, when, kind: Kind::FinalCheck, node: None, gate: None, hop: 0 })
}

/// True if another way may be ordered: no act is on its way, or nobody has begun to carry out what was instructed, or the run
/// rests with its act in doubt or half done, and what is read is from after its last possible effect.
pub fn may_be_ordered(run: &Run, world: &World) -> bool {
    match run.phase {
        Phase::Held(_) | Phase::InDoubt { .. } => wait_until(run, world).is_none(),
        Phase::Ready | Phase::Waiting { .. } => run.act.is_none() || surprise::is_untouched(run, world),
        Phase::Acting | Phase::Finished(_) => false,
    }
}

/// While an act of this run may have its effect yet, and readings be older than that, no way is found: from when on one may be. An
/// update is not waited for: until it is settled the rules keep every way from what it would harm.
pub fn wait_until(run: &Run, world: &World) -> Option<Timestamp> {
    let effect = proof::latest_effect(run, run.step()?, run.act.as_ref()?, world)?;
    let cached = |node: NodeId| world.readings[node].current.as_ref().map(|current| current.may_be_old).unwrap_or_default();
    let from = effect + cached(NodeId::A).max(cached(NodeId::B));
    (world.now <= from).then_some(from)
}

/// The way's steps with the ids that they get in this run.
pub fn steps(run: &Run, way: &Way) -> Vec<Step> {
    // A later revision's steps are told apart from those of an earlier one; the plan of an adopted run is a way itself.
    let number = run.revision + 1 + u32::from(run.plan.adopted.is_some() && !run.plan.steps.is_empty());
    let prefixed = |id: &str| match id.split_once('.') {
        Some((prefix, rest)) if number > 1 => format!("{prefix}-{number}.{rest}"),
        _ => id.to_owned(),
    };
    way.steps.iter().map(|step| Step { id: prefixed(&step.id), ..step.clone() }).collect()
}

/// The event with which a run takes this way.
pub fn order(run: &Run, world: &World, way: &Way, cause: Cause, note: Option<String>) -> Event {
    let steps = steps(run, way);
    // Without the act under way, which the revision gives up: what it explained is a surprise from then on.
    let bare = Run { act: None, ..run.clone() };
    let seen = surprise::surprises(&bare, world).into_iter().map(|failure| failure.message).collect();
    Event::Revised { cause, goal: way.goal, note, steps, seen }
}

/// As [`order`], where nobody gives it; `None` where that would take note of a change that nobody planned: then a person must
/// see it first.
pub fn order_by_itself(run: &Run, world: &World, way: &Way, cause: Cause, note: Option<String>) -> Option<Event> {
    Some(order(run, world, way, cause, note)).filter(|order| matches!(order, Event::Revised { seen, .. } if seen.is_empty()))
}
