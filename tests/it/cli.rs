//! The command line through the real binary: stdout, stderr and exit code of every command.

mod journal;
mod offline;
mod pages;
mod words;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::api::daemon::Daemon;
use crate::api::fake::led_to;

/// What a command left.
#[derive(Debug)]
struct Left {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Left {
    fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// The last line of stdout as JSON.
    fn json(&self) -> Value {
        let line = self.stdout.lines().last().unwrap_or_else(|| panic!("nothing on stdout: {self:?}"));
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The error object on stderr.
    fn error(&self) -> Value {
        let line = self.stderr.lines().last().unwrap_or_else(|| panic!("nothing on stderr: {self:?}"));
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// The binary with nothing of the tester's environment.
fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_changeover"));
    command.env_remove("CHANGEOVER_SOCKET").env("TZ", "UTC").stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Left {
    Left::of(binary().args(args).output().unwrap())
}

/// The binary against this daemon.
fn ask(daemon: &Daemon, args: &[&str]) -> Left {
    Left::of(binary().args(args).env("CHANGEOVER_SOCKET", &daemon.socket).output().unwrap())
}

/// The binary against this daemon, for somebody in this time zone.
fn told_in(daemon: &Daemon, zone: &str, args: &[&str]) -> Left {
    Left::of(binary().args(args).env("CHANGEOVER_SOCKET", &daemon.socket).env("TZ", zone).output().unwrap())
}

const ORDER: [&str; 9] =
    ["support", "--to", "24.2.1", "--package", "p.bin", "--first", "now +4h", "--second", "2026-11-26T01:00:00Z +4h"];

fn with<'a>(first: &[&'a str], rest: &[&'a str]) -> Vec<&'a str> {
    [first, rest].concat()
}

#[test]
fn a_wrong_command_line_is_2_and_says_what_is_wrong() {
    let cases: &[(&[&str], &str)] = &[
        (&[], "Usage: changeover <COMMAND>"),
        (&["frobnicate"], "unrecognized subcommand 'frobnicate'"),
        (&["check"], "<SITE>"),
        (&["check", "a", "b"], "unexpected argument 'b'"),
        (&["status", "--jason"], "--json"),
        (&["status", "a", "b"], "unexpected argument 'b'"),
        (&["runs", "x"], "unexpected argument 'x'"),
        (&["plan", "support"], "--to <VERSION>"),
        (&["plan", "support", "--to", "24.2.1"], "--package <FILE>"),
        (&["plan", "support", "--to", "new", "--package", "p"], "`new` is not a version"),
        (&["start", "support", "--to", "24.2.1", "--package", "p", "--first", "tomorrow"], "`tomorrow` is not a window"),
        (
            &["start", "support", "--to", "24.2.1", "--package", "p", "--first", "2026-10-25T02:30[Europe/Berlin] +4h"],
            "write `2026-10-25T02:30:00+02:00` or `2026-10-25T02:30:00+01:00`",
        ),
        (&["start", "support", "--to", "24.2.1", "--package", "p", "--yes"], "unexpected argument '--yes'"),
        (&["watch"], "<RUN>"),
        (&["confirm"], "<RUN>"),
        (&["confirm", "support-1", "--accept-early", "--reject"], "cannot be used with"),
        (&["hold"], "<RUN>"),
        (&["resume", "support-1", "--window", "4h"], "`4h` is not a window"),
        (&["switch-back", "support-1"], "--note <TEXT>"),
        (&["journal"], "Usage: changeover journal <COMMAND>"),
        (&["journal", "show"], "<RUN>"),
        (&["journal", "verify"], "<RUN>"),
        (&["journal", "export", "support-1", "--json"], "--output <FILE>"),
        (&["procedures"], "Usage: changeover procedures <COMMAND>"),
        (&["procedures", "show"], "<NAME>"),
        (&["config"], "Usage: changeover config <COMMAND>"),
        (&["config", "check", "x"], "unexpected argument 'x'"),
        (&["alerts"], "Usage: changeover alerts <COMMAND>"),
        (&["alerts", "test", "x"], "unexpected argument 'x'"),
    ];
    for (args, said) in cases {
        let left = run(args);
        assert_eq!((left.code, left.stdout.as_str()), (2, ""), "{args:?}: {left:?}");
        assert!(left.stderr.contains(said), "{args:?}: {}", left.stderr);
    }
}

#[test]
fn help_and_version_are_0() {
    for args in [&["--help"][..], &["--version"], &["help", "plan"], &["journal", "--help"]] {
        let left = run(args);
        assert_eq!((left.code, left.stderr.as_str()), (0, ""), "{args:?}");
        assert!(!left.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn without_a_daemon_each_command_is_1_and_names_the_socket() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("none.sock");
    let socket = socket.to_str().unwrap();
    let order = with(&ORDER, &[]);
    let commands = [
        vec!["check", "support"],
        with(&["plan"], &order),
        with(&["start"], &order),
        vec!["status"],
        vec!["status", "support"],
        vec!["runs"],
        vec!["watch", "support-1"],
        vec!["confirm", "support-1"],
        vec!["hold", "support-1"],
        vec!["resume", "support-1"],
        vec!["switch-back", "support-1", "--note", "x", "--yes"],
        vec!["journal", "show", "support-1"],
        vec!["journal", "verify", "support-1"],
        vec!["journal", "export", "support-1"],
        vec!["alerts", "test"],
    ];
    for command in commands {
        let left = run(&with(&command, &["--socket", socket]));
        assert_eq!((left.code, left.stdout.as_str()), (1, ""), "{command:?}: {left:?}");
        assert!(left.stderr.starts_with(&format!("error: no daemon answers at `{socket}`\n")), "{command:?}: {}", left.stderr);
        assert!(left.stderr.contains("\nhint: start it with `changeover serve --config FILE`"), "{command:?}: {}", left.stderr);
    }
    let left = run(&["status", "--json", "--socket", socket]);
    assert_eq!((left.code, left.stdout.as_str(), left.error()["code"].as_str()), (1, "", Some("no_daemon")));
    // A socket file that a dead daemon left.
    drop(std::os::unix::net::UnixListener::bind(socket).unwrap());
    assert_eq!(run(&["status", "--json", "--socket", socket]).error()["code"], "no_daemon");
}

#[test]
fn what_is_not_there_or_not_now_is_1() {
    let daemon = Daemon::start();
    led_to(&daemon.fake, "gate");
    let cases: &[(&[&str], &str)] = &[
        (&["check", "nowhere"], "unknown_site"),
        (&["status", "nowhere"], "unknown_site"),
        (&["status", "support-9"], "unknown_run"),
        (&["status", "../../healthz"], "unknown_site"),
        (&["watch", "support-9"], "unknown_run"),
        (&["confirm", "support-9"], "unknown_run"),
        (&["confirm", "support"], "unknown_run"),
        (&["confirm", "support-1", "nonsense"], "unknown_gate"),
        (&["hold", "support-9"], "unknown_run"),
        (&["switch-back", "support-9", "--note", "x", "--yes"], "unknown_run"),
        (&["journal", "show", "support-9"], "unknown_run"),
        (&["journal", "verify", "support-9"], "unknown_run"),
        (&["journal", "verify", "--file", "/no/such/file"], "unknown_file"),
        (&["procedures", "show", "nonsense"], "unknown_procedure"),
        (&["start", "support", "--to", "24.2.1", "--package", "p"], "one_run"),
        (&["start", "quiet", "--to", "24.1.1", "--package", "p"], "known_path"),
        (&["plan", "support", "--to", "24.2.1", "--package", "p", "--procedure", "none"], "unknown_procedure"),
    ];
    for (args, code) in cases {
        let left = ask(&daemon, &with(args, &["--json"]));
        let shown = format!("{args:?}: {left:?}");
        assert_eq!((left.code, left.stdout.as_str()), (1, ""), "{shown}");
        assert_eq!(left.error()["code"], *code, "{shown}");
        let left = ask(&daemon, args);
        assert_eq!((left.code, left.stdout.as_str()), (1, ""), "{shown}");
        assert!(left.stderr.starts_with("error: "), "{shown}");
    }
}

#[test]
fn an_error_has_its_five_parts() {
    let daemon = Daemon::start();
    let left = ask(&daemon, &["start", "quiet", "--to", "24.1", "--package", "p"]);
    let expected = "error: the plan can't be started\n  caused by: the target 24.1 is not newer than 24.1.1, which both nodes run\n  \
                    state: nothing was changed\n  word: known_path\n\nhint: see `changeover plan`\n";
    assert_eq!((left.code, left.stderr.as_str()), (1, expected));
}

#[test]
fn the_socket_is_the_flags_then_the_environments_then_the_default() {
    let daemon = Daemon::start();
    let home = tempfile::tempdir().unwrap();
    let asked = |flag: Option<&Path>, env: Option<&Path>| {
        let mut command = binary();
        command.args(["runs", "--json"]).current_dir(&home);
        flag.map(|path| command.arg("--socket").arg(path));
        env.map(|path| command.env("CHANGEOVER_SOCKET", path));
        Left::of(command.output().unwrap()).code
    };
    let (good, bad) = (daemon.socket.as_path(), Path::new("/no/such.sock"));
    for (flag, env, code) in
        [(None, None, 1), (None, Some(good), 0), (Some(good), None, 0), (Some(good), Some(bad), 0), (Some(bad), Some(good), 1)]
    {
        assert_eq!(asked(flag, env), code, "{flag:?} {env:?}");
    }
    std::fs::create_dir(home.path().join("state")).unwrap();
    std::os::unix::fs::symlink(good, home.path().join("state/changeover.sock")).unwrap();
    assert_eq!(asked(None, None), 0);
}

#[test]
fn a_closed_pipe_is_no_error() {
    let script = format!("set -o pipefail; {} procedures show role-swap | true", env!("CARGO_BIN_EXE_changeover"));
    let left = Left::of(Command::new("bash").args(["-c", &script]).output().unwrap());
    assert_eq!((left.code, left.stderr.as_str()), (0, ""));
}

/// `docs/reference/cli.md` shows what the program prints. `CHANGEOVER_ACCEPT=1` writes it anew.
#[test]
fn the_reference_is_what_the_program_prints() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/cli.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = ("<!-- begin: generated from the program's help -->\n", "<!-- end: generated -->");
    let (head, rest) = text.split_once(begin).unwrap();
    let (found, tail) = rest.split_once(end).unwrap();
    let expected = format!("\n{}", changeover::cli::reference());
    if std::env::var_os("CHANGEOVER_ACCEPT").is_some() {
        std::fs::write(&path, format!("{head}{begin}{expected}{end}{tail}")).unwrap();
    } else {
        assert_eq!(found, expected, "run this test with CHANGEOVER_ACCEPT=1 to write the page anew");
    }
}
