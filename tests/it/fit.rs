//! R3 to the second: a step begins only if it and the way back from it still fit; and what happens when time runs out.

use std::collections::BTreeSet;

use changeover::domain::action::Kind;
use changeover::domain::by_hand::believed;
use changeover::domain::decide::{Next, decide};
use changeover::domain::event::{Cause, Event, WaitingOn};
use changeover::domain::ids::RunId;
use changeover::domain::machine;
use changeover::domain::plan::{Fit, Goal, is_bound};
use changeover::domain::run::{Phase, Run};
use changeover::domain::site::{Policy, WhenWindowEnds};
use changeover::engine::api::{Fleet as _, Kind as Refused, PlanRequest, Word};
use changeover::server::view;
use jiff::{SignedDuration, Timestamp};

use crate::abort::assert_ended;
use crate::audit::assert_sound;
use crate::stage::{PROCEDURES, Rest, Setting, Stage};

const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// Evidence does not lapse here: only the time is told.
fn patient(when_window_ends: WhenWindowEnds) -> Policy {
    let long = SignedDuration::from_hours(24 * 30);
    Policy { max_sync_age: long, max_backup_age: long, max_unprotected: long, when_window_ends, ..Policy::default() }
}

fn settings(when_window_ends: WhenWindowEnds) -> [Setting; 2] {
    [Setting::default(), Setting::by_operator()].map(|setting| Setting { policy: patient(when_window_ends), ..setting })
}

/// A whole run, as it stood before each of its events.
async fn lived(procedure: &str, setting: &Setting) -> Vec<(Run, Event)> {
    let stage = Stage::set(setting.clone());
    let id = stage.start(procedure).await;
    let rest = stage.to_rest(&id).await;
    assert_eq!(rest.end, "succeeded", "{}", stage.story(&id));
    let records = stage.records(&id);
    let event = |index: usize| Event::from_parts(&records[index].event, &records[index].data).unwrap();
    let Event::Started { plan } = event(0) else { panic!("a journal begins with `started`") };
    let mut run = machine::begin(id.clone(), plan, "olga", records[0].at);
    let mut states = Vec::new();
    for (index, record) in records.iter().enumerate().skip(1) {
        let next = machine::next(&run, &event(index), record.at).unwrap().0;
        states.push((Run { last_at: record.at, ..std::mem::replace(&mut run, next) }, event(index)));
    }
    states
}

/// What is decided at a time, by readings that show what the journal believes.
fn at(run: &Run, now: Timestamp) -> Next {
    let run = Run { last_at: now, ..run.clone() };
    decide(&run, &believed(&run))
}

fn event(next: &Next) -> Option<&Event> {
    match next {
        Next::Record { event, .. } => Some(event),
        Next::Rest { .. } => None,
    }
}

/// Told already: `window_closing` comes before what is asked here.
fn told(run: &Run, now: Timestamp) -> Run {
    match at(run, now) {
        Next::Record { event: event @ Event::Noticed { .. }, .. } => machine::next(run, &event, now).unwrap().0,
        _ => run.clone(),
    }
}

fn is_missed(next: &Next) -> bool {
    matches!(event(next), Some(Event::Held { code, given_up: true, .. }) if code == "window_missed")
}

/// The states in which a bound step is about to begin.
fn about_to_begin(states: &[(Run, Event)]) -> Vec<&Run> {
    let begins = |(run, event): &&(Run, Event)| {
        let bound = run.step().is_some_and(|step| is_bound(step, false));
        bound && matches!(event, Event::StepBegun { attempt: 1, .. })
    };
    states.iter().filter(begins).map(|(run, _)| run).collect()
}

#[tokio::test(start_paused = true)]
async fn r3_a_step_begins_until_its_latest_safe_start_and_not_a_second_later() {
    for procedure in PROCEDURES {
        for setting in settings(WhenWindowEnds::Hold) {
            let states = lived(procedure, &setting).await;
            let bound = about_to_begin(&states);
            let ids: BTreeSet<&str> = bound.iter().map(|run| run.step().unwrap().id.as_str()).collect();
            let all = states[0].0.plan.steps.iter().filter(|step| is_bound(step, false)).count();
            assert_eq!(ids.len(), all, "{procedure}: {ids:?}");
            for run in bound {
                let (step, latest) = (run.step().unwrap(), run.latest_start().unwrap());
                let case =
                    format!("{procedure}, {}, by {}", step.id, if setting.options.by_operator { "hand" } else { "interface" });
                let window = run.windows.of(step.when).unwrap();
                assert_eq!(latest, window.to - run.plan.need(step), "{case}");
                for early in [latest - SECOND, latest] {
                    let next = at(&told(run, early), early);
                    // What was compared hours ago is compared once more first; nothing is late for that.
                    let compared =
                        step.kind == Kind::EstablishFailover && matches!(event(&next), Some(Event::EvidenceLapsed { .. }));
                    assert!(compared || matches!(event(&next), Some(Event::StepBegun { .. })), "{case}: {next:?}");
                }
                let next = at(&told(run, latest + SECOND), latest + SECOND);
                assert!(is_missed(&next), "{case}: {next:?}");
                let next = at(run, window.from - SECOND);
                assert!(matches!(event(&next), Some(Event::Waited { on: WaitingOn::Window, .. })), "{case}: {next:?}");
            }
        }
    }
}

