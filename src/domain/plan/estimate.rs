//! How long an action takes, as far as a plan is told: by the table of actions, by the site's setting, or as it was measured.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::domain::action::Kind;
use crate::domain::site::Policy;

/// How long an action takes, and where that is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    /// What plans reckon with: the site's figure, or the middle of what was measured.
    pub likely: SignedDuration,
    /// What must fit into a window (R3).
    pub worst: SignedDuration,
    pub source: Source,
    /// How many measured times it is from.
    pub samples: u32,
}

impl Estimate {
    /// What is told: the operator's figure or the table's, for both the likely and the worst case.
    pub fn told(policy: &Policy, kind: Kind) -> Self {
        let (expected, source) = match policy.expected.get(kind.name()) {
            Some(expected) => (*expected, Source::Site),
            None if kind == Kind::Soak => (policy.min_soak, Source::Site),
            None => (kind.default_expected(), Source::Default),
        };
        Self { likely: expected, worst: expected, source, samples: 0 }
    }
}

/// Where an estimate is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The table of actions.
    Default,
    /// `policy.expected`.
    Site,
    Learned,
}

impl Source {
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Site => "site",
            Self::Learned => "learned",
        }
    }
}
