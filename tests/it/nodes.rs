//! Nodes that come back wrong, or late, or not at all; users who stay; and sessions where none should be.

use changeover::domain::event::{Verdict, WaitingOn};
use changeover::domain::gate::Gate;
use changeover::domain::ids::{NodeId, RunId};
use changeover::domain::run::Phase;
use changeover::domain::site::Policy;
use changeover::engine::api::{Kind, Word};
use changeover::simulator::faults::{Fault, Planned};
use changeover::simulator::world::World;
use jiff::SignedDuration;

use crate::audit::assert_sound;
use crate::stage::{PROCEDURES, Setting, Stage, end};

/// Where an update of each procedure happens first, and where second.
const UPDATES: [(&str, NodeId, &str); 4] = [
    ("in-place", NodeId::A, "window-1.update.a"),
    ("role-swap", NodeId::B, "window-1.update.b"),
    ("in-place", NodeId::B, "window-2.update.b"),
    ("role-swap", NodeId::A, "window-2.update.a"),
];

fn wide() -> Setting {
    Setting { first: "now +22h".to_owned(), second: "2026-11-24T01:00:00Z +22h".to_owned(), ..Setting::default() }
}

/// Slow is not failed: past its limit the update is in doubt, and done once the node shows it.
#[tokio::test(start_paused = true)]
async fn a_slow_update_is_not_a_failed_one() {
    for (procedure, node, step) in UPDATES {
        let stage = Stage::set(wide());
        stage.at("step_begun", step, move |world| world.plan_fault(Planned::once(Fault::UpdateSlow).on(node)));
        let id = stage.start(procedure).await;
        let rest = stage.to_rest(&id).await;
        assert_eq!(rest.end, "succeeded", "{procedure}\n{}", stage.story(&id));
        assert_eq!(stage.count(&id, "step_begun", step), 1);
        assert_sound(&stage, &id, procedure, true, step);
    }
}

/// The node comes back on its old version: in doubt at the limit, and only a person has it updated once more.
#[tokio::test(start_paused = true)]
async fn an_update_that_failed_is_repeated_by_a_person_only() {
    for (procedure, node, step) in UPDATES {
        let stage = Stage::set(wide());
        stage.at("step_begun", step, move |world| world.plan_fault(Planned::once(Fault::UpdateFails).on(node)));
        let id = stage.start(procedure).await;
        let rest = stage.to_rest(&id).await;
        assert_eq!(rest.end, "in_doubt", "{procedure}\n{}", stage.story(&id));
        assert_sound(&stage, &id, procedure, false, step);
        stage.pass(SignedDuration::from_hours(3)).await;
        assert_eq!(stage.count(&id, "step_begun", step), 1, "{}", stage.story(&id));
        stage.resume(&id).await.unwrap();
        let rest = stage.to_rest(&id).await;
        assert_eq!(rest.end, "succeeded", "{procedure}\n{}", stage.story(&id));
        assert_eq!(stage.truth().nodes[node].updates.len(), 2, "once more, by a person's word");
        assert!(stage.truth().broken_promises.is_empty());
    }
}

/// A version that nobody asked for holds the run; nothing else is disturbed, and traffic never moves to it.
#[tokio::test(start_paused = true)]
async fn a_wrong_version_holds_the_run() {
    for (procedure, node, step) in UPDATES {
        let stage = Stage::set(wide());
        stage.at("step_begun", step, move |world| world.plan_fault(Planned::once(Fault::UpdateWrongVersion).on(node)));
        let id = stage.start(procedure).await;
        let rest = stage.to_rest(&id).await;
        assert_eq!(rest.end, "wrong_version", "{procedure}\n{}", stage.story(&id));
        assert!(stage.alerts().ends_with(&["step_failed".to_owned(), "held".to_owned()]), "{:?}", stage.alerts());
        let leads_to = stage.truth().leads_to;
        for _ in 0..3 {
            stage.resume(&id).await.unwrap();
            let again = stage.to_rest(&id).await;
            assert!(matches!(again.end.as_str(), "out_of_band" | "known_path"), "{}\n{}", again.end, stage.story(&id));
        }
        assert_eq!(stage.truth().leads_to, leads_to);
        assert_sound(&stage, &id, procedure, false, step);
        // The right version, by the vendor's hand: seen, acknowledged, and the run goes on.
        stage.site.current().perform("update", node, None).unwrap();
        stage.pass(SignedDuration::from_mins(50)).await;
        let (rest, _) = stage.resume_to_end(&id).await;
        assert_eq!(rest.end, "succeeded");
    }
}

/// The node never answers again after its update: told, in doubt, and nothing more is disturbed.
#[tokio::test(start_paused = true)]
async fn a_node_that_never_comes_back() {
    for (procedure, node, step) in UPDATES {
        let stage = Stage::set(wide());
        stage.at("act_accepted", step, move |world| world.plan_fault(Planned::for_ever(Fault::NodeSilent).on(node)));
        let id = stage.start(procedure).await;
        let rest = stage.to_rest(&id).await;
        assert_eq!(rest.end, "in_doubt", "{procedure}\n{}", stage.story(&id));
        let seen = stage.truth().acts.len();
        stage.pass(SignedDuration::from_hours(24)).await;
        assert_eq!(stage.truth().acts.len(), seen, "{}", stage.story(&id));
        assert!(stage.alerts().contains(&"in_doubt".to_owned()));
        assert_sound(&stage, &id, procedure, false, step);
    }
}