/// An instruction that nobody has begun to carry out stands until the latest safe start, and says so.
#[tokio::test(start_paused = true)]
async fn r3_an_instruction_stands_until_its_latest_safe_start() {
    for procedure in PROCEDURES {
        let [_, setting] = settings(WhenWindowEnds::Hold);
        let states = lived(procedure, &setting).await;
        let out = |(run, _): &&(Run, Event)| {
            run.act.as_ref().is_some_and(|act| act.instruction.is_some()) && run.step().is_some_and(|step| is_bound(step, false))
        };
        let mut met = 0;
        for (run, _) in states.iter().filter(out) {
            let (step, latest) = (run.step().unwrap(), run.latest_start().unwrap());
            let not_after = run.act.as_ref().and_then(|act| act.instruction.as_ref()).unwrap().not_after;
            // Of a break the sync's proof may grow too old before.
            assert!(not_after == Some(latest) || step.kind == Kind::BreakFailover && not_after < Some(latest), "{}", step.id);
            let on_time = at(&told(run, latest), latest);
            assert!(!is_missed(&on_time), "{}: {on_time:?}", step.id);
            let late = at(&told(run, latest + SECOND), latest + SECOND);
            assert!(is_missed(&late), "{}: {late:?}", step.id);
            met += 1;
        }
        assert!(met >= 4, "{procedure}: {met}");
    }
}

/// Where the run goes home by itself: only while failover is broken, only where the way leads home without an update.
#[tokio::test(start_paused = true)]
async fn r3_when_time_runs_out_each_step_holds_or_leads_home() {
    let leads_home = |procedure: &str| match procedure {
        "in-place" => ["window-1.update.a", "window-2.establish_failover.a"],
        _ => ["window-1.update.b", "window-2.establish_failover.b"],
    };
    for procedure in PROCEDURES {
        for setting in settings(WhenWindowEnds::Home) {
            let states = lived(procedure, &setting).await;
            for run in about_to_begin(&states) {
                let step = run.step().unwrap();
                let late = run.latest_start().unwrap() + SECOND;
                let next = at(&told(run, late), late);
                let home = leads_home(procedure).contains(&step.id.as_str());
                assert_eq!(run.plan.out_of_time(step).name(), if home { "home" } else { "hold" }, "{}", step.id);
                match event(&next) {
                    Some(Event::Revised { cause: Cause::WindowEnds, goal: Goal::Home, steps, seen, .. }) => {
                        assert!(home && seen.is_empty(), "{}", step.id);
                        assert!(steps.iter().all(|step| step.kind != Kind::Update), "{steps:?}");
                    }
                    _ => assert!(!home && is_missed(&next), "{}: {next:?}", step.id),
                }
            }
        }
    }
}

/// A run by hand that nobody helps at this step until its window has no time left.
async fn unattended(setting: Setting, procedure: &str, step: &str) -> (Stage, RunId) {
    let stage = Stage::set(setting);
    let id = stage.start(procedure).await;
    stage.until_step(&id, step).await;
    (stage, id)
}

fn goes_home() -> Setting {
    Setting { policy: Policy { when_window_ends: WhenWindowEnds::Home, ..Policy::default() }, ..Setting::by_operator() }
}

const AT: [(&str, &str); 4] = [
    ("in-place", "window-1.update.a"),
    ("role-swap", "window-1.update.b"),
    ("in-place", "window-2.establish_failover.a"),
    ("role-swap", "window-2.establish_failover.b"),
];

async fn ends_at_home(stage: &Stage, id: &RunId, case: &str) {
    let rest: Rest = stage.to_rest(id).await;
    assert_eq!(rest.end, "aborted", "{case}\n{}", stage.story(id));
    let way =
        changeover::domain::way_home::Way { goal: Goal::Home, steps: Vec::new(), cost: Default::default(), leaves_behind: None };
    assert_ended(stage, id, &way, &rest, case);
}

