//! What window two lacks before failover may be broken (R3).

use jiff::Timestamp;

use crate::domain::window::choose::Need;
use crate::domain::window::format_duration;
use crate::domain::window::freeze::Frozen;

/// What window two lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lack {
    NotBooked,
    Over {
        to: Timestamp,
    },
    /// What is left of it from the earliest moment on.
    TooShort {
        need: Need,
        to: Timestamp,
    },
    Frozen(Frozen),
    Nobody {
        user: Option<String>,
    },
}

impl std::fmt::Display for Lack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotBooked => f.write_str("window two is not booked"),
            Self::Over { to } => write!(f, "window two is over, it ended at {to}"),
            Self::TooShort { need: Need { earliest, length }, to } => {
                let length = format_duration(*length);
                write!(f, "window two is too short: its steps take {length} from {earliest} on, and it ends at {to}")
            }
            Self::Frozen(frozen) => write!(f, "window two lies in {frozen}"),
            Self::Nobody { user: None } => f.write_str("nobody is responsible for window two"),
            Self::Nobody { user: Some(user) } => {
                write!(f, "nobody is responsible for window two: user `{user}` is not among the people of the config")
            }
        }
    }
}
