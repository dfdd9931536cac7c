//! Run time: the machine's clock, or a faster one for the demo and tests. Both wait on tokio's timer.

use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::ports::Clock;

/// One sleep is at most this long, so that a step of the machine's clock (NTP, a machine that was suspended) is noticed. A
/// thousand waiting runs then wake 17 times a second together.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// tokio's timer counts in milliseconds; a shorter sleep would be a busy loop.
const SHORTEST_SLEEP: Duration = Duration::from_millis(1);

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        in_millis(Timestamp::now())
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        sleep_on(move || machine_time_until(at, self.now(), 1.0)).boxed()
    }
}

/// A faster clock: run time = origin + speed × (machine time − origin). It needs no state, so all processes that were given the
/// same two values agree, and so does each one after a restart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScaledClock {
    origin: Timestamp,
    speed: f64,
}

/// The speed is no use.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("a clock's speed was expected between {least} and {most}, found {found}", least = ScaledClock::SLOWEST, most = ScaledClock::FASTEST)]
pub struct BadSpeed {
    found: f64,
}

impl ScaledClock {
    pub const SLOWEST: f64 = 0.001;
    /// Eleven and a half days in a second.
    pub const FASTEST: f64 = 1_000_000.0;

    /// # Errors
    /// [`BadSpeed`] outside [`Self::SLOWEST`] and [`Self::FASTEST`].
    pub fn new(origin: Timestamp, speed: f64) -> Result<Self, BadSpeed> {
        if (Self::SLOWEST..=Self::FASTEST).contains(&speed) { Ok(Self { origin, speed }) } else { Err(BadSpeed { found: speed }) }
    }

    /// Run time at a moment of the machine's clock; stops at the end of what a timestamp holds.
    pub fn at(&self, machine: Timestamp) -> Timestamp {
        let passed = machine.duration_since(self.origin).as_secs_f64() * self.speed;
        let scaled = SignedDuration::try_from_secs_f64(passed).ok().and_then(|passed| self.origin.checked_add(passed).ok());
        scaled.unwrap_or(if passed < 0.0 { Timestamp::MIN } else { Timestamp::MAX })
    }
}

impl Clock for ScaledClock {
    fn now(&self) -> Timestamp {
        in_millis(self.at(Timestamp::now()))
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        sleep_on(move || machine_time_until(at, self.now(), self.speed)).boxed()
    }
}

/// To the millisecond, as tokio's timer counts: people read these times in records and reports.
fn in_millis(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// Sleeps for as long as `remaining` says, asking again after each piece; no longer than it said first, since a clock that is set
/// back meanwhile would make a minute an hour.
async fn sleep_on(remaining: impl Fn() -> Option<Duration>) {
    let Some(first) = remaining() else { return };
    let (mut next, began) = (Some(first), Instant::now());
    while let Some(left) = next {
        tokio::time::sleep(left.clamp(SHORTEST_SLEEP, LONGEST_SLEEP)).await;
        let bound = first.checked_sub(began.elapsed()).filter(|bound| !bound.is_zero());
        next = remaining().zip(bound).map(|(left, bound)| left.min(bound));
    }
}

/// `None` once `at` has been reached.
fn machine_time_until(at: Timestamp, now: Timestamp, speed: f64) -> Option<Duration> {
    let remaining = at.duration_since(now).as_secs_f64() / speed;
    (at > now).then(|| Duration::try_from_secs_f64(remaining).unwrap_or(Duration::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn run_time_is_a_function_of_machine_time_alone() {
        let clock = ScaledClock::new(at(1_000_000), 3600.0).unwrap();
        for (machine, run) in [(1_000_000, 1_000_000), (1_000_002, 1_007_200), (999_999, 996_400)] {
            assert_eq!(clock.at(at(machine)), at(run), "{machine}");
        }
        let fast = ScaledClock::new(Timestamp::MIN, ScaledClock::FASTEST).unwrap();
        assert_eq!(fast.at(Timestamp::MAX), Timestamp::MAX);
        assert_eq!(ScaledClock::new(Timestamp::MAX, ScaledClock::FASTEST).unwrap().at(at(0)), Timestamp::MIN);
    }

    #[test]
    fn a_useless_speed_is_refused() {
        for speed in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e9] {
            assert!(ScaledClock::new(at(0), speed).is_err(), "{speed}");
        }
    }

    #[test]
    fn what_remains_is_machine_time() {
        assert_eq!(machine_time_until(at(3600), at(0), 3600.0), Some(Duration::from_secs(1)));
        assert_eq!(machine_time_until(at(5), at(5), 1.0), None);
        assert_eq!(machine_time_until(at(4), at(5), 1.0), None);
        assert!(machine_time_until(Timestamp::MAX, Timestamp::MIN, 0.001).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_steps_is_noticed_within_one_piece() {
        use std::sync::atomic::{AtomicU32, Ordering};
        let asked = AtomicU32::new(0);
        let began = Instant::now();
        // Ten years remain; when asked for the third time, the clock has stepped over them.
        sleep_on(|| (asked.fetch_add(1, Ordering::Relaxed) < 2).then_some(Duration::from_secs(315_360_000))).await;
        assert_eq!(began.elapsed(), 2 * LONGEST_SLEEP);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_back_makes_no_sleep_longer() {
        use std::sync::atomic::{AtomicU32, Ordering};
        let asked = AtomicU32::new(0);
        let began = Instant::now();
        // A minute and a half remain; after the first piece the clock is set back an hour, and stands still.
        let remaining = || match asked.fetch_add(1, Ordering::Relaxed) {
            0 => Some(Duration::from_secs(90)),
            _ => Some(Duration::from_secs(3630)),
        };
        sleep_on(remaining).await;
        assert_eq!(began.elapsed(), Duration::from_secs(90));
    }

    #[tokio::test]
    async fn a_fast_clock_wakes_at_its_time() {
        let clock = ScaledClock::new(Timestamp::now(), 100_000.0).unwrap();
        let until = clock.now() + SignedDuration::from_hours(1);
        clock.sleep_until(until).await;
        assert!(clock.now() >= until);
        clock.sleep_until(at(0)).await;
    }
}
