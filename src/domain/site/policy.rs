//! A site's own limits, and what it wants done where people may differ.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiff::civil::Time;
use serde::{Deserialize, Serialize};

use crate::domain::gate::{Gate, GatePolicy};

/// A site's own limits. Each key is explained in `docs/reference/config.md`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// R1, BG-20: a sync older than this proves nothing.
    pub max_sync_age: SignedDuration,
    /// R1: the status texts that mean a good sync; anything else holds the run.
    pub sync_ok_statuses: Vec<String>,
    /// R1: how far a node's clock may be from ours; [`WIDEST_SKEW`] at most.
    pub max_clock_skew: SignedDuration,
    /// R4: how old the survivor's backup may be when failover is established.
    pub max_backup_age: SignedDuration,
    /// BG-01: a backup smaller than this part of the node's last one, in percent, holds the run; 0: any size does.
    #[serde(default = "half")]
    pub least_backup_percent: u32,
    /// How old the preflight's results may be when they are used.
    #[serde(default = "an_hour")]
    pub max_check_age: SignedDuration,
    /// When a run that waits or is held is checked, every day; `None`: never. A run of a build that did not check at night goes on
    /// so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nightly_check: Option<Time>,
    /// BG-02: how long a drain waits for users to leave.
    pub drain_limit: SignedDuration,
    /// BG-02: what becomes of those who are still there then.
    #[serde(default)]
    pub after_drain_limit: AfterDrain,
    /// R10, BG-05: the shortest time between the windows.
    pub min_soak: SignedDuration,
    /// BG-05: after this long between the windows an alert goes out.
    #[serde(default = "default_max_soak")]
    pub max_soak: SignedDuration,
    /// What becomes of the soak when a condition that it watches fails.
    #[serde(default)]
    pub on_soak_failure: OnSoakFailure,
    /// R10, BG-05: the budget of time without failover; alerts go out at shares of it and at its end.
    pub max_unprotected: SignedDuration,
    /// A node that does not answer for this long outside an update raises `node_unreachable`.
    pub max_silence: SignedDuration,
    /// How long before a window's end `window_closing` goes out.
    pub closing_notice: SignedDuration,
    /// R7: what `lower_ttl` lowers TTLs to; a name that has less is left.
    #[serde(default = "switch_ttl")]
    pub switch_ttl: SignedDuration,
    /// R9: how often settings are compared with those at the break while failover is broken.
    #[serde(default = "settings_look")]
    pub settings_look: SignedDuration,
    /// R3: how long an action is expected to take, by action name.
    pub expected: BTreeMap<String, SignedDuration>,
    /// How long an action may take before it is in doubt, by action name.
    pub limits: BTreeMap<String, SignedDuration>,
    /// What the run does by itself when what is left of its window is too short for the next step.
    #[serde(default)]
    pub when_window_ends: WhenWindowEnds,
    /// Who may answer a gate, and what becomes of it if nobody does; the others have [`GatePolicy::default`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub gates: BTreeMap<Gate, GatePolicy>,
    /// The roles that may set a promise aside for one step, by the promise's key in `[policy.waivers]`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub waivers: BTreeMap<String, Vec<String>>,
    /// R11: the site that must have gone the same path before; none: no rehearsal is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rehearsal: Option<RehearsalPolicy>,
}

/// When a window has no time left for the next step, and failover is broken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenWindowEnds {
    /// The run holds, and a person decides.
    #[default]
    Hold,
    /// Where the way leads home without an update, the run takes it; else it holds.
    Home,
}

impl Policy {
    /// Who may answer this gate.
    pub fn gate(&self, gate: Gate) -> GatePolicy {
        self.gates.get(&gate).cloned().unwrap_or_default()
    }

    /// The roles that may waive this.
    pub fn waiver(&self, key: &str) -> &[String] {
        self.waivers.get(key).map(Vec::as_slice).unwrap_or_default()
    }
}

/// `[policy.rehearsal]` of a site that goes nowhere its rehearsal site has not been.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RehearsalPolicy {
    /// The site on which a run must have succeeded.
    pub site: String,
    /// How long a release counts.
    pub valid_for: SignedDuration,
    /// One of these roles may release; empty: everybody who may speak at all.
    #[serde(default)]
    pub roles: Vec<String>,
}

/// A week: one weekend's window to the next, which is how pairs are usually updated.
fn default_max_soak() -> SignedDuration {
    SignedDuration::from_hours(7 * 24)
}

/// What a failed condition does to the soak. Neither leads on, and nothing is done to the pair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnSoakFailure {
    /// The soak's clock begins anew when the failure is over.
    Restart,
    /// It is told, and the clock goes on. What a plan from before the setting means: nothing restarted it then.
    #[default]
    Alert,
}

/// What is done with users and sessions that are there still at the drain's limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterDrain {
    /// The run is held: a person decides.
    #[default]
    Hold,
    /// The run goes on, and says how many it left.
    GoOn,
    /// Their sessions are ended through the node's interface.
    EndSessions,
}

impl AfterDrain {
    /// The words of the config, in this order.
    pub const WORDS: [&'static str; 3] = ["hold", "go_on", "end_sessions"];

    /// By its word; whatever is no word of it holds.
    pub fn of(word: &str) -> Self {
        match word {
            "go_on" => Self::GoOn,
            "end_sessions" => Self::EndSessions,
            _ => Self::Hold,
        }
    }
}

/// Settings seldom shrink by half; a backup that broke off, or one of an emptied box, is found.
fn half() -> u32 {
    50
}

/// What plans of before the key have.
fn an_hour() -> SignedDuration {
    SignedDuration::from_hours(1)
}

/// A listing of a large site is some hundred calls: often enough to find who changed what, and no load.
fn settings_look() -> SignedDuration {
    SignedDuration::from_mins(15)
}

/// A minute, within which clients follow a switch: short beside the closing of a node, and no load for a name server.
fn switch_ttl() -> SignedDuration {
    SignedDuration::from_secs(60)
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_sync_age: SignedDuration::from_mins(10),
            sync_ok_statuses: vec!["success".to_owned()],
            max_clock_skew: SignedDuration::from_secs(60),
            max_backup_age: SignedDuration::from_hours(24),
            least_backup_percent: half(),
            max_check_age: an_hour(),
            nightly_check: Some(Time::constant(3, 0, 0, 0)),
            drain_limit: SignedDuration::from_mins(30),
            after_drain_limit: AfterDrain::Hold,
            min_soak: SignedDuration::from_hours(24),
            max_soak: default_max_soak(),
            on_soak_failure: OnSoakFailure::Restart,
            max_unprotected: SignedDuration::from_hours(14 * 24),
            max_silence: SignedDuration::from_mins(5),
            closing_notice: SignedDuration::from_mins(30),
            switch_ttl: switch_ttl(),
            settings_look: settings_look(),
            expected: BTreeMap::new(),
            limits: BTreeMap::new(),
            rehearsal: None,
            when_window_ends: WhenWindowEnds::Hold,
            gates: BTreeMap::new(),
            waivers: BTreeMap::new(),
        }
    }
}

/// BG-50: `policy.max_clock_skew` may not be more, since an extraction reaches so far beyond its range.
pub const WIDEST_SKEW: SignedDuration = SignedDuration::from_hours(1);
