//! `traffic look` and `traffic test` through the real daemon: NAT behind a program, and the vendor's boxes with a zone.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::daemon::{Daemon, last_json};
use crate::named;
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
    let nat = format!("[[traffic]]\ndriver = \"exec\"\nprogram = [\"{}\", \"nat\"]\n", folder.join("ctl").display());
    with_entry(folder, &nat)
}

/// The pair behind the program, led to as this entry says.
fn with_entry(folder: &Path, traffic: &str) -> Daemon {
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
    assert_eq!(daemon.cli(&["traffic", "test", "support", "--ttl", "soon"]).status.code(), Some(2));
    assert_eq!(daemon.terminate(), Some(0));
}

/// What a switch writes is shown as it is written: addresses of either family, aliases, several names.
#[tokio::test(flavor = "multi_thread")]
async fn bg_40_what_a_switch_writes_is_shown_record_by_record() {
    let (a, b) = ("a.example.com", "b.example.com");
    let service = "support.example.com";
    let cases: [(&str, &[(&str, &str)]); 5] = [
        ("", &[("support.example.com A", "192.0.2.10 192.0.2.20")]),
        (
            "addresses = { a = \"2001:db8::10\", b = \"2001:db8::20\" }\n",
            &[("support.example.com AAAA", "2001:db8::10 2001:db8::20")],
        ),
        (
            "addresses = { a = [\"192.0.2.10\", \"2001:db8::10\"], b = [\"192.0.2.20\", \"2001:db8::20\"] }\n",
            &[("support.example.com A", "192.0.2.10 192.0.2.20"), ("support.example.com AAAA", "2001:db8::10 2001:db8::20")],
        ),
        (
            "record = \"desk.example.com\"\ntargets = { a = \"a.example.com\", b = \"b.example.com\" }\n",
            &[("desk.example.com CNAME", "a.example.com b.example.com")],
        ),
        (
            "records = [\"www.example.com\"]\n",
            &[("support.example.com A", "192.0.2.10 192.0.2.20"), ("www.example.com A", "192.0.2.10 192.0.2.20")],
        ),
    ];
    let ip = |text: &str| text.parse::<std::net::IpAddr>().unwrap();
    let records =
        vec![(service, ip("192.0.2.10"), 60), (service, ip("2001:db8::10"), 60), ("www.example.com", ip("192.0.2.10"), 60)];
    let nodes = vec![(a, ip("192.0.2.10"), 60), (b, ip("192.0.2.20"), 60)];
    let options = named::Options {
        zone: "example.com",
        records: [records, nodes].concat(),
        aliases: vec![("desk.example.com", a, 60)],
        updatable: vec![service, "www.example.com", "desk.example.com"],
        negative: 30,
        secondary_follows: true,
    };
    let server = tokio::task::spawn_blocking(move || named::Pair::start(&options)).await.unwrap();
    for (lines, written) in cases {
        let folder = tempfile::tempdir().unwrap();
        let mut daemon = with_entry(folder.path(), &entry(&server, folder.path(), lines));
        daemon.start(None);
        let ways: Vec<String> = ["a", "b"].map(|to| ways(written, to)).to_vec();
        let test = daemon.json(&["traffic", "test", "support"]);
        let tested = &test["entries"][0];
        assert_eq!((&tested["forward"], &tested["reverse"]), (&ways[1].as_str().into(), &ways[0].as_str().into()), "{test}");
        let page = daemon.cli(&["traffic", "test", "support"]);
        let page = String::from_utf8_lossy(&page.stdout).into_owned();
        assert!(page.contains(&format!("{}; back: {}", ways[1], ways[0])), "{page}");
        let look = daemon.cli(&["traffic", "look", "support"]);
        let look = String::from_utf8_lossy(&look.stdout).into_owned();
        for (record, values) in written {
            let (at_a, at_b) = values.split_once(' ').unwrap();
            let line = format!("  {record}: {at_a} (node a), {at_b} (node b)\n");
            assert!(look.contains(&line), "`{line}` is not in\n{look}");
        }
        let shown = daemon.json(&["traffic", "look", "support"]);
        assert_eq!(shown["entries"][0]["records"].as_array().map(Vec::len), Some(written.len()), "{shown}");
        assert_eq!(daemon.terminate(), Some(0));
    }
}

