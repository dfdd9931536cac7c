//! R11, BG-04: production goes only where the rehearsal site has gone, by a named person's word that still stands.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use changeover::domain::action::Kind as Action;
use changeover::domain::event::{Event, Outcome};
use changeover::domain::ids::{PerNode, RunId};
use changeover::domain::people::{People, Person, Who};
use changeover::domain::plan::Plan;
use changeover::domain::rehearsal::{Path, find};
use changeover::domain::run::{Phase, Release, Run};
use changeover::domain::site::{Hands, Policy, RehearsalPolicy};
use changeover::domain::{journal, machine};
use changeover::engine::api::{Fleet as _, Kind, PlanPreview, PlanRequest, Problem, Snapshot, Word};
use changeover::ports::Journal as _;
use jiff::SignedDuration;

use crate::stage::{LAB, Setting, Stage, end};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

fn policy(valid_for: SignedDuration, roles: &[&str]) -> Policy {
    let roles = roles.iter().map(ToString::to_string).collect();
    Policy { rehearsal: Some(RehearsalPolicy { site: LAB.to_owned(), valid_for, roles }), ..Policy::default() }
}

fn setting(policy: Policy) -> Setting {
    // A laboratory need not soak for a day.
    let lab = Some(Policy { min_soak: HOUR, ..Policy::default() });
    Setting { policy, lab, ..Setting::default() }
}

fn month() -> Setting {
    setting(policy(HOUR * 24 * 30, &[]))
}

fn request(stage: &Stage, site: &str, procedure: &str) -> PlanRequest {
    let now = stage.fleet.now();
    let second = now + if site == LAB { HOUR * 6 } else { HOUR * 30 };
    PlanRequest { site: site.to_owned(), second: Some(format!("{second} +4h")), ..stage.request(procedure) }
}

async fn begin(stage: &Stage, site: &str, procedure: &str) -> Result<RunId, Problem> {
    stage.fleet.start(request(stage, site, procedure), "op1").await
}

async fn plan(stage: &Stage) -> PlanPreview {
    stage.fleet.plan(request(stage, "support", "role-swap")).await.unwrap()
}

/// A whole run on the rehearsal site.
async fn rehearse(stage: &Stage) -> RunId {
    let id = begin(stage, LAB, "role-swap").await.unwrap_or_else(|problem| panic!("{problem:?}"));
    assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
    id
}

async fn say(stage: &Stage, id: &RunId, by: &str, withdraw: bool) -> Result<Snapshot, Problem> {
    let word = Word::Release { withdraw, note: "all went well".to_owned() };
    stage.fleet.command(id, word, by, None).await
}

async fn release(stage: &Stage, id: &RunId) {
    say(stage, id, "owner1", false).await.unwrap_or_else(|problem| panic!("{problem:?}"));
}

async fn refused(stage: &Stage) -> String {
    let problem = begin(stage, "support", "role-swap").await.unwrap_err();
    assert_eq!((problem.kind, problem.code.as_str()), (Kind::Refused, "R11"), "{problem:?}");
    problem.causes.join("\n")
}

#[tokio::test(start_paused = true)]
async fn r11_a_released_rehearsal_opens_the_way_and_nothing_else_does() {
    let stage = Stage::set(month());
    assert!(refused(&stage).await.contains("no run of site `lab` is released"));
    let lab = rehearse(&stage).await;
    assert!(refused(&stage).await.contains("no run of site `lab` is released"));
    release(&stage, &lab).await;
    assert!(stage.alert_says("released", "was released by owner1"), "{:?}", stage.alerts());
    let rehearsal = plan(&stage).await.plan.rehearsal.unwrap();
    assert_eq!((rehearsal.run.clone(), rehearsal.by.user.as_str()), (lab.clone(), "owner1"));
    let id = begin(&stage, "support", "role-swap").await.unwrap();
    assert_eq!(stage.run(&id).plan.rehearsal.as_ref(), Some(&rehearsal));
    assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
    journal::verify(&stage.records(&lab)).unwrap();
    assert_eq!(machine::replay(&stage.records(&lab)).unwrap(), *stage.run(&lab));
}

/// Others would begin on the strength of it.
#[tokio::test(start_paused = true)]
async fn r11_a_release_is_not_taken_from_the_reserve() {
    let stage = Stage::set(month());
    let lab = rehearse(&stage).await;
    stage.journal.low.store(true, Ordering::SeqCst);
    let problem = say(&stage, &lab, "owner1", false).await.unwrap_err();
    assert_eq!((problem.kind, problem.code.as_str()), (Kind::Store, "store_low"), "{problem:?}");
    assert!(stage.run(&lab).released.is_none() && refused(&stage).await.contains("no run of site `lab` is released"));
    stage.journal.low.store(false, Ordering::SeqCst);
    release(&stage, &lab).await;
}

