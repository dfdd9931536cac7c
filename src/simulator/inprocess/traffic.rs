//! The service's name as the engine's port, directly on the world: one server that always knows.

use std::sync::{Mutex, PoisonError};

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};

use crate::domain::ids::NodeId;
use crate::domain::site::{TrafficAnswer, TrafficLook};
use crate::ports::{Access, ActAnswer, Intent, ReadError, Recall, Traffic, TrafficReader};

use super::SimSite;
use crate::simulator::faults::{Fault, Planned};
use crate::simulator::world::World;

const SERVER: &str = "simulated";
const RECORD: &str = "support.example.com";
const VERB: &str = "switch_traffic";
const TTL: u32 = 60;

/// The simulated name behind the [`Traffic`] port.
pub struct SimTraffic {
    site: SimSite,
    /// Under `cached-old`: what is answered until a TTL after the switch.
    old: Mutex<Option<(Timestamp, Option<NodeId>)>>,
}

impl SimTraffic {
    pub(super) fn new(site: SimSite) -> Self {
        Self { site, old: Mutex::new(None) }
    }

    fn looked(&self) -> TrafficLook {
        self.site.calls.count("look", None);
        let world = self.site.current();
        let now = world.now();
        let old = self.old.lock().unwrap_or_else(PoisonError::into_inner).filter(|(until, _)| now < *until);
        let target = old.map_or(world.leads_to(), |(_, target)| target);
        let found = target.map_or_else(|| "no address".to_owned(), |node| format!("the address of node {node}"));
        let answer = TrafficAnswer { server: SERVER.to_owned(), name: RECORD.to_owned(), target, ttl: Some(TTL), found };
        TrafficLook { serving_identity: SimSite::serving_identity(&world), ..TrafficLook::new(now, vec![answer]) }
    }

    fn moved(&self, world: &mut World, from: NodeId, to: NodeId) -> ActAnswer {
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
