//! One check: what it found, what the journal keeps of that, and a person's word on it. What is checked is in [`super::checks`].

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ids::NodeId;

/// A check's result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Pass,
    Warn,
    Fail,
    /// It could not be told.
    Unknown,
    /// Only a person can tell.
    Person,
}

impl Outcome {
    /// For messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
            Self::Person => "person",
        }
    }
}

/// One check.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    pub name: &'static str,
    pub node: Option<NodeId>,
    pub result: Outcome,
    pub expected: String,
    pub found: String,
    /// When what it rests on was read.
    pub at: Timestamp,
    /// Until when it may be used.
    pub valid_until: Timestamp,
    /// The part of what was found that stays the same while nothing has changed: no ages, no counters. An acceptance is bound to
    /// it, and the nightly check compares it.
    pub basis: String,
    pub remedy: String,
}

/// One check's result as the journal keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Finding {
    pub name: String,
    pub node: Option<NodeId>,
    pub result: Outcome,
    /// The stable part of what was found.
    pub basis: String,
}

impl From<&Check> for Finding {
    fn from(check: &Check) -> Self {
        Self { name: check.name.to_owned(), node: check.node, result: check.result, basis: check.basis.clone() }
    }
}

/// A warning that a named person has accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedWarning {
    pub check: String,
    pub node: Option<NodeId>,
    /// What was found then; found otherwise, the acceptance has lapsed.
    pub basis: String,
    pub reason: String,
    pub by: String,
}

impl AcceptedWarning {
    /// What a person accepts of a warning that is there.
    pub fn new(check: &Check, reason: String, by: &str) -> Self {
        Self { check: check.name.to_owned(), node: check.node, basis: check.basis.clone(), reason, by: by.to_owned() }
    }

    pub(super) fn names(&self, check: &Check) -> bool {
        self.check == check.name && self.node == check.node
    }
}
