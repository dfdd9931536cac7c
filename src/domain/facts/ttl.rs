//! How the TTL of the service's name stands (R7).

use jiff::Timestamp;

/// What rules judge of the TTL before a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TtlFact {
    /// No step of this run has lowered it: it is as it is, and nothing is waited for.
    AsItIs,
    /// Lowered, and no cache holds the old one any more, as far as the step is concerned.
    Low,
    /// Lowered, but until then caches may hold the old one.
    Remembered { until: Timestamp },
    /// It was lowered, and a server gives out a longer one.
    Raised,
    /// It was lowered, and is restored.
    Restored,
}

impl TtlFact {
    /// What was proven of it counts no more.
    pub fn lapsed(self) -> Self {
        match self {
            Self::Low | Self::Remembered { .. } => Self::Raised,
            other => other,
        }
    }
}
