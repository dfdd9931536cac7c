//! Gates: what only people can tell, who may tell it, and what becomes of a gate that nobody answers.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::action::Kind;

/// The hold's code of a backup that is far smaller than the last one of its node; [`Gate::SmallerBackup`] opens in it.
pub const BACKUP_FAR_SMALLER: &str = "backup_far_smaller";

/// What a person is asked. Names are stable: scripts confirm by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// R10: the new version is good in production.
    Production,
    /// R17: automatic failover is off on both nodes (no interface tells).
    AutomaticFailoverOff,
    /// R9: nobody changes settings from the forced sync until the switch, and on the idle node until the first good sync.
    SettingsFrozen,
    /// Rotation, scheduled exports and outbound events are off on the node that does not serve.
    BackgroundJobs,
    /// Whoever opens window two has read what happened in window one.
    Handover,
    /// BG-06: the representatives' consoles have followed, also those that were rolled out by MSI.
    ConsolesUpdated,
    /// VP-04: the new version is released for production.
    GoLive,
    /// PC-01: the licence for the new version is there.
    Licence,
    /// VP-01: the order is there, and the whole chain is under maintenance.
    Order,
    /// R1: this exact sync status text means a good sync. Opens only where a sync ended with an unknown text.
    SyncStatus,
    /// R9: the node is closed to clients. Opens only while a person closes it, for closings that the daemon can't see because
    /// it is let through itself (a firewall rule).
    NodeClosed,
    /// R9: each line of the ledger. Opens only where settings were compared and lines are open; it is answered line by line.
    SettingsLedger,
    /// BG-01: what the backup does not hold is saved otherwise.
    NotInBackup,
    /// BG-51: those who read session data are ready for the session ids of 10.6. Asked only of updates that cross it.
    LsidChange,
    /// BG-42: integration clients that reach the appliance by its address can still extract data after the switch.
    ClientsByAddress,
    /// BG-01: a backup of this size is whole, though far smaller than the last. Opens only where one was refused for that.
    SmallerBackup,
    /// The node is open to clients again. Opens only while a person opens it, for openings that the daemon can't see: a standby
    /// takes no client whatever happens, and not every driver can try.
    NodeOpen,
}

/// One row of the table of gates.
struct Row {
    gate: Gate,
    name: &'static str,
    /// A run stops and asks. The others take a person's word for what the daemon can't see: only by name, so that a script that
    /// says yes to whatever is asked does not say it to them.
    asked: bool,
    question: &'static str,
}

const fn row(gate: Gate, name: &'static str, asked: bool, question: &'static str) -> Row {
    Row { gate, name, asked, question }
}

const TABLE: [Row; 17] = [
    row(Gate::Production, "production", true, "is the new version good in production?"),
    row(
        Gate::AutomaticFailoverOff,
        "automatic_failover_off",
        true,
        "is automatic failover switched off on both nodes (/login > Management > Failover)?",
    ),
    row(
        Gate::SettingsFrozen,
        "settings_frozen",
        true,
        "does everybody know that users, groups, policies and Jump items must not be changed from now on?",
    ),
    row(
        Gate::BackgroundJobs,
        "background_jobs",
        true,
        "are password rotation, scheduled exports and outbound events off on the node that does not serve?",
    ),
    row(Gate::Handover, "handover", true, "have you read what happened in window one, and do you take over?"),
    row(
        Gate::ConsolesUpdated,
        "consoles_updated",
        true,
        "have the representatives' consoles been updated, and those that were rolled out by MSI rolled out again?",
    ),
    row(Gate::GoLive, "go_live", true, "is the new version released for go-live?"),
    row(Gate::Licence, "licence", true, "is the licence for the new version there?"),
    row(Gate::Order, "order", true, "is the order there, and is the whole chain under maintenance?"),
    row(Gate::SyncStatus, "sync_status", false, "does this exact sync status text mean a good sync?"),
    row(Gate::NodeClosed, "node_closed", false, "is the node closed to all clients but the daemon?"),
    row(Gate::SettingsLedger, "settings_ledger", false, "have you seen, line by line, which settings the next sync overwrites?"),
    row(
        Gate::NotInBackup,
        "not_in_backup",
        true,
        "is saved what the backup does not hold: the Vault encryption key, session recordings, certificates with their private keys, and the settings of /appliance?",
    ),
    row(
        Gate::LsidChange,
        "lsid_change",
        true,
        "from 10.6 on a session id (LSID) is a text of 32 characters, no number: is it known who uses the API, and whether an integration client is used? are columns that hold it changed to varchar(32)? is the integration client updated first?",
    ),
    row(
        Gate::ClientsByAddress,
        "clients_by_address",
        true,
        "can integration clients that reach the appliance by IP address, not by name, still extract data, now from the node that serves?",
    ),
    row(
        Gate::SmallerBackup,
        "smaller_backup",
        false,
        "is a backup of this size whole, though it is far smaller than the last one of the node?",
    ),
    row(Gate::NodeOpen, "node_open", false, "is the node open to clients again?"),
];

