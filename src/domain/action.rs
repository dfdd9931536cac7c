//! The table of actions: everything that a step can be, one row each.
//!
//! A new action is a new [`Kind`] and a new [`Row`]; the compiler then lists what is missing: its effect on the
//! facts ([`super::facts::Facts::after`]), its proof ([`super::proof`]) and, if it acts on a node, its port call.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Preflight,
    Backup,
    LowerTtl,
    CheckSync,
    ForceSync,
    BreakFailover,
    RecordSettings,
    Update,
    Verify,
    Drain,
    Quiesce,
    Reopen,
    ExtractData,
    SwitchTraffic,
    Confirm,
    Soak,
    CompareSettings,
    EstablishFailover,
    RestoreTtl,
    FinalCheck,
}

/// What an action does to those who use the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Impact {
    None,
    Load,
    Disruptive,
    Irreversible,
}

/// How an action may be repeated when its answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Nothing is sent: the step only looks or waits.
    Look,
    /// A second time does no harm once a reading shows that the first had no effect.
    Safe,
    /// Never twice without a person.
    Person,
}

/// The parameter that an action takes in a procedure document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter {
    None,
    /// A node, under this key.
    Node(&'static str),
    /// A gate's name, under the key `gate`.
    Gate,
    /// No parameter; the action concerns this role's node when the run begins.
    Implied(Who),
}

/// Who is who when the run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    Primary,
    Standby,
}

/// One row of the table.
pub struct Row {
    pub kind: Kind,
    /// The action's name in documents, config, journal, API and exec programs.
    pub name: &'static str,
    /// The operator's sentence; `{node}` is the node concerned.
    pub sentence: &'static str,
    pub parameter: Parameter,
    pub impact: Impact,
    pub repeat: Repeat,
    /// Default of `policy.expected`, minutes.
    pub expected_minutes: i64,
    /// Default of `policy.limits`, minutes: after that the act is in doubt (or has failed, where a row of [`super::proof`] says so).
    pub limit_minutes: i64,
    /// The action that undoes this one. No row claims to undo an update.
    pub undone_by: Option<Kind>,
}

const fn row(kind: Kind, name: &'static str, sentence: &'static str, parameter: Parameter) -> Row {
    Row {
        kind,
        name,
        sentence,
        parameter,
        impact: Impact::None,
        repeat: Repeat::Look,
        expected_minutes: 1,
        limit_minutes: 30,
        undone_by: None,
    }
}

const NODE: Parameter = Parameter::Node("node");

