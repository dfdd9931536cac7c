//! BG-03: how long an action takes, told by the table, set by the site, learned from what was measured.

use changeover::domain::plan::{Estimate, Source};
use std::sync::Arc;

use changeover::domain::action::Kind;
use changeover::domain::estimate;
use changeover::domain::event::WaitingOn;
use changeover::domain::ids::NodeId;
use changeover::domain::run::{Phase, Run};
use changeover::domain::site::Policy;
use changeover::engine::api::{Fleet as _, PlanRequest, Word};
use changeover::server::view;
use changeover::simulator::faults::{Fault, Planned};
use jiff::SignedDuration;

use crate::stage::{PROCEDURES, Setting, Stage};

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

fn learned(likely: i64, worst: i64, samples: u32) -> Estimate {
    Estimate { likely: minutes(likely), worst: minutes(worst), source: Source::Learned, samples }
}

fn set(action: &str, takes: SignedDuration) -> Policy {
    Policy { expected: [(action.to_owned(), takes)].into(), ..Policy::default() }
}

/// A finished run to this version whose updates took so long.
async fn ran(to: &str, updates: &[i64]) -> Run {
    let stage = Stage::new();
    let id = stage.start("role-swap").await;
    let rest = stage.to_rest(&id).await;
    let mut run = (*rest.run).clone();
    Arc::make_mut(&mut run.plan).to.version = to.parse().unwrap();
    let begun: Vec<usize> = (0..run.plan.steps.len()).filter(|index| run.plan.steps[*index].kind == Kind::Update).collect();
    for (nth, index) in begun.into_iter().enumerate() {
        let took = updates.get(nth).map(|took| minutes(*took));
        let progress = &mut run.progress[index];
        progress.done_at = progress.begun_at.zip(took).map(|(begun, took)| begun + took);
    }
    run
}

#[tokio::test(start_paused = true)]
async fn bg_03_times_are_told_set_and_learned() {
    let to = "24.2.1".parse().unwrap();
    let policy = Policy::default();
    let of = |policy: &Policy, runs: &[&Run]| estimate::learned(policy, Kind::Update, &to, runs);
    let told = Estimate { likely: minutes(60), worst: minutes(60), source: Source::Default, samples: 0 };
    assert_eq!(of(&policy, &[]), told);
    let site = set("update", minutes(45));
    assert_eq!(of(&site, &[]), Estimate { likely: minutes(45), worst: minutes(45), source: Source::Site, samples: 0 });

    let (other, same) = (ran("24.1.9", &[20, 30]).await, ran("24.2.1", &[40]).await);
    // Another release: twice the longest. This release: half as much again, and other releases count no more.
    assert_eq!(of(&policy, &[&other]), learned(30, 60, 2));
    assert_eq!(of(&policy, &[&same, &other]), learned(40, 60, 1));
    let slow = ran("24.2.1", &[50, 130]).await;
    assert_eq!(of(&policy, &[&slow, &same, &other]), learned(50, 195, 3));
    // The operator's word is the least that the worst case may be; the likely case is measured all the same.
    assert_eq!(of(&set("update", minutes(90)), &[&same]), learned(40, 90, 1));
    assert_eq!(of(&set("update", minutes(90)), &[&slow]), learned(130, 195, 2));
}

/// A hold, a doubt, a try that never arrived: nothing is learned from what lay between.
#[tokio::test(start_paused = true)]
async fn bg_03_disturbed_times_measure_nothing() {
    for fault in [Fault::AnswerLost, Fault::NeverReached] {
        let stage = Stage::new();
        stage.fault(Planned::once(fault).on(NodeId::B).act("update"));
        let id = stage.start("role-swap").await;
        let mut rest = stage.to_rest(&id).await;
        for _ in 0..3 {
            if rest.end == "succeeded" {
                break;
            }
            stage.resume(&id).await.unwrap();
            rest = stage.to_rest(&id).await;
        }
        let index = rest.run.plan.steps.iter().position(|step| step.id == "window-1.update.b").unwrap();
        let progress = &rest.run.progress[index];
        assert!(progress.disturbed && progress.took().is_some(), "{fault:?}: {progress:?}\n{}", stage.story(&id));
        assert_eq!(progress.measured(), None);
        // So the second's is what was told before it, until it is measured itself.
        let other = rest.run.plan.steps.iter().position(|step| step.id == "window-2.update.a").unwrap();
        assert!(rest.run.progress[other].measured().is_some(), "{fault:?}\n{}", stage.story(&id));
    }
}

