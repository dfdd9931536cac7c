//! The demo and the simulated pair as users start them: the real binary, real processes, real time that runs faster.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// Two hours a second: a whole run takes 25 s, most of them waiting.
const FAST: &str = "7200";

/// Runs the demo with a folder for temporary files of its own, and looks that nothing is left behind.
fn demo(args: &[&str]) -> (Output, Value) {
    let folder = crate::folder::in_memory();
    let output = Command::new(env!("CARGO_BIN_EXE_changeover"))
        .args([&["demo", "--json"], args].concat())
        .env("TMPDIR", folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(processes_of(folder.path()), Vec::<String>::new(), "{args:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{args:?} left its folder");
    let stdout = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(stdout.lines().count() <= 1, "{args:?}: {stdout}");
    let report = serde_json::from_str(stdout.trim()).unwrap_or(Value::Null);
    (output, report)
}

/// The command lines of processes that name this folder.
fn processes_of(folder: &Path) -> Vec<String> {
    let folder = folder.to_str().unwrap();
    let lines = std::fs::read_dir("/proc").unwrap().filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).filter(|line| line.contains(folder)).collect()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A whole run: its report, after what holds for every run that succeeds.
fn succeeded(args: &[&str]) -> Value {
    let (output, report) = demo(&[args, &["--speed", FAST]].concat());
    assert_eq!(output.status.code(), Some(0), "{args:?}: {report}\n{}", told(&output));
    assert_eq!(report["outcome"], "succeeded", "{args:?}");
    assert_eq!(report["sessions"]["lost"], 0, "{args:?}");
    assert!(report["sessions"]["created"].as_u64() > Some(50), "{report}");
    for node in ["a", "b"] {
        assert_eq!(report["nodes"][node]["version"], "24.2.1", "{args:?}");
    }
    let unprotected = report["unprotected_seconds"].as_i64().unwrap();
    assert!((40 * 3600..60 * 3600).contains(&unprotected), "two days lie between the windows: {unprotected}");
    let alerts: Vec<&str> = report["alerts"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(["by_operator", "gate_waiting", "finished"].iter().all(|name| alerts.contains(name)), "{alerts:?}");
    report
}

/// BG-40: the roles are swapped, and the service is away only while its name moves.
#[test]
fn bg_40_the_demo_of_a_role_swap() {
    let report = succeeded(&[]);
    assert_eq!((&report["procedure"], &report["run"]), (&json!("role-swap"), &json!("support-1")));
    assert_eq!((&report["nodes"]["a"]["role"], &report["nodes"]["b"]["role"]), (&json!("standby"), &json!("primary")));
    assert_eq!((&report["serving"], &report["resumed"]), (&json!("b"), &json!(0)));
    assert!(report["alerts"].as_array().unwrap().contains(&json!("traffic_switched")), "{report}");
    assert!(report["service_gap_ms"].as_i64() > Some(0), "{report}");
}

/// BG-30: the primary stays the primary, and the service is away while it is updated.
#[test]
fn bg_30_the_demo_of_an_update_in_place() {
    let report = succeeded(&["--procedure", "in-place", "--seed", "7"]);
    assert_eq!(report["procedure"], "in-place");
    assert_eq!((&report["nodes"]["a"]["role"], &report["nodes"]["b"]["role"]), (&json!("primary"), &json!("standby")));
    assert_eq!((&report["serving"], &report["resumed"]), (&json!("a"), &json!(0)));
    assert!(report["service_gap_ms"].as_i64() >= Some(20 * 60 * 1000), "an update takes 20 minutes or more: {report}");
}

/// A real SIGKILL while a box installs its update: a new daemon takes the run over, and the update is not sent twice.
#[test]
fn a_killed_daemon_is_followed_by_one_that_resumes() {
    let report = succeeded(&["--fault", "kill"]);
    assert_eq!((&report["resumed"], &report["serving"]), (&json!(1), &json!("b")));
}

/// The box comes back on its old version: held, and a person's word lets the same update go out once more.
#[test]
fn a_failed_update_is_a_persons_to_repeat() {
    let report = succeeded(&["--fault", "update-fails"]);
    assert_eq!((&report["fault"], &report["code"], &report["failover"]), (&json!("update-fails"), &json!(null), &json!("on")));
}

#[test]
fn a_slow_update_is_waited_for() {
    assert_eq!(succeeded(&["--fault", "update-slow"])["failover"], "on");
}

#[test]
fn an_odd_sync_status_is_accepted_by_a_person() {
    assert_eq!(succeeded(&["--fault", "sync-odd-status"])["failover"], "on");
}

#[test]
fn a_silent_node_in_the_soak_is_told_and_waited_for() {
    assert_eq!(succeeded(&["--fault", "node-silent"])["failover"], "on");
}

/// The last act of a run, two days after the first: it rests with the pair linked the wrong way round.
#[test]
fn a_reversed_link_is_left_for_a_person() {
    let (output, report) = demo(&["--fault", "establish-reversed", "--speed", FAST]);
    assert_eq!(output.status.code(), Some(0), "{report}\n{}", told(&output));
    assert_eq!((&report["outcome"], &report["code"]), (&json!("held"), &json!("role_conflict")));
    assert_eq!((&report["failover"], &report["sessions"]["lost"]), (&json!("the wrong way round"), &json!(0)));
}

/// BG-22: a sync that fails stops the run before harm, and the alert is out.
#[test]
fn bg_22_a_failed_sync_leaves_failover_on() {
    let (output, report) = demo(&["--fault", "sync-fails"]);
    assert_eq!(output.status.code(), Some(0), "{report}\n{}", told(&output));
    assert_eq!(report["outcome"], "held");
    assert_eq!((&report["nodes"]["a"]["role"], &report["nodes"]["b"]["role"]), (&json!("primary"), &json!("standby")));
    assert_eq!((&report["serving"], &report["unprotected_seconds"]), (&json!("a"), &json!(0)));
    assert_eq!((&report["sessions"]["lost"], &report["service_gap_ms"]), (&json!(0), &json!(0)));
    assert!(report["alerts"].as_array().unwrap().contains(&json!("sync_failed")), "{report}");
}

/// The stories that end within the first day.
#[test]
fn short_stories_end_as_their_rows_say() {
    let faults = ["sync-stuck", "break-half", "update-wrong-version", "reject", "wrong-box", "switch-back", "abort"];
    // Two at a time: each waits more than it works.
    for pair in faults.chunks(2) {
        std::thread::scope(|scope| pair.iter().for_each(|fault| drop(scope.spawn(|| ends_held(fault)))));
    }
}

fn ends_held(fault: &str) {
    let (output, report) = demo(&["--fault", fault]);
    assert_eq!(output.status.code(), Some(0), "{fault}: {report}\n{}", told(&output));
    assert_eq!((&report["outcome"], &report["fault"]), (&json!("held"), &json!(fault)));
    assert_eq!(report["sessions"]["lost"], 0, "{fault}");
}

/// The way home before anything was updated: the pair is linked again, and both nodes are open.
#[test]
fn an_early_abort_leads_home() {
    let (output, report) = demo(&["--fault", "abort-early"]);
    assert_eq!(output.status.code(), Some(0), "{report}\n{}", told(&output));
    assert_eq!((&report["outcome"], &report["serving"], &report["failover"]), (&json!("aborted"), &json!("a"), &json!("on")));
    let summary = told(&output);
    assert!(summary.contains("  by hand      use the pair as usual: node `a` is primary"), "{summary}");
    assert!(summary.contains("  but          do not update a node while the pair is linked"), "{summary}");
    assert_eq!((&report["sessions"]["lost"], &report["service_gap_ms"]), (&json!(0), &json!(0)));
}

#[test]
fn what_can_not_be_told_is_a_usage_error() {
    let cases: [(&[&str], &str); 4] = [
        (&["--fault", "sync-sulks"], "sync-fails, sync-stuck"),
        (&["--procedure", "sideways"], "role-swap"),
        (&["--speed", "0.5"], "1 to 20000"),
        (&["--fault", "switch-back", "--procedure", "in-place"], "role-swap"),
    ];
    for (args, expected) in cases {
        let (output, _) = demo(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(told(&output).contains(expected), "{args:?}: {}", told(&output));
    }
}

/// SIGINT in the middle: the demo ends, its daemon with it, and says so.
#[test]
fn an_interrupted_demo_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_changeover"))
        .arg("demo")
        .env("TMPDIR", folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let begun = lines.by_ref().map_while(Result::ok).any(|line| line.contains("force_sync"));
    assert!(begun, "the story ended before its first window");
    assert_eq!(processes_of(folder.path()).len(), 1, "the daemon's command line names its folder");
    signal(child.id(), "-INT");
    lines.for_each(drop);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).contains("interrupted"), "{}", told(&output));
    assert_eq!(processes_of(folder.path()), Vec::<String>::new());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

fn signal(pid: u32, name: &str) {
    assert!(Command::new("kill").args([name, &pid.to_string()]).status().unwrap().success());
}

/// The simulator alone: one JSON line, a configuration that loads, secrets for their owner only, an orderly end.
#[test]
fn the_simulator_serves_until_it_is_asked_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_changeover"))
        .args(["simulator", "serve", "--fault", "sync-fails", "--folder"])
        .arg(folder.path().join("pair"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let line: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
    for secret in ["client_secret_file", "tsig_secret_file"] {
        let mode = std::fs::metadata(line[secret].as_str().unwrap()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{secret}");
    }
    let config = Path::new(line["config"].as_str().unwrap());
    let settings = changeover::config::load(config, &changeover::domain::action::names()).unwrap();
    let site = settings.site("support").unwrap();
    assert_eq!(json!(site.site.nodes.a.identity), line["nodes"]["a"]["identity"]);
    let control = line["control"].as_str().unwrap().trim_start_matches("http://");
    assert!(std::net::TcpStream::connect(control).is_ok(), "{line}");
    let before = std::fs::read(config).unwrap();
    let second = Command::new(env!("CARGO_BIN_EXE_changeover"))
        .args(["simulator", "serve", "--hands", "console", "--folder"])
        .arg(folder.path().join("pair"))
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1), "{}", told(&second));
    assert!(told(&second).contains("another simulator serves"), "{}", told(&second));
    assert_eq!(std::fs::read(config).unwrap(), before);
    signal(child.id(), "-TERM");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    assert!(told(&output).contains("changeover serve --config"), "{}", told(&output));
}

#[test]
fn the_reference_tells_the_stories_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/demo.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = ("rewrites it -->\n", "<!-- end -->");
    let (head, rest) = page.split_once(begin).unwrap();
    let (found, tail) = rest.split_once(end).unwrap();
    let expected = format!("\n{}\n", changeover::cli::demo_reference());
    if std::env::var_os("CHANGEOVER_ACCEPT").is_some() {
        std::fs::write(&path, format!("{head}{begin}{expected}{end}{tail}")).unwrap();
    } else {
        assert_eq!(found, expected, "docs/reference/demo.md is not what the code says; run this test with CHANGEOVER_ACCEPT=1");
    }
}