/// Nobody does what the instruction asks: it is withdrawn, people are told, and the pair is linked again within its window.
#[tokio::test(start_paused = true)]
async fn a_run_goes_home_by_itself_when_its_window_ends() {
    for (procedure, step) in AT {
        let (stage, id) = unattended(goes_home(), procedure, step).await;
        let run = stage.until(&id, |run| run.way.is_some() || run.hold().is_some()).await;
        assert_eq!(run.way, Some(Goal::Home), "{step}\n{}", stage.story(&id));
        assert!(stage.alert_says("window_missed", "goes home by itself"), "{step}");
        assert!(stage.alert_says("window_missed", "is withdrawn, do not carry it out"), "{step}");
        assert!(
            stage.alert_says("window_closing", &format!("step `{step}` begins at")),
            "{step}: {}",
            stage.last_alert("window_closing")
        );
        assert!(
            stage.alert_says("window_closing", "and the run goes home by itself"),
            "{step}: {}",
            stage.last_alert("window_closing")
        );
        ends_at_home(&stage, &id, step).await;
    }
}

/// The same with the daemon restarted after each record from the window's end on.
#[tokio::test(start_paused = true)]
async fn a_restart_on_the_way_home_changes_nothing() {
    for (procedure, step) in AT {
        let (stage, id) = unattended(goes_home(), procedure, step).await;
        stage.until(&id, |run| run.way.is_some()).await;
        let from = stage.run(&id).seq;
        ends_at_home(&stage, &id, step).await;
        for seq in from - 1..stage.records(&id).len() as u64 {
            let case = format!("{step}, restarted after record {seq}");
            let (mut stage, id) = unattended(goes_home(), procedure, step).await;
            stage.until(&id, |run| run.seq >= from - 1).await;
            stage.until_seq(&id, seq).await;
            stage.restart();
            if seq < from {
                stage.until(&id, |run| run.way.is_some()).await;
            }
            ends_at_home(&stage, &id, &case).await;
        }
    }
}

/// The default: the run holds, as the alert said, and another window leads on to the end.
#[tokio::test(start_paused = true)]
async fn a_run_holds_when_its_window_ends() {
    for (procedure, step) in AT.into_iter().chain([("role-swap", "window-1.quiesce.a"), ("in-place", "window-2.quiesce.b")]) {
        let (mut stage, id) = unattended(Setting::by_operator(), procedure, step).await;
        let rest = stage.idle_to_rest(&id).await;
        assert_eq!(rest.end, "window_missed", "{step}\n{}", stage.story(&id));
        assert!(
            stage.alert_says("window_closing", "not begun any more and the run holds"),
            "{step}: {}",
            stage.last_alert("window_closing")
        );
        stage.restart();
        stage.pass(SignedDuration::from_mins(10)).await;
        assert_eq!(stage.run(&id).hold().unwrap().code, "window_missed", "{step}");
        for window in ["now +5min", "2026-12-01T07:00:00Z +5min"] {
            let problem = stage.word(&id, Word::Resume { window: Some(window.to_owned()) }).await.unwrap_err();
            assert_eq!((problem.kind, problem.code.as_str()), (Refused::Refused, "window_missed"), "{step}: {problem:?}");
            assert!(problem.causes[0].starts_with(&format!("`{step}` and what must fit with it take up to ")), "{problem:?}");
        }
        stage.word(&id, Word::Resume { window: Some("now +6h".to_owned()) }).await.unwrap();
        let mut rest = stage.to_rest(&id).await;
        if rest.end == "window_missed" {
            stage.word(&id, Word::Resume { window: Some("now +6h".to_owned()) }).await.unwrap();
            rest = stage.to_rest(&id).await;
        }
        assert_eq!(rest.end, "succeeded", "{step}\n{}", stage.story(&id));
        assert_sound(&stage, &id, procedure, true, step);
    }
}

/// A window that is given must hold the next step that it binds, what comes before it, and what must fit after.
#[tokio::test(start_paused = true)]
async fn resume_takes_no_window_that_is_too_short() {
    for procedure in PROCEDURES {
        let stage = Stage::new();
        let id = stage.start(procedure).await;
        stage.until_step(&id, "window-2.confirm").await;
        let run = stage.run(&id);
        let (step, needed) = run.needs_of_window().map(|(step, needed)| (step.id.clone(), needed)).unwrap();
        let from: Timestamp = "2026-11-25T01:00:00Z".parse().unwrap();
        let window = |length: SignedDuration| format!("{from} +{}s", length.as_secs());
        let short = stage.word(&id, Word::Resume { window: Some(window(needed - SECOND)) }).await.unwrap_err();
        assert_eq!(short.code, "window_missed", "{procedure}: {short:?}");
        assert!(short.causes[0].contains(&step), "{short:?}");
        stage.word(&id, Word::Resume { window: Some(window(needed)) }).await.unwrap();
        let rest = stage.to_rest(&id).await;
        assert!(stage.count(&id, "step_begun", &step) == 1, "{procedure}: {}\n{}", rest.end, stage.story(&id));
    }
}

