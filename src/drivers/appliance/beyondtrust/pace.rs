//! Keeps an account's calls below the box's limit.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// The box takes 20 calls a second from an account; half of that leaves room for other tools on the same account.
const STEP: Duration = Duration::from_millis(100);
/// So many calls may follow each other at once: more than the three of a reading, so only extractions are ever slowed.
const BURST: u32 = 8;

/// Gives turns to callers.
#[derive(Default)]
pub struct Pace {
    /// When the calls made so far would have been due, one a [`STEP`].
    due: Mutex<Option<Instant>>,
}

impl Pace {
    /// Returns when the caller may send.
    pub async fn turn(&self) {
        let mut due = self.due.lock().await;
        let now = Instant::now();
        let next = due.map_or(now, |due| due.max(now)) + STEP;
        *due = Some(next);
        drop(due);
        if next > now + STEP * BURST {
            sleep_until(next - STEP * BURST).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_calls_stay_below_the_boxs_limit_and_few_do_not_wait() {
        let (pace, start) = (Pace::default(), Instant::now());
        for _ in 0..BURST {
            pace.turn().await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        for _ in 0..100 {
            pace.turn().await;
        }
        assert!(start.elapsed() >= STEP * 100, "{:?}", start.elapsed());
        tokio::time::advance(Duration::from_secs(60)).await;
        let later = Instant::now();
        pace.turn().await;
        assert_eq!(later.elapsed(), Duration::ZERO);
    }
}
