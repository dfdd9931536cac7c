//! The commands that tell a run something.

use changeover::domain::event::{Baseline, Event};
use std::io::Write as _;
use std::process::{Command, Stdio};

use changeover::engine::api::Fleet as _;
use serde_json::{Value, json};

use super::{Left, ORDER, ask, with};
use crate::api::daemon::{Daemon, user};
use crate::api::fake::led_to;

/// The last record: event, actor, data.
fn last(daemon: &Daemon) -> (String, String, Value) {
    let record = daemon.fake.journal(&"support-1".parse().unwrap(), 0).unwrap().pop().unwrap();
    (record.event, record.actor, record.data)
}

#[test]
fn start_prints_the_id() {
    let daemon = Daemon::start();
    let left = ask(&daemon, &with(&["start"], &ORDER));
    assert_eq!((left.code, left.stdout.as_str()), (0, "support-1\n"), "{left:?}");
    let told = format!(
        "window 1: 2026-11-22T01:00:00Z to 2026-11-22T05:00:00Z\nwindow 2: 2026-11-26T01:00:00Z to 2026-11-26T05:00:00Z\n\
         in charge: {}, of window two\nfollow it with `changeover watch support-1`\n",
        user()
    );
    assert_eq!(left.stderr, told);
    let left = ask(&daemon, &["start", "quiet", "--to", "24.2.1", "--package", "p", "--json"]);
    assert_eq!((left.code, left.stdout.as_str()), (0, "{\"run\":\"quiet-1\"}\n"));
}

#[test]
fn what_is_over_is_not_said_to_end() {
    let daemon = Daemon::start();
    led_to(&daemon.fake, "finished");
    let left = ask(&daemon, &["close", "support-1", "--as", "done", "--note", "n"]);
    assert!(left.code == 1 && left.stderr.contains("is finished") && !left.stderr.contains("ends as it stands"), "{left:?}");
}

#[test]
fn each_word_is_recorded_with_its_arguments_and_actor() {
    let cases: &[(&str, &[&str], &str, Value)] = &[
        ("gate", &["confirm", "support-1"], "confirmed", json!({ "gate": "production", "verdict": "accept", "note": null })),
        (
            "gate",
            &["confirm", "support-1", "production", "--note", "looks good"],
            "confirmed",
            json!({ "gate": "production", "verdict": "accept", "note": "looks good" }),
        ),
        (
            "gate",
            &["confirm", "support-1", "--accept-early"],
            "confirmed",
            json!({ "gate": "production", "verdict": "accept_early", "note": null }),
        ),
        (
            "gate",
            &["confirm", "support-1", "--reject"],
            "confirmed",
            json!({ "gate": "production", "verdict": "reject", "note": null }),
        ),
        ("gate", &["hold", "support-1"], "hold_requested", json!({})),
        ("held", &["resume", "support-1"], "resumed", json!({ "first": null, "second": null })),
        (
            "held",
            &["resume", "support-1", "--window", "2026-11-27T01:00:00Z +1h"],
            "resumed",
            json!({ "first": null, "second": { "from": "2026-11-27T01:00:00Z", "to": "2026-11-27T02:00:00Z" } }),
        ),
        (
            "gate",
            &["switch-back", "support-1", "--note", "bad colours", "--yes"],
            "switch_back_ordered",
            json!({ "note": "bad colours" }),
        ),
        (
            "gate",
            &["close", "support-1", "--as", "by hand", "--note", "the vendor goes on", "--yes"],
            "closed",
            json!({ "state": "by hand", "note": "the vendor goes on", "undone": ["soak.confirm"] }),
        ),
        (
            "held",
            &["node", "replace", "support", "b", "--identity", "box-2", "--note", "new hardware"],
            "node_replaced",
            json!({ "node": "b", "identity": "box-2", "note": "new hardware" }),
        ),
        (
            "held",
            &["abort", "support-1", "--note", "called back", "--yes"],
            "revised",
            json!({
                "cause": "abort", "goal": { "kind": "home" }, "note": "called back", "seen": [],
                "steps": [{ "id": "home.final_check", "when": "window-1", "kind": "final_check" }],
            }),
        ),
    ];
    for (what, args, event, data) in cases {
        for json in [&["--json"][..], &[]] {
            let daemon = Daemon::start();
            led_to(&daemon.fake, what);
            let left = ask(&daemon, &with(args, json));
            assert_eq!(left.code, 0, "{args:?}: {left:?}");
            // Where the pair is not as the plan has it, a second line says so.
            let lines = if json.is_empty() && *what == "held" { 1..=2 } else { 1..=1 };
            assert!(lines.contains(&left.stdout.lines().count()), "{args:?}: {left:?}");
            assert_eq!(last(&daemon), ((*event).to_owned(), user(), data.clone()), "{args:?}");
            if json.is_empty() {
                assert!(left.stdout.starts_with("run `support-1`: "), "{args:?}: {left:?}");
            } else {
                assert_eq!(left.json()["run"], "support-1", "{args:?}: {left:?}");
            }
        }
    }
}

