//! What reading commands print, for people and as JSON.

use serde_json::{Value, json};

use super::{ORDER, ask, binary, run, told_in, with};
use crate::api::daemon::Daemon;
use crate::api::fake::led_to;

#[test]
fn json_is_one_object_on_the_last_line() {
    let daemon = Daemon::start();
    led_to(&daemon.fake, "gate");
    daemon.fake.faults().hooks = vec![("ops".to_owned(), Ok(()))];
    let order = with(&["plan"], &ORDER);
    let cases: &[(&[&str], &[&str])] = &[
        (&["check", "support"], &["site", "ok", "checks"]),
        (&["traffic", "look", "support"], &["site", "service", "ok", "agreement", "entries"]),
        (
            &["traffic", "test", "support"],
            &["site", "ok", "from", "entries", "caches_seconds", "lowered_seconds", "wait_seconds"],
        ),
        (&order, &["site", "procedure", "from", "to", "package", "windows", "refusals", "steps"]),
        (&["status"], &["runs"]),
        (&["runs"], &["runs"]),
        (&["status", "support"], &["run", "site", "phase", "step", "held", "serving", "nodes", "seq"]),
        (&["status", "support-1"], &["run", "site", "phase", "step", "held", "serving", "nodes", "seq"]),
        (&["status", "quiet"], &["site", "run"]),
        (&["status", "support", "--by-hand"], &["run", "site", "seq", "state", "may", "must_not", "courses", "text"]),
        (&["status", "support-1", "--by-hand"], &["run", "site", "seq", "state", "may", "must_not", "courses", "text"]),
        (&["status", "quiet", "--by-hand"], &["site", "run"]),
        (&["journal", "show", "support-1"], &["run", "records"]),
        (&["journal", "verify", "support-1"], &["ok", "runs"]),
        (&["procedures", "list"], &["procedures"]),
        (&["procedures", "show", "in-place"], &["name", "title", "steps"]),
        (&["alerts", "test"], &["ok", "hooks"]),
    ];
    for (args, keys) in cases {
        let left = ask(&daemon, &with(args, &["--json"]));
        assert_eq!((left.code, left.stderr.as_str()), (0, ""), "{args:?}");
        assert_eq!(left.stdout.lines().count(), 1, "{args:?}: {}", left.stdout);
        let object = left.json();
        for key in *keys {
            assert!(object.get(key).is_some(), "{args:?} {key}: {object}");
        }
        // For people the same command says something on stdout, or on stderr that there is nothing.
        let left = ask(&daemon, args);
        assert_eq!(left.code, 0, "{args:?}: {left:?}");
        assert!(!left.stdout.is_empty() || !left.stderr.is_empty(), "{args:?}");
    }
    assert_eq!(ask(&daemon, &["status", "quiet", "--json"]).json(), json!({ "site": "quiet", "run": null }));
}

