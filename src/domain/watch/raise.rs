//! What is told is told once: when it begins to be so, and when it is over.

use crate::domain::event::{Event, Notice};
use crate::domain::ids::NodeId;
use crate::domain::run::Run;

pub fn raise(run: &Run, notice: Notice, node: Option<NodeId>, is_so: bool, message: impl Into<String>) -> Option<Event> {
    (run.has_notice(notice, node) != is_so).then(|| Event::Noticed { notice, node, raised: is_so, message: message.into() })
}
