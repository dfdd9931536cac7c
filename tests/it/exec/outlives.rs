//! An update program that goes on while the daemon is away: it is awaited, and never run a second time without a person.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::eventually;
use crate::daemon::PATIENCE;
use crate::whole_runs::ExecPair;

const TRACE: &str = "state/exec/support-b.json";

/// A run whose update program of node `b` runs, and goes on until [`finish`].
async fn updating() -> (ExecPair, String) {
    let mut pair = ExecPair::start();
    fs::write(world(&pair, "wait.update"), "").unwrap();
    let run = pair.daemon.start_run("role-swap", "now +8h", "now +8h");
    pair.accompany(&run, |status| status["step"]["id"] == "window-1.update.b" && status["phase"] == "acting");
    eventually("the update has begun", || world(&pair, "begun.update").exists()).await;
    (pair, run)
}

fn world(pair: &ExecPair, name: &str) -> PathBuf {
    pair.folder.path().join("world").join(name)
}

/// Lets the program end, and waits until the node shows its effect.
async fn finish(pair: &ExecPair) {
    fs::remove_file(world(pair, "wait.update")).unwrap();
    eventually("the update has ended", || pair.fact("b/version") == "24.2.1").await;
}

fn updates(pair: &ExecPair) -> Vec<String> {
    pair.fact("acts").lines().filter(|line| line.starts_with("update ")).map(str::to_owned).collect()
}

fn trace(pair: &ExecPair) -> Value {
    serde_json::from_slice(&fs::read(pair.folder.path().join(TRACE)).unwrap()).unwrap()
}

/// The node shows what the deleted traces no longer tell.
async fn once_although(what: &str, lose: impl FnOnce(&ExecPair)) {
    let (mut pair, run) = updating().await;
    pair.daemon.kill();
    finish(&pair).await;
    lose(&pair);
    pair.daemon.start(None);
    let status = pair.bring_to_rest(&run);
    assert_eq!(status["outcome"], "succeeded", "{what}: {status}\n{}", pair.daemon.log());
    assert_eq!(updates(&pair).len(), 2, "{what}: each node once: {:?}", updates(&pair));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_trace_an_update_is_not_sent_twice() {
    once_although("`exec/` was deleted", |pair| fs::remove_dir_all(pair.folder.path().join("state/exec")).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_older_trace_an_update_is_not_sent_twice() {
    once_although("`exec/` is an older copy", |pair| {
        let mut older = trace(pair);
        older["intent"] = "support-1/window-1.backup.b/1".into();
        fs::write(pair.folder.path().join(TRACE), older.to_string()).unwrap();
    })
    .await;
}

/// SIGTERM while the program runs: the daemon ends at once, the program goes on, and the next daemon waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_asked_to_end_leaves_the_update_running() {
    let (mut pair, run) = updating().await;
    let seq = pair.daemon.status(&run).unwrap()["seq"].as_u64().unwrap();
    let asked = Instant::now();
    assert_eq!(pair.daemon.terminate(), Some(0), "{}", pair.daemon.log());
    // Idle it takes milliseconds; far less than it would give a program to end.
    assert!(asked.elapsed() < Duration::from_secs(8), "{:?}", asked.elapsed());
    let program = PathBuf::from(format!("/proc/{}", trace(&pair)["pid"]));
    assert!(program.exists() && pair.fact("b/version") == "24.1.1");
    pair.daemon.start(None);
    let until = Instant::now() + PATIENCE;
    while !pair.daemon.log().contains("a program outlived the daemon before") {
        assert!(Instant::now() < until, "{}", pair.daemon.log());
        pair.daemon.listen();
    }
    let status = pair.daemon.status(&run).unwrap();
    assert_eq!((&status["step"]["id"], status["seq"].as_u64()), (&"window-1.update.b".into(), Some(seq + 1)), "{status}");
    assert!(program.exists());
    finish(&pair).await;
    let status = pair.bring_to_rest(&run);
    assert_eq!((&status["outcome"], &status["resumed"]), (&"succeeded".into(), &1.into()), "{status}\n{}", pair.daemon.log());
    assert_eq!(updates(&pair).len(), 2, "{:?}", updates(&pair));
}
