//! The process dies at each record of both procedures: just before it would be durable, when the act before it has happened,
//! and just after, before anything else. The restarted run ends as the undisturbed one did.

use changeover::domain::ids::{NodeId, RunId};
use changeover::domain::journal::Record;
use changeover::engine::api::{Fleet as _, Word};
use changeover::simulator::inprocess::InProcessOptions;
use jiff::SignedDuration;

use crate::audit::assert_sound;
use crate::memory::Death;
use crate::stage::{PROCEDURES, SITE, Setting, Stage, end};

/// How often an act was carried out in the world, by verb and node.
fn acts(stage: &Stage, what: &str) -> Vec<(Option<NodeId>, usize)> {
    let truth = stage.truth();
    let count = |node| truth.acts.iter().filter(|act| act.what == what && act.node == Some(node)).count();
    NodeId::BOTH.into_iter().map(|node| (Some(node), count(node))).collect()
}

/// The steps in the order in which they were proven.
fn done(stage: &Stage, id: &RunId) -> Vec<String> {
    let records = stage.records(id).into_iter();
    // A gate is answered, everything else is done.
    records.filter(|record| record.event == "step_done" || record.event == "confirmed").filter_map(|record| record.step).collect()
}

async fn undisturbed(procedure: &str, setting: &Setting) -> (u64, Vec<String>) {
    let stage = Stage::set(setting.clone());
    let id = stage.start(procedure).await;
    assert_eq!(stage.to_rest(&id).await.end, "succeeded");
    (stage.records(&id).len() as u64, done(&stage, &id))
}

/// Starts a run that dies there, and brings the daemon up again `down` later. True if the run is in the journal.
async fn dies(stage: &mut Stage, procedure: &str, death: Death, down: SignedDuration) -> bool {
    stage.journal.die(death);
    let id = RunId { site: SITE.to_owned(), number: 1 };
    let whole = async {
        stage.start(procedure).await;
        stage.to_rest(&id).await
    };
    tokio::select! {
        biased;
        () = stage.journal.died() => {}
        rest = whole => panic!("{death:?}: it never died: {rest:?}"),
    }
    let known = !stage.records(&id).is_empty();
    stage.pass(down).await;
    stage.restart();
    known
}

async fn each_record(procedure: &str, setting: Setting, down: SignedDuration) {
    let (count, steps) = undisturbed(procedure, &setting).await;
    assert!(count > 50, "{count}");
    for death in (1..=count).flat_map(|n| [Death::Before(n), Death::After(n)]) {
        let case = format!("{procedure}: {death:?} of {count}, down for {down:#}");
        let mut stage = Stage::set(setting.clone());
        let known = dies(&mut stage, procedure, death, down).await;
        assert_eq!(known, death != Death::Before(1), "{case}");
        if !known {
            assert!(stage.fleet.runs().is_empty(), "{case}");
            continue;
        }
        let id = RunId { site: SITE.to_owned(), number: 1 };
        if death == Death::After(count) {
            assert_eq!(end(&stage.run(&id)).as_deref(), Some("succeeded"), "{case}");
            continue;
        }
        let mut rest = stage.to_rest(&id).await;
        // An update whose order may have left or not waits for a person; nothing else does.
        let asked = rest.end == "in_doubt";
        if asked {
            let step = rest.run.step().unwrap();
            assert!(step.id.contains(".update.") && !setting.options.remembers, "{case}\n{}", stage.story(&id));
            let begun = stage.records(&id).iter().rfind(|record| record.event == "step_begun").map(|record| record.seq);
            assert_eq!(begun.map(Death::After), Some(death), "{case}: only the unsent order\n{}", stage.story(&id));
            rest = stage.resume_to_end(&id).await.0;
        }
        assert_eq!(rest.end, "succeeded", "{case}\n{}", stage.story(&id));
        assert_sound(&stage, &id, procedure, true, &case);
        assert_eq!(rest.run.resumed, 1, "{case}");
        assert_eq!(done(&stage, &id), steps, "{case}\n{}", stage.story(&id));
        // Down in place: an update of up to 40 min, and what an unsent one waited for its person. In a role swap: the moment
        // between closing and switching, and the time for which the daemon was away.
        let most = if procedure == "in-place" { 50 } else { 5 } + down.as_mins();
        assert!(stage.truth().longest_gap_ms / 60_000 <= most, "{case}\n{}", stage.story(&id));
        for once in ["break", "update", "establish"] {
            assert!(acts(&stage, once).iter().all(|(_, times)| *times <= 1), "{case}: {once}\n{}", stage.story(&id));
        }
    }
}

