//! An installation, followed minute by minute: what the readings and the page say, and what is made of both.

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::*;
use crate::domain::site::Role;
use crate::simulator::inprocess::VirtualClock;

/// From this minute on, until another line says otherwise. A version: it answers with that, and with `!` reports a problem; none: it is
/// silent.
type Answers = &'static [(i64, Option<&'static str>)];
/// The same of the page.
type Pages = &'static [(i64, Shows)];
/// The version is there, or a code and a part of the message.
type End = Result<(), (&'static str, &'static str)>;

#[derive(Clone, Copy, Debug)]
enum Shows {
    Installing,
    Nothing,
    Strange,
    NotReached,
    /// Asked here it answers so many minutes later, that there is nothing.
    NothingAfter(u64),
}

struct Script {
    clock: VirtualClock,
    answers: Answers,
    pages: Pages,
}

fn start() -> Timestamp {
    "2026-11-22T02:00:00Z".parse().unwrap()
}

fn said<T: Copy>(lines: &[(i64, T)], minute: i64) -> T {
    lines.iter().rev().find(|(from, _)| *from <= minute).unwrap().1
}

fn observation(said: &str, at: Timestamp) -> Observation {
    let may_be_old = SignedDuration::from_mins(1);
    Observation {
        at,
        identity: "a".repeat(32),
        version: said.trim_end_matches('!').parse().unwrap(),
        build: None,
        role: Role::Standalone,
        healthy: !said.ends_with('!'),
        updating: false,
        last_sync: None,
        users: None,
        sessions: None,
        as_of: None,
        may_be_old,
        clock_skew: None,
        takes_clients: None,
        certificate_until: None,
        licence_until: None,
        shared_ips: None,
        at_work: Vec::new(),
    }
}

impl Script {
    fn minute(&self) -> i64 {
        self.clock.now().duration_since(start()).as_mins()
    }
}

impl crate::ports::Reader for Script {
    fn observe(&self) -> BoxFuture<'_, Result<Observation, ReadError>> {
        let answer = said(self.answers, self.minute()).map(|version| observation(version, self.clock.now()));
        Box::pin(std::future::ready(answer.ok_or_else(|| ReadError::Transient("no answer".to_owned()))))
    }

    fn cache_time(&self) -> SignedDuration {
        SignedDuration::from_mins(1)
    }
}

impl Updates for Script {
    fn updates(&self, _: bool) -> BoxFuture<'_, Result<Page, PageError>> {
        Box::pin(async move {
            match said(self.pages, self.minute()) {
                Shows::Installing => Ok(Page::Installing),
                Shows::Nothing => Ok(Page::Unasked),
                Shows::Strange => Err(PageError::Surprise("a maintenance page".to_owned())),
                Shows::NotReached => Err(PageError::NotReached("no answer".to_owned())),
                Shows::NothingAfter(minutes) => {
                    tokio::time::sleep(Duration::from_secs(60 * minutes)).await;
                    Ok(Page::Unasked)
                }
            }
        })
    }

    fn back_up<'a>(&'a self, _: &'a Path) -> BoxFuture<'a, Result<ProducedFile, String>> {
        Box::pin(std::future::ready(Err("not asked for here".to_owned())))
    }

    fn install<'a>(&'a self, _: &'a Offer) -> BoxFuture<'a, ActAnswer> {
        Box::pin(std::future::ready(ActAnswer::accepted()))
    }
}

const OLD: Option<&str> = Some("24.1.1");
const NEW: Option<&str> = Some("24.2.1");

