//! Several entries: a switch that one of them refuses, with both continuations; and the right to move them, asked in time.

use std::sync::atomic::Ordering;

use changeover::domain::action::Kind;
use changeover::domain::check::Outcome;
use changeover::domain::ids::NodeId;
use changeover::domain::run::Phase;
use changeover::domain::{agreement, reverse, sheet};
use changeover::engine::api::{Fleet as _, Word};
use changeover::server::view::Status;
use changeover::simulator::faults::{Fault, Planned};

use super::with_view;
use crate::stage::Stage;

/// Half switched, in doubt.
async fn half_switched(stage: &Stage) -> changeover::domain::ids::RunId {
    let id = stage.start("role-swap").await;
    let doubted = stage.answered(&id, |run| matches!(run.phase, Phase::InDoubt { .. })).await;
    assert_eq!(doubted.step().unwrap().id, "window-1.switch_traffic.b", "{}", stage.story(&id));
    id
}

async fn settled(stage: &Stage) {
    stage.pass(jiff::SignedDuration::from_mins(5)).await;
}

#[tokio::test(start_paused = true)]
async fn a_half_done_switch_is_named_with_both_continuations() {
    let (stage, refuses) = with_view();
    refuses.store(true, Ordering::SeqCst);
    let id = half_switched(&stage).await;
    settled(&stage).await;
    let snapshot = stage.fleet.run(&id).unwrap();
    assert!(matches!(snapshot.run.phase, Phase::InDoubt { .. }), "a person decides\n{}", stage.story(&id));
    let partly = agreement::partly(&snapshot.world.traffic).expect("partly switched");
    assert_eq!((partly.at.a.len(), partly.at.b.len()), (1, 1), "{partly:?}");
    assert!(stage.alert_says(
        "in_doubt",
        "partly changed: done: simulated support.example.com; not done: the view from outside: the key may not change this view"
    ));
    let status = Status::full(&snapshot, stage.fleet.now());
    let guide = status.guide.unwrap();
    let if_not = guide.doubt.unwrap().if_not;
    assert!(stage.alert_says("in_doubt", &format!("changeover switch-back {id}")));
    for part in ["outside (the view from outside)", &format!("changeover resume {id}"), &format!("changeover switch-back {id}")] {
        assert!(if_not.contains(part), "{part}: {if_not}");
    }
    let agreement = status.agreement.unwrap();
    assert_eq!((agreement.verdict.as_str(), agreement.node), ("partly_switched", None), "{agreement:?}");
    assert!(guide.differs.contains(&agreement.line), "{:?}", guide.differs);
    let text = sheet::text(&snapshot.run, &snapshot.world);
    for part in ["Traffic is partly switched:", "to finish it: lead everything", "node `b`, 127.0.1.2", "or to take it back"] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_half_done_switch_is_finished_forward() {
    let (stage, refuses) = with_view();
    refuses.store(true, Ordering::SeqCst);
    let id = half_switched(&stage).await;
    settled(&stage).await;
    stage.resume(&id).await.unwrap();
    stage.answered(&id, |run| run.at().is_some_and(|at| at.attempts == 2) && matches!(run.phase, Phase::InDoubt { .. })).await;
    refuses.store(false, Ordering::SeqCst);
    stage.resume(&id).await.unwrap();
    let rest = stage.to_rest(&id).await;
    assert_eq!(rest.end, "succeeded", "{}", stage.story(&id));
    let truth = stage.truth();
    assert_eq!((truth.broken_promises.len(), truth.leads_to, truth.sessions.gone), (0, Some(NodeId::B), 0));
}

#[tokio::test(start_paused = true)]
async fn a_half_done_switch_is_taken_back() {
    let (stage, refuses) = with_view();
    refuses.store(true, Ordering::SeqCst);
    let id = half_switched(&stage).await;
    let before = stage.run(&id);
    assert!(before.may_be_half_switched() && before.leads_back_to() == NodeId::A);
    refuses.store(false, Ordering::SeqCst);
    let back = || Word::SwitchBack { note: "the outside view can't be moved tonight".to_owned() };
    // What was sent may have its effect yet.
    assert_eq!(stage.word(&id, back()).await.unwrap_err().code, "act_under_way");
    settled(&stage).await;
    stage.word(&id, back()).await.unwrap();
    let rest = stage.to_rest(&id).await;
    assert_eq!(rest.end, "switched_back", "{}", stage.story(&id));
    let (truth, run) = (stage.truth(), stage.run(&id));
    assert_eq!((truth.leads_to, truth.serving), (Some(NodeId::A), Some(NodeId::A)), "{}", stage.story(&id));
    assert!(!truth.nodes.a.closed && truth.nodes.b.closed && truth.broken_promises.is_empty(), "{}", stage.story(&id));
    assert!(run.survivor == NodeId::A && run.unprotected_since().is_some());
    let world = stage.fleet.run(&id).unwrap().world;
    assert_eq!((agreement::partly(&world.traffic), world.traffic.target()), (None, Some(NodeId::A)));
}

/// The switch was refused and nothing has moved: the way back sends no order, which would be refused for ever.
#[tokio::test(start_paused = true)]
async fn a_switch_that_moved_nothing_is_taken_back_without_an_order() {
    for fault in [Fault::Refused, Fault::NeverReached] {
        let stage = Stage::new();
        let id = stage.start("role-swap").await;
        stage.answered(&id, |run| run.is_at(Kind::Quiesce)).await;
        stage.fault(Planned::for_ever(fault).act("switch_traffic"));
        stage.answered(&id, |run| run.hold().is_some()).await;
        assert_eq!(stage.run(&id).step().unwrap().id, "window-1.switch_traffic.b", "{fault}\n{}", stage.story(&id));
        let sent = stage.site.calls.of("switch_traffic", None);
        stage.word(&id, Word::SwitchBack { note: "not tonight".to_owned() }).await.unwrap();
        let rest = stage.to_rest(&id).await;
        assert_eq!(rest.end, "switched_back", "{fault}\n{}", stage.story(&id));
        assert_eq!(stage.site.calls.of("switch_traffic", None), sent, "{fault}\n{}", stage.story(&id));
        let truth = stage.truth();
        assert_eq!((truth.serving, truth.leads_to, truth.broken_promises.len()), (Some(NodeId::A), Some(NodeId::A), 0));
    }
}

/// A refusal is found while failover is on, held for, and asked about again after it was put right.
#[tokio::test(start_paused = true)]
async fn a_key_without_the_right_is_found_before_the_break() {
    let (stage, _) = with_view();
    let refused = Planned { act: Some("switch_traffic".to_owned()), ..Planned::once(Fault::Refused) };
    stage.fault(refused.clone());
    let id = stage.start("role-swap").await;
    let rest = stage.to_rest(&id).await;
    assert_eq!(rest.end, "traffic_access", "{}", stage.story(&id));
    assert!(rest.run.broken_at.is_none() && stage.site.calls.of("switch_traffic", None) == 0, "{}", stage.story(&id));
    assert!(rest.run.hold().unwrap().found.contains("`switch_traffic` would be refused"), "{:?}", rest.run.hold());
    stage.mend();
    stage.pass(jiff::SignedDuration::from_mins(1)).await;
    stage.resume(&id).await.unwrap();
    let soaking = stage.answered(&id, |run| run.soak_from.is_some()).await;
    let access = soaking.access.clone().unwrap();
    assert_eq!((access.result, access.at < soaking.broken_at.unwrap()), (Outcome::Pass, true), "{access:?}");
    let snapshot = stage.fleet.run(&id).unwrap();
    let back = reverse::of(&snapshot.run, &snapshot.world).expect("the reverse");
    assert_eq!((back.from, back.to, back.entries.len()), (NodeId::B, NodeId::A, 2), "{back:?}");
    let text = sheet::text(&snapshot.run, &snapshot.world);
    for part in [
        "What leads traffic back",
        "the view from outside: from node `b` (127.0.1.2) to node `a` (127.0.1.1)",
        "took a change that alters nothing at",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

/// Where no step moves traffic nobody is asked for the right to, and a check asks nobody.
#[tokio::test(start_paused = true)]
async fn the_right_is_asked_for_only_where_it_is_needed() {
    let (stage, _) = with_view();
    stage.fleet.check(crate::stage::SITE).await.unwrap();
    assert_eq!(stage.site.calls.of("prove_access", None), 0, "a check");
    let id = stage.start("in-place").await;
    let soaking = stage.answered(&id, |run| run.soak_from.is_some()).await;
    assert_eq!((stage.site.calls.of("prove_access", None), soaking.access.clone()), (0, None), "in place");
}
