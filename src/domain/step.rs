//! A step: one action of a plan, with the node or gate that it concerns.

use serde::{Deserialize, Serialize};

use super::action::{Impact, Kind, When};
use super::gate::Gate;
use super::ids::NodeId;

/// One action in a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// `<when>.<action>[.<node or gate>]`, with `.2` and so on for a repeat.
    pub id: String,
    pub when: When,
    pub kind: Kind,
    /// The node that the step concerns.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub node: Option<NodeId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub gate: Option<Gate>,
    /// Which package of a chain an update installs, from 0.
    #[serde(skip_serializing_if = "is_first", default)]
    pub hop: u32,
}

fn is_first(hop: &u32) -> bool {
    *hop == 0
}

impl Step {
    /// The operator's sentence; [`super::plan::Plan::sentence`] knows more of a chain.
    pub fn sentence(&self) -> String {
        let node = self.node.map(|node| format!("node `{node}`")).unwrap_or_default();
        let gate = self.gate.map(Gate::question).unwrap_or_default();
        self.kind.row().sentence.replace("{node}", &node).replace("{gate}", gate)
    }

    pub fn impact(&self) -> Impact {
        self.kind.impact()
    }
}
