//! What recursive resolvers still say after a switch, and whether their caches explain it.
//!
//! A resolver that asked before the switch may remember the old answer, and say how long it still will. That is explained as long
//! as the time it states is what the record's TTL leaves since the last authoritative server moved, or what a longer TTL leaves that
//! was lowered before. A longer one is not: that resolver keeps answers longer than it is told, and the clients behind it are led
//! to the node left until it forgets.

use jiff::Timestamp;

use super::ids::NodeId;
use super::site::{ResolverAnswer, TrafficLook};
use super::world::TrafficReading;

/// The resolvers that do not lead to the node yet, as sentences.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// Their caches explain what they say.
    pub explained: Vec<String>,
    /// Nothing explains what they say, or they say nothing.
    pub unexplained: Vec<String>,
}

/// What a record of a switch says of a resolver that nothing explains.
const UNEXPLAINED: &str = "which the record's TTL does not explain";

/// Whether what was recorded of a switch names a resolver that nothing explains.
pub fn names_unexplained(found: &str) -> bool {
    found.contains(UNEXPLAINED)
}

/// Which resolvers lag behind a switch to `to`. `clear`: when a TTL that was lowered has run out in every cache.
pub fn lag(traffic: &TrafficReading, to: NodeId, clear: Option<Timestamp>) -> Lag {
    let mut lag = Lag::default();
    for look in traffic.looks.iter().flatten() {
        let moved = traffic.target_since().unwrap_or(look.at);
        for answer in look.resolvers.iter().filter(|answer| answer.target != Some(to)) {
            let text = sentence(answer);
            if answer.target == Some(to.other()) && is_explained(answer, look, moved, clear) {
                lag.explained.push(text);
            } else {
                lag.unexplained.push(format!("{text}, {UNEXPLAINED}"));
            }
        }
    }
    lag
}

fn sentence(answer: &ResolverAnswer) -> String {
    let left = answer.ttl_left.map(|left| format!(" for {left} s more")).unwrap_or_default();
    format!("resolver {} still says {}{left}", answer.server, answer.found)
}

/// It remembers for no longer than whoever asked at the last moment would.
fn is_explained(answer: &ResolverAnswer, look: &TrafficLook, moved: Timestamp, clear: Option<Timestamp>) -> bool {
    let of_name = look.answers.iter().filter(|known| known.name == answer.name);
    let ttl = of_name.filter_map(|known| known.ttl).max();
    let (Some(left), Some(ttl)) = (answer.ttl_left, ttl) else { return false };
    let passed = look.at.duration_since(moved).as_secs().max(0);
    let old = clear.map_or(0, |clear| clear.duration_since(look.at).as_secs());
    i64::from(left) <= (i64::from(ttl) - passed).max(old).max(0) + SLACK_SECS
}

/// TTLs are whole seconds, and a resolver counts from when it got the answer.
const SLACK_SECS: i64 = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::site::TrafficAnswer;

    const NAME: &str = "support.example.com";

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + secs).unwrap()
    }

    /// All authorities at `b` since second 0, read again at `now`, where one resolver says this.
    fn seen(now: i64, target: Option<NodeId>, ttl_left: Option<u32>) -> TrafficReading {
        let authority = |ttl| TrafficAnswer {
            server: "192.0.2.53:53".into(),
            name: NAME.into(),
            target: Some(NodeId::B),
            ttl: Some(ttl),
            found: "192.0.2.20".into(),
            untold: false,
        };
        let resolver = ResolverAnswer {
            server: "192.0.2.1:53".into(),
            name: NAME.into(),
            target,
            ttl_left,
            found: if target == Some(NodeId::B) { "192.0.2.20".into() } else { "192.0.2.10".into() },
        };
        let look = |secs| TrafficLook {
            resolvers: vec![resolver.clone()],
            ..TrafficLook::new(at(secs), vec![authority(60), authority(30)])
        };
        let mut traffic = TrafficReading::default();
        traffic.take(vec![Ok(look(0))]);
        traffic.take(vec![Ok(look(now))]);
        traffic
    }

    #[test]
    fn a_cache_explains_what_the_ttl_leaves_since_the_last_server_moved_and_no_more() {
        let (a, b) = (Some(NodeId::A), Some(NodeId::B));
        // Seconds since the move, what the resolver says, its time left, explained: (none lags), Some(true), Some(false).
        let cases = [
            (0, b, Some(60), None),
            (0, a, Some(60), Some(true)),
            (0, a, Some(62), Some(true)),
            (0, a, Some(63), Some(false)),
            (20, a, Some(40), Some(true)),
            (20, a, Some(42), Some(true)),
            (20, a, Some(43), Some(false)),
            (60, a, Some(0), Some(true)),
            (61, a, Some(2), Some(true)),
            (61, a, Some(3), Some(false)),
            (4000, a, Some(3), Some(false)),
            (-5, a, Some(62), Some(true)),
            (0, a, Some(u32::MAX), Some(false)),
            (0, a, None, Some(false)),
            (0, None, Some(1), Some(false)),
            (0, None, None, Some(false)),
        ];
        for (now, target, left, explained) in cases {
            let lag = lag(&seen(now, target, left), NodeId::B, None);
            let expected = (usize::from(explained == Some(true)), usize::from(explained == Some(false)));
            assert_eq!((lag.explained.len(), lag.unexplained.len()), expected, "{now} s, {target:?}, {left:?}: {lag:?}");
            assert!(lag.unexplained.iter().all(|text| names_unexplained(text) && text.contains("192.0.2.1:53")));
            assert!(lag.explained.iter().all(|text| !names_unexplained(text)));
        }
    }

    #[test]
    fn a_resolver_needs_the_ttl_of_its_own_name() {
        let mut traffic = seen(0, Some(NodeId::A), Some(10));
        let Some(Ok(look)) = traffic.looks.first_mut() else { panic!() };
        look.resolvers[0].name = "www.example.com".into();
        assert_eq!(lag(&traffic, NodeId::B, None).unexplained.len(), 1);
    }

    /// R7: a person's order does not wait until a TTL that was lowered has run out; caches may say it then.
    #[test]
    fn a_ttl_that_was_lowered_explains_until_it_has_run_out() {
        for (left, explained) in [(0, true), (1002, true), (1003, false)] {
            let lag = lag(&seen(20, Some(NodeId::A), Some(left)), NodeId::B, Some(at(1020)));
            assert_eq!(lag.explained.len(), usize::from(explained), "{left}: {lag:?}");
        }
        assert_eq!(lag(&seen(20, Some(NodeId::A), Some(43)), NodeId::B, Some(at(-5))).unexplained.len(), 1);
    }
}
