//! What can be made to go wrong, in one table; docs, `--fault` and the control interface all read it.
//!
//! A fault is planned for one node or both, for one kind of act or any, a number of times or for ever.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::domain::ids::NodeId;

/// One thing that can go wrong, by its name in kebab-case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    SyncFails,
    SyncStuck,
    SyncStale,
    SyncEarly,
    SyncWrongSide,
    SyncOddStatus,
    UpdateFails,
    UpdateSlow,
    UpdateWrongVersion,
    BreakHalf,
    EstablishHalf,
    EstablishReversed,
    NodeSilent,
    WrongBox,
    Unhealthy,
    StrayUser,
    HealthCached,
    LoginRefused,
    AccountOverwritten,
    TooManyCalls,
    BackupErrorText,
    BackupEmpty,
    BackupSmall,
    ExtractError,
    ReportCut,
    ReportLost,
    ReportSlow,
    RecordingLate,
    Refused,
    NeverReached,
    AnswerLost,
    Slow,
    CachedOld,
    PageMaintenance,
    PageSingleSignOn,
    PageSecondFactor,
    PageSessionLost,
    PageNoButton,
    PageLabelChanged,
    PageConfirms,
    PageErrorText,
    PageAnswerLost,
    PageCachedOld,
    PageGone,
    PageDenied,
    PageUnavailable,
    PageUploadCut,
    PageUploadRefused,
}

/// Through which of the simulator's faces a fault shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// The world itself: every face shows it.
    World,
    /// Only the vendor's interface over HTTPS.
    Https,
    /// Only acts asked of the in-process ports.
    InProcess,
}

/// A fault, its name and what an operator would see of it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct FaultRow {
    pub fault: Fault,
    pub name: &'static str,
    pub reach: Reach,
    pub sentence: &'static str,
}

const fn row(fault: Fault, name: &'static str, reach: Reach, sentence: &'static str) -> FaultRow {
    FaultRow { fault, name, reach, sentence }
}

