//! BG-05: what the soak watches, what a failure does to its clock, and that nothing is done to the pair meanwhile.

use std::sync::Arc;

use changeover::domain::action::When;
use changeover::domain::event::{Event, Notice, Verdict};
use changeover::domain::gate::Gate;
use changeover::domain::ids::{NodeId, RunId};
use changeover::domain::run::{Phase, Run};
use changeover::domain::site::{OnSoakFailure, Policy};
use changeover::engine::api::Word;
use changeover::simulator::faults::{Fault, Planned};
use jiff::{SignedDuration, Timestamp};

use crate::stage::{PROCEDURES, Setting, Stage, end};

/// A condition of the soak, by what is done to the world to fail it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Silent(NodeId),
    Unhealthy(NodeId),
    Closed,
    Certificate(NodeId),
    Licence(NodeId),
    Deaf,
}

const TROUBLES: [Trouble; 9] = [
    Trouble::Silent(NodeId::A),
    Trouble::Silent(NodeId::B),
    Trouble::Unhealthy(NodeId::A),
    Trouble::Unhealthy(NodeId::B),
    Trouble::Closed,
    Trouble::Certificate(NodeId::A),
    Trouble::Certificate(NodeId::B),
    Trouble::Licence(NodeId::A),
    Trouble::Deaf,
];

impl Trouble {
    fn code(self) -> &'static str {
        match self {
            Self::Silent(_) => "soak_silent",
            Self::Unhealthy(_) => "soak_unhealthy",
            Self::Closed => "soak_refusing",
            Self::Certificate(_) | Self::Licence(_) => "soak_expiring",
            Self::Deaf => "soak_misled",
        }
    }

    /// Begins or ends it; `serving` is the node that serves.
    fn set(self, stage: &Stage, serving: NodeId, begins: bool) {
        let fault = |fault, node| match begins {
            true => stage.fault(Planned::for_ever(fault).on(node)),
            false => stage.fault(Planned { times: Some(0), ..Planned::for_ever(fault).on(node) }),
        };
        // Well before window two, and well after it.
        let until = |begins: bool| Some(if begins { "2026-11-23T06:00:00Z" } else { "2027-06-01T00:00:00Z" }.parse().unwrap());
        match self {
            Self::Silent(node) => fault(Fault::NodeSilent, node),
            Self::Unhealthy(node) => fault(Fault::Unhealthy, node),
            Self::Closed if begins => stage.site.current().close(serving).unwrap(),
            Self::Closed => stage.site.current().open(serving).unwrap(),
            Self::Certificate(node) => stage.site.current().set_ends(node, until(begins), None),
            Self::Licence(node) => stage.site.current().set_ends(node, None, until(begins)),
            Self::Deaf => stage.deaf.store(begins, std::sync::atomic::Ordering::SeqCst),
        }
    }
}

fn setting(on_soak_failure: OnSoakFailure) -> Setting {
    // The whole site's name is read by one telephone; the second window leaves room for a soak that begins anew.
    let policy = Policy { on_soak_failure, ..Policy::default() };
    Setting { policy, second: "2026-11-25T01:00:00Z +4h".to_owned(), ..Setting::default() }
}

/// Accepted, and soaking.
async fn soaking(stage: &Stage, procedure: &str) -> (RunId, NodeId) {
    let id = stage.start(procedure).await;
    stage.until_step(&id, "soak.confirm").await;
    stage.until(&id, |run| run.open_gate() == Some(Gate::Production)).await;
    stage.accept(&id, None).await.unwrap();
    stage.until(&id, |run| run.step().is_some_and(|step| step.id == "soak.soak")).await;
    let serving = stage.run(&id).survivor;
    (id, serving)
}

/// Until the soak is over. A word that was bound to what has changed is given again.
async fn until_soaked(stage: &Stage, id: &RunId) -> Arc<Run> {
    loop {
        let asked = |run: &Run| run.open_gate() == Some(Gate::Production);
        let run = stage.until(id, |run| run.soaked || asked(run)).await;
        if run.soaked {
            return run;
        }
        if let Err(problem) = stage.accept(id, None).await {
            assert_eq!(problem.code, "soak_failed", "{problem:?}");
            stage.pass(SignedDuration::from_mins(10)).await;
        }
    }
}

fn codes(stage: &Stage) -> Vec<String> {
    let outbox = stage.journal.outbox.lock().unwrap();
    let items = outbox.iter().filter(|item| item.hook == "ops" && item.event == "soak_failed");
    let data = |document: &str| serde_json::from_str::<serde_json::Value>(document).unwrap()["data"].clone();
    items
        .map(|item| data(&item.document))
        .map(|data| format!("{}:{}", data["code"].as_str().unwrap(), data["severity"].as_str().unwrap()))
        .collect()
}

