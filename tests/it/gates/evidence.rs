//! What becomes of a word when what was shown changes: before it, after it, and while others are still asked.

use std::collections::BTreeMap;

use changeover::domain::event::{Shown, Verdict};
use changeover::domain::gate::{Gate, GatePolicy};
use changeover::domain::ids::{NodeId, RunId};
use changeover::domain::shown;
use changeover::engine::api::{Fleet as _, Kind, Word};
use changeover::simulator::faults::{Fault, Planned};

use super::{accept_all, at_gate, gates_of, is_open, lapse, mins, policy, refused, roles, setting, until_gate, word};
use crate::audit::assert_sound;
use crate::stage::{Setting, Stage, end};

fn evidence(stage: &Stage, id: &RunId) -> Shown {
    let snapshot = stage.fleet.run(id).unwrap();
    shown::of(&snapshot.run, &snapshot.world)
}

/// Shown one thing, confirmed on another: refused with what has changed. At every gate of a run before which no other word waits
/// to be relied on: that one lapses first.
#[tokio::test(start_paused = true)]
async fn a_word_on_what_is_no_more_so_is_refused_with_what_has_changed() {
    let mut met = 0;
    for (nth, gate) in gates_of("every-gate").await {
        let (stage, id, _) = at_gate(setting(&GatePolicy::default()), nth).await;
        // An unhealthy node is not accepted in production, whatever was shown: the soak's own promise.
        if !stage.run(&id).bound.is_empty() || gate == Gate::Production {
            continue;
        }
        met += 1;
        stage.pass(mins(2)).await;
        let seen = evidence(&stage, &id).short().to_owned();
        let with = |hash: &str| match word(gate, Verdict::Accept) {
            Word::Confirm { gate, verdict, note, .. } => Word::Confirm { gate, verdict, note, evidence: Some(hash.to_owned()) },
            other => other,
        };
        stage.fault(Planned::for_ever(Fault::Unhealthy).on(NodeId::B));
        stage.pass(mins(3)).await;
        let problem = refused(&stage, "owner1", &id, with(&seen)).await;
        assert_eq!((problem.kind, problem.code.as_str()), (Kind::Conflict, "evidence_changed"), "{gate}: {problem:?}");
        assert!(problem.causes[0].contains("node b health: was healthy, is not healthy"), "{gate}: {problem:?}");
        let other = refused(&stage, "owner1", &id, with("0123456789ab")).await;
        assert!(other.code == "evidence_changed" && other.causes[0].contains("not known here"), "{other:?}");
        stage.mend();
        stage.pass(mins(3)).await;
        stage.says("owner1", &id, with(&seen)).await.unwrap_or_else(|problem| panic!("{gate}: {problem:?}"));
    }
    assert!(met >= 3, "{met}");
}

/// What a gate shows in the moment in which it opens can be confirmed, although the look that follows tells more.
#[tokio::test(start_paused = true)]
async fn what_a_gate_shows_at_once_is_known_after_the_next_look() {
    for procedure in ["in-place", "role-swap"] {
        let stage = Stage::new();
        let id = stage.start(procedure).await;
        let mut met = 0;
        while end(&stage.run(&id)).is_none() {
            let before = stage.run(&id).seq;
            let run = stage.answered(&id, |run| run.open_gate().is_some() || end(run).is_some()).await;
            let Some(gate) = run.open_gate() else { break };
            let hash = evidence(&stage, &id).short().to_owned();
            stage.pass(mins(2)).await;
            let with = match word(gate, Verdict::Accept) {
                Word::Confirm { gate, verdict, note, .. } => Word::Confirm { gate, verdict, note, evidence: Some(hash) },
                other => other,
            };
            met += 1;
            stage.word(&id, with).await.unwrap_or_else(|problem| panic!("{procedure} {gate} behind {before}: {problem:?}"));
        }
        assert!(met >= 4, "{procedure}: {met}\n{}", stage.story(&id));
    }
}

