//! What is read beside the listed servers: servers found by NS, recursive resolvers with caches, negative answers' time.

use changeover::domain::ids::NodeId::{A, B};
use changeover::domain::resolvers::{Lag, lag};
use changeover::domain::site::TrafficLook;
use changeover::domain::world::TrafficReading;
use changeover::drivers::traffic::manual::{self, Manual};
use changeover::drivers::traffic::rfc2136::{Rfc2136, Settings};
use changeover::ports::{Traffic, TrafficReader as _};
use changeover::simulator::zone::{Zone, ZoneHandle, ZoneOptions};

use crate::named::Resolver;

use super::lab::{
    Lab, RECORD, TTL, ZONE, addresses, both_families, clock, driver, expect, found, four, ip, settled, switch, zone_options,
};

/// Two servers of our zone at one port; both are named by NS records of the first. A port that is taken at the second address is
/// chosen anew.
async fn two_zones() -> (ZoneHandle, ZoneHandle) {
    loop {
        let second = ZoneOptions { listen: "127.0.2.53:0".parse().unwrap(), ..zone_options(1) };
        let second = Zone::start(second).await.unwrap();
        let listen = std::net::SocketAddr::new(ip("127.0.1.53"), second.address.port());
        let first = ZoneOptions { listen, secondaries: vec![ip("127.0.2.53")], ..zone_options(1) };
        if let Ok(first) = Zone::start(first).await {
            return (first, second);
        }
    }
}

/// BG-40: every authoritative server is found by the zone's NS records, and one that does not follow keeps the switch unproven.
#[tokio::test(flavor = "multi_thread")]
async fn servers_are_found_by_ns() {
    let (first, second) = two_zones().await;
    let settings = Settings { primary: first.address, servers: Vec::new(), ..Lab::ours().await.settings() };
    let driver = driver(settings);
    let look = settled(&driver, A).await;
    let asked: Vec<_> = look.answers.iter().map(|answer| answer.server.clone()).collect();
    assert_eq!(asked, [first.address.to_string(), second.address.to_string()]);
    expect(&switch(&driver, A, B).await, "accepted", &[]);
    assert_eq!(found(&driver).await[1], (None, "192.0.2.10, serial 1 behind 2".to_owned()));
    second.set(RECORD, four().b, TTL).unwrap();
    settled(&driver, B).await;
    first.shutdown().await;
    let answers = found(&driver).await;
    let [(None, why)] = answers.as_slice() else { panic!("{answers:?}") };
    assert!(why.contains("the servers of zone example.com") && why.contains("no answer"), "{why}");
}

/// The same with real servers, whose NS records name one address twice.
#[tokio::test(flavor = "multi_thread")]
async fn servers_of_real_zones_are_found_by_ns() {
    for lab in [Lab::bind(true), Lab::knot(), Lab::powerdns()] {
        let driver = driver(Settings { servers: Vec::new(), ..lab.settings() });
        let look = settled(&driver, A).await;
        assert_eq!(look.answers.iter().map(|answer| answer.server.clone()).collect::<Vec<_>>(), [lab.primary().to_string()]);
        // RFC 2308: the SOA has 60 s itself and says 30.
        assert_eq!(look.negative_ttl, Some(30));
    }
}

/// Reads once more, and what it says of the resolvers, all servers being at `b`.
async fn lagging(traffic: &mut TrafficReading, driver: &Rfc2136) -> (TrafficLook, Lag) {
    let look = driver.look().await.unwrap();
    traffic.take(vec![Ok(look.clone())]);
    (look, lag(traffic, B))
}

/// BG-40, R16: a cache that remembers the old address no longer than its TTL says is explained; one that overrides TTLs is not.
#[tokio::test(flavor = "multi_thread")]
async fn a_cache_is_explained_and_a_resolver_that_overrides_ttls_is_not() {
    for (ttl, shortest, explained) in [(60, 0, true), (2, 90, false)] {
        let lab = Lab::bind(true);
        lab.set(RECORD, &[four().a], ttl);
        let resolver = Resolver::start(ZONE, lab.primary(), shortest);
        let driver = driver(Settings { resolvers: vec![resolver.address], ..lab.settings() });
        let before = settled(&driver, A).await;
        let [told] = before.resolvers.as_slice() else { panic!("{before:?}") };
        assert_eq!((told.target, told.server.as_str()), (Some(A), resolver.address.to_string().as_str()), "{told:?}");
        let longest = ttl.max(shortest);
        assert!(told.ttl_left.is_some_and(|left| left <= longest && left + 10 >= longest), "{told:?}");
        expect(&switch(&driver, A, B).await, "accepted", &[]);
        settled(&driver, B).await;
        let (look, lag) = lagging(&mut TrafficReading::default(), &driver).await;
        assert_eq!((look.target(), look.resolvers[0].target), (Some(B), Some(A)), "{look:?}");
        let (yes, no) = (lag.explained.len(), lag.unexplained.len());
        assert_eq!((yes, no), if explained { (1, 0) } else { (0, 1) }, "{lag:?}");
        let named = [lag.explained, lag.unexplained].concat().remove(0);
        assert!(named.contains(&format!("resolver {} still says 192.0.2.10 for ", resolver.address)), "{named}");
    }
}

/// One that was not asked before has the new address at once; one that is gone, or knows no such name, is told.
#[tokio::test(flavor = "multi_thread")]
async fn resolvers_that_know_nothing_yet_or_are_silent() {
    let lab = Lab::bind(true);
    let resolver = Resolver::start(ZONE, lab.primary(), 0);
    expect(&switch(&lab.driver(), A, B).await, "accepted", &[]);
    let mut settings = lab.settings();
    settings.resolvers = vec![resolver.address, "127.0.0.1:1".parse().unwrap()];
    let mut traffic = TrafficReading::default();
    let (look, lag) = lagging(&mut traffic, &driver(settings.clone())).await;
    assert_eq!(look.resolvers[0].target, Some(B), "{look:?}");
    assert!(lag.unexplained[0].contains("resolver 127.0.0.1:1 still says no answer"), "{lag:?}");
    settings.resolvers.pop();
    settings.leads = both_families();
    let look = driver(settings).look().await.unwrap();
    let told: Vec<_> = look.resolvers.iter().map(|answer| (answer.target, answer.found.as_str())).collect();
    let expected = [(Some(B), "support.example.com A 192.0.2.20"), (Some(A), "support.example.com AAAA 2001:db8::10")];
    assert_eq!(told, expected);
}

/// `manual` reads resolvers as `rfc2136` does.
#[tokio::test(flavor = "multi_thread")]
async fn by_hand_too() {
    let lab = Lab::bind(true);
    let resolver = Resolver::start(ZONE, lab.primary(), 0);
    let settings = manual::Settings {
        site: "support".into(),
        records: vec![RECORD.into()],
        servers: lab.followers(),
        resolvers: vec![resolver.address],
        leads: addresses(four()),
    };
    let look = settled(&Manual::new(settings, clock()).unwrap() as &dyn Traffic, A).await;
    assert_eq!(look.resolvers[0].target, Some(A), "{look:?}");
}
