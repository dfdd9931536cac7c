//! How often each API account calls, over both nodes: the vendor's limits, and the most that was ever seen.
//!
//! # Source
//! The limits and the two headers are documented; the answer beyond them (429 with `Retry-After`) is the simulator's choice.

use std::collections::{BTreeMap, VecDeque};

use hyper::header::{HeaderMap, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

const SECOND: SignedDuration = SignedDuration::from_secs(1);
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// What an account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub per_second: usize,
    pub per_hour: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { per_second: 20, per_hour: 15_000 }
    }
}

/// What an account has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Busiest {
    pub calls: u64,
    /// The most calls in any second and any hour of run time.
    pub in_a_second: usize,
    pub in_an_hour: usize,
    /// Calls answered with 429.
    pub refused: u64,
}

/// The calls of each account.
#[derive(Default)]
pub struct Rates(BTreeMap<String, Rate>);

#[derive(Default)]
struct Rate {
    calls: VecDeque<Timestamp>,
    busiest: Busiest,
}

impl Rates {
    /// Counts a call; after how long to try again if it is one too many.
    pub fn count(&mut self, account: &str, limits: Limits, now: Timestamp) -> Result<(), SignedDuration> {
        let rate = self.0.entry(account.to_owned()).or_default();
        while rate.calls.front().is_some_and(|at| now.duration_since(*at) >= HOUR) {
            rate.calls.pop_front();
        }
        let second = rate.calls.iter().rev().take_while(|at| now.duration_since(**at) < SECOND).count();
        rate.busiest.calls += 1;
        if second >= limits.per_second || rate.calls.len() >= limits.per_hour {
            rate.busiest.refused += 1;
            let oldest = rate.calls.front().map_or(HOUR, |at| HOUR - now.duration_since(*at));
            return Err(if rate.calls.len() >= limits.per_hour { oldest } else { SECOND });
        }
        rate.calls.push_back(now);
        let (second, hour) = (second + 1, rate.calls.len());
        let Busiest { in_a_second, in_an_hour, .. } = &mut rate.busiest;
        (*in_a_second, *in_an_hour) = (second.max(*in_a_second), hour.max(*in_an_hour));
        Ok(())
    }

    /// What the account is told with each answer.
    pub fn tell(&self, account: &str, limits: Limits, headers: &mut HeaderMap) {
        let used = self.0.get(account).map_or(0, |rate| rate.calls.len());
        headers.insert("x-ratelimit-limit", number(limits.per_hour));
        headers.insert("x-ratelimit-remaining", number(limits.per_hour.saturating_sub(used)));
    }

    pub fn all(&self) -> BTreeMap<String, Busiest> {
        self.0.iter().map(|(account, rate)| (account.clone(), rate.busiest)).collect()
    }
}

fn number(number: usize) -> HeaderValue {
    HeaderValue::from(u64::try_from(number).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_call_too_many_is_refused_and_told_when_to_come_again() {
        let (mut rates, limits) = (Rates::default(), Limits { per_second: 2, per_hour: 3 });
        let at = |second: i64| Timestamp::from_second(1_790_000_000 + second).unwrap();
        for (second, again) in [(0, None), (0, None), (0, Some(1)), (1, None), (2, Some(3598)), (3600, None), (3600, None)] {
            let counted = rates.count("x", limits, at(second));
            assert_eq!(counted.err().map(|again| again.as_secs()), again, "{second}");
        }
        assert_eq!(rates.count("y", limits, at(0)), Ok(()), "each account for itself");
        assert_eq!(rates.all()["x"], Busiest { calls: 7, in_a_second: 2, in_an_hour: 3, refused: 2 });
    }
}