#[tokio::test(start_paused = true)]
async fn bg_03_the_first_nodes_time_predicts_the_seconds() {
    for procedure in PROCEDURES {
        let stage = Stage::new();
        let id = stage.start(procedure).await;
        let first = stage.run(&id).plan.estimate(Kind::Update);
        assert_eq!(first.source, Source::Default);
        stage.until_step(&id, "soak.confirm").await;
        let run = stage.run(&id);
        let index = run.plan.steps.iter().position(|step| step.kind == Kind::Update).unwrap();
        let took = run.progress[index].measured().unwrap();
        let second = run.plan.estimate(Kind::Update);
        assert_eq!((second.source, second.samples, second.likely), (Source::Learned, 1, took), "{procedure}");
        assert!(second.worst >= took * 3 / 2 && second.worst < took * 3 / 2 + minutes(1), "{procedure}: {second:?}");
        // What was estimated of the first is shown beside what it took, not what is known by now.
        let status = view::Status::full(&stage.fleet.run(&id).unwrap(), stage.fleet.now());
        let shown = status.times.iter().find(|time| time.action == Kind::Update).unwrap();
        assert_eq!((shown.likely_seconds, shown.took_seconds), (3600, Some(took.as_secs())), "{procedure}");
    }
}

/// A's update took five times as long: window two is too short for B's, which is told when it is measured, and seen before anything of it
/// begins.
#[tokio::test(start_paused = true)]
async fn bg_03_a_slow_first_update_makes_a_short_second_window_too_short() {
    let setting = Setting { first: "now +6h".to_owned(), second: "2026-11-23T12:00:00Z +2h".to_owned(), ..Setting::default() };
    let stage = Stage::set(setting);
    stage.fault(Planned::for_ever(Fault::UpdateSlow));
    let id = stage.start("in-place").await;
    stage.until_step(&id, "soak.confirm").await;
    stage.until(&id, |run| run.open_gate().is_some()).await;
    assert!(stage.last_alert("second_window_lost").contains("window two is too short"), "{}", stage.story(&id));
    stage.accept(&id, None).await.unwrap();
    stage.until(&id, |run| matches!(run.phase, Phase::Waiting { on: WaitingOn::Soak | WaitingOn::Window, .. })).await;
    let seen = stage.fleet.run(&id).unwrap();
    let guide = view::Guide::of(&seen.run, &seen.world);
    assert_eq!(guide.whose_move, "person", "time alone leads to a hold: {guide:?}");
    assert!(guide.unblocks.contains("--second") && !guide.unblocks.contains("by itself"), "{guide:?}");
    let rest = stage.to_rest(&id).await;
    assert_eq!(rest.end, "window_missed", "{}", stage.story(&id));
    assert_eq!(rest.run.step().unwrap().id, "window-2.confirm", "{}", stage.story(&id));
    let long = rest.run.needs_of_window().unwrap().1;
    assert!(long > SignedDuration::from_hours(2), "{long:#}");
    stage.word(&id, Word::Resume { window: Some(format!("now +{}min", long.as_mins() + 1)) }).await.unwrap();
    let rest = stage.to_rest(&id).await;
    assert_ne!(rest.end, "window_missed", "{}", stage.story(&id));
}

/// The next run of the site knows what this one took.
#[tokio::test(start_paused = true)]
async fn bg_03_the_next_plan_has_learned() {
    let mut stage = Stage::new();
    let id = stage.start("role-swap").await;
    assert_eq!(stage.to_rest(&id).await.end, "succeeded");
    stage.restart();
    let request = PlanRequest {
        to: "24.3.1".to_owned(),
        first: Some("2026-12-01T01:00:00Z +9h".to_owned()),
        second: Some("2026-12-03T01:00:00Z +9h".to_owned()),
        ..stage.request("role-swap")
    };
    let plan = view::Plan::from(stage.fleet.plan(request).await.unwrap());
    let update = plan.steps.iter().find(|step| step.action == Kind::Update).unwrap();
    assert_eq!((update.estimate, update.samples), (Source::Learned, 2), "{update:?}");
    assert!(update.worst_seconds >= 2 * update.likely_seconds - 60, "{update:?}");
    let look = plan.steps.iter().find(|step| step.action == Kind::Verify).unwrap();
    assert_eq!(look.estimate, Source::Default, "what only looks is not measured");
}
