//! Programs behind `exec`, with real programs: what they are given, what their answers mean, how they end.

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
use changeover::ports::{ActAnswer, Appliance, Clock, Intent, NodeAct, ReadError, Recall, Traffic};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

const HELPER: &str = "CHANGEOVER_TEST_EXEC_HELPER";

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
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let programs = Programs::new(folder.join("exec"), clock.clone()).with_grace(Duration::from_millis(300));
        Self { folder: folder.to_owned(), programs: Arc::new(programs), clock, _owned: None }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Node `a` behind a few lines of shell: `$1` is the verb, `$D` the folder.
    fn node(&self, body: &str) -> Exec {
        let (site, identity) = ("support".to_owned(), "appliance-a".to_owned());
        let settings =
            exec::Settings { site, node: NodeId::A, program: self.shell(body), identity, read_limit: Duration::from_secs(20) };
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

fn intent(limit: SignedDuration) -> Intent {
    Intent {
        site: "support".to_owned(),
        run: "support-7".parse().unwrap(),
        step: "window-1.update.a".to_owned(),
        attempt: 1,
        key: "support-7/window-1.update.a/1".to_owned(),
        since: Timestamp::now(),
        limit,
    }
}

fn minute() -> Intent {
    intent(SignedDuration::from_mins(1))
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

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
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
    let own = std::process::id();
    let zombies = || {
        let children = read(format!("/proc/{own}/task/{own}/children").into());
        children.split_whitespace().filter(|pid| state_of(pid) == Some('Z')).count()
    };
    eventually("no zombie is left", || zombies() == 0).await;
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

#[tokio::test]
async fn a_missing_program_is_transient_for_every_verb() {
    let bench = Bench::new();
    let settings = exec::Settings {
        site: "support".to_owned(),
        node: NodeId::A,
        program: vec!["/nowhere/ctl".to_owned(), "a".to_owned()],
        identity: "appliance-a".to_owned(),
        read_limit: Duration::from_secs(20),
    };
    let node = Exec::new(settings, bench.programs.clone(), bench.clock.clone());
    let ActAnswer::Transient { message } = node.act(&minute(), &NodeAct::Quiesce).await else { panic!("not transient") };
    assert!(message.contains("/nowhere/ctl") && message.contains("nothing was sent"), "{message}");
    assert_eq!(read_kind(&node.observe().await), "transient");
    assert_eq!(node.recall(&minute()).await, Recall::NeverSent);
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

#[tokio::test]
async fn a_backup_counts_only_where_it_was_asked_for_and_as_it_was_described() {
    let bench = Bench::new();
    let directory = bench.path("backups");
    let content = b"settings";
    let (good, size) = (sha256(content), content.len());
    fs::write(bench.path("elsewhere"), content).unwrap();
    let make = "cd $D/backups; printf settings >b; ln -sf $D/elsewhere link; mkdir -p sub; printf settings >sub/b; rm -f pipe; mkfifo pipe";
    let cases = [
        ("b".to_owned(), good.clone(), size, "accepted"),
        (directory.join("b").display().to_string(), good.clone(), size, "accepted"),
        ("sub/b".to_owned(), good.clone(), size, "accepted"),
        ("sub/../b".to_owned(), good.clone(), size, "accepted"),
        ("../elsewhere".to_owned(), good.clone(), size, "ambiguous"),
        (bench.path("elsewhere").display().to_string(), good.clone(), size, "ambiguous"),
        ("link".to_owned(), good.clone(), size, "ambiguous"),
        ("none".to_owned(), good.clone(), size, "ambiguous"),
        ("sub".to_owned(), good.clone(), size, "ambiguous"),
        ("pipe".to_owned(), good.clone(), size, "ambiguous"),
        (String::new(), good.clone(), size, "ambiguous"),
        ("b".to_owned(), good.to_uppercase(), size, "ambiguous"),
        ("b".to_owned(), sha256(b"other"), size, "ambiguous"),
        ("b".to_owned(), good.clone(), size + 1, "ambiguous"),
    ];
    for (path, hash, bytes, expected) in cases {
        let reply = json!({ "path": path, "sha256": hash, "bytes": bytes });
        let node = bench.node(&format!("cat >/dev/null; {make}; echo '{reply}'"));
        let answer = node.act(&minute(), &NodeAct::Backup { directory: directory.clone() }).await;
        assert_eq!(kind(&answer), expected, "{reply}: {answer:?}");
        if let ActAnswer::Accepted { files, .. } = answer {
            assert_eq!((files.len(), files[0].sha256.as_str(), files[0].bytes), (1, good.as_str(), size as u64));
        }
    }
}

#[tokio::test]
async fn extracted_files_are_hashed_and_all_of_them_must_be_there() {
    let bench = Bench::new();
    let act = NodeAct::ExtractData { since: second(1), until: second(2), directory: bench.path("out") };
    let make = "cat >/dev/null; cd $D/out; printf one >1; printf two >2";
    let cases = [
        (json!({ "files": ["1", "2"], "records": 41 }), "accepted"),
        (json!({ "files": [], "records": 0 }), "accepted"),
        (json!({ "files": ["1", "3"], "records": 41 }), "ambiguous"),
        (json!({ "files": ["1"] }), "ambiguous"),
        (json!({ "files": vec!["1"; 10_001], "records": 1 }), "ambiguous"),
    ];
    for (reply, expected) in cases {
        fs::write(bench.path("reply"), reply.to_string()).unwrap();
        let answer = bench.node(&format!("{make}; cat $D/reply")).act(&minute(), &act).await;
        assert_eq!(kind(&answer), expected, "{answer:?}");
        if let ActAnswer::Accepted { files, records } = answer {
            assert_eq!(records, reply["records"].as_u64());
            let hashes: Vec<_> = files.iter().map(|file| file.sha256.clone()).collect();
            let all = [sha256(b"one"), sha256(b"two")];
            assert_eq!(hashes, all[..files.len()]);
        }
    }
}

#[tokio::test]
async fn at_the_limit_the_whole_group_is_ended() {
    let bench = Bench::new();
    let stubborn = "sh -c 'trap \"\" TERM; echo $$ >$0/child; while :; do sleep 1; done' $D & echo $$ >$D/leader;";
    for (name, rest) in [("stubborn leader", "trap '' TERM; while :; do sleep 1; done"), ("leader that goes", "wait")] {
        let node = bench.node(&format!("{stubborn} {rest}"));
        let began = Instant::now();
        let act = intent(SignedDuration::from_millis(500));
        let answer = node.act(&act, &NodeAct::Quiesce).await;
        assert_eq!(kind(&answer), "ambiguous", "{name}: {answer:?}");
        assert!(began.elapsed() < Duration::from_secs(20), "{name}: {:?}", began.elapsed());
        let pids = [read(bench.path("leader")), read(bench.path("child"))];
        assert!(pids.iter().all(|pid| !pid.is_empty()), "{name}: {pids:?}");
        eventually(name, || !pids.iter().any(|pid| is_running(pid))).await;
        assert_eq!(node.recall(&act).await, Recall::MayBeSent);
    }
    assert_no_zombies().await;
}

#[tokio::test]
async fn what_observe_leaves_behind_is_killed_and_what_an_act_leaves_goes_on() {
    let bench = Bench::new();
    let body = "cat >/dev/null; (echo 1; exec sleep 1000) >/dev/null 2>&1 & echo $! >$D/child; echo '{}'";
    let node = bench.node(body);
    let _ = node.observe().await;
    let child = read(bench.path("child"));
    eventually("the child of observe is gone", || !is_running(&child)).await;
    assert_eq!(kind(&node.act(&minute(), &NodeAct::Quiesce).await), "accepted");
    let child = read(bench.path("child"));
    assert!(is_running(&child), "an act's background work was ended");
    let status = std::process::Command::new("kill").arg(child.trim()).status().unwrap();
    assert!(status.success());
}

#[tokio::test]
async fn programs_of_one_node_run_one_at_a_time() {
    let bench = Bench::new();
    let body = "cat >/dev/null; mkdir $D/alone || exit 10; head -c 20000000 /dev/zero >/dev/null; rmdir $D/alone; echo '{}'";
    let (one, other) = (bench.node(body), bench.node(body));
    let act = minute();
    let both =
        futures_util::future::join_all((0..8).map(|number| {
            let node = if number % 2 == 0 { &one } else { &other };
            let act = &act;
            async move {
                if number % 3 == 0 { read_kind(&node.observe().await) } else { kind(&node.act(act, &NodeAct::Quiesce).await) }
            }
        }));
    let kinds = both.await;
    // `{}` is no reading, so an undisturbed observe is transient here; a disturbed one would be denied.
    assert!(kinds.iter().all(|kind| ["accepted", "transient"].contains(kind)), "{kinds:?}");
}

#[tokio::test]
async fn a_caller_that_stops_waiting_does_not_stop_the_program() {
    let bench = Bench::new();
    let node =
        bench.node("cat >/dev/null; touch $D/begun; while [ ! -e $D/finish ]; do sleep 0.02; done; touch $D/done; echo '{}'");
    let act = minute();
    tokio::select! {
        answer = node.act(&act, &NodeAct::Quiesce) => panic!("ended by itself: {answer:?}"),
        () = eventually("the program has begun", || bench.path("begun").exists()) => {}
    }
    fs::write(bench.path("finish"), "").unwrap();
    assert_eq!(node.recall(&act).await, Recall::MayBeSent);
    assert!(bench.path("done").exists());
}

#[tokio::test]
async fn recall_knows_only_the_last_intent_of_the_node() {
    let bench = Bench::new();
    let node = bench.node("cat >/dev/null; echo '{}'");
    let act = minute();
    assert_eq!(node.recall(&act).await, Recall::NeverSent);
    node.act(&act, &NodeAct::Quiesce).await;
    let later = Intent { attempt: 2, key: "support-7/window-1.update.a/2".to_owned(), ..act.clone() };
    assert_eq!((node.recall(&act).await, node.recall(&later).await), (Recall::MayBeSent, Recall::NeverSent));
    fs::write(bench.path("exec/support-a.json"), "torn").unwrap();
    assert_eq!(node.recall(&later).await, Recall::MayBeSent, "what can't be read may have been sent");
}

/// Not a test by itself: the daemon that is killed. Run by the tests below in a process of its own.
#[tokio::test]
async fn helper_daemon() {
    let Ok(folder) = std::env::var(HELPER) else { return };
    let bench = Bench::at(Path::new(&folder));
    let limit = read(bench.path("limit_ms")).parse().unwrap();
    let node = bench.node(&read(bench.path("body")));
    node.act(&intent(SignedDuration::from_millis(limit)), &NodeAct::Quiesce).await;
}

/// Starts an act in a daemon of its own and kills that one once the program has begun.
async fn killed_daemon(bench: &Bench, body: &str, limit_ms: i64) {
    fs::write(bench.path("limit_ms"), limit_ms.to_string()).unwrap();
    fs::write(bench.path("body"), body).unwrap();
    let mut daemon = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["exec::helper_daemon", "--exact", "--nocapture"])
        .env(HELPER, &bench.folder)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    eventually("the program has begun", || !read(bench.path("begun")).is_empty()).await;
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    fs::write(bench.path("killed"), "").unwrap();
}

#[tokio::test]
async fn a_program_outlives_its_killed_daemon_and_is_waited_for() {
    let bench = Bench::new();
    // After the daemon's death it still writes more than two pipes hold.
    let body = "cat >/dev/null; echo $$ >$D/begun; while [ ! -e $D/killed ]; do sleep 0.02; done
        head -c 300000 /dev/zero | tr '\\0' '\\n' >&2; head -c 300000 /dev/zero || exit 1
        while [ ! -e $D/finish ]; do sleep 0.02; done; touch $D/done; echo '{}'";
    killed_daemon(&bench, body, 60_000).await;
    let pid = read(bench.path("begun"));
    assert!(is_running(&pid), "the program died with its daemon");

    let node = bench.node("echo '{}'");
    let Err(ReadError::Transient(message)) = node.observe().await else { panic!("observed beside the survivor") };
    assert!(message.contains(pid.trim()), "{message}");
    assert_eq!(kind(&node.act(&minute(), &NodeAct::Quiesce).await), "transient");

    let act = minute();
    let mut recall = node.recall(&act);
    assert!(futures_util::poll!(&mut recall).is_pending());
    fs::write(bench.path("finish"), "").unwrap();
    assert_eq!(recall.await, Recall::MayBeSent);
    assert!(bench.path("done").exists(), "recall returned before the program's end");
    assert_eq!(kind(&node.act(&act, &NodeAct::Quiesce).await), "accepted");
}

#[tokio::test]
async fn a_program_that_outlived_its_daemon_is_ended_at_its_limit() {
    let bench = Bench::new();
    killed_daemon(&bench, "trap '' TERM; echo $$ >$D/begun; while :; do sleep 1; done", 2_000).await;
    let pid = read(bench.path("begun"));
    assert_eq!(bench.node("").recall(&minute()).await, Recall::MayBeSent);
    assert!(!is_running(&pid), "recall returned while process {pid} runs");
}

#[tokio::test]
async fn an_act_whose_trace_can_not_be_written_is_never_begun() {
    let bench = Bench::new();
    fs::write(bench.path("exec"), "in the way").unwrap();
    let node = bench.node("touch $D/ran; echo '{}'");
    let answer = node.act(&minute(), &NodeAct::Quiesce).await;
    assert_eq!(kind(&answer), "transient", "{answer:?}");
    assert!(!bench.path("ran").exists());
}
