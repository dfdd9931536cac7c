//! Fit: what a step and the way back from it need, until when it may begin, and what happens when time runs out.
//!
//! A plan is reckoned through once, when it is made; a run changes one figure of it, when its first update has been measured.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::action::{Impact, Kind, When};
use super::estimate::{self, Estimate};
use super::event::Goal;
use super::facts::{Facts, WindowFact};
use super::plan::{Plan, Windows};
use super::prove::outcomes;
use super::run::Run;
use super::site::WhenWindowEnds;
use super::step::Step;
use super::way_home::{self, Way};

/// What a plan knows of times: nothing is estimated later. Plans of earlier builds have none, and keep the site's figures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fit {
    pub estimates: BTreeMap<Kind, Estimate>,
    /// For each step that R3 binds, by its id.
    pub reserves: BTreeMap<String, Reserve>,
    /// Within the run: what the first node's measured update says of the second's (BG-03).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_update: Option<Estimate>,
}

/// What must still fit into the window after a step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserve {
    /// The way home or to harbour if the step fails or nothing follows it, whichever takes longest.
    pub back: SignedDuration,
    /// If the step no longer begins, the way from before it leads home, and failover is broken there.
    pub home: bool,
}

/// What happens at a step when its window has no time left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutOfTime {
    /// It begins and is finished all the same: it disturbs nobody.
    Finish,
    /// Not begun, it is not begun any more and the run holds; begun, it is finished.
    Hold,
    /// As `Hold`, but the run goes home by itself (`policy.when_window_ends`).
    Home,
}

impl OutOfTime {
    pub fn name(self) -> &'static str {
        match self {
            Self::Finish => "finish",
            Self::Hold => "hold",
            Self::Home => "home",
        }
    }
}

impl Fit {
    pub fn is_untold(&self) -> bool {
        *self == Self::default()
    }

    /// Reckons a plan through. `movable`: the site's traffic can be moved through us. `earlier`: the site's runs, newest first.
    pub fn of(plan: &Plan, movable: bool, earlier: &[&Run]) -> Self {
        let learned = |kind| estimate::learned(&plan.policy, kind, &plan.to.version, earlier);
        let kinds = plan.steps.iter().map(|step| step.kind).chain(WAY_BACK);
        let estimates: BTreeMap<Kind, Estimate> = kinds.map(|kind| (kind, learned(kind))).collect();
        let fit = Self { estimates, ..Self::default() };
        let estimated = Plan { fit: Arc::new(fit.clone()), ..plan.clone() };
        Self { reserves: reserves(&estimated, movable), ..fit }
    }

    /// The first node's update was measured: it predicts the second's (BG-03). Of a chain the hop that took longest does: one
    /// package says little of another. A plan without estimates stays as it was made.
    pub fn learn_update(&mut self, estimate: Estimate) {
        let known = self.second_update.filter(|known| known.worst >= estimate.worst);
        self.second_update = known.or(self.estimates.get(&Kind::Update).map(|_| estimate));
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
    sum(way.steps.iter().map(|step| plan.likely(step.kind)))
}

fn sum(times: impl Iterator<Item = SignedDuration>) -> SignedDuration {
    times.fold(SignedDuration::ZERO, |sum, time| sum + time)
}

/// R3 binds what disturbs users in a window; on a way that a person ordered only an update.
pub fn is_bound(step: &Step, ordered: bool) -> bool {
    let windowed = matches!(step.when, When::Window1 | When::Window2);
    windowed && step.impact() >= Impact::Disruptive && (!ordered || step.kind == Kind::Update)
}

impl Plan {
    pub fn estimate(&self, kind: Kind) -> Estimate {
        self.fit.second_update.filter(|_| kind == Kind::Update).unwrap_or_else(|| self.planned(kind))
    }

    fn planned(&self, kind: Kind) -> Estimate {
        self.fit.estimates.get(&kind).copied().unwrap_or_else(|| estimate::told(&self.policy, kind))
    }

    /// What was estimated of a step before it began: the first update was not its own measure.
    pub fn estimate_before(&self, step: &Step) -> Estimate {
        let first = self.steps.iter().find(|known| known.kind == Kind::Update);
        if first.is_some_and(|first| first.id == step.id) { self.planned(step.kind) } else { self.estimate(step.kind) }
    }

    /// What plans reckon with.
    pub fn likely(&self, kind: Kind) -> SignedDuration {
        if kind == Kind::Soak && self.urgent.is_some() { SignedDuration::ZERO } else { self.estimate(kind).likely }
    }

    /// R10: the lower bound of the soak; an urgent plan has none.
    pub fn shortest_soak(&self) -> SignedDuration {
        if self.urgent.is_some() { SignedDuration::ZERO } else { self.policy.min_soak }
    }

    /// For so long an act may have its effect yet, though no answer came: by whichever figure is longest.
    pub fn may_take(&self, kind: Kind) -> SignedDuration {
        self.expected(kind).max(self.estimate(kind).worst)
    }

    pub fn back(&self, step: &Step) -> SignedDuration {
        self.fit.reserves.get(&step.id).map(|reserve| reserve.back).unwrap_or_default()
    }

