//! One sample of each kind of fault over the wire: HTTPS, a real `named`, the daemon as its own process. The whole table of
//! acts and faults runs in virtual time (`faults`).

use changeover::domain::ids::NodeId;
use changeover::simulator::faults::{Fault, Planned};

use crate::vendor::{Vendor, at_rest};

/// The fault strikes when the gate before the forced sync opens, all nodes read and both backups taken; it is mended once the run rests.
async fn struck(fault: Fault, node: NodeId, code: Option<&str>, alert: &str) {
    let mut vendor = Vendor::start(true, 600).await;
    vendor.daemon.start(None);
    let run = vendor.start_run("role-swap");
    vendor.accompany(&run, |status| status["gate"] == "automatic_failover_off").unwrap();
    vendor.simulator.current().plan_fault(Planned::for_ever(fault).on(node));
    let mut status = vendor.accompany(&run, at_rest).unwrap();
    assert_eq!(status["held"]["code"].as_str(), code, "{status}\n{}", vendor.daemon.log());
    vendor.await_alert(alert);
    vendor.simulator.current().plan_fault(Planned { times: Some(0), ..Planned::for_ever(fault).on(node) });
    // Answers may be cached for a minute, so a first resumption can still meet the fault.
    for _ in 0..5 {
        if status["phase"] == "held" {
            vendor.daemon.json(&["resume", &run]);
            status = vendor.accompany(&run, at_rest).unwrap();
        }
    }
    assert_eq!(status["outcome"], "succeeded", "{status}\n{}", vendor.daemon.log());
    let truth = vendor.truth();
    assert!(truth.linked && truth.broken_promises.is_empty(), "{:?}", truth.broken_promises);
    assert_eq!((truth.nodes.a.updates.len(), truth.nodes.b.updates.len()), (1, 1));
    assert_eq!(truth.sessions.gone, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_extraction() {
    struck(Fault::ExtractError, NodeId::A, Some("step_failed"), "step_failed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_never_reached() {
    struck(Fault::NodeSilent, NodeId::B, Some("known_box"), "held").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_update() {
    struck(Fault::UpdateSlow, NodeId::B, None, "finished").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_box_that_answers() {
    struck(Fault::WrongBox, NodeId::B, Some("wrong_box"), "held").await;
}

/// BG-22, over the wire.
#[tokio::test(flavor = "multi_thread")]
async fn bg_22_a_sync_that_fails() {
    struck(Fault::SyncFails, NodeId::B, Some("sync_status_unknown"), "sync_failed").await;
}
