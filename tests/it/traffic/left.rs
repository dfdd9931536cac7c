//! The side that traffic was taken from: who is there, who came after, and from when on it is drained.

use changeover::domain::ids::NodeId;
use changeover::domain::watch::left;
use changeover::engine::api::Fleet as _;
use changeover::server::view::Status;
use changeover::simulator::faults::{Fault, Planned};
use jiff::SignedDuration;

use crate::stage::Stage;

#[tokio::test(start_paused = true)]
async fn r16_the_left_side_is_drained_once_nobody_can_be_led_there() {
    let stage = Stage::new();
    let id = stage.start("role-swap").await;
    let soaking = stage.answered(&id, |run| run.soak_from.is_some()).await;
    let switched = soaking.nodes.a.served_until.unwrap();
    let side = |stage: &Stage| {
        let snapshot = stage.fleet.run(&id).unwrap();
        (left::of(&snapshot.run, &snapshot.world).unwrap(), snapshot)
    };
    let (left, _) = side(&stage);
    assert_eq!((left.node, left.since, left.sessions, left.started), (NodeId::A, switched, Some(0), 0), "{left:?}");
    // The simulated record's 60 s, and readings of a minute, are less than the least time.
    assert_eq!(left.quiet_for, SignedDuration::from_mins(5));
    assert!(!left.is_drained(left.since), "{left:?}");
    stage.pass(SignedDuration::from_mins(15)).await;
    let (left, snapshot) = side(&stage);
    assert!(left.is_drained(snapshot.world.now) && left.quiet_since.is_some(), "{left:?}");
    assert!(Status::full(&snapshot, stage.fleet.now()).left.unwrap().drained);
}

#[tokio::test(start_paused = true)]
async fn r16_a_stubborn_client_is_counted_and_told() {
    let stage = Stage::new();
    stage.fault(Planned { node: Some(NodeId::A), ..Planned::for_ever(Fault::StrayUser) });
    let id = stage.start("role-swap").await;
    stage.answered(&id, |run| run.soak_from.is_some()).await;
    stage.hand("open", NodeId::A);
    let stray =
        |run: &changeover::domain::run::Run| run.has_notice(changeover::domain::event::Notice::StraySession, Some(NodeId::A));
    stage.within(&id, SignedDuration::from_hours(6), stray).await.unwrap_or_else(|_| panic!("{}", stage.story(&id)));
    let told = |stage: &Stage| {
        let snapshot = stage.fleet.run(&id).unwrap();
        left::of(&snapshot.run, &snapshot.world).unwrap()
    };
    for _ in 0..200 {
        if told(&stage).started > 0 && told(&stage).sessions > Some(0) {
            break;
        }
        stage.pass(SignedDuration::from_mins(5)).await;
    }
    let left = told(&stage);
    assert!(left.started > 0 && left.newest_at > Some(left.since) && left.drained_at.is_none(), "{left:?}\n{}", stage.story(&id));
    let snapshot = stage.fleet.run(&id).unwrap();
    let words = left::stubborn(&snapshot.run, NodeId::A, &snapshot.world);
    assert!(words.contains("began since traffic left, the newest seen at"), "{words}");
    assert!(stage.alert_says("stray_session", "can take clients and has 0 sessions"), "open, and nobody there yet");
    assert!(stage.alert_says("stray_session", "began since traffic left, the newest seen at"), "{}", stage.story(&id));
}
