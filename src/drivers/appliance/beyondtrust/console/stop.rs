//! Why an act at the pages ended before it was taken.

use crate::drivers::appliance::beyondtrust::answer::CallError;

/// Each says what may have arrived.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// The pages showed something else than expected; nothing was ordered. A person goes on.
    #[error("{0}")]
    Surprise(String),
    /// The box was not reached, or broke off, before anything was ordered.
    #[error("{0}")]
    NotReached(String),
    /// It must not be ordered: another box, another package.
    #[error("{0}")]
    Refused(String),
    /// The order was sent, and its answer was lost or says something else than expected.
    #[error("{0}")]
    InDoubt(String),
}

impl From<CallError> for Stop {
    /// For calls that only read, or fill in: whatever became of them, nothing was ordered.
    fn from(error: CallError) -> Self {
        match error {
            CallError::NotReached(what) | CallError::Unavailable(what) | CallError::Limited(what) | CallError::Lost(what) => {
                Self::NotReached(what)
            }
            CallError::Denied(what) | CallError::Unusable(what) | CallError::Local(what) => Self::Refused(what),
        }
    }
}

impl Stop {
    /// The same once the order has left: only what never arrived leaves no doubt.
    pub fn once_sent(error: CallError) -> Self {
        match error {
            CallError::NotReached(what) => Self::NotReached(what),
            CallError::Lost(what) => Self::InDoubt(format!("the order was sent, and its answer was lost: {what}")),
            other => Self::InDoubt(format!("the order was sent; its answer: {other}")),
        }
    }
}
