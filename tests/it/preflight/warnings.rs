//! Warnings: not accepted they stand in the way, accepted they don't, and an acceptance lapses with what it was bound to.

use changeover::domain::check::AcceptedWarning;
use changeover::domain::checks;
use changeover::domain::ids::{NodeId, RunId};
use changeover::engine::api::{Acceptance, Fleet as _, Kind, PlanRequest, Problem, Word};
use changeover::simulator::faults::{Fault, Planned};
use jiff::SignedDuration;

use super::Read;
use crate::stage::{Setting, Stage};

const STATUS: &str = "sync_status_unknown";

fn accepts(check: &str, node: Option<NodeId>, reason: &str) -> Acceptance {
    Acceptance { check: check.to_owned(), node, reason: reason.to_owned() }
}

/// A pair whose last sync ended with a text that nobody knows.
async fn odd(setting: Setting) -> Stage {
    let stage = Stage::set(setting);
    stage.fault(Planned::once(Fault::SyncOddStatus));
    stage.site.current().sync_now(NodeId::B).unwrap();
    stage.pass(SignedDuration::from_mins(2)).await;
    stage
}

async fn start(stage: &Stage, accepted: Vec<Acceptance>) -> Result<RunId, Problem> {
    stage.fleet.start(PlanRequest { accepted, ..stage.request("role-swap") }, "olga").await
}

#[test]
fn a_warning_is_accepted_by_name_node_and_ground() {
    let mut read = Read::new();
    read.sync().status = Some("odd".to_owned());
    let checks = read.checks();
    let warning = checks::find(&checks, STATUS, None).unwrap();
    let word = AcceptedWarning::new(warning, "it is good".to_owned(), "op1");
    assert_eq!(checks::failure(&checks, &[]).unwrap().code, "warning_not_accepted");
    assert_eq!(checks::failure(&checks, std::slice::from_ref(&word)), None);
    for other in [
        AcceptedWarning { check: "sync_too_old".to_owned(), ..word.clone() },
        AcceptedWarning { node: Some(NodeId::B), ..word.clone() },
        AcceptedWarning { basis: "odder".to_owned(), ..word.clone() },
    ] {
        assert_eq!(checks::unaccepted(&checks, &[other]).len(), 1);
    }
    let lapsed = AcceptedWarning { basis: "odder".to_owned(), ..word };
    let found = checks::failure(&checks, &[lapsed]).unwrap().found;
    assert!(found.contains("accepted by op1 when it was `odder`") && found.contains("as it is `odd` now"), "{found}");
}

/// Neither a failure nor what can't be told is ever a person's to accept.
#[test]
fn only_warnings_can_be_accepted() {
    let mut read = Read::new();
    read.node(NodeId::A).healthy = false;
    read.nodes.b = None;
    let checks = read.checks();
    for (name, said) in [
        ("unhealthy", "`unhealthy` fails, and only a warning can be accepted"),
        ("node_unreachable", "`node_unreachable` can't be told, and only a warning can be accepted"),
        ("wrong_box", "`wrong_box` passes, and only a warning can be accepted"),
        ("automatic_failover", "`automatic_failover` is asked at a gate, and only a warning can be accepted"),
        ("nonsense", "no warning is named `nonsense` now"),
    ] {
        assert_eq!(checks::find(&checks, name, None).unwrap_err().to_string(), said);
    }
}

#[tokio::test(start_paused = true)]
async fn an_unaccepted_warning_refuses_the_start_and_says_what_to_type() {
    let stage = odd(Setting::default()).await;
    let problem = start(&stage, Vec::new()).await.unwrap_err();
    assert_eq!((problem.kind, problem.code.as_str()), (Kind::Refused, "warning_not_accepted"), "{problem:?}");
    assert!(problem.hint.as_deref().unwrap().contains("--accept sync_status_unknown.a="), "{problem:?}");
    let plan = stage.fleet.plan(stage.request("role-swap")).await.unwrap();
    assert!(plan.refusals.iter().any(|refusal| refusal.rule == "warning_not_accepted"), "{:?}", plan.refusals);
    for (words, code) in [
        (accepts(STATUS, None, " "), "note_missing"),
        (accepts(STATUS, Some(NodeId::B), "why"), "not_acceptable"),
        (accepts("unhealthy", Some(NodeId::A), "why"), "not_acceptable"),
        (accepts("nonsense", None, "why"), "not_acceptable"),
    ] {
        assert_eq!(start(&stage, vec![words]).await.unwrap_err().code, code);
    }
    assert!(stage.fleet.runs().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_accepted_warning_is_in_the_plan_with_who_and_why() {
    let stage = odd(Setting::default()).await;
    let words = || vec![accepts(STATUS, Some(NodeId::A), "the vendor says that it is good")];
    let plan = stage.fleet.plan(PlanRequest { accepted: words(), ..stage.request("role-swap") }).await.unwrap();
    assert_eq!(plan.refusals, []);
    let id = start(&stage, words()).await.unwrap();
    let accepted = &stage.run(&id).plan.accepted[0];
    assert_eq!((accepted.check.as_str(), accepted.by.as_str()), (STATUS, "olga"));
    // The preflight step takes the same word; what comes after is the sync's own promise (R1).
    stage.until(&id, |run| run.checked.is_some()).await;
}

/// A run that is held by a warning that came up while it waited for its window.
pub async fn warned() -> (Stage, RunId) {
    let stage = Stage::set(Setting { first: "2026-11-22T06:00:00Z +4h".to_owned(), ..Setting::default() });
    let id = stage.start("role-swap").await;
    stage.pass(SignedDuration::from_hours(1)).await;
    assert_eq!(stage.word(&id, word(STATUS)).await.unwrap_err().code, "not_acceptable");
    stage.fault(Planned::for_ever(Fault::SyncOddStatus));
    stage.site.current().sync_now(NodeId::B).unwrap();
    let rest = stage.to_rest(&id).await;
    // `check_sync` comes first in the window, and has its own gate for the same text.
    assert!(matches!(rest.end.as_str(), "sync_status_unknown" | "warning_not_accepted"), "{}\n{}", rest.end, stage.story(&id));
    if rest.end == "sync_status_unknown" {
        stage.accept(&id, Some("sync_status")).await.unwrap();
        let rest = stage.to_rest(&id).await;
        assert_eq!(rest.end, "warning_not_accepted", "{}", stage.story(&id));
    }
    (stage, id)
}

fn word(check: &str) -> Word {
    Word::AcceptWarning { check: check.to_owned(), node: None, reason: "why".to_owned() }
}

/// It holds when the preflight is renewed, and a person's word on it lets it go on.
#[tokio::test(start_paused = true)]
async fn a_new_warning_holds_the_run_until_it_is_accepted() {
    let (stage, id) = warned().await;
    let held = stage.run(&id).hold().cloned().unwrap();
    assert!(held.message.contains(STATUS), "{}", held.message);
    stage.word(&id, word("unhealthy")).await.unwrap_err();
    stage.word(&id, word(STATUS)).await.unwrap();
    assert_eq!(stage.run(&id).accepted[0].by, "olga");
    stage.until(&id, |run| run.hold().is_none_or(|hold| hold.code != "warning_not_accepted")).await;
    assert_eq!(stage.count(&id, "warning_accepted", "prepare.preflight"), 1, "{}", stage.story(&id));
}
