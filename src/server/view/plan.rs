//! A plan on the wire.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::action::{Impact, Kind, When};
use crate::domain::gate::Gate;
use crate::domain::ids::NodeId;
use crate::domain::plan::{self, OutOfTime, Package, Rehearsal, Source, Windows};
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
    /// Why both windows are in one night, where they are: the shortest soak is waived.
    #[serde(default)]
    pub urgent: Option<String>,
    /// The site's time zone; all times here are UTC.
    pub zone: String,
    /// What the clocks do to the windows: nothing that is refused, but worth knowing.
    #[serde(default)]
    pub flags: Vec<String>,
    /// Who is responsible for window two; `null`: whoever starts the run.
    pub responsible: Option<String>,
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
    /// The same as `likely_seconds`.
    pub expected_seconds: i64,
    /// What the plan reckons with.
    pub likely_seconds: i64,
    /// What must fit into the window.
    pub worst_seconds: i64,
    /// Where both are from: `default` (the table of actions), `site` (`policy.expected`) or `learned`.
    pub estimate: Source,
    /// How many measured times they are from.
    pub samples: u32,
    /// The way back that must still fit after it; 0 for steps that R3 does not bind.
    pub back_seconds: i64,
    /// The latest safe start; `null` where nothing is late.
    pub latest_start: Option<Timestamp>,
    /// What happens at this step when its window has no time left: `finish`, `hold` or `home`.
    pub when_time_runs_out: OutOfTime,
    /// When it is expected to begin if the plan is started now.
    pub at: Option<Timestamp>,
    /// What remains to be done if it does not begin.
    pub stop_here: Option<StopHere>,
}

impl From<PlanPreview> for Plan {
    fn from(preview: PlanPreview) -> Self {
        let PlanPreview { site, plan, times, refusals, flags, movable } = preview;
        let stops = stop_here::of_plan(&plan, movable);
        let latest = plan.latest_starts(&plan.windows, false);
        let steps = plan.steps.iter().enumerate().map(|(index, step)| {
            let stop_here = stops.get(index).map(|stop| StopHere::of_plan(stop, &plan));
            let latest_start = latest.get(index).copied().flatten();
            PlanStep { stop_here, latest_start, ..PlanStep::new(&plan, step, times.get(index).copied()) }
        });
        Self {
            site,
            procedure: plan.procedure.clone(),
            from: plan.from.version.to_string(),
            to: plan.to.version.to_string(),
            from_build: plan.from.build.clone(),
            to_build: plan.to.build.clone(),
            package: Package::clone(&plan.package),
            hops: (0..plan.hop_count()).map(|hop| Hop::of(&plan, hop)).collect(),
            windows: plan.windows.clone(),
            rehearsal: plan.rehearsal.as_deref().cloned(),
            urgent: plan.urgent.clone(),
            zone: plan.zone.clone(),
            flags,
            responsible: plan.responsible.clone(),
            refusals: refusals.into_iter().map(Refusal::from).collect(),
            steps: steps.collect(),
        }
    }
}

impl PlanStep {
    fn new(plan: &plan::Plan, step: &Step, at: Option<Timestamp>) -> Self {
        let estimate = plan.estimate(step.kind);
        let likely = plan.likely(step.kind).as_secs();
        Self {
            id: step.id.clone(),
            when: step.when,
            action: step.kind,
            node: step.node,
            gate: step.gate,
            impact: step.impact(),
            sentence: plan.sentence(step),
            expected_seconds: likely,
            likely_seconds: likely,
            worst_seconds: estimate.worst.as_secs().max(likely),
            estimate: estimate.source,
            samples: estimate.samples,
            back_seconds: plan.back(step).as_secs(),
            latest_start: None,
            when_time_runs_out: plan.out_of_time(step),
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
