//! Where a run stands: its phase, the act under way, and how far each step is.

use jiff::{SignedDuration, Timestamp};

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

/// How far one step of the plan is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// The first intent since the step was last undone.
    pub begun_at: Option<Timestamp>,
    pub done_at: Option<Timestamp>,
    /// Something lay between intent and proof, or it was so already: how long it took says nothing of the act.
    pub disturbed: bool,
    /// The last attempt's number, from 1.
    pub attempts: u32,
    /// Attempts since a person last resumed the run.
    pub tries: u32,
    /// A drain whose limit has passed: sessions are being ended.
    pub ending: bool,
}

impl Progress {
    /// How long the step took if nothing but the act itself lay between its intent and its proof. A clock that was put back
    /// meanwhile measures nothing.
    pub fn measured(&self) -> Option<SignedDuration> {
        self.took().filter(|took| !self.disturbed && took.is_positive())
    }

    /// From its first intent to its proof, whatever lay between.
    pub fn took(&self) -> Option<SignedDuration> {
        Some(self.done_at?.duration_since(self.begun_at?))
    }
}
