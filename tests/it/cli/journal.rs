//! The journal's commands, and `watch`.

use std::process::Stdio;

use changeover::domain::event::{Event, Outcome, WaitingOn};
use changeover::domain::journal::Record;
use serde_json::{Value, json};

use super::{Left, ask, binary, run, told_in};
use crate::api::daemon::{Daemon, write};
use crate::api::fake::led_to;

#[test]
fn what_is_exported_can_be_verified_offline() {
    let daemon = Daemon::start();
    led_to(&daemon.fake, "finished");
    let file = daemon.path("support-1.jsonl");
    let file = file.to_str().unwrap();
    let left = ask(&daemon, &["journal", "export", "support-1", "--output", file, "--json"]);
    assert_eq!((left.code, left.json()), (0, json!({ "run": "support-1", "records": 29, "file": file })));
    let again = ask(&daemon, &["journal", "export", "support-1", "--output", file]);
    assert_eq!(again.code, 1, "a file that is there is kept: {again:?}");
    let shown = ask(&daemon, &["journal", "export", "support-1"]).stdout;
    assert_eq!(shown, std::fs::read_to_string(file).unwrap());

    let left = run(&["journal", "verify", "--file", file, "--json"]);
    let head = serde_json::from_str::<Record>(shown.lines().last().unwrap()).unwrap().hash;
    let verified = json!({ "ok": true, "runs": [{ "run": "support-1", "records": 29, "head": head, "phase": "finished" }] });
    assert_eq!((left.code, left.json()), (0, verified.clone()));
    assert_eq!(ask(&daemon, &["journal", "verify", "support-1", "--json"]).json(), verified);
    assert_eq!(run(&["journal", "verify", "support-2", "--file", file]).code, 1);
}

#[test]
fn every_damage_to_a_file_is_found() {
    let daemon = Daemon::start();
    led_to(&daemon.fake, "gate");
    let plain = ask(&daemon, &["journal", "export", "support-1"]).stdout;
    let lines: Vec<&str> = plain.lines().collect();
    let summed: String = lines.iter().map(|line| format!("{line} {:08x}\n", crc32c::crc32c(line.as_bytes()))).collect();
    let without = |gone: usize| lines.iter().enumerate().filter(|(i, _)| *i != gone).map(|(_, l)| format!("{l}\n")).collect();
    let cut = |text: &str| text[..text.len() - 20].to_owned();
    let cases: Vec<(&str, String, i32, &str)> = vec![
        ("plain", plain.clone(), 0, ""),
        ("with sums", summed.clone(), 0, ""),
        ("cut off", cut(&summed), 0, "the last line of"),
        ("cut off, plain", cut(&plain), 0, "the last line of"),
        ("empty", String::new(), 1, "holds no records of any run"),
        ("first record missing", without(0), 1, "record 2 of run `support-1` where record 1 was expected"),
        ("a record missing", without(4), 1, "record 6 of run `support-1` where record 5 was expected"),
        ("another actor", plain.replacen("\"daemon\"", "\"nobody\"", 1), 1, "does not match its own hash"),
        ("another actor, with sums", summed.replacen("\"daemon\"", "\"nobody\"", 1), 1, "line 2: the line's sum is wrong"),
        ("no record", format!("{{}}\n{plain}"), 1, "line 1: no record"),
        ("no JSON", "hello\n".to_owned(), 1, "line 1: no record"),
        ("endless line", "x".repeat(3 << 20), 1, "line 1: no record"),
    ];
    let file = daemon.path("journal.log");
    for (what, text, code, said) in cases {
        write(&file, text.as_bytes());
        let left = run(&["journal", "verify", "--file", file.to_str().unwrap()]);
        assert_eq!(left.code, code, "{what}: {left:?}");
        assert!(left.stderr.contains(said), "{what}: {left:?}");
    }
}

#[test]
fn a_daemon_that_shows_another_state_than_its_journal_is_found() {
    let daemon = Daemon::start();
    let id = led_to(&daemon.fake, "gate");
    assert_eq!(ask(&daemon, &["journal", "verify", "support-1"]).code, 0);
    daemon.fake.lie(&id);
    let left = ask(&daemon, &["journal", "verify", "support-1", "--json"]);
    assert_eq!((left.code, left.error()["code"].clone()), (1, json!("differs")));
    let causes = left.error()["causes"].clone();
    for cause in causes.as_array().unwrap() {
        let cause = cause.as_str().unwrap();
        assert!(cause.contains(": the journal gives ") && cause.contains(", the daemon shows "), "{cause}");
    }
    assert!(!causes.as_array().unwrap().is_empty(), "{left:?}");
}