fn soak_ends(run: &Run) -> Timestamp {
    run.soak_from.unwrap() + run.plan.policy.min_soak
}

/// A failure that lasts: it is told with its end; with `restart` the clock begins anew at its end, with `alert` it goes on.
#[tokio::test(start_paused = true)]
async fn bg_05_a_lasting_failure_restarts_the_soak_or_is_told() {
    for trouble in TROUBLES {
        for mode in [OnSoakFailure::Restart, OnSoakFailure::Alert] {
            let case = format!("{trouble:?}, {mode:?}");
            let stage = Stage::set(setting(mode));
            let (id, serving) = soaking(&stage, "role-swap").await;
            let from = stage.run(&id).soak_from.unwrap();
            stage.pass(SignedDuration::from_hours(2)).await;
            trouble.set(&stage, serving, true);
            stage.pass(SignedDuration::from_mins(40)).await;
            let story = || format!("{case}\n{}", stage.story(&id));
            assert_eq!(codes(&stage), [format!("{}:critical", trouble.code())], "{}", story());
            trouble.set(&stage, serving, false);
            let mended = stage.truth().now;
            stage.pass(SignedDuration::from_mins(10)).await;
            let told = [format!("{}:critical", trouble.code()), format!("{}:info", trouble.code())];
            assert_eq!(codes(&stage), told, "{}", story());
            let run = stage.run(&id);
            match mode {
                OnSoakFailure::Restart => assert!(run.soak_from.unwrap() >= mended, "{}", story()),
                OnSoakFailure::Alert => assert_eq!(run.soak_from.unwrap(), from, "{}", story()),
            }
            let until = soak_ends(&run);
            let done = until_soaked(&stage, &id).await;
            assert!(done.last_at >= until && done.last_at <= until + SignedDuration::from_mins(6), "{}", story());
        }
    }
}

/// One reading that is lost or bad is no failure.
#[tokio::test(start_paused = true)]
async fn bg_05_one_reading_is_no_failure() {
    // The end of a certificate is a date, not a flicker: one reading of it is enough.
    let flickers = |trouble: &Trouble| !matches!(trouble, Trouble::Certificate(_) | Trouble::Licence(_));
    for trouble in TROUBLES.into_iter().filter(flickers) {
        let stage = Stage::set(setting(OnSoakFailure::Restart));
        let (id, serving) = soaking(&stage, "role-swap").await;
        stage.pass(SignedDuration::from_hours(2)).await;
        let from = stage.run(&id).soak_from.unwrap();
        // In the soak everything is read every five minutes: so long, one reading falls into it.
        trouble.set(&stage, serving, true);
        stage.pass(SignedDuration::from_mins(5)).await;
        trouble.set(&stage, serving, false);
        stage.pass(SignedDuration::from_mins(30)).await;
        assert!(codes(&stage).is_empty(), "{trouble:?}\n{}", stage.story(&id));
        assert_eq!(stage.run(&id).soak_from, Some(from), "{trouble:?}\n{}", stage.story(&id));
    }
}

/// At its last second: the soak does not end on a reading that is bad or missing, and ends when it is good again.
#[tokio::test(start_paused = true)]
async fn bg_05_the_soak_ends_on_a_good_reading_only() {
    for trouble in TROUBLES {
        for mode in [OnSoakFailure::Restart, OnSoakFailure::Alert] {
            let stage = Stage::set(setting(mode));
            let (id, serving) = soaking(&stage, "role-swap").await;
            let until = soak_ends(&stage.run(&id));
            stage.clock_to(until - SignedDuration::from_secs(1)).await;
            trouble.set(&stage, serving, true);
            stage.clock_to(until + SignedDuration::from_secs(1)).await;
            let story = || format!("{trouble:?}, {mode:?}\n{}", stage.story(&id));
            assert!(!stage.run(&id).soaked, "{}", story());
            stage.pass(SignedDuration::from_mins(40)).await;
            assert!(!stage.run(&id).soaked, "{}", story());
            trouble.set(&stage, serving, false);
            let mended = stage.truth().now;
            let done = until_soaked(&stage, &id).await;
            let waits = done.last_at.duration_since(mended);
            match mode {
                OnSoakFailure::Restart => assert!(waits >= SignedDuration::from_hours(24), "{}", story()),
                // Where health was part of what was accepted, the person is asked again.
                OnSoakFailure::Alert => assert!(waits <= SignedDuration::from_mins(20), "{}", story()),
            }
        }
    }
}

