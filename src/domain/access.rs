//! Whether the site's traffic entries would take our change, and what is known of that: tried before a run begins to act, so that a
//! key without the right is found while failover is on.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::check::{Finding, Outcome};

/// The check's name.
pub const CHECK: &str = "traffic_access";

/// Whether an entry would take our change, found out without changing anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Access {
    /// It took a change that alters nothing; how that was done.
    Proven { how: String },
    /// It would refuse; why.
    Refused { message: String },
    /// It could not be asked now.
    Unknown { message: String },
    /// There is nothing to be asked: a person makes the change, or the program has no word for it.
    Untold { why: String },
}

impl Access {
    /// As a check's result.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Proven { .. } => Outcome::Pass,
            Self::Refused { .. } => Outcome::Fail,
            Self::Unknown { .. } => Outcome::Unknown,
            Self::Untold { .. } => Outcome::Person,
        }
    }

    /// What was found, for messages.
    pub fn describe(&self) -> &str {
        match self {
            Self::Proven { how } => how,
            Self::Refused { message } | Self::Unknown { message } => message,
            Self::Untold { why } => why,
        }
    }
}

/// What one entry answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    pub entry: String,
    pub access: Access,
}

/// What all entries answered, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tries {
    pub at: Timestamp,
    pub entries: Vec<Tried>,
}

/// A recorded result: of the run's last preflight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    pub at: Timestamp,
    pub result: Outcome,
    pub found: String,
}

impl Recorded {
    /// Among the results of a preflight step.
    pub fn among(results: &[Finding], at: Timestamp) -> Option<Self> {
        let finding = results.iter().find(|finding| finding.name == CHECK)?;
        Some(Self { at, result: finding.result, found: finding.basis.clone() })
    }
}

/// One result over all entries: a refusal before what could not be told before what only a person can tell.
pub fn outcome(entries: &[Tried]) -> Outcome {
    let has = |result| entries.iter().any(|tried| tried.access.outcome() == result);
    let ranked = [Outcome::Fail, Outcome::Unknown, Outcome::Person];
    ranked.into_iter().find(|result| has(*result)).unwrap_or(Outcome::Pass)
}

/// What the entries answered, in one line.
pub fn describe(entries: &[Tried]) -> String {
    entries.iter().map(|tried| format!("{}: {}", tried.entry, tried.access.describe())).collect::<Vec<_>>().join("; ")
}
