//! Programs behind `exec`, with real programs: what they are given, what their answers mean, how they end.

mod ending;
mod files;
mod outlives;
mod settings;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use changeover::domain::ids::{NodeId, PerNode};
use changeover::domain::site::Role;
use changeover::drivers::appliance::exec::{self, Exec};
use changeover::drivers::clock::SystemClock;
use changeover::drivers::program::Programs;
use changeover::drivers::traffic::exec::{self as traffic, ExecTraffic};
use changeover::ports::{
    ActAnswer, Appliance, Clock, Intent, NodeAct, ReadError, Reader as _, Traffic, TrafficReader as _, TtlChange, TtlWay,
};
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A state folder and what the drivers of one daemon share.
struct Bench {
    folder: PathBuf,
    programs: Arc<Programs>,
    clock: Arc<dyn Clock>,
    _owned: Option<TempDir>,
}

impl Bench {
    fn new() -> Self {
        let owned = tempfile::tempdir().unwrap();
        let mut bench = Self::at(owned.path());
        bench._owned = Some(owned);
        bench
    }

    /// A daemon on a state folder that may have been used before.
    fn at(folder: &Path) -> Self {
        Self::with_clock(folder, Arc::new(SystemClock))
    }

    fn with_clock(folder: &Path, clock: Arc<dyn Clock>) -> Self {
        let programs = Programs::new(folder.join("exec"), clock.clone()).with_grace(Duration::from_millis(300));
        Self { folder: folder.to_owned(), programs: Arc::new(programs), clock, _owned: None }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Node `a` behind a few lines of shell: `$1` is the verb, `$D` the folder.
    fn node(&self, body: &str) -> Exec {
        self.node_read_within(body, Duration::from_secs(20))
    }

    fn node_read_within(&self, body: &str, read_limit: Duration) -> Exec {
        let (site, identity) = ("support".to_owned(), "appliance-a".to_owned());
        let (program, address) = (self.shell(body), "192.0.2.10".parse().unwrap());
        let settings = exec::Settings { site, node: NodeId::A, program, identity, address, read_limit };
        Exec::new(settings, self.programs.clone(), self.clock.clone())
    }

    fn traffic(&self, body: &str) -> ExecTraffic {
        let settings = traffic::Settings {
            site: "support".to_owned(),
            entry: 0,
            program: self.shell(body),
            service: "support.example.com".to_owned(),
            addresses: PerNode { a: "192.0.2.10".parse().unwrap(), b: "192.0.2.20".parse().unwrap() },
            read_limit: Duration::from_secs(20),
        };
        ExecTraffic::new(settings, self.programs.clone(), self.clock.clone())
    }

    fn shell(&self, body: &str) -> Vec<String> {
        let body = format!("D={}\n{body}", self.folder.display());
        vec!["/bin/sh".to_owned(), "-c".to_owned(), body, "sh".to_owned()]
    }
}

/// Run time that moves by hand.
struct HandClock(tokio::sync::watch::Sender<Timestamp>);

impl HandClock {
    fn at(moment: Timestamp) -> Arc<Self> {
        Arc::new(Self(tokio::sync::watch::Sender::new(moment)))
    }

    fn pass(&self, time: SignedDuration) {
        self.0.send_modify(|now| *now += time);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        let mut changes = self.0.subscribe();
        Box::pin(async move {
            let _ = changes.wait_for(|now| *now >= at).await;
        })
    }
}

/// An intent whose act may take a minute.
fn minute() -> Intent {
    Intent {
        site: "support".to_owned(),
        run: "support-7".parse().unwrap(),
        step: "window-1.update.a".to_owned(),
        attempt: 1,
        key: "support-7/window-1.update.a/1".to_owned(),
        since: Timestamp::now(),
        limit: SignedDuration::from_mins(1),
    }
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn every_act(folder: &Path) -> Vec<(NodeAct, Value)> {
    let directory = folder.join("out");
    let (since, until) = (second(1000), second(2000));
    let package = json!({ "path": "/p/new.nss", "sha256": "ab", "version": "24.2.1" });
    vec![
        (NodeAct::Backup { directory: directory.clone() }, json!({ "directory": directory })),
        (NodeAct::ForceSync { from: NodeId::A, to: NodeId::B }, json!({ "from": "a", "to": "b" })),
        (NodeAct::BreakFailover, json!({})),
        (
            NodeAct::Update { package: "/p/new.nss".into(), sha256: "ab".to_owned(), target: "24.2.1".parse().unwrap() },
            json!({ "package": package }),
        ),
        (NodeAct::EstablishFailover { primary: NodeId::B, standby: NodeId::A }, json!({ "primary": "b", "standby": "a" })),
        (NodeAct::Drain { deadline: until }, json!({ "deadline": "1970-01-01T00:33:20Z" })),
        (NodeAct::Quiesce, json!({})),
        (NodeAct::Reopen, json!({})),
        (
            NodeAct::ExtractData { since, until, directory: directory.clone() },
            json!({ "since": "1970-01-01T00:16:40Z", "until": "1970-01-01T00:33:20Z", "directory": directory }),
        ),
    ]
}

/// The kind of an answer, for tables.
fn kind(answer: &ActAnswer) -> &'static str {
    match answer {
        ActAnswer::Accepted { .. } => "accepted",
        ActAnswer::Refused { .. } => "refused",
        ActAnswer::Transient { .. } => "transient",
        ActAnswer::Ambiguous { .. } => "ambiguous",
        ActAnswer::ByOperator { .. } => "by_operator",
    }
}

fn read_kind<T>(reading: &Result<T, ReadError>) -> &'static str {
    match reading {
        Ok(_) => "read",
        Err(ReadError::Transient(_)) => "transient",
        Err(ReadError::Denied(_)) => "denied",
        Err(ReadError::Misconfigured(_)) => "misconfigured",
    }
}

