//! The handover note: what whoever opens window two reads, and that it is this note that is acknowledged.

use changeover::domain::event::Verdict;
use changeover::domain::gate::{Gate, GatePolicy};
use changeover::domain::handover::{self, Note};
use changeover::domain::ids::{NodeId, RunId};
use changeover::domain::plan::Goal;
use changeover::domain::site::Policy;
use changeover::engine::api::{Fleet as _, Word};
use changeover::simulator::faults::{Fault, Planned};
use jiff::SignedDuration;

use crate::abort::order;
use crate::stage::{PROCEDURES, Setting, Stage, end};

fn try_note(stage: &Stage, id: &RunId) -> Option<Note> {
    let snapshot = stage.fleet.run(id).unwrap();
    handover::note(&snapshot.run, &stage.records(id), &snapshot.world)
}

fn note(stage: &Stage, id: &RunId) -> Note {
    try_note(stage, id).unwrap()
}

fn lines(note: &Note, title: &str) -> Vec<String> {
    note.sections.iter().find(|section| section.title == title).unwrap().lines.clone()
}

fn says(note: &Note, title: &str, what: &str) -> bool {
    lines(note, title).iter().any(|line| line.contains(what))
}

async fn at_handover(stage: &Stage, id: &RunId) {
    loop {
        let run = stage.until(id, |run| end(run).is_some() || run.open_gate().is_some()).await;
        match run.open_gate() {
            Some(Gate::Handover) => return,
            Some(_) => drop(stage.accept(id, None).await.unwrap()),
            None => panic!("{:?}\n{}", end(&run), stage.story(id)),
        }
    }
}

const FIRST: &str = "What happened in window one";
const SINCE: &str = "What happened since";

/// Window one went by itself: its steps with their times, the acceptance, and nothing else.
#[tokio::test(start_paused = true)]
async fn a_quiet_window_one_says_so() {
    for procedure in PROCEDURES {
        let stage = Stage::new();
        let id = stage.start(procedure).await;
        stage.until_step(&id, "window-1.break_failover.a").await;
        assert_eq!(try_note(&stage, &id), None, "{procedure}");
        stage.until_step(&id, "soak.confirm").await;
        let early = note(&stage, &id);
        assert_eq!(lines(&early, "What was accepted"), ["nothing"], "{procedure}");
        at_handover(&stage, &id).await;
        let note = note(&stage, &id);
        assert_ne!(note.hash, early.hash, "{procedure}: an acceptance is news");
        let steps = stage.run(&id).plan.steps.iter().filter(|step| step.id.starts_with("window-1")).count();
        assert_eq!(lines(&note, FIRST).len(), steps, "{procedure}: {note:?}");
        assert!(says(&note, FIRST, "`automatic_failover_off` confirmed by olga"), "{note:?}");
        assert!(says(&note, FIRST, "(expected 1h)"), "{note:?}");
        assert!(says(&note, "What was accepted", "gate `production` accepted"), "{note:?}");
        assert!(says(&note, "What was accepted", "olga"), "{note:?}");
        assert!(says(&note, SINCE, "soak_in_use") && says(&note, SINCE, "`soak.soak` done"), "{note:?}");
        assert_eq!(lines(&note, "What is unusual"), ["nothing"], "{note:?}");
        assert!(says(&note, "What stays and what must not be done", "(survivor)"), "{note:?}");
        assert!(says(&note, "What stays and what must not be done", "do not establish failover from node"), "{note:?}");
        assert!(note.now.iter().any(|line| line.contains("as it should be")), "{note:?}");
        assert_eq!(note.acknowledged, None);
    }
}

