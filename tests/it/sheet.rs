//! What the sheet advises where the journal is behind the boxes: nobody is sent to link or to update before somebody has looked.

use changeover::domain::event::{Baseline, Event, WaitingOn};
use changeover::domain::ids::NodeId;
use changeover::domain::run::Run;
use changeover::domain::sheet;
use changeover::domain::version::Target;
use changeover::engine::api::{Fleet as _, Word};
use changeover::server::view::Guide;
use jiff::SignedDuration;

use crate::api::fake::Fake;
use crate::stage::{Setting, Stage};

const NEVER: &str = "do not establish failover while the versions differ";

fn ordered() -> Event {
    Event::StepBegun { attempt: 1, baseline: Baseline::default() }
}

fn doubted() -> Event {
    Event::Doubted { message: "the answer was lost".to_owned() }
}

fn held(code: &str, found: &str, node: Option<NodeId>) -> Event {
    let found = found.to_owned();
    Event::Held { code: code.to_owned(), message: found.clone(), expected: String::new(), found, node, given_up: true }
}

fn after(step: &str, events: Vec<Event>) -> Run {
    let fake = Fake::default();
    let id = fake.run_at(step);
    for event in events {
        fake.push(&id, event);
    }
    (*fake.run(&id).unwrap().run).clone()
}

/// Steps, what has happened there, the node to look at, and what is said of its version.
type Case = (&'static str, Vec<Event>, NodeId, &'static str);

fn cases() -> Vec<Case> {
    let (a, b) = (NodeId::A, NodeId::B);
    let foreign = "version 24.2.2, build 1";
    let proven = "before its update was ordered, which is not proven";
    vec![
        ("window-1.update.b", vec![ordered()], b, proven),
        ("window-1.update.b", vec![ordered(), Event::ActAccepted {}], b, proven),
        ("window-1.update.b", vec![ordered(), doubted()], b, proven),
        ("window-1.update.b", vec![ordered(), doubted(), held("step_failed", "silent", Some(b))], b, proven),
        ("window-1.update.b", vec![ordered(), held("wrong_version", foreign, Some(b))], b, "showed version 24.2.2, build 1"),
        ("window-2.update.a", vec![ordered(), Event::ActAccepted {}], a, proven),
        ("window-2.update.a", vec![ordered(), doubted()], a, proven),
        ("soak.soak", vec![held("out_of_band", foreign, Some(a))], a, "showed version 24.2.2, build 1"),
        ("soak.soak", vec![held("out_of_band", foreign, Some(b))], b, "showed version 24.2.2, build 1"),
    ]
}

/// R6: from an update's order to its proof, and after one that failed, the journal has the old version.
#[test]
fn r6_nothing_is_linked_or_updated_by_hand_before_the_version_was_seen() {
    for (step, events, node, says) in cases() {
        let case = format!("{step} {events:?}");
        let run = after(step, events);
        let (may, must_not) = (sheet::may(&run).join("\n"), sheet::must_not(&run));
        assert!(may.contains(&format!("see first which version node `{node}` shows")), "{case}: {may}");
        for advice in ["go back to a pair", "update node", "then establish"] {
            assert!(!may.contains(advice), "{case}: {advice}: {may}");
        }
        assert!(must_not.iter().any(|line| line == NEVER), "{case}: {must_not:?}");
        let again = format!("do not update or restart node `{node}` before its version was seen");
        assert!(must_not.iter().any(|line| line.starts_with(&again)), "{case}: {must_not:?}");
        assert!(sheet::state(&run).contains(says), "{case}: {}", sheet::state(&run));
    }
}

