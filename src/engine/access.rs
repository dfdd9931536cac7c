//! When drivers are told that the credentials at their nodes may have changed.

use crate::domain::action::Kind;
use crate::domain::event::Event;
use crate::domain::ids::NodeId;
use crate::domain::run::Run;

use super::site::SiteReaders;

/// True for the end of an act after which accounts may be others: a sync, and establishing, copy them from one node to the
/// other; a break and an update begin a life of their own.
pub fn may_change(run: &Run, event: &Event) -> bool {
    let acts = [Kind::ForceSync, Kind::BreakFailover, Kind::EstablishFailover, Kind::Update];
    matches!(event, Event::StepDone { .. }) && run.step().is_some_and(|step| acts.contains(&step.kind))
}

/// Tells both drivers. `by_person`: somebody has looked after the accounts.
pub async fn told(readers: &SiteReaders, by_person: bool) {
    for node in NodeId::BOTH {
        readers.nodes[node].access_may_have_changed(by_person).await;
    }
}