/// BG-02: users who do not leave within the limit hold the run; it drains again when it is resumed.
#[tokio::test(start_paused = true)]
async fn bg_02_users_who_stay_hold_the_drain() {
    for procedure in PROCEDURES {
        let policy = Policy { drain_limit: SignedDuration::from_mins(1), ..Setting::default().policy };
        let mut held = 0;
        for seed in 1..8 {
            let stage = Stage::set(Setting { seed, policy: policy.clone(), ..Setting::default() });
            let id = stage.start(procedure).await;
            let mut rest = stage.to_rest(&id).await;
            if rest.end == "drain_limit" {
                held += 1;
                assert!(stage.alerts().ends_with(&["step_failed".to_owned(), "held".to_owned()]));
                assert!(stage.truth().nodes.a.takes_clients, "a drain closes nothing");
                // The person asks them to finish; sessions take up to 15 min.
                stage.pass(SignedDuration::from_mins(20)).await;
                rest = stage.resume_to_end(&id).await.0;
            }
            assert_eq!(rest.end, "succeeded", "{}", stage.story(&id));
            assert_sound(&stage, &id, procedure, true, procedure);
        }
        assert!(held > 0, "{procedure}: nobody ever stayed");
    }
}

/// The version is about to be asked about, and a user still works on the node that the name has left.
async fn strayed() -> (Stage, RunId) {
    let stage = Stage::new();
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "soak.confirm").await;
    stage.word(&id, Word::Hold).await.unwrap();
    let back_and_forth = |to: NodeId| move |world: &mut World| world.set_leads_to(Some(to));
    // Somebody opens the old node and moves the name back for a while; the first user stays there when it is moved again.
    stage.fault(Planned::for_ever(Fault::StrayUser).on(NodeId::A));
    stage.hand("open", NodeId::A);
    back_and_forth(NodeId::A)(&mut stage.site.current());
    stage.pass(SignedDuration::from_mins(90)).await;
    back_and_forth(NodeId::B)(&mut stage.site.current());
    stage.pass(SignedDuration::from_mins(1)).await;
    stage.resume(&id).await.unwrap();
    for _ in 0..400 {
        if stage.truth().nodes.a.open_sessions > 0 && end(&stage.run(&id)).is_none() {
            return (stage, id);
        }
        stage.pass(SignedDuration::from_secs(30)).await;
    }
    panic!("no stray session ever began\n{}", stage.story(&id));
}

fn on_the_version(verdict: Verdict) -> Word {
    Word::Confirm { gate: Some("production".to_owned()), verdict, note: None, evidence: None }
}

/// R10: the gate is not asked while such sessions are there, and the box falls silent. Who finds the version bad waits for neither.
#[tokio::test(start_paused = true)]
async fn r10_a_version_is_rejected_while_its_gate_awaits_a_reading() {
    let (stage, id) = strayed().await;
    stage.until(&id, |run| matches!(run.phase, Phase::Waiting { on: WaitingOn::Appliance, .. })).await;
    stage.fault(Planned::for_ever(Fault::NodeSilent).on(NodeId::A));
    let problem = stage.word(&id, on_the_version(Verdict::Accept)).await.unwrap_err();
    assert_eq!(problem.code, "gate_not_open", "{problem:?}");
    assert!(problem.hint.is_some_and(|hint| hint.contains(" production --reject`")), "{}", stage.story(&id));
    stage.word(&id, on_the_version(Verdict::Reject)).await.unwrap();
    assert_eq!(end(&stage.run(&id)).as_deref(), Some("rejected"));
    // Resumed, it is asked about again.
    stage.mend();
    stage.site.current().close(NodeId::A).unwrap();
    stage.resume(&id).await.unwrap();
    stage.until(&id, |run| run.open_gate() == Some(Gate::Production)).await;
}

/// R16: a user who still works on the node that the name has left keeps the new version from being accepted.
#[tokio::test(start_paused = true)]
async fn r16_stray_sessions_block_the_acceptance() {
    let (stage, id) = strayed().await;
    let problem = stage.word(&id, on_the_version(Verdict::Accept)).await.unwrap_err();
    assert!(matches!(problem.code.as_str(), "one_serves" | "gate_not_open"), "{problem:?}\n{}", stage.story(&id));
    assert_eq!(problem.kind == Kind::Refused, problem.code == "one_serves");
    stage.pass(SignedDuration::from_mins(5)).await;
    assert!(stage.alerts().contains(&"stray_session".to_owned()), "{}", stage.story(&id));
    stage.mend();
    stage.site.current().close(NodeId::A).unwrap();
    stage.pass(SignedDuration::from_mins(40)).await;
    let rest = stage.to_rest(&id).await;
    let rest = if rest.end == "succeeded" { rest } else { stage.resume_to_end(&id).await.0 };
    assert_eq!(rest.end, "succeeded", "{}", stage.story(&id));
    let truth = stage.truth();
    assert!(truth.broken_promises.is_empty() && truth.sessions.gone == 0);
}

/// An act may take hours to answer. Meanwhile the other node is watched, and what people must know is told in time.
#[tokio::test(start_paused = true)]
async fn what_happens_beside_a_long_act_is_told_while_it_lasts() {
    let policy = Policy { max_silence: SignedDuration::from_mins(1), ..Setting::default().policy };
    let stage = Stage::set(Setting { policy, ..wide() });
    stage.at("step_begun", "window-1.update.b", |world| {
        world.plan_fault(Planned::once(Fault::Slow).on(NodeId::B).act("update"));
        world.plan_fault(Planned::for_ever(Fault::NodeSilent).on(NodeId::A));
    });
    let id = stage.start("role-swap").await;
    stage.to_rest(&id).await;
    let records = stage.records(&id);
    let told = records.iter().position(|record| record.data["notice"] == "node_unreachable");
    let answered =
        records.iter().position(|record| record.event == "act_accepted" && record.step.as_deref() == Some("window-1.update.b"));
    assert!(told.is_some() && told < answered, "told {told:?}, answered {answered:?}\n{}", stage.story(&id));
}
