//! The budget of time without failover, and its sums by site and month.

use changeover::domain::event::{Event, Notice};
use changeover::domain::exposure::{self, Exposure};
use changeover::domain::gate::Gate;
use changeover::domain::ids::RunId;
use changeover::domain::plan::Windows;
use changeover::domain::run::Run;
use changeover::domain::site::Policy;
use changeover::domain::watch;
use changeover::domain::window::Window;
use changeover::domain::world::World;
use changeover::engine::api::Word;
use jiff::{SignedDuration, Timestamp};

use crate::memory::Death;
use crate::stage::{Setting, Stage};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A run as the machine begins one, with its time without failover set.
async fn template() -> Run {
    let stage = Stage::new();
    let id = stage.start("role-swap").await;
    (*stage.run(&id)).clone()
}

fn run(template: &Run, site: &str, number: u32, broken: &str, protected: Option<&str>) -> Run {
    let id = RunId { site: site.to_owned(), number };
    let broken_at = (!broken.is_empty()).then(|| at(broken));
    Run { id, broken_at, protected_at: protected.map(at), ..template.clone() }
}

/// Broken, protected again, now; each month with its seconds and whether it goes on.
type Case = (&'static str, Option<&'static str>, &'static str, &'static [(&'static str, i64, bool)]);

fn months(exposure: &Exposure) -> Vec<(String, String, i64, u32, bool)> {
    let of = |site: &exposure::SiteExposure| {
        let rows =
            site.months.iter().map(|month| (site.site.clone(), month.month.clone(), month.seconds, month.runs, month.open));
        rows.collect::<Vec<_>>()
    };
    exposure.sites.iter().flat_map(of).collect()
}

#[tokio::test(start_paused = true)]
async fn spans_are_split_at_the_ends_of_months() {
    let template = template().await;
    let cases: [Case; 7] = [
        // Within a month; over a month's end to the second; over a year's end; over a leap day, and where there is none.
        ("2026-11-22T01:00:00Z", Some("2026-11-22T02:00:00Z"), "2027-01-01T00:00:00Z", &[("2026-11", 3600, false)]),
        (
            "2026-11-30T23:59:59Z",
            Some("2026-12-01T00:00:01Z"),
            "2027-01-01T00:00:00Z",
            &[("2026-11", 1, false), ("2026-12", 1, false)],
        ),
        (
            "2026-12-31T23:00:00Z",
            Some("2027-01-01T02:00:00Z"),
            "2027-02-01T00:00:00Z",
            &[("2026-12", 3600, false), ("2027-01", 7200, false)],
        ),
        ("2028-02-28T00:00:00Z", Some("2028-03-01T00:00:00Z"), "2028-03-01T00:00:00Z", &[("2028-02", 2 * 86_400, false)]),
        (
            "2027-02-28T00:00:00Z",
            Some("2027-03-02T00:00:00Z"),
            "2027-03-02T00:00:00Z",
            &[("2027-02", 86_400, false), ("2027-03", 86_400, false)],
        ),
        // Open: counted until now, and marked in the month that goes on only.
        (
            "2026-11-30T00:00:00Z",
            None,
            "2027-01-01T00:00:10Z",
            &[("2026-11", 86_400, false), ("2026-12", 31 * 86_400, false), ("2027-01", 10, true)],
        ),
        // Ended exactly with the month.
        ("2026-11-30T23:00:00Z", Some("2026-12-01T00:00:00Z"), "2026-12-01T00:00:00Z", &[("2026-11", 3600, false)]),
    ];
    for (broken, protected, now, expected) in cases {
        let runs = [run(&template, "support", 1, broken, protected)];
        let found = exposure::of(&runs, None, at(now));
        let rows: Vec<_> =
            expected.iter().map(|&(month, seconds, open)| ("support".to_owned(), month.to_owned(), seconds, 1, open)).collect();
        assert_eq!(months(&found), rows, "{broken} {protected:?}");
        let sum: i64 = expected.iter().map(|(_, seconds, _)| seconds).sum();
        assert_eq!((found.seconds, found.sites[0].seconds), (sum, sum), "{broken} {protected:?}");
    }
}

/// A run that was closed unprotected, and the one that took the pair over: the same hours are counted once.
#[tokio::test(start_paused = true)]
async fn the_same_time_is_counted_once() {
    let template = template().await;
    let runs = [
        run(&template, "support", 1, "2026-11-22T00:00:00Z", Some("2026-11-22T10:00:00Z")),
        run(&template, "support", 2, "2026-11-22T06:00:00Z", Some("2026-11-22T12:00:00Z")),
        run(&template, "support", 3, "2026-11-23T00:00:00Z", Some("2026-11-23T01:00:00Z")),
        run(&template, "support", 4, "", None),
        run(&template, "branch", 1, "2026-11-22T00:00:00Z", None),
        run(&template, "quiet", 1, "", None),
    ];
    let now = at("2026-11-22T00:30:00Z").max(at("2026-11-24T00:00:00Z"));
    let all = exposure::of(&runs, None, now);
    let names: Vec<&str> = all.sites.iter().map(|site| site.site.as_str()).collect();
    assert_eq!(names, ["branch", "quiet", "support"]);
    let row = |site: &str, seconds, runs, open| (site.to_owned(), "2026-11".to_owned(), seconds, runs, open);
    assert_eq!(months(&all), [row("branch", 2 * 86_400, 1, true), row("support", 13 * 3600, 3, false)]);
    assert_eq!(all.seconds, 2 * 86_400 + 13 * 3600);
    let one = exposure::of(&runs, Some("support"), now);
    assert_eq!((one.sites.len(), one.seconds), (1, 13 * 3600));
    assert_eq!(exposure::of(&runs, Some("nowhere"), now), Exposure::default());
}

/// Each share is told from its second on, and only the highest that has passed.
#[tokio::test(start_paused = true)]
async fn r10_shares_of_the_budget_are_told_to_the_second() {
    let template = template().await;
    let budget = template.plan.policy.max_unprotected.as_secs();
    let broken = at("2026-11-22T00:00:00Z");
    // Of window two nothing is to be told here.
    let second = Some(Window { from: broken, to: broken + SignedDuration::from_hours(1000 * 24), zone: None });
    let windows = Windows { second, ..template.windows.clone() };
    let run = Run { broken_at: Some(broken), windows, ..template };
    let told = |run: &Run, seconds: i64| {
        let world = World::new(broken + SignedDuration::from_secs(seconds), true, SignedDuration::ZERO);
        match watch::notice(run, &world) {
            Some(Event::Noticed { notice, raised: true, .. }) => Some(notice),
            other => other.map(|event| panic!("{event:?}")),
        }
    };
    let shares = [(50, Notice::Exposure50), (80, Notice::Exposure80), (100, Notice::UnprotectedTooLong)];
    let mut before = None;
    for (percent, notice) in shares {
        let due = budget * percent / 100;
        assert_eq!(told(&run, due - 1), before, "{percent} %, a second before");
        assert_eq!(told(&run, due), Some(notice), "{percent} %");
        assert_eq!(told(&run, due + 1), Some(notice), "{percent} %, a second after");
        let noticed = Run { notices: vec![(notice, None)], ..run.clone() };
        assert_eq!(told(&noticed, due + 1), None, "{percent} %, told already");
        before = Some(notice);
    }
    // A daemon that was down over all of them tells the last, and nothing after it.
    let noticed = Run { notices: vec![(Notice::UnprotectedTooLong, None)], ..run };
    assert_eq!(told(&noticed, 10 * budget), None);
}

/// The codes of the alerts of a kind, in order.
fn codes(stage: &Stage, kind: &str) -> Vec<String> {
    let outbox = stage.journal.outbox.lock().unwrap();
    let items = outbox.iter().filter(|item| item.hook == "ops" && item.event == kind);
    let code = |document: &str| {
        serde_json::from_str::<serde_json::Value>(document).unwrap()["data"]["code"].as_str().unwrap().to_owned()
    };
    items.map(|item| code(&item.document)).collect()
}

/// A whole run, with restarts at each share: each is told once, and its end with the whole time.
#[tokio::test(start_paused = true)]
async fn r10_each_share_is_told_once_whatever_restarts() {
    let policy = Policy { max_unprotected: SignedDuration::from_hours(30), ..Policy::default() };
    let mut stage = Stage::set(Setting { policy, ..Setting::default() });
    let id = stage.start("role-swap").await;
    let broken = stage.until_step(&id, "soak.confirm").await.broken_at.unwrap();
    for (hours, expected) in [(15, vec!["exposure_50"]), (24, vec!["exposure_50", "exposure_80"])] {
        stage.clock_to(broken + SignedDuration::from_hours(hours) - SignedDuration::from_secs(1)).await;
        stage.restart();
        stage.clock_to(broken + SignedDuration::from_hours(hours) + SignedDuration::from_mins(6)).await;
        stage.restart();
        stage.pass(SignedDuration::from_mins(6)).await;
        assert_eq!(codes(&stage, "exposure"), expected, "{}", stage.story(&id));
    }
    let rest = stage.to_rest(&id).await;
    assert_eq!(rest.end, "succeeded", "{}", stage.story(&id));
    assert_eq!(codes(&stage, "exposure"), ["exposure_50", "exposure_80", "exposure_ended"]);
    assert_eq!(codes(&stage, "unprotected_too_long"), ["unprotected_too_long"]);
    assert!(rest.run.notices.is_empty(), "{:?}", rest.run.notices);
    assert!(stage.alert_says("exposure", "the pair was without it for 3"), "{}", stage.last_alert("exposure"));
}

/// The daemon was down while two shares passed.
#[tokio::test(start_paused = true)]
async fn r10_only_the_highest_share_is_told_after_a_long_absence() {
    let policy = Policy { max_unprotected: SignedDuration::from_hours(20), ..Policy::default() };
    let mut stage = Stage::set(Setting { policy, ..Setting::default() });
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "soak.confirm").await;
    stage.pass(SignedDuration::from_hours(1)).await;
    stage.journal.die(Death::Before(stage.run(&id).seq + 1));
    stage.pass(SignedDuration::from_hours(17)).await;
    stage.restart();
    stage.pass(SignedDuration::from_mins(2)).await;
    assert_eq!(codes(&stage, "exposure"), ["exposure_80"], "{}", stage.story(&id));
}

/// A closed run is watched until the pair is linked: the end of its time is told, too.
#[tokio::test(start_paused = true)]
async fn r10_the_end_is_told_of_a_closed_run_and_of_a_way_home() {
    let stage = Stage::new();
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "soak.confirm").await;
    let (state, note) = ("by-hand".to_owned(), "op1 goes on".to_owned());
    stage.word(&id, Word::Close { state, note }).await.unwrap();
    stage.pass(SignedDuration::from_hours(1)).await;
    assert!(codes(&stage, "exposure").is_empty());
    let open = exposure::of([&*stage.run(&id)], None, stage.run(&id).last_at);
    assert!(open.sites[0].months[0].open);
    stage.hand("establish_failover", changeover::domain::ids::NodeId::B);
    stage.until(&id, |run| !run.is_watched()).await;
    assert_eq!(codes(&stage, "exposure"), ["exposure_ended"], "{}", stage.story(&id));
    assert!(!exposure::of([&*stage.run(&id)], None, stage.run(&id).last_at).sites[0].months[0].open);

    let stage = Stage::new();
    let id = stage.start("in-place").await;
    stage.until_step(&id, "window-1.break_failover.a").await;
    stage.until(&id, |run| run.open_gate() == Some(Gate::BackgroundJobs)).await;
    stage.word(&id, Word::Abort { way: None, note: None }).await.unwrap();
    assert_eq!(stage.to_rest(&id).await.end, "aborted", "{}", stage.story(&id));
    assert_eq!(codes(&stage, "exposure"), ["exposure_ended"], "{}", stage.story(&id));
}
