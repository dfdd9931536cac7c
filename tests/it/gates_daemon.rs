//! People, gates and evidence through the real daemon process, its socket and the real command line. Whoever runs the tests is the
//! one user that the kernel vouches for; their roles are what changes.

use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use crate::daemon::{PATIENCE, last_json};
use crate::whole_runs::ExecPair;

fn me() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

const GATE: &str = "\n[policy.gates.automatic_failover_off]\nroles = [\"owner\"]\n";

fn pair(user: &str, roles: &str) -> ExecPair {
    let me = format!("[people.{user}]\nname = \"Whoever Tests\"\nroles = [{roles}]\n");
    let other = "[people.other1]\nname = \"Other One\"\nroles = [\"owner\"]\n";
    ExecPair::start_with(&format!("{me}{other}"), GATE)
}

fn until_gate(pair: &mut ExecPair, run: &str, gate: &str) -> Value {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        match pair.daemon.status(run) {
            Some(status) if status["gate"] == gate => return status,
            Some(status) if status["gate"] == "not_in_backup" => drop(pair.daemon.cli(&["confirm", run, "not_in_backup"])),
            _ => {}
        }
        pair.daemon.listen();
    }
    panic!("`{gate}` never opened\n{}", pair.daemon.log());
}

#[test]
fn a_user_without_the_role_is_refused_and_recorded() {
    let mut pair = pair(&me(), "\"operator\"");
    let run = pair.daemon.start_run("role-swap", "now +8h", "now +8h");
    let status = until_gate(&mut pair, &run, "automatic_failover_off");
    assert_eq!(status["gate_state"]["asked_of"], serde_json::json!(["owner"]), "{status}");
    let refused = pair.daemon.cli(&["confirm", &run, "--json"]);
    let error = last_json(&refused.stderr);
    assert_eq!((refused.status.code(), &error["code"]), (Some(1), &"not_allowed".into()), "{error}");
    let shown = pair.daemon.cli(&["journal", "show", &run]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains(&format!("Whoever Tests ({})", me())) && shown.contains("denied"), "{shown}");
    assert_eq!(pair.daemon.status(&run).unwrap()["phase"], "waiting");
}

#[test]
fn a_user_with_the_role_is_heard_on_what_they_saw() {
    let mut pair = pair(&me(), "\"owner\"");
    let run = pair.daemon.start_run("role-swap", "now +8h", "now +8h");
    until_gate(&mut pair, &run, "automatic_failover_off");
    let page = String::from_utf8(pair.daemon.cli(&["status", &run]).stdout).unwrap();
    assert!(page.contains("asks       owner; 0 of 1 have accepted"), "{page}");
    let hash = page.split_once("(evidence ").unwrap().1.split_once(')').unwrap().0.to_owned();
    let other = pair.daemon.cli(&["confirm", &run, "--evidence", "000000000000", "--json"]);
    assert_eq!(last_json(&other.stderr)["code"], "evidence_changed");
    let status = pair.daemon.json(&["confirm", &run, "automatic_failover_off", "--evidence", &hash, "--note", "both off"]);
    assert_ne!(status["gate"], "automatic_failover_off", "{status}");
    let waived = pair.daemon.cli(&["waive", &run, "in_window", "--reason", "why not", "--json"]);
    assert_eq!((waived.status.code(), &last_json(&waived.stderr)["code"]), (Some(1), &"not_allowed".into()));
}

#[test]
fn whoever_is_not_among_the_people_may_read_and_nothing_else() {
    let mut pair = pair("nobody-here", "\"owner\"");
    let package = pair.daemon.folder.join("base.nss");
    let start = ["start", "support", "--to", "24.2.1", "--package", package.to_str().unwrap(), "--json"];
    let refused = pair.daemon.cli(&[&start[..], &["--first", "now +8h", "--second", "now +8h"]].concat());
    let error = last_json(&refused.stderr);
    assert_eq!((refused.status.code(), &error["code"]), (Some(1), &"not_allowed".into()), "{error}");
    assert!(pair.daemon.cli(&["check", "support"]).status.success(), "{}", pair.daemon.log());
}