#[test]
fn journal_show_is_a_table_or_the_records() {
    let daemon = Daemon::start();
    led_to(&daemon.fake, "held");
    let left = ask(&daemon, &["journal", "show", "support-1"]);
    let mut lines = left.stdout.lines();
    assert_eq!(lines.next(), Some("SEQ  AT                    ACTOR   EVENT      STEP                   REASON"));
    assert_eq!(lines.next(), Some("1    2026-11-22T01:00:00Z  alice   started    -                      a person started it"));
    let shown = ask(&daemon, &["journal", "show", "support-1", "--json"]).json();
    assert_eq!(shown["run"], "support-1");
    assert_eq!(shown["records"].as_array().map(Vec::len), Some(8));
    for key in ["seq", "at", "actor", "event", "step", "reason", "hash", "previous", "data"] {
        assert!(shown["records"][7].get(key).is_some(), "{key}");
    }
}

#[test]
fn watch_follows_until_the_run_is_finished() {
    let daemon = Daemon::start();
    let id = led_to(&daemon.fake, "finished");
    let left = ask(&daemon, &["watch", "support-1"]);
    assert_eq!(left.code, 0);
    let end = left.stdout.split_once("\n\nserving: node a\nstate: failover is on again; node `b` serves; ").unwrap();
    assert_eq!(end.0.lines().count(), 29);
    for part in ["\n\nby hand you may:\n  - use the pair as usual", "\n\nby hand you must not:\n  - do not update a node while"] {
        assert!(end.1.contains(part), "{}", left.stdout);
    }
    assert_eq!(left.stdout.lines().next(), Some("2026-11-22T01:00:00Z  -  a person started it (alice)"));
    assert_eq!(left.stdout.lines().nth(8), Some("2026-11-22T01:08:00Z  window-1.break_failover.a  because"));
    let left = told_in(&daemon, "America/New_York", &["watch", "support-1"]);
    assert!(
        left.stdout.starts_with("2026-11-22T01:00:00Z (2026-11-21 20:00 America/New_York)  -  a person started it"),
        "{left:?}"
    );
    let left = ask(&daemon, &["watch", "support-1", "--json"]);
    assert_eq!((left.stdout.lines().count(), left.json()["phase"].clone()), (30, json!("finished")));
    assert_eq!(left.json()["run"], json!(id.to_string()));
}

#[test]
fn watch_tells_at_a_hold_what_may_be_done_by_hand() {
    let daemon = Daemon::start();
    led_to(&daemon.fake, "held");
    let closes = || ask(&daemon, &["close", "support-1", "--as", "done by hand", "--note", "n", "--yes"]);
    let child = binary()
        .args(["watch", "support-1"])
        .env("CHANGEOVER_SOCKET", &daemon.socket)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.unwrap();
    // The hold is told with the first lines, before the end comes.
    let mut told = Vec::new();
    while !String::from_utf8_lossy(&told).contains("by hand you must not:\n") {
        let mut next = [0; 1];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut next).unwrap();
        told.extend(next);
    }
    let told = String::from_utf8(told).unwrap();
    assert!(told.contains("\nserving: node a\nstate: ") && told.contains("\n\nby hand you may:\n  - "), "{told}");
    assert!(told.contains("  held (sync_failed): ") && told.contains("\nwhat helps: look at the failover page"), "{told}");
    assert_eq!(closes().code, 0);
    let left = Left::of(child.wait_with_output().unwrap());
    assert_eq!((left.code, left.stderr.as_str()), (0, ""));
    assert!(left.stdout.contains("\n\nserving: node a\nstate: "), "{}", left.stdout);
}

#[test]
fn watch_ends_with_a_run_that_was_closed() {
    let daemon = Daemon::start();
    led_to(&daemon.fake, "gate");
    let closed = ask(&daemon, &["close", "support-1", "--as", "done by hand", "--note", "n", "--yes"]);
    assert_eq!(closed.code, 0, "{closed:?}");
    let left = ask(&daemon, &["watch", "support-1", "--json"]);
    assert_eq!((left.code, left.json()["run"].clone()), (0, json!("support-1")), "{left:?}");
}

