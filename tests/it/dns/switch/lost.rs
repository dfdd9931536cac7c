//! What is lost on its way, and servers that are behind, away or changed by somebody else meanwhile.

use std::net::SocketAddr;

use changeover::domain::ids::NodeId::{A, B};
use changeover::drivers::traffic::rfc2136::Settings;
use changeover::ports::TrafficReader as _;
use changeover::simulator::zone::{Zone, ZoneOptions};

use crate::dns::lab::{Lab, OTHER, RECORD, TTL, access, driver, expect, found, four, ip, set_ttl, settled, switch, zone_options};
use crate::dns::proxy::{Proxy, Spoil};
use crate::name_servers::free_port;

all! {
    answer_spoiled_after_the_effect
    lost_before_the_effect
    request_never_arrived
    primary_down
}

async fn answer_spoiled_after_the_effect(lab: Lab) {
    for spoil in [Spoil::Lost, Spoil::Unsigned, Spoil::Forged, Spoil::Garbage] {
        lab.set(RECORD, &[four().a], TTL);
        let proxy = Proxy::start(lab.primary(), lab.primary(), spoil).await;
        let mut settings = lab.settings();
        settings.primary = proxy.address;
        let driver = driver(settings);
        expect(&switch(&driver, A, B).await, "ambiguous", &["it may have been applied"]);
        settled(&driver, B).await;
        expect(&switch(&driver, A, B).await, "accepted", &[]);
        assert_eq!(lab.holds(RECORD, false).0, [four().b], "{spoil:?}");
    }
}

/// The request is lost on its way: nobody can tell that from a lost answer, until the servers are read; then it is ordered again.
async fn lost_before_the_effect(lab: Lab) {
    let proxy = Proxy::start(lab.primary(), lab.primary(), Spoil::Swallowed).await;
    let mut settings = lab.settings();
    settings.primary = proxy.address;
    let driver = driver(settings);
    expect(&switch(&driver, A, B).await, "ambiguous", &["it may have been applied"]);
    expect(&set_ttl(&driver, &[(RECORD, 5)]).await, "ambiguous", &["it may have been applied"]);
    let (kind, text) = access(&driver).await;
    assert!(kind == "unknown" && text.contains("broke off"), "{kind}: {text}");
    settled(&driver, A).await;
    assert_eq!(lab.holds(RECORD, false), (vec![four().a], Some(TTL)));
    expect(&switch(&lab.driver(), A, B).await, "accepted", &[]);
    settled(&driver, B).await;
}

async fn request_never_arrived(lab: Lab) {
    let proxy = Proxy::start(lab.primary(), lab.primary(), Spoil::Closed).await;
    let mut settings = lab.settings();
    settings.primary = proxy.address;
    let driver = driver(settings);
    expect(&switch(&driver, A, B).await, "transient", &["nothing was sent"]);
    settled(&driver, A).await;
}

async fn primary_down(lab: Lab) {
    let mut settings = lab.settings();
    settings.primary.set_port(1);
    let driver = driver(settings);
    let (answer, found) = tokio::join!(switch(&driver, A, B), found(&driver));
    expect(&answer, "transient", &["could not be read", "no answer"]);
    assert_eq!(found[0], (None, "192.0.2.10, but the primary's serial is not known".to_owned()));
}

/// A secondary that has the right value by an older serial does not prove anything yet; nor does one that is gone.
#[tokio::test(flavor = "multi_thread")]
async fn bind_secondary_behind_or_down() {
    let mut lab = Lab::bind(false);
    lab.set(OTHER, &[four().b], TTL);
    let behind = lab.driver();
    let serial = lab.serial();
    assert_eq!(found(&behind).await[1], (None, format!("192.0.2.10, serial 100 behind {serial}")));
    expect(&switch(&behind, A, B).await, "accepted", &[]);
    let serial = lab.serial();
    let expected = [(Some(B), "192.0.2.20".to_owned()), (None, format!("192.0.2.10, serial 100 behind {serial}"))];
    assert_eq!(found(&behind).await, expected);
    let Lab::Bind(pair) = &mut lab else { unreachable!("this lab is BIND's") };
    pair.stop_secondary();
    let (target, text) = found(&behind).await.remove(1);
    assert!(target.is_none() && text.starts_with("no answer"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn our_secondary_behind() {
    let lab = Lab::ours().await;
    let mut settings = lab.settings();
    settings.servers = vec![lab.primary(), lab.secondary()];
    let driver = driver(settings);
    assert_eq!(found(&driver).await[1], (None, "192.0.2.10, serial 100 behind 102".to_owned()));
    expect(&switch(&driver, A, B).await, "accepted", &[]);
    let expected = [(Some(B), "192.0.2.20".to_owned()), (None, "192.0.2.10, serial 100 behind 103".to_owned())];
    assert_eq!(found(&driver).await, expected);
}

/// The driver reads an old state and the server refuses by the prerequisite: what happens when somebody is quicker.
#[tokio::test(flavor = "multi_thread")]
async fn somebody_was_quicker() {
    for lab in [Lab::ours().await, Lab::bind(false)] {
        lab.set(RECORD, &[ip("192.0.2.99")], TTL);
        let proxy = Proxy::start(lab.secondary(), lab.primary(), Spoil::Not).await;
        let mut settings = lab.settings();
        settings.primary = proxy.address;
        let driver = driver(settings);
        expect(&switch(&driver, A, B).await, "refused", &["was expected to hold only 192.0.2.10", "nothing was changed"]);
        assert_eq!(lab.holds(RECORD, false).0, [ip("192.0.2.99")]);
        let (kind, text) = access(&driver).await;
        assert!(kind == "unknown" && text.contains("by somebody else"), "{kind}: {text}");
    }
}

/// A server that was away is read again as soon as it is back.
#[tokio::test(flavor = "multi_thread")]
async fn server_returns() {
    let listen = SocketAddr::new(ip("127.0.1.53"), free_port().port());
    let zone = Zone::start(ZoneOptions { listen, ..zone_options(1) }).await.unwrap();
    let lab = Lab::ours().await;
    let driver = driver(Settings { primary: listen, servers: vec![listen], ..lab.settings() });
    settled(&driver, A).await;
    zone.shutdown().await;
    let (target, text) = found(&driver).await.remove(0);
    assert!(target.is_none() && text.starts_with("no answer"), "{text}");
    let _zone = Zone::start(ZoneOptions { listen, ..zone_options(2) }).await.unwrap();
    settled(&driver, A).await;
}

/// The answer is lost and the server is cut off right after: what it took is on its disk, and read when it is back.
#[tokio::test(flavor = "multi_thread")]
async fn bind_restarts() {
    let mut lab = Lab::bind(true);
    let proxy = Proxy::start(lab.primary(), lab.primary(), Spoil::Lost).await;
    let driver = driver(Settings { primary: proxy.address, ..lab.settings() });
    expect(&switch(&driver, A, B).await, "ambiguous", &["it may have been applied"]);
    let Lab::Bind(pair) = &mut lab else { unreachable!("this lab is BIND's") };
    pair.stop_primary();
    let plain = crate::dns::lab::driver(lab.settings());
    expect(&switch(&plain, A, B).await, "transient", &["was not sent an update", "no answer"]);
    assert_eq!(plain.look().await.unwrap().target(), None);
    let Lab::Bind(pair) = &mut lab else { unreachable!("this lab is BIND's") };
    pair.start_primary();
    settled(&plain, B).await;
    assert_eq!(lab.holds(RECORD, false), (vec![four().b], Some(TTL)));
    expect(&switch(&plain, B, A).await, "accepted", &[]);
    settled(&plain, A).await;
}