    /// R3: what must fit into what is left of the window when the step begins: the step at its worst and the way back from it.
    ///
    /// What is only done for the sake of the next such step must leave time for that too: failover is not broken for an update that
    /// has no time left, and no node is closed for a switch or an update that has none; nor does a chain of packages begin that
    /// can't be finished.
    pub fn need(&self, step: &Step) -> SignedDuration {
        let worst = self.estimate(step.kind).worst;
        let leads_on = matches!(step.kind, Kind::BreakFailover | Kind::Quiesce) || self.goes_on(step);
        let prepares = leads_on && self.fit.reserves.contains_key(&step.id);
        let next = if prepares { self.through_next(step) } else { SignedDuration::ZERO };
        worst + self.back(step).max(next)
    }

    /// To the end of the next step that R3 binds in this part, and the way back from there.
    fn through_next(&self, step: &Step) -> SignedDuration {
        let rest = self.steps.iter().skip_while(|known| known.id != step.id).skip(1);
        let part: Vec<&Step> = rest.take_while(|known| known.when == step.when).collect();
        let Some(next) = part.iter().position(|known| is_bound(known, false)) else { return SignedDuration::ZERO };
        sum(part[..next].iter().map(|known| self.likely(known.kind))) + self.need(part[next])
    }

    /// Until when a step that R3 binds may begin in these windows.
    pub fn not_after(&self, windows: &Windows, step: &Step, ordered: bool) -> Option<Timestamp> {
        let window = windows.of(step.when).filter(|_| is_bound(step, ordered))?;
        // A window's end less what fits into no window at all is long ago, whatever it is.
        Some(window.to.checked_sub(self.need(step)).unwrap_or(Timestamp::MIN))
    }

    /// The latest safe start of each step. Of one that R3 binds: when it begins no more. Of any other before it: when it must
    /// begin for that one to begin in time. `None`: nothing that follows in this part is bound.
    pub fn latest_starts(&self, windows: &Windows, ordered: bool) -> Vec<Option<Timestamp>> {
        let mut latest = vec![None; self.steps.len()];
        let mut next: Option<Timestamp> = None;
        for (index, step) in self.steps.iter().enumerate().rev() {
            if step.when == When::Window1 && self.steps.get(index + 1).is_some_and(|next| next.when > When::Window1) {
                next = None;
            }
            // The soak counts from window one's end, and a word at its gate is not late because of it.
            let likely = if step.kind == Kind::Soak { SignedDuration::ZERO } else { self.likely(step.kind) };
            let before = next.and_then(|next| next.checked_sub(likely).ok());
            next = self.not_after(windows, step, ordered).or(before);
            latest[index] = next;
        }
        latest
    }

    /// What happens at this step when its window has no time left, as far as the plan can tell.
    pub fn out_of_time(&self, step: &Step) -> OutOfTime {
        if !is_bound(step, false) {
            return OutOfTime::Finish;
        }
        let home = self.fit.reserves.get(&step.id).is_some_and(|reserve| reserve.home);
        if home && self.policy.when_window_ends == WhenWindowEnds::Home { OutOfTime::Home } else { OutOfTime::Hold }
    }
}

impl Run {
    /// The latest safe start of the step where the run stands.
    pub fn latest_start(&self) -> Option<Timestamp> {
        let latest = self.plan.latest_starts(&self.windows, self.is_ordered());
        latest.get(self.position()?).copied().flatten()
    }

    /// The steps from where the run stands on, without those that were done before a gate had to be asked once more.
    pub fn left_to_do(&self) -> impl Iterator<Item = &Step> {
        let here = self.position().unwrap_or(self.plan.steps.len());
        let rest = self.plan.steps.iter().zip(&self.progress).skip(here);
        rest.filter(|(_, progress)| progress.done_at.is_none()).map(|(step, _)| step)
    }

    /// The next step that R3 binds, in the part where the run stands, with what comes before it; not one that has begun.
    pub fn next_bound(&self, begun: bool) -> Option<(&Step, SignedDuration)> {
        let when = self.plan.steps[self.position()?].when;
        let part = self.left_to_do().take_while(|step| step.when == when).skip(usize::from(begun));
        let mut before = SignedDuration::ZERO;
        for step in part {
            if is_bound(step, self.is_ordered()) {
                return Some((step, before));
            }
            before += self.plan.likely(step.kind);
        }
        None
    }

    /// What a window must hold from its begin for the step where the run stands: the way to the first step that R3 binds, that
    /// step at its worst, and the way back from it. `None`: nothing that is left in that part is bound.
    pub fn needs_of_window(&self) -> Option<(&Step, SignedDuration)> {
        let here = self.position()?;
        let part = |step: &&Step| {
            if self.plan.steps[here].when <= When::Window1 { step.when == When::Window1 } else { step.when == When::Window2 }
        };
        let mut before = SignedDuration::ZERO;
        for step in self.left_to_do().filter(part) {
            if is_bound(step, self.is_ordered()) {
                return Some((step, before + self.plan.need(step)));
            }
            before += self.plan.likely(step.kind);
        }
        None
    }
}

/// The facts of a search in which no window has time left.
pub fn too_short(facts: &Facts) -> Facts {
    Facts { ordered: true, window: WindowFact::TooShort, waived: Vec::new(), ..facts.clone() }
}
