//! What a script writer reads in the documents and relies on, through the real binary: errors as JSON, mistakes of a configuration
//! that are told before the evening of the update, a refusal that names its step, an instruction that names its box.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use crate::daemon::{Daemon, PATIENCE, last_json};

const EXAMPLE: &str = include_str!("../../config/sites.d/support.toml.example");

/// A pair that can be read, saved and looked at; every other verb is for a person.
const PAIR: &str = r#"#!/bin/sh
cat > /dev/null
node=$1 verb=$2
role=primary; [ "$node" = b ] && role=standby
case $verb in
observe) printf '{"identity":"appliance-%s","version":"24.1.1","role":"%s","healthy":true,"users":0,"sessions":0,
    "last_sync":{"at":"%s","ok":true}}' "$node" "$role" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" ;;
look) printf '{"answers":[{"server":"ns1","name":"support.example.com","target":"a","ttl":60}],"serving_identity":null}' ;;
*) exit 64 ;;
esac
"#;

fn run_in(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_changeover"));
    command.env_remove("CHANGEOVER_SOCKET").stdin(Stdio::null()).args(args).current_dir(folder).output().unwrap()
}

fn error(output: &Output) -> Value {
    last_json(&output.stderr)
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_wrong_command_line_is_json_where_json_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let order = ["support", "--package", "p", "--json", "--to"];
    let cases: [(&[&str], &str); 5] = [
        (&["--json"], "unexpected argument '--json'"),
        (&["frobnicate", "--json"], "unrecognized subcommand 'frobnicate'"),
        (&["plan", "--json"], "were not provided: --to <VERSION> --package <FILE> <SITE>"),
        (&[&["plan"][..], &order, &["new"]].concat(), "`new` is not a version"),
        (&[&["start"][..], &order, &["24.2.1", "--first", "2026-03-29T02:30[Europe/Berlin] +4h"]].concat(), "does not exist"),
    ];
    for (args, told) in cases {
        let output = run_in(folder.path(), args);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{args:?}: {output:?}");
        let error = error(&output);
        assert_eq!(error["code"], "wrong_command_line", "{args:?}");
        assert!(error["message"].as_str().unwrap().contains(told), "{args:?}: {error}");
        assert_eq!((&error["causes"], &error["state"]), (&json!([]), &Value::Null), "{args:?}");
    }
    let help = run_in(folder.path(), &["plan", "--json", "--help"]);
    assert_eq!((help.status.code(), help.stderr.len()), (Some(0), 0), "help is data: {help:?}");
}

/// The commented site file with what it names put in place.
fn example() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "config/changeover.toml", "");
    write(folder.path(), "config/sites.d/support.toml", &EXAMPLE.replace("/opt/pair/ctl", "/bin/true"));
    write(folder.path(), "secrets/support-a.secret", "a secret\n");
    write(folder.path(), "secrets/tsig.b64", "c2VjcmV0IG9mIHRoZSB6b25lJ3Mga2V5LCAzMiBieXRlcw==\n");
    folder
}

