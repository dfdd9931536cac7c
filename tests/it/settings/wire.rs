//! The ledger over real protocols.

use changeover::domain::ids::NodeId;
use changeover::simulator::world::SettingChanged;

use crate::vendor::{Vendor, at_rest};

/// Over HTTPS, through the real daemon, from the command line.
#[tokio::test(flavor = "multi_thread")]
async fn r9_the_ledger_is_listed_and_acknowledged_from_the_command_line() {
    let mut vendor = Vendor::start(false, 600).await;
    vendor.daemon.start(None);
    let run = vendor.start_run("in-place");
    vendor.accompany(&run, |status| status["gate"] == "production").unwrap();
    let changed = |name: &str| SettingChanged {
        kind: "user".to_owned(),
        id: "7".to_owned(),
        name: Some(name.to_owned()),
        value: "1".to_owned(),
        enabled: None,
    };
    vendor.simulator.current().change_setting(NodeId::B, changed("anna")).unwrap();
    vendor.accompany(&run, |status| status["step"]["action"] == "compare_settings" && status["waiting_on"] == "gate").unwrap();
    let ledger = vendor.daemon.json(&["ledger", &run]);
    assert_eq!((&ledger["keeper"], &ledger["open"]), (&"a".into(), &1.into()), "{ledger}");
    let line = &ledger["lines"][0];
    assert_eq!((&line["id"], &line["name"], &line["change"]), (&"b.user.7".into(), &"anna".into(), &"added".into()), "{ledger}");
    assert!(line["fate"].as_str().unwrap().contains("re-enter it by hand on node `a`"), "{ledger}");
    let page = vendor.daemon.cli(&["ledger", &run]);
    let page = String::from_utf8_lossy(&page.stdout).into_owned();
    assert!(page.contains("b.user.7: user `anna` added on node b") && page.contains("\n  open\n"), "{page}");
    assert_eq!(vendor.daemon.cli(&["confirm", &run, "settings_ledger"]).status.code(), Some(1));
    assert_eq!(vendor.daemon.cli(&["acknowledge", &run, "b.user.9"]).status.code(), Some(1));
    let taken = vendor.daemon.cli(&["acknowledge", &run, "b.user.7", "--note", "entered on node a"]);
    assert_eq!(taken.status.code(), Some(0), "{}", String::from_utf8_lossy(&taken.stderr));
    let status = vendor.accompany(&run, at_rest).unwrap();
    assert_eq!(status["outcome"], "succeeded", "{status}\n{}", vendor.daemon.log());
    let ledger = vendor.daemon.json(&["ledger", &run]);
    assert_eq!(ledger["lines"][0]["acknowledged"]["note"], "entered on node a", "{ledger}");
    assert!(!vendor.truth().nodes.b.settings.iter().any(|name| name.contains("anna")));
    vendor.await_alert("settings_changed");
    assert_eq!(vendor.daemon.terminate(), Some(0));
}

/// One box answers the listing at the break with something else: the run goes on, and everybody is told what the comparison lacks.
#[tokio::test(flavor = "multi_thread")]
async fn r9_a_listing_that_is_none_is_told_and_the_gate_says_what_is_not_compared() {
    let mut vendor = Vendor::start(false, 600).await;
    vendor.simulator.answer_instead(NodeId::B, "/api/config/v1/user", Some(("text/html", b"<html>Maintenance</html>".to_vec())));
    vendor.daemon.start(None);
    let run = vendor.start_run("in-place");
    let status = vendor.accompany(&run, |status| status["gate"] == "production" || at_rest(status)).unwrap();
    assert_eq!(status["gate"], "production", "{status}\n{}", vendor.daemon.log());
    vendor.await_alert("settings_unread");
    let evidence = status["gate_state"]["evidence"].to_string();
    assert!(evidence.contains("settings that could not be listed at the break") && evidence.contains("node `b`"), "{evidence}");
    let ledger = vendor.daemon.json(&["ledger", &run]);
    let [lacking] = ledger["not_listed"].as_array().unwrap().as_slice() else { panic!("{ledger}") };
    assert!(lacking.as_str().unwrap().starts_with("node `b`"), "{ledger}");
    let page = vendor.daemon.cli(&["ledger", &run]);
    let page = String::from_utf8_lossy(&page.stdout).into_owned();
    assert!(page.contains("  not listed node `b`") && page.contains("compare by hand"), "{page}");
    let status = vendor.accompany(&run, at_rest).unwrap();
    assert_eq!(status["outcome"], "succeeded", "{status}\n{}", vendor.daemon.log());
    let shown = vendor.records(&run);
    let compared = shown.iter().find(|record| record["event"] == "step_done" && record["step"] == "window-2.compare_settings");
    let found = compared.unwrap_or_else(|| panic!("{shown:#?}"))["data"]["evidence"]["found"].as_str().unwrap();
    assert!(found.contains("no settings were recorded at the break (node `b`") && found.contains("by hand"), "{found}");
}
