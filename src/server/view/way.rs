//! The ways home from where a run stands, on the wire.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::action::{Impact, Kind};
use crate::domain::gate::Gate;
use crate::domain::homeward;
use crate::domain::ids::{NodeId, RunId};
use crate::domain::plan::{self, Goal};
use crate::domain::rules::Violation;
use crate::domain::run::Run;
use crate::domain::step::Step;
use crate::domain::unsynced;
use crate::domain::way_home::{self, Found};
use crate::domain::world::World;
use crate::engine::api::WaysFound;

/// What `abort` shows before it asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ways {
    pub run: RunId,
    pub site: String,
    /// The record that the ways were found at; sent along with the order, a run that moved on refuses.
    pub seq: u64,
    /// When the appliances were read.
    pub at: Timestamp,
    /// Why no way may be ordered now; `null` if one may.
    pub not_now: Option<String>,
    /// The best way; `abort` takes it. `null` if there is none.
    pub way: Option<Way>,
    /// The next best.
    pub other: Option<Way>,
    /// Where no way leads home: the promises that can't be kept.
    pub not_home: Vec<Promise>,
}

/// One way, from here to where the pair may be left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Way {
    /// `home` or `harbour`.
    pub goal: String,
    /// At harbour: the node that serves.
    pub node: Option<NodeId>,
    pub steps: Vec<WayStep>,
    pub expected_seconds: i64,
    /// True if one of its steps can't be undone.
    pub irreversible: bool,
    /// What is in the service no more afterwards; `null`: nothing.
    pub leaves_behind: Option<Left>,
}

/// A step of a way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WayStep {
    pub id: String,
    pub action: Kind,
    pub node: Option<NodeId>,
    pub gate: Option<Gate>,
    pub impact: Impact,
    pub sentence: String,
    pub expected_seconds: i64,
}

/// The data that stay behind on a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Left {
    pub node: NodeId,
    /// What was written there after this; `null` in a plan.
    pub since: Option<Timestamp>,
    /// How many sessions are known; `null`: not told.
    pub sessions: Option<u64>,
    /// `extraction` or `reading`: where the number is from.
    pub known_from: Option<String>,
}

/// A promise that stands against the way home.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Promise {
    /// `R10`.
    pub rule: String,
    pub name: String,
    pub expected: String,
    pub found: String,
}

impl Ways {
    pub fn of(found: &WaysFound) -> Self {
        let WaysFound { snapshot, found, not_now } = found;
        let (run, world) = (&*snapshot.run, &*snapshot.world);
        let [way, other] = first_two(run, world, found);
        Self {
            run: run.id.clone(),
            site: run.id.site.clone(),
            seq: run.seq,
            at: world.now,
            not_now: not_now.clone(),
            way,
            other,
            not_home: found.not_home.iter().map(Promise::from).collect(),
        }
    }
}

/// The best way and the next best.
pub fn first_two(run: &Run, world: &World, found: &Found) -> [Option<Way>; 2] {
    let mut ways = found.ways.iter().map(|way| Way::of(way, run, world));
    [ways.next(), ways.next()]
}

impl Way {
    pub fn of(way: &way_home::Way, run: &Run, world: &World) -> Self {
        let steps: Vec<WayStep> = homeward::steps(run, way).iter().map(|step| WayStep::of(step, &run.plan)).collect();
        let (goal, node) = match way.goal {
            Goal::Home => ("home", None),
            Goal::Harbour { node } => ("harbour", Some(node)),
        };
        Self {
            goal: goal.to_owned(),
            node,
            expected_seconds: steps.iter().map(|step| step.expected_seconds).sum(),
            irreversible: steps.iter().any(|step| step.impact == Impact::Irreversible),
            leaves_behind: way.leaves_behind.map(|node| Left::on(node, run, world)),
            steps,
        }
    }
}

impl WayStep {
    pub fn of(step: &Step, plan: &plan::Plan) -> Self {
        Self {
            id: step.id.clone(),
            action: step.kind,
            node: step.node,
            gate: step.gate,
            impact: step.impact(),
            sentence: plan.sentence(step),
            expected_seconds: plan.likely(step.kind).as_secs(),
        }
    }
}

impl Left {
    /// What is known of a node's sessions: the last extraction's records, else the last reading's count.
    pub fn on(node: NodeId, run: &Run, world: &World) -> Self {
        let read = world.readings[node].current.as_ref().and_then(|observation| observation.sessions);
        let (sessions, known_from) = match (run.nodes[node].extracted_records, read) {
            (Some(records), _) => (Some(records), Some("extraction")),
            (None, Some(sessions)) => (Some(u64::from(sessions)), Some("reading")),
            (None, None) => (None, None),
        };
        let since = (run.sync.is_some() || run.broken_at.is_some()).then(|| unsynced::since(run));
        Self { node, since, sessions, known_from: known_from.map(str::to_owned) }
    }

    /// In a plan nothing was written yet.
    pub fn planned(node: NodeId) -> Self {
        Self { node, since: None, sessions: None, known_from: None }
    }
}

impl From<&Violation> for Promise {
    fn from(violation: &Violation) -> Self {
        Self {
            rule: format!("{:?}", violation.rule),
            name: violation.rule.name().to_owned(),
            expected: violation.expected.clone(),
            found: violation.found.clone(),
        }
    }
}
