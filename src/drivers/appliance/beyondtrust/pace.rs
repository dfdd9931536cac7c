//! Keeps an account's calls below the box's limit.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use crate::ports::Clock;

/// The box takes 20 calls a second from an account; half of that leaves room for other tools on the same account.
const STEP: SignedDuration = SignedDuration::from_millis(100);
/// So many calls may follow each other at once: more than the three of a reading, so only extractions are ever slowed.
const BURST: i32 = 8;

/// Gives turns to callers, in run time: a simulated box counts its calls by the same clock.
pub struct Pace {
    clock: Arc<dyn Clock>,
    /// When the calls made so far would have been due, one a [`STEP`].
    due: Mutex<Option<Timestamp>>,
}

impl Pace {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, due: Mutex::default() }
    }

    /// Returns when the caller may send.
    pub async fn turn(&self) {
        let mut due = self.due.lock().await;
        let now = self.clock.now();
        let next = due.map_or(now, |due| due.max(now)) + STEP;
        *due = Some(next);
        drop(due);
        if next > now + STEP * BURST {
            self.clock.sleep_until(next - STEP * BURST).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::future::BoxFuture;
    use tokio::time::Instant;

    use super::*;

    /// Follows tokio's clock, which the test pauses.
    struct Paused(Instant);

    impl Clock for Paused {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH + SignedDuration::try_from(self.0.elapsed()).unwrap()
        }

        fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
            let left = Duration::try_from(at.duration_since(self.now())).unwrap_or_default();
            Box::pin(tokio::time::sleep(left))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn many_calls_stay_below_the_boxs_limit_and_few_do_not_wait() {
        let start = Instant::now();
        let pace = Pace::new(Arc::new(Paused(start)));
        for _ in 0..BURST {
            pace.turn().await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        for _ in 0..100 {
            pace.turn().await;
        }
        assert!(start.elapsed() >= Duration::from_secs(10), "{:?}", start.elapsed());
        tokio::time::advance(Duration::from_secs(60)).await;
        let later = Instant::now();
        pace.turn().await;
        assert_eq!(later.elapsed(), Duration::ZERO);
    }
}
