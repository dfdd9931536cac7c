//! The cases of a switch, the same against our zone and against real servers.

use changeover::domain::ids::NodeId::{A, B};
use changeover::domain::ids::PerNode;
use changeover::drivers::traffic::rfc2136::{Leads, Settings};
use changeover::ports::{Recall, Traffic as _, TrafficReader as _};

use super::lab::{
    DESK, Lab, RECORD, TTL, WWW, access, addresses, both_families, driver, expect, found, four, intent, ip, own_names, set_ttl,
    settled, six, switch,
};

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

mod lost;
mod rights;

all! {
    switch_and_back
    already_switched
    somebody_changed_it
    two_addresses
    ttl_is_kept
    ttl_is_set
    ipv6
    both_families_at_once
    an_alias
    several_names
    partly_moved
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
