//! Where a run stands: its phase, and the act under way.

use jiff::Timestamp;

use crate::domain::event::{Baseline, Outcome, WaitingOn};
use crate::domain::ids::NodeId;

/// Where a run stands within its step.
#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    /// Nothing is under way; the next step may be decided.
    Ready,
    /// An intent is recorded; its act may be under way right now.
    Acting,
    Waiting {
        on: WaitingOn,
        since: Timestamp,
        until: Option<Timestamp>,
    },
    /// An act's outcome is unknown until a reading settles it.
    InDoubt {
        since: Timestamp,
        message: String,
    },
    Held(Hold),
    Finished(Outcome),
}

/// Why a run is held.
#[derive(Clone, Debug, PartialEq)]
pub struct Hold {
    pub code: String,
    pub message: String,
    pub found: String,
    /// The node that it is about, where it is one.
    pub node: Option<NodeId>,
    pub since: Timestamp,
}

/// The act of the current step, from its intent until its proof.
#[derive(Clone, Debug, PartialEq)]
pub struct Act {
    pub attempt: u32,
    pub since: Timestamp,
    pub baseline: Baseline,
    pub accepted: bool,
    pub instruction: Option<Instruction>,
}

/// What a person was told to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Instruction {
    pub number: u32,
    pub not_after: Option<Timestamp>,
    pub lines: Vec<String>,
}
