//! Run time that goes faster up to a moment of the machine's clock, and is the machine's from there on.

use std::time::{Duration, SystemTime};

use changeover::drivers::clock::{ScaledClock, SystemClock};
use changeover::ports::Clock;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jiff::Timestamp;

/// Ten minutes a second: all that comes before the swap takes two hours of run time or three.
pub const SPEED: u32 = 600;
/// Machine time that all before the swap is given. What is left of it is run time too, in which nothing happens.
const LEAD: Duration = Duration::from_secs(45);

/// Both clocks show `meets` at the same moment.
#[derive(Clone, Copy)]
pub struct MeetingClock {
    pub meets: Timestamp,
    fast: ScaledClock,
}

impl MeetingClock {
    pub fn new() -> Self {
        let meets = Timestamp::try_from(SystemTime::now() + LEAD).expect("a time");
        Self { meets, fast: ScaledClock::new(meets, f64::from(SPEED)).expect("a speed") }
    }

    /// True while run time still goes faster.
    pub fn is_fast(&self) -> bool {
        Timestamp::now() < self.meets
    }
}

impl Clock for MeetingClock {
    fn now(&self) -> Timestamp {
        if self.is_fast() { self.fast.now() } else { SystemClock.now() }
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        async move {
            self.fast.sleep_until(at.min(self.meets)).await;
            SystemClock.sleep_until(at).await;
        }
        .boxed()
    }
}