#[test]
fn the_example_of_a_site_can_be_used_as_it_is() {
    let folder = example();
    let output = run_in(folder.path(), &["config", "check", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(last_json(&output.stdout), json!({ "ok": true, "sites": ["support"], "procedures": 2, "warnings": [] }));
}

#[test]
fn config_check_finds_what_would_keep_the_daemon_from_starting() {
    let signed = "[[alerts.webhook]]\nname = \"ops\"\nurl = \"https://ops.example.com/\"\nsecret_file = \"../secrets/hook\"\n";
    let site = EXAMPLE.replace("/opt/pair/ctl", "/bin/true");
    let cases = [
        ("config/sites.d/support.toml", site.replace("\"role-swap\"", "\"role-swp\""), "did you mean `role-swap`?"),
        ("config/sites.d/support.toml", site.replace("0b1d6f2e8d434c57", "0b1d6f2e-8d43-4c57-"), "expected the box's GUID"),
        ("secrets/tsig.b64", "no base64!\n".to_owned(), "traffic entry 1"),
        ("config/changeover.toml", signed.to_owned(), "the secret is not `whsec_`"),
        ("config/changeover.toml", "[api]\nsocket = \"../sockets/changeover.sock\"\n".to_owned(), "/sockets"),
    ];
    for (name, text, told) in cases {
        let folder = example();
        write(folder.path(), "secrets/hook", "hunter2\n");
        write(folder.path(), name, &text);
        let checked = run_in(folder.path(), &["config", "check", "--json"]);
        assert_eq!(checked.status.code(), Some(1), "{told}: {checked:?}");
        assert_eq!(error(&checked)["code"], "bad_config");
        assert!(error(&checked)["causes"][0].as_str().unwrap().contains(told), "{told}: {}", error(&checked));
        let served = run_in(folder.path(), &["serve"]);
        let said = String::from_utf8_lossy(&served.stderr);
        assert!(served.status.code() == Some(1) && said.contains(told) && !said.contains("hunter2"), "{told}: {said}");
    }
}

/// A daemon with the pair of this page; `verbs` are more lines of its program's `case`.
fn daemon(folder: &Path, verbs: &str) -> Daemon {
    write(folder, "ctl", &PAIR.replace("*) exit 64 ;;", &format!("{verbs}\n*) exit 64 ;;")));
    let ctl = folder.join("ctl").display().to_string();
    let node = |name: &str, address: &str| {
        format!(
            "[nodes.{name}]\ndriver = \"exec\"\nprogram = [\"{ctl}\", \"{name}\"]\nidentity = \"appliance-{name}\"\naddress = \"{address}\"\n"
        )
    };
    let (a, b) = (node("a", "192.0.2.10"), node("b", "192.0.2.20"));
    let head = "name = \"support\"\nservice = \"support.example.com\"\nprocedure = \"role-swap\"\n";
    let site = format!("{head}{a}{b}[[traffic]]\ndriver = \"exec\"\nprogram = [\"{ctl}\", \"name\"]\n");
    let mut daemon = Daemon::new(folder, &site, "", None);
    daemon.start(None);
    daemon
}

/// One POST over the socket: the status line's number and the body.
fn post(folder: &Path, path: &str, body: &Value) -> (u16, Value) {
    let mut stream = UnixStream::connect(folder.join("state/changeover.sock")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (body, head) = (body.to_string(), format!("POST {path} HTTP/1.1\r\nHost: changeover\r\nConnection: close\r\n"));
    write!(stream, "{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap())
}

#[test]
fn refusals_name_the_step_and_a_package_is_never_one_of_the_daemons_own_folder() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = daemon(folder.path(), "");
    let order = ["--to", "24.2.1", "--package", "base.nss", "--first", "now +10min", "--second", "now +8h", "--json"];
    let plan = daemon.cli(&[&["plan", "support"][..], &order].concat());
    let refused = last_json(&plan.stdout)["refusals"].clone();
    assert_eq!((plan.status.code(), &refused[0]["rule"]), (Some(1), &json!("R3")), "{refused}");

    let start = daemon.cli(&[&["start", "support"][..], &order].concat());
    let error = error(&start);
    assert_eq!((start.status.code(), &error["code"]), (Some(1), &json!("R3")), "{error}");
    let step = refused[0]["step"].as_str().unwrap();
    let cause = error["causes"][0].as_str().unwrap();
    assert!(cause.starts_with(&format!("R3 at `{step}`: expected to begin at ")), "{cause}");

    let request = json!({ "site": "support", "to": "24.2.1", "package": "base.nss", "first": "now +4h", "second": "now +8h" });
    for path in ["/api/v1/plans", "/api/v1/runs"] {
        let (status, answer) = post(folder.path(), path, &request);
        assert_eq!((status, &answer["code"]), (400, &json!("bad_package")), "{path}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains("expected an absolute path"), "{path}: {answer}");
    }
}

#[test]
fn hooks_that_are_not_there_are_not_ok() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = daemon(folder.path(), "");
    let output = daemon.cli(&["alerts", "test", "--json"]);
    assert_eq!((output.status.code(), last_json(&output.stdout)), (Some(1), json!({ "ok": false, "hooks": [] })));
}

#[test]
fn an_instruction_for_a_node_behind_a_program_names_address_and_identity() {
    let folder = tempfile::tempdir().unwrap();
    let backup = format!(
        "backup) d={}/state/backups/support-1/prepare.backup.$node.1; echo settings > $d/s
        printf '{{\"path\":\"s\",\"sha256\":\"%s\",\"bytes\":9}}' \"$(sha256sum < $d/s | cut -c-64)\" ;;",
        folder.path().display()
    );
    let mut daemon = daemon(folder.path(), &backup);
    let run = daemon.start_run("role-swap", "now +4h", "now +48h");
    let until = Instant::now() + PATIENCE;
    let status = loop {
        let status = daemon.status(&run).unwrap();
        if status["instructions"].is_array() {
            break status;
        }
        assert!(status["phase"] != "held" && Instant::now() < until, "{status}\n{}", daemon.log());
        if status["gate"].is_string() {
            daemon.confirm(&run);
        }
        daemon.listen();
    };
    assert_eq!((&status["step"]["id"], &status["waiting_on"]), (&json!("window-1.force_sync.b"), &json!("operator")));
    let line = status["instructions"][0].as_str().unwrap();
    assert!(line.contains("192.0.2.20") && line.contains("`appliance-b`"), "{line}");
}
