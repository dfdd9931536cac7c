//! Which file is run, and with what.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::fs::Access;
use tokio::process::{Child, Command};

use super::{Call, NotRun};

/// The wrapper of an act's program, in the shell's words. It takes read ends of its own output pipes, so that a daemon that is
/// killed does not kill its program through a broken pipe; then it waits for one line. `read` takes single bytes from a pipe
/// (POSIX: no byte after the line may be consumed), so the JSON behind it reaches the program whole.
const HOLD: &str = r#"exec 3</proc/self/fd/1 4</proc/self/fd/2; read -r go && exec "$@""#;

/// What lets the wrapper go.
const GO: &[u8] = b"go\n";

const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Starts the program; it runs at once.
pub(super) fn at_once(call: &Call) -> Result<Child, NotRun> {
    let (file, arguments) = resolve(call)?;
    let mut command = Command::new(file);
    command.args(arguments).arg(&call.verb).env_clear().envs(environment());
    spawn(command, call)
}

/// Starts the wrapper: the program runs once the bytes of [`let_go`] reach it, and never if its standard input ends before.
/// `env -i` in between removes the variables that shells export on their own (`PWD`, `SHLVL`, `_`).
pub(super) fn held(call: &Call) -> Result<Child, NotRun> {
    let (file, arguments) = resolve(call)?;
    if file.to_string_lossy().contains('=') {
        return Err(not_started(call, "its path has a `=`, which `env` would take for a variable".to_owned()));
    }
    let mut command = Command::new("/bin/sh");
    command.args(["-c", HOLD, "sh", "/usr/bin/env", "-i"]).args(assignments());
    command.arg(file).args(arguments).arg(&call.verb).env_clear().envs(environment());
    spawn(command, call)
}

/// The bytes that start a held program. One write of less than a pipe's 64 KiB, so a daemon that dies leaves all of it or none.
pub(super) fn let_go(input: &[u8]) -> Vec<u8> {
    [GO, input].concat()
}

pub(super) fn not_started(call: &Call, why: String) -> NotRun {
    NotRun::NotStarted { program: call.program.first().cloned().unwrap_or_default(), why }
}

fn spawn(mut command: Command, call: &Call) -> Result<Child, NotRun> {
    command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().map_err(|error| not_started(call, error.to_string()))
}

/// The file to run, found before anything is started: a missing program is then a plain "nothing was sent" and not an exit code
/// of the wrapper (127), which the program itself could have given after it acted.
fn resolve(call: &Call) -> Result<(PathBuf, &[String]), NotRun> {
    let Some((program, arguments)) = call.program.split_first().filter(|(program, _)| !program.is_empty()) else {
        return Err(not_started(call, "`program` is empty".to_owned()));
    };
    let found = if program.contains('/') { Some(PathBuf::from(program)) } else { in_path(program) };
    let file = found.ok_or_else(|| not_started(call, "it is in no folder of `PATH`".to_owned()))?;
    runnable(&file).map_err(|why| not_started(call, why))?;
    Ok((file, arguments))
}

fn in_path(program: &str) -> Option<PathBuf> {
    let path = variable("PATH", DEFAULT_PATH);
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| runnable(file).is_ok())
}

fn runnable(file: &Path) -> Result<(), String> {
    let metadata = std::fs::metadata(file).map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is not a file".to_owned());
    }
    rustix::fs::access(file, Access::EXEC_OK).map_err(|_| "it may not be executed".to_owned())
}

/// The whole environment of a program.
fn environment() -> [(&'static str, OsString); 4] {
    [
        ("PATH", variable("PATH", DEFAULT_PATH)),
        ("HOME", variable("HOME", "/")),
        ("LANG", variable("LANG", "C.UTF-8")),
        ("TZ", OsString::from("UTC")),
    ]
}

fn assignments() -> impl Iterator<Item = OsString> {
    environment().into_iter().map(|(name, value)| {
        let mut assignment = OsString::from(name);
        assignment.push("=");
        assignment.push(value);
        assignment
    })
}

fn variable(name: &str, default: &str) -> OsString {
    std::env::var_os(name).unwrap_or_else(|| OsString::from(default))
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    fn call(body: &str) -> Call {
        let program = ["/bin/sh", "-c", body, "sh"].map(str::to_owned).to_vec();
        Call { slot: "support-a".to_owned(), program, verb: "update".to_owned(), input: Vec::new() }
    }

    #[tokio::test]
    async fn a_held_program_never_runs_when_its_starter_dies() {
        let folder = tempfile::tempdir().unwrap();
        let ran = folder.path().join("ran");
        for before in [&b""[..], b"g", b"go"] {
            let mut child = held(&call(&format!("touch {}", ran.display()))).unwrap();
            let mut stdin = child.stdin.take().unwrap();
            stdin.write_all(before).await.unwrap();
            drop(stdin);
            let status = child.wait().await.unwrap();
            assert!(!ran.exists() && !status.success(), "{before:?}: {status}");
        }
    }

    #[tokio::test]
    async fn the_wait_takes_no_byte_of_the_input() {
        let input = format!("{{\"a\": \"b\\\\c d\"}}\n\n  {}\n", "x".repeat(50_000));
        let mut child = held(&call("cat")).unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let bytes = let_go(input.as_bytes());
        let feed = async move { stdin.write_all(&bytes).await };
        let (fed, output) = tokio::join!(feed, child.wait_with_output());
        fed.unwrap();
        assert_eq!(String::from_utf8(output.unwrap().stdout).unwrap(), input);
    }

    #[test]
    fn what_can_not_run_is_found_before_anything_is_started() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("plain"), "x").unwrap();
        let inside = |name: &str| folder.path().join(name).display().to_string();
        for program in [
            vec![],
            vec![String::new()],
            vec![inside("none")],
            vec![inside("plain")],
            vec![inside("")],
            vec!["no-such-tool".to_owned()],
        ] {
            let call = Call { program: program.clone(), ..call("") };
            assert!(matches!(resolve(&call), Err(NotRun::NotStarted { .. })), "{program:?}");
        }
        assert!(resolve(&Call { program: vec!["env".to_owned()], ..call("") }).is_ok());
    }
}