/// BG-10: the readings decide; where they speak against the installation the page may know of it, and they are read once more.
#[tokio::test(start_paused = true)]
async fn bg_10_what_readings_and_page_make_of_an_installation() {
    use Shows::{Installing, NotReached, Nothing, NothingAfter, Strange};
    let fetched: Answers = &[(0, OLD), (15, None), (40, NEW)];
    let never: Answers = &[(0, OLD)];
    let cut_off: Answers = &[(0, OLD), (3, None), (9, OLD), (15, None), (40, NEW)];
    let vain: Answers = &[(0, OLD), (15, None), (40, OLD)];
    let unwell: Answers = &[(0, OLD), (15, None), (40, Some("24.1.1!"))];
    let new_and_unwell: Answers = &[(0, OLD), (15, None), (40, Some("24.2.1!"))];
    let away_early: Answers = &[(0, OLD), (11, None), (20, OLD)];
    let pages_late: Pages = &[(0, NotReached), (23, Nothing)];
    let cases: &[(&str, Answers, Pages, End)] = &[
        ("fetched, then installed", fetched, &[(0, Installing)], Ok(())),
        ("installed at once", &[(0, None), (20, NEW)], &[(0, Nothing)], Ok(())),
        ("the page was late: it is over when it answers", fetched, &[(0, NothingAfter(45))], Ok(())),
        ("the page was late: it has begun when it answers", fetched, &[(0, NothingAfter(10))], Ok(())),
        ("strange for a moment, then silent", fetched, &[(0, Strange), (11, Installing)], Ok(())),
        ("no page for a moment, then silent", fetched, &[(0, NotReached), (11, Installing)], Ok(())),
        ("the network was away meanwhile", cut_off, &[(0, Installing)], Ok(())),
        ("nothing happens", never, &[(0, Nothing)], Err(("not_installed", "neither its answers nor its page"))),
        ("it ends on the old version", vain, &[(0, Installing), (15, Nothing)], Err(("not_installed", "runs 24.1.1 still"))),
        (
            "it ends unwell on the old version",
            unwell,
            &[(0, Installing), (15, Nothing)],
            Err(("not_installed", "runs 24.1.1 still, and reports a problem")),
        ),
        (
            "it stays unwell on the new version",
            new_and_unwell,
            &[(0, Installing), (15, Nothing)],
            Err(("not_installed", "is not proven; last: it answers with version 24.2.1 and reports a problem")),
        ),
        ("no page before the silence, nor right after it", away_early, pages_late, Err(("not_installed", "runs 24.1.1 still"))),
        ("strange for good", never, &[(0, Strange)], Err(("page_unknown", "a maintenance page"))),
        ("no page for good", never, &[(0, NotReached)], Err(("page_unknown", "no answer"))),
        (
            "it goes on for ever",
            never,
            &[(0, Installing)],
            Err(("not_installed", "after 3h, the usual limit of an update, version 24.2.1 is not proven")),
        ),
        (
            "silent for ever",
            &[(0, None)],
            &[(0, Nothing)],
            Err(("not_installed", "after 3h, the usual limit of an update, version 24.2.1 is not proven")),
        ),
    ];
    for (what, answers, pages, expected) in cases {
        let script = Script { clock: VirtualClock::new(start()), answers, pages };
        let before = observation("24.1.1", start());
        let offer = Offer { name: "Support 24.2.1".to_owned(), version: "24.2.1".parse().unwrap(), waits_for: None };
        let identity = "a".repeat(32);
        let mut walk = Walk::new(&script, &script.clock, &identity, &|_| {});
        let end = walk.install(&offer, &before).await;
        match (&end, expected) {
            (Ok(after), Ok(())) => assert_eq!(after.version.as_str(), "24.2.1", "{what}"),
            (Err(stop), Err((code, found))) if stop.code == *code && stop.message.contains(found) => {}
            _ => panic!("{what}: expected {expected:?}, found {end:?}"),
        }
    }
}

/// BG-10: whoever interrupts a wait for an installation hears that it goes on, also while the appliance is silent, until its page says
/// otherwise.
#[tokio::test(start_paused = true)]
async fn bg_10_an_installation_that_is_waited_for_stays_under_way_in_silence() {
    let clock = VirtualClock::new(start());
    let script = Script { clock, answers: &[(0, OLD), (5, None)], pages: &[(0, Shows::Installing), (5, Shows::Nothing)] };
    let identity = "a".repeat(32);
    let mut walk = Walk::new(&script, &script.clock, &identity, &|_| {});
    let under_way = walk.under_way();
    walk.while_installing().await.unwrap();
    assert_eq!(under_way.lock().unwrap().as_deref(), Some("an update"), "it fell silent");
    assert_eq!(walk.check().await, Ok(Some(Page::Unasked)));
    assert_eq!(*under_way.lock().unwrap(), None, "the page says that it is over");
}
