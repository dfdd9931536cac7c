//! Traffic as a whole: who serves, by all witnesses; several entries of which one does not follow; the right to move them, asked
//! before a run acts; the way back; the side that was left; a shared address.

mod daemon;
mod left;
mod nat;
mod partly;
mod shared_ip;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use changeover::domain::ids::NodeId;
use changeover::domain::site::{TrafficAnswer, TrafficLook};
use changeover::ports::{Access, ActAnswer, Clock, Intent, ReadError, Recall, Traffic, TrafficReader};
use changeover::simulator::inprocess::SimSite;
use futures_util::future::BoxFuture;
use jiff::SignedDuration;

use crate::stage::{Entries, Setting, Stage};

/// A second view of the name, which may refuse to be moved.
pub struct View {
    clock: Arc<dyn Clock>,
    leads_to: Mutex<NodeId>,
    pub refuses: Arc<AtomicBool>,
}

impl View {
    fn new(site: &SimSite, refuses: Arc<AtomicBool>) -> Self {
        Self { clock: site.clock.clone(), leads_to: Mutex::new(NodeId::A), refuses }
    }
}

impl TrafficReader for View {
    fn look(&self) -> BoxFuture<'_, Result<TrafficLook, ReadError>> {
        let target = *self.leads_to.lock().unwrap();
        let (server, name) = ("outside".to_owned(), "support.example.com".to_owned());
        let answer =
            TrafficAnswer { server, name, target: Some(target), ttl: None, found: format!("node {target}"), untold: false };
        Box::pin(async move { Ok(TrafficLook::new(self.clock.now(), vec![answer])) })
    }

    fn settling_time(&self) -> SignedDuration {
        SignedDuration::ZERO
    }

    fn name(&self) -> String {
        "the view from outside".to_owned()
    }
}

impl Traffic for View {
    fn switch<'a>(&'a self, _: &'a Intent, _: NodeId, to: NodeId) -> BoxFuture<'a, ActAnswer> {
        let refuses = self.refuses.load(Ordering::SeqCst);
        Box::pin(async move {
            if refuses {
                return ActAnswer::Refused { message: "the key may not change this view".to_owned() };
            }
            *self.leads_to.lock().unwrap() = to;
            ActAnswer::accepted()
        })
    }

    fn prove_access(&self) -> BoxFuture<'_, Access> {
        Box::pin(async { Access::Proven { how: "tried".to_owned() } })
    }

    fn recall<'a>(&'a self, _: &'a Intent) -> BoxFuture<'a, Recall> {
        Box::pin(async { Recall::MayBeSent })
    }
}

/// A stage with the simulated name, without a line in between, and a second view.
pub fn with_view() -> (Stage, Arc<AtomicBool>) {
    let refuses: Arc<AtomicBool> = Arc::default();
    let given = refuses.clone();
    let entries: Entries = Arc::new(move |site| {
        let first: Arc<dyn Traffic> = Arc::new(site.traffic());
        vec![first, Arc::new(View::new(site, given.clone()))]
    });
    (Stage::set(Setting { traffic: Some(entries), ..Setting::default() }), refuses)
}
