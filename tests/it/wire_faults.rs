//! One sample of each kind of fault over the wire: HTTPS, a real `named`, the daemon as its own process. The whole table of
//! acts and faults runs in virtual time (`faults`).

use std::collections::BTreeSet;

use changeover::domain::ids::NodeId;
use changeover::domain::site::Role;
use changeover::simulator::faults::{Fault, Planned};
use changeover::simulator::world::{Happened, Truth};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::dns::proxy::{Proxy, Spoil};
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
    ends_well(&mut vendor, &status);
}

/// The run has succeeded, and the truth says so too.
fn ends_well(vendor: &mut Vendor, status: &Value) -> Truth {
    assert_eq!(status["outcome"], "succeeded", "{status}\n{}", vendor.daemon.log());
    let truth = vendor.truth();
    assert!(truth.linked && truth.broken_promises.is_empty(), "{:?}", truth.broken_promises);
    assert_eq!((truth.nodes.a.updates.len(), truth.nodes.b.updates.len()), (1, 1));
    assert_eq!(truth.sessions.gone, 0);
    truth
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

/// The acts of a role swap that change something, by their verbs; the first four at the pages.
const ACTS: [&str; 5] = ["force_sync", "break_failover", "update", "establish_failover", "switch_traffic"];

/// The answer to each act is lost once, after its effect: of the presses by the box, of the zone's update between `named` and
/// the daemon. The run is in doubt, reads, and orders nothing twice.
#[tokio::test(flavor = "multi_thread")]
async fn answers_lost_after_the_effect() {
    let mut vendor = Vendor::with_hands("console", true, 600).await;
    let named = vendor.dns.servers()[0];
    let way = Proxy::start(named, named, Spoil::Not).await;
    vendor.updates_go_through(way.address);
    vendor.daemon.start(None);
    let run = vendor.start_run("role-swap");
    vendor.accompany(&run, |status| status["gate"] == "automatic_failover_off").unwrap();
    way.set(Spoil::Lost);
    for verb in &ACTS[..4] {
        vendor.simulator.current().plan_fault(Planned::once(Fault::PageAnswerLost).act(verb));
    }
    let status = vendor.accompany(&run, at_rest).unwrap();
    ends_well(&mut vendor, &status);
    vendor.await_alert("in_doubt");
    assert_eq!(way.lost(), 1, "the zone's update was sent once\n{}", vendor.daemon.log());
    for verb in &ACTS[..4] {
        let presses: u64 = NodeId::BOTH.iter().filter_map(|node| vendor.simulator.presses(*node).get(verb).copied()).sum();
        // Both nodes are updated, and R1 wants a second sync where nobody knows whether its start or its end is stated.
        let expected = if ["force_sync", "update"].contains(verb) { 2 } else { 1 };
        assert_eq!(presses, expected, "{verb}\n{}", vendor.daemon.log());
    }
    let records = vendor.records(&run);
    let doubted = records.iter().filter(|record| record["event"] == "doubted").filter_map(|record| record["step"].as_str());
    let doubted: BTreeSet<&str> = doubted.filter_map(|step| step.split('.').nth(1)).collect();
    assert_eq!(doubted, BTreeSet::from(ACTS));
}

/// The answer to the break is lost, and for a minute both boxes give the health again that they gave before it: the run is in
/// doubt, and takes none of that for a proof that nothing was done.
#[tokio::test(flavor = "multi_thread")]
async fn answers_from_before_the_act() {
    for _ in 0..3 {
        if old_answers_to_a_doubt().await > 0 {
            return;
        }
    }
    panic!("not once did the daemon ask within the minute, which is a second here");
}

/// How many of the answers that the run got while it was in doubt were from before the break.
async fn old_answers_to_a_doubt() -> usize {
    let mut vendor = Vendor::with_hands("console", true, 60).await;
    for fault in [Fault::PageAnswerLost, Fault::PageCachedOld] {
        vendor.simulator.current().plan_fault(Planned::once(fault).act("break_failover"));
    }
    vendor.daemon.start(None);
    let run = vendor.start_run("role-swap");
    let status = vendor.accompany(&run, |status| status["gate"] == "background_jobs" || at_rest(status)).unwrap();
    assert_eq!(status["held"], Value::Null, "{}", vendor.daemon.log());
    vendor.daemon.json(&["hold", &run]);
    let status = vendor.accompany(&run, at_rest).unwrap();
    assert_eq!(status["held"]["code"], "operator", "{status}");
    vendor.await_alert("in_doubt");
    let truth = vendor.truth();
    assert!(truth.broken_promises.is_empty() && truth.sessions.gone == 0, "{:?}", truth.broken_promises);
    assert_eq!((truth.nodes.a.role, truth.nodes.b.role), (Role::Standalone, Role::Standalone));
    assert_eq!(vendor.simulator.presses(NodeId::A).get("break_failover"), Some(&1), "{}", vendor.daemon.log());
    let records = vendor.records(&run);
    let story: Vec<_> = records.iter().filter(|record| record["step"] == "window-1.break_failover.a").collect();
    let events: Vec<_> = story.iter().filter_map(|record| record["event"].as_str()).collect();
    assert_eq!(events, ["step_begun", "doubted", "step_done"], "{}", vendor.daemon.log());
    let [doubted, done] = [1, 2].map(|number| story[number]["at"].as_str().unwrap().parse::<Timestamp>().unwrap());
    assert!(done.duration_since(doubted) > SignedDuration::from_secs(60), "settled within the minute: {doubted} to {done}");
    let old = |event: &&Happened| event.what == "old-answer" && event.at > doubted && event.at < done;
    truth.events.iter().filter(old).count()
}
