//! Jump Clients after an update: how many still need it. Until one has it, no session can be started with it.
//!
//! They follow by themselves, some hundreds at a time, for hours. It is told and stops nothing.

use jiff::{SignedDuration, Timestamp};

use super::action::Kind;
use super::ids::NodeId;
use super::run::{Phase, Run};
use super::world::World;

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

/// The node whose Jump Clients are to be counted before the next decision: the one that serves, once it has the update, as often
/// as settings are compared (`policy.settings_look`). A count of 5,000 is 50 calls.
pub fn due(run: &Run, world: &World) -> Option<NodeId> {
    let node = run.serving();
    if run.is_finished() || run.phase == Phase::Acting || run.is_at(Kind::Update) || !run.nodes[node].updated {
        return None;
    }
    let pause = run.plan.policy.settings_look.max(SignedDuration::from_mins(1));
    let fresh = |seen: &Seen| seen.node == node && world.now.duration_since(seen.at) < pause;
    (!world.jump_clients.as_ref().is_some_and(fresh)).then_some(node)
}

/// The count as it belongs to evidence about this node; nothing where it is not told.
pub fn reservation(world: &World, node: NodeId) -> String {
    let seen = world.jump_clients.as_ref().filter(|seen| seen.node == node && seen.is_counted());
    seen.map(|seen| format!("; {}", seen.sentence())).unwrap_or_default()
}