/// Nobody accepts a version while something fails; a person is told what.
#[tokio::test(start_paused = true)]
async fn bg_05_the_gate_is_refused_with_what_fails() {
    for trouble in TROUBLES.into_iter().filter(|trouble| !matches!(trouble, Trouble::Silent(_) | Trouble::Deaf)) {
        let stage = Stage::set(setting(OnSoakFailure::Alert));
        let id = stage.start("role-swap").await;
        stage.until_step(&id, "soak.confirm").await;
        stage.until(&id, |run| run.open_gate() == Some(Gate::Production)).await;
        let serving = stage.run(&id).survivor;
        trouble.set(&stage, serving, true);
        // Answers are cached for a while.
        stage.pass(SignedDuration::from_mins(2)).await;
        for verdict in [Verdict::Accept, Verdict::AcceptEarly] {
            let word = Word::Confirm { gate: Some("production".to_owned()), verdict, note: None, evidence: None };
            let problem = stage.word(&id, word).await.map(|_| trouble).unwrap_err();
            assert_eq!(problem.code, "soak_failed", "{trouble:?}: {problem:?}");
            assert!(!problem.causes.is_empty(), "{trouble:?}: {problem:?}");
        }
        trouble.set(&stage, serving, false);
        stage.pass(SignedDuration::from_mins(5)).await;
        stage.accept(&id, None).await.unwrap_or_else(|problem| panic!("{trouble:?}: {problem:?}"));
    }
}

/// Between the soak's end and window two it is watched on: a failure sends the run back into the soak.
#[tokio::test(start_paused = true)]
async fn bg_05_a_failure_before_window_two_begins_the_soak_anew() {
    let stage = Stage::set(setting(OnSoakFailure::Restart));
    let (id, serving) = soaking(&stage, "role-swap").await;
    until_soaked(&stage, &id).await;
    stage.pass(SignedDuration::from_hours(1)).await;
    Trouble::Unhealthy(serving).set(&stage, serving, true);
    let run = stage.until(&id, |run| !run.soaked).await;
    assert_eq!(run.step().unwrap().when, When::Soak, "{}", stage.story(&id));
    Trouble::Unhealthy(serving).set(&stage, serving, false);
    let mended = stage.truth().now;
    let run = until_soaked(&stage, &id).await;
    assert!(run.last_at >= mended + SignedDuration::from_hours(24), "{}", stage.story(&id));
    assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
}

/// An early acceptance was given before the failure: it does not end the soak that begins after it.
#[tokio::test(start_paused = true)]
async fn bg_05_an_early_word_does_not_outlive_a_failure() {
    let stage = Stage::set(setting(OnSoakFailure::Restart));
    let (id, serving) = soaking(&stage, "role-swap").await;
    Trouble::Unhealthy(serving).set(&stage, serving, true);
    stage.pass(SignedDuration::from_mins(20)).await;
    Trouble::Unhealthy(serving).set(&stage, serving, false);
    stage.pass(SignedDuration::from_mins(20)).await;
    assert!(!stage.run(&id).soaked, "{}", stage.story(&id));
    let early = Word::Confirm { gate: Some("production".to_owned()), verdict: Verdict::AcceptEarly, note: None, evidence: None };
    stage.word(&id, early).await.unwrap();
    until_soaked(&stage, &id).await;
    Trouble::Unhealthy(serving).set(&stage, serving, true);
    stage.until(&id, |run| !run.soaked).await;
    Trouble::Unhealthy(serving).set(&stage, serving, false);
    let mended = stage.truth().now;
    let run = until_soaked(&stage, &id).await;
    assert!(run.last_at >= mended + SignedDuration::from_hours(24), "{}", stage.story(&id));
}

/// The longest soak: told once, and it never leads on.
#[tokio::test(start_paused = true)]
async fn bg_05_the_longest_soak_is_told_once() {
    for procedure in PROCEDURES {
        let policy = Policy { max_soak: SignedDuration::from_hours(30), ..Policy::default() };
        let mut stage = Stage::set(Setting { policy, ..Setting::default() });
        let id = stage.start(procedure).await;
        let run = stage.until_step(&id, "soak.confirm").await;
        let limit = run.window_one_ended().unwrap() + run.plan.policy.max_soak;
        stage.clock_to(limit - SignedDuration::from_secs(1)).await;
        assert!(!stage.alerts().contains(&"soak_too_long".to_owned()), "{}", stage.story(&id));
        stage.clock_to(limit + SignedDuration::from_mins(2)).await;
        stage.restart();
        stage.pass(SignedDuration::from_hours(12)).await;
        let told = stage.alerts().iter().filter(|alert| *alert == "soak_too_long").count();
        assert_eq!(told, 1, "{}", stage.story(&id));
        assert_eq!(stage.run(&id).open_gate(), Some(Gate::Production));
    }
}

