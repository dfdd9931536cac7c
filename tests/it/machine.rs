//! The machine's table: every arrow of it is taken, and nothing goes where it draws none.
//!
//! *Lived*: taken in a run that was carried out in this process, or in a kept journal. *Enumerated*: each state that those runs
//! went through meets every event that there is. Both are compared with the table.

use std::collections::{BTreeMap, BTreeSet};

use changeover::domain::event::{Cause, Event, Notice, Verdict, WaitingOn};
use changeover::domain::gate::Gate;
use changeover::domain::ids::NodeId;
use changeover::domain::journal::Record;
use changeover::domain::machine::{
    self,
    edges::{self, Edge, PhaseKind},
};
use changeover::domain::people::Who;

use changeover::domain::plan::Goal;
use changeover::domain::rule::Rule;
use changeover::domain::run::{Phase, Run};

use changeover::domain::ids::RunId;
use changeover::engine::api::Word;
use changeover::engine::outbox::Undelivered as _;
use changeover::ports::OutboxItem;
use changeover::simulator::faults::{Fault, Planned};
use jiff::SignedDuration;

use crate::journals;
use crate::preflight::warnings::warned;
use crate::stage::{Setting, Stage, end};

/// Arrows that only the enumeration takes: event, phases, and why no whole run of this test does.
const NOT_LIVED: &[(&str, &[&str], &str)] = &[
    ("released", &["finished"], "a word on a run that is over; tests/it/rehearsal.rs says it"),
    ("closed", &["ready", "waiting", "in_doubt"], "a word in that phase; tests/it/close.rs says it at each record"),
    ("revised", &["ready", "in_doubt"], "a word in that phase; tests/it/abort.rs says it at each record"),
    ("denied", &["ready", "acting", "waiting", "in_doubt", "held"], "tests/it/gates.rs has people who may not speak"),
    ("reminded", &["waiting"], "tests/it/gates.rs has gates with a policy"),
    ("waived", &["waiting", "held"], "tests/it/waivers.rs says it in both"),
    ("warning_accepted", &["waiting", "held"], "a word on a warning; tests/it/preflight/warnings.rs says it in both"),
    ("node_replaced", &["ready", "waiting", "in_doubt"], "a word in that phase"),
    ("noticed", &["acting", "held"], "trouble that begins in that phase"),
    ("switch_back_ordered", &["ready", "in_doubt"], "a word in the moment of that phase"),
    ("undelivered", &["ready", "acting"], "an alert that is given up in the moment of that phase"),
    ("hold_requested", &["ready", "acting"], "a word in the moment of that phase"),
    ("recovered", &["ready", "acting"], "an end in the moment of that phase"),
    ("settings_compared", &["in_doubt"], "settings that are changed while another act than an update is in doubt"),
    ("line_acknowledged", &["ready", "acting"], "a word in the moment of that phase"),
    ("evidence_lapsed", &["waiting", "in_doubt"], "evidence that lapses while a reading is awaited"),
    ("waited", &["in_doubt"], "a window that is over when a doubt is settled"),
    ("held", &["in_doubt"], "a promise that breaks while in doubt"),
    ("finished", &["waiting"], "a last step that is done while something is awaited"),
];

/// A run through all its records: each state, and the event that came next.
fn states(records: &[Record]) -> Vec<(Run, Option<Event>)> {
    let event = |record: &Record| Event::from_parts(&record.event, &record.data).unwrap();
    let first = &records[0];
    let Event::Started { plan } = event(first) else { panic!("a journal begins with `started`") };
    let mut run = machine::begin(first.run.clone(), plan, &first.actor, first.at);
    let mut states = Vec::new();
    for record in &records[1..] {
        let event = event(record);
        let next = machine::next(&run, &event, record.at).unwrap().0;
        states.push((std::mem::replace(&mut run, next), Some(event)));
    }
    states.push((run, None));
    states
}

fn taken(run: &Run, event: &Event) -> Option<Edge> {
    let (next, _) = machine::next(run, event, run.last_at).ok()?;
    Some(Edge { from: PhaseKind::of(&run.phase), event: event.name(), to: PhaseKind::of(&next.phase) })
}

