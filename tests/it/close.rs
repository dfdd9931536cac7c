//! The end of a run without an act: from every phase at rest it frees the site, says what is undone, and watches over the pair
//! until it is linked.

use changeover::domain::event::Outcome;
use changeover::domain::exposure;
use changeover::domain::ids::{NodeId, RunId};
use changeover::domain::run::{Phase, Run};
use changeover::engine::api::{Kind, Word};
use changeover::simulator::faults::{Fault, Planned};
use jiff::SignedDuration;

use crate::stage::{PROCEDURES, Setting, Stage};

pub fn close() -> Word {
    Word::Close { state: "vendor support has node b".to_owned(), note: "goes on tomorrow".to_owned() }
}

fn count(stage: &Stage, alert: &str) -> usize {
    stage.alerts().iter().filter(|known| *known == alert).count()
}

/// What every closed run must be, and the pair with it.
async fn assert_closed(stage: &Stage, id: &RunId, before: &Run, case: &str) {
    let run = stage.run(id);
    assert_eq!(run.phase, Phase::Finished(Outcome::Closed), "{case}\n{}", stage.story(id));
    let record = stage.records(id).into_iter().find(|record| record.event == "closed").unwrap();
    assert_eq!((record.actor.as_str(), record.data["state"].as_str()), ("olga", Some("vendor support has node b")), "{case}");
    let undone = record.data["undone"].as_array().unwrap();
    let open = before.steps().filter(|(_, progress)| progress.done_at.is_none()).count();
    // A step may have been proven between the look and the word.
    assert!(undone.len() <= open && undone.len() + 2 >= open, "{case}: {undone:?}");
    assert!(stage.alert_says("finished", "was closed by a person as `vendor support has node b`"), "{case}");
    let unprotected = run.unprotected_since().is_some();
    stage.pass(SignedDuration::from_mins(20)).await;
    // Told at once; and again when an act that was under way has linked the pair, or a break that was never came.
    let linked = stage.truth().linked && unprotected;
    assert_eq!(
        count(stage, "unprotected_too_long"),
        usize::from(unprotected) + usize::from(linked),
        "{case}\n{}",
        stage.story(id)
    );
    assert!(unprotected || stage.truth().linked, "{case}: nobody watches\n{}", stage.story(id));
}

async fn at_each_record(procedure: &str, setting: Setting) {
    let stage = Stage::set(setting.clone());
    let id = stage.start(procedure).await;
    stage.to_rest(&id).await;
    let (mut closed, mut acting) = (0, 0);
    for seq in 1..stage.records(&id).len() as u64 {
        let case = format!("{procedure}: closed after record {seq}");
        let stage = Stage::set(setting.clone());
        let id = stage.start(procedure).await;
        let before = stage.until_seq(&id, seq).await;
        if before.is_finished() {
            continue;
        }
        match stage.word(&id, close()).await {
            Ok(snapshot) => assert!(snapshot.run.is_finished(), "{case}"),
            Err(problem) => {
                assert_eq!((problem.kind, problem.code.as_str()), (Kind::Conflict, "act_under_way"), "{case}: {problem:?}");
                acting += 1;
                continue;
            }
        }
        let acts = stage.truth().acts.len();
        assert_closed(&stage, &id, &before, &case).await;
        assert_eq!(stage.truth().acts.len(), acts, "{case}: something was touched");
        // Words are refused from then on.
        for word in [close(), Word::Hold, Word::Resume { window: None }, Word::Abort { way: None, note: None }] {
            assert_eq!(stage.word(&id, word.clone()).await.unwrap_err().kind, Kind::Conflict, "{case}: {word:?}");
        }
        closed += 1;
    }
    // While an answer is awaited it is not taken: at most once for each act.
    assert!(closed >= 20 && acting <= 16, "{procedure}: {closed} closed, {acting} acting");
}

#[tokio::test(start_paused = true)]
async fn r12_in_place_is_closed_at_each_record() {
    at_each_record(PROCEDURES[0], Setting::default()).await;
}

#[tokio::test(start_paused = true)]
async fn r12_a_role_swap_is_closed_at_each_record() {
    at_each_record(PROCEDURES[1], Setting::default()).await;
}

#[tokio::test(start_paused = true)]
async fn r12_a_role_swap_by_hand_is_closed_at_each_record() {
    at_each_record(PROCEDURES[1], Setting::by_operator()).await;
}

#[tokio::test(start_paused = true)]
async fn closing_needs_a_state_and_a_note() {
    let stage = Stage::new();
    let id = stage.start("role-swap").await;
    stage.until(&id, |run| run.open_gate().is_some()).await;
    let long = "x".repeat(101);
    let cases = [("", "why", "bad_input"), (" ", "why", "bad_input"), (&long, "why", "bad_input"), ("left", " ", "note_missing")];
    for (state, note, code) in cases {
        let word = Word::Close { state: state.to_owned(), note: note.to_owned() };
        let problem = stage.word(&id, word).await.unwrap_err();
        assert_eq!((problem.kind, problem.code.as_str()), (Kind::BadInput, code), "{state:?} {note:?}");
    }
    stage.word(&id, Word::Close { state: "x".repeat(100), note: "why".to_owned() }).await.unwrap();
}

