//! Whether our key may make the change, there and back, found out by an update that changes nothing.

use crate::domain::ids::NodeId;
use crate::ports::Access;

use super::Rfc2136;
use super::judge::Standing;
use super::record::RrSet;
use super::switch::{ADVICE, Sent};
use super::update::{Change, Piece, Verdict};

impl Rfc2136 {
    /// # Effect
    /// None: under the switch's prerequisites, the update deletes the other node's value, which is not there, and adds the one
    /// that stands, with its TTL (of an alias it only deletes). The server's policy judges it, and nothing comes of it.
    ///
    /// # Repeat
    /// Safe.
    pub(super) async fn prove_access_now(&self) -> Access {
        let primary = self.primary.address;
        let present = match self.present().await {
            Ok(present) => present,
            Err(found) => return Access::Unknown { message: format!("{primary}: {found}") },
        };
        let node = match self.entry.standing(&present) {
            Standing::At(node) => node,
            Standing::Partly(held) => return refused(format!("it leads partly to each node: {held}")),
            Standing::Neither => {
                return refused(format!("it holds {}, neither node's alone", self.entry.held(&present)));
            }
        };
        match self.submit(self.proof(node, &present).proof()).await {
            Sent::Not(message) => Access::Unknown { message },
            Sent::Judged(verdict) => self.access(verdict, node),
        }
    }

    fn proof(&self, node: NodeId, present: &[RrSet]) -> Change<'_> {
        let sets = self.entry.sets.iter().zip(present);
        let pieces = sets.map(|(moved, set)| Piece {
            name: &moved.name,
            from: &moved.values[node],
            to: &moved.values[node.other()],
            ttl: set.ttl,
        });
        Change { zone: &self.zone, pieces: pieces.collect() }
    }

    fn access(&self, verdict: Verdict, node: NodeId) -> Access {
        let (primary, shown) = (self.primary.address, self.entry.shown());
        match verdict {
            Verdict::Applied => {
                let (here, there) = (self.entry.values_of(node), self.entry.values_of(node.other()));
                let how = format!(
                    "{primary} took a signed update of `{shown}` that alters nothing, naming {here} (node `{node}`) and {there} (node `{}`)",
                    node.other()
                );
                Access::Proven { how }
            }
            Verdict::Stale => Access::Unknown { message: format!("`{shown}` was changed by somebody else at this moment") },
            Verdict::Denied { reason, .. } => refused(format!("{primary}: {reason}; {ADVICE}")),
            Verdict::Unclear(reason) => Access::Unknown { message: format!("{primary}: {reason}") },
        }
    }
}

fn refused(message: String) -> Access {
    Access::Refused { message }
}