/// Waits for a condition, at most half a minute (the machine may be busy).
async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(30), "still not so after 30 s: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// State of a process, `None` once it is gone.
fn state_of(pid: &str) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).ok()?;
    stat[stat.rfind(')')? + 2..].chars().next()
}

fn is_running(pid: &str) -> bool {
    state_of(pid).is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

fn read(path: PathBuf) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

const CODES: [(&str, &str, &str); 9] = [
    ("exit 10", "refused", "denied"),
    ("exit 11", "transient", "transient"),
    ("exit 64", "by_operator", "misconfigured"),
    ("exit 1", "ambiguous", "transient"),
    ("exit 2", "ambiguous", "transient"),
    ("exit 126", "ambiguous", "transient"),
    ("exit 127", "ambiguous", "transient"),
    ("exit 255", "ambiguous", "transient"),
    ("kill -9 $$", "ambiguous", "transient"),
];

#[tokio::test]
async fn each_exit_code_means_the_same_for_each_verb() {
    let bench = Bench::new();
    for (ending, acts, reads) in CODES {
        let body = format!("cat >/dev/null; echo '{{}}'; echo words >&2; {ending}");
        let (node, traffic) = (bench.node(&body), bench.traffic(&body));
        for (act, _) in every_act(&bench.folder) {
            let answer = node.act(&minute(), &act).await;
            assert_eq!(kind(&answer), acts, "{} with `{ending}`: {answer:?}", act.verb());
        }
        assert_eq!(kind(&traffic.switch(&minute(), NodeId::A, NodeId::B).await), acts, "switch with `{ending}`");
        assert_eq!(read_kind(&node.observe().await), reads, "observe with `{ending}`");
        assert_eq!(read_kind(&traffic.look().await), reads, "look with `{ending}`");
    }
    assert_no_zombies().await;
}

async fn assert_no_zombies() {
    // First one of our own making, to know that the look sees any.
    let mut own = std::process::Command::new("true").spawn().unwrap();
    eventually("a zombie is seen", || zombies() > 0).await;
    own.wait().unwrap();
    eventually("no zombie is left", || zombies() == 0).await;
}

fn zombies() -> usize {
    let threads = fs::read_dir("/proc/self/task").unwrap().filter_map(Result::ok);
    let children: String = threads.map(|thread| read(thread.path().join("children")) + " ").collect();
    children.split_whitespace().filter(|pid| state_of(pid) == Some('Z')).count()
}

#[tokio::test]
async fn each_unknown_verb_comes_with_instructions_of_its_own() {
    let bench = Bench::new();
    let node = bench.node("exit 64");
    let mut seen = std::collections::BTreeSet::new();
    for (act, _) in every_act(&bench.folder) {
        let ActAnswer::ByOperator { instructions } = node.act(&minute(), &act).await else { panic!("{}", act.verb()) };
        let text = instructions.join("\n");
        assert!(text.contains("appliance-a") && text.contains("node `a`"), "{text}");
        assert!(seen.insert(text), "{} has another verb's instructions", act.verb());
    }
}

#[tokio::test]
async fn each_verb_gets_its_object_and_then_end_of_file() {
    let bench = Bench::new();
    let body = "cat >$D/in; echo $# $1 >$D/verb; echo '{}'";
    let (node, traffic) = (bench.node(body), bench.traffic(body));
    let given = || serde_json::from_str::<Value>(&read(bench.path("in"))).unwrap();
    let run = json!({ "site": "support", "run": "support-7", "step": "window-1.update.a", "attempt": 1,
        "intent": "support-7/window-1.update.a/1" });
    for (act, own) in every_act(&bench.folder) {
        node.act(&minute(), &act).await;
        let mut expected = run.clone();
        expected["node"] = json!("a");
        expected["expect_identity"] = json!("appliance-a");
        expected.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        assert_eq!(given(), expected);
        assert_eq!(read(bench.path("verb")), format!("1 {}\n", act.verb()));
    }
    let _ = node.observe().await;
    assert_eq!(given(), json!({ "site": "support", "node": "a", "expect_identity": "appliance-a" }));
    let _ = traffic.look().await;
    assert_eq!(given(), json!({ "site": "support" }));
    assert_eq!(kind(&traffic.switch(&minute(), NodeId::A, NodeId::B).await), "accepted");
    let mut expected = run;
    expected["from"] = json!("a");
    expected["to"] = json!("b");
    assert_eq!(given(), expected);
}

#[tokio::test]
async fn the_environment_holds_four_variables() {
    let bench = Bench::new();
    let node = bench.node("tr '\\0' '\\n' </proc/$$/environ | sort >$D/env; echo '{}'");
    for act in [false, true] {
        if act {
            node.act(&minute(), &NodeAct::Quiesce).await;
        } else {
            let _ = node.observe().await;
        }
        let text = read(bench.path("env"));
        let names: Vec<_> = text.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
        assert_eq!(names, ["HOME", "LANG", "PATH", "TZ"], "{text}");
        assert!(text.contains("TZ=UTC\n"), "{text}");
    }
}

#[tokio::test]
async fn exit_0_without_a_good_object_is_ambiguous_or_transient() {
    let bench = Bench::new();
    for printed in ["", "ok", "[]", "null", "{} {}", "{", "\u{1}"] {
        let body = format!("cat >/dev/null; printf '%s' '{printed}'");
        let (node, traffic) = (bench.node(&body), bench.traffic(&body));
        assert_eq!(kind(&node.act(&minute(), &NodeAct::Quiesce).await), "ambiguous", "{printed:?}");
        assert_eq!(kind(&traffic.switch(&minute(), NodeId::A, NodeId::B).await), "ambiguous", "{printed:?}");
        assert_eq!(read_kind(&node.observe().await), "transient", "{printed:?}");
        assert_eq!(read_kind(&traffic.look().await), "transient", "{printed:?}");
    }
    for printed in [r#"{"identity":"x","version":"1","role":"primary"}"#, r#"{"answers":{}}"#, r#"{"answers":[{"server":"x"}]}"#]
    {
        let body = format!("echo '{printed}'");
        assert_eq!(read_kind(&bench.node(&body).observe().await), "transient", "{printed}");
        assert_eq!(read_kind(&bench.traffic(&body).look().await), "transient", "{printed}");
    }
}

#[tokio::test]
async fn a_mebibyte_of_output_is_read_and_not_one_byte_more() {
    let bench = Bench::new();
    for (spaces, expected) in [(1024 * 1024 - 2, "accepted"), (1024 * 1024 - 1, "ambiguous"), (50_000_000, "ambiguous")] {
        let body = format!("cat >/dev/null; printf '{{}}'; head -c {spaces} /dev/zero | tr '\\0' ' '");
        let answer = bench.node(&body).act(&minute(), &NodeAct::Quiesce).await;
        assert_eq!(kind(&answer), expected, "{spaces}: {answer:?}");
    }
}

#[tokio::test]
async fn standard_error_is_read_however_much_it_is_and_its_last_line_told() {
    let bench = Bench::new();
    let answer = bench.node("head -c 5000000 /dev/zero | tr '\\0' 'x' >&2; echo >&2; echo 'no licence' >&2; exit 10");
    let ActAnswer::Refused { message } = answer.act(&minute(), &NodeAct::Quiesce).await else { panic!("not refused") };
    assert!(message.contains("no licence") && message.len() < 300, "{message}");
}

/// `lower_ttl {"ttl":60} → {"before":3600}`, `restore_ttl {"ttl":3600} → {}`; without the verb a person is told each name's TTL.
#[tokio::test]
async fn the_ttl_verbs_get_their_names_and_a_person_is_told_where_there_are_none() {
    let bench = Bench::new();
    let names = |ttl: u32| [("in.example.com".to_owned(), ttl), ("support.example.com".to_owned(), 30)].into();
    let lower = TtlChange { way: TtlWay::Lower, names: names(60) };
    let restore = TtlChange { way: TtlWay::Restore, names: names(3600) };
    let body =
        r#"cat >"$D/asked"; case "$1" in lower_ttl) echo '{"before":3600}' ;; restore_ttl) echo '{}' ;; *) exit 64 ;; esac"#;
    let entry = bench.traffic(body);
    for (change, ttl) in [(&lower, 60), (&restore, 3600)] {
        assert_eq!(entry.set_ttl(&minute(), change).await, ActAnswer::accepted(), "{change:?}");
        let asked: Value = serde_json::from_slice(&std::fs::read(bench.folder.join("asked")).unwrap()).unwrap();
        assert_eq!((&asked["ttl"], &asked["names"]["support.example.com"]), (&json!(ttl), &json!(30)), "{asked}");
        assert_eq!((&asked["intent"], &asked["site"]), (&json!(minute().key), &json!("support")), "{asked}");
    }
    let deaf = bench.traffic("cat >/dev/null; exit 64");
    for (change, ttl) in [(&lower, "60 s"), (&restore, "3600 s")] {
        let ActAnswer::ByOperator { instructions } = deaf.set_ttl(&minute(), change).await else { panic!("{change:?}") };
        let told = instructions.join("\n");
        assert!(told.contains(&format!("`in.example.com` to {ttl}")) && told.contains("`support.example.com` to 30 s"), "{told}");
    }
    for answer in ["{}", r#"{"before":"an hour"}"#, r#"{"before":-1}"#] {
        let unclear = bench.traffic(&format!("cat >/dev/null; echo '{answer}'"));
        assert!(matches!(unclear.set_ttl(&minute(), &lower).await, ActAnswer::Ambiguous { .. }), "{answer}");
    }
}

#[tokio::test]
async fn a_missing_program_is_transient_for_every_verb() {
    let bench = Bench::new();
    let settings = exec::Settings {
        site: "support".to_owned(),
        node: NodeId::A,
        program: vec!["/nowhere/ctl".to_owned(), "a".to_owned()],
        identity: "appliance-a".to_owned(),
        address: "192.0.2.10".parse().unwrap(),
        read_limit: Duration::from_secs(20),
    };
    let node = Exec::new(settings, bench.programs.clone(), bench.clock.clone());
    let ActAnswer::Transient { message } = node.act(&minute(), &NodeAct::Quiesce).await else { panic!("not transient") };
    assert!(message.contains("/nowhere/ctl") && message.contains("nothing was sent"), "{message}");
    assert_eq!(read_kind(&node.observe().await), "transient");
}

#[tokio::test]
async fn a_full_reading_is_mapped() {
    let bench = Bench::new();
    let printed = r#"{"identity":"appliance-a","version":"24.1.1","role":"standby","healthy":true,"build":"77","updating":true,
        "last_sync":{"at":"2026-11-22T01:02:03Z","ok":true,"status":"fine"},"users":3,"sessions":1,"may_be_old_s":60,"new":[]}"#;
    let seen = bench.node(&format!("cat >/dev/null; cat <<'E'\n{printed}\nE\n")).observe().await.unwrap();
    assert_eq!((seen.identity.as_str(), seen.version.as_str(), seen.role), ("appliance-a", "24.1.1", Role::Standby));
    assert_eq!((seen.healthy, seen.updating, seen.users, seen.sessions), (true, true, Some(3), Some(1)));
    assert_eq!((seen.build.as_deref(), seen.takes_clients, seen.as_of), (Some("77"), None, None));
    let sync = seen.last_sync.unwrap();
    assert_eq!((sync.at, sync.ok, sync.status.as_deref()), ("2026-11-22T01:02:03Z".parse().unwrap(), Some(true), Some("fine")));
    assert!(seen.may_be_old >= SignedDuration::from_mins(1), "{:?}", seen.may_be_old);

    let printed = r#"{"answers":[{"server":"ns1","name":"x","target":"b","ttl":60},{"server":"ns2","name":"x","target":null}]}"#;
    let look = bench.traffic(&format!("echo '{printed}'")).look().await.unwrap();
    let targets: Vec<_> = look.answers.iter().map(|answer| (answer.server.as_str(), answer.target, answer.ttl)).collect();
    assert_eq!(targets, [("ns1", Some(NodeId::B), Some(60)), ("ns2", None, None)]);
    assert_eq!((look.target(), look.serving_identity), (None, None));
}
