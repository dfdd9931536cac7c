//! Estimates beside what was measured, on the wire.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::action::Kind;
use crate::domain::ids::NodeId;
use crate::domain::plan::{Estimate, Source};
use crate::domain::run::{Progress, Run};
use crate::domain::step::Step;

/// How long a step took, or takes since it was begun, beside what was estimated before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepTime {
    pub id: String,
    pub action: Kind,
    pub node: Option<NodeId>,
    pub begun_at: Timestamp,
    /// `null` while it is under way.
    pub done_at: Option<Timestamp>,
    /// `null` while it is under way.
    pub took_seconds: Option<i64>,
    /// False if a hold, a doubt or another try lay between: then nothing is learned from it.
    pub measured: bool,
    pub likely_seconds: i64,
    pub worst_seconds: i64,
    /// `default`, `site` or `learned`.
    pub estimate: Source,
    pub samples: u32,
}

impl StepTime {
    /// The steps of a run that were begun, in order; what only looks or waits is not among them.
    pub fn of(run: &Run) -> Vec<Self> {
        run.steps()
            .filter_map(|(step, progress)| Some(Self::new(step, progress, run.plan.estimate_before(step), progress.begun_at?)))
            .collect()
    }

    fn new(step: &Step, progress: &Progress, estimate: Estimate, begun_at: Timestamp) -> Self {
        Self {
            id: step.id.clone(),
            action: step.kind,
            node: step.node,
            begun_at,
            done_at: progress.done_at,
            took_seconds: progress.took().map(|took| took.as_secs()),
            measured: !progress.disturbed,
            likely_seconds: estimate.likely.as_secs(),
            worst_seconds: estimate.worst.as_secs(),
            estimate: estimate.source,
            samples: estimate.samples,
        }
    }
}
