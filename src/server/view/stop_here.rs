//! "If you stop here" on the wire: at each step of a plan, and for a run as it stands.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::domain::ids::NodeId;
use crate::domain::plan::{Goal, Plan};
use crate::domain::stop_here;
use crate::engine::api::Snapshot;

use super::{Left, Promise, WayStep};

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
    pub leaves_behind: Option<Left>,
    /// The step can't be undone, and after it no way leads home without a person's decision.
    pub point_of_no_return: bool,
    /// Where no way leads home: what stands against it, each to be decided by a person.
    pub not_home: Vec<Promise>,
}

impl StopHere {
    /// At a step of a plan.
    pub fn of_plan(stop: &stop_here::StopHere, plan: &Plan) -> Self {
        Self::new(stop, plan, Left::planned)
    }

    /// For a run as it stands; `None` once it is over.
    pub fn of_run(snapshot: &Snapshot) -> Option<Self> {
        let (run, world) = (&snapshot.run, &snapshot.world);
        let stop = stop_here::of_run(run, world)?;
        Some(Self::new(&stop, &run.plan, |node| Left::on(node, run, world)))
    }

    fn new(stop: &stop_here::StopHere, plan: &Plan, left: impl FnOnce(NodeId) -> Left) -> Self {
        let way = stop.way();
        let (goal, node) = match way.map(|way| way.goal) {
            Some(Goal::Home) => (Some("home".to_owned()), None),
            Some(Goal::Harbour { node }) => (Some("harbour".to_owned()), Some(node)),
            None => (None, None),
        };
        Self {
            goal,
            node,
            steps: way.iter().flat_map(|way| &way.steps).map(|step| WayStep::of(step, plan)).collect(),
            expected_seconds: stop.expected.max(SignedDuration::ZERO).as_secs(),
            leaves_behind: way.and_then(|way| way.leaves_behind).map(left),
            point_of_no_return: stop.point_of_no_return,
            not_home: stop.found.not_home.iter().map(Promise::from).collect(),
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