/// Confirmed, then changed before anything was done: void, said so, and asked again. Each of the gates that are followed by
/// another one, while that one is open.
#[tokio::test(start_paused = true)]
async fn a_confirmation_is_void_when_what_it_stood_on_changes_before_an_act() {
    let gates = gates_of("every-gate").await;
    let followed = gates.windows(2).filter(|pair| match pair {
        [(_, gate), (_, next)] => [
            (Gate::Licence, Gate::Order),
            (Gate::Order, Gate::GoLive),
            (Gate::AutomaticFailoverOff, Gate::SettingsFrozen),
            (Gate::Handover, Gate::AutomaticFailoverOff),
        ]
        .contains(&(*gate, *next)),
        _ => false,
    });
    for pair in followed {
        let ((nth, gate), (_, next)) = (pair[0], pair[1]);
        let (stage, id, _) = at_gate(setting(&GatePolicy::default()), nth).await;
        stage.pass(mins(2)).await;
        stage.says("owner1", &id, word(gate, Verdict::Accept)).await.unwrap();
        stage.until(&id, is_open(next)).await;
        stage.fault(Planned::for_ever(Fault::Unhealthy).on(NodeId::A));
        stage.until(&id, |run| run.open_gate().is_some_and(|open| open != next)).await;
        let reason = lapse(&stage, &id);
        assert!(reason.contains("node a health: was healthy, is not healthy"), "{reason}");
        assert!(stage.alert_says("gate_waiting", "evidence_changed"), "{gate}");
        // The soak that was over begins anew with the acceptance of the version, and its window goes by.
        if gate == Gate::Handover {
            continue;
        }
        stage.mend();
        stage.pass(mins(3)).await;
        assert_eq!(accept_all(&stage, &id).await, "succeeded", "{gate}\n{}", stage.story(&id));
        assert_sound(&stage, &id, "every-gate", true, gate.name());
    }
}

/// R10: the acceptance of the version is looked at throughout the soak, also an early one with its waiver.
#[tokio::test(start_paused = true)]
async fn r10_the_acceptance_of_the_version_is_void_when_it_falls_ill_in_the_soak() {
    for verdict in [Verdict::Accept, Verdict::AcceptEarly] {
        let mut policy = policy(&GatePolicy::default());
        policy.waivers = BTreeMap::from([("min_soak".to_owned(), roles(&["owner"]))]);
        let stage = Stage::set(Setting { policy, ..setting(&GatePolicy::default()) });
        let id = stage.start("role-swap").await;
        while until_gate(&stage, &id).await != Some(Gate::Production) {
            let gate = stage.run(&id).open_gate().unwrap();
            stage.says("owner1", &id, word(gate, Verdict::Accept)).await.unwrap();
        }
        stage.pass(mins(2)).await;
        stage.says("owner1", &id, word(Gate::Production, verdict)).await.unwrap();
        stage.until(&id, is_open(Gate::ClientsByAddress)).await;
        stage.says("owner1", &id, word(Gate::ClientsByAddress, Verdict::Accept)).await.unwrap();
        stage.pass(mins(30)).await;
        assert_eq!(stage.run(&id).soaked, verdict == Verdict::AcceptEarly);
        stage.fault(Planned::for_ever(Fault::Unhealthy).on(NodeId::B));
        stage.until(&id, is_open(Gate::Production)).await;
        let run = stage.run(&id);
        assert!(run.verdict.is_none() && !run.soaked && run.bound.is_empty(), "{}", stage.story(&id));
        stage.mend();
        stage.pass(mins(3)).await;
        assert_eq!(accept_all(&stage, &id).await, "succeeded", "{}", stage.story(&id));
        assert_sound(&stage, &id, "role-swap", true, "ill in the soak");
    }
}

/// Evidence that changes again and again is a person's: no endless asking.
#[tokio::test(start_paused = true)]
async fn what_flaps_ends_in_a_hold() {
    let gates = gates_of("every-gate").await;
    let (nth, _) = gates.into_iter().find(|(_, gate)| *gate == Gate::Licence).unwrap();
    let (stage, id, _) = at_gate(setting(&GatePolicy::default()), nth).await;
    for time in 0.. {
        stage.pass(mins(3)).await;
        if end(&stage.run(&id)).is_some() {
            break;
        }
        assert!(time < 20, "{}", stage.story(&id));
        stage.says("owner1", &id, word(Gate::Licence, Verdict::Accept)).await.unwrap();
        let ill = time % 2 == 0;
        if ill {
            stage.fault(Planned::for_ever(Fault::Unhealthy).on(NodeId::A))
        } else {
            stage.mend()
        }
        stage.pass(mins(3)).await;
    }
    assert_eq!(end(&stage.run(&id)).as_deref(), Some("evidence_changed"), "{}", stage.story(&id));
    stage.mend();
    stage.pass(mins(3)).await;
    stage.says("op1", &id, Word::Resume { window: None }).await.unwrap();
    assert_eq!(accept_all(&stage, &id).await, "succeeded", "{}", stage.story(&id));
}
