//! R3 where people keep a run waiting: a window closes over an open gate, and window two passes while nobody speaks.

use std::sync::Arc;

use changeover::domain::event::Notice;
use changeover::domain::gate::Gate;
use changeover::domain::ids::{NodeId, RunId};
use changeover::domain::run::Run;
use changeover::domain::site::{Policy, WhenWindowEnds};
use changeover::engine::api::{Fleet as _, Kind, Problem, Rebooking, Word};
use changeover::server::view::Guide;
use changeover::simulator::faults::{Fault, Planned};
use jiff::{SignedDuration, Timestamp};

use crate::audit::assert_sound;
use crate::stage::{PROCEDURES, Setting, Stage};
use crate::windows::last_start;

/// How nobody answers: the daemon looks on, is restarted just as it gets too late, or is down until hours after the window's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meanwhile {
    Up,
    Restarted,
    Down,
}

const MEANWHILE: [Meanwhile; 3] = [Meanwhile::Up, Meanwhile::Restarted, Meanwhile::Down];

impl Meanwhile {
    async fn passes(self, stage: &mut Stage, run: &Run) {
        let latest = last_start(run);
        let hours = SignedDuration::from_hours(6);
        match self {
            Self::Up => {}
            Self::Restarted => {
                stage.clock_to(latest).await;
                stage.restart();
            }
            Self::Down => {
                stage.stop();
                stage.clock_to(latest + hours).await;
                stage.restart();
            }
        }
    }
}

fn far(when_window_ends: WhenWindowEnds) -> Setting {
    let (first, second) = ("now +5h".to_owned(), "2026-11-27T07:00:00Z +6h".to_owned());
    let policy = Policy { when_window_ends, ..Policy::default() };
    Setting { first, second, policy, ..Setting::default() }
}

/// Between the break and the first update, where nobody answers.
async fn at_background_jobs(procedure: &str, setting: Setting) -> (Stage, RunId, Arc<Run>) {
    let stage = Stage::set(setting);
    let id = stage.start(procedure).await;
    let run = stage.answered(&id, |run| run.open_gate() == Some(Gate::BackgroundJobs)).await;
    assert!(run.unprotected_since().is_some() && !stage.truth().linked);
    (stage, id, run)
}

/// A person's word on another window for both parts, or for one.
fn windows(first: Option<&str>, second: Option<&str>) -> Word {
    Word::Rebook(Rebooking { first: first.map(str::to_owned), second: second.map(str::to_owned), responsible: None })
}

