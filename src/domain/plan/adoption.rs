//! Where steps lead, and what a person vouches for when a pair is taken over as it is found.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::file::FileEvidence;
use crate::domain::ids::{NodeId, PerNode};
use crate::domain::version::Version;

/// Where a way home ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Goal {
    /// Equal versions, linked, the first sync good, serving.
    Home,
    /// This one node serves on a version known to work, without failover; the rest is a person's decision.
    Harbour { node: NodeId },
}

/// What a person vouches for when a pair is taken over as it is found; no journal tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adoption {
    /// The node whose data are kept, chosen after seeing both listings.
    pub survivor: NodeId,
    /// Failover was broken when the pair was found.
    pub broken: bool,
    /// Since when either node may have data that the other lacks, as far as it is known: the last sync, or the break.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// BG-50: what ran when failover was broken, by a person's word; else the older version that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken_on: Option<Version>,
    /// Nodes that ran the target already.
    pub updated: PerNode<bool>,
    /// Backups of before, checked when the run began.
    pub backups: PerNode<Option<FileEvidence>>,
    /// The person has accepted the target in production.
    pub accepted: bool,
    /// Where the steps lead.
    pub goal: Goal,
    pub note: String,
}
