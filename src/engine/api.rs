//! What the server and the command line may ask of the engine: plain types and one error.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::event::Verdict;
use crate::domain::plan::{Plan, Refusal};
use crate::domain::run::Run;
use crate::domain::world::World;

/// A run as it stands, with what was last read.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub run: Arc<Run>,
    pub world: Arc<World>,
}

/// What `plan` and `start` are given. Texts are read by the engine, so that all errors speak alike.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanRequest {
    pub site: String,
    /// `VERSION` or `VERSION+BUILD`.
    pub to: String,
    /// A path on the daemon's machine.
    pub package: PathBuf,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub procedure: Option<String>,
    /// A window, `2026-11-22T02:00[Europe/Berlin] +4h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<String>,
}

/// A plan before it is a run.
#[derive(Clone, Debug)]
pub struct PlanPreview {
    pub site: String,
    pub plan: Plan,
    /// When each step is expected to begin.
    pub times: Vec<Timestamp>,
    pub refusals: Vec<Refusal>,
}

/// A person's word to a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// Without a gate: the only open one.
    Confirm { gate: Option<String>, verdict: Verdict, note: Option<String> },
    Hold,
    /// With a window: the one of the step where the run stands is booked anew.
    Resume { window: Option<String> },
    SwitchBack { note: String },
}

/// The kind of a refusal; the server makes an HTTP status of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request can't be read: 400.
    BadInput,
    /// No such site, run or gate: 404.
    NotFound,
    /// Not in this phase, another run on the site, or the run has moved on: 409.
    Conflict,
    /// A rule or the preflight refuses: 422.
    Refused,
    /// The store can't write: 503.
    Store,
}

/// Why a request was not met, in the five parts of an operator's message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    pub kind: Kind,
    /// A stable word, `sync_too_old`.
    pub code: String,
    pub message: String,
    pub causes: Vec<String>,
    pub state: Option<String>,
    pub hint: Option<String>,
}

impl Problem {
    pub fn new(kind: Kind, code: &str, message: impl Into<String>) -> Self {
        Self { kind, code: code.to_owned(), message: message.into(), causes: Vec::new(), state: None, hint: None }
    }

    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    pub fn state(mut self, state: impl Into<String>) -> Self {
        self.state = Some(state.into());
        self
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
