//! What the nights have found, one scenario each.

use changeover::domain::event::Notice;
use changeover::domain::gate::Gate;
use changeover::domain::ids::NodeId;
use changeover::domain::site::Policy;
use changeover::domain::version::Target;
use changeover::engine::api::Word;
use changeover::simulator::faults::{Fault, Planned};
use jiff::SignedDuration;

use crate::audit::assert_sound;
use crate::stage::{Setting, Stage};

const B: NodeId = NodeId::B;

fn install(stage: &Stage, node: NodeId, version: &str) {
    let target = Target { version: version.parse().unwrap(), build: None };
    stage.site.current().update(node, Some(target)).unwrap();
}

/// Where a run's records of this event and step stand.
fn places(stage: &Stage, run: &changeover::domain::run::Run, event: &str, step: &str) -> Vec<u64> {
    let records = stage.records(&run.id).into_iter();
    records.filter(|record| record.event == event && record.step.as_deref() == Some(step)).map(|record| record.seq).collect()
}

/// Somebody carried the instruction out and the update failed: the box was gone for half an hour and is back on its old version.
/// The instruction stood on as if nobody had begun, in silence, until its window or its backup ran out; then another one asked
/// for the same update again.
#[tokio::test(start_paused = true)]
async fn a_failed_update_by_hand_is_told() {
    // How long a silence a site puts up with elsewhere says nothing of an update.
    for max_silence in [SignedDuration::from_mins(5), SignedDuration::from_hours(2)] {
        failed_by_hand(max_silence).await;
    }
}

async fn failed_by_hand(max_silence: SignedDuration) {
    let policy = Policy { max_silence, ..Policy::default() };
    let stage = Stage::set(Setting { policy, ..Setting::by_operator() });
    stage.fault(Planned::once(Fault::UpdateFails));
    let id = stage.start("role-swap").await;
    let rest = stage.to_rest(&id).await;
    let seen = stage.story(&id);
    assert_eq!((rest.end.as_str(), rest.run.step().unwrap().id.as_str()), ("step_failed", "window-1.update.b"), "{seen}");
    assert!(stage.alert_says("step_failed", "runs 24.1.1 still") && rest.run.act.is_none(), "{seen}");
    assert_eq!(stage.truth().nodes.b.updates.len(), 1, "{seen}");
    let (_, times) = stage.resume_to_end(&id).await;
    assert_eq!((times, stage.truth().nodes.b.updates.len()), (1, 2), "a person's word, then once more");
}

/// An instruction is out and nobody has begun. A node that is gone for a moment, or together with the other one, was not updated.
#[tokio::test(start_paused = true)]
async fn a_silence_of_the_network_is_no_failed_update() {
    for (node, silent, failed) in [(Some(B), 4, false), (None, 12, false), (Some(B), 12, true)] {
        let stage = Stage::set(Setting::by_operator());
        let id = stage.start("role-swap").await;
        stage.until_step(&id, "window-1.update.b").await;
        stage.until(&id, |run| run.act.as_ref().is_some_and(|act| act.instruction.is_some())).await;
        stage.fault(Planned { node, ..Planned::for_ever(Fault::NodeSilent) });
        stage.pass(SignedDuration::from_mins(silent)).await;
        stage.mend();
        let held = stage.within(&id, SignedDuration::from_mins(20), |run| run.hold().is_some()).await;
        assert_eq!(held.is_ok(), failed, "{node:?}, {silent} min\n{}", stage.story(&id));
        assert!(!failed || stage.alert_says("step_failed", "runs 24.1.1 still"), "{}", stage.story(&id));
    }
}

/// R1 may ask for a second sync. Between the two somebody booked another window: the second was asked for without the word that
/// automatic failover is off in it (R17).
#[tokio::test(start_paused = true)]
async fn r17_the_second_sync_waits_for_the_word_of_the_new_window() {
    let step = "window-1.force_sync.b";
    let stage = Stage::new();
    let id = stage.start("role-swap").await;
    stage.until_step(&id, step).await;
    stage.fault(Planned::for_ever(Fault::WrongBox).on(B));
    let rest = stage.to_rest(&id).await;
    assert_eq!(rest.end, "wrong_box", "{}", stage.story(&id));
    stage.mend();
    stage.word(&id, Word::Resume { window: Some("now +4h".to_owned()) }).await.unwrap();
    let rest = stage.to_rest(&id).await;
    assert_eq!(rest.end, "succeeded", "{}", stage.story(&id));
    let (asked, begun) =
        (places(&stage, &rest.run, "confirmed", "window-1.confirm"), places(&stage, &rest.run, "step_begun", step));
    assert!(begun.len() >= 2 && asked.len() == 2 && begun[1] > asked[1], "{asked:?}, {begun:?}\n{}", stage.story(&id));
    assert_sound(&stage, &id, "role-swap", true, "second sync");
}

