//! `traffic look` and `traffic test` through the real daemon: NAT behind a program, and the vendor's boxes with a zone.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::daemon::{Daemon, last_json};
use crate::vendor::Vendor;

/// A pair and a NAT rule in a file, behind one program.
const PAIR: &str = r#"#!/bin/sh
cat > /dev/null
cd "$(dirname "$0")" || exit 11
case $1/$2 in
nat/look)
    to=$(cat rule)
    printf '{"answers":[{"server":"gateway","name":"support.example.com","target":"%s"}],"serving_identity":"box-%s"}' "$to" "$to" ;;
nat/*) exit 64 ;;
*/observe)
    role=primary; [ "$1" = b ] && role=standby
    printf '{"identity":"box-%s","version":"24.1.1","role":"%s","healthy":true,"users":1,"sessions":1,"at_work":[{"who":"anna","from":"192.0.2.7"}],
        "last_sync":{"at":"%s","ok":true}}' "$1" "$role" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" ;;
*) exit 10 ;;
esac
"#;

fn pair(folder: &Path) -> Daemon {
    let program = folder.join("ctl");
    std::fs::write(&program, PAIR).unwrap();
    std::fs::write(folder.join("rule"), "a").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    let program = program.display();
    let node = |name: &str, last: u8| {
        format!(
            "[nodes.{name}]\ndriver = \"exec\"\nprogram = [\"{program}\", \"{name}\"]\nidentity = \"box-{name}\"\naddress = \"192.0.2.{last}\"\n"
        )
    };
    let head = "name = \"support\"\nservice = \"support.example.com\"\n";
    let traffic = format!("[[traffic]]\ndriver = \"exec\"\nprogram = [\"{program}\", \"nat\"]\n");
    Daemon::new(folder, &format!("{head}{}{}{traffic}", node("a", 10), node("b", 20)), "", None)
}

#[test]
fn a_nat_rule_behind_a_program_is_looked_at_and_tested() {
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = pair(folder.path());
    daemon.start(None);
    let look = daemon.json(&["traffic", "look", "support"]);
    assert_eq!((&look["ok"], &look["agreement"]["node"]), (&true.into(), &"a".into()), "{look}");
    assert_eq!((&look["agreement"]["behind"], &look["entries"][0]["target"]), (&"a".into(), &"a".into()), "{look}");
    let page = daemon.cli(&["traffic", "look", "support"]);
    let page = String::from_utf8_lossy(&page.stdout).into_owned();
    for part in [
        "gateway",
        "node a serves; node a: primary (",
        "node b: standby (",
        "node a on 1 of 1 servers",
        "box box-a of node a answers there",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    let test = daemon.json(&["traffic", "test", "support", "--ttl", "10s"]);
    assert_eq!(
        (&test["ok"], &test["entries"][0]["result"], &test["caches_seconds"]),
        (&true.into(), &"person".into(), &serde_json::Value::Null),
        "{test}"
    );
    assert_eq!(test["entries"][0]["reverse"], "from node b (192.0.2.20) to node a (192.0.2.10)", "{test}");
    std::fs::write(folder.path().join("rule"), "b").unwrap();
    let disputed = daemon.cli(&["traffic", "look", "support", "--json"]);
    assert_eq!(disputed.status.code(), Some(1));
    assert_eq!(last_json(&disputed.stdout)["agreement"]["verdict"], "disputed");
    let checks = last_json(&daemon.cli(&["check", "support", "--json"]).stdout);
    let check = checks["checks"].as_array().unwrap().iter().find(|check| check["name"] == "agreement").unwrap();
    assert_eq!(check["result"], "fail", "{check}");
    assert_eq!(daemon.cli(&["traffic", "look", "nowhere"]).status.code(), Some(1));
    assert_eq!(daemon.cli(&["traffic", "test", "support", "--ttl", "soon"]).status.code(), Some(1));
    assert_eq!(daemon.terminate(), Some(0));
}

/// The box that answers for the service's name is asked for its GUID, over TLS with that name, before and after the switch.
#[tokio::test(flavor = "multi_thread")]
async fn r13_the_vendors_box_behind_the_name_is_known() {
    let mut vendor = Vendor::start(false, 600).await;
    vendor.daemon.start(None);
    let look = vendor.daemon.json(&["traffic", "look", "support"]);
    assert_eq!((&look["ok"], &look["agreement"]["behind"]), (&true.into(), &"a".into()), "{look}\n{}", vendor.daemon.log());
    assert_eq!(look["entries"][0]["answers"][0]["ttl"], 60, "{look}");
    let test = vendor.daemon.json(&["traffic", "test", "support"]);
    assert_eq!((&test["ok"], &test["lowered_seconds"]), (&true.into(), &60.into()), "{test}");
    assert!(test["caches_seconds"].as_u64() >= Some(60), "{test}");
    let calls = vendor.simulator.calls();
    assert!(calls.keys().all(|kind| matches!(*kind, "read" | "token" | "page")), "{calls:?}");
    let run = vendor.start_run("role-swap");
    let soaking = vendor.accompany(&run, |status| status["left"].is_object() && status["waiting_on"] == "gate").unwrap();
    assert_eq!((&soaking["agreement"]["behind"], &soaking["reverse"]["to"]), (&"b".into(), &"a".into()), "{soaking}");
    let page = vendor.daemon.cli(&["status", &run]);
    let page = String::from_utf8_lossy(&page.stdout).into_owned();
    for part in ["  agreement  node b serves;", "  left side  node a, since", "  way back   rfc2136 support.example.com"] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    assert_eq!(vendor.daemon.terminate(), Some(0));
}
