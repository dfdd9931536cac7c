//! What the server and the command line may ask of the engine: plain types and one error.

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};

use crate::domain::check::Check;
use crate::domain::event::Verdict;
use crate::domain::ids::{NodeId, RunId};
use crate::domain::journal::Record;
use crate::domain::metrics::Family;
use crate::domain::people::People;
use crate::domain::plan::{Plan, Refusal};
use crate::domain::run::Run;
use crate::domain::site::Site;
use crate::domain::way_home::Found;
use crate::domain::window::calendar::Usual;
use crate::domain::world::World;

pub use super::problem::{Kind, Problem};
use super::traffic::{TrafficFound, TrafficTried};
use super::untouched::Untouched;

/// A run as it stands, with what was last read.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub run: Arc<Run>,
    pub world: Arc<World>,
    /// Why this daemon does not drive the run, where it should.
    pub not_driven: Option<Arc<NotDriven>>,
}

/// Why a run that can be folded goes no further in this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotDriven {
    /// `illegal_event`, `record_unfit`, `bug` or `site_gone`.
    pub code: &'static str,
    pub message: String,
    pub since: Timestamp,
    pub hint: String,
}

/// The ways that lead home from where a run stands.
#[derive(Clone, Debug)]
pub struct WaysFound {
    /// The run, and the readings that the ways were found by.
    pub snapshot: Snapshot,
    pub found: Found,
    /// Why no way may be ordered now.
    pub not_now: Option<String>,
}

/// What `plan` and `start` are given. Texts are read by the engine, so that all errors speak alike.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanRequest {
    pub site: String,
    /// `VERSION` or `VERSION+BUILD`.
    pub to: String,
    /// A path on the daemon's machine; of a chain the last package, which leads to `to`.
    pub package: PathBuf,
    /// The packages that are installed before it, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub procedure: Option<String>,
    /// A window, `2026-11-22T02:00[Europe/Berlin] +4h`, or `next`, `next NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<String>,
    /// Why both windows are in one night: the lower bound of the soak is waived for this plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub urgent: Option<String>,
    /// The user who is responsible for window two; by default the site's, else whoever starts the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub responsible: Option<String>,
    /// The preflight's warnings that whoever asks accepts, each by its name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<Acceptance>,
}

/// The next windows of a site.
#[derive(Clone, Debug)]
pub struct WindowsFound {
    pub site: String,
    pub zone: String,
    /// Free ones and such as a freeze takes out, in order.
    pub windows: Vec<Usual>,
}

/// A person's word on one warning.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    pub check: String,
    /// Needed only where both nodes have the warning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeId>,
    pub reason: String,
}

/// A plan before it is a run.
#[derive(Clone, Debug)]
pub struct PlanPreview {
    pub site: String,
    pub plan: Plan,
    /// When each step is expected to begin.
    pub times: Vec<Timestamp>,
    pub refusals: Vec<Refusal>,
    /// What the clocks do to its windows.
    pub flags: Vec<String>,
    /// The site's traffic can be moved through us.
    pub movable: bool,
}

/// A person's word to a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// Without a gate: the only open one.
    Confirm {
        gate: Option<String>,
        verdict: Verdict,
        note: Option<String>,
        /// The beginning of the hash of what the person was shown: a conflict if that has changed.
        evidence: Option<String>,
    },
    /// Set a promise aside for the step where the run stands.
    Waive {
        rule: String,
        reason: String,
    },
    /// Window two is taken over by whoever has read the handover note with this hash.
    TakeOver {
        read: String,
        note: Option<String>,
        evidence: Option<String>,
    },
    /// A line of the ledger was seen, as it is now.
    Acknowledge {
        line: String,
        /// The beginning of the line's digest as the person saw it: a conflict if it is another by now.
        digest: Option<String>,
        note: Option<String>,
    },
    Hold,
    /// A warning of the preflight, as it is found now, is not to stand in the way.
    AcceptWarning {
        check: String,
        node: Option<NodeId>,
        reason: String,
    },
    /// With a window: the one of the step where the run stands is booked anew.
    Resume {
        window: Option<String>,
    },
    /// As [`Word::Resume`], with other windows by name, or another person responsible for window two.
    Rebook(Rebooking),
    SwitchBack {
        note: String,
    },
    /// Take the way home. With the ids of the steps that were shown: a conflict if the way is another by now.
    Abort {
        way: Option<Vec<String>>,
        note: Option<String>,
    },
    /// End the run without touching anything.
    Close {
        state: String,
        note: String,
    },
    /// Let other runs count on this one, which has succeeded; or take that word back.
    Release {
        withdraw: bool,
        note: String,
    },
    /// A box was replaced, and the site's file has the new identity.
    ReplaceNode {
        node: NodeId,
        identity: String,
        note: Option<String>,
    },
}

impl Word {
    /// The word as it is typed.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Confirm { .. } | Self::TakeOver { .. } => "confirm",
            Self::Waive { .. } => "waive",
            Self::AcceptWarning { .. } => "accept",
            Self::Acknowledge { .. } => "acknowledge",
            Self::Hold => "hold",
            Self::Resume { .. } | Self::Rebook(_) => "resume",
            Self::SwitchBack { .. } => "switch-back",
            Self::Abort { .. } => "abort",
            Self::Close { .. } => "close",
            Self::Release { .. } => "release",
            Self::ReplaceNode { .. } => "node replace",
        }
    }
}

/// What of a run's bookings changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rebooking {
    pub first: Option<String>,
    pub second: Option<String>,
    pub responsible: Option<String>,
}

