//! One simulated appliance: what it is, what it holds, how it looks from outside.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::ids::NodeId;
use crate::domain::journal::hex;
use crate::domain::site::Role;
use crate::domain::version::{Target, Version};

use super::settings::Settings;

/// The record of one support session, as the node that holds it knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Unique in the world; not on the wire.
    pub serial: u64,
    /// 32 hex digits.
    pub lsid: String,
    /// Rising on one node, not unique over both: while unlinked each counts for itself.
    pub lseq: u64,
    pub user: String,
    pub created_on: NodeId,
    pub start: Timestamp,
    pub end: Option<Timestamp>,
    /// Ended by an update or a change of role, not by its user.
    pub interrupted: bool,
}

impl Record {
    /// The record as it was at `moment`, if it was there.
    pub(super) fn as_of(&self, moment: Timestamp) -> Option<Self> {
        if self.start > moment {
            return None;
        }
        let mut record = self.clone();
        if record.end.is_some_and(|end| end > moment) {
            (record.end, record.interrupted) = (None, false);
        }
        Some(record)
    }
}

/// The last data sync as this node shows it; normally only the primary has one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastSync {
    /// When the sync ended; on the wire to the millisecond. The vendor does not say whether start or
    /// end: this is the simulator's choice.
    pub at: Timestamp,
    pub status: String,
}

/// An installation under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Installation {
    pub until: Timestamp,
    pub result: Target,
    /// Position of its entry in [`SimNode::updates`].
    pub entry: usize,
}

/// One update ordered on a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateDone {
    pub asked_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub from: String,
    pub to: String,
}

/// What a node says of itself when asked for its health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    pub identity: String,
    pub version: Version,
    pub build: String,
    pub role: Role,
    pub healthy: bool,
    pub last_sync: Option<LastSync>,
    pub users: u32,
    pub sessions: u32,
    pub certificate_until: Option<Timestamp>,
    pub licence_until: Option<Timestamp>,
    pub shared_ips: Vec<IpAddr>,
}

/// An answer kept for repeated questions.
#[derive(Clone, Debug)]
struct Cached {
    taken: Timestamp,
    facts: Facts,
    /// Given out even while the node is silent (`cached-old`).
    frozen: bool,
}

/// One appliance.
#[derive(Clone, Debug)]
pub struct SimNode {
    pub identity: String,
    pub version: Version,
    pub build: String,
    pub role: Role,
    /// Closed to clients.
    pub closed: bool,
    /// A drain was announced: users finish and stay away.
    pub drained: bool,
    pub settings: Settings,
    /// A sync has overwritten its API account: nobody knows the secret.
    pub account_overwritten: bool,
    pub last_sync: Option<LastSync>,
    /// What a driver is told of their ends; tests set them.
    pub certificate_until: Option<Timestamp>,
    pub licence_until: Option<Timestamp>,
    /// The shared addresses that are enabled on it.
    pub shared_ips: BTreeSet<IpAddr>,
    pub records: BTreeMap<u64, Record>,
    pub updates: Vec<UpdateDone>,
    /// Rises with each restart; tokens are forgotten with it.
    pub boots: u32,
    /// The release that the box is fetching, to install it then.
    pub fetching: Option<Version>,
    pub(super) next_lseq: u64,
    pub(super) installation: Option<Installation>,
    cache: BTreeMap<&'static str, Cached>,
}

impl SimNode {
    pub(super) fn new(identity: String, target: &Target, role: Role, settings: Settings) -> Self {
        Self {
            identity,
            version: target.version.clone(),
            build: target.build.clone().unwrap_or_else(|| build_of(&target.version)),
            role,
            closed: false,
            drained: false,
            settings,
            account_overwritten: false,
            last_sync: None,
            certificate_until: None,
            licence_until: None,
            shared_ips: BTreeSet::new(),
            records: BTreeMap::new(),
            updates: Vec::new(),
            boots: 0,
            fetching: None,
            next_lseq: 1,
            installation: None,
            cache: BTreeMap::new(),
        }
    }

    pub fn updating_until(&self) -> Option<Timestamp> {
        self.installation.as_ref().map(|installation| installation.until)
    }

    /// Version and build in the vendor's one string, `24.1.1 (48711-<40 hex>)`.
    pub fn version_text(&self) -> String {
        version_text(&self.version, &self.build)
    }

    /// Sessions in progress on this node itself.
    pub(super) fn open_sessions(&self, own: NodeId) -> usize {
        self.records.values().filter(|record| record.end.is_none() && record.created_on == own).count()
    }

    /// Keeps an answer for `door`; `frozen` ones are given out even by a silent node.
    pub(super) fn keep(&mut self, door: &'static str, taken: Timestamp, facts: Facts, frozen: bool) {
        self.cache.insert(door, Cached { taken, facts, frozen });
    }

    /// The kept answer of `door` if it is younger than `max_age` (and frozen, if asked for that).
    pub(super) fn kept(&self, door: &str, now: Timestamp, max_age: SignedDuration, frozen: bool) -> Option<Facts> {
        let cached = self.cache.get(door).filter(|cached| now.duration_since(cached.taken) < max_age)?;
        (cached.frozen || !frozen).then(|| cached.facts.clone())
    }

    /// After a restart: new software, nothing remembered, the announced drain over. What was closed stays closed: that is a
    /// setting.
    pub(super) fn restart(&mut self, now: Timestamp) {
        let Some(done) = self.installation.take() else { return };
        self.build = done.result.build.clone().unwrap_or_else(|| build_of(&done.result.version));
        self.version = done.result.version;
        if let Some(entry) = self.updates.get_mut(done.entry) {
            entry.ended_at = Some(now);
            entry.to = version_text(&self.version, &self.build);
        }
        self.boots += 1;
        self.drained = false;
        self.cache.retain(|_, cached| cached.frozen);
    }
}

/// `24.1.1 (48711-<40 hex>)`.
pub fn version_text(version: &Version, build: &str) -> String {
    format!("{version} ({build})")
}

/// The build that the simulator's packages of a version carry: a number and 40 hex digits, the same in every run.
pub fn build_of(version: &Version) -> String {
    let digest = Sha256::digest(version.as_str().as_bytes());
    let number = 30_000 + u32::from(u16::from_be_bytes([digest[0], digest[1]]));
    format!("{number}-{}", &hex(&digest)[..40])
}

/// The identity of a simulated node: 32 hex digits, the same in every run.
pub fn identity_of(node: NodeId) -> String {
    hex(&Sha256::digest(format!("simulated appliance {node}")))[..32].to_owned()
}

/// Major and minor number of a version.
pub fn major_minor(version: &Version) -> (u64, u64) {
    let mut parts = version.as_str().split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

/// BG-50: from 10.6 on, sessions of both sides are merged once a link is up again.
pub fn merges_sessions(version: &Version) -> bool {
    major_minor(version) >= (10, 6)
}
