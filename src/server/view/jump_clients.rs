//! The last count of Jump Clients, for the status.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::ids::NodeId;
use crate::domain::jump_clients::{JumpClients, Seen};

/// Jump Clients that still need the update, where the node's driver tells; `why` where it does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JumpClientsLeft {
    pub node: NodeId,
    pub need_update: Option<u64>,
    pub total: Option<u64>,
    pub at: Timestamp,
    pub why: Option<String>,
}

impl JumpClientsLeft {
    pub(super) fn of(seen: &Seen) -> Self {
        let (need_update, total, why) = match &seen.told {
            JumpClients::Counted { need_update, total } => (Some(*need_update), Some(*total), None),
            JumpClients::Untold { why } => (None, None, Some(why.clone())),
        };
        Self { node: seen.node, need_update, total, at: seen.at, why }
    }
}
