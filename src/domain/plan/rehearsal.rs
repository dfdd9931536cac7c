//! The release that a plan counts on (R11).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::ids::RunId;
use crate::domain::people::Who;

/// The release that a plan counts on, as it was when the plan was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rehearsal {
    pub run: RunId,
    pub by: Who,
    pub at: Timestamp,
    pub until: Timestamp,
    /// Of the path, [`Path::digest`](crate::domain::rehearsal::Path::digest): the same in both runs.
    pub digest: String,
}
