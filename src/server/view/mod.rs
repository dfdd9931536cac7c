//! The wire types: what the API answers and what `--json` prints. Names and shapes are a contract (`docs/reference/api.md`);
//! fields may be added, none renamed or dropped.
//!
//! Absent facts are `null`, never left out. Imports: engine and domain only.

mod adopt;
mod by_hand;
mod cached;
mod gate;
mod guide;
mod jump_clients;
mod ledger;
mod plan;
mod status;
mod stop_here;
mod times;
mod traffic;
mod untouched;
mod way;
mod windows;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::check;
use crate::domain::checks;
use crate::domain::ids::{NodeId, PerNode, RunId};
use crate::domain::journal::Record;
use crate::domain::site::Site;

pub use adopt::{Adoption, Listing};
pub use by_hand::ByHand;
pub use cached::MayBeCached;
pub use gate::{AnswerView, GateState, People, WaiverView};
pub use guide::{Doubt, Guide};
pub use jump_clients::JumpClientsLeft;
pub use ledger::{Ledger, Line as LedgerLine, Word as LedgerWord};
pub use plan::{Hop, Plan, PlanStep, Refusal};
pub use status::{Draining, Failing, Hold, LedgerCount, Node, NoticeRaised, Released, Soak, Status, Step, Unprotected};
pub use stop_here::StopHere;
pub use times::StepTime;
pub use traffic::{AgreementView, EntryTest, EntryView, LeftView, PartlyView, ReverseView, TrafficTest, TrafficView};
pub use untouched::{LeftUntouched, NotDriven, Untouched};
pub use way::{Left, Promise, Way, WayStep, Ways};
pub use windows::{FreezeView, WindowView, WindowsView};

/// The sites of the daemon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sites {
    pub sites: Vec<SiteView>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SiteView {
    pub name: String,
    pub service: String,
    pub procedure: Option<String>,
    pub nodes: PerNode<crate::domain::site::Node>,
}

impl From<Site> for SiteView {
    fn from(site: Site) -> Self {
        let Site { name, service, procedure, nodes, .. } = site;
        Self { name, service, procedure, nodes }
    }
}

/// The preflight of a site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checks {
    pub site: String,
    /// The site's run that is not finished: while there is one no other is started, and it says what may be done to the pair.
    pub run: Option<RunId>,
    /// True if nothing failed and nothing is unknown. Warnings are accepted at the start, and what only a person can tell is asked
    /// at gates.
    pub ok: bool,
    pub checks: Vec<CheckView>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckView {
    pub name: String,
    pub node: Option<NodeId>,
    /// `pass`, `warn`, `fail`, `unknown` or `person`.
    pub result: String,
    pub expected: String,
    pub found: String,
    /// When what it rests on was read.
    pub at: Timestamp,
    pub age_seconds: i64,
    /// Until when a run may use it before it is renewed.
    pub valid_until: Timestamp,
    /// The stable part of what was found; an acceptance lapses when it changes.
    pub basis: String,
    pub remedy: String,
}

impl Checks {
    pub fn new(site: &str, found: Vec<check::Check>, now: Timestamp) -> Self {
        let ok = checks::verdict(&found) == check::Outcome::Pass;
        Self { site: site.to_owned(), run: None, ok, checks: found.into_iter().map(|check| CheckView::new(check, now)).collect() }
    }
}

impl CheckView {
    fn new(check: check::Check, now: Timestamp) -> Self {
        let check::Check { name, node, result, expected, found, at, valid_until, basis, remedy } = check;
        let (name, result) = (name.to_owned(), word(result));
        let age_seconds = now.duration_since(at).as_secs().max(0);
        Self { name, node, result, expected, found, at, age_seconds, valid_until, basis, remedy }
    }
}

/// The answer to `start`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {
    pub run: RunId,
}

/// Runs, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Runs {
    pub runs: Vec<Status>,
    /// Those whose journal this build can't fold.
    #[serde(default)]
    pub untouched: Vec<LeftUntouched>,
}

/// A site that had no run yet; `run` is `null`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoRun {
    pub site: String,
    pub run: Option<RunId>,
}

/// `journal show`: the records as the journal has them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Journal {
    pub run: RunId,
    pub records: Vec<Record>,
}

/// What became of one test document at each hook.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertTests {
    pub ok: bool,
    pub hooks: Vec<HookTest>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HookTest {
    pub name: String,
    pub ok: bool,
    /// Why it did not arrive.
    pub message: Option<String>,
}

impl AlertTests {
    pub fn new(outcomes: Vec<(String, Result<(), String>)>) -> Self {
        let hook = |(name, outcome): (String, Result<(), String>)| HookTest { name, ok: outcome.is_ok(), message: outcome.err() };
        let hooks: Vec<HookTest> = outcomes.into_iter().map(hook).collect();
        // Where nobody is told, no alert arrives.
        Self { ok: !hooks.is_empty() && hooks.iter().all(|hook| hook.ok), hooks }
    }
}

/// An error, in the API's answer and on stderr with `--json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorView {
    /// A stable word.
    pub code: String,
    pub message: String,
    /// The request's id in the daemon's log; `null` where no daemon was asked.
    #[serde(default)]
    pub request_id: Option<String>,
    #[serde(default)]
    pub causes: Vec<String>,
    #[serde(default)]
    pub state: Option<String>,
    #[serde(default)]
    pub hint: Option<String>,
}

/// The word that serde gives a unit variant.
fn word(value: impl Serialize) -> String {
    // Unit variants of plain enums always become strings.
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
