use super::*;

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn offer(text: &str, waits_for: Option<&str>) -> Offer {
    Offer { name: format!("Support {text}"), version: version(text), waits_for: waits_for.map(str::to_owned) }
}

/// BG-10: every combination of role, health, version and page has one answer, and the first that holds counts.
#[test]
fn bg_10_what_is_next() {
    let (from, target) = (version("24.1.1"), version("24.2.1"));
    let offers = Page::Offers(vec![offer("24.2.1", None)]);
    let pages = [None, Some(&Page::Unasked), Some(&Page::Installing), Some(&offers)];
    for role in [Role::Primary, Role::Standby, Role::Standalone] {
        for healthy in [false, true] {
            for reached in [false, true] {
                for page in pages {
                    for late in [false, true] {
                        let version = if reached { &target } else { &from };
                        let seen = Seen { target: &target, version, role, healthy, page, late };
                        let expected = match page {
                            _ if role != Role::Standalone => Next::IsPair,
                            Some(Page::Installing) => Next::Wait,
                            _ if !healthy => Next::Unhealthy,
                            _ if reached => Next::Done,
                            None | Some(Page::Unasked) => Next::Ask,
                            Some(Page::Offers(offers)) if late => Next::TooLate(&offers[0]),
                            Some(Page::Offers(offers)) => Next::Install(&offers[0]),
                        };
                        assert_eq!(next(&seen), expected, "{seen:?}");
                    }
                }
            }
        }
    }
}

/// BG-10: the target if it can be installed, else the newest below it that can; nothing above it, nothing that is there already.
#[test]
fn bg_10_which_package_is_chosen() {
    let wait = Some("available after 24.1.9");
    type Listed = (&'static str, Option<&'static str>);
    let cases: &[(&[Listed], Option<&str>)] = &[
        (&[], None),
        (&[("24.2.1", None)], Some("24.2.1")),
        (&[("24.2.1", wait)], None),
        (&[("24.1.9", None), ("24.2.1", wait)], Some("24.1.9")),
        (&[("24.1.9", None), ("24.2.1", None)], Some("24.2.1")),
        (&[("24.1.5", None), ("24.1.9", None), ("24.1.7", None)], Some("24.1.9")),
        (&[("24.1.10", None), ("24.1.9", None)], Some("24.1.10")),
        (&[("24.3.1", None)], None),
        (&[("24.3.1", None), ("24.1.9", None)], Some("24.1.9")),
        (&[("24.1.1", None), ("23.3.3", None)], None),
        // A base package counts by other numbers.
        (&[("7.1.0", None)], None),
    ];
    let (from, target) = (version("24.1.1"), version("24.2.1"));
    for (listed, expected) in cases {
        let offers: Vec<Offer> = listed.iter().map(|(version, waits_for)| offer(version, *waits_for)).collect();
        let found = choose(&offers, &from, &target).map(|offer| offer.version.as_str());
        assert_eq!(found, *expected, "{listed:?}");
    }
}

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + minute * 60).unwrap()
}

fn reading(minute: i64, version: &str, healthy: bool) -> Observation {
    Observation {
        at: at(minute),
        identity: "a".repeat(32),
        version: version.parse().unwrap(),
        build: Some(format!("build of {version}")),
        role: Role::Standalone,
        healthy,
        updating: false,
        last_sync: None,
        users: Some(0),
        sessions: Some(0),
        as_of: None,
        may_be_old: SignedDuration::from_secs(60),
        clock_skew: None,
        takes_clients: Some(true),
        certificate_until: None,
        licence_until: None,
        shared_ips: None,
        at_work: Vec::new(),
    }
}

/// `Some((version, healthy))` is an answer at that minute, `None` a silence.
type Look = (i64, Option<(&'static str, bool)>);

fn judged(looks: &[Look]) -> Progress {
    let before = reading(-1, "24.1.1", true);
    let mut seen = Reading::default();
    for (minute, look) in looks {
        let answer = look.map(|(version, healthy)| reading(*minute, version, healthy)).ok_or_else(|| "silent".to_owned());
        seen.take(answer, at(*minute));
    }
    let now = at(looks.last().map_or(0, |(minute, _)| *minute));
    progress(&Ordered { wanted: &version("24.2.1"), before: &before, at: at(0) }, &seen, now)
}

/// BG-03, BG-10: silence is healthy however long; done is only what two readings from after the order say.
#[test]
fn bg_10_how_far_an_installation_is() {
    let (old, new, odd) = (Some(("24.1.1", true)), Some(("24.2.1", true)), Some(("24.2.2", true)));
    let (ill, old_ill, odd_ill) = (Some(("24.2.1", false)), Some(("24.1.1", false)), Some(("24.2.2", false)));
    let going: &[&[Look]] = &[
        &[(1, old)],
        &[(1, None)],
        &[(1, None), (170, None)],
        &[(1, old), (2, old), (9, old)],
        // The first answers may be kept ones.
        &[(1, None), (30, new)],
        &[(1, None), (30, old)],
        &[(1, None), (30, odd)],
        &[(1, None), (30, ill), (32, ill), (34, ill)],
        &[(1, None), (30, new), (31, None)],
        // A short silence is the network's.
        &[(1, None), (3, old), (5, old)],
        // Its services may be starting.
        &[(1, None), (30, old_ill), (32, old_ill), (44, old_ill)],
        &[(1, None), (30, odd_ill), (32, odd_ill), (44, odd_ill)],
    ];
    for looks in going {
        assert!(matches!(judged(looks), Progress::Going(_)), "{looks:?}: {:?}", judged(looks));
    }
    for looks in [&[(2, new), (4, new)][..], &[(1, None), (30, new), (32, new)], &[(1, None), (30, ill), (32, new), (34, new)]] {
        assert_eq!(judged(looks), Progress::Installed, "{looks:?}");
    }
    assert_eq!(judged(&[(2, old), (4, old), (11, old)]), Progress::Unseen);
    for (looks, found) in [
        (&[(1, None), (30, old), (32, old), (34, old)][..], "runs 24.1.1 still"),
        (&[(1, None), (30, odd), (32, odd)], "runs version 24.2.2"),
        (&[(1, None), (30, old_ill), (32, old_ill), (46, old_ill)], "runs 24.1.1 still, and reports a problem"),
        (&[(1, None), (30, odd_ill), (32, odd_ill), (46, odd_ill)], "runs version 24.2.2, and reports a problem"),
    ] {
        assert!(matches!(judged(looks), Progress::Failed(what) if what.contains(found)), "{looks:?}: {:?}", judged(looks));
    }
}

/// R13: another box at the address is never taken for the result.
#[test]
fn r13_another_box_is_no_result() {
    let before = reading(-1, "24.1.1", true);
    let mut seen = Reading::default();
    for minute in [30, 32] {
        seen.take(Ok(Observation { identity: "b".repeat(32), ..reading(minute, "24.2.1", true) }), at(minute));
    }
    let ordered = Ordered { wanted: &version("24.2.1"), before: &before, at: at(0) };
    assert!(matches!(progress(&ordered, &seen, at(32)), Progress::Failed(what) if what.contains("another box")));
}