/// The change to a node, as it must be said.
fn ways(written: &[(&str, &str)], to: &str) -> String {
    let from = if to == "a" { "b" } else { "a" };
    let each = written.iter().map(|(record, values)| {
        let (at_a, at_b) = values.split_once(' ').unwrap();
        let (old, new) = if to == "b" { (at_a, at_b) } else { (at_b, at_a) };
        format!("{record} {old} -> {new}")
    });
    format!("from node {from} to node {to}: {}", each.collect::<Vec<_>>().join(", "))
}

/// An entry of this name server, its secret beside the config.
fn entry(server: &named::Pair, folder: &Path, lines: &str) -> String {
    std::fs::write(folder.join("tsig.b64"), named::SECRET).unwrap();
    format!(
        "[[traffic]]\ndriver = \"rfc2136\"\nprimary = \"{0}\"\nservers = [\"{0}\", \"{1}\"]\nzone = \"example.com\"\n{lines}\
         tsig_name = \"{2}\"\ntsig_secret_file = \"{3}\"\n",
        server.primary,
        server.secondary,
        named::KEY,
        folder.join("tsig.b64").display()
    )
}

/// BG-40: this machine's clock is ten minutes off the name server's. The test says so with both times, a run is held at its preflight,
/// and nothing was changed.
#[cfg(feature = "test-kill")]
#[tokio::test(flavor = "multi_thread")]
async fn bg_40_clocks_that_differ_are_named_by_the_test_and_the_preflight() {
    let dns = tokio::task::spawn_blocking(|| named::Pair::start(&crate::vendor::zone(60))).await.unwrap();
    let mut vendor = Vendor::on(crate::vendor::Dns::Named(dns), "", 600).await;
    vendor.daemon.doors.push(("CHANGEOVER_TEST_SIGNED_AHEAD", "600".to_owned()));
    vendor.daemon.start(None);
    let before = crate::name_servers::serial(vendor.dns.servers()[0], "example.com");
    let tested = vendor.daemon.cli(&["traffic", "test", "support"]);
    let page = String::from_utf8_lossy(&tested.stdout).into_owned();
    let words = ["fail", "BADTIME: clock skew: this machine signed at", "the server's clock says", "nothing was changed"];
    words.iter().for_each(|word| assert!(page.contains(word), "`{word}` is not in\n{page}"));
    assert!(tested.status.code() == Some(1) && page.contains("a switch can't be counted on"), "{page}");
    let run = vendor.start_run("role-swap");
    let held = vendor.accompany(&run, crate::vendor::at_rest).unwrap();
    assert_eq!(held["step"]["id"], "prepare.preflight", "{held}");
    let page = vendor.daemon.cli(&["status", &run]);
    let page = String::from_utf8_lossy(&page.stdout).into_owned();
    assert!(page.contains("clock skew") && page.contains("the server's clock says"), "{page}");
    assert_eq!(
        (crate::name_servers::serial(vendor.dns.servers()[0], "example.com"), vendor.ttls("A")),
        (before, vec![Some(60); 2])
    );
    // With the clock put right the run goes on from where it is.
    vendor.daemon.kill();
    vendor.daemon.doors.clear();
    vendor.daemon.start(None);
    vendor.daemon.json(&["resume", &run]);
    let on = vendor.accompany(&run, |status| status["gate"] == "not_in_backup" || crate::vendor::at_rest(status)).unwrap();
    assert_eq!(on["gate"], "not_in_backup", "{on}");
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
