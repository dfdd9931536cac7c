//! Only the reserve is left on the store's disk, from each record on: the run is held, told, and nothing new begins; a person may
//! still order traffic back; and with space again a resumption leads on.

use std::sync::atomic::Ordering;

use changeover::domain::event::{Event, Verdict};
use changeover::domain::gate::Gate;
use changeover::domain::ids::{NodeId, RunId};
use changeover::engine::api::{Fleet as _, Kind, Word};
use jiff::SignedDuration;

use crate::audit::assert_sound;
use crate::close::close;
use crate::preflight::warnings::warned;
use crate::stage::{PROCEDURES, Stage};

#[tokio::test(start_paused = true)]
async fn only_the_reserve_is_left_from_each_record_on() {
    for procedure in PROCEDURES {
        let stage = Stage::new();
        let id = stage.start(procedure).await;
        stage.to_rest(&id).await;
        let count = stage.records(&id).len() as u64;
        for seq in (1..count).step_by(2) {
            let case = format!("{procedure}: low from record {seq}");
            let stage = Stage::new();
            let id = stage.start(procedure).await;
            stage.until_seq(&id, seq).await;
            stage.journal.low.store(true, Ordering::SeqCst);
            let gate =
                |run: &changeover::domain::run::Run| run.hold().is_some() || run.open_gate().is_some() || run.is_finished();
            let run = stage.until(&id, gate).await;
            if run.is_finished() {
                continue;
            }
            if run.open_gate().is_some() {
                let problem = stage.accept(&id, None).await.unwrap_err();
                assert_eq!((problem.kind, problem.code.as_str()), (Kind::Store, "store_low"), "{case}: {problem:?}");
                stage.journal.low.store(false, Ordering::SeqCst);
            } else {
                assert_eq!(run.hold().unwrap().code, "store_low", "{case}\n{}", stage.story(&id));
                let alerts = stage.alerts();
                assert!(alerts.ends_with(&["store_low".to_owned(), "held".to_owned()]), "{case}: {alerts:?}");
                let acts = stage.truth().acts.len();
                let problem = stage.resume(&id).await.unwrap_err();
                assert_eq!(problem.code, "store_low", "{case}: {problem:?}");
                stage.pass(SignedDuration::from_mins(30)).await;
                assert_eq!(stage.truth().acts.len(), acts, "{case}");
                stage.journal.low.store(false, Ordering::SeqCst);
                stage.resume(&id).await.unwrap();
            }
            assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{case}\n{}", stage.story(&id));
            assert!(!stage.run(&id).notices.iter().any(|(notice, _)| notice.name() == "store_low"), "{case}");
            assert_sound(&stage, &id, procedure, true, &case);
        }
    }
}

/// A person's word is the first that meets a journal that can't be written: it is not taken, and the daemon ends as after any other.
#[tokio::test(start_paused = true)]
async fn a_word_that_can_t_be_written_ends_the_daemon() {
    let stage = Stage::new();
    let id = stage.start("in-place").await;
    stage.until(&id, |run| run.open_gate().is_some()).await;
    stage.journal.broken.store(true, Ordering::SeqCst);
    let problem = stage.accept(&id, None).await.unwrap_err();
    assert_eq!((problem.kind, problem.code.as_str()), (Kind::Store, "store_failed"), "{problem:?}");
    assert!(problem.state.is_some() && problem.hint.is_some(), "{problem:?}");
    tokio::time::timeout(std::time::Duration::from_secs(1), stage.fatal()).await.expect("the daemon ends");
}

#[tokio::test(start_paused = true)]
async fn traffic_is_ordered_back_from_the_reserve() {
    let stage = Stage::new();
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "soak.confirm").await;
    stage.journal.low.store(true, Ordering::SeqCst);
    stage.word(&id, Word::SwitchBack { note: "it prints nothing".to_owned() }).await.unwrap();
    assert_eq!(stage.to_rest(&id).await.end, "switched_back", "{}", stage.story(&id));
    let records = stage.records(&id);
    let events = records.iter().map(|record| Event::from_parts(&record.event, &record.data).unwrap());
    assert!(events.filter(|event| matches!(event, Event::StepDone { .. })).count() > 10);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_started_on_the_reserve() {
    let stage = Stage::new();
    stage.journal.low.store(true, Ordering::SeqCst);
    let problem = stage.fleet.start(stage.request("in-place"), "olga").await.unwrap_err();
    assert_eq!((problem.kind, problem.code.as_str()), (Kind::Store, "store_low"));
    assert!(stage.fleet.runs().is_empty());
}

/// A run that soaks, with its gate open.
async fn soaking() -> (Stage, RunId) {
    let stage = Stage::new();
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "soak.confirm").await;
    stage.until(&id, |run| run.open_gate() == Some(Gate::Production)).await;
    (stage, id)
}

async fn held() -> (Stage, RunId) {
    let (stage, id) = soaking().await;
    stage.word(&id, Word::Hold).await.unwrap();
    (stage, id)
}

/// With a setting on the node that is overwritten, which somebody entered after the break.
async fn at_the_ledger() -> (Stage, RunId) {
    let (stage, id) = soaking().await;
    stage.set_item(NodeId::A, "user", "7", Some("1"));
    stage.answered(&id, |run| run.open_gate() == Some(Gate::SettingsLedger)).await;
    (stage, id)
}

/// Hold, way home, switch back and close.
#[tokio::test(start_paused = true)]
async fn what_leads_back_is_taken_from_the_reserve() {
    let leave =
        [Word::Hold, Word::Abort { way: None, note: None }, Word::SwitchBack { note: "it prints nothing".to_owned() }, close()];
    for word in leave {
        let (stage, id) = soaking().await;
        stage.journal.low.store(true, Ordering::SeqCst);
        let (name, seq) = (word.name(), stage.run(&id).seq);
        stage.word(&id, word).await.unwrap_or_else(|problem| panic!("{name}: {problem:?}"));
        assert!(stage.run(&id).seq > seq, "{name}");
    }
}

async fn refused((stage, id): (Stage, RunId), word: Word) {
    let (name, run) = (word.name(), stage.run(&id));
    stage.journal.low.store(true, Ordering::SeqCst);
    let problem = stage.word(&id, word.clone()).await.unwrap_err();
    assert_eq!((problem.kind, problem.code.as_str()), (Kind::Store, "store_low"), "{name}: {problem:?}");
    assert_eq!(stage.run(&id), run, "{name}: nothing is half done");
    stage.journal.low.store(false, Ordering::SeqCst);
    stage.word(&id, word).await.unwrap_or_else(|problem| panic!("{name}, with space again: {problem:?}"));
}

/// What else a person may say of a run that goes on; a release is tried with the rehearsals.
#[tokio::test(start_paused = true)]
async fn no_other_word_is_taken_from_the_reserve() {
    refused(soaking().await, Word::Confirm { gate: None, verdict: Verdict::Accept, note: None, evidence: None }).await;
    refused(held().await, Word::Resume { window: None }).await;
    let line = Word::Acknowledge { line: "a.user.7".to_owned(), digest: None, note: None };
    refused(at_the_ledger().await, line).await;
    let warning = Word::AcceptWarning { check: "sync_status_unknown".to_owned(), node: None, reason: "why".to_owned() };
    refused(warned().await, warning).await;
    let identity = "00000000000000000000000000000042".to_owned();
    refused(held().await, Word::ReplaceNode { node: NodeId::A, identity, note: None }).await;
}