/// Every fault there is.
///
/// The sync faults strike syncs that were asked for (also the first after establish); one planned for ever strikes the automatic
/// syncs too once it has struck, so that a link which looked good in preflight does not heal by itself.
pub const TABLE: [FaultRow; 48] = [
    row(Fault::SyncFails, "sync-fails", Reach::World, "the sync ends with an error text and copies nothing"),
    row(Fault::SyncStuck, "sync-stuck", Reach::World, "the sync begins and never ends; later ones wait behind it"),
    row(
        Fault::SyncStale,
        "sync-stale",
        Reach::World,
        "the sync reports success, but its time does not move and nothing is copied",
    ),
    row(
        Fault::SyncEarly,
        "sync-early",
        Reach::World,
        "a sync begun a minute before the order ends after it, without what is newer",
    ),
    row(Fault::SyncWrongSide, "sync-wrong-side", Reach::World, "the sync time moves on the standby only; nothing is copied"),
    row(
        Fault::SyncOddStatus,
        "sync-odd-status",
        Reach::World,
        "the sync copies everything and reports a status text nobody knows",
    ),
    row(Fault::UpdateFails, "update-fails", Reach::World, "the node comes back on its old version"),
    row(Fault::UpdateSlow, "update-slow", Reach::World, "the update takes five times as long"),
    row(Fault::UpdateWrongVersion, "update-wrong-version", Reach::World, "the node comes back on a version nobody asked for"),
    row(Fault::BreakHalf, "break-half", Reach::World, "the break reaches only the node it was ordered on"),
    row(Fault::EstablishHalf, "establish-half", Reach::World, "only the node the order was given on takes its role"),
    row(Fault::EstablishReversed, "establish-reversed", Reach::World, "the node the order was given on becomes the standby"),
    row(Fault::NodeSilent, "node-silent", Reach::World, "the node answers nobody; sessions under way go on"),
    row(Fault::WrongBox, "wrong-box", Reach::World, "the other box answers at the node's address, with its own identity"),
    row(Fault::Unhealthy, "unhealthy", Reach::World, "the node reports itself unhealthy"),
    row(Fault::StrayUser, "stray-user", Reach::World, "the first user keeps working on a node that the name has left"),
    row(Fault::HealthCached, "health-cached", Reach::Https, "health answers are up to 60 s old (on by default)"),
    row(Fault::LoginRefused, "login-refused", Reach::Https, "the token endpoint refuses the client"),
    row(
        Fault::AccountOverwritten,
        "account-overwritten",
        Reach::Https,
        "the next sync replaces the API account of the node that gets it: it is refused there until `restore-account`",
    ),
    row(Fault::TooManyCalls, "too-many-calls", Reach::Https, "calls are answered with 429 and `Retry-After`"),
    row(Fault::BackupErrorText, "backup-error-text", Reach::World, "the backup is an error text under a success status"),
    row(Fault::BackupEmpty, "backup-empty", Reach::World, "the backup is empty under a success status"),
    row(Fault::BackupSmall, "backup-small", Reach::World, "the backup is a tenth of what it should be, and looks like one"),
    row(Fault::ExtractError, "extract-error", Reach::World, "the reporting of sessions answers an error"),
    row(Fault::ReportCut, "report-cut", Reach::Https, "a report of sessions ends in the middle, under a success status"),
    row(Fault::ReportLost, "report-lost", Reach::Https, "the connection ends before a report of sessions comes"),
    row(Fault::ReportSlow, "report-slow", Reach::Https, "a report of sessions comes 3 s late, by the machine's clock"),
    row(Fault::RecordingLate, "recording-late", Reach::World, "a session's recording is not ready"),
    row(Fault::Refused, "refused", Reach::InProcess, "the act is refused and nothing changes"),
    row(Fault::NeverReached, "never-reached", Reach::InProcess, "the request never arrives"),
    row(Fault::AnswerLost, "answer-lost", Reach::InProcess, "the act takes effect and its answer is lost"),
    row(
        Fault::Slow,
        "slow",
        Reach::InProcess,
        "the act takes effect at once, its answer comes 5 min later or not within the limit",
    ),
    row(Fault::CachedOld, "cached-old", Reach::InProcess, "readings within the cache time after the act show the time before it"),
    row(Fault::PageMaintenance, "page-maintenance", Reach::Https, "every page says that it is not available during maintenance"),
    row(Fault::PageSingleSignOn, "page-single-sign-on", Reach::Https, "the login page sends the browser to another host"),
    row(Fault::PageSecondFactor, "page-second-factor", Reach::Https, "the pages ask for a code after the password"),
    row(
        Fault::PageSessionLost,
        "page-session-lost",
        Reach::Https,
        "the pages' session is forgotten: the login page comes instead of an answer",
    ),
    row(Fault::PageNoButton, "page-no-button", Reach::Https, "the act's button is not on the page"),
    row(Fault::PageLabelChanged, "page-label-changed", Reach::Https, "the act's button has other words"),
    row(Fault::PageConfirms, "page-confirms", Reach::Https, "a page asks whether the act is meant"),
    row(
        Fault::PageErrorText,
        "page-error-text",
        Reach::Https,
        "the page says that it could not be done, under a success status, and nothing is done",
    ),
    row(Fault::PageAnswerLost, "page-answer-lost", Reach::Https, "the press takes effect and its answer is lost"),
    row(
        Fault::PageCachedOld,
        "page-cached-old",
        Reach::Https,
        "the press takes effect, and for a minute both nodes' health answers show the time before it",
    ),
    row(
        Fault::PageGone,
        "page-gone",
        Reach::Https,
        "the press takes effect and is answered with a redirect, and then the node answers nobody (`node-silent`)",
    ),
    row(Fault::PageDenied, "page-denied", Reach::Https, "the press is answered with 403 and a line that is no page"),
    row(Fault::PageUnavailable, "page-unavailable", Reach::Https, "the press is answered with 503 and a line that is no page"),
    row(Fault::PageUploadCut, "page-upload-cut", Reach::Https, "the connection is cut in the middle of an upload"),
    row(
        Fault::PageUploadRefused,
        "page-upload-refused",
        Reach::Https,
        "the middle of an upload is answered with 413, and the rest is thrown away",
    ),
];

/// No fault has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a fault of the simulator; expected one of {names}", names = Fault::names().join(", "))]
pub struct UnknownFault(pub String);

impl Fault {
    /// The names in the table's order.
    pub fn names() -> Vec<&'static str> {
        TABLE.iter().map(|row| row.name).collect()
    }

    pub fn name(self) -> &'static str {
        // Every variant has its row: `every_fault_has_one_row` fails otherwise.
        TABLE.iter().find(|row| row.fault == self).map_or("", |row| row.name)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        TABLE.iter().find(|row| row.name == text).map(|row| row.fault).ok_or_else(|| UnknownFault(text.to_owned()))
    }
}

/// A fault asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planned {
    pub fault: Fault,
    /// The node it strikes, both if absent. A sync counts by the node it was ordered on, a first or automatic one by the primary.
    #[serde(default)]
    pub node: Option<NodeId>,
    /// The act it strikes by its verb (`update`, `switch_traffic`), any if absent.
    #[serde(default)]
    pub act: Option<String>,
    /// How often, for ever if absent; 0 takes the fault back. States (silent, wrong box, unhealthy, cached, stray) last
    /// until they are taken back.
    #[serde(default)]
    pub times: Option<u32>,
}

