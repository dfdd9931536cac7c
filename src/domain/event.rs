//! What can happen to a run. Each event becomes one record of its journal; the run is the fold over them.

mod evidence;
mod notice;
mod shown;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::check::Finding;
use super::gate::Gate;
use super::ids::NodeId;
use super::ledger::Line;
use super::people::Who;
use super::plan::{Goal, Plan};
use super::rule::Rule;
use super::step::Step;
use super::window::Window;

pub use evidence::{Baseline, Counts, Evidence, NameTtl};
pub use notice::Notice;
pub(in crate::domain) use shown::PASS;
pub use shown::{HASH_SHORT, Shown};

/// An event, past tense; its fields are the record's `data`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub enum Event {
    /// A person started the run.
    Started {
        plan: Box<Plan>,
    },
    /// The daemon came up and took the run over where it stood.
    Recovered {},
    /// The intent: the step's act is sent only after this record is durable.
    StepBegun {
        attempt: u32,
        baseline: Baseline,
    },
    /// The other side took the order; its effect is awaited.
    ActAccepted {},
    /// There is no interface: a person was told what to do.
    Instructed {
        number: u32,
        not_after: Option<Timestamp>,
        lines: Vec<String>,
    },
    /// Nothing to do until something else happens.
    Waited {
        on: WaitingOn,
        until: Option<Timestamp>,
    },
    /// The act was never sent; it is tried again.
    RetryScheduled {
        attempt: u32,
        until: Timestamp,
        message: String,
    },
    /// The answer was lost or a limit passed: a reading must settle what happened.
    Doubted {
        message: String,
    },
    /// The step is proven done.
    StepDone {
        evidence: Evidence,
        already: bool,
    },
    /// What an earlier step had proved is too old or gone; it is done once more.
    EvidenceLapsed {
        step: String,
        rule: String,
    },
    /// A run that waits was checked, as every night.
    Checked {
        results: Vec<Finding>,
    },
    /// A person accepted a warning of the preflight, as it was found. `left`: the warnings that nobody has accepted yet.
    WarningAccepted {
        check: String,
        node: Option<NodeId>,
        basis: String,
        reason: String,
        by: String,
        left: Vec<String>,
    },
    /// A person answered a gate.
    Confirmed {
        gate: Gate,
        verdict: Verdict,
        note: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Who>,
        /// What the gate showed: the word is bound to it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        shown: Option<Shown>,
    },
    /// Nobody has answered an open gate for long: those who may are told again, or their deputies too.
    Reminded {
        gate: Gate,
        escalated: bool,
    },
    /// A person said something that they may not say; it moved nothing.
    Denied {
        word: String,
        gate: Option<Gate>,
        by: Who,
        reason: String,
    },
    /// A person set a promise aside for one step.
    Waived {
        rule: Rule,
        step: String,
        reason: String,
        by: Who,
        shown: Option<Shown>,
    },
    /// The run stops here until a person resumes it. `given_up`: the act under way no longer counts, and an instruction that is
    /// out is withdrawn; else the effect is awaited again once the run is resumed.
    Held {
        code: String,
        message: String,
        expected: String,
        found: String,
        node: Option<NodeId>,
        given_up: bool,
    },
    /// A person asked to stop at the next safe point.
    HoldRequested {},
    /// A person lets the run go on, perhaps with new windows, or with another person responsible for window two.
    Resumed {
        first: Option<Window>,
        second: Option<Window>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        responsible: Option<String>,
    },
    /// A person ordered traffic back to the node it was taken from.
    SwitchBackOrdered {
        note: String,
    },
    /// The steps that are not done are replaced: a new plan revision, found from what is observed.
    Revised {
        cause: Cause,
        goal: Goal,
        note: Option<String>,
        steps: Vec<Step>,
        /// What is not as the plan had it, in the words of [`super::surprise::surprises`]: the person was shown it.
        seen: Vec<String>,
    },
    /// A box was replaced: what the journal knows of the node was true of the old one.
    NodeReplaced {
        node: NodeId,
        identity: String,
        note: Option<String>,
    },
    /// A person ended the run; nothing was touched.
    Closed {
        /// In the person's word, how things are left.
        state: String,
        note: String,
        /// The steps that were not done.
        undone: Vec<String>,
        /// Since when the pair was known to be without failover by no act of the run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        off_since: Option<Timestamp>,
    },
    /// Something that a person must know and that moves nothing; `raised` false when it is over.
    Noticed {
        notice: Notice,
        node: Option<NodeId>,
        raised: bool,
        message: String,
    },
    /// Settings were compared with those at the break, and there are other lines than before.
    SettingsCompared {
        /// The node from which the next sync will run.
        keeper: NodeId,
        lines: Vec<Line>,
    },
    /// A person has seen a line of the ledger, as it is now.
    LineAcknowledged {
        line: String,
        digest: String,
        by: Who,
        note: Option<String>,
    },
    /// An alert was given up after its last retry.
    Undelivered {
        id: String,
        hook: String,
        message: String,
    },
    Finished {
        outcome: Outcome,
    },
    /// R11: a person let others count on the run that has succeeded, or took that word back.
    Released {
        by: Who,
        note: String,
        withdrawn: bool,
    },
}

