//! A journal that this build can't fold: its run is left as it is and shown, and the runs of other sites go on.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use changeover::domain::event::{Event, Notice};
use changeover::domain::ids::RunId;
use changeover::domain::journal::{Entry, Record};
use changeover::drivers::store::{Options, Store};
use changeover::engine::api::{Fleet as _, Word};
use changeover::engine::untouched::{Untouched, fold, fold_all};
use changeover::ports::{Clock as _, Journal as _};
use changeover::server::view::Status;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::daemon::{Daemon, PATIENCE, last_json};
use crate::journals;
use crate::stage::Stage;

type Spoil = fn(&mut Vec<Entry>);

fn last(entries: &mut [Entry]) -> &mut Entry {
    entries.last_mut().unwrap()
}

/// What a record of another build may hold: the site's name, what it is, the number of the record, and the words that name it.
const CASES: [(&str, Spoil, u64, &str); 6] = [
    ("event", |entries| last(entries).event = "sung".to_owned(), 12, "the event `sung`"),
    ("field", |entries| last(entries).data = json!({ "attempt": "one" }), 12, "which this build can't read"),
    ("action", |entries| entries[0].data["plan"]["steps"][3]["kind"] = json!("sing"), 1, "unknown variant `sing`"),
    ("gate", |entries| entries[0].data["plan"]["steps"][5]["gate"] = json!("supper"), 1, "unknown variant `supper`"),
    (
        "illegal",
        |entries| (last(entries).event, last(entries).data) = ("act_accepted".to_owned(), json!({})),
        12,
        "event `act_accepted` is not expected there",
    ),
    ("headless", |entries| drop(entries.remove(0)), 1, "does not begin with `started`"),
];

/// The beginning of a kept journal, as that of another run.
pub fn records(run: &str, spoil: Option<Spoil>) -> Vec<Record> {
    let run: RunId = run.parse().unwrap();
    let kept = journals::kept().remove("1-in-virtual-time/role-swap.jsonl").unwrap();
    let entry = |record: Record| {
        let Record { at, actor, event, step, reason, data, .. } = record;
        Entry { at, actor, event, step, reason, data }
    };
    let mut entries: Vec<Entry> = kept.into_iter().take(12).map(entry).collect();
    if let Some(spoil) = spoil {
        spoil(&mut entries);
    }
    entries.into_iter().fold(Vec::new(), |mut chained, entry| {
        chained.push(Record::chain(&run, chained.last(), entry));
        chained
    })
}

fn left(records: &[Record]) -> Untouched {
    *fold(records).unwrap_err().unwrap()
}

#[test]
fn each_record_of_another_build_is_named() {
    assert!(fold(&records("support-1", None)).is_ok());
    for (name, spoil, record, words) in CASES {
        let records = records("support-1", Some(spoil));
        let left = left(&records);
        assert_eq!((left.code, left.unread, left.open), ("journal_unreadable", record, true), "{name}: {left:?}");
        assert!(left.message.contains(words), "{name}: {}", left.message);
        assert_eq!(left.state.is_some(), record > 1, "{name}: {left:?}");
    }
    let mut spoiled = records("support-1", None);
    spoiled[4].reason.push('!');
    let left = left(&spoiled);
    assert_eq!((left.code, left.unread), ("damaged", 5), "{left:?}");
    assert!(fold(&[]).unwrap_err().is_none());
}

/// A thousand runs of one procedure keep its steps once; each is still what its own journal says.
#[test]
fn runs_of_one_procedure_share_what_is_alike() {
    let stored = ["support-1", "support-2", "support-3"].map(|run| (run.parse().unwrap(), records(run, None)));
    let alone = stored.clone().map(|(_, records)| fold(&records).unwrap());
    let (runs, left) = fold_all(stored.into_iter().map(Ok)).unwrap();
    assert_eq!((runs.as_slice(), left.len()), (alone.as_slice(), 0));
    for run in &runs[1..] {
        assert!(Arc::ptr_eq(&run.plan.steps, &runs[0].plan.steps));
        assert!(Arc::ptr_eq(&run.plan.fit, &runs[0].plan.fit));
        assert!(Arc::ptr_eq(&run.plan.policy, &runs[0].plan.policy));
    }
}

