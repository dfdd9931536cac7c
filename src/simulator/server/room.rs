//! One call at one box: what all that answers it is given.

use jiff::SignedDuration;

use super::shared::Shared;
use super::tokens::Moment;
use crate::domain::ids::NodeId;
use crate::simulator::faults::Fault;
use crate::simulator::world::{Facts, World};

/// The kept health answers.
pub(super) const HEALTH: &str = "check_health";
/// A health answer may be this old, run time.
const HEALTH_AGE: SignedDuration = SignedDuration::from_secs(60);

pub(super) type Response = hyper::Response<http_body_util::Full<bytes::Bytes>>;

/// One call at one box, with the world held still.
pub(super) struct Room<'a> {
    pub(super) shared: &'a Shared,
    pub(super) world: &'a mut World,
    pub(super) node: NodeId,
}

impl Room<'_> {
    pub(super) fn moment(&self) -> Moment {
        let node = self.world.node(self.node);
        Moment { now: self.world.now(), boots: node.boots, overwritten: node.account_overwritten }
    }

    /// What a door tells; it may be up to a minute old where that door or the whole box keeps its answers.
    pub(super) fn health(&mut self, door: &'static str, keeps: bool) -> Option<Facts> {
        let cached = keeps || self.world.faults.active(Fault::HealthCached, self.node);
        let age = if cached { HEALTH_AGE } else { SignedDuration::ZERO };
        self.world.facts_at(self.node, door, age)
    }
}
