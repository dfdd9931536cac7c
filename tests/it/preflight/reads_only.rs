//! A check changes nothing, counted where the calls arrive.

use std::os::unix::fs::PermissionsExt as _;

use crate::daemon::Daemon;
use crate::vendor::Vendor;

/// A pair whose program notes every verb that it is asked for.
const PAIR: &str = r#"#!/bin/sh
cat > /dev/null
node=$1 verb=$2
echo "$verb" >> "$(dirname "$0")/verbs"
role=primary; [ "$node" = b ] && role=standby
case $verb in
observe) printf '{"identity":"box-%s","version":"24.1.1","role":"%s","healthy":true,"users":0,"sessions":0,
    "last_sync":{"at":"%s","ok":true}}' "$node" "$role" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" ;;
look) printf '{"answers":[{"server":"ns1","name":"support.example.com","target":"a","ttl":60}],"serving_identity":null}' ;;
*) exit 10 ;;
esac
"#;

/// Over HTTPS: tokens, site pages and readings; no backup, no report, nothing that writes.
#[tokio::test(flavor = "multi_thread")]
async fn a_check_of_the_vendors_boxes_makes_no_writing_call() {
    let mut vendor = Vendor::start(false, 60).await;
    vendor.daemon.start(None);
    let checks = vendor.daemon.json(&["check", "support"]);
    assert_eq!(checks["ok"], true, "{checks}");
    let check = &checks["checks"][0];
    assert!(check["age_seconds"].is_i64() && check["valid_until"].is_string() && check["basis"].is_string(), "{check}");
    let package = vendor.daemon.folder.join("base.nss").display().to_string();
    let order = ["plan", "support", "--to", "24.2.1", "--package", &package, "--first", "now +8h", "--second", "now +30d"];
    vendor.daemon.cli(&order);
    let calls = vendor.simulator.calls();
    assert!(calls["read"] > 0 && calls["token"] > 0, "{calls:?}");
    assert!(calls.keys().all(|kind| matches!(*kind, "read" | "token" | "page")), "{calls:?}");
}

/// The counter does count: what a run does is among the calls.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_the_vendors_boxes_is_counted() {
    let mut vendor = Vendor::start(false, 600).await;
    vendor.daemon.start(None);
    let run = vendor.start_run("role-swap");
    vendor.accompany(&run, |status| status["waiting_on"] == "gate").unwrap();
    assert!(vendor.simulator.calls()["backup"] >= 2, "{:?}", vendor.simulator.calls());
}

#[test]
fn a_check_of_programs_asks_for_no_acting_verb() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("ctl");
    std::fs::write(&program, PAIR).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    let program = program.display();
    let node = |name: &str, last: u8| {
        format!(
            "[nodes.{name}]\ndriver = \"exec\"\nprogram = [\"{program}\", \"{name}\"]\nidentity = \"box-{name}\"\naddress = \"192.0.2.{last}\"\n"
        )
    };
    let traffic = format!("[[traffic]]\ndriver = \"exec\"\nprogram = [\"{program}\", \"a\"]\n");
    let head = "name = \"support\"\nservice = \"support.example.com\"\n";
    let site = format!("{head}{}{}{traffic}", node("a", 10), node("b", 20));
    let mut daemon = Daemon::new(folder.path(), &site, "", None);
    daemon.start(None);
    assert_eq!(daemon.json(&["check", "support"])["ok"], true, "{}", daemon.log());
    let verbs = std::fs::read_to_string(folder.path().join("verbs")).unwrap();
    assert!(verbs.lines().count() >= 6, "{verbs}");
    assert!(verbs.lines().all(|verb| matches!(verb, "observe" | "look")), "{verbs}");
}