/// A run that is over blocks nothing, whatever its records hold.
#[test]
fn a_finished_run_that_cant_be_read_is_not_open() {
    let mut kept = journals::kept().remove("1-in-virtual-time/in-place.jsonl").unwrap();
    kept[3].event = "sung".to_owned();
    assert!(!left(&kept).open);
}

pub fn site(name: &str) -> String {
    let node = |node: &str, last: u8| {
        format!(
            "[nodes.{node}]\ndriver = \"exec\"\nprogram = [\"/bin/false\"]\nidentity = \"{name}-{node}\"\naddress = \"192.0.2.{last}\"\n"
        )
    };
    let traffic = "[[traffic]]\ndriver = \"exec\"\nprogram = [\"/bin/false\"]\n";
    format!(
        "name = \"{name}\"\nservice = \"{name}.example.com\"\nprocedure = \"role-swap\"\n{}{}{traffic}",
        node("a", 1),
        node("b", 2)
    )
}

async fn store(state: &Path, runs: &[Vec<Record>]) {
    let opened = Store::open(state, &Options::default()).unwrap();
    for records in runs {
        opened.store.append(records.clone(), Vec::new(), true).await.unwrap();
    }
}

/// A daemon with one good run and one for each case, each on a site of its own.
async fn daemon(folder: &Path) -> Daemon {
    let hook = format!(
        "[[alerts.program]]\nname = \"ops\"\nprogram = [\"/bin/sh\", \"-c\", 'cat >>{0}; echo >>{0}']\n",
        folder.join("alerts").display()
    );
    let mut daemon = Daemon::new(folder, &site("support"), &hook, None);
    for (name, ..) in CASES {
        std::fs::write(folder.join(format!("config/sites.d/{name}.toml")), site(name)).unwrap();
    }
    let spoiled = CASES.iter().map(|(name, spoil, ..)| records(&format!("{name}-1"), Some(*spoil)));
    let runs: Vec<Vec<Record>> = spoiled.chain([records("support-1", None), records("gone-1", None)]).collect();
    store(&folder.join("state"), &runs).await;
    daemon.start(None);
    daemon
}

fn error(daemon: &Daemon, args: &[&str]) -> Value {
    let output = daemon.cli(&[args, &["--json"]].concat());
    assert_eq!(output.status.code(), Some(1), "{args:?}: {output:?}");
    last_json(&output.stderr)
}

#[tokio::test(flavor = "multi_thread")]
async fn other_sites_go_on_beside_a_run_of_another_build() {
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = daemon(folder.path()).await;
    wait(&mut daemon, |daemon| daemon.status("support-1").is_some_and(|status| status["resumed"] == 1));
    for (name, spoil, record, words) in CASES {
        let run = format!("{name}-1");
        for what in [&run, name] {
            let shown = daemon.json(&["status", what]);
            let why = &shown["untouched"];
            assert_eq!(
                (&shown["run"], &why["code"], &why["record"]),
                (&json!(run), &json!("journal_unreadable"), &json!(record))
            );
            assert!(why["message"].as_str().unwrap().contains(words), "{shown}");
        }
        // Nothing was written to it, and its records are still shown.
        let count = records(&run, Some(spoil)).len();
        assert_eq!(daemon.json(&["journal", "show", &run])["records"].as_array().map(Vec::len), Some(count), "{name}");
        assert_eq!(String::from_utf8_lossy(&daemon.cli(&["journal", "export", &run]).stdout).lines().count(), count, "{name}");
        let refused = error(&daemon, &["journal", "verify", &run]);
        assert_eq!(refused["code"], "journal_unreadable", "{refused}");
        let refused = error(&daemon, &["hold", &run]);
        assert_eq!(refused["code"], "journal_unreadable", "{refused}");
        let refused = error(&daemon, &["close", &run, "--as", "done by hand", "--note", "n", "--yes"]);
        assert_eq!((&refused["code"], refused["hint"].is_string()), (&json!("journal_unreadable"), true), "{refused}");
        let refused = start(&daemon, name);
        assert_eq!(refused["code"], "one_run", "{refused}");
        assert!(refused["message"].as_str().unwrap().contains(&run) && refused["state"].is_string(), "{refused}");
    }
    shown_in_lists(&mut daemon);
    told(folder.path(), &mut daemon);
    assert_eq!(daemon.terminate(), Some(0));
}

