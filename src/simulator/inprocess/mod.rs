//! The ports directly on the world, for tests in virtual time and for benches: no sockets, no delays that are not asked for.
//!
//! [`SimSite::new`] takes a world and a clock and hands out both appliances and the traffic. Before each call the world is
//! brought up to the clock's now, so nothing needs to run beside it.

mod appliance;
mod clock;
#[cfg(test)]
mod tests;
mod traffic;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::domain::ids::NodeId;
use crate::ports::{ActAnswer, Clock, Intent, Recall};

use super::faults::Fault;
use super::world::{World, lock};
pub use appliance::SimAppliance;
pub use clock::VirtualClock;
pub use traffic::{SimTraffic, Zone};

/// The answer of a `slow` act comes this much later.
pub const SLOW: SignedDuration = SignedDuration::from_mins(5);

/// How the in-process ports behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InProcessOptions {
    /// Readings may be this old and are cached for as long; zero turns caching off (and `cached-old` with it).
    pub cache_time: SignedDuration,
    /// Answer `by operator` to everything the vendor has no interface for, instead of doing it.
    pub by_operator: bool,
    /// Recall tells an intent that was never asked from one that was, as the exec driver can.
    pub remembers: bool,
    /// What [`crate::ports::TrafficReader::settling_time`] says.
    pub settling_time: SignedDuration,
    /// Settings are listed.
    pub tells_settings: bool,
}

impl Default for InProcessOptions {
    fn default() -> Self {
        let (cache_time, settling_time) = (SignedDuration::from_secs(60), SignedDuration::from_secs(30));
        Self { cache_time, by_operator: false, remembers: false, settling_time, tells_settings: true }
    }
}

/// How often the ports were called, also in vain.
#[derive(Debug, Default)]
pub struct Calls {
    counts: Mutex<BTreeMap<(&'static str, Option<NodeId>), u64>>,
}

impl Calls {
    fn count(&self, verb: &'static str, node: Option<NodeId>) {
        *self.locked().entry((verb, node)).or_default() += 1;
    }

    /// Calls of a verb (`observe`, `update`, `look`, `switch_traffic`) on a node; traffic has none.
    pub fn of(&self, verb: &'static str, node: Option<NodeId>) -> u64 {
        self.locked().get(&(verb, node)).copied().unwrap_or(0)
    }

    /// All calls together.
    pub fn total(&self) -> u64 {
        self.locked().values().sum()
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<(&'static str, Option<NodeId>), u64>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One simulated site in this process.
#[derive(Clone)]
pub struct SimSite {
    pub world: Arc<Mutex<World>>,
    pub clock: Arc<dyn Clock>,
    pub calls: Arc<Calls>,
    pub options: InProcessOptions,
    /// The keys of the intents that were asked.
    asked: Arc<Mutex<BTreeSet<String>>>,
    zone: Arc<Mutex<Zone>>,
}

impl SimSite {
    pub fn new(world: World, clock: Arc<dyn Clock>, options: InProcessOptions) -> Self {
        Self {
            world: Arc::new(Mutex::new(world)),
            clock,
            calls: Arc::default(),
            options,
            asked: Arc::default(),
            zone: Arc::default(),
        }
    }

    pub fn appliance(&self, node: NodeId) -> SimAppliance {
        SimAppliance::new(self.clone(), node)
    }

    pub fn traffic(&self) -> SimTraffic {
        SimTraffic::new(self.clone())
    }

    /// Another view of the service's name, with TTLs of its own.
    pub fn view(&self, zone: Arc<Mutex<Zone>>) -> SimTraffic {
        SimTraffic::view(self.clone(), zone)
    }

    /// The zone in which the service's name stands, for tests that change it by hand.
    pub fn zone(&self) -> MutexGuard<'_, Zone> {
        self.zone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The world, brought up to now.
    pub fn current(&self) -> MutexGuard<'_, World> {
        let now = self.clock.now();
        let mut world = lock(&self.world);
        world.advance(now);
        world
    }

    /// Nothing outlives a call here.
    fn recall(&self, intent: &Intent) -> Recall {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner).contains(&intent.key);
        if self.options.remembers && !asked { Recall::NeverSent } else { Recall::MayBeSent }
    }

    /// Does an act with the faults that strike acts in this process; `effect` changes the world.
    async fn act(
        &self,
        node: NodeId,
        verb: &'static str,
        intent: &Intent,
        effect: impl FnOnce(&mut World) -> ActAnswer,
    ) -> ActAnswer {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(intent.key.clone());
        let (answer, until) = match self.act_now(node, verb, effect) {
            Outcome::Answered(answer) => return answer,
            Outcome::Later(answer, until) => (answer, until),
        };
        let limit = intent.since.checked_add(intent.limit).unwrap_or(Timestamp::MAX);
        // The world goes by this clock alone: where that is set back, what it does takes so much longer.
        while self.clock.now() < until.min(limit) {
            self.clock.sleep_until(until.min(limit)).await;
        }
        if limit < until { lost(verb) } else { answer }
    }

    fn act_now(&self, node: NodeId, verb: &'static str, effect: impl FnOnce(&mut World) -> ActAnswer) -> Outcome {
        let mut world = self.current();
        let now = world.now();
        let mut strikes = |fault| world.faults.take(fault, node, verb);
        if strikes(Fault::NeverReached) {
            return Outcome::Answered(ActAnswer::Transient {
                message: format!("node `{node}` was not reached; `{verb}` was not sent"),
            });
        }
        if strikes(Fault::Refused) {
            return Outcome::Answered(ActAnswer::Refused { message: format!("node `{node}` refused `{verb}`") });
        }
        let (answer_lost, slow) = (strikes(Fault::AnswerLost), strikes(Fault::Slow));
        match effect(&mut world) {
            ActAnswer::Accepted { .. } if answer_lost => Outcome::Answered(lost(verb)),
            answer if slow => Outcome::Later(answer, now + SLOW),
            answer => Outcome::Answered(answer),
        }
    }
}

enum Outcome {
    Answered(ActAnswer),
    Later(ActAnswer, Timestamp),
}

fn lost(verb: &str) -> ActAnswer {
    ActAnswer::Ambiguous { message: format!("`{verb}` was sent, but no answer came") }
}