/// As long as the pair is unlinked, whatever the journal believes; and what is known is advised as before.
#[test]
fn r6_different_versions_are_never_linked_by_hand() {
    for (step, advice) in [
        ("window-1.update.b", "go back to a pair"),
        ("soak.soak", "save the settings of both nodes, update node `a`"),
        ("window-2.establish_failover.b", "go back to a pair"),
    ] {
        let run = after(step, Vec::new());
        assert!(sheet::must_not(&run).iter().any(|line| line == NEVER), "{step}: {:?}", sheet::must_not(&run));
        assert!(sheet::may(&run).join("\n").contains(advice), "{step}: {:?}", sheet::may(&run));
        assert!(!sheet::state(&run).contains(" ran "), "{step}: {}", sheet::state(&run));
    }
}

/// Broken by other hands, half or whole: nothing says that failover is on, and both the way back and what overwrites the data are said.
#[test]
fn r8_a_link_that_is_gone_is_not_called_on() {
    let gone = || held("out_of_band", "no relationship on either node", None);
    let resumed = || Event::Resumed { first: None, second: None, responsible: None };
    let waits = || Event::Waited { on: WaitingOn::Appliance, until: None };
    for events in [vec![gone()], vec![gone(), resumed()], vec![gone(), resumed(), waits()]] {
        let case = format!("{events:?}");
        let run = after("window-1.force_sync.b", events);
        assert!(sheet::state(&run).starts_with("failover is off, by no act of this run"), "{case}: {}", sheet::state(&run));
        assert!(sheet::state(&run).contains("node `a` serves"), "{case}");
        let may = sheet::may(&run).join("\n");
        assert!(may.contains("if still no node reports a link, go back to a pair: close node `b` to clients, extract its session data, then establish failover from node `a`"), "{case}: {may}");
        let must_not = sheet::must_not(&run).join("\n");
        assert!(must_not.contains("do not establish failover from node `b`") && must_not.contains(NEVER), "{case}: {must_not}");
        assert!(run.off_since().is_some() && run.unprotected_since().is_none(), "{case}");
    }
    let half = after("window-1.force_sync.b", vec![held("out_of_band", "a relationship on one node only", None)]);
    assert!(sheet::state(&half).starts_with("failover can't be relied on: a relationship on one node only"));
    assert!(sheet::must_not(&half)[0].starts_with("do not start a sync and do not establish failover"));
    // Proven by a step, it is as ever.
    let fake = Fake::default();
    let id = fake.run_at("window-1.force_sync.b");
    fake.push(&id, gone());
    fake.push(&id, resumed());
    let evidence = changeover::domain::event::Evidence::seen("so");
    fake.push(&id, Event::StepDone { evidence, already: false });
    let run = fake.run(&id).unwrap().run;
    assert!(sheet::state(&run).starts_with("failover is still on"), "{}", sheet::state(&run));
    assert_eq!(run.off_since(), None);
}

/// A second person must not carry out what the first has begun, also where a hold was asked for meanwhile.
#[tokio::test(start_paused = true)]
async fn an_instruction_that_has_begun_asks_for_nobody_else() {
    let stage = Stage::set(Setting::by_operator());
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "window-1.update.b").await;
    stage.until(&id, |run| run.act.as_ref().is_some_and(|act| act.instruction.is_some())).await;
    let unblocks = || {
        let snapshot = stage.fleet.run(&id).unwrap();
        Guide::of(&snapshot.run, &snapshot.world).unblocks
    };
    assert!(unblocks().starts_with("carry out the instruction, not after "), "{}", unblocks());
    let target = Target { version: "24.2.1".parse().unwrap(), build: None };
    stage.site.current().update(NodeId::B, Some(target)).unwrap();
    stage.pass(SignedDuration::from_mins(2)).await;
    for hold in [false, true] {
        if hold {
            stage.word(&id, Word::Hold).await.unwrap();
        }
        assert!(unblocks().contains("do not begin it a second time"), "{}", unblocks());
        assert!(!unblocks().contains("carry out the instruction"), "{}", unblocks());
        let run = stage.run(&id);
        assert!(run.hold().is_none() && run.hold_requested == hold, "{:?}", run.phase);
        assert!(sheet::may(&run).join("\n").contains("see first which version node `b` shows"), "{:?}", sheet::may(&run));
    }
}
