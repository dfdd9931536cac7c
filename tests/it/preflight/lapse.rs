//! The preflight's results have a lifetime, and are renewed before the first act of window one, never without end.

use changeover::domain::action::When;
use changeover::domain::decide::{Next, decide};
use changeover::domain::event::{Event, WaitingOn};
use changeover::domain::ids::{NodeId, RunId};
use changeover::domain::run::{Phase, Progress, Run};
use changeover::domain::site::Policy;
use changeover::domain::world::World;
use changeover::engine::api::{Fleet as _, Word};
use jiff::SignedDuration;

use crate::stage::{PROCEDURES, Setting, Stage, end};

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

/// R3 set aside before the window begins: the act would begin now, and so it is now that the results must be young.
#[tokio::test(start_paused = true)]
async fn r3_waived_before_its_window_the_pair_is_checked_again() {
    let (first, second) = ("2026-11-24T01:00:00Z +4h".to_owned(), "2026-11-26T01:00:00Z +4h".to_owned());
    let stage = Stage::set(Setting { first, second, ..Setting::default() });
    let id = stage.start("role-swap").await;
    let waits = |run: &Run| matches!(run.phase, Phase::Waiting { on: WaitingOn::Window, .. });
    loop {
        let begun = |run: &Run| run.act.is_some() && run.step().is_some_and(|step| step.when == When::Window1);
        let run = stage.answered(&id, |run| waits(run) || begun(run)).await;
        if begun(&run) {
            break;
        }
        assert_eq!(preflights(&stage, &id), 1, "{}", stage.story(&id));
        stage.pass(SignedDuration::from_hours(2)).await;
        let word = Word::Waive { rule: "in_window".to_owned(), reason: "everybody is here".to_owned() };
        stage.word(&id, word).await.unwrap();
    }
    assert_eq!(stage.run(&id).step().unwrap().id, "window-1.force_sync.b");
    assert_eq!(preflights(&stage, &id), 2, "{}", stage.story(&id));
}

/// What was found wrong before window one and put right keeps nothing from being checked again; what is still so does, and what
/// can't be read is not taken for put right.
#[tokio::test(start_paused = true)]
async fn what_was_put_right_is_checked_again() {
    let (first, second) = ("2026-11-24T01:00:00Z +4h".to_owned(), "2026-11-26T01:00:00Z +4h".to_owned());
    let stage = Stage::set(Setting { first, second, ..Setting::default() });
    let id = stage.start("role-swap").await;
    stage.answered(&id, |run| matches!(run.phase, Phase::Waiting { on: WaitingOn::Window, .. })).await;
    stage.site.current().break_failover(NodeId::A).unwrap();
    stage.until(&id, |run| end(run).as_deref() == Some("out_of_band")).await;
    stage.resume(&id).await.unwrap();
    let still = stage.fleet.run(&id).unwrap();
    stage.site.current().establish_failover(NodeId::A).unwrap();
    stage.pass(SignedDuration::from_mins(10)).await;
    let mended = stage.fleet.run(&id).unwrap();
    assert!(!mended.run.acknowledged.is_empty(), "{}", stage.story(&id));
    stage.answered(&id, |run| run.broken_at.is_some()).await;
    assert_eq!(preflights(&stage, &id), 2, "{}", stage.story(&id));
    // As it stands before the act, with what was read before and after it was put right.
    let mut run = (*mended.run).clone();
    let here = run.plan.steps.iter().position(|step| step.id == "window-1.force_sync.b").unwrap();
    for index in 0..here {
        run.progress[index].done_at.get_or_insert(run.last_at);
    }
    run.phase = Phase::Ready;
    let mut unread = (*mended.world).clone();
    unread.readings[NodeId::B].take(Err("no answer in 30 s".to_owned()), unread.now);
    for (world, expected) in [((*mended.world).clone(), true), ((*still.world).clone(), false), (unread, false)] {
        let world = World { now: run.windows.of(When::Window1).unwrap().from + SignedDuration::from_mins(5), ..world };
        assert_eq!(lapses(&decide(&run, &world)), expected, "{:?}", decide(&run, &world));
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
