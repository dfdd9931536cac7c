//! What people say to a run, at every moment: holds and resumptions, gates, and silence.

use changeover::domain::event::Verdict;
use changeover::domain::run::Run;
use changeover::engine::api::{Kind, Word};
use jiff::SignedDuration;

use crate::audit::assert_sound;
use crate::stage::{PROCEDURES, Setting, Stage, end};

fn confirm(gate: Option<&str>, verdict: Verdict) -> Word {
    Word::Confirm { gate: gate.map(str::to_owned), verdict, note: None, evidence: None }
}

/// Nothing but what is seen happens between a hold and its resumption.
fn assert_still(stage: &Stage, run: &Run, case: &str) {
    let records = stage.records(&run.id);
    let held = records.iter().rposition(|record| record.event == "held").unwrap();
    let quiet = records[held + 1..].iter().all(|record| matches!(record.event.as_str(), "noticed" | "checked"));
    assert!(quiet, "{case}\n{}", stage.story(&run.id));
}

async fn hold_at_each_record(procedure: &str, setting: Setting) {
    let stage = Stage::set(setting.clone());
    let id = stage.start(procedure).await;
    stage.to_rest(&id).await;
    for seq in 1..stage.records(&id).len() as u64 {
        let case = format!("{procedure}: held after record {seq}");
        let stage = Stage::set(setting.clone());
        let id = stage.start(procedure).await;
        let seen = stage.until_seq(&id, seq).await;
        let held = stage.word(&id, Word::Hold).await;
        if end(&seen).is_some() {
            assert_eq!(held.unwrap_err().kind, Kind::Conflict, "{case}");
            continue;
        }
        held.unwrap_or_else(|problem| panic!("{case}: {problem:?}"));
        let rest = stage.to_rest(&id).await;
        assert_eq!(rest.end, "operator", "{case}\n{}", stage.story(&id));
        stage.pass(SignedDuration::from_mins(3)).await;
        assert_still(&stage, &rest.run, &case);
        assert_sound(&stage, &id, procedure, false, &case);
        let (_, times) = stage.resume_to_end(&id).await;
        assert_eq!(times, 1, "{case}\n{}", stage.story(&id));
        assert_sound(&stage, &id, procedure, true, &case);
    }
}

#[tokio::test(start_paused = true)]
async fn in_place_is_held_and_resumed_at_each_record() {
    hold_at_each_record(PROCEDURES[0], Setting::default()).await;
}

#[tokio::test(start_paused = true)]
async fn a_role_swap_is_held_and_resumed_at_each_record() {
    hold_at_each_record(PROCEDURES[1], Setting::default()).await;
}

#[tokio::test(start_paused = true)]
async fn a_role_swap_by_hand_is_held_and_resumed_at_each_record() {
    hold_at_each_record(PROCEDURES[1], Setting::by_operator()).await;
}

#[tokio::test(start_paused = true)]
async fn a_word_for_a_gate_that_is_not_open_is_refused() {
    let stage = Stage::new();
    let id = stage.start("role-swap").await;
    let refused = async |word: Word| stage.word(&id, word).await.map(|_| ()).unwrap_err();
    stage.until(&id, |run| run.open_gate().is_some()).await;
    let cases = [
        (confirm(Some("production"), Verdict::Accept), Kind::Conflict, "gate_not_open"),
        (confirm(Some("lunch"), Verdict::Accept), Kind::NotFound, "unknown_gate"),
        (confirm(None, Verdict::AcceptEarly), Kind::BadInput, "not_early"),
        (Word::Resume { window: None }, Kind::Conflict, "not_held"),
        (Word::SwitchBack { note: "why not".to_owned() }, Kind::Conflict, "no_switch_back"),
        (Word::SwitchBack { note: " ".to_owned() }, Kind::BadInput, "note_missing"),
    ];
    for (word, kind, code) in cases {
        let problem = refused(word.clone()).await;
        assert_eq!((problem.kind, problem.code.as_str()), (kind, code), "{word:?}: {problem:?}");
    }
    stage.answered(&id, |run| run.act.is_some()).await;
    let problem = refused(confirm(None, Verdict::Accept)).await;
    assert_eq!(problem.code, "gate_not_open", "{problem:?}");
    let stale = stage.fleet_command(&id, Word::Hold, Some(3)).await.unwrap_err();
    assert_eq!((stale.kind, stale.code.as_str()), (Kind::Conflict, "moved_on"), "{stale:?}");
}