/// One of each kind of event beside those that the runs had: what people may say at any time, and what no run of ours does.
fn more_events() -> Vec<Event> {
    let (text, none) = (String::new, || None::<String>);
    let mut events = vec![
        Event::HoldRequested {},
        Event::Denied { word: text(), gate: None, by: Who::default(), reason: text() },
        Event::Reminded { gate: Gate::Production, escalated: true },
        Event::Recovered {},
        Event::Resumed { first: None, second: None, responsible: None },
        Event::SwitchBackOrdered { note: text() },
        Event::Revised { cause: Cause::Abort, goal: Goal::Home, note: none(), steps: Vec::new(), seen: Vec::new() },
        Event::NodeReplaced { node: NodeId::A, identity: text(), note: none() },
        Event::Closed { state: text(), note: text(), undone: Vec::new(), off_since: None },
        Event::Released { by: Who::default(), note: text(), withdrawn: false },
        Event::Released { by: Who::default(), note: text(), withdrawn: true },
        Event::Doubted { message: text() },
        Event::SettingsCompared { keeper: NodeId::A, lines: Vec::new() },
        Event::ActAccepted {},
        Event::Instructed { number: 1, not_after: None, lines: Vec::new() },
        Event::Waited { on: WaitingOn::Window, until: None },
        Event::Noticed { notice: Notice::UnprotectedTooLong, node: None, raised: true, message: text() },
        Event::Checked { results: Vec::new() },
        accepted(Vec::new()),
        accepted(vec![text()]),
        Event::Undelivered { id: text(), hook: text(), message: text() },
    ];
    for code in ["sync_failed", "sync_status_unknown", "warning_not_accepted"] {
        let (code, message, expected, found) = (code.to_owned(), text(), text(), text());
        events.push(Event::Held { code, message, expected, found, node: None, given_up: false });
    }
    for step in ["window-1.check_sync", "window-2.update.a", "window-2.establish_failover.b"] {
        let (step, by) = (step.to_owned(), Who::default());
        events.push(Event::Waived { rule: Rule::R3, step, reason: text(), by, shown: None });
    }
    for gate in Gate::all() {
        let word = |verdict| Event::Confirmed { gate, verdict, note: None, by: None, shown: None };
        events.extend([Verdict::Accept, Verdict::AcceptEarly, Verdict::Reject].map(word));
    }
    events
}

fn accepted(left: Vec<String>) -> Event {
    let text = String::new;
    Event::WarningAccepted { check: text(), node: None, basis: text(), reason: text(), by: text(), left }
}

/// One event of each kind and shape that the runs had: by name, and by what it says first.
fn lived_events(states: &[(Run, Option<Event>)]) -> Vec<Event> {
    let mut kinds: BTreeMap<String, Event> = BTreeMap::new();
    for event in states.iter().filter_map(|(_, event)| event.as_ref()) {
        let (name, data) = event.to_parts();
        let what = ["code", "on", "notice", "given_up", "raised"].map(|key| data[key].to_string()).concat();
        kinds.entry(format!("{name} {what}")).or_insert_with(|| event.clone());
    }
    kinds.into_values().collect()
}

/// One run of each kind, by what the machine may ask of it.
fn unlike(runs: impl Iterator<Item = Run>) -> Vec<Run> {
    let what = |run: &Run| {
        let hold = run.hold().map(|hold| hold.code.clone());
        let waits = if let Phase::Waiting { on, .. } = run.phase { Some(on) } else { None };
        let act = run.act.as_ref().map(|act| (act.accepted, act.instruction.is_some()));
        let step = run.step().map(|step| step.id.clone());
        let open: Vec<_> = run.settings.open().map(|line| line.id.clone()).collect();
        let unprotected = run.unprotected_since().is_some();
        format!("{:?} {hold:?} {waits:?} {act:?} {step:?} {unprotected:?} {open:?}", PhaseKind::of(&run.phase))
    };
    runs.map(|run| (what(&run), run)).collect::<BTreeMap<_, _>>().into_values().collect()
}

