//! Keeps an account's calls below the box's limit.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// So many calls may follow each other at once: more than the three of a reading, so only extractions are ever slowed.
const BURST: u32 = 8;

/// Gives turns to callers.
pub struct Pace {
    step: Duration,
    /// When the calls made so far would have been due, one a step.
    due: Mutex<Option<Instant>>,
}

impl Pace {
    /// One call a `step` in the long run.
    pub fn new(step: Duration) -> Self {
        Self { step, due: Mutex::new(None) }
    }

    /// Returns when the caller may send.
    pub async fn turn(&self) {
        let mut due = self.due.lock().await;
        let now = Instant::now();
        let next = due.map_or(now, |due| due.max(now)) + self.step;
        *due = Some(next);
        drop(due);
        let ahead = self.step * BURST;
        if next > now + ahead {
            sleep_until(next - ahead).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_millis(100);

    #[tokio::test(start_paused = true)]
    async fn many_calls_stay_below_the_boxs_limit_and_few_do_not_wait() {
        let (pace, start) = (Pace::new(STEP), Instant::now());
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
