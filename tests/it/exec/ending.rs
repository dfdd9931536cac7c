//! How programs end: at their limit, beside each other, and after the daemon that started them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use changeover::ports::{Appliance as _, Intent, NodeAct, ReadError, Reader as _, Recall};
use jiff::{SignedDuration, Timestamp};

use super::{Bench, HandClock, assert_no_zombies, eventually, is_running, kind, minute, read, read_kind, second};

const HELPER: &str = "CHANGEOVER_TEST_EXEC_HELPER";

#[tokio::test]
async fn at_the_limit_the_whole_group_is_ended() {
    let stubborn = "sh -c 'trap \"\" TERM; echo $$ >$0/child; while :; do sleep 1; done' $D & echo $$ >$D/leader;";
    for (name, rest) in
        [("stubborn leader", "trap '' TERM; touch $D/set; while :; do sleep 1; done"), ("leader that goes", "touch $D/set; wait")]
    {
        let (folder, clock) = (tempfile::tempdir().unwrap(), HandClock::at(second(1000)));
        let bench = Bench::with_clock(folder.path(), clock.clone());
        let (node, act) = (bench.node(&format!("{stubborn} {rest}")), minute());
        let pids = || [read(bench.path("leader")), read(bench.path("child"))];
        let at_the_limit = async {
            eventually("all run", || bench.path("set").exists() && pids().iter().all(|pid| is_running(pid))).await;
            clock.pass(act.limit - SignedDuration::from_millis(1));
            tokio::task::yield_now().await;
            assert!(pids().iter().all(|pid| is_running(pid)), "{name}: ended before its limit");
            clock.pass(SignedDuration::from_millis(1));
        };
        let (answer, ()) = tokio::join!(node.act(&act, &NodeAct::Quiesce), at_the_limit);
        assert_eq!(kind(&answer), "ambiguous", "{name}: {answer:?}");
        eventually(name, || !pids().iter().any(|pid| is_running(pid))).await;
        assert_eq!(node.recall(&act).await, Recall::MayBeSent);
    }
    assert_no_zombies().await;
}

#[tokio::test]
async fn an_observe_over_its_limit_is_ended_and_transient() {
    let bench = Bench::new();
    let node = bench.node_read_within("echo $$ >$D/leader; sleep 1000 & wait", Duration::from_millis(500));
    let Err(ReadError::Transient(message)) = node.observe().await else { panic!("not transient") };
    assert!(message.contains("longer than its limit"), "{message}");
    let leader = read(bench.path("leader"));
    eventually("the program is gone", || !is_running(&leader)).await;
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
    assert_eq!(node.recall(&act).await, Recall::MayBeSent, "without any trace nobody can tell: it may have been deleted");
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
    let node = bench.node(&read(bench.path("body")));
    node.act(&minute(), &NodeAct::Quiesce).await;
}

/// Starts an act in a daemon of its own and kills that one once the program has begun.
async fn killed_daemon(bench: &Bench, body: &str) {
    fs::write(bench.path("body"), body).unwrap();
    let mut daemon = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["exec::ending::helper_daemon", "--exact", "--nocapture"])
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
    // After the daemon's death it still writes: first a little, with nobody there; then more than two pipes hold.
    let body = "cat >/dev/null; echo $$ >$D/begun; while [ ! -e $D/killed ]; do sleep 0.02; done
        echo going on; echo going on >&2; touch $D/wrote
        head -c 300000 /dev/zero | tr '\\0' '\\n' >&2; head -c 300000 /dev/zero || exit 1
        while [ ! -e $D/finish ]; do sleep 0.02; done; touch $D/done; echo '{}'";
    killed_daemon(&bench, body).await;
    let pid = read(bench.path("begun"));
    eventually("it has written", || bench.path("wrote").exists()).await;
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
    killed_daemon(&bench, "trap '' TERM; echo $$ >$D/begun; while :; do sleep 1; done").await;
    let pid = read(bench.path("begun"));
    let clock = HandClock::at(Timestamp::now());
    let restarted = Bench::with_clock(&bench.folder, clock.clone());
    let (node, act) = (restarted.node(""), minute());
    let mut recall = node.recall(&act);
    assert!(futures_util::poll!(&mut recall).is_pending());
    assert!(is_running(&pid), "ended before its limit");
    clock.pass(act.limit);
    assert_eq!(recall.await, Recall::MayBeSent);
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