/// What `adopt` is given. Files are paths on the daemon's machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdoptRequest {
    /// The node whose data are kept, by name or identity; required while the pair is not linked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub survivor: Option<String>,
    /// The version that was under way; by default the newer of both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup_a: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup_b: Option<PathBuf>,
    /// Since when either node may have data that the other lacks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// BG-50: what the pair ran when failover was broken; by default the older version that is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken_on: Option<String>,
    /// The person vouches that the target is accepted in production.
    pub accepted: bool,
    /// The window of an update on the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The ids of the steps that were shown: a conflict if they are others by now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub way: Option<Vec<String>>,
}

/// A pair as it was found, and the run that would take it over.
#[derive(Clone, Debug)]
pub struct AdoptPreview {
    pub site: Site,
    pub world: Arc<World>,
    /// The run without its steps, with the ways that were found; or why there is none.
    pub drafted: Result<(Run, Found), Problem>,
}

/// A box that was replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    pub node: NodeId,
    pub identity: String,
    pub note: Option<String>,
    pub seq: Option<u64>,
}

/// All sites and runs of one daemon, as the server and the command line see them. The engine's fleet implements it.
///
/// Methods that act (`start`, `command`, `test_alerts`) go on when their caller goes away: the server never drops them half way.
pub trait Fleet: Send + Sync + 'static {
    /// Run time.
    fn now(&self) -> Timestamp;

    fn sites(&self) -> Vec<Site>;

    /// Who may say what, and what people call each other.
    fn people(&self) -> &People;

    /// The preflight of a site: fresh readings, nothing changed.
    fn check<'a>(&'a self, site: &'a str) -> BoxFuture<'a, Result<Vec<Check>, Problem>>;

    /// Who answers what about a site's traffic: fresh readings, nothing changed.
    ///
    /// # Errors
    /// `NotFound` for an unknown site, and for one without traffic entries.
    fn traffic<'a>(&'a self, site: &'a str) -> BoxFuture<'a, Result<TrafficFound, Problem>>;

    /// Asks every traffic entry whether it would take our change, by one that alters nothing; `ttl` in seconds, to which a record
    /// would be lowered: the site's `policy.switch_ttl` unless given.
    ///
    /// # Errors
    /// As [`Fleet::traffic`]; `Conflict` while a run of the site moves traffic.
    fn try_traffic<'a>(&'a self, site: &'a str, ttl: Option<u32>, actor: &'a str)
    -> BoxFuture<'a, Result<TrafficTried, Problem>>;

    /// The next windows of a site that are so long.
    fn windows(&self, site: &str, length: Option<SignedDuration>) -> Result<WindowsFound, Problem>;

    /// A plan and what speaks against it; touches nothing.
    fn plan(&self, request: PlanRequest) -> BoxFuture<'_, Result<PlanPreview, Problem>>;

    /// Starts a run; returns once its first record is durable.
    fn start<'a>(&'a self, request: PlanRequest, actor: &'a str) -> BoxFuture<'a, Result<RunId, Problem>>;

    /// All runs that could be folded, oldest first.
    fn runs(&self) -> Vec<Snapshot>;

    /// The runs whose journal this build can't fold, by their names. Only [`Fleet::journal`] knows them too.
    fn untouched(&self) -> Vec<Untouched>;

    fn run(&self, id: &RunId) -> Result<Snapshot, Problem>;

    /// The newest run of a site, if it had one.
    ///
    /// # Errors
    /// `NotFound` for an unknown site.
    fn newest(&self, site: &str) -> Result<Option<Snapshot>, Problem>;

    /// The site's run that is not finished, one that this build can't fold among them: no other is started beside it.
    fn blocking_run(&self, site: &str) -> Option<RunId>;

    /// A person's word. With `seq`: a conflict if the run's last record is another.
    fn command<'a>(
        &'a self,
        id: &'a RunId,
        word: Word,
        actor: &'a str,
        seq: Option<u64>,
    ) -> BoxFuture<'a, Result<Snapshot, Problem>>;

    /// What `adopt` would do with a site: fresh readings, nothing changed.
    fn adoption<'a>(&'a self, site: &'a str, request: AdoptRequest) -> BoxFuture<'a, Result<AdoptPreview, Problem>>;

    /// Starts a run from what is observed; returns once its first record is durable.
    fn adopt<'a>(&'a self, site: &'a str, request: AdoptRequest, actor: &'a str) -> BoxFuture<'a, Result<RunId, Problem>>;

    /// The ways home from where a run stands: fresh readings, nothing changed.
    fn ways<'a>(&'a self, id: &'a RunId) -> BoxFuture<'a, Result<WaysFound, Problem>>;

    /// A box of the site's open run was replaced.
    ///
    /// # Errors
    /// `Conflict` without an open run: then the site's file is all that must be changed.
    fn replace_node<'a>(&'a self, site: &'a str, replaced: Replaced, actor: &'a str) -> BoxFuture<'a, Result<Snapshot, Problem>>;

    /// The records of a run with a number above `after`, in order.
    fn journal(&self, id: &RunId, after: u64) -> Result<Vec<Record>, Problem>;

    /// Whether the store can be written.
    fn ready(&self) -> Result<(), Problem>;

    /// Numbers for a monitoring system.
    fn metrics(&self) -> Vec<Family>;

    /// Sends one test document to each hook; returns each hook's name and outcome.
    fn test_alerts(&self) -> BoxFuture<'_, Vec<(String, Result<(), String>)>>;
}
