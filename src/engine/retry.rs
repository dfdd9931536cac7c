//! Waits between tries: the one module on crate `backoff`, used as a generator of intervals and nothing more.
//!
//! backoff 0.4 by itself gives up after 15 minutes of wall time, jitters at random and forgets everything at a restart. So no
//! elapsed limit and no randomness of its own is used; the attempt's number comes from outside, where it is recorded, and the
//! jitter from a seed: the same attempt waits equally long before and after a restart.

use std::time::{Duration, Instant};

use backoff::Clock as _;
use backoff::backoff::Backoff as _;
use backoff::exponential::ExponentialBackoff;
use jiff::SignedDuration;

/// Up to this part of a wait is added, so that sites which failed together do not come back together.
const JITTER: f64 = 0.1;

/// After so many steps even the smallest useful factor has reached any cap.
const MOST_STEPS: u32 = 1000;

/// Growing waits: `first`, then `factor` times as long each time, at most `cap`; all plus up to a tenth of jitter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    first: Duration,
    factor: f64,
    cap: Duration,
    seed: u64,
}

/// tokio's clock, so that paused time stands still here too.
struct TokioClock;

impl backoff::Clock for TokioClock {
    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

impl Schedule {
    /// Negative durations count as zero, a factor below 1 (or none) as 1.
    pub fn new(first: SignedDuration, factor: f64, cap: SignedDuration, seed: u64) -> Self {
        let positive = |duration: SignedDuration| Duration::try_from(duration).unwrap_or(Duration::ZERO);
        let factor = if factor.is_finite() { factor.max(1.0) } else { 1.0 };
        Self { first: positive(first).min(positive(cap)), factor, cap: positive(cap), seed }
    }

    /// How long to wait after `attempt` (from 1) has failed. The same arguments always give the same wait.
    pub fn wait(&self, attempt: u32) -> SignedDuration {
        let mut intervals = self.intervals();
        let mut wait = self.first;
        for _ in 0..attempt.clamp(1, MOST_STEPS) {
            wait = intervals.next_backoff().unwrap_or(self.cap);
        }
        let jitter = fastrand::Rng::with_seed(self.seed ^ u64::from(attempt)).f64() * JITTER;
        SignedDuration::try_from(wait.mul_f64(1.0 + jitter)).unwrap_or(SignedDuration::MAX)
    }

    fn intervals(&self) -> ExponentialBackoff<TokioClock> {
        ExponentialBackoff {
            current_interval: self.first,
            initial_interval: self.first,
            randomization_factor: 0.0,
            multiplier: self.factor,
            max_interval: self.cap,
            start_time: TokioClock.now(),
            max_elapsed_time: None,
            clock: TokioClock,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(seconds: i64) -> SignedDuration {
        SignedDuration::from_secs(seconds)
    }

    #[test]
    fn waits_grow_to_the_cap_and_repeat_exactly() {
        let schedule = Schedule::new(secs(2), 2.0, secs(60), 7);
        for (attempt, least) in [(1, 2), (2, 4), (3, 8), (5, 32), (6, 60), (7, 60), (u32::MAX, 60)] {
            let wait = schedule.wait(attempt);
            assert!(wait >= secs(least) && wait <= secs(least) * 11 / 10, "attempt {attempt}: {wait:?}");
            assert_eq!(schedule.wait(attempt), wait);
        }
        assert_ne!(schedule.wait(1), Schedule::new(secs(2), 2.0, secs(60), 8).wait(1), "another seed, another jitter");
    }

    #[test]
    fn nonsense_gives_harmless_waits() {
        for (first, factor, cap) in
            [(-5, 2.0, 10), (5, f64::NAN, 10), (5, 0.0, 10), (50, 2.0, 10), (0, 2.0, 0), (1, 1e300, i64::MAX)]
        {
            let schedule = Schedule::new(secs(first), factor, secs(cap), 1);
            for attempt in [0, 1, 2, 100] {
                let wait = schedule.wait(attempt);
                assert!(wait >= secs(0) && wait <= secs(cap).saturating_mul(2), "{first} {factor} {cap}: {wait:?}");
            }
        }
    }
}
