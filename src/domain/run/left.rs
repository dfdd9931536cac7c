//! What is left to do of a run, and what of it R3 binds.

use jiff::{SignedDuration, Timestamp};

use super::Run;
use crate::domain::action::When;
use crate::domain::plan::is_bound;
use crate::domain::step::Step;

impl Run {
    /// The latest safe start of the step where the run stands.
    pub fn latest_start(&self) -> Option<Timestamp> {
        let latest = self.plan.latest_starts(&self.windows, self.is_ordered());
        latest.get(self.position()?).copied().flatten()
    }

    /// The steps from where the run stands on, without those that were done before a gate had to be asked once more.
    pub fn left_to_do(&self) -> impl Iterator<Item = &Step> {
        let here = self.position().unwrap_or(self.plan.steps.len());
        self.steps().skip(here).filter(|(_, progress)| progress.done_at.is_none()).map(|(step, _)| step)
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