/// R10: a rejection stays one until a person says otherwise.
#[tokio::test(start_paused = true)]
async fn a_rejected_version_goes_no_further() {
    for procedure in PROCEDURES {
        let stage = Stage::new();
        let id = stage.start(procedure).await;
        stage.until_step(&id, "soak.confirm").await;
        stage.until(&id, |run| run.open_gate().is_some()).await;
        stage.word(&id, confirm(Some("production"), Verdict::Reject)).await.unwrap();
        let run = stage.run(&id);
        assert_eq!(end(&run).as_deref(), Some("rejected"));
        stage.pass(SignedDuration::from_hours(20 * 24)).await;
        let updates = stage.truth().nodes.a.updates.len() + stage.truth().nodes.b.updates.len();
        assert_eq!(updates, 1, "{procedure}\n{}", stage.story(&id));
        assert_still_but_rejected(&stage, &id);
        assert!(stage.alerts().contains(&"held".to_owned()));
        // Resumed, the question is asked again; the second window is long over by now.
        stage.resume(&id).await.unwrap();
        stage.until(&id, |run| run.open_gate().is_some()).await;
        stage.word(&id, confirm(Some("production"), Verdict::AcceptEarly)).await.unwrap();
        assert_eq!(stage.to_rest(&id).await.end, "window_missed", "{}", stage.story(&id));
        let window = Some("now +4h".to_owned());
        stage.word(&id, Word::Resume { window }).await.unwrap();
        assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
        assert_sound(&stage, &id, procedure, true, procedure);
    }
}

fn assert_still_but_rejected(stage: &Stage, id: &changeover::domain::ids::RunId) {
    let records = stage.records(id);
    let rejected = records.iter().rposition(|record| record.event == "confirmed").unwrap();
    let quiet = records[rejected + 1..].iter().all(|record| matches!(record.event.as_str(), "noticed" | "checked"));
    assert!(quiet, "{}", stage.story(id));
}

/// R10: thirty days of silence bring alerts and nothing else, and the one about the unprotected time once.
#[tokio::test(start_paused = true)]
async fn silence_never_leads_on() {
    for procedure in PROCEDURES {
        let stage = Stage::new();
        let id = stage.start(procedure).await;
        stage.until_step(&id, "soak.confirm").await;
        let run = stage.until(&id, |run| run.open_gate().is_some()).await;
        let before = stage.records(&id).len();
        stage.pass(SignedDuration::from_hours(30 * 24)).await;
        let records = stage.records(&id);
        assert!(
            records[before..].iter().all(|record| ["noticed", "checked"].contains(&record.event.as_str())),
            "{}",
            stage.story(&id)
        );
        assert_eq!(stage.run(&id).phase, run.phase, "{procedure}");
        let told = stage.alerts().iter().filter(|alert| *alert == "unprotected_too_long").count();
        assert_eq!(told, 1, "{procedure}");
    }
}

/// The gates before the soak, left open for days: nothing disturbs anybody meanwhile.
#[tokio::test(start_paused = true)]
async fn silence_before_the_break_leaves_failover_on() {
    let stage = Stage::new();
    let id = stage.start("in-place").await;
    stage.until(&id, |run| run.open_gate().is_some()).await;
    stage.pass(SignedDuration::from_hours(10 * 24)).await;
    assert!(stage.truth().linked && stage.truth().acts.is_empty(), "{:?}", stage.truth().acts);
    let rest = stage.idle_to_rest(&id).await;
    assert_eq!(rest.end, "window_missed", "{}", stage.story(&id));
    assert!(stage.truth().linked);
}

/// R10: accepted early at the gate, or while it soaks, the shortest soak is waived.
#[tokio::test(start_paused = true)]
async fn an_early_acceptance_ends_the_soak() {
    for in_the_soak in [false, true] {
        let stage = Stage::set(Setting { second: "2026-11-22T09:00:00Z +22h".to_owned(), ..Setting::default() });
        let id = stage.start("role-swap").await;
        stage.until_step(&id, "soak.confirm").await;
        stage.until(&id, |run| run.open_gate().is_some()).await;
        if in_the_soak {
            stage.accept(&id, None).await.unwrap();
            stage.until(&id, |run| run.step().is_some_and(|step| step.id == "soak.soak")).await;
            stage.pass(SignedDuration::from_mins(10)).await;
            assert_eq!(stage.accept(&id, None).await.unwrap_err().code, "gate_not_open");
        }
        stage.word(&id, confirm(Some("production"), Verdict::AcceptEarly)).await.unwrap();
        let rest = stage.to_rest(&id).await;
        assert_eq!(rest.end, "succeeded", "{}", stage.story(&id));
        assert!(rest.run.finished_at.unwrap() < "2026-11-22T11:00:00Z".parse().unwrap());
        assert_sound(&stage, &id, "role-swap", true, "early");
    }
}
