//! Nights on which everything goes wrong: faults, silences, deaths and holds at random, several in one run, and a person who
//! looks before resuming. Whatever happens, no promise is broken, and in the end the pair is home.

use changeover::domain::ids::{NodeId, RunId};
use changeover::domain::run::Phase;
use changeover::engine::api::Word;
use changeover::simulator::faults::{Fault, Planned};
use changeover::simulator::inprocess::InProcessOptions;
use jiff::SignedDuration;

use crate::audit::assert_sound;
use crate::stage::{PROCEDURES, Rest, Setting, Stage, end};

const STATES: [Fault; 3] = [Fault::NodeSilent, Fault::Unhealthy, Fault::WrongBox];
const ACTS: [Fault; 5] = [Fault::Refused, Fault::NeverReached, Fault::AnswerLost, Fault::Slow, Fault::CachedOld];
const SYNCS: [Fault; 4] = [Fault::SyncFails, Fault::SyncStale, Fault::SyncEarly, Fault::SyncOddStatus];

fn setting(random: &mut fastrand::Rng) -> Setting {
    let options = InProcessOptions { by_operator: random.u8(..4) == 0, remembers: random.bool(), ..InProcessOptions::default() };
    let (first, second) = ("now +22h".to_owned(), "2026-11-24T01:00:00Z +40h".to_owned());
    Setting { options, first, second, seed: random.u64(..), ..Setting::default() }
}

/// One thing that goes wrong, and how long it lasts.
async fn trouble(stage: &mut Stage, id: &RunId, random: &mut fastrand::Rng) -> String {
    let node = if random.bool() { NodeId::A } else { NodeId::B };
    let lasts = SignedDuration::from_secs(random.i64(5..1800));
    match random.u8(..10) {
        0..3 => {
            stage.restart();
            "the daemon dies".to_owned()
        }
        3 => {
            // Held already, or finished: then there is nothing to hold.
            let _ = stage.word(id, Word::Hold).await;
            "somebody says hold".to_owned()
        }
        4..7 => {
            let fault = STATES[random.usize(..STATES.len())];
            stage.fault(Planned::for_ever(fault).on(node));
            let now = stage.site.current().now();
            stage.trouble_at.lock().unwrap().push(now);
            stage.pass(lasts).await;
            stage.mend();
            format!("{fault} on {node} for {lasts:#}")
        }
        7..9 => {
            let fault = ACTS[random.usize(..ACTS.len())];
            stage.fault(Planned::once(fault).on(node));
            format!("{fault} on {node}")
        }
        _ => {
            let fault = SYNCS[random.usize(..SYNCS.len())];
            stage.fault(Planned::once(fault));
            fault.to_string()
        }
    }
}

/// A person who looks: an update in doubt is let go on only when the box is back.
async fn look_and_resume(stage: &Stage, id: &RunId, rest: &Rest) {
    stage.pass(SignedDuration::from_mins(15)).await;
    stage.mend();
    let updating = || NodeId::BOTH.into_iter().any(|node| stage.site.current().node(node).updating_until().is_some());
    while updating() {
        stage.pass(SignedDuration::from_mins(10)).await;
    }
    stage.pass(SignedDuration::from_mins(6)).await;
    if end(&stage.run(id)).as_deref() == Some(rest.end.as_str()) {
        stage.help(&stage.run(id));
        stage.resume(id).await.unwrap_or_else(|problem| panic!("{problem:?}\n{}", stage.story(id)));
    }
}

async fn storm(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let procedure = PROCEDURES[random.usize(..2)];
    let mut stage = Stage::set(setting(&mut random));
    let id = stage.start(procedure).await;
    let mut told = Vec::new();
    // Half of it in window one, half in window two.
    for part in 0..2 {
        if part == 1 {
            let second = |run: &changeover::domain::run::Run| run.step().is_none_or(|step| step.id.starts_with("window-2"));
            for _ in 0..20 {
                tokio::select! {
                    biased;
                    rest = stage.to_rest(&id) => look_and_resume(&stage, &id, &rest).await,
                    _ = stage.until(&id, second) => {}
                }
                if second(&stage.run(&id)) {
                    break;
                }
            }
        }
        for _ in 0..random.u8(2..6) {
            let quiet = SignedDuration::from_secs(random.i64(1..2400));
            tokio::select! {
                biased;
                () = stage.pass(quiet) => {}
                rest = stage.to_rest(&id) => if rest.end != "succeeded" { look_and_resume(&stage, &id, &rest).await },
            }
            let now = stage.site.current().now();
            told.push(format!("{now} {}", trouble(&mut stage, &id, &mut random).await));
        }
    }
    let case = format!("seed {seed}, {procedure}, {:?}\n{}", stage.setting.options, told.join("\n"));
    let mut resumes = 0;
    loop {
        let rest = stage.to_rest(&id).await;
        if rest.end == "succeeded" {
            break;
        }
        resumes += 1;
        assert!(resumes < 12, "{case}\n{}", stage.story(&id));
        let in_doubt = matches!(rest.run.phase, Phase::InDoubt { .. });
        assert!(in_doubt || rest.run.hold().is_some(), "{case}");
        look_and_resume(&stage, &id, &rest).await;
    }
    assert_sound(&stage, &id, procedure, true, &case);
}

#[tokio::test(start_paused = true)]
async fn storms_end_at_home() {
    let first = std::env::var("STORM").ok().and_then(|seed| seed.parse().ok());
    let count = if first.is_some() { 1 } else { 25 };
    let first = first.unwrap_or_else(|| fastrand::u64(..u64::MAX / 2));
    for seed in first..first + count {
        println!("seed {seed}");
        storm(seed).await;
    }
}
