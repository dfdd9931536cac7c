//! A person orders traffic back, at every moment of a role swap: allowed exactly where it can be done, along its fixed path.

use changeover::domain::event::Verdict;
use changeover::domain::ids::NodeId;
use changeover::domain::plan::Goal;
use changeover::domain::rule::Rule;
use changeover::domain::run::Phase;
use changeover::domain::sheet;
use changeover::engine::api::{Kind, Word};
use changeover::simulator::faults::{Fault, Planned};
use jiff::SignedDuration;

use crate::abort::{assert_ended, order};
use crate::stage::{Setting, Stage};

fn back() -> Word {
    Word::SwitchBack { note: "the new version prints nothing".to_owned() }
}

/// How the pair must stand after the way back, whichever versions it has.
fn assert_back(stage: &Stage, id: &changeover::domain::ids::RunId, case: &str) {
    let (truth, run) = (stage.truth(), stage.run(id));
    assert_eq!(truth.broken_promises, [], "{case}\n{}", stage.story(id));
    assert_eq!((truth.serving, truth.leads_to), (Some(NodeId::A), Some(NodeId::A)), "{case}\n{}", stage.story(id));
    assert!(!truth.linked && truth.nodes.b.closed && !truth.nodes.a.closed, "{case}\n{}", stage.story(id));
    assert!(truth.acts.iter().all(|act| act.what != "establish"), "{case}");
    assert!(truth.nodes.b.updates.len() == 1 && truth.nodes.a.updates.len() <= 1, "{case}");
    assert_eq!(truth.sessions.gone, 0, "{case}");
    assert!(run.switched_back && run.survivor == NodeId::A && run.unprotected_since().is_some(), "{case}");
    let forbidden = sheet::must_not(&run).join("\n");
    assert!(forbidden.contains("do not establish failover from node `b`"), "{case}: {forbidden}");
    assert!(sheet::state(&run).contains("node `a` serves"), "{case}: {}", sheet::state(&run));
}

async fn at_each_record(setting: Setting) {
    let stage = Stage::set(setting.clone());
    let id = stage.start("role-swap").await;
    stage.to_rest(&id).await;
    let records = stage.records(&id);
    let seq_of = |event: &str, step: &str| {
        records.iter().find(|record| record.event == event && record.step.as_deref() == Some(step)).unwrap().seq
    };
    let switched = seq_of("step_done", "window-1.switch_traffic.b");
    let (mut taken, last) = (0, records.len() as u64);
    for seq in 1..=last {
        let case = format!("after record {seq}");
        let stage = Stage::set(setting.clone());
        let id = stage.start("role-swap").await;
        let before = stage.until_seq(&id, seq).await;
        let allowed = before.may_switch_back();
        match stage.word(&id, back()).await {
            Ok(_) => {
                assert!(before.seq >= switched, "{case}\n{}", stage.story(&id));
                taken += 1;
                let rest = stage.to_rest(&id).await;
                assert_eq!(rest.end, "switched_back", "{case}\n{}", stage.story(&id));
                assert_back(&stage, &id, &case);
                let refused = stage.resume(&id).await.unwrap_err();
                assert_eq!((refused.kind, refused.code.as_str()), (Kind::Conflict, "switched_back"), "{case}");
                assert_eq!(stage.word(&id, back()).await.unwrap_err().code, "no_switch_back", "{case}: twice");
            }
            Err(problem) => {
                assert!(!(allowed && stage.run(&id).may_switch_back()), "{case}: {problem:?}\n{}", stage.story(&id));
                assert_eq!(problem.kind, Kind::Conflict, "{case}: {problem:?}");
            }
        }
    }
    assert!(taken >= 8 && taken < last - switched, "{taken} of {last}");
}

#[tokio::test(start_paused = true)]
async fn traffic_is_ordered_back_at_each_record() {
    at_each_record(Setting::default()).await;
}

#[tokio::test(start_paused = true)]
async fn traffic_is_ordered_back_by_hand_at_each_record() {
    at_each_record(Setting::by_operator()).await;
}

#[tokio::test(start_paused = true)]
async fn in_place_there_is_no_way_back() {
    let stage = Stage::new();
    let id = stage.start("in-place").await;
    for _ in 0..200 {
        match stage.word(&id, back()).await {
            Err(problem) => assert!(matches!(problem.code.as_str(), "no_switch_back" | "not_in_this_phase"), "{problem:?}"),
            Ok(_) => panic!("switched back\n{}", stage.story(&id)),
        }
        tokio::select! {
            () = stage.pass(SignedDuration::from_mins(11)) => {}
            _ = stage.to_rest(&id) => break,
        }
    }
    assert_eq!(stage.to_rest(&id).await.end, "succeeded");
}