/// The table, in the order in which a run usually meets the actions.
///
/// Expected times: an update takes 15 to 60 minutes (BG-03), of which the longer is assumed; a sync of a quiet pair and
/// the operator's way through the console pages take minutes. Limits are the operator's to set (`policy.limits`).
pub const TABLE: &[Row] = &[
    row(
        Kind::Preflight,
        "preflight",
        "Check that both nodes, their link and the service's name are as they should be",
        Parameter::None,
    ),
    Row {
        impact: Impact::Load,
        repeat: Repeat::Safe,
        expected_minutes: 2,
        limit_minutes: 60,
        ..row(Kind::Backup, "backup", "Save the settings of {node} and check the file", NODE)
    },
    Row {
        repeat: Repeat::Safe,
        // Secondaries follow by notification within seconds, without it when they next ask, which may take an hour.
        limit_minutes: 120,
        undone_by: Some(Kind::RestoreTtl),
        ..row(Kind::LowerTtl, "lower_ttl", "Lower the TTL of the service's name, and remember what it was", Parameter::None)
    },
    row(Kind::CheckSync, "check_sync", "Check that the pair is linked and its last sync was good", Parameter::None),
    Row {
        impact: Impact::Load,
        repeat: Repeat::Safe,
        expected_minutes: 5,
        limit_minutes: 30,
        ..row(
            Kind::ForceSync,
            "force_sync",
            "Force a sync to {node} and prove that it was good",
            Parameter::Implied(Who::Standby),
        )
    },
    Row {
        impact: Impact::Irreversible,
        repeat: Repeat::Safe,
        undone_by: Some(Kind::EstablishFailover),
        ..row(Kind::BreakFailover, "break_failover", "Break the failover link on {node}", Parameter::Implied(Who::Primary))
    },
    row(Kind::RecordSettings, "record_settings", "List the settings of both nodes as they are at the break", Parameter::None),
    Row {
        impact: Impact::Irreversible,
        repeat: Repeat::Person,
        expected_minutes: 60,
        limit_minutes: 180,
        ..row(Kind::Update, "update", "Update {node} to the target version", NODE)
    },
    Row {
        expected_minutes: 2,
        ..row(Kind::Verify, "verify", "Prove that {node} is able to serve on the version it should have", NODE)
    },
    Row {
        repeat: Repeat::Safe,
        expected_minutes: 5,
        ..row(Kind::Drain, "drain", "Wait until the users of {node} have left and its sessions have ended", NODE)
    },
    Row {
        impact: Impact::Disruptive,
        repeat: Repeat::Safe,
        undone_by: Some(Kind::Reopen),
        ..row(Kind::Quiesce, "quiesce", "Close {node} to clients", NODE)
    },
    Row {
        repeat: Repeat::Safe,
        undone_by: Some(Kind::Quiesce),
        ..row(Kind::Reopen, "reopen", "Open {node} to clients again", NODE)
    },
    Row {
        impact: Impact::Load,
        repeat: Repeat::Safe,
        expected_minutes: 2,
        limit_minutes: 120,
        ..row(Kind::ExtractData, "extract_data", "Extract the session data of {node} and check the files", NODE)
    },
    Row {
        impact: Impact::Disruptive,
        repeat: Repeat::Safe,
        undone_by: Some(Kind::SwitchTraffic),
        ..row(Kind::SwitchTraffic, "switch_traffic", "Move the service's name to {node}", Parameter::Node("to"))
    },
    row(Kind::Confirm, "confirm", "Ask a person: {gate}", Parameter::Gate),
    Row {
        expected_minutes: 0,
        ..row(Kind::Soak, "soak", "Watch the new version in production for the agreed time", Parameter::None)
    },
    row(
        Kind::CompareSettings,
        "compare_settings",
        "Compare the settings of both nodes with those at the break, and have each line of the ledger acknowledged",
        Parameter::None,
    ),
    Row {
        impact: Impact::Irreversible,
        repeat: Repeat::Safe,
        expected_minutes: 5,
        limit_minutes: 60,
        undone_by: Some(Kind::BreakFailover),
        ..row(
            Kind::EstablishFailover,
            "establish_failover",
            "Establish failover from {node}, whose data survive, and prove the first sync",
            Parameter::Node("primary"),
        )
    },
    Row {
        repeat: Repeat::Safe,
        limit_minutes: 120,
        undone_by: Some(Kind::LowerTtl),
        ..row(Kind::RestoreTtl, "restore_ttl", "Give the service's name the TTL back that it had before", Parameter::None)
    },
    row(Kind::FinalCheck, "final_check", "Check that the pair is linked, equal, healthy and serving", Parameter::None),
];

/// The names of all actions, in the table's order.
pub fn names() -> Vec<&'static str> {
    TABLE.iter().map(|row| row.name).collect()
}

impl Kind {
    pub fn row(self) -> &'static Row {
        // The test below finds every kind in the table; the first row stands for none.
        TABLE.iter().find(|row| row.kind == self).unwrap_or(&TABLE[0])
    }

    pub fn name(self) -> &'static str {
        self.row().name
    }

    pub fn impact(self) -> Impact {
        self.row().impact
    }

    /// True if the action asks something of a node or of the traffic.
    pub fn acts(self) -> bool {
        self.row().repeat != Repeat::Look
    }

    /// True if the traffic entries are asked, and no node is.
    pub fn is_of_traffic(self) -> bool {
        matches!(self, Self::SwitchTraffic | Self::LowerTtl | Self::RestoreTtl)
    }

    pub fn default_expected(self) -> SignedDuration {
        SignedDuration::from_mins(self.row().expected_minutes)
    }

    pub fn default_limit(self) -> SignedDuration {
        SignedDuration::from_mins(self.row().limit_minutes)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        TABLE.iter().find(|row| row.name == name).map(|row| row.kind).ok_or(())
    }
}

/// When a step may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    Prepare,
    #[serde(rename = "window-1")]
    Window1,
    Soak,
    #[serde(rename = "window-2")]
    Window2,
    Finish,
}

impl When {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Window1 => "window-1",
            Self::Soak => "soak",
            Self::Window2 => "window-2",
            Self::Finish => "finish",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_one_row_and_its_serde_name() {
        for row in TABLE {
            assert_eq!(TABLE.iter().filter(|other| other.kind == row.kind).count(), 1, "{}", row.name);
            assert_eq!(serde_json::to_value(row.kind).unwrap(), row.name);
            assert_eq!(row.name.parse(), Ok(row.kind));
        }
        assert_eq!(TABLE.len(), Kind::FinalCheck as usize + 1);
    }

    #[test]
    fn no_row_claims_to_undo_an_update() {
        assert_eq!(Kind::Update.row().undone_by, None);
        assert!(TABLE.iter().all(|row| row.undone_by != Some(Kind::Update)));
    }
}
