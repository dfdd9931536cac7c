//! What can happen to a run. Each event becomes one record of its journal; the run is the fold over them.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::checks::Finding;
use super::gate::Gate;
use super::ids::{NodeId, PerNode};
use super::ledger::Line;
use super::people::Who;
use super::plan::Plan;
use super::rules::Rule;
use super::shown::Shown;
use super::site::SyncFact;
use super::step::Step;
use super::ttl::NameTtl;
use super::window::Window;

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
        /// What is not as the plan had it, in the words of [`super::watch::surprises`]: the person was shown it.
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

/// What was true before an act, for its proof.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// The primary's last sync before this one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync: Option<SyncFact>,
    /// R1: the first of two syncs, seen to have changed after it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_sync: Option<SyncFact>,
    /// Where the service's name led.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<NodeId>,
    /// The node that is to be opened was seen to refuse clients: then that it takes them shows that it was opened.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub denied: bool,
    /// BG-02: who was there when a drain was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub people: Option<Counts>,
    /// BG-02: the drain's limit has passed, and sessions are ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ending: bool,
    /// R7: the TTLs that `lower_ttl` replaces, as they were; those that `restore_ttl` brings back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ttl: Vec<NameTtl>,
}

/// Users and sessions of a node, as far as it tells them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub users: Option<u32>,
    pub sessions: Option<u32>,
}

impl Counts {
    /// Somebody is there, as far as it is told.
    pub fn is_anybody(self) -> bool {
        self.users.unwrap_or(0) > 0 || self.sessions.unwrap_or(0) > 0
    }

    pub fn describe(self) -> String {
        format!("{} users, {} sessions", self.users.unwrap_or(0), self.sessions.unwrap_or(0))
    }
}

/// What a finished step leaves for the rules and the report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Evidence {
    /// What was seen, in words.
    Seen {
        found: String,
        /// Of a break whose effect was not seen at once: when it was ordered, since it may be as old as that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Timestamp>,
    },
    Sync {
        sync: SyncFact,
        asked_at: Timestamp,
    },
    Version {
        version: String,
        build: Option<String>,
    },
    Files {
        files: Vec<FileEvidence>,
        records: Option<u64>,
    },
    /// What the preflight found.
    Checks {
        results: Vec<Finding>,
    },
    /// BG-02: who was left on a node when its drain was over, and why that is enough.
    Drained {
        left: Counts,
        found: String,
    },
    /// R7: the TTLs that every server gives out, and for how long a resolver may remember that a type of record is missing, where
    /// the switch adds one.
    Ttl {
        names: Vec<NameTtl>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        negative: Option<u32>,
        found: String,
    },
    /// The listings of both nodes' settings at the break.
    Settings {
        snapshot: PerNode<Option<FileEvidence>>,
        found: String,
        /// Listings that should have been there and could not be read, and why.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        unread: Vec<String>,
    },
}

/// A file that a step produced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEvidence {
    pub path: PathBuf,
    pub sha256: String,
    pub bytes: u64,
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

/// What can be noticed beside the run's own steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    UnprotectedTooLong,
    WindowClosing,
    NodeUnreachable,
    StraySession,
    RoleConflict,
    /// Only the reserved space is left on the store's disk.
    StoreLow,
    /// The node that should serve takes no client, and nothing of ours explains it.
    NotServing,
    /// Half of the budget of time without failover has passed.
    #[serde(rename = "exposure_50")]
    Exposure50,
    #[serde(rename = "exposure_80")]
    Exposure80,
    /// Conditions of the soak: a node was silent or unwell; the serving one refused clients; a certificate or licence runs out
    /// before window two is over; not every server names the serving node.
    SoakSilent,
    SoakUnhealthy,
    SoakRefusing,
    SoakExpiring,
    SoakMisled,
    /// Sessions were seen on the serving node. No alert: it is what the soak is for.
    SoakInUse,
    /// The shortest soak is over and no session was seen.
    SoakInconclusive,
    SoakTooLong,
    /// The node answers and lets nobody of ours read it.
    AccessRefused,
}

impl Notice {
    pub fn name(self) -> &'static str {
        match self {
            Self::UnprotectedTooLong => "unprotected_too_long",
            Self::WindowClosing => "window_closing",
            Self::NodeUnreachable => "node_unreachable",
            Self::StraySession => "stray_session",
            Self::RoleConflict => "role_conflict",
            Self::StoreLow => "store_low",
            Self::NotServing => "not_serving",
            Self::Exposure50 => "exposure_50",
            Self::Exposure80 => "exposure_80",
            Self::SoakSilent => "soak_silent",
            Self::SoakUnhealthy => "soak_unhealthy",
            Self::SoakRefusing => "soak_refusing",
            Self::SoakExpiring => "soak_expiring",
            Self::SoakMisled => "soak_misled",
            Self::SoakInUse => "soak_in_use",
            Self::SoakInconclusive => "soak_inconclusive",
            Self::SoakTooLong => "soak_too_long",
            Self::AccessRefused => "access_refused",
        }
    }

    /// The alert that tells it; the notice's own name is the alert's `code`.
    pub fn alert(self) -> &'static str {
        match self {
            Self::Exposure50 | Self::Exposure80 => "exposure",
            notice if notice.is_soak_condition() => "soak_failed",
            notice => notice.name(),
        }
    }

    /// A condition that the soak watches.
    pub fn is_soak_condition(self) -> bool {
        matches!(self, Self::SoakSilent | Self::SoakUnhealthy | Self::SoakRefusing | Self::SoakExpiring | Self::SoakMisled)
    }

    /// It means something only between the windows.
    pub fn is_of_the_soak(self) -> bool {
        self.is_soak_condition() || matches!(self, Self::SoakInUse | Self::SoakInconclusive | Self::SoakTooLong)
    }

    /// It means something only while failover is off.
    pub fn is_of_the_exposure(self) -> bool {
        matches!(self, Self::UnprotectedTooLong | Self::Exposure50 | Self::Exposure80)
    }
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

/// Where a way home ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Goal {
    /// Equal versions, linked, the first sync good, serving.
    Home,
    /// This one node serves on a version known to work, without failover; the rest is a person's decision.
    Harbour { node: NodeId },
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
