//! What a box answers to an order that it does not take.

use crate::domain::ids::NodeId;
use crate::domain::version::Version;

/// Why an order was not taken. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("node `{0}` does not answer")]
    Silent(NodeId),
    #[error("node `{0}` cannot reach its peer")]
    PeerSilent(NodeId),
    #[error("the nodes are in no failover relationship")]
    NotLinked,
    #[error("a failover relationship exists already")]
    Linked,
    #[error("node `{0}` has that role already")]
    SameRole(NodeId),
    #[error("the package to {to} is installed on {needs} only; node `{node}` runs {found}")]
    NotOn { node: NodeId, to: Version, needs: Version, found: Version },
    #[error("node `{0}` fetches an update already")]
    Fetching(NodeId),
    #[error("`{0}` is not an act of the console")]
    UnknownAct(String),
}
