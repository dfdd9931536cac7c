//! The spans of time that an extraction asks for one after the other.
//!
//! Inner borders stand at fixed times, so that a later attempt asks for the same slices and can go on where one ended.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::domain::site::WIDEST_SKEW;

/// Slices overlap by this much, and reach this much beyond both ends: as much as two clocks may differ at most
/// (`policy.max_clock_skew`).
pub const OVERLAP: SignedDuration = WIDEST_SKEW;
/// One slice's length: few calls for the usual range of hours to days, and two days of a large site's records (some
/// thousand sessions of some 100 KB) stay below the bound on one report.
const SLICE: i64 = 48 * 3600;
/// For more slices than this each is made longer: bounds the number of calls (the box takes 15,000 an hour).
const MAX_SLICES: i64 = 400;

/// A time and a length in whole seconds, as the interface takes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Slice {
    /// UNIX seconds.
    pub start: i64,
    pub seconds: i64,
}

impl Slice {
    /// True if nothing can be added to the slice any more at `now`, which may be another clock's time.
    pub fn is_over(&self, now: Timestamp) -> bool {
        let end = self.start.saturating_add(self.seconds).saturating_add(OVERLAP.as_secs());
        end < now.as_second()
    }
}

/// Covers the range with overlapping slices. A range that ends before it begins is one short slice at its end.
pub fn slices(since: Timestamp, until: Timestamp) -> Vec<Slice> {
    let (overlap, end) = (OVERLAP.as_secs(), until.as_second().saturating_add(OVERLAP.as_secs()));
    let first = since.as_second().min(until.as_second()).saturating_sub(overlap).max(0);
    let length = length(end.saturating_sub(first));
    let mut slices = Vec::new();
    let mut start = first;
    while start < end {
        let border = (start - start % length).saturating_add(length);
        let seconds = border.saturating_add(overlap).min(end) - start;
        // Never 0 seconds: that would mean "up to now".
        slices.push(Slice { start, seconds: seconds.max(1) });
        start = border;
    }
    slices
}

/// Doubled until the range fits, so that the borders of a longer range are also those of a shorter one.
fn length(range: i64) -> i64 {
    let mut length = SLICE;
    while range / length >= MAX_SLICES {
        length = length.saturating_mul(2);
    }
    length
}

pub fn earlier(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    const DAY: i64 = 86_400;
    const BASE: i64 = 1_790_000_000;

    #[test]
    fn bg_50_slices_cover_the_range_and_overlap() {
        for length in [0, 1, 60, DAY - 1, DAY, DAY + 1, 10 * DAY, 400 * DAY, 20_000 * DAY] {
            let slices = slices(at(BASE - length), at(BASE));
            assert!(slices.len() as i64 <= MAX_SLICES + 2, "{length}: {}", slices.len());
            assert!(slices.iter().all(|slice| slice.seconds > 0), "{length}");
            assert!(slices[0].start <= BASE - length - OVERLAP.as_secs() || slices[0].start == 0, "{length}");
            let last = slices.last().unwrap();
            assert_eq!(last.start + last.seconds, BASE + OVERLAP.as_secs(), "{length}");
            for pair in slices.windows(2) {
                let end = pair[0].start + pair[0].seconds;
                assert!(end >= (pair[1].start + OVERLAP.as_secs()).min(BASE + OVERLAP.as_secs()), "{length}: {pair:?}");
            }
        }
        assert!(!slices(at(BASE), at(BASE - DAY)).is_empty());
        assert!(!slices(Timestamp::MIN, Timestamp::MAX).is_empty());
    }

    #[test]
    fn a_later_attempt_asks_for_the_same_slices_and_further_ones() {
        let (early, late) = (slices(at(BASE), at(BASE + 9 * DAY)), slices(at(BASE), at(BASE + 11 * DAY)));
        let whole: Vec<_> = early.iter().filter(|slice| slice.is_over(at(BASE + 9 * DAY))).collect();
        assert!(whole.len() >= 3, "{whole:?}");
        assert!(whole.iter().all(|slice| late.contains(slice)));
        assert!(!early.last().unwrap().is_over(at(BASE + 9 * DAY)), "the last one is asked for again");
    }
}
