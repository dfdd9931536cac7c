//! The script of docs/guides/windows-dns.md, against BIND and with a TSIG key in place of Kerberos: Windows is not here.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::name_servers::{KEY, SECRET};

use super::lab::{Lab, RECORD, TTL, four, ip};

/// The script as the page has it, but for its head.
fn script(folder: &Path, lab: &Lab, ticket: &str, key: &str) -> PathBuf {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guides/windows-dns.md")).unwrap();
    let text = page.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let pair = |server: std::net::SocketAddr| format!("(\"{}\", \"{}\")", server.ip(), server.port());
    let head = [
        ("PRIMARY =", pair(lab.primary())),
        ("SERVERS =", format!("[{}, {}]", pair(lab.primary()), pair(lab.secondary()))),
        ("TICKET =", format!("[\"{ticket}\"]")),
        ("NSUPDATE =", format!("[\"nsupdate\", \"-y\", \"hmac-sha256:{key}:{SECRET}\", \"-v\", \"-t\", \"10\"]")),
    ];
    let line = |line: &str| match head.iter().find(|(name, _)| line.starts_with(name)) {
        Some((name, value)) => format!("{name} {value}"),
        None => line.to_owned(),
    };
    let file = folder.join("windows-dns");
    std::fs::write(&file, text.lines().map(line).collect::<Vec<_>>().join("\n")).unwrap();
    file
}

/// The exit code, and what it prints.
fn run(script: &Path, verb: &str, input: &Value) -> (Option<i32>, Value) {
    let mut command = Command::new("python3");
    let path = std::env::var("PATH").unwrap_or_default();
    command.arg(script).arg(verb).env("PATH", format!("{path}:/usr/bin:/usr/sbin"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or(Value::Null))
}

#[test]
fn the_script_looks_switches_and_sets_the_ttl() {
    let (folder, lab) = (tempfile::tempdir().unwrap(), Lab::bind(true));
    let script = script(folder.path(), &lab, "true", KEY);
    let (code, look) = run(&script, "look", &json!({ "site": "support" }));
    let answers = look["answers"].as_array().unwrap();
    assert_eq!((code, answers.len()), (Some(0), 2));
    let expected = json!({ "server": lab.primary().to_string(), "name": RECORD, "target": "a", "ttl": TTL });
    assert_eq!(answers[0], expected);
    assert_eq!(run(&script, "switch", &json!({ "from": "a", "to": "b" })), (Some(0), json!({})));
    assert_eq!(lab.holds(RECORD, false), (vec![four().b], Some(TTL)));
    let serial = lab.serial();
    assert_eq!(run(&script, "switch", &json!({ "from": "a", "to": "b" })).0, Some(0));
    assert_eq!(lab.serial(), serial, "the repeat changed the zone");
    assert_eq!(run(&script, "lower_ttl", &json!({ "ttl": 30 })), (Some(0), json!({ "before": TTL })));
    assert_eq!(lab.holds(RECORD, false), (vec![four().b], Some(30)));
    assert_eq!(run(&script, "restore_ttl", &json!({ "ttl": TTL })).0, Some(0));
    assert_eq!(lab.holds(RECORD, false).1, Some(TTL));
    assert_eq!(run(&script, "observe", &json!({})).0, Some(64));
}

/// 10 and 11 only where nothing changed for certain.
#[test]
fn the_script_says_what_it_knows() {
    let (folder, lab) = (tempfile::tempdir().unwrap(), Lab::bind(true));
    let asked = json!({ "from": "a", "to": "b" });
    assert_eq!(run(&script(folder.path(), &lab, "true", "nobody"), "switch", &asked).0, Some(10));
    assert_eq!(run(&script(folder.path(), &lab, "false", KEY), "switch", &asked).0, Some(11));
    lab.set(RECORD, &[ip("192.0.2.99")], TTL);
    let good = script(folder.path(), &lab, "true", KEY);
    assert_eq!(run(&good, "switch", &asked).0, Some(10));
    assert_eq!(run(&good, "look", &json!({})).1["answers"][0]["target"], Value::Null);
    assert_eq!(lab.holds(RECORD, false).0, [ip("192.0.2.99")]);
}
