//! Fit: what the way back from each step needs, found once for the whole plan.
//!
//! A plan is reckoned through once, when it is made; a run changes one figure of it, when its first update has been measured.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;

use super::action::{Kind, When};
use super::estimate;
use super::facts::Facts;
use super::plan::{Estimate, Fit, Goal, Plan, Reserve, is_bound};
use super::prove::outcomes;
use super::run::Run;
use super::step::Step;
use super::way_home::{self, Way};

impl Fit {
    /// Reckons a plan through. `movable`: the site's traffic can be moved through us. `earlier`: the site's runs, newest first.
    pub fn of(plan: &Plan, movable: bool, earlier: &[&Run]) -> Self {
        let learned = |kind| estimate::learned(&plan.policy, kind, &plan.to.version, earlier);
        let kinds = plan.steps.iter().map(|step| step.kind).chain(WAY_BACK);
        let estimates: BTreeMap<Kind, Estimate> = kinds.map(|kind| (kind, learned(kind))).collect();
        let fit = Self { estimates, ..Self::default() };
        let estimated = Plan { fit: Arc::new(fit.clone()), ..plan.clone() };
        Self { reserves: reserves(&estimated, movable), ..fit }
    }
}

/// Actions of ways back that a plan may not have.
const WAY_BACK: [Kind; 3] = [Kind::Reopen, Kind::RestoreTtl, Kind::FinalCheck];

fn reserves(plan: &Plan, movable: bool) -> BTreeMap<String, Reserve> {
    let ideal = Facts::ideal(plan.primary, plan.from.version.clone(), plan.to.version.clone());
    let mut facts = Facts { movable, between: plan.between(), ..ideal };
    let mut when = When::Prepare;
    let mut reserves = BTreeMap::new();
    for step in plan.steps.iter() {
        if step.when != when {
            when = step.when;
            facts = facts.entering(when);
        }
        let after = facts.clone().after(step);
        if is_bound(step, false) {
            reserves.insert(step.id.clone(), reserve(plan, step, &facts, &after));
        }
        facts = after;
    }
    reserves
}

fn reserve(plan: &Plan, step: &Step, before: &Facts, after: &Facts) -> Reserve {
    let late = |facts: &Facts| way_home::without_window(facts, step.when);
    let ends = outcomes::of(step, before).into_iter().map(|outcome| outcome.facts).chain([after.clone()]);
    let back = ends.filter_map(|facts| late(&facts)).map(|way| time_of(plan, &way)).max();
    let home = before.unprotected && late(before).is_some_and(|way| way.goal == Goal::Home);
    Reserve { back: back.unwrap_or_default(), home }
}

/// How long a way is likely to take.
pub fn time_of(plan: &Plan, way: &Way) -> SignedDuration {
    plan.likely_for(&way.steps)
}
