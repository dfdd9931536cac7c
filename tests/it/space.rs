//! Only the reserve is left on the store's disk, from each record on: the run is held, told, and nothing new begins; a person may
//! still order traffic back; and with space again a resumption leads on.

use std::sync::atomic::Ordering;

use changeover::domain::event::Event;
use changeover::engine::api::{Fleet as _, Kind, Word};
use jiff::SignedDuration;

use crate::audit::assert_sound;
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