/// Nobody worked on the node that is to be proven: told, and part of the evidence.
#[tokio::test(start_paused = true)]
async fn bg_05_a_soak_that_nobody_used_is_inconclusive() {
    let stage = Stage::new();
    stage.site.current().set_users(0);
    let (id, _) = soaking(&stage, "role-swap").await;
    let records = stage.records(&id);
    let of_version = |reason: &str| reason.contains("gate `production`");
    let accepted = records.iter().rfind(|record| record.event == "confirmed" && of_version(&record.reason)).unwrap();
    assert!(accepted.reason.contains("no session was seen on node `b`"), "{}", accepted.reason);
    until_soaked(&stage, &id).await;
    assert!(stage.alerts().contains(&"soak_inconclusive".to_owned()), "{}", stage.story(&id));
    let records = stage.records(&id);
    let soaked =
        records.iter().rfind(|record| record.step.as_deref() == Some("soak.soak") && record.event == "step_done").unwrap();
    assert!(soaked.reason.contains("no session was seen"), "{}", soaked.reason);

    // Somebody works: nothing of the kind.
    let stage = Stage::new();
    let (id, _) = soaking(&stage, "role-swap").await;
    let run = until_soaked(&stage, &id).await;
    assert!(run.used_at.is_some() && !run.has_notice(Notice::SoakInUse, Some(NodeId::B)), "{}", stage.story(&id));
    assert!(!stage.alerts().contains(&"soak_inconclusive".to_owned()), "{}", stage.story(&id));
}

/// A hold for what nobody planned begins the soak anew once a person resumes it: the pair was not what is to be proven.
#[tokio::test(start_paused = true)]
async fn bg_05_a_change_that_nobody_planned_begins_the_soak_anew() {
    for (mode, anew) in [(OnSoakFailure::Restart, true), (OnSoakFailure::Alert, false)] {
        let stage = Stage::set(setting(mode));
        let (id, _) = soaking(&stage, "role-swap").await;
        let from = stage.run(&id).soak_from;
        stage.site.current().update(NodeId::A, None).unwrap();
        stage.until(&id, |run| end(run).as_deref() == Some("out_of_band")).await;
        stage.resume(&id).await.unwrap();
        assert_eq!(stage.run(&id).soak_from != from, anew, "{mode:?}\n{}", stage.story(&id));
    }
}

/// From the end of window one's work to window two nothing is sent to the pair and nothing moves the name.
#[tokio::test(start_paused = true)]
async fn bg_05_nothing_is_done_in_the_soak() {
    for procedure in PROCEDURES {
        for trouble in TROUBLES {
            let stage = Stage::set(setting(OnSoakFailure::Restart));
            let (id, serving) = soaking(&stage, procedure).await;
            let acts = |stage: &Stage| format!("{:?}", stage.truth().acts);
            let before = acts(&stage);
            trouble.set(&stage, serving, true);
            stage.pass(SignedDuration::from_hours(3)).await;
            trouble.set(&stage, serving, false);
            let done = until_soaked(&stage, &id).await;
            let after = acts(&stage);
            // The trouble itself closes a door by hand.
            assert!(trouble == Trouble::Closed || before == after, "{procedure}, {trouble:?}\n{}", stage.story(&id));
            let records = stage.records(&id);
            let ended = records
                .iter()
                .rposition(|record| record.step.as_deref().is_some_and(|step| step.starts_with("window-1")))
                .unwrap();
            let quiet = records[ended + 1..].iter().take_while(|record| record.seq <= done.seq);
            let acted =
                quiet.filter(|record| matches!(Event::from_parts(&record.event, &record.data), Ok(Event::StepBegun { .. })));
            assert_eq!(acted.count(), 0, "{procedure}, {trouble:?}\n{}", stage.story(&id));
        }
    }
}

/// BG-06: the consoles are asked for at the end, and the run is not finished before.
#[tokio::test(start_paused = true)]
async fn bg_06_the_consoles_are_confirmed_before_the_run_is_finished() {
    for procedure in PROCEDURES {
        let stage = Stage::new();
        let id = stage.start(procedure).await;
        loop {
            let run = stage.until(&id, |run| end(run).is_some() || run.open_gate().is_some()).await;
            assert!(!run.is_finished(), "{}", stage.story(&id));
            if run.open_gate() == Some(Gate::ConsolesUpdated) {
                break;
            }
            stage.accept(&id, None).await.unwrap();
        }
        stage.pass(SignedDuration::from_hours(3 * 24)).await;
        assert!(matches!(stage.run(&id).phase, Phase::Waiting { .. }), "{}", stage.story(&id));
        assert!(stage.run(&id).unprotected_since().is_none());
        stage.accept(&id, None).await.unwrap();
        assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
    }
}