#[test]
fn a_plan_has_times_and_refusals_and_the_package_is_absolute() {
    let daemon = Daemon::start();
    let mut command = binary();
    command.args(with(&["plan"], &ORDER)).args(["--json"]).env("CHANGEOVER_SOCKET", &daemon.socket).current_dir("/");
    let plan: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
    assert_eq!(plan["package"], json!({ "path": "/p.bin", "sha256": "ab".repeat(32), "bytes": 123 }));
    assert_eq!(plan["windows"]["second"], json!({ "from": "2026-11-26T01:00:00Z", "to": "2026-11-26T05:00:00Z" }));
    let update = plan["steps"].as_array().unwrap().iter().find(|step| step["id"] == "window-1.update.b").unwrap();
    let way_step = |action: &str, node: Option<&str>, impact: &str, seconds: i64, sentence: &str| {
        let id = format!("home.{action}{}", node.map(|node| format!(".{node}")).unwrap_or_default());
        json!({
            "id": id, "action": action, "node": node, "gate": null, "impact": impact, "expected_seconds": seconds, "sentence": sentence,
        })
    };
    let way = json!({
        "goal": "home", "node": null, "expected_seconds": 600, "leaves_behind": null, "point_of_no_return": true, "not_home": [],
        "steps": [
            way_step("quiesce", Some("b"), "disruptive", 60, "Close node `b` to clients"),
            way_step("extract_data", Some("b"), "load", 120, "Extract the session data of node `b` and check the files"),
            way_step("establish_failover", Some("a"), "irreversible", 300, "Establish failover from node `a`, whose data survive, and prove the first sync"),
            way_step("reopen", Some("b"), "none", 60, "Open node `b` to clients again"),
            way_step("final_check", None, "none", 60, "Check that the pair is linked, equal, healthy and serving"),
        ],
    });
    for (key, value) in [
        ("when", json!("window-1")),
        ("action", json!("update")),
        ("node", json!("b")),
        ("impact", json!("irreversible")),
        ("sentence", json!("Update node `b` to the target version")),
        ("expected_seconds", json!(3600)),
        ("likely_seconds", json!(3600)),
        ("worst_seconds", json!(3600)),
        ("estimate", json!("default")),
        ("samples", json!(0)),
        ("back_seconds", json!(600)),
        ("latest_start", json!("2026-11-22T03:50:00Z")),
        ("when_time_runs_out", json!("hold")),
        ("at", json!("2026-11-22T01:13:00Z")),
        ("stop_here", way),
    ] {
        assert_eq!(update[key], value, "{key}");
    }

    let left = ask(&daemon, &with(&["plan"], &ORDER));
    for part in [
        "2026-11-22T03:50:00Z  window-1.update.b              irreversible  1h        10m   hold      home [2], 10m; NO RETURN   Update node `b`",
        "\n  [2] home: quiesce b, extract_data b, establish_failover a, reopen b, final_check\n",
    ] {
        assert!(left.stdout.contains(part), "{part}\n{}", left.stdout);
    }
    let left = ask(&daemon, &["plan", "support", "--to", "24.1", "--package", "p", "--json"]);
    assert_eq!(left.code, 1);
    assert_eq!(left.json()["refusals"][0]["rule"], "R5");
    let left = ask(&daemon, &["plan", "support", "--to", "24.1", "--package", "p"]);
    assert_eq!(left.code, 1);
    assert!(
        left.stdout.contains("not to be started as it is:\n  R5 at `window-1.update.b`: the target 24.1 is not newer"),
        "{}",
        left.stdout
    );
    assert!(left.stdout.contains("soak.confirm"), "the plan is shown all the same: {}", left.stdout);
}

#[test]
fn a_check_that_does_not_pass_is_1() {
    let daemon = Daemon::start();
    // The fake's pair is linked at the daemon's time, so its sync is young.
    let left = ask(&daemon, &["check", "support"]);
    assert_eq!(left.code, 0, "{left:?}");
    assert!(left.stdout.ends_with("\nsite `support`: nothing speaks against a start\n"), "{}", left.stdout);
    daemon.fake.faults().node_b_is_silent = true;
    let left = ask(&daemon, &["check", "support", "--json"]);
    assert_eq!((left.code, left.json()["ok"].clone()), (1, json!(false)));
    let unknown = left.json()["checks"].as_array().unwrap().iter().any(|check| check["result"] == "unknown");
    assert!(unknown, "{}", left.stdout);
    let left = ask(&daemon, &["check", "support"]);
    assert_eq!(left.code, 1);
    assert!(left.stdout.contains("unknown  node_unreachable b"), "{}", left.stdout);
    assert!(left.stdout.ends_with("\nsite `support`: not ready for a start\n"), "{}", left.stdout);
}

