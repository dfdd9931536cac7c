//! What the server lets us do: keys, policies, zones that are not its own, clocks that differ.

use changeover::domain::ids::NodeId::{A, B};
use changeover::drivers::traffic::rfc2136::Settings;
use jiff::{SignedDuration, Timestamp};

use crate::dns::lab::{Lab, OTHER, RECORD, TTL, ZONE, access, driver, expect, found, four, ip, set_ttl, settled, switch};
use crate::dns::proxy::{Proxy, Spoil};
use crate::name_servers::{KEYS, nsupdate};

all! {
    every_algorithm
    wrong_keys
    outside_the_policy
    a_zone_that_is_not_there
    unsigned
    access_proven_without_a_change
    missing_name
    no_authority
    clocks_that_differ
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
