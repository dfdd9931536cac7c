//! A person's word on a run that has succeeded (R11).

use jiff::Timestamp;

use crate::domain::people::Who;

/// A person's word on a run that has succeeded: others may go the same path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    pub by: Who,
    pub at: Timestamp,
    pub note: String,
}
