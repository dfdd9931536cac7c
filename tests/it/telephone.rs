//! The zone's servers behind a line that can be cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use changeover::domain::ids::NodeId;
use changeover::domain::site::TrafficLook;
use changeover::ports::{ActAnswer, Intent, ReadError, Recall, Traffic, TrafficReader, TtlChange};
use changeover::simulator::inprocess::SimTraffic;
use futures_util::future::BoxFuture;
use jiff::SignedDuration;

/// The zone's servers, which may not answer for a while.
pub struct Telephone {
    pub inner: SimTraffic,
    pub deaf: Arc<AtomicBool>,
    pub mad: Arc<AtomicBool>,
}

impl Telephone {
    fn is_deaf(&self) -> bool {
        self.deaf.load(Ordering::SeqCst)
    }
}

impl TrafficReader for Telephone {
    fn look(&self) -> BoxFuture<'_, Result<TrafficLook, ReadError>> {
        assert!(!self.mad.load(Ordering::SeqCst), "the zone is mad");
        if self.is_deaf() {
            return Box::pin(async { Err(ReadError::Transient("no server answers".to_owned())) });
        }
        self.inner.look()
    }

    fn settling_time(&self) -> SignedDuration {
        self.inner.settling_time()
    }

    fn name(&self) -> String {
        self.inner.name()
    }
}

impl Traffic for Telephone {
    fn switch<'a>(&'a self, intent: &'a Intent, from: NodeId, to: NodeId) -> BoxFuture<'a, ActAnswer> {
        if self.is_deaf() {
            return Box::pin(async { ActAnswer::Transient { message: "no server answers".to_owned() } });
        }
        self.inner.switch(intent, from, to)
    }

    fn set_ttl<'a>(&'a self, intent: &'a Intent, change: &'a TtlChange) -> BoxFuture<'a, ActAnswer> {
        if self.is_deaf() {
            return Box::pin(async { ActAnswer::Transient { message: "no server answers".to_owned() } });
        }
        self.inner.set_ttl(intent, change)
    }

    fn recall<'a>(&'a self, intent: &'a Intent) -> BoxFuture<'a, Recall> {
        self.inner.recall(intent)
    }
}
