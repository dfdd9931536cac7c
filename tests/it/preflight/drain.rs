//! Drain (BG-02): who is there is counted and recorded; at the limit the run does what the site says, and never silently.

use changeover::domain::action::Kind;
use changeover::domain::decide::{Next, decide};
use changeover::domain::event::{Event, Evidence};
use changeover::domain::ids::{NodeId, RunId};
use changeover::domain::journal::Record;
use changeover::domain::procedure::Procedure;
use changeover::domain::run::{Phase, Run};
use changeover::domain::site::{AfterDrain, Policy};
use changeover::engine::api::{Fleet as _, Word};
use changeover::simulator::faults::{Fault, Planned};
use jiff::SignedDuration;

use crate::audit::assert_sound;
use crate::memory::Death;
use crate::stage::{PROCEDURES, Rest, Setting, Stage};
use crate::whole_runs::ExecPair;

const DRAIN: &str = "window-1.drain.a";

fn setting(after: AfterDrain, limit: SignedDuration, seed: u64) -> Setting {
    let policy = Policy { drain_limit: limit, after_drain_limit: after, ..Policy::default() };
    Setting { seed, policy, ..Setting::default() }
}

/// Longer than readings may be old, so that who is there is known at its end; shorter than many a session.
const SHORT: SignedDuration = SignedDuration::from_mins(3);

/// The drain begins while somebody is in a session, who goes on for longer than the limit: a seed for each procedure that makes it so.
async fn busy(procedure: &str, after: AfterDrain, prepare: impl Fn(&Stage)) -> (Stage, RunId) {
    for seed in 1..40 {
        let stage = Stage::set(setting(after, SHORT, seed));
        prepare(&stage);
        let id = stage.start(procedure).await;
        stage.until_step(&id, DRAIN).await;
        // Past the limit without a reading of zero: somebody works on.
        let waits = stage.within(&id, SHORT * 5 / 6, |run| run.step().is_none_or(|step| step.id != DRAIN)).await.is_err();
        if waits && stage.truth().nodes.a.open_sessions > 0 {
            return (stage, id);
        }
    }
    panic!("{procedure}: nobody was ever in a session when the drain began");
}

/// What the drain left behind, by its record.
fn drained(stage: &Stage, id: &RunId) -> Option<(bool, String)> {
    let of_drain = |record: &&Record| record.event == "step_done" && record.step.as_deref() == Some(DRAIN);
    let record = stage.records(id).iter().find(of_drain).cloned()?;
    match Event::from_parts(&record.event, &record.data).unwrap() {
        Event::StepDone { evidence: Evidence::Drained { left, found }, .. } => Some((left.is_anybody(), found)),
        other => panic!("{other:?}"),
    }
}

fn counted(stage: &Stage, id: &RunId, ending: bool) -> usize {
    let of_drain = |record: &&Record| record.event == "step_begun" && record.step.as_deref() == Some(DRAIN);
    let has = |record: &Record| {
        let baseline = &record.data["baseline"];
        baseline["people"]["users"].is_u64() && baseline["ending"].as_bool().unwrap_or(false) == ending
    };
    stage.records(id).iter().filter(of_drain).filter(|record| has(record)).count()
}

fn told(stage: &Stage) -> usize {
    stage.alerts().iter().filter(|alert| *alert == "drain_limit").count()
}

async fn succeeds(stage: &Stage, id: &RunId, case: &str) -> Rest {
    let rest = stage.to_rest(id).await;
    assert_eq!(rest.end, "succeeded", "{case}\n{}", stage.story(id));
    rest
}

/// In both built-in procedures a drain of the node that serves stands before the first step that ends its sessions.
#[test]
fn bg_02_a_drain_comes_before_what_ends_sessions() {
    for procedure in PROCEDURES {
        let steps = Procedure::built_in(procedure).unwrap().resolve(NodeId::A);
        let place = |kinds: &[Kind]| steps.iter().position(|step| kinds.contains(&step.kind) && step.node == Some(NodeId::A));
        let (drain, ends) = (place(&[Kind::Drain]).unwrap(), place(&[Kind::Update, Kind::Quiesce]).unwrap());
        assert_eq!(drain + 1, ends, "{procedure}: directly before");
        assert_eq!(steps[drain].when, steps[ends].when, "{procedure}");
    }
}

