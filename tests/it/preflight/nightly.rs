//! The nightly check of a run that waits or is held: once a day, once after a daemon was down, and told only where something has
//! changed.

use std::sync::Arc;

use changeover::domain::check::{Finding, Outcome};
use changeover::domain::checks::{changes, is_due, latest};
use changeover::domain::event::Notice;
use changeover::domain::ids::{NodeId, RunId};
use changeover::domain::run::Run;
use changeover::domain::site::Policy;
use changeover::engine::api::{Fleet as _, Word};
use changeover::simulator::faults::{Fault, Planned};
use jiff::civil::time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::memory::Death;
use crate::stage::{Setting, Stage, end};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A run that waits four nights for its first window.
fn booked() -> Setting {
    Setting { first: "2026-11-26T01:00:00Z +4h".to_owned(), second: "2026-11-29T01:00:00Z +4h".to_owned(), ..Setting::default() }
}

fn checked(stage: &Stage, id: &RunId) -> Vec<Timestamp> {
    stage.records(id).iter().filter(|record| record.event == "checked").map(|record| record.at).collect()
}

fn told(stage: &Stage) -> usize {
    stage.alerts().iter().filter(|alert| *alert == "check_changed").count()
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_is_checked_every_night() {
    let stage = Stage::set(booked());
    let id = stage.start("role-swap").await;
    stage.clock_to(at("2026-11-25T12:00:00Z")).await;
    let nights = checked(&stage, &id);
    // Started at one o'clock on the 22nd, and it waits for its window at three.
    assert_eq!(nights.len(), 4, "{}", stage.story(&id));
    for (night, day) in nights.iter().zip(22..) {
        let due = at(&format!("2026-11-{day}T03:00:00Z"));
        assert!(*night >= due && *night <= due + SignedDuration::from_mins(2), "{night}");
    }
    assert_eq!(told(&stage), 0, "nothing has changed: {:?}", stage.alerts());
    let rest = stage.to_rest(&id).await;
    assert_eq!(rest.end, "succeeded", "{}", stage.story(&id));
    assert_eq!(told(&stage), 0, "nor in the soak, on two versions and unlinked: {:?}", stage.alerts());
    assert!(checked(&stage, &id).len() > nights.len(), "the soak has nights too\n{}", stage.story(&id));
}

/// Whoever holds a run for days learns what becomes of the pair meanwhile. What only the reserve is left for is not written.
#[tokio::test(start_paused = true)]
async fn a_held_run_is_checked_every_night() {
    let stage = Stage::set(booked());
    let id = stage.start("role-swap").await;
    stage.clock_to(at("2026-11-22T02:00:00Z")).await;
    stage.word(&id, Word::Hold).await.unwrap();
    stage.clock_to(at("2026-11-22T12:00:00Z")).await;
    stage.fault(Planned::for_ever(Fault::Unhealthy).on(NodeId::B));
    stage.clock_to(at("2026-11-24T12:00:00Z")).await;
    assert_eq!((end(&stage.run(&id)).as_deref(), checked(&stage, &id).len()), (Some("operator"), 3), "{}", stage.story(&id));
    assert_eq!(told(&stage), 1, "{}", stage.story(&id));
    let said = stage.last_alert("check_changed");
    assert!(said.contains("`unhealthy` of node `b` went from pass to fail (not healthy)"), "{said}");

    let snapshot = stage.fleet.run(&id).unwrap();
    let unchecked = Run { checked: None, ..(*snapshot.run).clone() };
    assert!(is_due(&unchecked, &snapshot.world));
    assert!(!is_due(&Run { notices: vec![(Notice::StoreLow, None)], ..unchecked }, &snapshot.world));
}

#[tokio::test(start_paused = true)]
async fn switched_off_nothing_is_checked_at_night() {
    let policy = Policy { nightly_check: None, ..Policy::default() };
    let stage = Stage::set(Setting { policy, ..booked() });
    let id = stage.start("role-swap").await;
    stage.clock_to(at("2026-11-25T12:00:00Z")).await;
    assert_eq!(checked(&stage, &id), []);
}

#[tokio::test(start_paused = true)]
async fn what_changes_over_night_is_told_once_and_again_when_it_is_over() {
    let stage = Stage::set(booked());
    let id = stage.start("role-swap").await;
    stage.clock_to(at("2026-11-22T12:00:00Z")).await;
    stage.fault(Planned::for_ever(Fault::Unhealthy).on(NodeId::B));
    stage.clock_to(at("2026-11-24T12:00:00Z")).await;
    assert_eq!(told(&stage), 1, "{}", stage.story(&id));
    let said = stage.last_alert("check_changed");
    assert!(said.contains("`unhealthy` of node `b` went from pass to fail (not healthy)"), "{said}");
    stage.mend();
    stage.clock_to(at("2026-11-25T12:00:00Z")).await;
    assert_eq!(told(&stage), 2);
    assert!(stage.last_alert("check_changed").contains("from fail to pass"), "{}", stage.last_alert("check_changed"));
}

/// The daemon was down over three nights: one check when it is back.
#[tokio::test(start_paused = true)]
async fn after_a_time_without_a_daemon_it_is_checked_once() {
    let mut stage = Stage::set(booked());
    let id = stage.start("role-swap").await;
    stage.clock_to(at("2026-11-22T12:00:00Z")).await;
    assert_eq!(checked(&stage, &id).len(), 1);
    stage.restart();
    stage.clock_to(at("2026-11-22T12:10:00Z")).await;
    assert_eq!(checked(&stage, &id).len(), 1, "not again on the same day");
    // Nothing that would be recorded from here on ever is.
    stage.journal.die(Death::Before(stage.run(&id).seq + 1));
    stage.clock_to(at("2026-11-25T12:00:00Z")).await;
    stage.restart();
    stage.pass(SignedDuration::from_mins(10)).await;
    assert_eq!(checked(&stage, &id).len(), 2, "{}", stage.story(&id));
}

/// In the zone's own clock: a time that the day skips, one that it has twice, and the days around them.
#[test]
fn a_time_of_day_is_found_over_the_change_of_clocks() {
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    for (now, clock, due) in [
        ("2026-03-29T00:59:59Z", time(2, 30, 0, 0), "2026-03-28T01:30:00Z"),
        // Half past two does not exist; an hour was skipped.
        ("2026-03-29T01:29:59Z", time(2, 30, 0, 0), "2026-03-28T01:30:00Z"),
        ("2026-03-29T01:30:00Z", time(2, 30, 0, 0), "2026-03-29T01:30:00Z"),
        ("2026-03-30T00:30:00Z", time(2, 30, 0, 0), "2026-03-30T00:30:00Z"),
        // Twice: the first counts, the second is no other night.
        ("2026-10-25T00:30:00Z", time(2, 30, 0, 0), "2026-10-25T00:30:00Z"),
        ("2026-10-25T01:30:00Z", time(2, 30, 0, 0), "2026-10-25T00:30:00Z"),
        ("2026-10-26T01:29:59Z", time(2, 30, 0, 0), "2026-10-25T00:30:00Z"),
        ("2026-10-26T01:30:00Z", time(2, 30, 0, 0), "2026-10-26T01:30:00Z"),
    ] {
        assert_eq!(latest(at(now), clock, &berlin), Some(at(due)), "at {now}");
    }
    assert_eq!(latest(at("2026-11-22T02:59:59Z"), time(3, 0, 0, 0), &TimeZone::UTC), Some(at("2026-11-21T03:00:00Z")));
}

/// Every result against every other, on the same ground and on another.
#[test]
fn what_counts_as_a_change() {
    let all = [Outcome::Pass, Outcome::Warn, Outcome::Fail, Outcome::Unknown, Outcome::Person];
    let finding = |result, basis: &str| Finding { name: "traffic".to_owned(), node: None, result, basis: basis.to_owned() };
    for from in all {
        for to in all {
            for same in [true, false] {
                let found = changes(&[Arc::new(finding(from, "x"))], &[finding(to, if same { "x" } else { "y" })]);
                let expected = from != to || !same && from != Outcome::Pass;
                assert_eq!(!found.is_empty(), expected, "{from:?} to {to:?}, same ground {same}: {found:?}");
            }
        }
        assert_eq!(changes(&[Arc::new(finding(from, "x"))], &[]).len(), usize::from(from != Outcome::Pass), "{from:?}, gone");
        assert_eq!(changes(&[], &[finding(from, "x")]).len(), usize::from(from != Outcome::Pass), "{from:?}, new");
    }
}

/// Somebody touches the run's own copy of the package.
#[tokio::test(start_paused = true)]
async fn a_package_that_was_changed_is_told() {
    let stage = Stage::set(booked());
    let id = stage.start("role-swap").await;
    stage.clock_to(at("2026-11-22T12:00:00Z")).await;
    let copy = stage.folder.path().join("packages").join(&stage.run(&id).plan.package.sha256).join("base.nss");
    std::fs::write(copy, b"another").unwrap();
    stage.clock_to(at("2026-11-23T12:00:00Z")).await;
    let said = stage.last_alert("check_changed");
    assert!(said.contains("`package_changed` went from pass to fail"), "{said}");
}
