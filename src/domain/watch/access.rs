//! Access that a node refuses: it says nothing of the node, and a person must know at once, since nothing can be seen any more.

use crate::domain::event::{Event, Notice};
use crate::domain::ids::NodeId;
use crate::domain::run::Run;
use crate::domain::world::World;

/// The node answers and lets nobody of ours read it; and that it is over, because it was read.
pub fn refused(run: &Run, node: NodeId, world: &World) -> Option<Event> {
    let reading = &world.readings[node];
    let is_out = run.has_notice(Notice::AccessRefused, Some(node));
    let raised = reading.refused_since.is_some();
    // No answer at all ends nothing.
    if raised == is_out || !raised && reading.current.is_none() {
        return None;
    }
    let message = match reading.error.as_deref().filter(|_| raised) {
        Some(why) => format!("can't tell how node `{node}` is, access to it is refused: {why}"),
        None => format!("node `{node}` can be read again"),
    };
    Some(Event::Noticed { notice: Notice::AccessRefused, node: Some(node), raised, message })
}