/// The node that traffic should go back to is silent, unwell, or another box: nothing moves until it is itself again.
#[tokio::test(start_paused = true)]
async fn traffic_goes_back_only_to_a_node_that_can_serve() {
    for fault in [Fault::NodeSilent, Fault::Unhealthy, Fault::WrongBox] {
        let stage = Stage::new();
        let id = stage.start("role-swap").await;
        stage.until_step(&id, "soak.confirm").await;
        stage.fault(Planned::for_ever(fault).on(NodeId::A));
        stage.pass(SignedDuration::from_mins(2)).await;
        stage.word(&id, back()).await.unwrap();
        let rest = stage.idle_to_rest(&id).await;
        assert_ne!(rest.end, "switched_back", "{fault}\n{}", stage.story(&id));
        assert_eq!(stage.truth().leads_to, Some(NodeId::B), "{fault}\n{}", stage.story(&id));
        stage.mend();
        let mut end = rest.end;
        for _ in 0..3 {
            if end != "switched_back" {
                stage.resume(&id).await.unwrap_or_else(|problem| panic!("{fault}: {problem:?}\n{}", stage.story(&id)));
                end = stage.to_rest(&id).await.end;
            }
        }
        assert_eq!(end, "switched_back", "{fault}\n{}", stage.story(&id));
        assert_back(&stage, &id, fault.name());
    }
}

/// R10: who orders traffic back takes back what was said of the version. It is installed on the other node only after another word.
#[tokio::test(start_paused = true)]
async fn r10_an_order_back_voids_the_acceptance() {
    for step in ["soak.soak", "window-2.confirm"] {
        let stage = Stage::new();
        let id = stage.start("role-swap").await;
        let run = stage.until_step(&id, step).await;
        assert_eq!(run.verdict, Some(Verdict::Accept), "{step}\n{}", stage.story(&id));
        stage.word(&id, back()).await.unwrap();
        stage.until(&id, |run| matches!(run.phase, Phase::Waiting { .. })).await;
        let early = Word::Confirm { gate: None, verdict: Verdict::AcceptEarly, note: None, evidence: None };
        assert_eq!(stage.word(&id, early).await.unwrap_err().code, "gate_not_open", "{step}: no word is left to change");
        assert_eq!(stage.run(&id).verdict, None, "{step}");
        assert_eq!(stage.to_rest(&id).await.end, "switched_back", "{step}\n{}", stage.story(&id));
        let way = order(&stage, &id).await.unwrap_or_else(|(_, problem)| panic!("{step}: {problem:?}"));
        assert_eq!((way.goal, way.steps.len()), (Goal::Harbour { node: NodeId::A }, 0), "{step}: {way:?}");
        let rest = stage.to_rest(&id).await;
        assert_ended(&stage, &id, &way, &rest, step);
        let (found, problem) = order(&stage, &id).await.unwrap_err();
        assert!(found.found.not_home.iter().any(|violation| violation.rule == Rule::R10), "{step}: {problem:?}");
        assert!(problem.hint.as_ref().unwrap().contains("changeover confirm support-1 production"), "{step}: {problem:?}");
        assert_eq!(stage.truth().nodes.a.version, "24.1.1", "{step}");
        // Another word, given after the order, leads home.
        stage.accept(&id, Some("production")).await.unwrap();
        let way = order(&stage, &id).await.unwrap_or_else(|(_, problem)| panic!("{step}: {problem:?}"));
        assert_eq!(way.goal, Goal::Home, "{step}: {way:?}");
        let rest = stage.to_rest(&id).await;
        assert_ended(&stage, &id, &way, &rest, step);
    }
}

/// What a person has found bad stays so.
#[tokio::test(start_paused = true)]
async fn an_order_back_keeps_a_rejection() {
    let stage = Stage::new();
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "soak.confirm").await;
    stage.until(&id, |run| run.open_gate().is_some()).await;
    let reject = Word::Confirm { gate: Some("production".to_owned()), verdict: Verdict::Reject, note: None, evidence: None };
    stage.word(&id, reject).await.unwrap();
    stage.word(&id, back()).await.unwrap();
    assert_eq!(stage.run(&id).verdict, Some(Verdict::Reject), "{}", stage.story(&id));
}