/// As root only: nobody else can give a folder away.
#[test]
fn what_belongs_to_another_user_is_not_rebuilt() {
    let state = tempfile::tempdir().unwrap();
    if std::os::unix::fs::chown(state.path(), Some(65534), None).is_err() {
        return;
    }
    let left = super::run(&["journal", "rebuild", "--state", state.path().to_str().unwrap(), "--json"]);
    assert_eq!((left.code, &left.error()["code"]), (1, &json!("wrong_user")), "{left:?}");
    assert!(left.error()["hint"].as_str().unwrap().contains("sudo -u '#65534' changeover journal rebuild --state "), "{left:?}");
    assert_eq!(std::fs::read_dir(state.path()).unwrap().count(), 0);
}

#[test]
fn a_folder_without_a_store_is_not_rebuilt() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("letters.txt"), "x").unwrap();
    let left = run(&["journal", "rebuild", "--state", folder.path().to_str().unwrap(), "--json"]);
    assert_eq!((left.code, &left.error()["code"]), (1, &json!("store_unusable")), "{left:?}");
    assert!(left.stderr.contains("neither `journal.log` nor `db` is there"), "{left:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "something was made");
}

#[test]
fn watch_sees_records_that_come_later() {
    let daemon = Daemon::start();
    let id = daemon.fake.run_at("end");
    let mut watch = binary();
    watch.args(["watch", "support-1"]).env("CHANGEOVER_SOCKET", &daemon.socket);
    let mut child = watch.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Its first lines are there, so it has begun to follow.
    let mut first = [0; 10];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut first).unwrap();
    daemon.fake.push(&id, Event::Waited { on: WaitingOn::Appliance, until: None });
    daemon.fake.push(&id, Event::Finished { outcome: Outcome::Succeeded });
    let left = Left::of(child.wait_with_output().unwrap());
    assert_eq!((left.code, left.stderr.as_str()), (0, ""));
    assert!(left.stdout.contains("2026-11-22T01:29:00Z  -  because\n\nserving: node a\n"), "{}", left.stdout);
    let finished: Vec<Value> = ask(&daemon, &["journal", "export", "support-1"])
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(finished.last().unwrap()["event"], "finished");
}

type Spoil = fn(&mut Record);

/// A file of several runs: the bad one is named by file, line and record, with what was expected and found; the others are counted.
#[test]
fn one_bad_run_among_others_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.log");
    let kept = crate::journals::kept();
    let other = chained("other-1", &kept["1-in-virtual-time/in-place.jsonl"], |_| {});
    let cases: [(&str, Spoil, &str, &str); 3] = [
        (
            "record 4 of run `support-1` holds the event `sung`",
            |record| record.event = "sung".to_owned(),
            "journal_unreadable",
            "unknown variant `sung`",
        ),
        ("record 4", |record| record.event = "finished".to_owned(), "journal_unreadable", "missing field"),
        (
            "record 4",
            |record| (record.event, record.data) = ("resumed".to_owned(), json!({ "first": null, "second": null })),
            "journal_unreadable",
            "is not expected there",
        ),
    ];
    for (message, spoil, code, cause) in cases {
        let bad = chained("support-1", &kept["1-in-virtual-time/role-swap.jsonl"], spoil);
        // Interleaved, as in a daemon's log: the fourth record of the second run is the eighth line.
        let lines: Vec<String> = other
            .iter()
            .zip(&bad)
            .flat_map(|pair| [pair.0, pair.1])
            .map(|record| serde_json::to_string(record).unwrap() + "\n")
            .collect();
        write(&path, lines.concat().as_bytes());
        let left = run(&["journal", "verify", "--file", path.to_str().unwrap(), "--json"]);
        let error = left.error();
        assert_eq!((left.code, error["code"].as_str()), (1, Some(code)), "{message}: {left:?}");
        let told = error["message"].as_str().unwrap();
        assert!(told.contains("journal.log`, line 8: ") && told.contains(message), "{told}");
        assert!(error["causes"][0].as_str().unwrap().contains(cause), "{error}");
        assert!(error["state"].as_str().unwrap().contains("other runs in it: 1"), "{error}");
        assert_eq!(run(&["journal", "verify", "other-1", "--file", path.to_str().unwrap()]).code, 0);
    }
}

/// A journal as that of another run, its fourth record changed before the chain is made.
fn chained(run: &str, records: &[Record], spoil: Spoil) -> Vec<Record> {
    let run = run.parse().unwrap();
    let mut records = records.to_vec();
    spoil(&mut records[3]);
    records.into_iter().fold(Vec::new(), |mut chained, record| {
        let Record { at, actor, event, step, reason, data, .. } = record;
        let entry = changeover::domain::journal::Entry { at, actor, event, step, reason, data };
        chained.push(Record::chain(&run, chained.last(), entry));
        chained
    })
}