fn show(edges: &BTreeSet<Edge>) -> String {
    edges
        .iter()
        .map(|edge| format!("  {} --{}--> {}", edge.from.name(), edge.event, edge.to.name()))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The states of all kept journals, and of all scenes played now.
async fn all_states() -> Vec<(Run, Option<Event>)> {
    let kept = journals::kept().into_values();
    let played = journals::scenes::all().await.into_iter().map(|(_, records)| records);
    let rests = [at_rest(Fault::AnswerLost).await, at_rest(Fault::Refused).await, ledgers().await];
    let rests = rests.into_iter().chain(answers().await);
    kept.chain(played).chain(rests).chain(disturbed().await).chain(words().await).flat_map(|records| states(&records)).collect()
}

/// Whole role swaps, each disturbed once, after every second of its records in turn: held, restarted, a node silent, an alert
/// given up.
async fn disturbed() -> Vec<Vec<Record>> {
    let mut all = Vec::new();
    for (setting, disturbances) in [(Setting::default(), &DISTURBANCES[..]), (Setting::by_operator(), &DISTURBANCES[..2])] {
        let stage = Stage::set(setting.clone());
        let id = stage.start("role-swap").await;
        stage.to_rest(&id).await;
        let last = stage.records(&id).len() as u64;
        let turns = (2..last).step_by(2).zip(disturbances.iter().cycle());
        for (seq, disturbance) in turns {
            let mut stage = Stage::set(setting.clone());
            let id = stage.start("role-swap").await;
            stage.until_seq(&id, seq).await;
            disturb(&mut stage, &id, disturbance).await;
            if stage.to_rest(&id).await.end != "succeeded" {
                stage.pass(SignedDuration::from_mins(6)).await;
                stage.resume_to_end(&id).await;
            }
            all.push(stage.records(&id));
        }
    }
    all
}

/// The first sync after establishing is bad: its act is kept through the hold, and awaited once a person spoke.
async fn first_sync_failed(accepted: bool) -> Vec<Record> {
    let stage = Stage::new();
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "window-2.verify.a").await;
    stage.fault(Planned::for_ever(Fault::SyncFails));
    assert_eq!(stage.to_rest(&id).await.end, "sync_status_unknown", "{}", stage.story(&id));
    stage.mend();
    if accepted {
        stage.accept(&id, Some("sync_status")).await.unwrap();
    } else {
        stage.resume(&id).await.unwrap();
    }
    stage.to_rest(&id).await;
    stage.records(&id)
}

/// A person looked at a doubt, and let the run act again; traffic is ordered back out of a hold.
async fn words() -> Vec<Vec<Record>> {
    let mut all = vec![first_sync_failed(true).await, first_sync_failed(false).await];
    for word in [Word::Resume { window: None }, Word::SwitchBack { note: "back".to_owned() }] {
        for step in ["window-1.update.b", "window-2.update.a"] {
            let stage = Stage::new();
            let id = stage.start("role-swap").await;
            stage.until_step(&id, step).await;
            stage.word(&id, Word::Hold).await.unwrap();
            stage.to_rest(&id).await;
            // Before traffic was moved there is no way back.
            drop(stage.word(&id, word.clone()).await);
            stage.to_rest(&id).await;
            all.push(stage.records(&id));
        }
    }
    let (stage, id) = warned().await;
    all.push(stage.records(&id));
    all
}

/// A run that rests held or in doubt meets what may come to it there.
async fn at_rest(fault: Fault) -> Vec<Record> {
    let mut stage = Stage::new();
    stage.fault(Planned::once(fault).on(NodeId::B).act("update"));
    stage.fault(Planned::for_ever(Fault::UpdateSlow).on(NodeId::B));
    let id = stage.start("role-swap").await;
    stage.answered(&id, |run| end(run).is_some()).await;
    for disturbance in ["undelivered", "restarted", "silent"] {
        disturb(&mut stage, &id, disturbance).await;
        stage.pass(SignedDuration::from_mins(10)).await;
    }
    // Held already, it is refused.
    drop(stage.word(&id, Word::Hold).await);
    stage.pass(SignedDuration::from_hours(2)).await;
    stage.records(&id)
}

/// A person answers in other ways than the plan hopes for.
async fn answers() -> Vec<Vec<Record>> {
    let confirm = |gate: &str, verdict| Word::Confirm { gate: Some(gate.to_owned()), verdict, note: None, evidence: None };
    let stage = Stage::new();
    stage.fault(Planned::once(Fault::SyncOddStatus));
    let id = stage.start("in-place").await;
    stage.to_rest(&id).await;
    stage.word(&id, confirm("sync_status", Verdict::Reject)).await.unwrap();
    let mut all = vec![stage.records(&id)];

    let mut stage = Stage::new();
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "soak.soak").await;
    stage.until(&id, |run| matches!(run.phase, Phase::Waiting { on: WaitingOn::Soak, .. })).await;
    stage.word(&id, confirm("production", Verdict::AcceptEarly)).await.unwrap();
    stage.until_step(&id, "window-2.confirm").await;
    stage.word(&id, Word::Resume { window: Some("2026-11-25T01:00:00Z +4h".to_owned()) }).await.unwrap();
    assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
    disturb(&mut stage, &id, "undelivered").await;
    all.push(stage.records(&id));

    let stage = Stage::new();
    stage.fault(Planned::once(Fault::AnswerLost).on(NodeId::B).act("update"));
    stage.fault(Planned::for_ever(Fault::UpdateSlow).on(NodeId::B));
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "window-1.update.b").await;
    stage.until(&id, |run| matches!(run.phase, Phase::InDoubt { .. })).await;
    stage.resume(&id).await.unwrap();
    all.push(stage.records(&id));
    all
}