impl Gate {
    /// All gates, in the table's order.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.gate)
    }

    fn row(self) -> &'static Row {
        // The test below finds every gate in the table; the first row stands for none.
        TABLE.iter().find(|row| row.gate == self).unwrap_or(&TABLE[0])
    }

    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// True for the gates at which a run stops and asks.
    pub fn is_asked(self) -> bool {
        self.row().asked
    }

    /// A person's own list of things to do, of which no reading says anything: the word stands whatever is read of the pair later.
    pub fn is_checklist(self) -> bool {
        matches!(self, Self::NotInBackup | Self::LsidChange | Self::ClientsByAddress)
    }

    /// What the person is asked.
    pub fn question(self) -> &'static str {
        self.row().question
    }

    /// The gate for a person's word on an act whose effect can't be seen from everywhere; it is open while a person does the act.
    pub fn of_act(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Quiesce => Some(Self::NodeClosed),
            Kind::Reopen => Some(Self::NodeOpen),
            _ => None,
        }
    }
}

impl FromStr for Gate {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        TABLE.iter().find(|row| row.name == name).map(|row| row.gate).ok_or(())
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Who may answer a gate, and what becomes of it if nobody does: `[policy.gates.<gate>]` of the site's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GatePolicy {
    /// One of these roles may answer; empty: everybody who may speak at all.
    pub roles: Vec<String>,
    /// So many different persons must accept.
    pub persons: u32,
    /// The person who started the run may not answer.
    pub not_starter: bool,
    /// After so long a reminder goes out, and again each time it has passed.
    pub remind_after: Option<SignedDuration>,
    /// After so long an alert goes out, and the deputies may answer too.
    pub escalate_after: Option<SignedDuration>,
    /// The roles of those who may answer once the gate has been escalated.
    pub deputies: Vec<String>,
    /// After so long nobody's answer leads on any more.
    pub expires_after: Option<SignedDuration>,
    pub on_expiry: Expiry,
}

/// What an expired gate leads to. It never leads on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expiry {
    #[default]
    Hold,
    /// The way home; where none leads home, a hold.
    Home,
}

impl Default for GatePolicy {
    fn default() -> Self {
        Self {
            roles: Vec::new(),
            persons: 1,
            not_starter: false,
            remind_after: None,
            escalate_after: None,
            deputies: Vec::new(),
            expires_after: None,
            on_expiry: Expiry::Hold,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_gate_has_one_row_and_its_serde_name() {
        for row in &TABLE {
            assert_eq!(TABLE.iter().filter(|other| other.gate == row.gate).count(), 1, "{}", row.name);
            assert_eq!(serde_json::to_value(row.gate).unwrap(), row.name);
            assert_eq!(row.name.parse(), Ok(row.gate));
        }
        assert_eq!(TABLE.len(), Gate::NodeOpen as usize + 1);
    }
}