fn knowing() -> Setting {
    Setting { options: InProcessOptions { remembers: true, ..InProcessOptions::default() }, ..Setting::default() }
}

/// A role swap that was killed between the record of its first update's order and the sending, and came back `down` later.
async fn unsent(down: SignedDuration) -> (Stage, RunId) {
    let stage = Stage::set(knowing());
    let id = stage.start(PROCEDURES[1]).await;
    stage.to_rest(&id).await;
    let is_order = |record: &Record| record.event == "step_begun" && record.step.as_deref() == Some("window-1.update.b");
    let ordered = stage.records(&id).into_iter().find(is_order).unwrap().seq;
    let mut stage = Stage::set(knowing());
    assert!(dies(&mut stage, PROCEDURES[1], Death::After(ordered), down).await);
    (stage, id)
}

async fn is_held_unsent(stage: &Stage, id: &RunId, code: &str) {
    let rest = stage.to_rest(id).await;
    assert_eq!(rest.run.hold().map(|hold| hold.code.as_str()), Some(code), "{}", stage.story(id));
    assert!(acts(stage, "update").iter().all(|(_, times)| *times == 0), "{}", stage.story(id));
}

/// Down until the order's window is over: what the rules said then counts no more.
#[tokio::test(start_paused = true)]
async fn r3_what_was_never_sent_is_judged_again_after_a_long_absence() {
    let (stage, id) = unsent(SignedDuration::from_hours(48)).await;
    is_held_unsent(&stage, &id, "window_missed").await;
}

/// A person speaks as soon as the daemon is up, while it looks before anything else.
#[tokio::test(start_paused = true)]
async fn what_was_never_sent_is_not_sent_over_a_hold() {
    let (stage, id) = unsent(SignedDuration::ZERO).await;
    stage.word(&id, Word::Hold).await.unwrap();
    is_held_unsent(&stage, &id, "operator").await;
}

#[tokio::test(start_paused = true)]
async fn in_place_dies_at_each_record() {
    each_record(PROCEDURES[0], knowing(), SignedDuration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn role_swap_dies_at_each_record() {
    each_record(PROCEDURES[1], knowing(), SignedDuration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn role_swap_dies_at_each_record_and_nobody_knows_what_was_sent() {
    each_record(PROCEDURES[1], Setting::default(), SignedDuration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn in_place_dies_at_each_record_for_a_while() {
    each_record(PROCEDURES[0], Setting::default(), SignedDuration::from_mins(7)).await;
}

#[tokio::test(start_paused = true)]
async fn role_swap_by_hand_dies_at_each_record() {
    each_record(PROCEDURES[1], Setting::by_operator(), SignedDuration::from_secs(40)).await;
}

/// Deaths at any moment, several in one run, however long the daemon stays away.
#[tokio::test(start_paused = true)]
async fn deaths_at_random_moments_change_nothing() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for round in 0..20 {
        let procedure = PROCEDURES[round % 2];
        let by_hand = round % 4 > 1;
        let setting = if by_hand { Setting::by_operator() } else { Setting::default() };
        let mut stage = Stage::set(Setting { seed: random.u64(..), ..setting });
        let id = stage.start(procedure).await;
        for _ in 0..6 {
            let alive = SignedDuration::from_millis(random.i64(1..1_200_000));
            tokio::select! {
                biased;
                () = stage.pass(alive) => {}
                rest = stage.to_rest(&id) => assert_eq!(rest.end, "in_doubt", "seed {seed}, {round}\n{}", stage.story(&id)),
            }
            stage.restart();
        }
        let mut rest = stage.to_rest(&id).await;
        if rest.end == "in_doubt" {
            rest = stage.resume_to_end(&id).await.0;
        }
        assert_eq!(rest.end, "succeeded", "seed {seed}, {round}\n{}", stage.story(&id));
        assert_sound(&stage, &id, procedure, true, &format!("seed {seed}, {round}"));
    }
}
