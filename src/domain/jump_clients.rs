//! Jump Clients after an update: how many still need it. Until one has it, no session can be started with it.
//!
//! They follow by themselves, some hundreds at a time, for hours. It is told and stops nothing.

use jiff::Timestamp;

use super::ids::NodeId;

/// What a node tells of its Jump Clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JumpClients {
    Counted {
        need_update: u64,
        total: u64,
    },
    /// There is no interface, no right to it, or no answer just now.
    Untold {
        why: String,
    },
}

/// The last count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub at: Timestamp,
    pub node: NodeId,
    pub told: JumpClients,
}

impl Seen {
    /// For status and evidence.
    pub fn sentence(&self) -> String {
        match &self.told {
            JumpClients::Counted { need_update, total } => {
                format!("{need_update} of {total} Jump Clients of node `{}` still need the update", self.node)
            }
            JumpClients::Untold { why } => format!("Jump Clients of node `{}` are not told: {why}", self.node),
        }
    }

    pub fn is_counted(&self) -> bool {
        matches!(self.told, JumpClients::Counted { .. })
    }
}