/// Gone in time: whatever the policy says, nothing is told and nobody is thrown out.
#[tokio::test(start_paused = true)]
async fn bg_02_users_who_leave_in_time() {
    for procedure in PROCEDURES {
        for after in [AfterDrain::Hold, AfterDrain::GoOn, AfterDrain::EndSessions] {
            let stage = Stage::set(setting(after, SignedDuration::from_mins(30), 3));
            let id = stage.start(procedure).await;
            succeeds(&stage, &id, procedure).await;
            let (anybody, found) = drained(&stage, &id).unwrap();
            assert!(!anybody && found.contains("when it was asked"), "{found}");
            assert_eq!((told(&stage), counted(&stage, &id, false), counted(&stage, &id, true)), (0, 1, 0));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn bg_02_at_the_limit_the_run_is_held() {
    for procedure in PROCEDURES {
        let (stage, id) = busy(procedure, AfterDrain::Hold, |_| {}).await;
        let rest = stage.to_rest(&id).await;
        assert_eq!(rest.end, "drain_limit", "{procedure}\n{}", stage.story(&id));
        assert_eq!(told(&stage), 0, "the hold is told: {:?}", stage.alerts());
    }
}

/// A person's hold comes before the end of the sessions, and so does the window's end: nobody is thrown out for nothing.
#[tokio::test(start_paused = true)]
async fn bg_02_no_session_is_ended_after_a_hold_or_without_time() {
    for procedure in PROCEDURES {
        let (stage, id) = busy(procedure, AfterDrain::EndSessions, |_| {}).await;
        stage.word(&id, Word::Hold).await.unwrap();
        let rest = stage.to_rest(&id).await;
        assert_eq!(rest.end, "operator", "{procedure}\n{}", stage.story(&id));
        assert_eq!((told(&stage), counted(&stage, &id, true)), (0, 0), "{procedure}\n{}", stage.story(&id));

        // The limit passes now, with and without time for what follows in the window.
        let (stage, id) = busy(procedure, AfterDrain::EndSessions, |_| {}).await;
        stage.pass(SHORT / 6 - SignedDuration::from_secs(1)).await;
        for (left, ends) in [(SignedDuration::from_hours(3), true), (SignedDuration::from_mins(1), false)] {
            let snapshot = stage.fleet.run(&id).unwrap();
            let (mut run, mut world) = ((*snapshot.run).clone(), (*snapshot.world).clone());
            world.now += SHORT;
            run.windows.first.as_mut().unwrap().to = world.now + left;
            let next = decide(&run, &world);
            let ended = matches!(&next, Next::Record { event: Event::StepBegun { baseline, .. }, .. } if baseline.ending);
            let held = matches!(&next, Next::Record { event: Event::Held { code, .. }, .. } if code == "window_missed");
            assert_eq!((ended, held), (ends, !ends), "{procedure}, {left:#} left: {next:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn bg_02_at_the_limit_the_run_goes_on_and_says_how_many_it_left() {
    for procedure in PROCEDURES {
        let (stage, id) = busy(procedure, AfterDrain::GoOn, |_| {}).await;
        stage.until(&id, |run| run.step().is_none_or(|step| step.id != DRAIN) || run.hold().is_some()).await;
        let (anybody, found) = drained(&stage, &id).unwrap_or_else(|| panic!("{}", stage.story(&id)));
        assert!(anybody && found.contains("after_drain_limit = \"go_on\""), "{found}");
        assert_eq!(told(&stage), 1, "{:?}", stage.alerts());
        assert!(stage.last_alert("drain_limit").contains("node `a`"), "{}", stage.last_alert("drain_limit"));
        succeeds(&stage, &id, procedure).await;
        // What is written until the last session ends is extracted all the same (R9).
        assert_eq!(stage.truth().sessions.gone, 0, "{procedure}");
        assert_sound(&stage, &id, procedure, true, procedure);
    }
}

#[tokio::test(start_paused = true)]
async fn bg_02_at_the_limit_sessions_are_ended() {
    for procedure in PROCEDURES {
        let (stage, id) = busy(procedure, AfterDrain::EndSessions, |_| {}).await;
        let before = stage.truth().sessions.interrupted;
        stage.until(&id, |run| run.step().is_none_or(|step| step.id != DRAIN) || run.hold().is_some()).await;
        assert!(stage.truth().sessions.interrupted > before, "{}", stage.story(&id));
        assert_eq!((told(&stage), counted(&stage, &id, true)), (1, 1), "{}", stage.story(&id));
        assert!(drained(&stage, &id).is_some_and(|(_, found)| found.contains("sessions were ended")), "{}", stage.story(&id));
        succeeds(&stage, &id, procedure).await;
        assert_sound(&stage, &id, procedure, true, procedure);
    }
}

/// A box that does not take it, that takes it without a word, and that is not reached.
#[tokio::test(start_paused = true)]
async fn bg_02_ending_sessions_meets_every_fault() {
    for procedure in PROCEDURES {
        for (fault, end) in
            [(Fault::Refused, "step_failed"), (Fault::AnswerLost, "succeeded"), (Fault::NeverReached, "succeeded")]
        {
            let plan = |stage: &Stage| stage.fault(Planned::once(fault).act("end_sessions"));
            let (stage, id) = busy(procedure, AfterDrain::EndSessions, plan).await;
            let rest = stage.to_rest(&id).await;
            assert_eq!(rest.end, end, "{procedure} {fault}\n{}", stage.story(&id));
            assert!(told(&stage) >= 1, "{procedure} {fault}: never silently");
            if end != "succeeded" {
                assert_eq!(stage.truth().sessions.interrupted, 0, "{procedure}: nothing was ended");
                stage.pass(SignedDuration::from_mins(20)).await;
                assert_eq!(stage.resume_to_end(&id).await.0.end, "succeeded");
            }
            assert_sound(&stage, &id, procedure, true, procedure);
        }
    }
}

/// The process dies right before and right after each record from the drain's beginning until its end.
#[tokio::test(start_paused = true)]
async fn bg_02_ending_sessions_survives_a_crash_at_each_record() {
    for (before, ahead) in [false, true].into_iter().flat_map(|before| (0..4).map(move |ahead| (before, ahead))) {
        let (mut stage, id) = busy("role-swap", AfterDrain::EndSessions, |_| {}).await;
        let seq = stage.run(&id).seq + 1 + ahead;
        stage.journal.die(if before { Death::Before(seq) } else { Death::After(seq) });
        tokio::select! {
            () = stage.journal.died() => {}
            () = stage.pass(SignedDuration::from_hours(2)) => {}
        }
        stage.restart();
        succeeds(&stage, &id, &format!("dies {} record {seq}", if before { "before" } else { "after" })).await;
        assert!(counted(&stage, &id, true) >= 1, "{}", stage.story(&id));
        assert_sound(&stage, &id, "role-swap", true, "a crash");
    }
}

/// Where a person is the hands, ending sessions is an instruction; done, it is seen, and left alone, the run is held.
#[tokio::test(start_paused = true)]
async fn bg_02_ending_sessions_by_hand() {
    for done in [true, false] {
        for seed in 1..40 {
            let setting = Setting { options: Setting::by_operator().options, ..setting(AfterDrain::EndSessions, SHORT, seed) };
            let stage = Stage::set(setting);
            let id = stage.start("in-place").await;
            stage.until_step(&id, DRAIN).await;
            if stage.truth().nodes.a.open_sessions == 0 {
                continue;
            }
            // Nobody does what the first instruction says.
            let ending = |run: &Run| run.act.as_ref().is_some_and(|act| act.baseline.ending);
            let run =
                stage.until(&id, |run| ending(run) && matches!(run.phase, Phase::Waiting { .. }) || run.hold().is_some()).await;
            assert!(run.act.as_ref().unwrap().instruction.as_ref().unwrap().lines[0].contains("end_sessions"));
            assert_eq!(told(&stage), 1, "{:?}", stage.alerts());
            if done {
                // Whoever ends them lets nobody begin another.
                stage.hand("drain", NodeId::A);
                stage.hand("end_sessions", NodeId::A);
            }
            let run = stage.until(&id, |run| run.step().is_some_and(|step| step.id != DRAIN) || run.hold().is_some()).await;
            let held = run.hold().map(|hold| hold.code.as_str());
            assert!(if done { held.is_none() } else { held.is_none_or(|code| code == "drain_limit") }, "{}", stage.story(&id));
            assert_eq!(counted(&stage, &id, true), 1, "{}", stage.story(&id));
            break;
        }
    }
}

/// Behind programs: the verb `end_sessions`, its refusal, and a person where it is not known.
#[test]
fn bg_02_ending_sessions_by_a_program() {
    for (file, text) in [("none", ""), ("fail.end_sessions", "10"), ("unknown.end_sessions", "")] {
        let mut pair = ExecPair::start_with("", "drain_limit = \"1min\"\nafter_drain_limit = \"end_sessions\"\n");
        let world = pair.folder.path().join("world");
        std::fs::write(world.join("a/sessions"), "2").unwrap();
        std::fs::write(world.join(file), text).unwrap();
        let run = pair.daemon.start_run("in-place", "now +8h", "now +8h");
        if file == "unknown.end_sessions" {
            let status = pair.accompany(&run, |status| status["draining"]["ending"] == true && status["instructions"].is_array());
            assert!(status["instructions"].to_string().contains("End the sessions"), "{status}");
            std::fs::write(world.join("a/sessions"), "0").unwrap();
        }
        let status = pair.bring_to_rest(&run);
        let acts = pair.fact("acts");
        let ended = acts.lines().filter(|line| line.starts_with("end_sessions a")).count();
        if file == "fail.end_sessions" {
            assert_eq!((status["held"]["code"].as_str(), ended), (Some("step_failed"), 0), "{status}\n{acts}");
            // Resumed, it drains anew, and at the limit the program takes it.
            pair.daemon.json(&["resume", &run]);
            assert_eq!(pair.bring_to_rest(&run)["outcome"], "succeeded", "{}", pair.daemon.log());
        } else {
            assert_eq!(status["outcome"], "succeeded", "{file}: {status}\n{}", pair.daemon.log());
            assert_eq!(ended, usize::from(file == "none"), "{file}\n{acts}");
        }
    }
}