/// Tries, doubts, holds, restarts, notices and notes of window one and of the days since are in it, each in its place.
#[tokio::test(start_paused = true)]
async fn an_eventful_window_one_is_told() {
    let mut stage = Stage::new();
    stage.fault(Planned::once(Fault::NeverReached).act("force_sync"));
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "window-1.update.b").await;
    stage.until(&id, |run| run.act.as_ref().is_some_and(|act| act.accepted)).await;
    stage.restart();
    stage.word(&id, Word::Hold).await.unwrap();
    stage.until(&id, |run| run.hold().is_some()).await;
    stage.resume(&id).await.unwrap();
    stage.until_step(&id, "soak.confirm").await;
    stage.until(&id, |run| run.open_gate() == Some(Gate::Production)).await;
    let word = |verdict, note: &str| Word::Confirm {
        gate: Some("production".to_owned()),
        verdict,
        note: Some(note.to_owned()),
        evidence: None,
    };
    stage.pass(SignedDuration::from_hours(1)).await;
    stage.word(&id, word(Verdict::AcceptEarly, "all tickets are fine")).await.unwrap();
    stage.until(&id, |run| run.soaked).await;
    stage.fault(Planned::for_ever(Fault::NodeSilent).on(NodeId::A));
    stage.pass(SignedDuration::from_mins(30)).await;
    let note = note(&stage, &id);
    let told = [
        (FIRST, "did not arrive, tried again"),
        (FIRST, ", 2 attempts"),
        (FIRST, "held (operator)"),
        (FIRST, "olga let the run go on"),
        (FIRST, "the daemon was restarted"),
        ("What was accepted", "before the shortest soak is over"),
        ("What was accepted", ": all tickets are fine"),
        (SINCE, "node_unreachable: node `a`"),
        ("What is unusual", "node_unreachable since"),
        ("What is unusual", "soak_silent since"),
    ];
    for (title, what) in told {
        assert!(says(&note, title, what), "{title}: {what}\n{note:#?}\n{}", stage.story(&id));
    }
    assert!(!says(&note, SINCE, "held (operator)"), "{note:#?}");
}

/// What people ordered after window one is told, and what was done for it: above all that traffic was moved.
#[tokio::test(start_paused = true)]
async fn orders_after_window_one_and_their_steps_are_told() {
    let stage = Stage::new();
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "soak.confirm").await;
    stage.until(&id, |run| run.open_gate() == Some(Gate::Production)).await;
    stage.word(&id, Word::SwitchBack { note: "the new version prints nothing".to_owned() }).await.unwrap();
    stage.to_rest(&id).await;
    let back = note(&stage, &id);
    for what in ["olga ordered traffic back: the new version prints nothing", "`switch-back.switch_traffic.a` done after "] {
        assert!(says(&back, SINCE, what) && !says(&back, FIRST, what), "{what}\n{back:#?}\n{}", stage.story(&id));
    }
    let way = order(&stage, &id).await.unwrap_or_else(|(_, problem)| panic!("{problem:?}\n{}", stage.story(&id)));
    stage.to_rest(&id).await;
    let home = note(&stage, &id);
    let leads = if way.goal == Goal::Home { "home" } else { "to harbour, node `a` serves" };
    let ordered = format!("olga ordered the way {leads}: the vendor called it back");
    assert!(says(&home, SINCE, &ordered) && home.hash != back.hash, "{home:#?}\n{}", stage.story(&id));
}

/// The note that was read is the note that is acknowledged; what was added since is read first.
#[tokio::test(start_paused = true)]
async fn only_the_note_that_was_read_is_acknowledged() {
    let stage = Stage::new();
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "soak.confirm").await;
    let early = note(&stage, &id);
    let take_over = |read: &str| Word::TakeOver { read: read.to_owned(), note: None, evidence: None };
    let refused = stage.word(&id, take_over(&early.hash)).await.unwrap_err();
    assert_eq!(refused.code, "gate_not_open", "{refused:?}");
    at_handover(&stage, &id).await;
    let refused = stage.word(&id, take_over(&early.hash)).await.unwrap_err();
    assert_eq!(refused.code, "handover_changed", "{refused:?}");
    assert_eq!(stage.run(&id).open_gate(), Some(Gate::Handover));
    let read = note(&stage, &id);
    // Time alone changes nothing of it.
    stage.pass(SignedDuration::from_mins(30)).await;
    assert_eq!(note(&stage, &id).hash, read.hash, "{}", stage.story(&id));
    stage.word(&id, take_over(&read.hash)).await.unwrap();
    let records = stage.records(&id);
    let word = records.iter().rfind(|record| record.event == "confirmed" && record.reason.contains("handover")).unwrap();
    assert!(word.reason.contains(&read.hash), "{}", word.reason);
    // It is kept as it was read, whatever window two brings.
    assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
    let kept = note(&stage, &id);
    assert_eq!((&kept.sections, &kept.hash), (&read.sections, &read.hash));
    assert!(kept.acknowledged.is_some_and(|who| who.starts_with("olga at ")));
}

