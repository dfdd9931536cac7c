//! What a plan knows of times: estimates, and what must still fit into a window after a step.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::estimate::Estimate;
use crate::domain::action::{Impact, Kind, When};
use crate::domain::step::Step;

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

    /// The first node's update was measured: it predicts the second's (BG-03). Of a chain the hop that took longest does: one
    /// package says little of another. A plan without estimates stays as it was made.
    pub fn learn_update(&mut self, estimate: Estimate) {
        let known = self.second_update.filter(|known| known.worst >= estimate.worst);
        self.second_update = known.or(self.estimates.get(&Kind::Update).map(|_| estimate));
    }
}

/// R3 binds what disturbs users in a window; on a way that a person ordered only an update.
pub fn is_bound(step: &Step, ordered: bool) -> bool {
    let windowed = matches!(step.when, When::Window1 | When::Window2);
    windowed && step.impact() >= Impact::Disruptive && (!ordered || step.kind == Kind::Update)
}
