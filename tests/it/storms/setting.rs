//! What a night begins with: hands or interface, limits of the policy, windows.

use changeover::domain::site::Policy;
use changeover::simulator::inprocess::InProcessOptions;
use jiff::{SignedDuration, Timestamp};

use crate::stage::Setting;

/// Which hands act, and what else is drawn once.
pub struct Character {
    /// Somebody at the vendor's console does what nobody asked for.
    pub rough: bool,
    /// Things that happen to the night.
    pub events: u32,
}

pub fn character(random: &mut fastrand::Rng) -> Character {
    Character { rough: random.u8(..3) == 0, events: random.u32(2..12) }
}

pub fn setting(random: &mut fastrand::Rng, start: Timestamp) -> Setting {
    let cache_time = SignedDuration::from_secs(pick(random, &[0, 10, 60]));
    let by_operator = random.u8(..3) == 0;
    let options = InProcessOptions { by_operator, remembers: random.bool(), cache_time, ..InProcessOptions::default() };
    let policy = Policy {
        min_soak: SignedDuration::from_mins(pick(random, &[60, 60, 60, 120, 120, 240, 240, 24 * 60])),
        max_sync_age: SignedDuration::from_mins(pick(random, &[10, 10, 25])),
        max_backup_age: SignedDuration::from_hours(pick(random, &[6, 24])),
        max_unprotected: SignedDuration::from_hours(pick(random, &[4, 14 * 24])),
        ..Policy::default()
    };
    let (first, second) = windows(random, start, policy.min_soak);
    Setting { options, policy, first, second, seed: random.u64(..), ..Setting::default() }
}

/// Two windows, short or long, soon or days apart. What is too short for the plan is refused at the start, and booked generously.
fn windows(random: &mut fastrand::Rng, start: Timestamp, soak: SignedDuration) -> (String, String) {
    let from = start + SignedDuration::from_mins(pick(random, &[0, 0, 0, 30]));
    let first = pick(random, &[100, 130, 240, 600]);
    let second_from =
        from + SignedDuration::from_mins(90) + soak + SignedDuration::from_mins(pick(random, &[0, 0, 0, 60, 60, 120, 120, 1440]));
    let second = pick(random, &[120, 180, 480]);
    (format!("{from} +{first}m"), format!("{second_from} +{second}m"))
}

/// Windows in which everything has room.
pub fn generous(setting: &Setting, start: Timestamp) -> Setting {
    let second = start + SignedDuration::from_hours(24) + setting.policy.min_soak;
    Setting { first: format!("{start} +22h"), second: format!("{second} +22h"), ..setting.clone() }
}

pub fn pick<T: Copy>(random: &mut fastrand::Rng, from: &[T]) -> T {
    from[random.usize(..from.len())]
}

/// Seconds between the two, short ones more often: a night has many moments in which a second counts.
pub fn span(random: &mut fastrand::Rng, least: f64, most: f64) -> SignedDuration {
    let exponent = random.f64();
    SignedDuration::from_millis((least * (most / least).powf(exponent) * 1000.0) as i64)
}
