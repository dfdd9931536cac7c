//! The promises' ids: a stable word each, in messages, in the journal and in the API. What they ask is in [`super::rules`].

/// A promise's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum Rule {
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R15,
    R16,
    R17,
}

impl Rule {
    /// The rule's name, a stable word in messages, journal and API.
    pub fn name(self) -> &'static str {
        match self {
            Self::R1 => "fresh_sync",
            Self::R2 => "one_at_a_time",
            Self::R3 => "in_window",
            Self::R4 => "backed_up",
            Self::R5 => "known_path",
            Self::R6 => "equal_versions",
            Self::R7 => "serves_first",
            Self::R8 => "no_overwrite",
            Self::R9 => "no_gap",
            Self::R10 => "confirmed",
            Self::R11 => "rehearsed",
            Self::R12 => "one_run",
            Self::R13 => "known_box",
            Self::R15 => "unlinked_update",
            Self::R16 => "one_serves",
            Self::R17 => "no_autopilot",
        }
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?} {}", self.name())
    }
}
