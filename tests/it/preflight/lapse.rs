//! The preflight's results have a lifetime, and are renewed before the first act of window one, never without end.

use changeover::domain::decide::{Next, decide};
use changeover::domain::event::Event;
use changeover::domain::ids::RunId;
use changeover::domain::run::{Phase, Progress};
use changeover::domain::site::Policy;
use changeover::engine::api::Fleet as _;
use jiff::SignedDuration;

use crate::stage::{PROCEDURES, Setting, Stage};

const PREFLIGHT: &str = "prepare.preflight";

fn lapses(next: &Next) -> bool {
    matches!(next, Next::Record { event: Event::EvidenceLapsed { step, rule }, .. } if step == PREFLIGHT && rule == "max_check_age")
}

/// One second before its end, at it, and one second after.
#[tokio::test(start_paused = true)]
async fn results_lapse_when_they_are_older_than_the_policy_says() {
    for (limit, counts) in [(3600, 3600), (60, 300)] {
        let policy = Policy { max_check_age: SignedDuration::from_secs(limit), ..Policy::default() };
        let stage = Stage::set(Setting { policy, ..Setting::default() });
        let id = stage.start("role-swap").await;
        stage.until_step(&id, "window-1.force_sync.b").await;
        let snapshot = stage.fleet.run(&id).unwrap();
        // As it stands before the act is begun.
        let mut run = (*snapshot.run).clone();
        let here = run.position().unwrap();
        (run.progress[here], run.act, run.phase) = (Progress::default(), None, Phase::Ready);
        let done = snapshot.run.progress[0].done_at.unwrap();
        for (seconds, expected) in [(counts - 1, false), (counts, false), (counts + 1, true)] {
            let mut world = (*snapshot.world).clone();
            world.now = done + SignedDuration::from_secs(seconds);
            assert_eq!(lapses(&decide(&run, &world)), expected, "limit {limit} s, {seconds} s old");
        }
    }
}

fn preflights(stage: &Stage, id: &RunId) -> usize {
    stage.count(id, "step_done", PREFLIGHT)
}

/// Days may lie between the start and window one.
#[tokio::test(start_paused = true)]
async fn a_booked_run_is_checked_again_before_its_first_act() {
    for procedure in PROCEDURES {
        let setting = Setting {
            first: "2026-11-24T01:00:00Z +4h".to_owned(),
            second: "2026-11-26T01:00:00Z +4h".to_owned(),
            ..Setting::default()
        };
        let stage = Stage::set(setting);
        let id = stage.start(procedure).await;
        let rest = stage.to_rest(&id).await;
        assert_eq!(rest.end, "succeeded", "{procedure}\n{}", stage.story(&id));
        assert_eq!(preflights(&stage, &id), 2, "{procedure}\n{}", stage.story(&id));
        let records = stage.records(&id);
        let renewed = records.iter().rposition(|record| record.event == "step_done" && record.step.as_deref() == Some(PREFLIGHT));
        let begun = |kind: &str| {
            records
                .iter()
                .position(|record| record.event == "step_begun" && record.step.as_ref().is_some_and(|step| step.contains(kind)))
        };
        assert!(renewed < begun("force_sync"), "{procedure}\n{}", stage.story(&id));
    }
}

/// However short the policy makes it, the run gets on.
#[tokio::test(start_paused = true)]
async fn the_shortest_lifetime_makes_no_loop() {
    let policy = Policy { max_check_age: SignedDuration::ZERO, ..Policy::default() };
    let stage = Stage::set(Setting { policy, ..Setting::default() });
    let id = stage.start("in-place").await;
    let rest = stage.to_rest(&id).await;
    assert_eq!(rest.end, "succeeded", "{}", stage.story(&id));
    assert!(preflights(&stage, &id) <= 2, "{}", stage.story(&id));
}
