//! BG-22: a sync that failed, hangs, proves nothing, began too early, moved on the wrong side or says what nobody knows. The
//! link is never broken on it; and the first sync after establishing must be good before a run ends.

use changeover::domain::event::Verdict;
use changeover::domain::ids::NodeId;
use changeover::domain::run::Run;
use changeover::engine::api::Word;
use changeover::simulator::faults::{Fault, Planned};

use crate::audit::assert_sound;
use crate::stage::{PROCEDURES, Rest, Setting, Stage};

/// The faults and the code of the hold that they lead to. Where a driver has no verdict of its own, a text that says `failed`
/// is one that nobody knows.
const BAD: [(Fault, &str); 5] = [
    (Fault::SyncFails, "sync_status_unknown"),
    (Fault::SyncStuck, "sync_failed"),
    (Fault::SyncStale, "sync_failed"),
    (Fault::SyncWrongSide, "sync_failed"),
    (Fault::SyncOddStatus, "sync_status_unknown"),
];

fn settings() -> [Setting; 2] {
    [Setting::default(), Setting::by_operator()]
}

fn assert_told(stage: &Stage, case: &str, rest: &Rest, code: &str) {
    assert_eq!(rest.end, code, "{case}\n{}", stage.story(&rest.run.id));
    let alerts = stage.alerts();
    assert!(alerts.ends_with(&["sync_failed".to_owned(), "held".to_owned()]), "{case}: {alerts:?}");
}

fn assert_on(stage: &Stage, run: &Run, case: &str) {
    let truth = stage.truth();
    assert!(truth.linked && truth.acts.iter().all(|act| act.what != "break"), "{case}\n{}", stage.story(&run.id));
    assert_eq!(run.unprotected_since(), None, "{case}");
}

#[tokio::test(start_paused = true)]
async fn bg_22_failover_is_never_broken_on_a_bad_sync() {
    for procedure in PROCEDURES {
        for setting in settings() {
            for (fault, code) in BAD {
                let case = format!("{procedure}: {fault}, by hand: {}", setting.options.by_operator);
                let stage = Stage::set(setting.clone());
                stage.fault(Planned::for_ever(fault));
                let id = stage.start(procedure).await;
                let rest = stage.to_rest(&id).await;
                assert_told(&stage, &case, &rest, code);
                assert_on(&stage, &rest.run, &case);
                stage.resume(&id).await.unwrap();
                let rest = stage.to_rest(&id).await;
                assert_told(&stage, &format!("{case}, again"), &rest, code);
                assert_on(&stage, &rest.run, &case);
                stage.mend();
                stage.resume_to_end(&id).await;
                assert_sound(&stage, &id, procedure, true, &case);
            }
        }
    }
}

/// A sync that began before it was asked for lacks what is newer: the second one proves what the first can't.
#[tokio::test(start_paused = true)]
async fn a_sync_begun_too_early_proves_nothing() {
    for procedure in PROCEDURES {
        for planned in [Planned::once(Fault::SyncEarly), Planned::for_ever(Fault::SyncEarly)] {
            let case = format!("{procedure}: {planned:?}");
            let stage = Stage::new();
            stage.fault(planned);
            stage.at("step_begun", "window-1.force_sync.b", |world| world.change_settings(NodeId::A).unwrap());
            stage.at("step_begun", "window-1.break_failover.a", |world| {
                let settings = |node| world.node(node).settings.revision;
                assert_eq!(settings(NodeId::B), settings(NodeId::A), "broken on a sync that lacks what was asked for");
            });
            let id = stage.start(procedure).await;
            let rest = stage.to_rest(&id).await;
            assert_eq!(rest.end, "succeeded", "{case}\n{}", stage.story(&id));
            assert_eq!(stage.count(&id, "step_begun", "window-1.force_sync.b"), 2, "{case}");
            assert_sound(&stage, &id, procedure, true, &case);
        }
    }
}

/// R1: a person may accept one exact text, once.
#[tokio::test(start_paused = true)]
async fn an_unknown_status_text_is_accepted_once_by_a_person() {
    let stage = Stage::new();
    stage.fault(Planned { times: Some(4), ..Planned::for_ever(Fault::SyncOddStatus) });
    let id = stage.start("role-swap").await;
    assert_eq!(stage.to_rest(&id).await.end, "sync_status_unknown");
    let word = |verdict| Word::Confirm { gate: Some("sync_status".to_owned()), verdict, note: None, evidence: None };
    stage.word(&id, word(Verdict::Reject)).await.unwrap();
    let run = stage.run(&id);
    assert!(run.hold().is_some() && run.accepted_status.is_none(), "a rejection accepts nothing\n{}", stage.story(&id));
    stage.word(&id, word(Verdict::Accept)).await.unwrap();
    let rest = stage.to_rest(&id).await;
    // Two syncs passed by the person's word; the fourth odd one, after establishing, needs another word.
    assert_told(&stage, "after establishing", &rest, "sync_status_unknown");
    assert!(rest.run.step().unwrap().id.contains("establish"), "{}", stage.story(&id));
    stage.word(&id, word(Verdict::Accept)).await.unwrap();
    assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
}

#[tokio::test(start_paused = true)]
async fn a_run_does_not_end_before_the_first_sync_was_good() {
    for (procedure, survivor) in [("in-place", "a"), ("role-swap", "b")] {
        for setting in settings() {
            for (fault, code) in BAD {
                let case = format!("{procedure}: {fault}, by hand: {}", setting.options.by_operator);
                let stage = Stage::set(setting.clone());
                let establish = format!("window-2.establish_failover.{survivor}");
                stage.at("step_begun", &establish, move |world| world.plan_fault(Planned::for_ever(fault)));
                let id = stage.start(procedure).await;
                let rest = stage.to_rest(&id).await;
                assert_told(&stage, &case, &rest, code);
                assert!(rest.run.unprotected_since().is_some(), "{case}: unprotected until the first good sync");
                stage.mend();
                let (_, times) = stage.resume_to_end(&id).await;
                assert_eq!(times, 1, "{case}\n{}", stage.story(&id));
                assert_sound(&stage, &id, procedure, true, &case);
            }
        }
    }
}
