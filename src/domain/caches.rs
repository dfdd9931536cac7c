//! For how long caches would lead to the old node, by what the servers and resolvers told: if traffic were switched now, and after
//! its TTL was lowered.

use super::world::TrafficReading;

/// All in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caches {
    /// The longest TTL that is answered or left in a cache: so long after a switch of now somebody may be led to the old node.
    /// `None` where nothing tells a TTL.
    pub now: Option<u32>,
    /// For how long somebody who was told that there is no record may go on believing it.
    pub negative: Option<u32>,
    /// The lowered TTL; never more than what stands now.
    pub lowered: u32,
    /// So long one waits after lowering it before a switch: until what was remembered before has run out.
    pub wait: Option<u32>,
}

/// Reckons with a record that would be lowered to `ttl`.
pub fn of(traffic: &TrafficReading, ttl: u32) -> Caches {
    let looks = || traffic.looks.iter().flatten();
    let answered = looks().flat_map(|look| &look.answers).filter_map(|answer| answer.ttl);
    let left = looks().flat_map(|look| &look.resolvers).filter_map(|resolver| resolver.ttl_left);
    let now = answered.chain(left).max();
    let negative = looks().filter_map(|look| look.negative_ttl).max();
    // Who was told that there is no record asks for one that the switch does not add either.
    let denied = looks().filter(|look| look.adds_type == Some(true)).filter_map(|look| look.negative_ttl).max();
    Caches { now, negative, lowered: now.map_or(ttl, |now| now.min(ttl)), wait: now.into_iter().chain(denied).max() }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::site::{ResolverAnswer, TrafficAnswer, TrafficLook};

    #[test]
    fn the_longest_memory_counts() {
        // TTLs of the servers, what is left in a resolver, the negative TTL where the switch adds a type; now, lowered, wait
        let cases = [
            (vec![60, 3600], None, None, Some(3600), 30, Some(3600)),
            (vec![60], Some(86_400), Some(900), Some(86_400), 30, Some(86_400)),
            (vec![60], None, Some(900), Some(60), 30, Some(900)),
            (vec![5], None, None, Some(5), 5, Some(5)),
            (vec![], None, None, None, 30, None),
            (vec![], None, Some(300), None, 30, Some(300)),
        ];
        for (ttls, left, negative, now, lowered, wait) in cases {
            let answer = |ttl: &u32| TrafficAnswer {
                server: "ns".to_owned(),
                name: "support.example.com".to_owned(),
                target: None,
                ttl: Some(*ttl),
                found: String::new(),
                untold: false,
            };
            let resolver = |ttl| ResolverAnswer {
                server: "resolver".to_owned(),
                name: "support.example.com".to_owned(),
                target: None,
                ttl_left: Some(ttl),
                found: String::new(),
            };
            let look = TrafficLook {
                resolvers: left.map(resolver).into_iter().collect(),
                negative_ttl: negative,
                adds_type: Some(true),
                ..TrafficLook::new(Timestamp::UNIX_EPOCH, ttls.iter().map(answer).collect())
            };
            let mut traffic = TrafficReading::default();
            traffic.take(vec![Ok(look)]);
            assert_eq!(of(&traffic, 30), Caches { now, negative, lowered, wait }, "{ttls:?} {left:?} {negative:?}");
            // Where it adds none, nobody waits for what was denied.
            traffic.looks.iter_mut().flatten().for_each(|look| look.adds_type = Some(false));
            assert_eq!(of(&traffic, 30), Caches { now, negative, lowered, wait: now }, "{ttls:?} {left:?} {negative:?}");
        }
    }
}