fn start(daemon: &Daemon, site: &str) -> Value {
    let package = daemon.folder.join("base.nss");
    let window = ["--first", "now +8h", "--second", "now +9h"];
    error(daemon, &[&["start", site, "--to", "24.2.1", "--package", package.to_str().unwrap()], &window[..]].concat())
}

fn shown_in_lists(daemon: &mut Daemon) {
    let list = daemon.json(&["runs"]);
    let names =
        |list: &Value| list.as_array().unwrap().iter().map(|run| run["run"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let mut untouched: Vec<String> = CASES.iter().map(|(name, ..)| format!("{name}-1")).collect();
    untouched.sort();
    assert_eq!((names(&list["runs"]), names(&list["untouched"])), (vec!["gone-1".into(), "support-1".into()], untouched.clone()));
    let table = String::from_utf8_lossy(&daemon.cli(&["runs"]).stdout).into_owned();
    assert!(table.contains("event-1     left untouched: journal_unreadable"), "{table}");
    assert!(table.contains(", not driven: site_gone"), "{table}");
    let sums = daemon.json(&["exposure"]);
    assert_eq!(sums["untouched"], json!(untouched), "what is not in the sums is named: {sums}");
    assert_eq!(daemon.json(&["exposure", "--site", "event"])["untouched"], json!(["event-1"]));
    assert_eq!(daemon.json(&["exposure", "--site", "support"])["untouched"], json!([]));
    let page = String::from_utf8_lossy(&daemon.cli(&["status", "event-1"]).stdout).into_owned();
    assert!(
        page.starts_with("run `event-1`: left untouched (journal_unreadable)\n") && page.contains("before record 12"),
        "{page}"
    );
    let page = String::from_utf8_lossy(&daemon.cli(&["status", "gone-1"]).stdout).into_owned();
    assert!(page.contains("not driven since ") || page.contains("not driven "), "{page}");
    let refused = error(daemon, &["hold", "gone-1"]);
    assert!(refused["causes"][0].as_str().unwrap().contains("site `gone` is not configured any more"), "{refused}");
}

/// An alert for each, and for the run whose site is gone.
fn told(folder: &Path, daemon: &mut Daemon) {
    let path = folder.join("alerts");
    wait(daemon, |_| {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let alerts: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let told = |run: &str, code: &str| {
            alerts
                .iter()
                .any(|alert| alert["type"] == "not_driven" && alert["data"]["run"] == run && alert["data"]["code"] == code)
        };
        CASES.iter().all(|(name, ..)| told(&format!("{name}-1"), "journal_unreadable")) && told("gone-1", "site_gone")
    });
}

fn wait(daemon: &mut Daemon, seen: impl Fn(&Daemon) -> bool) {
    let until = Instant::now() + PATIENCE;
    while !seen(daemon) {
        assert!(Instant::now() < until, "it never came to that\n{}", daemon.log());
        daemon.listen();
    }
}

/// A part of a run's loop breaks off: the run is given up in this process, shown, told once, and can be taken over again;
/// nothing is recorded or sent meanwhile.
#[tokio::test(start_paused = true)]
async fn a_run_that_a_bug_stops_is_shown_and_told() {
    let mut stage = Stage::new();
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "soak.confirm").await;
    stage.mad.store(true, Ordering::SeqCst);
    let mut watch = stage.fleet.watch(&id).unwrap();
    let seen = watch.wait_for(|snapshot| snapshot.not_driven.is_some()).await.unwrap().clone();
    let why = seen.not_driven.clone().unwrap();
    assert!(why.code == "bug" && why.message.contains("the zone is mad"), "{why:?}");
    let status = Status::full(&seen, stage.clock.now());
    assert_eq!(status.not_driven.as_ref().map(|why| why.code.as_str()), Some("bug"));
    let records = stage.records(&id).len();
    let problem = stage.word(&id, Word::Hold).await.unwrap_err();
    assert!(problem.causes[0].contains("does not drive it") && problem.hint.is_some(), "{problem:?}");
    let taken = stage.fleet.start(stage.request("in-place"), "olga").await.unwrap_err();
    assert_eq!(taken.code, "one_run", "{taken:?}");
    stage.pass(SignedDuration::from_hours(2)).await;
    assert_eq!(stage.records(&id).len(), records, "{}", stage.story(&id));
    assert_eq!(stage.alerts().iter().filter(|alert| *alert == "not_driven").count(), 1, "{:?}", stage.alerts());
    stage.mad.store(false, Ordering::SeqCst);
    stage.restart();
    assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
}

/// The loop itself breaks off: a bug where the run is decided on or recorded.
#[tokio::test(start_paused = true)]
async fn a_loop_that_breaks_off_is_shown() {
    let stage = Stage::new();
    let id = stage.start("role-swap").await;
    stage.journal.witness(|record| assert!(record.event != "step_begun", "the journal is mad"));
    let mut watch = stage.fleet.watch(&id).unwrap();
    let seen = watch.wait_for(|snapshot| snapshot.not_driven.is_some()).await.unwrap().clone();
    assert_eq!(seen.not_driven.as_ref().map(|why| why.code), Some("bug"));
    stage.pass(SignedDuration::from_mins(1)).await;
    assert_eq!(stage.alerts(), ["not_driven"]);
}

/// A record that the journal can't keep stops its own run, which is shown and told, and goes on where it stood after a restart.
#[tokio::test(start_paused = true)]
async fn a_run_whose_record_cannot_be_kept_stops_alone() {
    let mut stage = Stage::new();
    let id = stage.start("role-swap").await;
    *stage.journal.unfit.lock().unwrap() = Some("step_done");
    let mut watch = stage.fleet.watch(&id).unwrap();
    let seen = watch.wait_for(|snapshot| snapshot.not_driven.is_some()).await.unwrap().clone();
    let why = seen.not_driven.clone().unwrap();
    assert!(why.code == "record_unfit" && why.message.contains("has 1155426 bytes"), "{why:?}");
    assert!(why.hint.contains("if it stops again, go on by hand"), "{why:?}");
    assert_eq!(stage.alerts(), ["not_driven"]);
    *stage.journal.unfit.lock().unwrap() = None;
    stage.restart();
    assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
}

/// What a person says, and the journal can't keep, is refused; the run goes on.
#[tokio::test(start_paused = true)]
async fn a_word_whose_record_cannot_be_kept_is_refused() {
    let stage = Stage::new();
    let id = stage.start("role-swap").await;
    *stage.journal.unfit.lock().unwrap() = Some("hold_requested");
    let refused = stage.word(&id, Word::Hold).await.unwrap_err();
    assert_eq!(refused.code, "record_unfit", "{refused:?}");
    *stage.journal.unfit.lock().unwrap() = None;
    assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
}

/// A run that was closed unprotected goes on being watched by a daemon that comes up later.
#[tokio::test(start_paused = true)]
async fn a_closed_run_is_watched_after_a_restart() {
    let mut stage = Stage::new();
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "soak.confirm").await;
    let run = stage.until(&id, |run| run.open_gate().is_some()).await;
    let event = Event::Closed {
        state: "two nodes, apart".to_owned(),
        note: "the vendor looks".to_owned(),
        undone: Vec::new(),
        off_since: None,
    };
    let (event, data) = event.to_parts();
    let (at, reason) = (stage.clock.now(), "a person closed it".to_owned());
    let entry = Entry { at, actor: "olga".to_owned(), event, step: None, reason, data };
    stage.journal.append(vec![Record::at_place(&id, run.seq + 1, &run.head, entry)], Vec::new(), true).await.unwrap();
    stage.restart();
    let seen = stage.until(&id, |run| run.has_notice(Notice::UnprotectedTooLong, None)).await;
    assert!(seen.is_finished() && stage.alerts().contains(&"unprotected_too_long".to_owned()), "{}", stage.story(&id));
    stage.restart();
    stage.pass(SignedDuration::from_hours(1)).await;
    assert!(stage.fleet.run(&id).unwrap().not_driven.is_none(), "{}", stage.story(&id));
}
