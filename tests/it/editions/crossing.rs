//! Updates that cross a border between generations, under the eyes of one driver; and two editions that do not agree.

use changeover::domain::ids::NodeId;
use changeover::domain::site::Role;
use changeover::ports::{ReadError, Reader as _};
use changeover::simulator::faults::{Fault, Planned};
use changeover::simulator::server::generation::Generation;
use jiff::SignedDuration;

use super::Bed;

/// Each border: the release before it and one after it.
const BORDERS: [(&str, &str); 5] =
    [("10.4.2", "10.6.1"), ("15.2.3", "16.1.1"), ("19.1.8", "20.1.1"), ("25.1.1", "26.1.1"), ("10.4.2", "26.1.1")];

#[tokio::test]
async fn bg_51_bg_52_a_driver_reads_on_when_an_update_crosses_a_border() {
    for (from, to) in BORDERS {
        let bed = Bed::with(from, to, |_| {}).await;
        let driver = bed.driver(NodeId::A);
        let before = driver.observe().await.unwrap();
        bed.simulator.current().break_failover(NodeId::A).unwrap();
        bed.pass(SignedDuration::from_mins(2));
        bed.simulator.current().update(NodeId::A, None).unwrap();
        let silent = driver.observe().await.unwrap_err();
        assert!(matches!(silent, ReadError::Transient(_)), "{from} to {to}: {silent:?}");
        bed.pass(SignedDuration::from_hours(1));
        let after = driver.observe().await.unwrap();
        assert_eq!((before.version.as_str(), after.version.as_str()), (from, to));
        assert_eq!((before.role, after.role), (Role::Primary, Role::Standalone), "{from} to {to}");
        assert_eq!(before.identity, after.identity);
        let truth = bed.simulator.current().truth().nodes.a.clone();
        assert_eq!((after.users, after.sessions), (Some(truth.users), Some(truth.open_sessions)), "{from} to {to}");
    }
}

#[tokio::test]
async fn the_json_edition_is_looked_for_once_at_each_version() {
    let bed = Bed::with("25.1.1", "26.1.1", |_| {}).await;
    let driver = bed.driver(NodeId::A);
    let reads = |bed: &Bed| bed.simulator.calls().get("read").copied().unwrap_or(0);
    let mut last = 0;
    // Health twice, users, info; while looking for the edition one more, and two where it is there; then one for its health. The
    // update has ended the token: one more.
    for (version, wanted) in [("25.1.1", 5), ("25.1.1", 4), ("26.1.1", 8), ("26.1.1", 5)] {
        if bed.simulator.current().node(NodeId::A).version.as_str() != version {
            bed.simulator.current().update(NodeId::A, None).unwrap();
            bed.pass(SignedDuration::from_hours(1));
        }
        driver.observe().await.unwrap();
        let now = reads(&bed);
        assert_eq!(now - last, wanted, "{version}");
        last = now;
    }
}

/// The JSON edition keeps its answers for a minute, the XML edition here doesn't: after a change the two say different things.
#[tokio::test]
async fn editions_that_disagree_are_neither_believed_and_both_named() {
    let bed = Bed::at(Generation::From26_1).await;
    let driver = bed.driver(NodeId::A);
    assert_eq!(driver.observe().await.unwrap().role, Role::Primary);
    bed.simulator.current().break_failover(NodeId::A).unwrap();
    bed.pass(SignedDuration::from_secs(30));
    let error = driver.observe().await.unwrap_err();
    let ReadError::Transient(text) = &error else { panic!("{error:?}") };
    for part in ["expected one role", "`standalone` by XML", "`primary` by JSON v2", "may be a kept answer", "node `a`"] {
        assert!(text.contains(part), "`{part}` is missing in {text}");
    }
    bed.pass(SignedDuration::from_secs(31));
    assert_eq!(driver.observe().await.unwrap().role, Role::Standalone, "no answer is kept for more than a minute");
}

/// Where both keep their answers, each from another moment, what was read is never younger than it says.
#[tokio::test]
async fn r1_a_kept_answer_is_never_taken_for_a_new_one() {
    let bed = Bed::at(Generation::From26_1).await;
    bed.simulator.current().plan_fault(Planned::for_ever(Fault::HealthCached));
    let driver = bed.driver(NodeId::A);
    driver.observe().await.unwrap();
    let ordered = changeover::ports::Clock::now(&*bed.clock);
    bed.simulator.current().break_failover(NodeId::A).unwrap();
    for seconds in (0..=120).step_by(10) {
        if let Ok(read) = driver.observe().await {
            let old = read.role == Role::Primary;
            assert!(!(old && read.is_after(ordered + SignedDuration::from_secs(8))), "{seconds} s after the break: {read:?}");
        }
        bed.pass(SignedDuration::from_secs(10));
    }
    assert_eq!(driver.observe().await.unwrap().role, Role::Standalone);
}
