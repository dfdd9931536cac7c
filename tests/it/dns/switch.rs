//! The cases of a switch, the same against our zone and against BIND.

use changeover::domain::ids::NodeId::{A, B};
use changeover::drivers::traffic::rfc2136::Settings;
use changeover::ports::{Recall, Traffic};
use changeover::simulator::zone::{Zone, ZoneOptions};

use crate::named::nsupdate;

use super::lab::{Lab, OTHER, RECORD, TTL, ZONE, driver, expect, found, four, intent, ip, settled, six, switch, zone_options};
use super::proxy::{Proxy, Spoil};

/// One test for each case and each server.
macro_rules! both {
    ($($case:ident)*) => {
        mod ours {
            $(#[tokio::test(flavor = "multi_thread")] async fn $case() { super::$case(super::Lab::ours().await).await; })*
        }
        mod bind {
            $(#[tokio::test(flavor = "multi_thread")] async fn $case() { super::$case(super::Lab::bind(true)).await; })*
        }
    };
}

both! {
    switch_and_back
    already_switched
    somebody_changed_it
    two_addresses
    wrong_keys
    outside_the_policy
    unsigned
    ttl_is_kept
    ipv6
    answer_spoiled_after_the_effect
    request_never_arrived
    primary_down
    access_proven_without_a_change
    missing_name
    no_authority
}

async fn switch_and_back(lab: Lab) {
    let driver = lab.driver();
    let before = lab.serial();
    settled(&driver, A).await;
    expect(&switch(&driver, A, B).await, "accepted", &[]);
    let look = settled(&driver, B).await;
    assert_eq!(look.answers.len(), lab.followers().len());
    assert!(look.answers.iter().all(|answer| answer.name == RECORD && answer.ttl == Some(TTL)), "{look:?}");
    assert_eq!((lab.holds(RECORD, false), lab.serial()), ((vec![four().b], Some(TTL)), before + 1));
    expect(&switch(&driver, B, A).await, "accepted", &[]);
    settled(&driver, A).await;
    assert_eq!(driver.recall(&intent()).await, Recall::MayBeSent);
}

async fn already_switched(lab: Lab) {
    let driver = lab.driver();
    expect(&switch(&driver, A, B).await, "accepted", &[]);
    let serial = lab.serial();
    expect(&switch(&driver, A, B).await, "accepted", &[]);
    assert_eq!(lab.serial(), serial, "the repeat changed the zone");
}

async fn somebody_changed_it(lab: Lab) {
    lab.set(RECORD, &[ip("192.0.2.99")], TTL);
    let driver = lab.driver();
    expect(&switch(&driver, A, B).await, "refused", &["192.0.2.10", "192.0.2.99", "nothing was changed"]);
    assert_eq!(lab.holds(RECORD, false).0, [ip("192.0.2.99")]);
    assert_eq!(found(&driver).await[0], (None, "192.0.2.99".to_owned()));
}

async fn two_addresses(lab: Lab) {
    lab.set(RECORD, &[four().a, four().b], TTL);
    let driver = lab.driver();
    assert_eq!(found(&driver).await[0], (None, "192.0.2.10 and 192.0.2.20".to_owned()));
    expect(&switch(&driver, A, B).await, "refused", &["192.0.2.10 and 192.0.2.20"]);
    assert_eq!(lab.holds(RECORD, false).0, [four().a, four().b]);
}

async fn wrong_keys(lab: Lab) {
    let other_secret = "b3RoZXItc2VjcmV0LW9mLTMyLW9jdGV0cy1vci1tb3JlLi4=";
    let cases =
        [("nobody", "", "hmac-sha256", "BADKEY"), ("", other_secret, "hmac-sha256", "BADSIG"), ("", "", "hmac-sha512", "BADKEY")];
    for (name, secret, algorithm, word) in cases {
        let mut settings = lab.settings();
        settings.tsig_algorithm = algorithm.into();
        if !name.is_empty() {
            settings.tsig_name = name.into();
        }
        if !secret.is_empty() {
            settings.tsig_secret = secret.to_owned().into();
        }
        let driver = driver(settings);
        expect(&switch(&driver, A, B).await, "refused", &[word, "check key name, secret, clock, ACL"]);
        let refusal = driver.prove_access().await.unwrap_err();
        assert!(refusal.contains(word), "{refusal}");
        assert_eq!(lab.holds(RECORD, false).0, [four().a]);
    }
}

async fn outside_the_policy(lab: Lab) {
    let mut settings = lab.settings();
    settings.record = OTHER.into();
    let driver = driver(settings);
    expect(&switch(&driver, A, B).await, "refused", &["REFUSED", "ACL"]);
    assert!(driver.prove_access().await.is_err());
    assert_eq!(lab.holds(OTHER, false).0, [four().a]);
}

/// The servers themselves want a signature; the driver can't leave it out.
async fn unsigned(lab: Lab) {
    let (address, port) = (lab.primary().ip(), lab.primary().port());
    let swap = "update delete support.example.com A\nupdate add support.example.com 60 A 192.0.2.20";
    let (ok, said) = nsupdate(&format!("server {address} {port}\nzone {ZONE}\n{swap}\nsend\n"), None);
    assert!(!ok && said.contains("REFUSED"), "{said}");
    assert_eq!(lab.holds(RECORD, false).0, [four().a]);
}

async fn ttl_is_kept(lab: Lab) {
    for (present, kept) in [(5, 5), (200_000, 200_000), (0, 60)] {
        lab.set(RECORD, &[four().a], present);
        expect(&switch(&lab.driver(), A, B).await, "accepted", &[]);
        assert_eq!(lab.holds(RECORD, false), (vec![four().b], Some(kept)), "TTL before: {present}");
    }
}

async fn ipv6(lab: Lab) {
    let mut settings = lab.settings();
    settings.addresses = six();
    let driver = driver(settings);
    expect(&switch(&driver, A, B).await, "accepted", &[]);
    settled(&driver, B).await;
    assert_eq!(lab.holds(RECORD, true).0, [six().b]);
    assert_eq!(lab.holds(RECORD, false).0, [four().a], "the other family was touched");
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

async fn access_proven_without_a_change(lab: Lab) {
    for ttl in [TTL, 0] {
        lab.set(RECORD, &[four().a], ttl);
        let serial = lab.serial();
        assert_eq!(lab.driver().prove_access().await, Ok(()));
        assert_eq!(lab.serial(), serial, "TTL {ttl}: the proof changed the zone");
    }
    lab.set(RECORD, &[ip("192.0.2.99")], TTL);
    assert!(lab.driver().prove_access().await.unwrap_err().contains("192.0.2.99"));
}

async fn missing_name(lab: Lab) {
    let mut settings = lab.settings();
    settings.record = "nothing.example.com".into();
    let driver = driver(settings);
    expect(&switch(&driver, A, B).await, "transient", &["no A record"]);
    let (target, text) = found(&driver).await.remove(0);
    assert!(target.is_none() && text.starts_with("no A record"), "{text}");
}

/// A server that says the right thing without authority (a cache, or a zone it lost) proves nothing.
async fn no_authority(lab: Lab) {
    let proxy = Proxy::start(lab.primary(), lab.primary(), Spoil::Authority).await;
    let mut settings = lab.settings();
    settings.servers.push(proxy.address);
    assert_eq!(found(&driver(settings)).await.pop(), Some((None, "192.0.2.10, not authoritative".to_owned())));
    let mut settings = lab.settings();
    settings.primary = proxy.address;
    expect(&switch(&driver(settings), A, B).await, "refused", &["has no authority over `support.example.com`"]);
}

/// An alias leads to the right address, but no update of ours could move it.
#[tokio::test(flavor = "multi_thread")]
async fn bind_alias() {
    let lab = Lab::bind(true);
    let Lab::Bind(pair) = &lab else { unreachable!("this lab is BIND's") };
    pair.change("update add alias.example.com 60 CNAME support.example.com");
    let mut settings = lab.settings();
    settings.record = "alias.example.com".into();
    let driver = driver(settings);
    assert_eq!(found(&driver).await[0], (None, "an alias of support.example.com.".to_owned()));
    expect(&switch(&driver, A, B).await, "transient", &["an alias of support.example.com"]);
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
        let refusal = driver.prove_access().await.unwrap_err();
        assert!(refusal.contains("by somebody else"), "{refusal}");
    }
}

/// A server that was away is read again as soon as it is back.
#[tokio::test(flavor = "multi_thread")]
async fn server_returns() {
    let zone = Zone::start(zone_options(1)).await.unwrap();
    let listen = zone.address;
    let lab = Lab::ours().await;
    let driver = driver(Settings { primary: listen, servers: vec![listen], ..lab.settings() });
    settled(&driver, A).await;
    zone.shutdown().await;
    let (target, text) = found(&driver).await.remove(0);
    assert!(target.is_none() && text.starts_with("no answer"), "{text}");
    let _zone = Zone::start(ZoneOptions { listen, ..zone_options(2) }).await.unwrap();
    settled(&driver, A).await;
}