/// Settings are changed on the node that will be overwritten, and acknowledged: in doubt, held, and while the run waits.
async fn ledgers() -> Vec<Record> {
    let stage = Stage::new();
    let change = |id: &str| stage.set_item(NodeId::A, "user", id, Some("1"));
    let compared = || stage.pass(SignedDuration::from_mins(40));
    stage.at("step_done", "window-1.record_settings", |world| world.change_settings(NodeId::A).unwrap());
    stage.fault(Planned::once(Fault::AnswerLost).on(NodeId::B).act("update"));
    stage.fault(Planned::for_ever(Fault::UpdateSlow).on(NodeId::B));
    let id = stage.start("role-swap").await;
    stage.answered(&id, |run| matches!(run.phase, Phase::InDoubt { .. })).await;
    stage.acknowledge_all(&id).await;
    stage.answered(&id, |run| run.open_gate() == Some(Gate::Production)).await;
    change("7");
    compared().await;
    stage.acknowledge_all(&id).await;
    stage.word(&id, Word::Hold).await.unwrap();
    change("8");
    compared().await;
    stage.acknowledge_all(&id).await;
    stage.resume(&id).await.unwrap();
    stage.to_rest(&id).await;
    stage.records(&id)
}

const DISTURBANCES: [&str; 4] = ["held", "restarted", "silent", "undelivered"];

async fn disturb(stage: &mut Stage, id: &RunId, disturbance: &str) {
    match disturbance {
        "held" => drop(stage.word(id, Word::Hold).await),
        "restarted" => stage.restart(),
        "silent" => {
            stage.fault(Planned::for_ever(Fault::NodeSilent).on(NodeId::A));
            tokio::select! {
                biased;
                () = stage.pass(SignedDuration::from_mins(20)) => {}
                _ = stage.to_rest(id) => {}
            }
            stage.mend();
        }
        _ => {
            let item = item(id);
            stage.fleet.on_undelivered(&item, "no route to the hook").await;
        }
    }
}

fn item(run: &RunId) -> OutboxItem {
    let (at, text) = ("2026-11-22T01:00:00Z".parse().unwrap(), "a test".to_owned());
    OutboxItem {
        id: text.clone(),
        hook: "ops".to_owned(),
        event: text.clone(),
        document: text,
        run: run.clone(),
        since: at,
        attempts: 9,
        next_at: at,
    }
}

#[tokio::test(start_paused = true)]
async fn every_arrow_is_taken_and_there_are_no_others() {
    let drawn: BTreeSet<Edge> = edges::all().into_iter().collect();
    let states = all_states().await;
    let lived: BTreeSet<Edge> = states.iter().filter_map(|(run, event)| taken(run, event.as_ref()?)).collect();
    let events = [lived_events(&states), more_events()].concat();
    let runs = unlike(states.iter().map(|(run, _)| run.clone()));
    let after = unlike(
        runs.iter().flat_map(|run| events.iter().filter_map(|event| Some(machine::next(run, event, run.last_at).ok()?.0))),
    );
    let met =
        |runs: &[Run]| runs.iter().flat_map(|run| events.iter().filter_map(|event| taken(run, event))).collect::<BTreeSet<_>>();
    let all: BTreeSet<Edge> = [lived.clone(), met(&runs), met(&after)].into_iter().flatten().collect();
    let (lives, met) = (states.len(), runs.len() + after.len());
    println!(
        "{lives} records lived, {met} unlike states met {} events, {} of {} arrows lived",
        events.len(),
        lived.len(),
        drawn.len()
    );
    let (never, undrawn) = (&drawn - &all, &all - &drawn);
    assert!(undrawn.is_empty(), "taken, but not in the table of `machine::edges`:\n{}", show(&undrawn));
    assert!(never.is_empty(), "in the table of `machine::edges`, but no run can take it:\n{}", show(&never));
    let unlived: BTreeSet<Edge> = (&drawn - &lived).into_iter().filter(|edge| !is_excused(edge)).collect();
    assert!(unlived.is_empty(), "taken by no whole run, and not excused:\n{}", show(&unlived));
}

fn is_excused(edge: &Edge) -> bool {
    NOT_LIVED.iter().any(|(event, from, _)| *event == edge.event && from.contains(&edge.from.name()))
}
