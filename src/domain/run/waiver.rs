//! A promise that a person has set aside.

use jiff::Timestamp;

use crate::domain::event::Shown;
use crate::domain::people::Who;
use crate::domain::rule::Rule;

/// A rule set aside for one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiver {
    pub rule: Rule,
    /// The step's id.
    pub step: String,
    pub by: Who,
    pub reason: String,
    pub at: Timestamp,
    /// What the person was shown.
    pub shown: Option<Shown>,
    /// The step has begun since: what our own act changes does not speak against it.
    pub used: bool,
    /// The step is done, or the run was held or waits again: it holds no more.
    pub over: bool,
}
