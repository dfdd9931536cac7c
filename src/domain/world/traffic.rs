//! What was read of the service's name.

use jiff::{SignedDuration, Timestamp};

use crate::domain::ids::NodeId;
use crate::domain::site::{SharedOn, TrafficLook};

/// The last look at where the service's name leads.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrafficReading {
    /// One entry a traffic entry of the site.
    pub looks: Vec<Result<TrafficLook, String>>,
    /// Looks without a break that named the same node.
    pub steady_count: u32,
    /// Looks without a break that showed a shared address in the same state.
    shared_count: u32,
    /// The first of the looks without a break that named the same node.
    target_since: Option<Timestamp>,
    /// Since when some look has failed at every try.
    unread_since: Option<Timestamp>,
}

impl TrafficReading {
    pub fn take(&mut self, looks: Vec<Result<TrafficLook, String>>) {
        let (before, shared) = (self.target(), self.shared());
        self.looks = looks;
        self.shared_count = if self.shared() == shared { self.shared_count.saturating_add(1) } else { 1 };
        let same = self.target() == before;
        self.steady_count = if same { self.steady_count.saturating_add(1) } else { 1 };
        let latest = self.looks.iter().flatten().map(|look| look.at).max();
        self.target_since = self.target_since.filter(|_| same).or(latest).filter(|_| self.target().is_some());
    }

    /// Since when every answer is seen to name the same node.
    pub fn target_since(&self) -> Option<Timestamp> {
        self.target_since
    }

    /// Says when the last looks were taken.
    pub fn taken_at(&mut self, now: Timestamp) {
        let unread = self.looks.iter().any(Result::is_err);
        self.unread_since = unread.then(|| self.unread_since.unwrap_or(now));
    }

    /// How long looks have failed.
    pub fn unread_for(&self, now: Timestamp) -> SignedDuration {
        self.unread_since.map_or(SignedDuration::ZERO, |since| now.duration_since(since))
    }

    /// The node that every answer of every entry names.
    pub fn target(&self) -> Option<NodeId> {
        let mut targets = self.looks.iter().map(|look| look.as_ref().ok().and_then(TrafficLook::target));
        let first = targets.next()??;
        targets.all(|target| target == Some(first)).then_some(first)
    }

    /// A shared address that is on no node or on both.
    pub fn shared(&self) -> Option<SharedOn> {
        self.looks.iter().flatten().find_map(|look| look.shared)
    }

    /// As [`TrafficReading::shared`], in two looks in a row.
    pub fn shared_twice(&self) -> Option<SharedOn> {
        self.shared().filter(|_| self.shared_count >= 2)
    }

    /// The longest time, in seconds, for which anybody may remember an answer, by what was read; `None` where nothing was told.
    pub fn longest_ttl(&self) -> Option<u32> {
        let told = self.looks.iter().flatten().filter_map(TrafficLook::longest_ttl);
        told.max()
    }

    /// True if some answer names this node.
    pub fn names(&self, node: NodeId) -> bool {
        let mut answers = self.looks.iter().flatten().flat_map(|look| &look.answers);
        answers.any(|answer| answer.target == Some(node))
    }

    /// What was seen, for messages.
    pub fn describe(&self) -> String {
        let each = self.looks.iter().flat_map(|look| match look {
            Ok(look) => look.answers.iter().map(|answer| format!("{} says {}", answer.server, answer.found)).collect(),
            Err(error) => vec![error.clone()],
        });
        each.collect::<Vec<_>>().join(", ")
    }

    /// An identity that answers at the service's name and is not this one.
    pub fn other_identity(&self, identity: &str) -> Option<&str> {
        let seen = self.looks.iter().filter_map(|look| look.as_ref().ok()?.serving_identity.as_deref());
        seen.into_iter().find(|seen| *seen != identity)
    }
}
