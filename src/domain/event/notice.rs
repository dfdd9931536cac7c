//! What can be noticed beside a run's own steps.

use serde::{Deserialize, Serialize};

/// What can be noticed beside the run's own steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    UnprotectedTooLong,
    WindowClosing,
    NodeUnreachable,
    StraySession,
    /// A node that traffic was taken from can take clients again, and has none.
    BackOpen,
    RoleConflict,
    /// Only the reserved space is left on the store's disk.
    StoreLow,
    /// The node that should serve takes no client, and nothing of ours explains it.
    NotServing,
    /// Half of the budget of time without failover has passed.
    #[serde(rename = "exposure_50")]
    Exposure50,
    #[serde(rename = "exposure_80")]
    Exposure80,
    /// Conditions of the soak: a node was silent or unwell; the serving one refused clients; a certificate or licence runs out
    /// before window two is over; not every server names the serving node.
    SoakSilent,
    SoakUnhealthy,
    SoakRefusing,
    SoakExpiring,
    SoakMisled,
    /// Sessions were seen on the serving node. No alert: it is what the soak is for.
    SoakInUse,
    /// The shortest soak is over and no session was seen.
    SoakInconclusive,
    SoakTooLong,
    /// The node answers and lets nobody of ours read it.
    AccessRefused,
    /// Failover is broken, and window two can't be kept any more as it is booked.
    SecondWindowLost,
}

impl Notice {
    pub fn name(self) -> &'static str {
        match self {
            Self::UnprotectedTooLong => "unprotected_too_long",
            Self::WindowClosing => "window_closing",
            Self::NodeUnreachable => "node_unreachable",
            Self::StraySession => "stray_session",
            Self::BackOpen => "back_open",
            Self::RoleConflict => "role_conflict",
            Self::StoreLow => "store_low",
            Self::NotServing => "not_serving",
            Self::Exposure50 => "exposure_50",
            Self::Exposure80 => "exposure_80",
            Self::SoakSilent => "soak_silent",
            Self::SoakUnhealthy => "soak_unhealthy",
            Self::SoakRefusing => "soak_refusing",
            Self::SoakExpiring => "soak_expiring",
            Self::SoakMisled => "soak_misled",
            Self::SoakInUse => "soak_in_use",
            Self::SoakInconclusive => "soak_inconclusive",
            Self::SoakTooLong => "soak_too_long",
            Self::AccessRefused => "access_refused",
            Self::SecondWindowLost => "second_window_lost",
        }
    }

    /// The alert that tells it; the notice's own name is the alert's `code`.
    pub fn alert(self) -> &'static str {
        match self {
            Self::Exposure50 | Self::Exposure80 => "exposure",
            Self::BackOpen => Self::StraySession.name(),
            notice if notice.is_soak_condition() => "soak_failed",
            notice => notice.name(),
        }
    }

    /// A condition that the soak watches.
    pub fn is_soak_condition(self) -> bool {
        matches!(self, Self::SoakSilent | Self::SoakUnhealthy | Self::SoakRefusing | Self::SoakExpiring | Self::SoakMisled)
    }

    /// It means something only until window two.
    pub fn is_of_the_soak(self) -> bool {
        let others = [Self::SoakInUse, Self::SoakInconclusive, Self::SoakTooLong, Self::SecondWindowLost];
        self.is_soak_condition() || others.contains(&self)
    }

    /// It means something only while failover is off.
    pub fn is_of_the_exposure(self) -> bool {
        matches!(self, Self::UnprotectedTooLong | Self::Exposure50 | Self::Exposure80)
    }
}
