//! R7 and BG-40 on the wire: the daemon as its own process, the pair over HTTPS, and a real name server with TSIG whose record is
//! remembered for four hours. What is said of TTLs is what `dig` reads.

use changeover::domain::ids::NodeId;
use changeover::simulator::faults::{Fault, Planned};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::name_servers;
use crate::vendor::{Dns, SERVICE, Vendor, address, at_rest, zone};
use crate::{named, powerdns};

/// Four hours pass in 12 seconds: longer than all that comes before the switch takes on a busy machine.
const SPEED: u32 = 1200;
const TTL: u32 = 4 * 3600;
const LOWER: &str = "prepare.lower_ttl";
const SWITCH: &str = "window-1.switch_traffic.b";
const RESTORE: &str = "finish.restore_ttl";
const GATE: &str = "automatic_failover_off";

async fn bind(options: named::Options) -> Dns {
    Dns::Named(tokio::task::spawn_blocking(move || named::Pair::start(&options)).await.unwrap())
}

async fn vendor() -> Vendor {
    Vendor::on(bind(zone(TTL)).await, "", SPEED).await
}

/// When the last record of this event at this step was made.
fn at(records: &[Value], event: &str, step: &str) -> Timestamp {
    let record = records.iter().rfind(|record| record["event"] == event && record["step"] == step);
    let record = record.unwrap_or_else(|| panic!("no {event} of {step} in {records:#?}"));
    record["at"].as_str().unwrap().parse().unwrap()
}

fn count(records: &[Value], event: &str, step: &str) -> usize {
    records.iter().filter(|record| record["event"] == event && record["step"] == step).count()
}

