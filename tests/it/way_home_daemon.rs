//! The ways out through the real daemon process and the real command line, with a pair behind programs that know the contract's
//! verbs only: whoever opens a node again is a person.

use std::path::PathBuf;
use std::time::Instant;

use serde_json::Value;

use crate::daemon::{PATIENCE, last_json};
use crate::vendor::at_rest;
use crate::whole_runs::ExecPair;

/// What a command left.
#[derive(Debug)]
struct Left {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Left {
    /// The one JSON line of a refusal, on stderr.
    fn error(&self) -> Value {
        last_json(self.stderr.as_bytes())
    }
}

/// A pair whose node can be opened by a person alone.
struct Pair(ExecPair);

impl Pair {
    fn start() -> Self {
        let pair = Self(ExecPair::start());
        pair.is_unknown("reopen");
        pair
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.folder.path().join("world").join(name)
    }

    fn is_unknown(&self, verb: &str) {
        std::fs::write(self.path(&format!("unknown.{verb}")), "").unwrap();
    }

    fn set(&self, fact: &str, value: &str) {
        std::fs::write(self.path(fact), value).unwrap();
    }

    fn facts(&self, names: [&str; 5]) -> [String; 5] {
        names.map(|name| self.0.fact(name))
    }

    fn ask(&self, args: &[&str]) -> Left {
        let output = self.0.daemon.cli(args);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Left { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// A command with `--json` that is done: exactly one line on stdout.
    fn done(&mut self, args: &[&str]) -> Value {
        let left = self.ask(&[args, &["--json"]].concat());
        assert_eq!((left.code, left.stdout.lines().count()), (Some(0), 1), "{args:?}: {left:?}\n{}", self.0.daemon.log());
        last_json(left.stdout.as_bytes())
    }

    /// Answers every gate but `production` and the one for an opened node, until the status is so.
    fn until(&mut self, run: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        let mut last = Value::Null;
        while Instant::now() < until {
            if let Some(status) = self.0.daemon.status(run) {
                if wanted(&status) {
                    return status;
                }
                if status["gate"].is_string() && status["gate"] != "production" {
                    self.0.daemon.confirm(run);
                }
                last = status;
            }
            self.0.daemon.listen();
        }
        panic!("it never came to that: {last}\n{}", self.0.daemon.log());
    }

    fn until_begun(&mut self, verb: &str) {
        let until = Instant::now() + PATIENCE;
        while !self.path(&format!("begun.{verb}")).exists() {
            assert!(Instant::now() < until, "`{verb}` never began\n{}", self.0.daemon.log());
            self.0.daemon.listen();
        }
    }

    /// A role swap up to the instruction for the first update: the link is broken, nothing is updated.
    fn after_the_break(&mut self) -> String {
        self.is_unknown("update");
        let run = self.0.daemon.start_run("role-swap", "now +8h", "now +8h");
        let told = |status: &Value| status["step"]["id"] == "window-1.update.b" && status["waiting_on"] == "operator";
        self.until(&run, told);
        assert_eq!(self.0.fact("a/role"), "standalone");
        run
    }

    /// A role swap up to the question of whether the new version is good: node `b` serves on it.
    fn in_production(&mut self) -> String {
        let run = self.0.daemon.start_run("role-swap", "now +8h", "now +8h");
        self.until(&run, |status| status["gate"] == "production");
        assert_eq!(self.0.fact("target"), "b");
        run
    }

    /// The person opens the node that the run asks for and says so; nobody else could.
    fn opens(&mut self, run: &str, step: &str) {
        let told = |status: &Value| status["step"]["id"] == step && status["waiting_on"] == "operator";
        let status = self.until(run, |status| told(status) || at_rest(status));
        assert_eq!(status["step"]["id"], step, "{status}\n{}", self.0.daemon.log());
        let lines = status["instructions"].to_string();
        assert!(lines.contains(&format!("`changeover confirm {run} node_open`")), "{lines}");
        let page = self.ask(&["status", run]);
        assert!(page.stdout.contains("node_open"), "{page:?}");
        let forbidden = format!("do not open node `{}`", &step[step.len() - 1..]);
        assert!(!page.stdout.contains(&forbidden), "what is asked for is forbidden: {page:?}");
        // A word without the gate's name is none: it is not to be given by habit.
        let nameless = self.ask(&["confirm", run, "--json"]);
        assert_eq!((nameless.code, nameless.stdout.as_str()), (Some(1), ""), "{nameless:?}");
        self.done(&["confirm", run, "node_open", "--note", "the firewall lets clients through again"]);
    }

    /// At its end: home, linked, on one version, in the journal too.
    fn is_home(&mut self, run: &str, serving: &str, version: &str) {
        let status = self.until(run, at_rest);
        assert_eq!(status["outcome"], "aborted", "{status}\n{}", self.0.daemon.log());
        let standby = if serving == "a" { "b" } else { "a" };
        let names = [format!("{serving}/role"), format!("{standby}/role")];
        let facts = self.facts([&names[0], &names[1], "a/version", "b/version", "target"]);
        assert_eq!(facts, ["primary", "standby", version, version, serving]);
        let verified = self.ask(&["journal", "verify", run]);
        assert_eq!(verified.code, Some(0), "{verified:?}");
    }

    /// How often a verb was sent, by the program's own book.
    fn sent(&self, verb: &str) -> usize {
        self.0.fact("acts").lines().filter(|line| line.split(' ').next() == Some(verb)).count()
    }
}

#[test]
fn after_the_break_abort_leads_home_and_a_person_opens_the_node() {
    let mut pair = Pair::start();
    let run = pair.after_the_break();
    let taken = pair.done(&["abort", &run, "--yes", "--note", "the vendor called it back"]);
    assert_eq!(taken["run"], run.as_str(), "{taken}");
    pair.opens(&run, "home.reopen.b");
    pair.is_home(&run, "a", "24.1.1");
    assert_eq!((pair.sent("update"), pair.sent("establish_failover")), (0, 1));
    let again = pair.ask(&["abort", &run, "--yes", "--json"]);
    assert_eq!((again.code, again.stdout.as_str()), (Some(1), ""), "{again:?}");
    assert_eq!(pair.0.daemon.terminate(), Some(0));
}

/// Rejected in production: back to the old node, rest at harbour, closed as it at_rest, taken over again, home.
#[test]
fn after_a_rejection_to_harbour_then_closed_then_adopted() {
    let mut pair = Pair::start();
    let run = pair.in_production();
    let rejected = pair.ask(&["confirm", &run, "production", "--reject", "--note", "nobody can print", "--json"]);
    assert_eq!(rejected.code, Some(0), "{rejected:?}");
    pair.until(&run, |status| status["phase"] == "held");
    pair.done(&["abort", &run, "--yes"]);
    pair.opens(&run, "harbour.reopen.a");
    let status = pair.until(&run, at_rest);
    assert_eq!((status["held"]["code"].as_str(), status["serving"].as_str()), (Some("harbour"), Some("a")), "{status}");
    assert_eq!(pair.facts(["a/role", "b/role", "a/version", "b/version", "target"])[2..], ["24.1.1", "24.2.1", "a"]);

    let taken = pair.ask(&["adopt", "support", "--survivor", "a", "--yes", "--json"]);
    assert_eq!((taken.code, taken.error()["code"].as_str()), (Some(1), Some("one_run")), "{taken:?}");
    pair.done(&["close", &run, "--as", "vendor support has node b", "--note", "ticket 4711", "--yes"]);
    let status = pair.0.daemon.status(&run).unwrap();
    assert_eq!((status["outcome"].as_str(), status["phase"].as_str()), (Some("closed"), Some("finished")), "{status}");
    assert!(status["guide"]["unblocks"].as_str().unwrap().contains("`changeover adopt support`"), "{status}");

    let package = pair.0.folder.path().join("base.nss");
    let mut adopt = vec!["adopt", "support", "--survivor", "a", "--package", package.to_str().unwrap(), "--accepted"];
    adopt.extend(["--second", "now +8h", "--note", "the vendor mended it", "--yes"]);
    let started = pair.done(&adopt);
    assert_eq!(started["run"], "support-2", "the site is free: {started}");
    // The node that serves is closed for its update, and opened again before it is linked.
    pair.opens("support-2", "home.reopen.a");
    pair.opens("support-2", "home.reopen.b");
    pair.is_home("support-2", "a", "24.2.1");
    assert_eq!(pair.sent("update"), 2);
}

/// A new box in the place of node `a`: the site's file, a restart, the word; the plan goes on with it.
#[test]
fn a_replaced_box_is_told_and_the_run_goes_on() {
    let mut pair = Pair::start();
    let run = pair.in_production();
    let file = pair.0.folder.path().join("config/sites.d/support.toml");
    let early = pair.ask(&["node", "replace", "support", "a", "--identity", "box-new", "--json"]);
    assert_eq!((early.code, early.error()["code"].as_str()), (Some(1), Some("not_in_the_sites_file")), "{early:?}");
    pair.set("a/identity", "box-new");
    assert_eq!(pair.0.daemon.terminate(), Some(0));
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap().replace("box-a", "box-new")).unwrap();
    pair.0.daemon.start(None);
    pair.until(&run, |status| status["held"]["code"] == "wrong_box");
    let replaced = pair.done(&["node", "replace", "support", "a", "--identity", "box-new", "--note", "disk gone"]);
    assert_eq!(replaced["held"]["code"], "node_replaced", "{replaced}");
    let same = pair.ask(&["node", "replace", "support", "a", "--identity", "box-new", "--json"]);
    assert_eq!((same.code, same.error()["code"].as_str()), (Some(1), Some("same_box")), "{same:?}");
    pair.done(&["resume", &run]);
    pair.until(&run, |status| status["gate"] == "production");
    pair.done(&["confirm", &run, "production", "--accept-early"]);
    let status = pair.until(&run, at_rest);
    // That node `a` was closed is true of the old box alone; the way home closes the new one.
    assert_eq!(status["held"]["code"], "no_gap", "{status}\n{}", pair.0.daemon.log());
    pair.done(&["abort", &run, "--yes"]);
    pair.opens(&run, "home.reopen.a");
    pair.is_home(&run, "b", "24.2.1");
}

/// SIGKILL while a program of the way home runs: it goes on, whether it ends before the next daemon looks or that one has to wait
/// for it, and nothing is sent twice.
#[test]
fn killed_in_the_middle_of_an_act_of_the_way_home() {
    for (verb, outlives) in
        [("extract_data", false), ("extract_data", true), ("establish_failover", false), ("establish_failover", true)]
    {
        let mut pair = Pair::start();
        let run = pair.after_the_break();
        pair.set(&format!("wait.{verb}"), "");
        pair.done(&["abort", &run, "--yes"]);
        pair.until_begun(verb);
        pair.0.daemon.kill();
        if outlives {
            pair.0.daemon.start(None);
        }
        std::fs::remove_file(pair.path(&format!("wait.{verb}"))).unwrap();
        if !outlives {
            pair.0.daemon.start(None);
        }
        pair.opens(&run, "home.reopen.b");
        pair.is_home(&run, "a", "24.1.1");
        assert_eq!(pair.sent("establish_failover"), 1, "{verb}: {}", pair.0.fact("acts"));
        assert_eq!(pair.0.daemon.status(&run).unwrap()["resumed"], 1, "{verb}");
    }
}

/// Understood and refused is 1, a wrong command line 2; either way one JSON line on stderr, none on stdout, and nothing happens.
#[test]
fn refusals_are_1_and_wrong_command_lines_2() {
    let mut pair = Pair::start();
    let run = pair.after_the_break();
    let before = pair.0.daemon.status(&run).unwrap()["seq"].clone();
    let cases: &[(&[&str], i32, &str)] = &[
        (&["abort", "support-9", "--yes"], 1, "unknown_run"),
        (&["abort", "nonsense", "--yes"], 1, "unknown_run"),
        (&["abort", &run], 1, "not_confirmed"),
        (&["abort"], 2, "wrong_command_line"),
        (&["close", "support-9", "--as", "left", "--note", "n", "--yes"], 1, "unknown_run"),
        (&["close", &run, "--as", "left", "--yes"], 2, "wrong_command_line"),
        (&["close", &run, "--note", "n", "--yes"], 2, "wrong_command_line"),
        (&["close", &run, "--as", "left", "--note", "n"], 1, "not_confirmed"),
        (&["close", &run, "--as", "", "--note", "n", "--yes"], 1, "bad_input"),
        (&["close", &run, "--as", "left", "--note", " ", "--yes"], 1, "note_missing"),
        (&["adopt", "nowhere", "--yes"], 1, "unknown_site"),
        (&["adopt", "support", "--yes"], 1, "one_run"),
        (&["adopt", "support", "--to", "new", "--yes"], 2, "wrong_command_line"),
        (&["adopt", "support", "--backup", "c=/x", "--yes"], 2, "wrong_command_line"),
        (&["adopt", "support", "--second", "soon", "--yes"], 2, "wrong_command_line"),
        (&["node", "replace", "support", "c", "--identity", "x"], 2, "wrong_command_line"),
        (&["node", "replace", "support", "a"], 2, "wrong_command_line"),
        (&["node", "replace", "nowhere", "a", "--identity", "x"], 1, "unknown_site"),
        (&["node", "replace", "support", "a", "--identity", "box-b"], 1, "identity_taken"),
        (&["node", "replace", "support", "a", "--identity", "box-a"], 1, "same_box"),
        (&["confirm", &run, "node_open"], 1, "gate_not_open"),
    ];
    for (args, code, word) in cases {
        let left = pair.ask(&[args, &["--json"][..]].concat());
        assert_eq!((left.code, left.stdout.as_str()), (Some(*code), ""), "{args:?}: {left:?}");
        assert_eq!(left.error()["code"], *word, "{args:?}: {left:?}");
    }
    assert_eq!(pair.0.daemon.status(&run).unwrap()["seq"], before, "nothing is recorded of what was refused");
}