#[test]
fn switch_back_shows_what_was_written_and_asks() {
    let daemon = Daemon::start();
    led_to(&daemon.fake, "gate");
    let order = ["switch-back", "support-1", "--note", "bad colours"];
    // Not a terminal: nothing is done.
    let left = ask(&daemon, &order);
    assert_eq!((left.code, left.stdout.as_str()), (1, ""), "{left:?}");
    for part in [
        "run `support-1`: traffic goes from node b back to node a\n",
        "node b has served since 2026-11-22T01:14:00Z: sessions now 1, users now 3 (read 2026-11-22T01:00:00Z)\n",
        "error: this moves the service of site `support` to node a; repeat with `--yes` to do it\n",
        "  state: nothing was changed\n",
    ] {
        assert!(left.stderr.contains(part), "{part:?}: {}", left.stderr);
    }
    assert_eq!(last(&daemon).0, "waited");
    // On a terminal: no, then yes.
    assert_eq!(on_a_terminal(&daemon, &order, "n\n").code, 1);
    assert_eq!(last(&daemon).0, "waited");
    let left = on_a_terminal(&daemon, &order, "y\n");
    assert_eq!(left.code, 0, "{left:?}");
    assert_eq!(last(&daemon), ("switch_back_ordered".to_owned(), user(), json!({ "note": "bad colours" })));
}

/// What can't be ordered is not asked for: the daemon says why not.
#[test]
fn where_nothing_leads_back_nobody_is_asked() {
    let daemon = Daemon::start();
    let id = daemon.fake.run_at("window-1.force_sync.b");
    let seq = daemon.fake.run(&id).unwrap().run.seq;
    let order = ["switch-back", "support-1", "--note", "bad colours", "--json"];
    for args in [order.to_vec(), with(&order, &["--yes"])] {
        let left = ask(&daemon, &args);
        assert_eq!((left.code, left.error()["code"].clone()), (1, json!("no_switch_back")), "{args:?}: {left:?}");
        assert!(!left.stderr.contains("goes from node"), "{args:?}: {left:?}");
    }
    assert_eq!(daemon.fake.run(&id).unwrap().run.seq, seq);
}

/// R7: of a switch that may be half done, what is shown and asked is where it really leads.
#[test]
fn a_half_done_switch_is_shown_the_way_it_is_taken_back() {
    let daemon = Daemon::start();
    let id = daemon.fake.run_at("window-1.switch_traffic.b");
    for event in
        [Event::StepBegun { attempt: 1, baseline: Baseline::default() }, Event::Doubted { message: "partly changed".to_owned() }]
    {
        daemon.fake.push(&id, event);
    }
    let left = ask(&daemon, &["switch-back", "support-1", "--note", "not tonight"]);
    for part in [
        "run `support-1`: traffic goes from node b back to node a\n",
        "node b may have served in part: sessions now",
        "what was written on node b is not on node a",
        "this moves the service of site `support` to node a;",
    ] {
        assert!(left.stderr.contains(part), "{part:?}: {}", left.stderr);
    }
}

#[test]
fn abort_shows_the_way_and_asks() {
    let daemon = Daemon::start();
    led_to(&daemon.fake, "held");
    let left = ask(&daemon, &["abort", "support-1"]);
    assert_eq!((left.code, left.stdout.as_str()), (1, ""), "{left:?}");
    for part in [
        "run `support-1` at record ",
        "the way home: home (linked, equal, serving), about 1m\n",
        "  home.final_check  none  1m  Check that the pair is linked, equal, healthy and serving\n",
        "  it leaves no data behind\n",
        "error: this gives run `support-1` up and leads site `support` home; repeat with `--yes` to do it\n",
    ] {
        assert!(left.stderr.contains(part), "{part:?}: {}", left.stderr);
    }
    assert_eq!(last(&daemon).0, "held");
    assert_eq!(on_a_terminal(&daemon, &["abort", "support-1"], "n\n").code, 1);
    assert_eq!(last(&daemon).0, "held");
    assert_eq!(on_a_terminal(&daemon, &["abort", "support-1"], "y\n").code, 0);
    assert_eq!(last(&daemon).0, "revised");
}

