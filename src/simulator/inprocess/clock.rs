//! Run time that follows tokio's own clock, so that a paused runtime skips the waiting.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::ports::Clock;

/// `origin` plus what tokio's clock has moved on since this was made, and by how much somebody has set it since.
#[derive(Debug)]
pub struct VirtualClock {
    origin: Timestamp,
    started: Instant,
    stepped_millis: AtomicI64,
}

impl VirtualClock {
    /// Starts at `origin`. Must be made inside the runtime whose clock it follows.
    pub fn new(origin: Timestamp) -> Self {
        Self { origin, started: Instant::now(), stepped_millis: AtomicI64::new(0) }
    }

    /// Sets the clock forth or back. Who sleeps notices at the next look, as with a machine's clock.
    pub fn step(&self, by: SignedDuration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or_default();
        self.stepped_millis.fetch_add(millis, Ordering::Relaxed);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.started.elapsed()).unwrap_or(SignedDuration::MAX);
        let stepped = SignedDuration::from_millis(self.stepped_millis.load(Ordering::Relaxed));
        self.origin.checked_add(passed.saturating_add(stepped)).unwrap_or(Timestamp::MAX)
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // Negative once the moment has come.
            let left = || Duration::try_from(at.duration_since(self.now())).unwrap_or_default();
            let (began, first) = (Instant::now(), left());
            while !left().is_zero() && began.elapsed() < first {
                tokio::time::sleep(left().min(first.saturating_sub(began.elapsed()))).await;
            }
        })
    }
}
