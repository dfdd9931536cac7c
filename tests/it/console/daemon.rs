//! Whole runs of the real daemon with its own hands at the pages, also killed in the middle of them.

use std::time::Instant;

use changeover::domain::ids::NodeId;
use serde_json::Value;

use crate::daemon::PATIENCE;
use crate::vendor::{Vendor, at_rest};

const SPEED: u32 = 600;
/// The acts that the daemon does at the pages.
const ACTS: [(&str, &str); 4] =
    [("force_sync", "sync-now"), ("break_failover", "break"), ("update", "update"), ("establish_failover", "establish")];

/// A vendor's site with hands at the console, and a package of some MiB.
async fn vendor() -> Vendor {
    vendor_with(6).await
}

async fn vendor_with(package_mib: u32) -> Vendor {
    let vendor = Vendor::with_hands("console", false, SPEED).await;
    let package: Vec<u8> = (0..package_mib << 20).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect();
    std::fs::write(vendor.daemon.folder.join("base.nss"), package).unwrap();
    vendor
}

/// What must be so at the end, however it came to it.
fn check_end(vendor: &mut Vendor, status: &Value, serving: &str) {
    assert_eq!(status["outcome"], "succeeded", "{status}\n{}", vendor.daemon.log());
    let truth = vendor.truth();
    assert!(truth.linked && truth.broken_promises.is_empty(), "{:?}", truth.broken_promises);
    assert_eq!(truth.serving.map(|node| node.to_string()).as_deref(), Some(serving));
    assert_eq!((truth.nodes.a.updates.len(), truth.nodes.b.updates.len()), (1, 1));
    assert_eq!((truth.nodes.a.version.as_str(), truth.nodes.b.version.as_str()), ("24.2.1", "24.2.1"));
    assert_eq!(truth.sessions.gone, 0);
    // A person was asked only for what has no page.
    let by_hand: Vec<_> = vendor.done.iter().filter(|(step, _)| ACTS.iter().any(|(verb, _)| step.contains(verb))).collect();
    assert!(by_hand.is_empty(), "{by_hand:?}\n{}", vendor.daemon.log());
    for (verb, what) in ACTS {
        let presses = NodeId::BOTH.map(|node| vendor.simulator.presses(node).get(verb).copied().unwrap_or_default());
        let taken = truth.acts.iter().filter(|act| act.what == what).count() as u64;
        assert_eq!(presses.iter().sum::<u64>(), taken, "{verb}: every press was taken, none was pressed in vain");
    }
}

async fn whole(procedure: &str, serving: &str) {
    let mut vendor = vendor().await;
    vendor.daemon.start(None);
    let run = vendor.start_run(procedure);
    let status = vendor.accompany(&run, at_rest).unwrap();
    check_end(&mut vendor, &status, serving);
    for node in NodeId::BOTH {
        assert_eq!(vendor.simulator.presses(node)["upload"], 1, "{node}");
        assert_eq!(vendor.simulator.received(node).map(|(name, bytes, _)| (name, bytes)), Some(("base.nss".into(), 6 << 20)));
    }
    assert_eq!(vendor.daemon.terminate(), Some(0));
}

/// BG-11, BG-30: nobody is at the pages.
#[tokio::test(flavor = "multi_thread")]
async fn bg_30_in_place_with_hands_at_the_console() {
    whole("in-place", "a").await;
}

/// BG-11, BG-40: as above, by a role swap.
#[tokio::test(flavor = "multi_thread")]
async fn bg_40_role_swap_with_hands_at_the_console() {
    whole("role-swap", "b").await;
}

/// SIGKILL in the middle of an upload: the package is sent again, and installed once.
#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_of_an_upload_the_update_is_done_once() {
    // Large enough to be still under way when the kill comes.
    let mut vendor = vendor_with(64).await;
    vendor.daemon.start(None);
    let run = vendor.start_run("role-swap");
    let uploading = |status: &Value| status["step"]["action"] == "update" && status["phase"] == "acting" || at_rest(status);
    vendor.accompany(&run, uploading).unwrap();
    let until = Instant::now() + PATIENCE;
    while !vendor.simulator.presses(NodeId::B).contains_key("upload") {
        assert!(Instant::now() < until, "no upload\n{}", vendor.daemon.log());
        std::thread::yield_now();
    }
    vendor.daemon.kill();
    assert_eq!(vendor.simulator.received(NodeId::B), None, "the upload was over before the kill");
    assert!(vendor.truth().nodes.b.updates.is_empty());
    vendor.daemon.start(None);
    let status = vendor.accompany(&run, at_rest).unwrap();
    check_end(&mut vendor, &status, "b");
    assert_eq!((vendor.simulator.presses(NodeId::B)["upload"], vendor.simulator.presses(NodeId::B)["update"]), (2, 1));
}

/// SIGKILL right after the press, before its answer is recorded: the run is in doubt, reads, and presses nothing again.
#[cfg(feature = "test-kill")]
#[tokio::test(flavor = "multi_thread")]
async fn killed_right_after_the_press_the_update_is_done_once() {
    let mut first = vendor().await;
    first.daemon.start(None);
    let run = first.start_run("role-swap");
    let updating = |status: &Value| status["step"]["action"] == "update" && status["phase"] == "acting" || at_rest(status);
    let answer = first.accompany(&run, updating).unwrap()["seq"].as_u64().unwrap() + 1;
    drop(first);

    let mut vendor = vendor().await;
    vendor.daemon.start(Some(&format!("before:{answer}")));
    let run = vendor.start_run("role-swap");
    let ended = vendor.accompany(&run, at_rest);
    assert!(ended.is_none(), "the daemon was not killed before record {answer}: {ended:?}\n{}", vendor.daemon.log());
    assert_eq!(vendor.simulator.presses(NodeId::B).get("update"), Some(&1));
    vendor.daemon.kill();
    vendor.daemon.start(None);
    let status = vendor.accompany(&run, at_rest).unwrap();
    check_end(&mut vendor, &status, "b");
    assert_eq!((vendor.simulator.presses(NodeId::B)["upload"], vendor.simulator.presses(NodeId::B)["update"]), (1, 1));
}