/// Why a run is not moving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitingOn {
    Window,
    Gate,
    Soak,
    Operator,
    Appliance,
    Traffic,
    Retry,
}

/// A person's word at a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Accept,
    /// R10: accepted before the shortest soak is over.
    AcceptEarly,
    Reject,
}

/// Why a plan was revised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A person ordered the way home.
    Abort,
    /// A person had replaced a box.
    NodeReplaced,
    /// What was left of the window was too short, and the site's policy is to go home then.
    WindowEnds,
    /// Nobody answered a gate in time, and its policy leads home then.
    GateExpired,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Succeeded,
    Aborted,
    Failed,
    Closed,
}

impl Outcome {
    pub fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Aborted => "aborted",
            Self::Failed => "failed",
            Self::Closed => "closed",
        }
    }
}

impl Event {
    /// The event's name, as a record keeps it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::Recovered {} => "recovered",
            Self::StepBegun { .. } => "step_begun",
            Self::ActAccepted {} => "act_accepted",
            Self::Instructed { .. } => "instructed",
            Self::Waited { .. } => "waited",
            Self::RetryScheduled { .. } => "retry_scheduled",
            Self::Doubted { .. } => "doubted",
            Self::StepDone { .. } => "step_done",
            Self::EvidenceLapsed { .. } => "evidence_lapsed",
            Self::Checked { .. } => "checked",
            Self::WarningAccepted { .. } => "warning_accepted",
            Self::Confirmed { .. } => "confirmed",
            Self::Reminded { .. } => "reminded",
            Self::Denied { .. } => "denied",
            Self::Waived { .. } => "waived",
            Self::Held { .. } => "held",
            Self::HoldRequested {} => "hold_requested",
            Self::Resumed { .. } => "resumed",
            Self::SwitchBackOrdered { .. } => "switch_back_ordered",
            Self::Revised { .. } => "revised",
            Self::NodeReplaced { .. } => "node_replaced",
            Self::Closed { .. } => "closed",
            Self::Noticed { .. } => "noticed",
            Self::SettingsCompared { .. } => "settings_compared",
            Self::LineAcknowledged { .. } => "line_acknowledged",
            Self::Undelivered { .. } => "undelivered",
            Self::Finished { .. } => "finished",
            Self::Released { .. } => "released",
        }
    }

    /// The event's name and fields, as a record keeps them.
    pub fn to_parts(&self) -> (String, serde_json::Value) {
        // Plain data: serializing it into a JSON value cannot fail.
        let mut value = serde_json::to_value(self).unwrap_or_default();
        let name = value["event"].as_str().unwrap_or_default().to_owned();
        (name, value["data"].take())
    }

    /// Reads back what [`Event::to_parts`] gave.
    ///
    /// # Errors
    /// An event or field that this build does not know.
    pub fn from_parts(name: &str, data: &serde_json::Value) -> Result<Self, serde_json::Error> {
        serde_json::from_value(serde_json::json!({ "event": name, "data": data }))
    }
}
