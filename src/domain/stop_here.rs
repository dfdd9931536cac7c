//! If you stop here: for each step of a plan, and for a run as it stands, the way to a safe end that needs nothing more of the plan.
//!
//! A plan is walked over the ideal pair, as when a procedure is proved; a run is judged by what is observed. The search itself
//! is [`way_home::find`].

use jiff::SignedDuration;

use super::action::{Impact, When};
use super::facts::Facts;
use super::fit;
use super::homeward;
use super::plan::{Goal, Plan};
use super::run::Run;
use super::step::Step;
use super::way_home::{self, Found, Way};
use super::world::World;

/// What remains to be done if the step does not begin any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopHere {
    /// The best way and the next best; where none leads home, what stands against it.
    pub found: Found,
    /// How long the best way is expected to take, as far as it is known.
    pub expected: SignedDuration,
    /// The step can't be undone, and once it is done no way leads home without a person's decision.
    pub point_of_no_return: bool,
}

impl StopHere {
    /// The best way.
    pub fn way(&self) -> Option<&Way> {
        self.found.ways.first()
    }

    fn new(plan: &Plan, step: Option<&Step>, found: Found, after: impl FnOnce() -> Found) -> Self {
        let irreversible = step.is_some_and(|step| step.impact() == Impact::Irreversible);
        let point_of_no_return = irreversible && leads_home(&found) && !leads_home(&after());
        let expected = found.ways.first().map_or(SignedDuration::ZERO, |way| expected(plan, way));
        Self { found, expected, point_of_no_return }
    }
}

fn leads_home(found: &Found) -> bool {
    found.ways.first().is_some_and(|way| way.goal == Goal::Home)
}

/// How long a way is expected to take.
pub fn expected(plan: &Plan, way: &Way) -> SignedDuration {
    fit::time_of(plan, way)
}

/// For each step of the plan, in order: what remains to be done if it does not begin. `movable`: the site's traffic can be moved
/// through us.
pub fn of_plan(plan: &Plan, movable: bool) -> Vec<StopHere> {
    let ideal = Facts::ideal(plan.primary, plan.from.version.clone(), plan.to.version.clone());
    let mut facts = Facts { movable, between: plan.between(), ..ideal };
    let mut when = When::Prepare;
    let mut stops = Vec::with_capacity(plan.steps.len());
    let mut found = way_home::find(&facts, when);
    for (index, step) in plan.steps.iter().enumerate() {
        let after = facts.clone().after(step);
        let next = plan.steps.get(index + 1).map_or(step.when, |next| next.when);
        let entered = if next == when { after } else { after.entering(next) };
        // A step that changes nothing leaves the way as it is.
        let then = if entered == facts && next == when { found.clone() } else { way_home::find(&entered, next) };
        stops.push(StopHere::new(plan, Some(step), found, || then.clone()));
        (facts, when, found) = (entered, next, then);
    }
    stops
}

/// For a run as it stands, from what is observed; `None` once it is over.
pub fn of_run(run: &Run, world: &World) -> Option<StopHere> {
    if run.is_finished() {
        return None;
    }
    let step = run.step();
    let when = step.map_or(When::Finish, |step| step.when);
    let facts = homeward::facts(run, world, when);
    let found = way_home::find(&facts, when);
    let after = || step.map_or_else(Found::default, |step| way_home::find(&facts.clone().after(step), when));
    Some(StopHere::new(&run.plan, step, found, after))
}
