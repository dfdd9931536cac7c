//! "If you stop here" on the wire: at each step of a plan, and for a run as it stands.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::domain::action::{Gate, Kind};
use crate::domain::event::Goal;
use crate::domain::ids::{NodeId, PerNode};
use crate::domain::rules::Violation;
use crate::domain::stop_here;
use crate::domain::way_home;
use crate::engine::api::Snapshot;

/// The way to a safe end from here, without the rest of the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StopHere {
    /// `home` (linked and serving), `harbour` (one node serves, without failover), or `null` where no way leads anywhere.
    pub goal: Option<String>,
    /// The node that serves at its end, at harbour.
    pub node: Option<NodeId>,
    pub steps: Vec<WayStep>,
    pub expected_seconds: i64,
    /// Whose data since the last good sync stay behind.
    pub leaves_behind: Option<LeftBehind>,
    /// The step can't be undone, and after it no way leads home without a person's decision.
    pub point_of_no_return: bool,
    /// Where no way leads home: what stands against it, each to be decided by a person.
    pub not_home: Vec<Against>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WayStep {
    pub id: String,
    pub action: Kind,
    pub node: Option<NodeId>,
    pub gate: Option<Gate>,
    pub sentence: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeftBehind {
    pub node: NodeId,
    /// What was written there after this; `null` in a plan.
    pub since: Option<Timestamp>,
    /// Sessions that are open there now, where the node tells.
    pub sessions: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Against {
    pub rule: String,
    pub expected: String,
    pub found: String,
}

impl StopHere {
    /// At a step of a plan.
    pub fn of_plan(stop: &stop_here::StopHere) -> Self {
        Self::new(stop, None, &PerNode::default())
    }

    /// For a run as it stands; `None` once it is over.
    pub fn of_run(snapshot: &Snapshot) -> Option<Self> {
        let stop = stop_here::of_run(&snapshot.run, &snapshot.world)?;
        let reading = |node: NodeId| snapshot.world.readings[node].current.as_ref();
        let sessions = PerNode::new(|node| reading(node).and_then(|observation| observation.sessions));
        let since = snapshot.run.sync.as_ref().map(|sync| sync.sync.at).or(snapshot.run.broken_at);
        Some(Self::new(&stop, since, &sessions))
    }

    fn new(stop: &stop_here::StopHere, since: Option<Timestamp>, sessions: &PerNode<Option<u32>>) -> Self {
        let way = stop.way();
        let (goal, node) = match way.map(|way| way.goal) {
            Some(Goal::Home) => (Some("home".to_owned()), None),
            Some(Goal::Harbour { node }) => (Some("harbour".to_owned()), Some(node)),
            None => (None, None),
        };
        let left = way.and_then(|way| way.leaves_behind);
        Self {
            goal,
            node,
            steps: way.map(steps).unwrap_or_default(),
            expected_seconds: stop.expected.max(SignedDuration::ZERO).as_secs(),
            leaves_behind: left.map(|node| LeftBehind { node, since, sessions: sessions[node] }),
            point_of_no_return: stop.point_of_no_return,
            not_home: stop.found.not_home.iter().map(Against::from).collect(),
        }
    }

    /// Where the way ends, in a word or two.
    pub fn end(&self) -> String {
        match (self.goal.as_deref(), self.node) {
            (Some(_), Some(node)) => format!("harbour on node {node}"),
            (Some(_), None) => "home".to_owned(),
            (None, _) => "no way".to_owned(),
        }
    }
}

fn steps(way: &way_home::Way) -> Vec<WayStep> {
    let step = |step: &crate::domain::step::Step| WayStep {
        id: step.id.clone(),
        action: step.kind,
        node: step.node,
        gate: step.gate,
        sentence: step.sentence(),
    };
    way.steps.iter().map(step).collect()
}

impl From<&Violation> for Against {
    fn from(violation: &Violation) -> Self {
        let Violation { rule, expected, found, .. } = violation;
        Self { rule: format!("{rule:?}"), expected: expected.clone(), found: found.clone() }
    }
}
