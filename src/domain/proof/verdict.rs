//! What the readings say about a step.

use crate::domain::event::{Baseline, Evidence};
use crate::domain::ids::NodeId;

/// What the readings say about a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Proof {
    Done(Evidence),
    /// Not seen yet; the sentence says what is awaited.
    NotYet(String),
    /// R1: the first of two syncs is seen; a second one must be asked for.
    SyncAgain(Box<Baseline>),
    Failed(Failure),
}

/// A step that did not do what it should, or a world that is not as it should be: the run is held with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// A stable word (`sync_failed`); `docs/reference/alerts.md` lists them.
    pub code: &'static str,
    pub message: String,
    pub expected: String,
    pub found: String,
    pub node: Option<NodeId>,
}

impl Failure {
    pub fn new(code: &'static str, expected: impl Into<String>, found: impl Into<String>) -> Self {
        let (expected, found) = (expected.into(), found.into());
        Self { code, message: format!("expected {expected}, found {found}"), expected, found, node: None }
    }

    pub fn at(self, node: NodeId) -> Self {
        Self { node: Some(node), ..self }
    }
}

pub(super) fn not_yet(what: impl Into<String>) -> Proof {
    Proof::NotYet(what.into())
}
