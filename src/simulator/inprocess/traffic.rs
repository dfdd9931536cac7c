//! The service's name as the engine's port, directly on the world: one server that always knows.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};

use crate::domain::ids::NodeId;
use crate::domain::site::{TrafficAnswer, TrafficLook};
use crate::ports::{Access, ActAnswer, Intent, ReadError, Recall, Traffic, TrafficReader, TtlChange};

use super::SimSite;
use crate::simulator::faults::{Fault, Planned};
use crate::simulator::world::World;

const SERVER: &str = "simulated";
const RECORD: &str = "support.example.com";
const VERB: &str = "switch_traffic";
/// How long answers may be remembered where nothing else is asked for: short enough to be left alone.
const TTL: u32 = 60;

/// The simulated name behind the [`Traffic`] port.
pub struct SimTraffic {
    site: SimSite,
    /// Under `cached-old`: what is answered until a TTL after the switch.
    old: Mutex<Option<(Timestamp, Option<NodeId>)>>,
    zone: Arc<Mutex<Zone>>,
    /// Another view of the name: it leads where the first one leads.
    follows: bool,
}

/// What the simulated zone has, beside where it leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// The name's TTL in seconds, server by server, the first of which takes changes; `None` for what has none.
    pub ttls: Vec<Option<u32>>,
    /// The secondaries take changes over only when they are told to.
    pub lags: bool,
    /// A person sets TTLs: the port answers with instructions.
    pub by_operator: bool,
    /// See [`TrafficLook::negative_ttl`].
    pub negative_ttl: Option<u32>,
}

impl Default for Zone {
    fn default() -> Self {
        Self { ttls: vec![Some(TTL)], lags: false, by_operator: false, negative_ttl: None }
    }
}

impl Zone {
    /// Sets the TTL on every server, or on the first alone where the others lag.
    pub fn set(&mut self, ttl: u32) {
        let reached = if self.lags { 1 } else { self.ttls.len() };
        self.ttls[..reached].fill(Some(ttl));
    }
}

impl SimTraffic {
    pub(super) fn new(site: SimSite) -> Self {
        let zone = site.zone.clone();
        Self { site, old: Mutex::new(None), zone, follows: false }
    }

    pub(super) fn view(site: SimSite, zone: Arc<Mutex<Zone>>) -> Self {
        Self { site, old: Mutex::new(None), zone, follows: true }
    }

    fn looked(&self) -> TrafficLook {
        self.site.calls.count("look", None);
        let world = self.site.current();
        let now = world.now();
        let old = self.old.lock().unwrap_or_else(PoisonError::into_inner).filter(|(until, _)| now < *until);
        let target = old.map_or(world.leads_to(), |(_, target)| target);
        let found = target.map_or_else(|| "no address".to_owned(), |node| format!("the address of node {node}"));
        let zone = self.zone().clone();
        let answer = |(place, ttl): (usize, &Option<u32>)| {
            let server = if place == 0 { SERVER.to_owned() } else { format!("{SERVER}-{place}") };
            TrafficAnswer { server, name: RECORD.to_owned(), target, ttl: *ttl, found: found.clone(), untold: false }
        };
        let answers = zone.ttls.iter().enumerate().map(answer).collect();
        let serving_identity = SimSite::serving_identity(&world);
        TrafficLook { serving_identity, negative_ttl: zone.negative_ttl, ..TrafficLook::new(now, answers) }
    }

    fn zone(&self) -> MutexGuard<'_, Zone> {
        self.zone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn order_ttl(&self, intent: &Intent, change: &TtlChange) -> ActAnswer {
        self.site.calls.count(change.verb(), None);
        if self.zone().by_operator {
            let line = format!("Set the TTL of `{RECORD}` to {} s.", change.longest());
            return ActAnswer::ByOperator { instructions: vec![line] };
        }
        let served = self.site.current().leads_to().unwrap_or(NodeId::A);
        let set = |_: &mut World| {
            if let Some(&ttl) = change.names.get(RECORD) {
                self.zone().set(ttl);
            }
            ActAnswer::accepted()
        };
        self.site.act(served, change.verb(), intent, set).await
    }

    fn moved(&self, world: &mut World, from: NodeId, to: NodeId) -> ActAnswer {
        if self.follows {
            return ActAnswer::accepted();
        }
        if world.leads_to() != Some(from) {
            let found = world.leads_to().map_or("nowhere", NodeId::as_str);
            return ActAnswer::Refused { message: format!("expected the name to lead to node `{from}`, found `{found}`") };
        }
        if world.faults.take(Fault::CachedOld, to, VERB) {
            let until = world.now() + SignedDuration::from_secs(i64::from(TTL));
            *self.old.lock().unwrap_or_else(PoisonError::into_inner) = Some((until, Some(from)));
        }
        world.set_leads_to(Some(to));
        ActAnswer::accepted()
    }

    async fn order(&self, intent: &Intent, from: NodeId, to: NodeId) -> ActAnswer {
        self.site.calls.count(VERB, None);
        self.site.act(to, VERB, intent, |world| self.moved(world, from, to)).await
    }
}

impl TrafficReader for SimTraffic {
    fn look(&self) -> BoxFuture<'_, Result<TrafficLook, ReadError>> {
        Box::pin(async move { Ok(self.looked()) })
    }

    fn settling_time(&self) -> SignedDuration {
        self.site.options.settling_time
    }

    fn name(&self) -> String {
        format!("simulated {RECORD}")
    }
}

impl Traffic for SimTraffic {
    fn switch<'a>(&'a self, intent: &'a Intent, from: NodeId, to: NodeId) -> BoxFuture<'a, ActAnswer> {
        Box::pin(self.order(intent, from, to))
    }

    fn set_ttl<'a>(&'a self, intent: &'a Intent, change: &'a TtlChange) -> BoxFuture<'a, ActAnswer> {
        Box::pin(self.order_ttl(intent, change))
    }

    /// Refuses where a refusal of the switch is planned, without using it up.
    fn prove_access(&self) -> BoxFuture<'_, Access> {
        self.site.calls.count("prove_access", None);
        let refusal = |planned: &Planned| planned.fault == Fault::Refused && planned.act.as_deref() == Some(VERB);
        let access = match self.site.current().faults.planned().iter().any(refusal) {
            true => Access::Refused { message: format!("`{VERB}` would be refused") },
            false => Access::Proven { how: "it took a change that alters nothing".to_owned() },
        };
        Box::pin(std::future::ready(access))
    }

    fn recall<'a>(&'a self, intent: &'a Intent) -> BoxFuture<'a, Recall> {
        Box::pin(std::future::ready(self.site.recall(intent)))
    }
}