type Unlike = (fn(&mut Plan), &'static str);

fn console(driven: bool) -> Hands {
    Hands::Console { url: "https://a.example.com/".to_owned(), driven }
}

/// Whose hands they were was not always told: a record that does not say is one of a person's.
#[test]
fn r11_hands_of_old_records_are_a_persons() {
    let old = r#"{"kind":"console","url":"https://a.example.com/"}"#;
    assert_eq!(serde_json::from_str::<Hands>(old).unwrap(), console(false));
}

/// Every difference is told, each by its own line.
#[tokio::test(start_paused = true)]
async fn r11_each_difference_is_named() {
    let stage = Stage::set(month());
    let lab = rehearse(&stage).await;
    let (run, planned) = (stage.run(&lab), plan(&stage).await.plan);
    let rehearsed = Path::of_run(&run);
    assert_eq!(Path::of(&planned).differences(&rehearsed), Vec::<String>::new());
    assert_eq!(Path::of(&planned).digest(), rehearsed.digest());
    let cases: [Unlike; 13] = [
        (|plan| plan.procedure = "own".to_owned(), "procedure: rehearsed with `role-swap`, planned is `own`"),
        (|plan| drop(Arc::make_mut(&mut plan.steps).remove(1)), "step 2: rehearsed was `prepare."),
        (|plan| drop(Arc::make_mut(&mut plan.steps).pop()), "planned is no step"),
        (|plan| Arc::make_mut(&mut plan.package).sha256 = "00".to_owned(), "package: rehearsed with "),
        (|plan| plan.from.version = "24.1.0.1".parse().unwrap(), "start version: rehearsed with 24.1.1"),
        (|plan| plan.to.version = "24.2.2".parse().unwrap(), "target: rehearsed with 24.2.1"),
        (|plan| plan.to.build = Some("another".to_owned()), "target: rehearsed with 24.2.1+"),
        (|plan| Arc::make_mut(&mut plan.policy).max_sync_age = HOUR, "`max_sync_age`: rehearsed with 10m, planned is 1h"),
        (|plan| Arc::make_mut(&mut plan.policy).max_backup_age = HOUR, "`max_backup_age`: "),
        (|plan| Arc::make_mut(&mut plan.policy).max_clock_skew = HOUR, "`max_clock_skew`: "),
        (
            |plan| Arc::make_mut(&mut plan.policy).sync_ok_statuses.push("fine".to_owned()),
            "`sync_ok_statuses`: rehearsed with success, planned is",
        ),
        (|plan| plan.hands = PerNode::new(|_| console(false)), "planned is a person at the console (primary), a person at"),
        (|plan| plan.hands = PerNode::new(|_| console(true)), "planned is the daemon at the console (primary), the daemon at"),
    ];
    for (change, says) in cases {
        let mut plan = planned.clone();
        change(&mut plan);
        let lines = Path::of(&plan).differences(&rehearsed);
        assert!(lines.len() == 1 && lines[0].contains(says), "{says}: {lines:?}");
    }
    // What may differ: who is primary, windows, durations, the soak.
    let mut plan = planned.clone();
    plan.primary = plan.primary.other();
    Arc::make_mut(&mut plan.steps).iter_mut().for_each(|step| step.node = step.node.map(|node| node.other()));
    let policy = Arc::make_mut(&mut plan.policy);
    (policy.min_soak, policy.drain_limit) = (HOUR, HOUR);
    assert_eq!(Path::of(&plan).differences(&rehearsed), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn r11_another_package_or_setting_is_refused_at_the_start() {
    let stage = Stage::set(setting(Policy { max_sync_age: HOUR, ..month().policy }));
    let lab = rehearse(&stage).await;
    release(&stage, &lab).await;
    std::fs::write(stage.folder.path().join("base.nss"), b"another package").unwrap();
    let causes = refused(&stage).await;
    for line in ["run `lab-1`: package: rehearsed with", "run `lab-1`: `max_sync_age`: rehearsed with 10m, planned is 1h"] {
        assert!(causes.contains(line), "{line}: {causes}");
    }
}

/// The newest release that counts is taken, not simply the newest.
#[tokio::test(start_paused = true)]
async fn r11_an_older_release_counts_where_the_newer_does_not() {
    let stage = Stage::set(month());
    let lab = rehearse(&stage).await;
    let plan = plan(&stage).await.plan;
    let first = stage.run(&lab);
    let at = stage.fleet.now();
    let released = |mut run: Run, number, at| {
        run.id.number = number;
        run.released = Some(Release { by: Who { user: "owner1".to_owned(), name: None }, at, note: String::new() });
        run
    };
    let mut other = released((*first).clone(), 2, at + HOUR);
    Arc::make_mut(&mut Arc::make_mut(&mut other.plan).package).sha256 = "00".to_owned();
    let runs = [released((*first).clone(), 1, at), other];
    let policy = plan.policy.rehearsal.clone().unwrap();
    let found = find(&plan, &policy, runs.iter(), |_| Ok(()), at + HOUR).unwrap();
    assert_eq!(found.run.number, 1);
    let found = find(&plan, &policy, runs[1..].iter(), |_| Ok(()), at + HOUR).unwrap_err();
    assert!(found.len() == 1 && found[0].contains("run `lab-2`: package"), "{found:?}");
}

/// At the break, and again between the windows: the run is held, and goes on once the rehearsal is released again.
#[tokio::test(start_paused = true)]
async fn r11_a_release_that_expires_holds_the_run_until_it_is_given_again() {
    let (one, two) = ("window-1.break_failover.a", "window-2.update.a");
    for (valid, held_at) in [(HOUR, vec![one, two]), (HOUR * 12, vec![two])] {
        let stage = Stage::set(setting(policy(valid, &[])));
        let lab = rehearse(&stage).await;
        release(&stage, &lab).await;
        let id = begin(&stage, "support", "role-swap").await.unwrap();
        stage.until(&id, |run| run.open_gate().is_some()).await;
        stage.pass(HOUR + HOUR / 2).await;
        for step in held_at {
            assert_held(&stage, &id, step).await;
            stage.resume(&id).await.unwrap();
            assert_held(&stage, &id, step).await;
            release(&stage, &lab).await;
            stage.resume(&id).await.unwrap();
        }
        assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
    }
}

async fn assert_held(stage: &Stage, id: &RunId, step: &str) {
    let rest = stage.to_rest(id).await;
    assert_eq!((rest.end.as_str(), rest.run.step().unwrap().id.as_str()), ("rehearsed", step), "{}", stage.story(id));
    assert!(rest.run.hold().unwrap().message.contains("counted for"), "{:?}", rest.run.hold());
    assert!(stage.alert_says("held", "changeover release lab-1 --note"), "{step}");
}

#[tokio::test(start_paused = true)]
async fn r11_a_withdrawn_release_stops_plans_and_runs() {
    let mut stage = Stage::set(month());
    let lab = rehearse(&stage).await;
    release(&stage, &lab).await;
    let id = begin(&stage, "support", "role-swap").await.unwrap();
    stage.until(&id, |run| run.open_gate().is_some()).await;
    say(&stage, &lab, "owner1", true).await.unwrap();
    assert!(stage.alert_says("released", "was withdrawn by owner1"));
    let rest = stage.to_rest(&id).await;
    assert_eq!(rest.end, "rehearsed", "{}", stage.story(&id));
    assert!(rest.run.hold().unwrap().message.contains("withdrawn"), "{:?}", rest.run.hold());
    // A restart changes nothing of it: withdrawn stays withdrawn, given stays given.
    stage.restart();
    stage.resume(&id).await.unwrap();
    assert_eq!(stage.to_rest(&id).await.end, "rehearsed", "{}", stage.story(&id));
    release(&stage, &lab).await;
    stage.restart();
    stage.resume(&id).await.unwrap();
    assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
}

fn people(owner_roles: &[&str]) -> People {
    let person = |user: &str, roles: &[&str]| Person {
        user: user.to_owned(),
        name: user.to_uppercase(),
        roles: roles.iter().map(ToString::to_string).collect(),
    };
    People::new([person("op1", &["operator"]), person("owner1", owner_roles), person("olga", &["operator"])])
}

#[tokio::test(start_paused = true)]
async fn r11_only_a_role_that_may_releases() {
    let owners = setting(policy(HOUR * 24 * 30, &["owner"]));
    let mut stage = Stage::set(Setting { people: people(&["owner"]), ..owners });
    let lab = rehearse(&stage).await;
    for (by, withdraw) in [("op1", false), ("nobody", false)] {
        let problem = say(&stage, &lab, by, withdraw).await.unwrap_err();
        assert_eq!((problem.kind, problem.code.as_str()), (Kind::NotAllowed, "not_allowed"), "{problem:?}");
    }
    release(&stage, &lab).await;
    assert_eq!(say(&stage, &lab, "op1", true).await.unwrap_err().code, "not_allowed");
    let id = begin(&stage, "support", "role-swap").await.unwrap();
    stage.until(&id, |run| run.open_gate().is_some()).await;
    // The role is gone: neither a new plan nor the run may count on the word any more.
    stage.setting.people = people(&["operator"]);
    stage.restart();
    assert_eq!(stage.to_rest(&id).await.end, "rehearsed", "{}", stage.story(&id));
    let refusals = plan(&stage).await.refusals;
    assert!(refusals.iter().any(|refusal| refusal.rule == "R11" && refusal.message.contains("`owner` is asked for")));
}

#[tokio::test(start_paused = true)]
async fn r11_only_a_run_that_succeeded_on_a_rehearsal_site_is_released() {
    let stage = Stage::set(month());
    let expect = async |id: &RunId, withdraw, code: &str| {
        let problem = say(&stage, id, "owner1", withdraw).await.unwrap_err();
        assert_eq!(problem.code, code, "{problem:?}");
    };
    let lab = begin(&stage, LAB, "role-swap").await.unwrap();
    expect(&lab, false, "not_succeeded").await;
    stage.until(&lab, |run| run.open_gate().is_some()).await;
    expect(&lab, false, "not_succeeded").await;
    let close = Word::Close { state: "left".to_owned(), note: "a test".to_owned() };
    stage.word(&lab, close).await.unwrap();
    assert_eq!(stage.run(&lab).phase, Phase::Finished(Outcome::Closed));
    expect(&lab, false, "not_succeeded").await;
    let lab = rehearse(&stage).await;
    expect(&lab, true, "not_released").await;
    expect(&RunId { number: 9, ..lab.clone() }, false, "unknown_run").await;
    let empty = Word::Release { withdraw: false, note: " ".to_owned() };
    assert_eq!(stage.fleet.command(&lab, empty, "owner1", None).await.unwrap_err().code, "note_missing");
    let stale = Word::Release { withdraw: false, note: "good".to_owned() };
    assert_eq!(stage.fleet.command(&lab, stale, "owner1", Some(3)).await.unwrap_err().code, "moved_on");
    let nobody_asks = Stage::set(Setting { lab: Some(Policy::default()), ..Setting::default() });
    let lab = nobody_asks.start("role-swap").await;
    nobody_asks.to_rest(&lab).await;
    assert_eq!(say(&nobody_asks, &lab, "owner1", false).await.unwrap_err().code, "no_rehearsal_site");
}

/// Two words on one finished run at the same moment become two records, one after the other.
#[tokio::test(start_paused = true)]
async fn r14_words_on_a_finished_run_come_one_after_the_other() {
    let stage = Stage::set(month());
    let lab = rehearse(&stage).await;
    let before = stage.records(&lab).len();
    let (first, second) = tokio::join!(say(&stage, &lab, "owner1", false), say(&stage, &lab, "op1", false));
    assert!(first.is_ok() && second.is_ok());
    let records = stage.journal.records(&lab, 0).unwrap();
    assert_eq!(records.len(), before + 2);
    journal::verify(&records).unwrap();
    let run = stage.run(&lab);
    assert_eq!(end(&run).as_deref(), Some("succeeded"));
    assert!(matches!(Event::from_parts(&records[before].event, &records[before].data), Ok(Event::Released { .. })));
}

/// A way home is not asked for a rehearsal: a pair without failover is worse.
#[tokio::test(start_paused = true)]
async fn r11_the_way_home_does_not_wait_for_a_release() {
    let stage = Stage::set(month());
    let lab = rehearse(&stage).await;
    release(&stage, &lab).await;
    let id = begin(&stage, "support", "role-swap").await.unwrap();
    stage.until_step(&id, "window-2.confirm").await;
    say(&stage, &lab, "owner1", true).await.unwrap();
    stage.word(&id, Word::Hold).await.unwrap();
    stage.to_rest(&id).await;
    stage.word(&id, Word::Abort { way: None, note: None }).await.unwrap();
    let rest = stage.to_rest(&id).await;
    assert_eq!(rest.end, "aborted", "{}", stage.story(&id));
    assert!(
        rest.run.plan.steps.iter().any(|step| !step.id.starts_with("window") && step.kind == Action::Update),
        "{:?}",
        rest.run.plan.steps
    );
}

/// R11 may be set aside for the one step that it stops, and stops the next one again.
#[tokio::test(start_paused = true)]
async fn r11_is_waived_for_one_step() {
    let stage = Stage::set(month());
    let lab = rehearse(&stage).await;
    release(&stage, &lab).await;
    let id = begin(&stage, "support", "role-swap").await.unwrap();
    stage.until(&id, |run| run.open_gate().is_some()).await;
    say(&stage, &lab, "owner1", true).await.unwrap();
    let waive = || Word::Waive { rule: "rehearsed".to_owned(), reason: "the laboratory burnt down".to_owned() };
    for step in ["window-1.break_failover.a", "window-1.update.b", "window-2.update.a"] {
        let rest = stage.to_rest(&id).await;
        assert_eq!((rest.end.as_str(), rest.run.step().unwrap().id.as_str()), ("rehearsed", step), "{}", stage.story(&id));
        stage.word(&id, waive()).await.unwrap_or_else(|problem| panic!("{problem:?}"));
        if stage.run(&id).hold().is_some() {
            stage.resume(&id).await.unwrap();
        }
    }
    assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
}