/// The run is at_rest, as it should be: the wait was kept, and the zone is as it was.
fn check_end(vendor: &mut Vendor, run: &str, status: &Value, wait: u32) {
    assert_eq!(status["outcome"], "succeeded", "{status}\n{}", vendor.daemon.log());
    let records = vendor.records(run);
    let (proven, sent) = (at(&records, "step_done", LOWER), at(&records, "step_begun", SWITCH));
    let clear = proven + SignedDuration::from_secs(i64::from(wait));
    assert!(sent >= clear, "switched at {sent}, lowered at {proven}, caches are clear at {clear}");
    assert_eq!((count(&records, "step_done", LOWER), count(&records, "step_done", RESTORE)), (1, 1));
    let truth = vendor.truth();
    assert!(truth.linked && truth.broken_promises.is_empty(), "{:?}", truth.broken_promises);
    assert_eq!((truth.serving, truth.sessions.gone), (Some(NodeId::B), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn r7_bg_40_a_role_swap_lowers_the_ttl_waits_and_restores_it() {
    let mut vendor = vendor().await;
    vendor.daemon.start(None);
    let run = vendor.start_run("role-swap");
    vendor.accompany(&run, |status| status["gate"] == GATE || at_rest(status)).unwrap();
    assert_eq!(vendor.ttls("A"), [Some(60); 2], "lowered on both servers\n{}", vendor.daemon.log());
    let waits = |status: &Value| status["waiting_on"] == "traffic" || status["step"]["id"] == SWITCH || at_rest(status);
    let waiting = vendor.accompany(&run, waits).unwrap();
    let proven = at(&vendor.records(&run), "step_done", LOWER);
    assert_eq!(waiting["waiting_on"], "traffic", "{waiting}");
    let until: Timestamp = waiting["until"].as_str().unwrap().parse().unwrap();
    assert!(until <= proven + SignedDuration::from_secs(i64::from(TTL)), "{waiting}");
    let switched = vendor.accompany(&run, |status| status["left"].is_object() || at_rest(status)).unwrap();
    assert!(switched["left"].is_object(), "{switched}");
    assert_eq!(vendor.ttls("A"), [Some(60); 2], "the switch keeps the lowered one");
    let status = vendor.accompany(&run, at_rest).unwrap();
    check_end(&mut vendor, &run, &status, TTL);
    assert_eq!(vendor.ttls("A"), [Some(TTL); 2]);
    assert_eq!(name_servers::says(vendor.dns.servers()[0], SERVICE, "A").0, [address(NodeId::B).to_string()]);
    assert_eq!(vendor.daemon.terminate(), Some(0));
}

/// RFC 2308: the alias moves to a name that has an IPv6 address too, which the other one has not. That there was none may be
/// remembered for longer than the alias.
#[tokio::test(flavor = "multi_thread")]
async fn r7_bg_40_the_negative_ttl_counts_for_an_alias_whose_targets_are_unlike() {
    let negative = 2 * TTL;
    for (unlike, wait) in [(false, TTL), (true, negative)] {
        let mut options = zone(TTL);
        options.records = vec![("a.example.com", address(NodeId::A), 60), ("b.example.com", address(NodeId::B), 60)];
        options.records.extend(unlike.then(|| ("b.example.com", "2001:db8::20".parse().unwrap(), 60)));
        (options.aliases, options.negative) = (vec![(SERVICE, "a.example.com", TTL)], negative);
        let targets = "targets = { a = \"a.example.com\", b = \"b.example.com\" }\n";
        let mut vendor = Vendor::on(bind(options).await, targets, SPEED).await;
        vendor.daemon.start(None);
        let run = vendor.start_run("role-swap");
        vendor.accompany(&run, |status| status["gate"] == GATE || at_rest(status)).unwrap();
        assert_eq!(vendor.ttls("CNAME"), [Some(60); 2], "{}", vendor.daemon.log());
        let status = vendor.accompany(&run, at_rest).unwrap();
        check_end(&mut vendor, &run, &status, wait);
        assert_eq!(vendor.ttls("CNAME"), [Some(TTL); 2]);
        let records = vendor.records(&run);
        let waited = at(&records, "step_begun", SWITCH).duration_since(at(&records, "step_done", LOWER));
        assert_eq!(waited.as_secs() < i64::from(negative), !unlike, "nothing else takes so long: {waited:?}");
        let told = records.iter().rfind(|record| record["event"] == "step_done" && record["step"] == LOWER).unwrap();
        let told = told["data"]["evidence"]["negative"].clone();
        assert_eq!(told, if unlike { Value::from(negative) } else { Value::Null }, "{waited:?}");
    }
}

/// PowerDNS alone, which knows no rights below the zone and answers as few others do.
#[tokio::test(flavor = "multi_thread")]
async fn r7_bg_40_a_role_swap_with_powerdns_alone() {
    let server = tokio::task::spawn_blocking(|| powerdns::Primary::start(&zone(TTL))).await.unwrap();
    let mut vendor = Vendor::on(Dns::Powerdns(server), "", SPEED).await;
    vendor.daemon.start(None);
    let test = vendor.daemon.json(&["traffic", "test", "support"]);
    assert_eq!((&test["ok"], &test["entries"][0]["result"]), (&true.into(), &"pass".into()), "{test}");
    let run = vendor.start_run("role-swap");
    vendor.accompany(&run, |status| status["gate"] == GATE || at_rest(status)).unwrap();
    assert_eq!(vendor.ttls("A"), [Some(60)], "{}", vendor.daemon.log());
    let status = vendor.accompany(&run, at_rest).unwrap();
    check_end(&mut vendor, &run, &status, TTL);
    assert_eq!(vendor.ttls("A"), [Some(TTL)]);
    assert_eq!(name_servers::says(vendor.dns.servers()[0], SERVICE, "A").0, [address(NodeId::B).to_string()]);
}

/// The update has taken effect on the server, and nothing is recorded of it.
#[cfg(feature = "test-kill")]
#[tokio::test(flavor = "multi_thread")]
async fn r7_killed_right_after_the_ttl_was_lowered_it_is_remembered() {
    let mut first = vendor().await;
    first.daemon.start(None);
    let run = first.start_run("role-swap");
    first.accompany(&run, |status| status["gate"] == "not_in_backup" || at_rest(status)).unwrap();
    let records = first.records(&run);
    let begun = records.iter().find(|record| record["event"] == "step_begun" && record["step"] == LOWER);
    let answer = begun.unwrap_or_else(|| panic!("{records:#?}"))["seq"].as_u64().unwrap() + 1;
    drop(first);

    let mut vendor = vendor().await;
    vendor.daemon.start(Some(&format!("before:{answer}")));
    let run = vendor.start_run("role-swap");
    let ended = vendor.accompany(&run, at_rest);
    assert!(ended.is_none(), "the daemon was not killed before record {answer}: {ended:?}\n{}", vendor.daemon.log());
    assert_eq!(vendor.ttls("A")[0], Some(60), "the server took it before the daemon died");
    vendor.daemon.kill();
    vendor.daemon.start(None);
    let status = vendor.accompany(&run, at_rest).unwrap();
    check_end(&mut vendor, &run, &status, TTL);
    assert_eq!(vendor.ttls("A"), [Some(TTL); 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn r7_killed_between_the_switch_and_the_restoring_the_ttl_is_restored() {
    let mut vendor = vendor().await;
    vendor.daemon.start(None);
    let run = vendor.start_run("role-swap");
    let soaking = vendor.accompany(&run, |status| status["left"].is_object() || at_rest(status)).unwrap();
    assert!(soaking["left"].is_object(), "{soaking}");
    vendor.daemon.kill();
    assert_eq!(vendor.ttls("A"), [Some(60); 2]);
    vendor.daemon.start(None);
    let status = vendor.accompany(&run, at_rest).unwrap();
    check_end(&mut vendor, &run, &status, TTL);
    assert_eq!(vendor.ttls("A"), [Some(TTL); 2]);
}

/// The way home, before anything was disturbed and with failover broken.
#[tokio::test(flavor = "multi_thread")]
async fn r7_a_run_that_is_given_up_restores_the_ttl() {
    type Where = fn(&Value) -> bool;
    let places: [(&str, Where); 2] = [
        ("linked", |status| status["gate"] == GATE),
        ("broken", |status| status["step"]["id"] == "window-1.update.b" && status["waiting_on"] == "operator"),
    ];
    for (step, there) in places {
        let mut vendor = vendor().await;
        vendor.daemon.start(None);
        let run = vendor.start_run("role-swap");
        let status = vendor.accompany(&run, |status| there(status) || at_rest(status)).unwrap();
        assert!(there(&status) && vendor.ttls("A") == [Some(60); 2], "{step}: {status}");
        vendor.daemon.json(&["abort", &run, "--yes"]);
        let status = vendor.accompany(&run, at_rest).unwrap();
        assert_eq!(status["outcome"], "aborted", "{step}: {status}\n{}", vendor.daemon.log());
        assert_eq!(vendor.ttls("A"), [Some(TTL); 2], "{step}");
        let truth = vendor.truth();
        assert!(truth.linked && truth.broken_promises.is_empty(), "{step}: {:?}", truth.broken_promises);
        assert_eq!(truth.serving, Some(NodeId::A), "{step}");
    }
}

/// The server's administrator takes the right away after the preflight: the run is held before anything was disturbed, and says
/// what the server said. With the right given back it goes on.
#[tokio::test(flavor = "multi_thread")]
async fn r7_a_zone_that_refuses_the_ttl_holds_the_run_with_the_server_s_word() {
    let mut vendor = vendor().await;
    vendor.simulator.current().plan_fault(Planned::for_ever(Fault::BackupErrorText).on(NodeId::B));
    vendor.daemon.start(None);
    let run = vendor.start_run("role-swap");
    let held = vendor.accompany(&run, at_rest).unwrap();
    assert_eq!(held["step"]["id"], "prepare.backup.b", "{held}");
    let dns = vendor.dns.clone();
    let Dns::Named(pair) = &*dns else { unreachable!("this zone is BIND's") };
    pair.forbid(&zone(TTL));
    vendor.simulator.current().plan_fault(Planned { times: Some(0), ..Planned::for_ever(Fault::BackupErrorText).on(NodeId::B) });
    vendor.daemon.json(&["resume", &run]);
    let held = vendor.accompany(&run, at_rest).unwrap();
    assert_eq!((&held["step"]["id"], &held["held"]["code"]), (&LOWER.into(), &"step_failed".into()), "{held}");
    let page = vendor.daemon.cli(&["status", &run]);
    let page = String::from_utf8_lossy(&page.stdout).into_owned();
    let words =
        ["REFUSED", SERVICE, "check key name, secret, clock, ACL", "nothing was changed", "changeover traffic test support"];
    words.iter().for_each(|part| assert!(page.contains(part), "`{part}` is not in\n{page}"));
    assert!(held["guide"]["state"].as_str().is_some_and(|state| state.starts_with("failover is still on")), "{held}");
    vendor.await_alert("step_failed");
    assert_eq!(vendor.ttls("A"), [Some(TTL); 2]);
    // `traffic test` tells the same, without a run's help.
    let test = vendor.daemon.cli(&["traffic", "test", "support", "--json"]);
    assert_eq!(test.status.code(), Some(1));
    pair.allow(&zone(TTL));
    vendor.daemon.json(&["resume", &run]);
    let status = vendor.accompany(&run, at_rest).unwrap();
    check_end(&mut vendor, &run, &status, TTL);
    assert_eq!(vendor.ttls("A"), [Some(TTL); 2]);
}
