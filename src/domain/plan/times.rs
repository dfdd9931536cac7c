//! What a plan's steps need, and until when they may begin.

use jiff::{SignedDuration, Timestamp};

use super::estimate::Estimate;
use super::fit::{OutOfTime, is_bound};
use super::{Plan, Windows};
use crate::domain::action::{Kind, When};
use crate::domain::site::WhenWindowEnds;
use crate::domain::step::Step;

impl Plan {
    pub fn estimate(&self, kind: Kind) -> Estimate {
        self.fit.second_update.filter(|_| kind == Kind::Update).unwrap_or_else(|| self.planned(kind))
    }

    fn planned(&self, kind: Kind) -> Estimate {
        self.fit.estimates.get(&kind).copied().unwrap_or_else(|| Estimate::told(&self.policy, kind))
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

    /// How long these steps are likely to take, one after the other.
    pub fn likely_for<'s>(&self, steps: impl IntoIterator<Item = &'s Step>) -> SignedDuration {
        steps.into_iter().fold(SignedDuration::ZERO, |sum, step| sum + self.likely(step.kind))
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
        self.likely_for(part[..next].iter().copied()) + self.need(part[next])
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