#[test]
fn close_shows_what_is_left_undone_and_asks() {
    let daemon = Daemon::start();
    led_to(&daemon.fake, "gate");
    let order = ["close", "support-1", "--as", "by hand", "--note", "the vendor goes on"];
    let left = ask(&daemon, &order);
    assert_eq!((left.code, left.stdout.as_str()), (1, ""), "{left:?}");
    for part in [
        "run `support-1` ends as it stands; nothing is touched\n",
        "undone: 11 of 24 steps, from `soak.confirm` on\n",
        "do not establish failover from node `a`",
        "the pair is without failover: an alert goes out now, and its end is told once the pair is seen linked\n",
        "error: this ends run `support-1` as it stands; repeat with `--yes` to do it\n",
    ] {
        assert!(left.stderr.contains(part), "{part:?}: {}", left.stderr);
    }
    assert_eq!(last(&daemon).0, "waited");
    assert_eq!(on_a_terminal(&daemon, &order, "y\n").code, 0);
    assert_eq!(last(&daemon).0, "closed");
}

#[test]
fn adopt_shows_both_nodes_and_the_way_and_asks() {
    let daemon = Daemon::start();
    let left = ask(&daemon, &["adopt", "quiet"]);
    assert_eq!((left.code, left.stdout.as_str()), (1, ""), "{left:?}");
    for part in
        ["site `quiet`: no relationship on either node\n", "error: nobody said whose data are kept\n", "hint: name the node\n"]
    {
        assert!(left.stderr.contains(part), "{part:?}: {}", left.stderr);
    }
    let order = ["adopt", "quiet", "--survivor", "a", "--backup", "b=/backups/b.nsb", "--accepted"];
    let left = ask(&daemon, &order);
    assert_eq!((left.code, left.stdout.as_str()), (1, ""), "{left:?}");
    for part in [
        "                 node a       node b\n",
        "  identity       appliance-a  appliance-b\n",
        "  sessions       1            1\n",
        "  last sync      none told    none told\n",
        "  named          yes          no\n",
        "from 24.1.1 to 24.2.1; the data of node a are kept\n",
        "the way home: home (linked, equal, serving), about ",
        "  home.establish_failover.a  irreversible  5m  ",
        "  a step of it can't be undone\n",
        "error: this starts a run that takes over site `quiet`; repeat with `--yes` to do it\n",
    ] {
        assert!(left.stderr.contains(part), "{part:?}: {}", left.stderr);
    }
    let left = ask(&daemon, &with(&order, &["--yes"]));
    assert_eq!((left.code, left.stdout.as_str()), (0, "quiet-1\n"), "{left:?}");
    let left = ask(&daemon, &with(&order, &["--yes", "--json"]));
    assert_eq!((left.code, left.stdout.as_str()), (0, "{\"run\":\"quiet-1\"}\n"), "{left:?}");
    let left = on_a_terminal(&daemon, &order, "y\n");
    assert_eq!(left.code, 0, "{left:?}");
    let left = ask(&daemon, &["adopt", "quiet", "--backup", "/backups/b.nsb"]);
    assert_eq!(left.code, 2, "{left:?}");
}

/// `script` (bsdutils, on every Debian) gives the command a terminal.
fn on_a_terminal(daemon: &Daemon, args: &[&str], typed: &str) -> Left {
    let quoted: Vec<String> = args.iter().map(|arg| format!("'{arg}'")).collect();
    let line = format!("{} {}", env!("CARGO_BIN_EXE_changeover"), quoted.join(" "));
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).env("CHANGEOVER_SOCKET", &daemon.socket);
    let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.as_mut().unwrap().write_all(typed.as_bytes()).unwrap();
    Left::of(child.wait_with_output().unwrap())
}

/// The preflight of a site speaks for a start; while its run is open, that run says what may be done.
#[test]
fn check_names_the_open_run() {
    let daemon = Daemon::start();
    let free = ask(&daemon, &["check", "support", "--json"]);
    assert_eq!(free.json()["run"], json!(null));
    led_to(&daemon.fake, "held");
    let left = ask(&daemon, &["check", "support"]);
    let end = "site `support`: run `support-1` is open, so that no other can be started; `changeover status support-1` says what may be done\n";
    assert!(left.stdout.ends_with(end), "{}", left.stdout);
    assert_eq!(ask(&daemon, &["check", "support", "--json"]).json()["run"], json!("support-1"));
}