/// The run was home with the door of the serving node closed: somebody had closed it hours before, and nothing asked.
#[tokio::test(start_paused = true)]
async fn a_closed_door_is_not_home() {
    let stage = Stage::new();
    // From window two on it is no condition of the soak any more.
    stage.at("confirmed", "window-2.confirm", |world| world.close(B).unwrap());
    let id = stage.start("role-swap").await;
    let rest = stage.to_rest(&id).await;
    assert_eq!(rest.end, "check_failed", "{}", stage.story(&id));
    assert!(stage.alert_says("step_failed", "to take a client"), "{}", stage.story(&id));
    stage.site.current().open(B).unwrap();
    let (_, times) = stage.resume_to_end(&id).await;
    assert_eq!(times, 1, "{}", stage.story(&id));
    assert_eq!(stage.truth().serving, Some(B));
}

/// The door of the serving node was closed by hand in the soak: the service was out for days and nobody was told until the last
/// check. Told within `policy.max_silence` and one look, and that it is over.
#[tokio::test(start_paused = true)]
async fn a_closed_door_in_the_soak_is_told() {
    let stage = Stage::new();
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "soak.confirm").await;
    stage.until(&id, |run| run.open_gate() == Some(Gate::Production)).await;
    stage.accept(&id, None).await.unwrap();
    stage.pass(SignedDuration::from_hours(2)).await;
    assert!(!stage.alerts().contains(&"not_serving".to_owned()), "{}", stage.story(&id));
    stage.site.current().close(B).unwrap();
    let closed = stage.truth().now;
    let run = stage.until(&id, |run| run.has_notice(Notice::NotServing, Some(B))).await;
    let (look, limit) = (SignedDuration::from_secs(5 * 60 + 5), stage.setting.policy.max_silence);
    assert!(run.last_at.duration_since(closed) <= look + limit, "{closed}: {}", stage.story(&id));
    assert!(stage.alert_says("not_serving", "node `b` should serve and takes no client"), "{}", stage.story(&id));
    stage.site.current().open(B).unwrap();
    stage.until(&id, |run| !run.has_notice(Notice::NotServing, Some(B))).await;
    assert!(stage.alert_says("not_serving", "takes clients again"), "{}", stage.story(&id));
    assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
}

/// Somebody installed a newer version on one node while the link was being made, and a person acknowledged it: the run ended as
/// if both nodes ran the target.
#[tokio::test(start_paused = true)]
async fn r6_unequal_versions_are_not_home() {
    let stage = Stage::new();
    let step = "window-2.establish_failover.b";
    let id = stage.start("role-swap").await;
    stage.until_step(&id, step).await;
    stage.pass(SignedDuration::from_secs(40)).await;
    install(&stage, B, "24.2.2");
    let mut ends = Vec::new();
    for _ in 0..4 {
        ends.push(stage.to_rest(&id).await.end);
        stage.pass(SignedDuration::from_mins(50)).await;
        stage.resume(&id).await.unwrap_or_else(|problem| panic!("{ends:?}: {problem:?}\n{}", stage.story(&id)));
    }
    assert!(ends.iter().any(|end| end == "wrong_version"), "{ends:?}\n{}", stage.story(&id));
    assert!(!stage.run(&id).is_finished(), "{}", stage.story(&id));
}

/// A node came back on a version that nobody asked for; a person put the right one on it, a day later. What was done by hand
/// counts although its backup has grown old: without that no word led on any more.
#[tokio::test(start_paused = true)]
async fn an_update_by_hand_counts_when_its_backup_has_grown_old() {
    for restarted in [false, true] {
        let mut stage = Stage::set(Setting { second: "2026-11-26T07:00:00Z +5h".to_owned(), ..Setting::default() });
        stage.fault(Planned::once(Fault::UpdateWrongVersion));
        let id = stage.start("role-swap").await;
        assert_eq!(stage.to_rest(&id).await.end, "wrong_version", "{}", stage.story(&id));
        install(&stage, B, "24.2.1");
        stage.pass(SignedDuration::from_hours(26)).await;
        stage.resume(&id).await.unwrap();
        assert_eq!(stage.to_rest(&id).await.end, "out_of_band", "{}", stage.story(&id));
        if restarted {
            // Seen once since: the second reading decides, not R5.
            stage.restart();
        }
        stage.resume(&id).await.unwrap();
        let rest = stage.to_rest(&id).await;
        assert_eq!(stage.count(&id, "step_done", "window-1.update.b"), 1, "{}: {}", rest.end, stage.story(&id));
        assert_eq!(stage.truth().nodes.b.updates.len(), 2, "{}", stage.story(&id));
        assert_eq!(rest.end, "window_missed", "{}", stage.story(&id));
        stage.word(&id, Word::Resume { window: Some("now +8h".to_owned()) }).await.unwrap();
        assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
    }
}
