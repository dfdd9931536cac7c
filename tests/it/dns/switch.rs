//! The cases of a switch, the same against our zone and against real servers.

use changeover::domain::ids::NodeId::{A, B};
use changeover::domain::ids::PerNode;
use changeover::drivers::traffic::rfc2136::{Leads, Settings};
use changeover::ports::{Recall, Traffic as _, TrafficReader as _};
use changeover::simulator::zone::{Zone, ZoneOptions};
use jiff::{SignedDuration, Timestamp};

use crate::name_servers::{KEYS, nsupdate};

use super::lab::{
    DESK, Lab, OTHER, RECORD, TTL, WWW, ZONE, access, addresses, both_families, driver, expect, found, four, intent, ip,
    own_names, set_ttl, settled, six, switch, zone_options,
};
use super::proxy::{Proxy, Spoil};

/// One test for each case and each server.
macro_rules! all {
    ($($case:ident)*) => {
        mod ours {
            $(#[tokio::test(flavor = "multi_thread")] async fn $case() { super::$case(super::Lab::ours().await).await; })*
        }
        mod bind {
            $(#[tokio::test(flavor = "multi_thread")] async fn $case() { super::$case(super::Lab::bind(true)).await; })*
        }
        mod knot {
            $(#[tokio::test(flavor = "multi_thread")] async fn $case() { super::$case(super::Lab::knot()).await; })*
        }
        mod powerdns {
            $(#[tokio::test(flavor = "multi_thread")] async fn $case() { super::$case(super::Lab::powerdns()).await; })*
        }
    };
}

all! {
    switch_and_back
    already_switched
    somebody_changed_it
    two_addresses
    every_algorithm
    wrong_keys
    outside_the_policy
    a_zone_that_is_not_there
    unsigned
    ttl_is_kept
    ttl_is_set
    ipv6
    both_families_at_once
    an_alias
    several_names
    partly_moved
    answer_spoiled_after_the_effect
    lost_before_the_effect
    request_never_arrived
    primary_down
    access_proven_without_a_change
    missing_name
    no_authority
    clocks_that_differ
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

/// TSIG with each algorithm, there and back.
async fn every_algorithm(lab: Lab) {
    let ours = matches!(lab, Lab::Ours { .. });
    for (name, algorithm) in &KEYS[..if ours { 1 } else { KEYS.len() }] {
        let mut settings = lab.settings();
        (settings.tsig_name, settings.tsig_algorithm) = ((*name).into(), (*algorithm).into());
        let driver = driver(settings);
        expect(&switch(&driver, A, B).await, "accepted", &[]);
        assert_eq!(lab.holds(RECORD, false).0, [four().b], "{algorithm}");
        expect(&switch(&driver, B, A).await, "accepted", &[]);
    }
}

/// Servers differ in how much they tell: BADKEY and BADSIG are what the RFC wants, and PowerDNS says neither.
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
        let word = if matches!(lab, Lab::Powerdns(_)) { "REFUSED" } else { word };
        let answer = switch(&driver, A, B).await;
        expect(&answer, "refused", &[word, "check key name, secret, clock, ACL"]);
        let (kind, text) = access(&driver).await;
        assert!(kind == "refused" && text.contains(word), "{kind}: {text}");
        assert_eq!(lab.holds(RECORD, false).0, [four().a]);
    }
}

async fn outside_the_policy(lab: Lab) {
    // With PowerDNS a key may change a whole zone.
    if matches!(lab, Lab::Powerdns(_)) {
        return;
    }
    // Knot says of a good key that may not what others say of a key that they do not know.
    let word = if matches!(lab, Lab::Knot(_)) { "NOTAUTH, BADKEY" } else { "REFUSED" };
    let mut settings = lab.settings();
    settings.records = vec![OTHER.into()];
    let one = driver(settings.clone());
    expect(&switch(&one, A, B).await, "refused", &[word, "ACL"]);
    assert_eq!(access(&one).await.0, "refused");
    // All or nothing: one name that may be changed does not move without the other.
    settings.records = vec![RECORD.into(), OTHER.into()];
    let both = driver(settings);
    expect(&switch(&both, A, B).await, "refused", &[word, "nothing was changed"]);
    assert_eq!((lab.holds(OTHER, false).0, lab.holds(RECORD, false).0), (vec![four().a], vec![four().a]));
}

/// The zone's name is wrong by one label: the server says that it is not its own.
async fn a_zone_that_is_not_there(lab: Lab) {
    let mut settings = lab.settings();
    settings.zone = RECORD.into();
    let driver = driver(settings);
    expect(&switch(&driver, A, B).await, "refused", &["NOTAUTH"]);
    assert_eq!(lab.holds(RECORD, false).0, [four().a]);
    let (target, text) = found(&driver).await.remove(0);
    assert!(target.is_none() && text.contains("no SOA record"), "{text}");
}

/// The servers themselves want a signature; the driver can't leave it out.
async fn unsigned(lab: Lab) {
    let (address, port) = (lab.primary().ip(), lab.primary().port());
    let swap = "update delete support.example.com A\nupdate add support.example.com 60 A 192.0.2.20";
    let (ok, said) = nsupdate(&format!("server {address} {port}\nzone {ZONE}\n{swap}\nsend\n"), None);
    let word = if matches!(lab, Lab::Knot(_)) { "NOTAUTH" } else { "REFUSED" };
    assert!(!ok && said.contains(word), "{said}");
    assert_eq!(lab.holds(RECORD, false).0, [four().a]);
}

async fn ttl_is_kept(lab: Lab) {
    for (present, kept) in [(5, 5), (200_000, 200_000), (0, 60)] {
        lab.set(RECORD, &[four().a], present);
        expect(&switch(&lab.driver(), A, B).await, "accepted", &[]);
        assert_eq!(lab.holds(RECORD, false), (vec![four().b], Some(kept)), "TTL before: {present}");
    }
}

/// The same values with another TTL, each RRset its own, and nothing is sent where it is so already.
async fn ttl_is_set(lab: Lab) {
    let mut settings = lab.settings();
    (settings.records, settings.leads) = (vec![RECORD.into(), WWW.into()], both_families());
    let driver = driver(settings);
    let of = |name: &str, kind: &str| format!("{name} {kind}");
    let (four_of, six_of, www_four, www_six) = (of(RECORD, "A"), of(RECORD, "AAAA"), of(WWW, "A"), of(WWW, "AAAA"));
    expect(&set_ttl(&driver, &[(&four_of, 7), (&six_of, 8), (&www_four, 9), (&www_six, 9)]).await, "accepted", &[]);
    let ttls = |name| [false, true].map(|six| lab.holds(name, six).1);
    assert_eq!((ttls(RECORD), ttls(WWW)), ([Some(7), Some(8)], [Some(9); 2]));
    assert_eq!((lab.holds(RECORD, false).0, lab.holds(WWW, true).0), (vec![four().a], vec![six().a]));
    let look = settled(&driver, A).await;
    let told = |name: &str| look.answers.iter().find(|answer| answer.name == name).and_then(|answer| answer.ttl);
    assert_eq!((told(&four_of), told(&six_of)), (Some(7), Some(8)), "each is remembered by name and type: {:?}", look.answers);
    let serial = lab.serial();
    expect(&set_ttl(&driver, &[(&four_of, 7)]).await, "accepted", &[]);
    assert_eq!(lab.serial(), serial, "the repeat changed the zone");
    // What is not asked for keeps its own.
    expect(&set_ttl(&driver, &[(&four_of, 300)]).await, "accepted", &[]);
    assert_eq!((ttls(RECORD), ttls(WWW)), ([Some(300), Some(8)], [Some(9); 2]));
    lab.set(RECORD, &[ip("192.0.2.99")], 300);
    expect(&set_ttl(&driver, &[(&four_of, 7)]).await, "refused", &["192.0.2.99", "no TTL was changed"]);
    assert_eq!(lab.holds(RECORD, false).1, Some(300));
}

async fn ipv6(lab: Lab) {
    let mut settings = lab.settings();
    settings.leads = addresses(six());
    let driver = driver(settings);
    expect(&switch(&driver, A, B).await, "accepted", &[]);
    settled(&driver, B).await;
    assert_eq!(lab.holds(RECORD, true).0, [six().b]);
    assert_eq!(lab.holds(RECORD, false).0, [four().a], "the other family was touched");
}

async fn both_families_at_once(lab: Lab) {
    let mut settings = lab.settings();
    settings.leads = both_families();
    let (before, driver) = (lab.serial(), driver(settings));
    expect(&switch(&driver, A, B).await, "accepted", &[]);
    let look = settled(&driver, B).await;
    assert_eq!(look.answers.len(), 2 * lab.followers().len());
    assert_eq!(look.answers[1].found, "support.example.com AAAA 2001:db8::20");
    assert_eq!((lab.holds(RECORD, false).0, lab.holds(RECORD, true).0), (vec![four().b], vec![six().b]));
    assert_eq!(lab.serial(), before + 1, "more than one change");
    expect(&switch(&driver, B, A).await, "accepted", &[]);
    settled(&driver, A).await;
}

/// The service's name is an alias of a node's own name, and the alias moves.
async fn an_alias(lab: Lab) {
    let mut settings = lab.settings();
    (settings.records, settings.leads) = (vec![DESK.into()], own_names());
    let driver = driver(settings);
    assert_eq!(found(&driver).await[0], (Some(A), "a.example.com".to_owned()));
    let serial = lab.serial();
    assert_eq!(access(&driver).await.0, "proven");
    assert_eq!(lab.serial(), serial, "the proof changed the zone");
    expect(&switch(&driver, A, B).await, "accepted", &[]);
    settled(&driver, B).await;
    assert_eq!(lab.says(DESK, "CNAME"), (vec!["b.example.com.".to_owned()], Some(TTL)));
    expect(&set_ttl(&driver, &[(DESK, 5)]).await, "accepted", &[]);
    assert_eq!(lab.says(DESK, "CNAME"), (vec!["b.example.com.".to_owned()], Some(5)));
    expect(&switch(&driver, B, A).await, "accepted", &[]);
    settled(&driver, A).await;
}

/// Several names and both families in one change, each with its own TTL.
async fn several_names(lab: Lab) {
    let mut settings = lab.settings();
    (settings.records, settings.leads) = (vec![RECORD.into(), WWW.into()], both_families());
    let (before, driver) = (lab.serial(), driver(settings));
    expect(&switch(&driver, A, B).await, "accepted", &[]);
    settled(&driver, B).await;
    let held = |name| [lab.holds(name, false), lab.holds(name, true)];
    assert_eq!(held(RECORD), [(vec![four().b], Some(TTL)), (vec![six().b], Some(TTL))]);
    assert_eq!(held(WWW), [(vec![four().b], Some(TTL)), (vec![six().b], Some(50))]);
    assert_eq!(lab.serial(), before + 1, "more than one change");
}

/// Somebody moved one of two by hand: it is said which, with both ways on, and nothing is sent.
async fn partly_moved(lab: Lab) {
    lab.set(RECORD, &[six().b], TTL);
    let mut settings = lab.settings();
    settings.leads = both_families();
    let driver = driver(settings);
    let held = "support.example.com A 192.0.2.10, support.example.com AAAA 2001:db8::20";
    let words = ["nothing was changed", "partly", held, "complete the change by hand", "take it back"];
    expect(&switch(&driver, A, B).await, "refused", &words);
    expect(&set_ttl(&driver, &[(RECORD, 5)]).await, "refused", &["one node", held]);
    let (kind, text) = access(&driver).await;
    assert!(kind == "refused" && text.contains(held), "{kind}: {text}");
    assert_eq!((lab.holds(RECORD, false), lab.holds(RECORD, true)), ((vec![four().a], Some(TTL)), (vec![six().b], Some(TTL))));
    assert_eq!(driver.look().await.unwrap().target(), None);
    lab.set(RECORD, &[four().b], TTL);
    expect(&switch(&driver, A, B).await, "accepted", &[]);
    settled(&driver, B).await;
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

/// Where it leads to either node, and the server judged both values: the way there and the way back.
async fn access_proven_without_a_change(lab: Lab) {
    for (node, ttl) in [(four().a, TTL), (four().b, TTL), (four().a, 0)] {
        lab.set(RECORD, &[node], ttl);
        let before = (lab.serial(), lab.holds(RECORD, false));
        let (kind, text) = access(&lab.driver()).await;
        assert_eq!(kind, "proven", "{text}");
        assert!(text.contains("192.0.2.10") && text.contains("192.0.2.20"), "{text}");
        assert_eq!((lab.serial(), lab.holds(RECORD, false)), before, "{node}, TTL {ttl}: the proof changed the zone");
    }
    lab.set(RECORD, &[ip("192.0.2.99")], TTL);
    let (kind, text) = access(&lab.driver()).await;
    assert!(kind == "refused" && text.contains("192.0.2.99"), "{kind}: {text}");
}

async fn missing_name(lab: Lab) {
    let mut settings = lab.settings();
    settings.records = vec!["nothing.example.com".into()];
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

/// Our clock is ten minutes ahead of the server's, or behind: it is named, with both times, and nothing is changed.
async fn clocks_that_differ(lab: Lab) {
    for minutes in [10, -10] {
        let signed_ahead = SignedDuration::from_mins(minutes);
        let driver = driver(Settings { signed_ahead, ..lab.settings() });
        let serial = lab.serial();
        let early = (Timestamp::now() + signed_ahead).to_string();
        let answer = switch(&driver, A, B).await;
        expect(&answer, "refused", &["clock", "nothing was changed"]);
        let (kind, text) = access(&driver).await;
        assert_eq!(kind, "refused", "{text}");
        // PowerDNS refuses without a word why.
        if !matches!(lab, Lab::Powerdns(_)) {
            let signed = (Timestamp::now() + signed_ahead).to_string();
            let words = ["NOTAUTH, BADTIME", "clock skew", "this machine signed at", "300 s are allowed"];
            expect(&answer, "refused", &words);
            words.iter().for_each(|word| assert!(text.contains(word), "`{word}` is not in: {text}"));
            assert!(text.contains(&signed[..13]) || text.contains(&early[..13]), "{text}");
            let apart = text.split("Z: ").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<i64>().ok());
            assert!(apart.is_some_and(|apart| (540..=660).contains(&apart)), "{text}");
        }
        expect(&set_ttl(&driver, &[(RECORD, 5)]).await, "refused", &["nothing was changed"]);
        assert_eq!((lab.holds(RECORD, false), lab.serial()), ((vec![four().a], Some(TTL)), serial));
    }
    // Within the five minutes that TSIG allows nothing is amiss.
    let driver = driver(Settings { signed_ahead: SignedDuration::from_mins(4), ..lab.settings() });
    expect(&switch(&driver, A, B).await, "accepted", &[]);
    settled(&driver, B).await;
}

/// An alias leads to the right address, but no update of ours could move it.
#[tokio::test(flavor = "multi_thread")]
async fn bind_alias() {
    let lab = Lab::bind(true);
    lab.change("update add alias.example.com 60 CNAME support.example.com");
    let mut settings = lab.settings();
    settings.records = vec!["alias.example.com".into()];
    let driver = driver(settings);
    assert_eq!(found(&driver).await[0], (None, "an alias of support.example.com".to_owned()));
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
        let (kind, text) = access(&driver).await;
        assert!(kind == "unknown" && text.contains("by somebody else"), "{kind}: {text}");
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

/// The answer is lost and the server is cut off right after: what it took is on its disk, and read when it is back.
#[tokio::test(flavor = "multi_thread")]
async fn bind_restarts() {
    let mut lab = Lab::bind(true);
    let proxy = Proxy::start(lab.primary(), lab.primary(), Spoil::Lost).await;
    let driver = driver(Settings { primary: proxy.address, ..lab.settings() });
    expect(&switch(&driver, A, B).await, "ambiguous", &["it may have been applied"]);
    let Lab::Bind(pair) = &mut lab else { unreachable!("this lab is BIND's") };
    pair.stop_primary();
    let plain = super::lab::driver(lab.settings());
    expect(&switch(&plain, A, B).await, "transient", &["was not sent an update", "no answer"]);
    assert_eq!(plain.look().await.unwrap().target(), None);
    let Lab::Bind(pair) = &mut lab else { unreachable!("this lab is BIND's") };
    pair.start_primary();
    settled(&plain, B).await;
    assert_eq!(lab.holds(RECORD, false), (vec![four().b], Some(TTL)));
    expect(&switch(&plain, B, A).await, "accepted", &[]);
    settled(&plain, A).await;
}

/// What a switch adds: nothing where both nodes have the same families; of an alias what its targets differ in, and what nobody
/// can tell here.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_switch_adds_is_told() {
    for lab in [Lab::bind(true), Lab::knot(), Lab::powerdns()] {
        let adds = async |leads, name: &str| {
            let settings = Settings { leads, records: vec![name.into()], ..lab.settings() };
            driver(settings).look().await.unwrap().adds_type
        };
        assert_eq!(adds(addresses(four()), RECORD).await, Some(false));
        assert_eq!(adds(both_families(), RECORD).await, Some(false));
        assert_eq!(adds(own_names(), DESK).await, Some(false));
        lab.change("update add b.example.com 60 AAAA 2001:db8::20");
        assert_eq!(adds(own_names(), DESK).await, Some(true));
        lab.change("update add a.example.com 60 AAAA 2001:db8::10");
        assert_eq!(adds(own_names(), DESK).await, Some(false));
        let elsewhere = Leads::Names(PerNode { a: "a.example.net".into(), b: "b.example.net".into() });
        assert_eq!(adds(elsewhere, DESK).await, Some(true), "another zone's names are not known here");
    }
}