/// R12: a closed run frees the site; a held and an in-doubt run can be closed, and the next one starts once the pair is well.
#[tokio::test(start_paused = true)]
async fn r12_a_closed_run_frees_the_site() {
    let stage = Stage::new();
    let id = stage.start("role-swap").await;
    stage.fault(Planned::once(Fault::SyncFails));
    let rest = stage.to_rest(&id).await;
    assert_eq!(rest.end, "sync_status_unknown", "{}", stage.story(&id));
    let busy = stage.fleet_start("in-place").await.unwrap_err();
    assert_eq!((busy.kind, busy.code.as_str()), (Kind::Conflict, "one_run"), "{busy:?}");
    assert!(busy.hint.as_ref().unwrap().contains("changeover close support-1"), "{busy:?}");
    stage.word(&id, close()).await.unwrap();
    stage.pass(SignedDuration::from_mins(30)).await;
    let next = stage.start("in-place").await;
    assert_eq!(next.number, 2);
    assert_eq!(stage.to_rest(&next).await.end, "succeeded", "{}", stage.story(&next));
}

/// R10: closed without failover, the alert goes out at once, survives a restart of the daemon, and its end is told.
#[tokio::test(start_paused = true)]
async fn r10_a_run_closed_unprotected_watches_until_the_pair_is_linked() {
    let mut stage = Stage::new();
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "soak.confirm").await;
    stage.until(&id, |run| run.open_gate().is_some()).await;
    stage.word(&id, close()).await.unwrap();
    stage.pass(SignedDuration::from_mins(1)).await;
    assert_eq!(count(&stage, "unprotected_too_long"), 1);
    stage.pass(SignedDuration::from_hours(30)).await;
    stage.restart();
    stage.pass(SignedDuration::from_hours(30)).await;
    assert_eq!(count(&stage, "unprotected_too_long"), 1, "{}", stage.story(&id));
    assert!(stage.run(&id).is_watched());
    // Finished by hand.
    stage.hand("update", NodeId::A);
    stage.pass(SignedDuration::from_hours(1)).await;
    stage.hand("establish", NodeId::B);
    stage.pass(SignedDuration::from_hours(1)).await;
    assert!(!stage.run(&id).is_watched(), "{}", stage.story(&id));
    assert_eq!(count(&stage, "unprotected_too_long"), 2, "{}", stage.story(&id));
    assert!(stage.last_alert("unprotected_too_long").contains("the pair is linked"));
    let records = stage.records(&id).len();
    stage.restart();
    stage.pass(SignedDuration::from_hours(1)).await;
    assert_eq!(stage.records(&id).len(), records, "{}", stage.story(&id));
}

/// An instruction that is out is withdrawn by the word that ends the run.
#[tokio::test(start_paused = true)]
async fn closing_withdraws_an_instruction() {
    let stage = Stage::set(Setting::by_operator());
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "window-1.update.b").await;
    stage.until(&id, |run| run.act.as_ref().is_some_and(|act| act.instruction.is_some())).await;
    stage.word(&id, close()).await.unwrap();
    assert!(stage.alert_says("finished", "is withdrawn, do not carry it out"), "{:?}", stage.alerts());
}

/// R10: the link was broken by other hands before the run broke it: the run's end does not end the watch over the pair.
#[tokio::test(start_paused = true)]
async fn r10_a_run_closed_with_the_link_gone_watches_too() {
    let stage = Stage::set(Setting::by_operator());
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "window-1.force_sync.b").await;
    stage.hand("break", NodeId::A);
    let rest = stage.idle_to_rest(&id).await;
    assert_eq!(rest.end, "out_of_band", "{}", stage.story(&id));
    let found = rest.run.off_since().unwrap();
    assert!(!stage.last_alert("held").contains("failover is still on"), "{}", stage.last_alert("held"));
    // The budget is used up while the run is held, too.
    stage.pass(rest.run.plan.policy.max_unprotected + SignedDuration::from_mins(10)).await;
    assert_eq!(count(&stage, "unprotected_too_long"), 1, "{}", stage.story(&id));
    stage.word(&id, close()).await.unwrap();
    stage.pass(SignedDuration::from_mins(1)).await;
    let run = stage.run(&id);
    assert!(run.is_watched() && run.unprotected_since() == Some(found), "{:?}", run.unprotected_since());
    stage.hand("establish", NodeId::A);
    stage.pass(SignedDuration::from_hours(1)).await;
    assert!(!stage.run(&id).is_watched(), "{}", stage.story(&id));
    assert!(stage.last_alert("unprotected_too_long").contains("the pair is linked"));
    let run = stage.run(&id);
    let exposure = exposure::of([&*run], None, run.last_at);
    assert!(exposure.seconds >= run.plan.policy.max_unprotected.as_secs(), "{exposure:?}");
}