impl Planned {
    pub fn for_ever(fault: Fault) -> Self {
        Self { fault, node: None, act: None, times: None }
    }

    pub fn once(fault: Fault) -> Self {
        Self { times: Some(1), ..Self::for_ever(fault) }
    }

    #[must_use]
    pub fn on(self, node: NodeId) -> Self {
        Self { node: Some(node), ..self }
    }

    #[must_use]
    pub fn act(self, verb: &str) -> Self {
        Self { act: Some(verb.to_owned()), ..self }
    }

    fn strikes(&self, fault: Fault, node: NodeId) -> bool {
        self.fault == fault && self.node.is_none_or(|own| own == node)
    }
}

/// The faults in force.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    planned: Planned,
    struck: bool,
}

impl Faults {
    /// Adds a fault, or with `times = 0` takes it back (on its node, or wherever it was planned).
    pub fn plan(&mut self, planned: Planned) {
        if planned.times == Some(0) {
            let kept = |entry: &Entry| planned.node.is_some() && entry.planned.node != planned.node;
            self.entries.retain(|entry| entry.planned.fault != planned.fault || kept(entry));
        } else {
            self.entries.push(Entry { planned, struck: false });
        }
    }

    /// True if the fault strikes this act now; uses up one of its times.
    pub fn take(&mut self, fault: Fault, node: NodeId, verb: &str) -> bool {
        let fits = |planned: &Planned| planned.strikes(fault, node) && planned.act.as_deref().is_none_or(|own| own == verb);
        let Some(position) = self.entries.iter().position(|entry| fits(&entry.planned)) else { return false };
        let entry = &mut self.entries[position];
        entry.struck = true;
        entry.planned.times = entry.planned.times.map(|left| left.saturating_sub(1));
        if entry.planned.times == Some(0) {
            self.entries.remove(position);
        }
        true
    }

    /// True while the fault is in force; uses nothing up.
    pub fn active(&self, fault: Fault, node: NodeId) -> bool {
        self.entries.iter().any(|entry| entry.planned.strikes(fault, node))
    }

    /// True if the fault was planned for ever and has struck before.
    pub fn lingers(&self, fault: Fault) -> bool {
        self.entries.iter().any(|entry| entry.planned.fault == fault && entry.planned.times.is_none() && entry.struck)
    }

    /// What is still planned.
    pub fn planned(&self) -> Vec<Planned> {
        self.entries.iter().map(|entry| entry.planned.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_one_row() {
        for row in TABLE {
            assert_eq!(row.name.parse(), Ok(row.fault));
            assert_eq!(serde_json::to_value(row.fault).unwrap(), row.name, "the name on the wire is the table's");
            assert_eq!(TABLE.iter().filter(|other| other.fault == row.fault).count(), 1, "{}", row.name);
            assert!(!row.sentence.is_empty());
        }
        assert!("sync-sulks".parse::<Fault>().unwrap_err().to_string().contains("sync-fails, sync-stuck"));
    }

    #[test]
    fn a_fault_strikes_as_often_as_it_was_asked_for() {
        let mut faults = Faults::default();
        faults.plan(Planned::once(Fault::Refused).on(NodeId::A).act("update"));
        faults.plan(Planned::for_ever(Fault::SyncFails));
        assert!(!faults.take(Fault::Refused, NodeId::B, "update"));
        assert!(!faults.take(Fault::Refused, NodeId::A, "backup"));
        assert!(faults.take(Fault::Refused, NodeId::A, "update"));
        assert!(!faults.take(Fault::Refused, NodeId::A, "update"), "once");
        assert!(!faults.lingers(Fault::SyncFails), "not before it struck");
        assert!(faults.take(Fault::SyncFails, NodeId::B, "force_sync"));
        assert!(faults.lingers(Fault::SyncFails) && faults.active(Fault::SyncFails, NodeId::A));
        faults.plan(Planned { times: Some(0), ..Planned::for_ever(Fault::SyncFails) });
        assert_eq!(faults.planned(), []);
    }

    #[test]
    fn taking_back_on_one_node_leaves_the_other() {
        let mut faults = Faults::default();
        for node in NodeId::BOTH {
            faults.plan(Planned::for_ever(Fault::HealthCached).on(node));
        }
        faults.plan(Planned { times: Some(0), ..Planned::for_ever(Fault::HealthCached).on(NodeId::A) });
        assert!(!faults.active(Fault::HealthCached, NodeId::A) && faults.active(Fault::HealthCached, NodeId::B));
    }
}