/// A word that is void is none: who takes over after it reads what happened since.
#[tokio::test(start_paused = true)]
async fn a_voided_handover_is_read_anew() {
    // The soak begins anew by that, and must end in window two.
    let stage = Stage::set(Setting { second: "2026-11-23T07:00:00Z +40h".to_owned(), ..Setting::default() });
    let id = stage.start("role-swap").await;
    at_handover(&stage, &id).await;
    let read = note(&stage, &id);
    stage.word(&id, Word::TakeOver { read: read.hash.clone(), note: None, evidence: None }).await.unwrap();
    stage.fault(Planned { node: Some(NodeId::A), ..Planned::for_ever(Fault::Unhealthy) });
    stage.until(&id, |run| run.step().is_some_and(|step| step.gate == Some(Gate::Production)) || end(run).is_some()).await;
    stage.mend();
    stage.pass(SignedDuration::from_mins(5)).await;
    at_handover(&stage, &id).await;
    let now = note(&stage, &id);
    assert_ne!(now.hash, read.hash, "{now:#?}");
    assert_eq!(now.acknowledged, None);
}

/// One of two has taken over, or a hold has dropped their word: what happens after it is in the note that the others read.
#[tokio::test(start_paused = true)]
async fn one_of_two_words_leaves_the_note_open() {
    let two = GatePolicy { persons: 2, ..GatePolicy::default() };
    let policy = Policy { gates: [(Gate::Handover, two)].into(), ..Policy::default() };
    for held in [false, true] {
        let stage = Stage::set(Setting { policy: policy.clone(), ..Setting::default() });
        let id = stage.start("role-swap").await;
        at_handover(&stage, &id).await;
        let take_over = |read: &Note| Word::TakeOver { read: read.hash.clone(), note: None, evidence: None };
        let early = note(&stage, &id);
        stage.says("olga", &id, take_over(&early)).await.unwrap();
        if held {
            stage.word(&id, Word::Hold).await.unwrap();
            stage.until(&id, |run| run.hold().is_some()).await;
            stage.resume(&id).await.unwrap();
            stage.until(&id, |run| run.open_gate() == Some(Gate::Handover)).await;
            stage.says("olga", &id, take_over(&note(&stage, &id))).await.unwrap();
        } else {
            stage.fault(Planned::for_ever(Fault::NodeSilent).on(NodeId::A));
            stage.pass(SignedDuration::from_mins(10)).await;
            stage.mend();
            stage.pass(SignedDuration::from_mins(10)).await;
        }
        let read = note(&stage, &id);
        let news = if held { "held (operator)" } else { "node_unreachable" };
        assert!(says(&read, SINCE, news) && read.acknowledged.is_none(), "{read:#?}\n{}", stage.story(&id));
        let refused = stage.says("op2", &id, take_over(&early)).await.unwrap_err();
        assert_eq!(refused.code, "handover_changed", "{refused:?}");
        stage.says("op2", &id, take_over(&read)).await.unwrap();
        let kept = note(&stage, &id);
        assert!(kept.acknowledged.is_some_and(|who| who.starts_with("op2 at ")));
        assert_eq!((kept.sections, kept.hash), (read.sections, read.hash));
    }
}

/// Whoever is asked is told where the note is.
#[tokio::test(start_paused = true)]
async fn the_gate_points_to_the_note() {
    let stage = Stage::new();
    let id = stage.start("role-swap").await;
    at_handover(&stage, &id).await;
    assert!(stage.alert_says("gate_waiting", "changeover handover support-1"), "{}", stage.story(&id));
    // Without a hash the gate is answered as any other, and the note's hash is recorded all the same.
    let hash = note(&stage, &id).hash;
    stage.accept(&id, Some("handover")).await.unwrap();
    assert!(stage.records(&id).iter().any(|record| record.reason.contains(&hash)), "{}", stage.story(&id));
}
