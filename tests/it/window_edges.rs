//! The edges of windows, under every change of the clocks, restarts and set clocks; and R3's word on window two.

use std::sync::Arc;

use changeover::domain::action::When;
use changeover::domain::event::{Event, WaitingOn};
use changeover::domain::ids::RunId;
use changeover::domain::journal::Record;
use changeover::domain::machine;
use changeover::domain::people::{People, Person};
use changeover::domain::plan::is_bound;
use changeover::domain::run::{Phase, Run};
use changeover::domain::site::Policy;
use changeover::domain::window::calendar::Calendar;
use changeover::domain::window::freeze::{Freeze, FreezeRule, span};
use changeover::domain::window::recurring::{Days, Recurring};
use changeover::engine::api::{Fleet as _, Kind, PlanRequest, Rebooking, Word};
use changeover::ports::Clock as _;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::audit::assert_sound;
use crate::stage::{PROCEDURES, Setting, Stage, end, story};
use crate::windows::last_start;

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

fn secs(secs: i64) -> SignedDuration {
    SignedDuration::from_secs(secs)
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn freeze(from: &str, to: &str) -> Arc<Freeze> {
    let spans = vec![span(from, to).unwrap()];
    let rule = FreezeRule { name: "audit".to_owned(), owner: "owner1".to_owned(), zone: None, spans };
    Arc::new(rule.resolve(&TimeZone::UTC))
}

fn frozen(from: &str, to: &str) -> Calendar {
    Calendar { freezes: vec![freeze(from, to)], ..Calendar::default() }
}

fn people(users: &[&str]) -> People {
    let person = |user: &&str| Person { user: (*user).to_owned(), name: user.to_uppercase(), roles: Vec::new() };
    People::new(users.iter().map(person))
}

/// A site with one daily window.
fn daily(zone: &str, from: &str, to: &str) -> Calendar {
    let zone = TimeZone::get(zone).unwrap();
    let rule = Recurring {
        name: "nightly".to_owned(),
        on: vec![Days::Daily],
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
        zone: zone.clone(),
    };
    Calendar { zone, recurring: vec![rule], ..Calendar::default() }
}

/// Nights on which something happens to the calendar, with the window of that night as it really is.
const NIGHTS: [(&str, &str, &str, &str, &str); 9] = [
    ("Europe/Berlin", "01:30", "07:00", "2026-03-29T00:30:00Z", "2026-03-29T05:00:00Z"),
    ("Europe/Berlin", "02:30", "07:00", "2026-03-29T01:00:00Z", "2026-03-29T05:00:00Z"),
    ("Europe/Berlin", "02:30", "07:00", "2026-10-25T00:30:00Z", "2026-10-25T06:00:00Z"),
    ("America/New_York", "01:00", "06:00", "2026-03-08T06:00:00Z", "2026-03-08T10:00:00Z"),
    ("America/New_York", "01:30", "06:00", "2026-11-01T05:30:00Z", "2026-11-01T11:00:00Z"),
    ("Australia/Lord_Howe", "02:15", "07:00", "2026-10-03T15:30:00Z", "2026-10-03T20:00:00Z"),
    ("Australia/Lord_Howe", "01:45", "07:00", "2026-04-04T14:45:00Z", "2026-04-04T20:30:00Z"),
    ("Europe/Berlin", "01:00", "06:00", "2028-02-29T00:00:00Z", "2028-02-29T05:00:00Z"),
    ("Europe/Berlin", "22:00", "03:00", "2026-12-31T21:00:00Z", "2027-01-01T02:00:00Z"),
];

fn night(zone: &str, from: &str, to: &str, opens: Timestamp) -> Setting {
    let next = || "next nightly".to_owned();
    // Both windows on following nights.
    let policy = Policy { min_soak: hours(12), ..Policy::default() };
    Setting {
        calendar: daily(zone, from, to),
        first: next(),
        second: next(),
        begin: opens - hours(2),
        policy,
        ..Setting::default()
    }
}

/// What has disturbed anybody.
fn acted(stage: &Stage) -> usize {
    stage.truth().acts.iter().filter(|act| ["break", "update"].contains(&act.what.as_str())).count()
}

/// BG-02: one second before a window, in its first instant and after; with a restart in each of them.
#[tokio::test(start_paused = true)]
async fn r3_bg_02_a_window_opens_in_its_first_instant() {
    for (zone, from, to, opens, closes) in NIGHTS {
        for restarted in [None, Some(secs(-1)), Some(secs(0)), Some(secs(1))] {
            let (opens, case) = (at(opens), format!("{zone} {opens} {restarted:?}"));
            let mut stage = Stage::set(night(zone, from, to, opens));
            let id = stage.start("role-swap").await;
            let run = stage.run(&id);
            let first = run.windows.first.clone().unwrap();
            assert_eq!((first.from, first.to), (opens, at(closes)), "{case}");
            assert!(run.windows.second.as_ref().unwrap().from >= first.to + hours(12), "{case}: {:?}", run.windows);
            if let Some(moment) = restarted {
                stage.clock_to(opens + moment).await;
                stage.restart();
            }
            stage.clock_to(opens - secs(1)).await;
            let begun = |run: &Run| run.step().is_some_and(|step| step.id.starts_with("window-1")) && run.open_gate().is_some();
            assert!(restarted.is_some_and(|moment| moment >= secs(0)) || !begun(&stage.run(&id)), "{case}\n{}", stage.story(&id));
            let run = stage.until(&id, begun).await;
            assert!(run.last_at >= opens && run.last_at <= opens + secs(70), "{case}\n{}", stage.story(&id));
            assert_eq!(acted(&stage), 0, "{case}");
            let rest = stage.to_rest(&id).await;
            assert_eq!(rest.end, "succeeded", "{case}\n{}", stage.story(&id));
            assert_sound(&stage, &id, "role-swap", true, &case);
        }
    }
}

/// Nobody answers the gate: around the last moment in which the break would begin, with a restart there, the run is held, and not before.
#[tokio::test(start_paused = true)]
async fn r3_a_window_closes_for_a_gate_that_nobody_answers() {
    for (zone, from, to, opens, closes) in NIGHTS {
        for restarted in [secs(-1), secs(0), secs(1)] {
            let case = format!("{zone} {closes} {restarted:#}");
            let mut stage = Stage::set(night(zone, from, to, at(opens)));
            let id = stage.start("role-swap").await;
            let run = stage.until(&id, |run| run.open_gate().is_some()).await;
            held_in_time(&mut stage, &id, last_start(&run), restarted, &case).await;
            assert!(acted(&stage) == 0 && stage.truth().linked, "{case}");
            let given = Word::Resume { window: Some("next".to_owned()) };
            stage.word(&id, given).await.unwrap_or_else(|problem| panic!("{case}: {problem:?}"));
            let next = stage.run(&id).windows.first.clone().unwrap();
            assert!(next.from >= at(closes), "{case}: {next:?}");
            // Window two came too near by that.
            stage.until(&id, |run| end(run).is_some() || run.open_gate().is_some()).await;
            let rest = stage.to_rest(&id).await;
            assert_eq!(rest.end, "no_second_window", "{case}\n{}", stage.story(&id));
            assert_eq!(acted(&stage), 0, "{case}");
            let rebooking = Rebooking { second: Some("next".to_owned()), ..Rebooking::default() };
            stage.word(&id, Word::Rebook(rebooking)).await.unwrap_or_else(|problem| panic!("{case}: {problem:?}"));
            let rest = stage.to_rest(&id).await;
            assert_eq!(rest.end, "succeeded", "{case}\n{}", stage.story(&id));
            assert_sound(&stage, &id, "role-swap", true, &case);
        }
    }
}

/// A second before and in the last moment the gate is open still, a minute after it the run is held; with a restart on the way.
async fn held_in_time(stage: &mut Stage, id: &RunId, latest: Timestamp, restarted: SignedDuration, case: &str) {
    stage.clock_to(latest + restarted).await;
    let open = stage.run(id).open_gate().is_some();
    assert!(open || restarted > secs(0), "{case}\n{}", stage.story(id));
    stage.restart();
    let rest = stage.idle_to_rest(id).await;
    assert_eq!(rest.end, "window_missed", "{case}\n{}", stage.story(id));
    let since = rest.run.hold().unwrap().since;
    assert!(since > latest && since <= latest + secs(70), "{case}\n{}", stage.story(id));
}

/// Both windows by the calendar: a fixed first one, and the second on the night on which something happens to the clocks.
fn second_night(zone: &str, from: &str, to: &str, opens: Timestamp) -> Setting {
    Setting { first: "now +5h".to_owned(), begin: opens - hours(26), ..night(zone, from, to, opens) }
}

/// Window two opens in its first instant as window one does, and closes for a gate that nobody answers.
#[tokio::test(start_paused = true)]
async fn r3_bg_02_window_two_opens_and_closes_to_the_second() {
    for (zone, from, to, opens, closes) in NIGHTS {
        for moment in [secs(-1), secs(0), secs(1)] {
            let (opens, case) = (at(opens), format!("{zone} {opens} {moment:#}"));
            let mut stage = Stage::set(second_night(zone, from, to, opens));
            let id = stage.start("role-swap").await;
            let run = stage.answered(&id, |run| run.soaked).await;
            let second = run.windows.second.clone().unwrap();
            assert_eq!((second.from, second.to), (opens, at(closes)), "{case}");
            stage.clock_to(opens + moment).await;
            stage.restart();
            let run = stage.until(&id, |run| run.open_gate().is_some()).await;
            assert!(run.last_at >= opens && run.last_at <= opens + secs(70), "{case}\n{}", stage.story(&id));
            held_in_time(&mut stage, &id, last_start(&run), moment, &case).await;
            assert_eq!(acted(&stage), 2, "{case}");
            let given = Word::Resume { window: Some("next".to_owned()) };
            stage.word(&id, given).await.unwrap_or_else(|problem| panic!("{case}: {problem:?}"));
            let rest = stage.to_rest(&id).await;
            assert_eq!(rest.end, "succeeded", "{case}\n{}", stage.story(&id));
            assert_sound(&stage, &id, "role-swap", true, &case);
        }
    }
}

/// The daemon is down over the whole of a window, the first or the second: the run holds safely and takes another.
#[tokio::test(start_paused = true)]
async fn r3_the_daemon_is_down_over_a_whole_window() {
    for procedure in PROCEDURES {
        for part in ["window-1", "window-2"] {
            let case = format!("{procedure} {part}");
            let setting = Setting {
                first: "2026-11-22T03:00:00Z +4h".to_owned(),
                second: "2026-11-24T03:00:00Z +4h".to_owned(),
                ..Setting::default()
            };
            let mut stage = Stage::set(setting);
            let id = stage.start(procedure).await;
            if part == "window-2" {
                stage.answered(&id, |run| run.soaked).await;
            }
            let acts = acted(&stage);
            let window = if part == "window-1" { at("2026-11-22T07:00:00Z") } else { at("2026-11-24T07:00:00Z") };
            stage.stop();
            stage.clock_to(window + hours(3)).await;
            stage.restart();
            let rest = stage.idle_to_rest(&id).await;
            assert_eq!(rest.end, "window_missed", "{case}\n{}", stage.story(&id));
            assert_eq!(acted(&stage), acts, "{case}");
            stage.word(&id, Word::Resume { window: Some("now +5h".to_owned()) }).await.unwrap();
            let rest = stage.to_rest(&id).await;
            assert_eq!(rest.end, "succeeded", "{case}\n{}", stage.story(&id));
            assert_sound(&stage, &id, procedure, true, &case);
        }
    }
}

/// The clock is set an hour back or forth after each record: nothing that was done is done again, nothing panics, and what is not
/// in time any more is held.
async fn set_at_each_record(by: SignedDuration) {
    let plain = Stage::new();
    let id = plain.start("role-swap").await;
    plain.to_rest(&id).await;
    for seq in 1..plain.records(&id).len() as u64 {
        let case = format!("set by {by:#} after record {seq}");
        let stage = Stage::new();
        let id = stage.start("role-swap").await;
        stage.until_seq(&id, seq).await;
        stage.clock.step(by);
        let rest = to_success(&stage, &id, by).await;
        assert_eq!(rest, "succeeded", "{case}\n{}", stage.story(&id));
        let records = stage.records(&id);
        assert!(records.windows(2).all(|pair| pair[0].at <= pair[1].at), "{case}\n{}", stage.story(&id));
        assert_begun_in_time(&records, &case);
        assert_sound(&stage, &id, "role-swap", true, &case);
    }
}

/// What R3 binds began only where it fitted into its window, as that was booked then.
fn assert_begun_in_time(records: &[Record], case: &str) {
    let event = |record: &Record| Event::from_parts(&record.event, &record.data).unwrap();
    let Event::Started { plan } = event(&records[0]) else { panic!("a journal begins with `started`") };
    let mut run = machine::begin(records[0].run.clone(), plan, &records[0].actor, records[0].at);
    for record in &records[1..] {
        let step = run.step().filter(|step| record.event == "step_begun" && is_bound(step, run.is_ordered()));
        if let Some((step, window)) = step.and_then(|step| Some((step, run.windows.of(step.when)?))) {
            assert!(window.fits(record.at, run.plan.need(step)), "{case}: {} at {}\n{}", step.id, record.at, story(records));
        }
        run = machine::next(&run, &event(record), record.at).unwrap().0;
    }
}

/// Ends of an act's limit: an hour passes it, by the clock that there is.
const PAST_LIMIT: [&str; 3] = ["sync_failed", "drain_limit", "in_doubt"];

/// Lets a run go on until it has succeeded, with other windows where the set clock took its own away; nothing else holds it, but for a limit
/// that was passed by being set forth.
async fn to_success(stage: &Stage, id: &RunId, by: SignedDuration) -> String {
    for _ in 0..3 {
        let rest = stage.to_rest(id).await;
        let before_soak = rest.run.step().is_some_and(|step| step.when < When::Soak);
        let second = Some("2026-11-26T07:00:00Z +6h".to_owned());
        let word = match rest.end.as_str() {
            "window_missed" if before_soak => {
                Word::Rebook(Rebooking { first: Some("now +5h".to_owned()), second, ..Rebooking::default() })
            }
            "window_missed" => Word::Resume { window: Some("now +5h".to_owned()) },
            "no_second_window" => Word::Rebook(Rebooking { second, ..Rebooking::default() }),
            end if by.is_positive() && PAST_LIMIT.contains(&end) => Word::Resume { window: None },
            // The last sync is dated later than now: nobody knows its age until the clock is put right.
            "sync_too_old" | "clock_skew" if by.is_negative() => {
                stage.clock.step(by.abs());
                Word::Resume { window: None }
            }
            _ => return rest.end,
        };
        stage.word(id, word).await.unwrap_or_else(|problem| panic!("{}: {problem:?}\n{}", rest.end, stage.story(id)));
    }
    stage.to_rest(id).await.end
}

#[tokio::test(start_paused = true)]
async fn r3_a_clock_set_back_opens_nothing_again() {
    set_at_each_record(hours(-1)).await;
}

#[tokio::test(start_paused = true)]
async fn r3_a_clock_set_forth_skips_nothing() {
    set_at_each_record(hours(1)).await;
}

/// The clock is set back an hour in the midst of a wait: the run goes on looking as often as before, not once the clock has caught up.
#[tokio::test(start_paused = true)]
async fn r3_a_run_goes_on_looking_after_the_clock_was_set_back() {
    let on = |run: &Run, waits: WaitingOn| matches!(&run.phase, Phase::Waiting { on, .. } if *on == waits);
    for (waits, often) in [(WaitingOn::Window, secs(120)), (WaitingOn::Gate, secs(120)), (WaitingOn::Soak, secs(600))] {
        let stage = Stage::set(Setting { first: "2026-11-22T03:00:00Z +4h".to_owned(), ..Setting::default() });
        let id = stage.start("role-swap").await;
        if waits == WaitingOn::Soak {
            stage.answered(&id, |run| on(run, waits)).await;
        } else {
            stage.until(&id, |run| on(run, waits)).await;
        }
        // Waits have grown to their longest, and one of them is under way.
        stage.pass(often * 2 + secs(7)).await;
        stage.clock.step(hours(-1));
        let mut seen = Vec::new();
        for _ in 0..5 {
            stage.pass(often).await;
            let looked = stage.fleet.run(&id).unwrap().world.now;
            assert!(looked <= stage.clock.now() && stage.clock.now() - often <= looked, "{waits:?}: {looked} {seen:?}");
            seen.push(looked);
        }
    }
}

/// A run whose window two is good at the start, and lacks something when failover is to be broken.
async fn at_the_break(change: impl FnOnce(&mut Setting), booked: Option<&str>) -> (Stage, RunId) {
    let mut stage = Stage::set(Setting { second: "2026-11-24T07:00:00Z +4h".to_owned(), ..Setting::default() });
    let request = PlanRequest { responsible: Some("op9".to_owned()), ..stage.request("role-swap") };
    let id = stage.fleet.start(request, "olga").await.unwrap();
    stage.until(&id, |run| run.open_gate().is_some()).await;
    change(&mut stage.setting);
    stage.restart();
    if let Some(window) = booked {
        stage.word(&id, Word::Hold).await.unwrap();
        let rebooking = Rebooking { second: Some(window.to_owned()), ..Rebooking::default() };
        stage.word(&id, Word::Rebook(rebooking)).await.unwrap();
    }
    let rest = stage.to_rest(&id).await;
    assert_eq!(rest.end, "no_second_window", "{}", stage.story(&id));
    assert_eq!(rest.run.step().unwrap().id, "window-1.break_failover.a", "{}", stage.story(&id));
    assert!(stage.truth().linked && acted(&stage) == 0 && stage.alerts().contains(&"held".to_owned()));
    (stage, id)
}

/// Every lack alone: the run holds linked before the break, says which, and goes on once it is mended.
#[tokio::test(start_paused = true)]
async fn r3_failover_is_not_broken_without_window_two() {
    let nothing = |_: &mut Setting| {};
    let freeze = |setting: &mut Setting| setting.calendar = frozen("2026-11-24", "2026-11-24");
    let left = |setting: &mut Setting| setting.people = people(&["olga", "op1"]);
    let second = |text: &str| Rebooking { second: Some(text.to_owned()), ..Rebooking::default() };
    let user = |user: &str| Rebooking { responsible: Some(user.to_owned()), ..Rebooking::default() };
    type Case = (Box<dyn FnOnce(&mut Setting)>, Option<&'static str>, &'static str, Rebooking);
    let cases: [Case; 4] = [
        (Box::new(nothing), Some("now +1min"), "window two is over", second("2026-11-24T07:00:00Z +4h")),
        (Box::new(nothing), Some("2026-11-24T07:00:00Z +10min"), "window two is too short", second("2026-11-24T07:00:00Z +4h")),
        (Box::new(freeze), None, "window two lies in the freeze `audit` of `owner1`", second("2026-11-25T07:00:00Z +4h")),
        (Box::new(left), None, "user `op9` is not among the people of the config", user("op1")),
    ];
    for (change, booked, said, mends) in cases {
        let (stage, id) = at_the_break(change, booked).await;
        let found = stage.run(&id).hold().unwrap().message.clone();
        assert!(found.contains(said), "{said}: {found}");
        let refused = stage.resume(&id).await.unwrap_err();
        assert_eq!((refused.kind, refused.code.as_str()), (Kind::Refused, "no_second_window"), "{refused:?}");
        assert!(refused.causes.iter().any(|cause| cause.contains(said)), "{said}: {refused:?}");
        assert!(refused.hint.as_ref().is_some_and(|hint| hint.contains("--second")), "{refused:?}");
        let waive = Word::Waive { rule: "in_window".to_owned(), reason: "it is late".to_owned() };
        // The booking is no one step's; and where people are named, nobody may here.
        let refused = stage.word(&id, waive).await.unwrap_err();
        assert!(matches!(refused.code.as_str(), "nothing_to_waive" | "not_allowed"), "{refused:?}");
        stage.word(&id, Word::Rebook(mends)).await.unwrap_or_else(|problem| panic!("{said}: {problem:?}"));
        let rest = stage.to_rest(&id).await;
        assert_eq!(rest.end, "succeeded", "{said}\n{}", stage.story(&id));
        assert_sound(&stage, &id, "role-swap", true, said);
    }
}

/// Plans and resumptions into a freeze, or with somebody who is not known, are refused; `next` passes frozen windows over.
#[tokio::test(start_paused = true)]
async fn r3_freezes_and_people_at_the_start_and_later() {
    let calendar = Calendar { freezes: vec![freeze("2026-11-23", "2026-11-25")], ..daily("Europe/Berlin", "02:00", "07:00") };
    let people = people(&["olga", "op1"]);
    let stage = Stage::set(Setting { calendar, people, ..Setting::default() });
    let start = async |request: PlanRequest| stage.fleet.start(request, "olga").await;
    let problem = start(stage.request("role-swap")).await.unwrap_err();
    assert_eq!((problem.kind, problem.code.as_str()), (Kind::Refused, "R3"), "{problem:?}");
    assert!(problem.causes[0].contains("window-2 lies in the freeze `audit` of `owner1`"), "{problem:?}");
    let free = PlanRequest { second: Some("next nightly".to_owned()), ..stage.request("role-swap") };
    let nobody = PlanRequest { responsible: Some("ghost".to_owned()), ..free.clone() };
    assert_eq!(start(nobody).await.unwrap_err().code, "unknown_person");
    let unknown = PlanRequest { second: Some("next weekly".to_owned()), ..free.clone() };
    let problem = start(unknown).await.unwrap_err();
    assert_eq!((problem.kind, problem.code.as_str()), (Kind::NotFound, "unknown_window"), "{problem:?}");
    let plan = stage.fleet.plan(PlanRequest { responsible: Some("op1".to_owned()), ..free.clone() }).await.unwrap();
    assert_eq!((plan.plan.responsible.as_deref(), plan.plan.zone.as_str()), (Some("op1"), "Europe/Berlin"));
    let id = start(free).await.unwrap();
    let run = stage.run(&id);
    assert_eq!(run.windows.second.as_ref().unwrap().from, at("2026-11-26T01:00:00Z"));
    assert_eq!(run.responsible.as_deref(), Some("olga"));
    stage.until(&id, |run| run.open_gate().is_some()).await;
    stage.word(&id, Word::Hold).await.unwrap();
    let second = |text: &str| Word::Rebook(Rebooking { second: Some(text.to_owned()), ..Rebooking::default() });
    let problem = stage.word(&id, second("2026-11-25T20:00:00Z +5h")).await.unwrap_err();
    assert_eq!((problem.kind, problem.code.as_str()), (Kind::Refused, "frozen"), "{problem:?}");
    let ghost = Word::Rebook(Rebooking { responsible: Some("ghost".to_owned()), ..Rebooking::default() });
    assert_eq!(stage.word(&id, ghost).await.unwrap_err().code, "unknown_person");
    stage.word(&id, second("2026-11-26T20:00:00Z +5h")).await.unwrap();
    // R17: the word for window one still stands, since window one is as it was.
    let rest = stage.to_rest(&id).await;
    assert_eq!(rest.end, "succeeded", "{}", stage.story(&id));
    assert_eq!(rest.run.windows.second.as_ref().unwrap().from, at("2026-11-26T20:00:00Z"));
}

/// BG-05: a plan over a change of the clocks is told so, and not refused.
#[tokio::test(start_paused = true)]
async fn bg_05_a_plan_over_a_change_of_the_clocks_is_flagged() {
    let (zone, from, to, opens, _) = NIGHTS[0];
    let stage = Stage::set(night(zone, from, to, at(opens)));
    let plan = stage.fleet.plan(stage.request("role-swap")).await.unwrap();
    assert_eq!(plan.flags, ["window-1 loses 1h: the clocks of Europe/Berlin go forward within it, and it is 4h 30m long"]);
    assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
    let fixed = PlanRequest { first: Some("2026-03-29T00:00[Europe/Berlin] +5h".to_owned()), ..stage.request("role-swap") };
    let plan = stage.fleet.plan(fixed).await.unwrap();
    assert_eq!(plan.flags, ["window-1 loses 1h: the clocks of Europe/Berlin go forward within it, and it is 5h long"]);
}