#[tokio::test(start_paused = true)]
async fn r3_a_gate_without_failover_is_not_left_open_beyond_its_window() {
    for procedure in PROCEDURES {
        for meanwhile in MEANWHILE {
            let case = format!("{procedure}, {meanwhile:?}");
            let (mut stage, id, run) = at_background_jobs(procedure, far(WhenWindowEnds::Hold)).await;
            meanwhile.passes(&mut stage, &run).await;
            let rest = stage.idle_to_rest(&id).await;
            assert_eq!(rest.end, "window_missed", "{case}\n{}", stage.story(&id));
            assert_eq!(rest.run.step().unwrap().id, run.step().unwrap().id, "{case}");
            let since = rest.run.hold().unwrap().since;
            let in_time = since <= last_start(&run) + SignedDuration::from_mins(1);
            assert!(since > last_start(&run) && (in_time || meanwhile == Meanwhile::Down), "{case}\n{}", stage.story(&id));
            assert!(stage.alerts().contains(&"window_missed".to_owned()), "{case}");
            // What was missed is told by the hold, not as something that is still to come.
            let closing = stage.alerts().contains(&"window_closing".to_owned());
            assert_eq!(closing, meanwhile != Meanwhile::Down, "{case}: {:?}", stage.alerts());
            stage.word(&id, Word::Resume { window: Some("now +5h".to_owned()) }).await.unwrap();
            assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{case}\n{}", stage.story(&id));
            assert_sound(&stage, &id, procedure, true, &case);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn r3_where_the_policy_says_so_a_run_goes_home_from_a_gate() {
    for procedure in PROCEDURES {
        for meanwhile in MEANWHILE {
            let case = format!("{procedure}, {meanwhile:?}");
            let (mut stage, id, run) = at_background_jobs(procedure, far(WhenWindowEnds::Home)).await;
            meanwhile.passes(&mut stage, &run).await;
            stage.until(&id, |run| run.way.is_some() || run.hold().is_some()).await;
            assert!(stage.alert_says("window_missed", "goes home by itself"), "{case}\n{}", stage.story(&id));
            assert_eq!(stage.to_rest(&id).await.end, "aborted", "{case}\n{}", stage.story(&id));
            let updates = NodeId::BOTH.map(|node| stage.truth().nodes[node].updates.len());
            assert!(stage.truth().linked && updates == [0, 0], "{case}: {updates:?}");
        }
    }
}

/// A gate that is asked once more behind an update that is done waits for what is left, not for the update.
#[tokio::test(start_paused = true)]
async fn r3_what_was_done_before_a_gate_is_asked_again_is_not_kept_waiting() {
    for (procedure, verified) in [("in-place", "window-2.verify.b"), ("role-swap", "window-2.verify.a")] {
        let stage = Stage::set(far(WhenWindowEnds::Home));
        let id = stage.start(procedure).await;
        stage.until_step(&id, verified).await;
        stage.word(&id, Word::Hold).await.unwrap();
        let held = stage.answered(&id, |run| run.hold().is_some()).await;
        assert_eq!(held.hold().unwrap().code, "operator", "{procedure}\n{}", stage.story(&id));
        // What is left fits, the update that is done would not.
        let left = held.needs_of_window().unwrap().1;
        let update = held.plan.steps.iter().rfind(|step| step.kind == changeover::domain::action::Kind::Update).unwrap();
        let window = left + SignedDuration::from_mins(5);
        assert!(window < held.plan.need(update), "{procedure}: {window:#}, {:#}", held.plan.need(update));
        stage.word(&id, Word::Resume { window: Some(format!("now +{}min", window.as_mins())) }).await.unwrap();
        assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{procedure}\n{}", stage.story(&id));
        let off = if procedure == "role-swap" { "window-2.confirm.2" } else { "window-2.confirm" };
        assert!(stage.count(&id, "confirmed", off) > 0, "{procedure}\n{}", stage.story(&id));
        assert!(!stage.alerts().contains(&"window_missed".to_owned()), "{procedure}\n{}", stage.story(&id));
    }
}

/// The ledger before the link waits for words too.
#[tokio::test(start_paused = true)]
async fn r3_r9_a_ledger_that_nobody_reads_is_not_left_open_beyond_its_window() {
    for policy in [WhenWindowEnds::Hold, WhenWindowEnds::Home] {
        let stage = Stage::set(Setting { policy: far(policy).policy, ..Setting::default() });
        let id = stage.start("role-swap").await;
        stage.until_step(&id, "soak.confirm").await;
        stage.set_item(NodeId::A, "user", "7", Some("1"));
        let run = stage.answered(&id, |run| run.open_gate() == Some(Gate::SettingsLedger)).await;
        let latest = last_start(&run);
        let run = stage.until(&id, |run| run.way.is_some() || run.hold().is_some()).await;
        assert!(run.last_at <= latest + SignedDuration::from_mins(1), "{policy:?}\n{}", stage.story(&id));
        assert!(stage.alerts().contains(&"window_missed".to_owned()), "{policy:?}");
        if policy == WhenWindowEnds::Hold {
            assert_eq!(run.hold().unwrap().code, "window_missed", "{}", stage.story(&id));
            stage.word(&id, Word::Resume { window: Some("now +5h".to_owned()) }).await.unwrap();
        }
        let rest = stage.to_rest(&id).await;
        assert!(["succeeded", "aborted"].contains(&rest.end.as_str()), "{policy:?} {}\n{}", rest.end, stage.story(&id));
        assert!(stage.truth().linked, "{policy:?}");
    }
}

/// At the gate of the soak nobody speaks until window two is over: it is told, the gate stays open, and after the word nobody is sent through
/// the gates of a window that is gone.
#[tokio::test(start_paused = true)]
async fn r3_r10_window_two_passes_while_nobody_accepts_the_version() {
    for procedure in PROCEDURES {
        let (stage, id) = accepted_by_nobody(procedure).await;
        let second = stage.run(&id).windows.second.clone().unwrap();
        stage.clock_to(second.to + SignedDuration::from_hours(1)).await;
        let run = stage.run(&id);
        assert_eq!(run.open_gate(), Some(Gate::Production), "{}", stage.story(&id));
        assert!(stage.last_alert("second_window_lost").contains("window two"), "{}", stage.story(&id));
        let told = noticed_at(&stage, &id);
        assert!(second.from < told[0] && told[0] < second.to && told.len() == 1, "{told:?}\n{}", stage.story(&id));
        stage.accept(&id, None).await.unwrap();
        let rest = stage.idle_to_rest(&id).await;
        assert_eq!(rest.end, "window_missed", "{}", stage.story(&id));
        assert_eq!(rest.run.step().unwrap().id, "window-2.confirm", "{}", stage.story(&id));
        assert!(!stage.alert_says("window_closing", "window-2"), "{}", stage.story(&id));
        stage.word(&id, Word::Resume { window: Some("now +5h".to_owned()) }).await.unwrap();
        assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
        assert!(!rest.run.plan.steps.is_empty() && stage.run(&id).notices.is_empty(), "{:?}", stage.run(&id).notices);
        assert_sound(&stage, &id, procedure, true, procedure);
    }
}

async fn accepted_by_nobody(procedure: &str) -> (Stage, RunId) {
    let stage = Stage::new();
    let id = stage.start(procedure).await;
    stage.until_step(&id, "soak.confirm").await;
    stage.until(&id, |run| run.open_gate() == Some(Gate::Production)).await;
    (stage, id)
}

/// When `second_window_lost` was raised or ended.
fn noticed_at(stage: &Stage, id: &RunId) -> Vec<Timestamp> {
    let records = stage.records(id).into_iter();
    records.filter(|record| record.data["notice"] == "second_window_lost").map(|record| record.at).collect()
}

/// The soak begins anew late: that window two comes too early by that is told hours before it, and mended by the words that the alert names.
#[tokio::test(start_paused = true)]
async fn r3_bg_05_a_soak_that_begins_anew_loses_window_two_and_another_is_booked() {
    let (stage, id) = accepted_by_nobody("role-swap").await;
    let second = stage.run(&id).windows.second.clone().unwrap();
    stage.clock_to(second.from - SignedDuration::from_hours(16)).await;
    stage.fault(Planned::for_ever(Fault::Unhealthy).on(NodeId::A));
    let lost = |run: &Run| run.has_notice(Notice::SecondWindowLost, None);
    let run = stage.until(&id, lost).await;
    assert!(run.last_at < second.from - SignedDuration::from_hours(12), "{}", stage.story(&id));
    let seen = stage.fleet.run(&id).unwrap();
    let guide = Guide::of(&seen.run, &seen.world);
    assert_eq!(guide.whose_move, "person", "{guide:?}");
    assert!(guide.why.contains("window two is too short"), "{guide:?}");
    assert!(guide.unblocks.contains("`changeover hold support-1`") && guide.unblocks.contains("--second"), "{guide:?}");
    assert!(!guide.unblocks.contains("by itself"), "{guide:?}");
    stage.mend();
    let alert = stage.last_alert("second_window_lost");
    assert!(alert.contains("window two is too short"), "{alert}");
    assert!(stage.alert_says("second_window_lost", "changeover hold support-1"), "{}", stage.story(&id));
    let refused = stage.word(&id, windows(None, Some("2026-11-25T07:00:00Z +5h"))).await.unwrap_err();
    assert_eq!(refused.code, "not_held");
    assert!(refused.hint.as_ref().is_some_and(|hint| hint.contains("`changeover hold support-1`, then")), "{refused:?}");
    stage.word(&id, Word::Hold).await.unwrap();
    assert_eq!(stage.idle_to_rest(&id).await.end, "operator");
    stage.word(&id, windows(None, Some("2026-11-25T07:00:00Z +5h"))).await.unwrap();
    stage.until(&id, |run| !lost(run)).await;
    assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
    assert_sound(&stage, &id, "role-swap", true, "soak");
}

fn is_refused(answer: Result<(), Problem>, case: &str) {
    let problem = answer.unwrap_err();
    assert_eq!((problem.kind, problem.code.as_str()), (Kind::Refused, "no_second_window"), "{case}: {problem:?}");
    assert!(problem.causes[0].contains("window two"), "{case}: {problem:?}");
}

/// A window two that ends before the soak can is refused, by whichever word it is given.
#[tokio::test(start_paused = true)]
async fn r3_resume_takes_no_window_two_that_the_soak_can_not_reach() {
    let (stage, id) = accepted_by_nobody("role-swap").await;
    stage.accept(&id, None).await.unwrap();
    stage.pass(SignedDuration::from_hours(1)).await;
    stage.word(&id, Word::Hold).await.unwrap();
    assert_eq!(stage.idle_to_rest(&id).await.end, "operator");
    let near = || Some("now +4h".to_owned());
    is_refused(stage.word(&id, Word::Resume { window: near() }).await.map(|_| ()), "window");
    is_refused(stage.word(&id, windows(None, near().as_deref())).await.map(|_| ()), "second");
    stage.word(&id, windows(None, Some("2026-11-25T07:00:00Z +4h"))).await.unwrap();
    assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
}

/// Held without failover in window one, it takes no window one that leaves window two behind.
#[tokio::test(start_paused = true)]
async fn r3_resume_takes_no_window_one_after_window_two() {
    let (stage, id, _) = at_background_jobs("role-swap", Setting::default()).await;
    assert_eq!(stage.idle_to_rest(&id).await.end, "window_missed");
    let (late, near, good) = ("2026-11-24T01:00:00Z +5h", "2026-11-24T08:00:00Z +4h", "2026-11-25T08:00:00Z +4h");
    is_refused(stage.word(&id, Word::Resume { window: Some(late.to_owned()) }).await.map(|_| ()), "alone");
    is_refused(stage.word(&id, windows(Some(late), Some(near))).await.map(|_| ()), "both, and no soak between them");
    stage.word(&id, windows(Some(late), Some(good))).await.unwrap();
    assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
    assert_sound(&stage, &id, "role-swap", true, "both");
}
