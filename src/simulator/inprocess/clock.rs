//! Run time that follows tokio's own clock, so that a paused runtime skips the waiting.

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::ports::Clock;

/// `origin` plus what tokio's clock has moved on since this was made.
#[derive(Clone, Copy, Debug)]
pub struct VirtualClock {
    origin: Timestamp,
    started: Instant,
}

impl VirtualClock {
    /// Starts at `origin`. Must be made inside the runtime whose clock it follows.
    pub fn new(origin: Timestamp) -> Self {
        Self { origin, started: Instant::now() }
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.started.elapsed()).unwrap_or(SignedDuration::MAX);
        self.origin.checked_add(passed).unwrap_or(Timestamp::MAX)
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            loop {
                // Negative once the moment has come.
                match std::time::Duration::try_from(at.duration_since(self.now())) {
                    Ok(left) if !left.is_zero() => tokio::time::sleep(left).await,
                    _ => return,
                }
            }
        })
    }
}
