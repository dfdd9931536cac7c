//! Readings that may be kept answers, on the wire.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::cached;
use crate::domain::ids::NodeId;

/// A reading that may be from before the act that it is to prove.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MayBeCached {
    pub node: NodeId,
    pub read_at: Timestamp,
    /// How old its facts may have been when it was read.
    pub may_be_old_seconds: i64,
    /// When the act was ordered that it is to prove.
    pub act_since: Timestamp,
    pub next_look: Option<Timestamp>,
}

impl From<cached::MayBeCached> for MayBeCached {
    fn from(cached: cached::MayBeCached) -> Self {
        let cached::MayBeCached { node, read_at, may_be_old, act_since, next_look } = cached;
        Self { node, read_at, may_be_old_seconds: may_be_old.as_secs(), act_since, next_look }
    }
}

impl fmt::Display for MayBeCached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, read_at, may_be_old_seconds, next_look, .. } = self;
        write!(f, "node {node}, read {read_at}: may be cached, up to {may_be_old_seconds} s old, and proves nothing yet")?;
        next_look.map_or(Ok(()), |at| write!(f, "; next look at {at}"))
    }
}
