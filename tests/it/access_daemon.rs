//! A sync that overwrites an API account in the middle of a run, over real protocols: nobody is locked out, a person is called, and
//! the run goes on when the account is mended.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use changeover::domain::ids::NodeId;
use changeover::simulator::faults::{Fault, Planned};

use crate::vendor::Vendor;

fn metrics(folder: &Path) -> String {
    let mut stream = UnixStream::connect(folder.join("state/changeover.sock")).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_a_sync_overwrites_is_never_locked_and_calls_a_person() {
    let mut vendor = Vendor::start(false, 600).await;
    vendor.daemon.start(None);
    let run = vendor.start_run("role-swap");
    // From here on any sync will do, also one of the pair's own: whatever is awaited next holds the run after half an hour. In
    // `check_sync`, which has a day in these tests, it would not.
    vendor.accompany(&run, |status| status["step"]["action"] == "force_sync").unwrap();
    vendor.simulator.current().plan_fault(Planned::once(Fault::AccountOverwritten).on(NodeId::B));
    let held = vendor.accompany(&run, |status| matches!(status["phase"].as_str(), Some("held" | "finished"))).unwrap();
    assert_eq!(held["phase"], "held", "{held}\n{}", vendor.daemon.log());
    vendor.await_alert("access_refused");
    let error = held["nodes"]["b"]["error"].as_str().unwrap_or_default();
    for part in ["access is refused since", "`changeover`", "API Configuration", "node `b` of site `support`"] {
        assert!(error.contains(part), "{part}: {held}");
    }
    assert!(!vendor.alerts().iter().any(|alert| alert == "node_unreachable"), "{:?}", vendor.alerts());
    let state = held["guide"]["state"].as_str().unwrap_or_default();
    assert!(state.starts_with("failover is still on"), "nothing was begun on the blind: {held}");
    let text = metrics(&vendor.daemon.folder);
    assert!(text.contains("changeover_runs{site=\"support\",phase=\"held\"} 1"), "{text}");
    assert!(text.contains("changeover_api_access_refused{site=\"support\",node=\"b\",account=\"changeover\"} 1"), "{text}");

    vendor.simulator.current().perform("restore-account", NodeId::B, None).unwrap();
    let mut status = held;
    for _ in 0..5 {
        if status["phase"] == "held" {
            vendor.daemon.json(&["resume", &run]);
            status = vendor.accompany(&run, |status| matches!(status["phase"].as_str(), Some("held" | "finished"))).unwrap();
        }
    }
    assert_eq!(status["outcome"], "succeeded", "{status}\n{}", vendor.daemon.log());
    for node in NodeId::BOTH {
        for (account, logins) in vendor.simulator.logins(node) {
            assert!(logins.locked == 0 && logins.failed <= 2, "{node} {account}: {logins:?}");
        }
    }
    let truth = vendor.truth();
    assert!(truth.linked && truth.broken_promises.is_empty(), "{:?}", truth.broken_promises);
}