#[test]
fn bg_22_the_page_of_a_held_run_says_whose_move_it_is() {
    let daemon = Daemon::start();
    led_to(&daemon.fake, "held");
    let left = ask(&daemon, &["status", "support"]);
    let expected = "\
run `support-1`: held (sync_failed) since 2026-11-22T01:07:00Z
  site       support, role-swap, 24.1.1 to 24.2.1
  step       6 of 24, window-1.force_sync.b: Force a sync to node `b` and prove that it was good
  latest     safe start of this step: 2026-11-22T03:44:00Z
  why        the sync \u{fffd}[31mfailed
  next move  person
  what helps look at the failover page of both nodes, then `changeover resume support-1`: a new sync is asked for
  stop here  home in 1m: final_check
  serving    node a
  agreement  node a serves; node a: primary (0s ago); node b: standby (0s ago); the names: node a on 1 of 1 servers (0s ago); which box answers there is not told
  failover   on
  node a     24.1.1 build 4711, primary, healthy, users 3, sessions 1, read 2026-11-22T01:00:00Z
  node b     24.1.1 build 4711, standby, healthy, users 3, sessions 1, read 2026-11-22T01:00:00Z
  window 1   2026-11-22T01:00:00Z to 2026-11-22T05:00:00Z (2026-11-22 02:00 to 2026-11-22 06:00 Europe/Berlin)
  window 2   2026-11-26T01:00:00Z to 2026-11-26T05:00:00Z
  in charge  alice, of window two
  started    2026-11-22T01:00:00Z by alice
  journal    record 8, taken over by a restarted daemon: 0

by hand you may:
  - use the pair as usual: node `a` is primary

by hand you must not:
  - do not update a node while the pair is linked
";
    assert_eq!((left.code, left.stdout.as_str()), (0, expected));
}

#[test]
fn each_phase_has_its_page() {
    let cases: &[(&str, &[&str])] = &[
        (
            "gate",
            &[
                "run `support-1`: waiting on the gate `production`\n",
                "  why        a person is asked: is the new version good in production? And are password rotation, scheduled exports and outbound events \
                 off on node `a`, which has served before?\n",
                "  what helps `changeover confirm support-1 production`",
                "  failover   off since 2026-11-22T01:08:00Z, for 1h 52m: 0 % of the budget of 14d\n",
                "do not establish failover from node `a`",
            ],
        ),
        (
            "operator",
            &[
                "run `support-1`: waiting on operator, until 2026-11-22T05:00:00Z\n",
                "\ninstruction 1:\n  1. Open /login > Management > Failover on node a\n  2. Choose Break\n",
                "carry out the instruction, not after 2026-11-22T05:00:00Z",
            ],
        ),
        (
            "finished",
            &[
                "run `support-1`: finished, succeeded\n",
                "  next move  nobody\n",
                "  what helps by hand, unless it is done by now: open node `a` to clients again: it was closed for the update, and must be able to take over\n",
                "  failover   on again, was off for 18m\n",
                "\nby hand you may:\n  - use the pair as usual: node `b` is primary\n",
            ],
        ),
    ];
    for (what, parts) in cases {
        let daemon = Daemon::start();
        led_to(&daemon.fake, what);
        let left = ask(&daemon, &["status", "support-1"]);
        assert_eq!(left.code, 0, "{what}");
        for part in *parts {
            assert!(left.stdout.contains(part), "{what} {part:?}:\n{}", left.stdout);
        }
    }
}

/// Whoever opens window two reads it in their own time.
#[test]
fn the_handover_note_is_told_in_all_zones() {
    let daemon = Daemon::start();
    led_to(&daemon.fake, "finished");
    let left = told_in(&daemon, "America/New_York", &["handover", "support-1"]);
    assert!(left.code == 0 && left.stdout.contains("Z (2026-11-21 20:"), "{left:?}");
    let json = told_in(&daemon, "America/New_York", &["handover", "support-1", "--json"]);
    assert_eq!(json.json()["zone"], "UTC");
    assert!(!json.stdout.contains("New_York"), "{json:?}");
}

/// What a run refuses, and what is refused of a site. What programs read is in UTC.
#[test]
fn a_refusal_is_told_in_all_zones() {
    let daemon = Daemon::start();
    led_to(&daemon.fake, "gate");
    for args in [with(&["start"], &ORDER), vec!["release", "support-1", "--note", "tried"]] {
        let left = told_in(&daemon, "America/New_York", &args);
        let broken = "failover is broken since 2026-11-22T01:08:00Z (2026-11-21 20:08 America/New_York)";
        assert!(left.code == 1 && left.stderr.contains(broken), "{left:?}");
        let json = told_in(&daemon, "America/New_York", &with(&args, &["--json"])).error();
        assert!(json["state"].as_str().unwrap().contains("since 2026-11-22T01:08:00Z; "), "{json}");
    }
}

/// In UTC, and in the reader's zone where that is another.
#[test]
fn windows_are_listed_in_all_zones() {
    let daemon = Daemon::start();
    let left = ask(&daemon, &["windows", "support"]);
    assert_eq!(
        (left.code, left.stdout.as_str()),
        (0, "2026-11-22T01:00:00Z to 2026-11-22T05:00:00Z, 4h, `sundays`\n"),
        "{left:?}"
    );
    let left = told_in(&daemon, "America/New_York", &["windows", "support", "--for", "4h"]);
    let zones = "(2026-11-21 20:00 to 2026-11-22 00:00 America/New_York)";
    assert_eq!(left.stdout, format!("2026-11-22T01:00:00Z to 2026-11-22T05:00:00Z {zones}, 4h, `sundays`\n"), "{left:?}");
    let left = ask(&daemon, &["windows", "support", "--for", "5h"]);
    assert_eq!((left.code, left.stdout.as_str()), (0, ""), "{left:?}");
    assert_eq!(ask(&daemon, &["windows", "support", "--for", "5h", "--json"]).json()["windows"], json!([]));
    let json = ask(&daemon, &["windows", "support", "--json"]).json();
    assert_eq!((&json["zone"], &json["windows"][0]["freeze"], &json["for_seconds"]), (&json!("UTC"), &json!(null), &json!(null)));
    assert_eq!(ask(&daemon, &["windows", "nowhere"]).code, 1);
    assert_eq!(ask(&daemon, &["windows", "support", "--for", "long"]).code, 2);
}

/// `resume` books what it is given.
#[test]
fn another_window_two_and_another_person() {
    let daemon = Daemon::start();
    led_to(&daemon.fake, "held");
    let left = ask(&daemon, &["resume", "support-1", "--second", "2026-11-28T01:00:00Z +4h", "--responsible", "op1"]);
    assert_eq!(left.code, 0, "{left:?}");
    let status = ask(&daemon, &["status", "support-1", "--json"]).json();
    assert_eq!((&status["windows"]["second"]["from"], &status["responsible"]), (&json!("2026-11-28T01:00:00Z"), &json!("op1")));
    assert!(!left.stderr.contains("note:"), "{left:?}");
    let both = ask(&daemon, &["resume", "support-1", "--second", "now +4h", "--window", "now +4h"]);
    assert_eq!(both.code, 2, "{both:?}");
}

/// As `plan` and `start` tell it.
#[test]
fn windows_that_overlap_are_told_by_resume() {
    let daemon = Daemon::start();
    led_to(&daemon.fake, "held");
    let status = ask(&daemon, &["status", "support-1", "--json"]).json();
    let first = status["windows"]["first"]["from"].as_str().unwrap();
    let left = ask(&daemon, &["resume", "support-1", "--second", &format!("{first} +4h")]);
    assert!(left.stderr.contains(&format!("note: window-2 begins at {first}, before window-1 ends")), "{left:?}");
}

#[test]
fn runs_are_a_compact_table() {
    let daemon = Daemon::start();
    let left = ask(&daemon, &["runs"]);
    assert_eq!((left.code, left.stdout.as_str(), left.stderr.as_str()), (0, "", "no runs yet\n"));
    led_to(&daemon.fake, "finished");
    led_to(&daemon.fake, "held");
    let expected = "\
RUN        PHASE                STEP                   FROM    TO      SERVING  UNPROTECTED
support-1  finished: succeeded  -                      24.1.1  24.2.1  a        18m
support-2  held: sync_failed    window-1.force_sync.b  24.1.1  24.2.1  a        -
";
    assert_eq!(ask(&daemon, &["runs"]).stdout, expected);
    assert_eq!(ask(&daemon, &["status"]).stdout, expected);
}

#[test]
fn a_site_called_like_a_run_is_found_after_the_run() {
    let daemon = Daemon::start();
    led_to(&daemon.fake, "held");
    for (what, run) in [("support-1", "support-1"), ("support", "support-1")] {
        assert_eq!(ask(&daemon, &["status", what, "--json"]).json()["run"], run, "{what}");
    }
}

#[test]
fn procedures_need_no_daemon() {
    let left = run(&["procedures", "list"]);
    let expected = "\
in-place   Update the primary first, in place; its standby follows days later
role-swap  Update the standby first, then let it serve
";
    assert_eq!((left.code, left.stdout.as_str()), (0, expected));
    let left = run(&["procedures", "show", "role-swap"]);
    assert_eq!(left.stdout, include_str!("../../../config/procedures/role-swap.toml"));
    let left = run(&["procedures", "show", "role-swap", "--json"]);
    assert_eq!(
        left.json()["steps"].as_array().unwrap().iter().find(|step| step["action"] == "update"),
        Some(
            &json!({ "when": "window-1", "action": "update", "who": "standby", "gate": null, "only": null, "impact": "irreversible" })
        )
    );
}

#[test]
fn hooks_that_fail_or_are_missing_are_1() {
    let daemon = Daemon::start();
    let hook = |name: &str, outcome: Result<(), &str>| (name.to_owned(), outcome.map_err(str::to_owned));
    let cases = [
        (vec![], 1, "", "no hooks are configured: nobody is told when a run is held\n"),
        (vec![hook("ops", Ok(()))], 0, "ops  delivered\n", ""),
        (vec![hook("ops", Ok(())), hook("pager", Err("exit 3"))], 1, "ops    delivered\npager  failed     exit 3\n", ""),
    ];
    for (hooks, code, stdout, stderr) in cases {
        daemon.fake.faults().hooks = hooks;
        let left = ask(&daemon, &["alerts", "test"]);
        assert_eq!((left.code, left.stdout.as_str(), left.stderr.as_str()), (code, stdout, stderr));
    }
}
