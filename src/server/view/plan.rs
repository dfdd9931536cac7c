//! A plan on the wire.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::action::{Impact, Kind, When};
use crate::domain::gate::Gate;
use crate::domain::ids::NodeId;
use crate::domain::plan::{self, Package, Windows};
use crate::domain::rehearsal::Rehearsal;
use crate::domain::step::Step;
use crate::domain::stop_here;
use crate::engine::api::PlanPreview;

use super::StopHere;

/// A plan before it is a run: its steps with times, and what speaks against it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub site: String,
    pub procedure: String,
    pub from: String,
    pub to: String,
    pub from_build: Option<String>,
    /// The build that both nodes must show; `null`: the one that the first updated node shows.
    pub to_build: Option<String>,
    pub package: Package,
    /// All packages in order, each with the version that it leads to: one, or a chain of which `package` is the last.
    #[serde(default)]
    pub hops: Vec<Hop>,
    pub windows: Windows,
    /// The release that the plan counts on; `null` where the site asks for none, or none counts.
    #[serde(default)]
    pub rehearsal: Option<Rehearsal>,
    pub refusals: Vec<Refusal>,
    pub steps: Vec<PlanStep>,
}

/// One package of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hop {
    pub to: String,
    pub build: Option<String>,
    pub package: Package,
}

impl Hop {
    fn of(plan: &plan::Plan, hop: u32) -> Self {
        let to = plan.target_of(hop);
        Self { to: to.version.to_string(), build: to.build.clone(), package: plan.package_of(hop).clone() }
    }
}

/// What speaks against starting the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    pub rule: String,
    pub step: Option<String>,
    pub message: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanStep {
    pub id: String,
    pub when: When,
    pub action: Kind,
    pub node: Option<NodeId>,
    pub gate: Option<Gate>,
    pub impact: Impact,
    pub sentence: String,
    pub expected_seconds: i64,
    /// When it is expected to begin if the plan is started now.
    pub at: Option<Timestamp>,
    /// What remains to be done if it does not begin.
    pub stop_here: Option<StopHere>,
}

impl From<PlanPreview> for Plan {
    fn from(preview: PlanPreview) -> Self {
        let PlanPreview { site, plan, times, refusals, movable } = preview;
        let stops = stop_here::of_plan(&plan, movable);
        let steps = plan.steps.iter().enumerate().map(|(index, step)| {
            let stop_here = stops.get(index).map(|stop| StopHere::of_plan(stop, &plan));
            PlanStep { stop_here, ..PlanStep::new(&plan, step, times.get(index).copied()) }
        });
        Self {
            site,
            procedure: plan.procedure.clone(),
            from: plan.from.version.to_string(),
            to: plan.to.version.to_string(),
            from_build: plan.from.build.clone(),
            to_build: plan.to.build.clone(),
            package: plan.package.clone(),
            hops: (0..plan.hop_count()).map(|hop| Hop::of(&plan, hop)).collect(),
            windows: plan.windows.clone(),
            rehearsal: plan.rehearsal.clone(),
            refusals: refusals.into_iter().map(Refusal::from).collect(),
            steps: steps.collect(),
        }
    }
}

impl PlanStep {
    fn new(plan: &plan::Plan, step: &Step, at: Option<Timestamp>) -> Self {
        Self {
            id: step.id.clone(),
            when: step.when,
            action: step.kind,
            node: step.node,
            gate: step.gate,
            impact: step.impact(),
            sentence: plan.sentence(step),
            expected_seconds: plan.expected(step.kind).as_secs(),
            at,
            stop_here: None,
        }
    }
}

impl From<plan::Refusal> for Refusal {
    fn from(refusal: plan::Refusal) -> Self {
        let plan::Refusal { rule, step, message } = refusal;
        Self { rule, step, message }
    }
}