/// What plans show agrees with what is kept, and what does not disturb is never late by itself.
#[tokio::test(start_paused = true)]
async fn a_plan_shows_its_fit() {
    for procedure in PROCEDURES {
        let stage = Stage::new();
        let preview = stage.fleet.plan(stage.request(procedure)).await.unwrap();
        let plan = view::Plan::from(preview.clone());
        let id = stage.start(procedure).await;
        assert_eq!(stage.run(&id).plan.fit, preview.plan.fit);
        for (shown, step) in plan.steps.iter().zip(preview.plan.steps.iter()) {
            assert_eq!(shown.expected_seconds, shown.likely_seconds);
            assert!(shown.worst_seconds >= shown.likely_seconds, "{shown:?}");
            let late = shown.when_time_runs_out.name();
            assert_eq!(late == "finish", !is_bound(step, false), "{shown:?}");
            if let Some(window) = preview.plan.windows.of(step.when).filter(|_| is_bound(step, false)) {
                let latest = shown.latest_start.unwrap();
                let reserve = window.to.duration_since(latest).as_secs() - shown.worst_seconds;
                assert!(reserve >= shown.back_seconds, "{shown:?}");
            }
        }
        let latest = |id: &str| plan.steps.iter().find(|step| step.id == id).unwrap().latest_start;
        assert!(latest("prepare.preflight") < latest("window-1.break_failover.a"), "{procedure}");
        assert!(latest("soak.confirm").is_some() && latest("finish.final_check").is_none(), "{procedure}");
    }
}

/// A plan of an earlier build has no estimates, and keeps what it meant: the site's figures, and nothing to fit after a step.
#[tokio::test(start_paused = true)]
async fn a_plan_without_estimates_means_what_it_meant() {
    let stage = Stage::new();
    let mut plan = stage.fleet.plan(stage.request("role-swap")).await.unwrap().plan;
    plan.fit = Fit::default().into();
    for step in plan.steps.iter() {
        assert_eq!(plan.back(step), SignedDuration::ZERO);
        assert_eq!(plan.need(step), plan.expected(step.kind));
        assert_eq!(plan.likely(step.kind), plan.expected(step.kind));
    }
    let written = serde_json::to_value(&plan).unwrap();
    assert!(written.get("fit").is_none() && written.get("urgent").is_none(), "{written}");
}

/// Both windows in one night: the shortest soak is waived, the gate stays, and the reason is where people look.
#[tokio::test(start_paused = true)]
async fn r10_an_urgent_plan_needs_no_soak_but_the_gate() {
    for procedure in PROCEDURES {
        let stage = Stage::new();
        let window = Some("now +9h".to_owned());
        let soaked = PlanRequest { first: window.clone(), second: window, ..stage.request(procedure) };
        let problem = stage.fleet.start(soaked.clone(), "olga").await.unwrap_err();
        assert_eq!(problem.code, "R3", "{problem:?}");
        let noteless = PlanRequest { urgent: Some(" ".to_owned()), ..soaked.clone() };
        let problem = stage.fleet.start(noteless, "olga").await.unwrap_err();
        assert_eq!((problem.kind, problem.code.as_str()), (Refused::BadInput, "note_missing"), "{problem:?}");
        let urgent = PlanRequest { urgent: Some("a hole is used".to_owned()), ..soaked };
        let id = stage.fleet.start(urgent, "olga").await.unwrap();
        // Silence never leads on.
        stage.until_step(&id, "soak.confirm").await;
        stage.until(&id, |run| run.open_gate().is_some()).await;
        stage.pass(SignedDuration::from_mins(30)).await;
        assert!(matches!(stage.run(&id).phase, Phase::Waiting { on: WaitingOn::Gate, .. }), "{}", stage.story(&id));
        let status = view::Status::full(&stage.fleet.run(&id).unwrap(), stage.fleet.now());
        assert_eq!(status.urgent.as_deref(), Some("a hole is used"));
        assert!(stage.alert_says("gate_waiting", "the plan is urgent, no shortest soak follows: a hole is used"));
        let rest = stage.to_rest(&id).await;
        assert_eq!(rest.end, "succeeded", "{procedure}\n{}", stage.story(&id));
        assert!(rest.run.finished_at.unwrap() < rest.run.windows.first.as_ref().unwrap().to, "{}", stage.story(&id));
        assert!(stage.story(&id).contains("the shortest soak is waived: a hole is used"), "{}", stage.story(&id));
        assert_sound(&stage, &id, procedure, true, procedure);
    }
}
