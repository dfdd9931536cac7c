//! The store in a process of its own: seen by strace, ended by its own switch.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use super::*;

/// The records that the child appends, one at a time.
pub fn records() -> Vec<Record> {
    chain("support-7", 2000)
}

/// This test binary again, as a child that works on `state`; `before` are the words put before the command.
pub fn command_through(before: &[&str], state: &Path, mode: &str) -> Command {
    let this = std::env::current_exe().unwrap();
    let mut command = before.first().map_or_else(|| Command::new(&this), Command::new);
    command.args(before.iter().skip(1));
    if !before.is_empty() {
        command.arg(&this);
    }
    command.args(["--exact", "store::child::the_child", "--nocapture"]);
    command.env("CHANGEOVER_STORE_CHILD", mode).env("CHANGEOVER_STORE_STATE", state);
    command
}

/// Not a test by itself: what the child does.
#[test]
fn the_child() {
    let Some(mode) = std::env::var_os("CHANGEOVER_STORE_CHILD") else { return };
    let state = PathBuf::from(std::env::var_os("CHANGEOVER_STORE_STATE").unwrap());
    match mode.to_str() {
        Some("alone") => return write(&state, 1),
        Some("together") => return write(&state, 8),
        Some("look") => return look(&state),
        _ => {}
    }
    let count = if mode == "until-failure" { usize::MAX } else { 8 };
    let opened = open(&state).unwrap();
    let done = opened.runs.map(|run| run.unwrap().1.len()).next().unwrap_or(0);
    say("opened");
    for record in records().into_iter().skip(done).take(count) {
        match append(&opened.store, std::slice::from_ref(&record)) {
            Ok(()) => say(&format!("acknowledged {}", record.seq)),
            Err(error) => return say(&format!("final: {error}")),
        }
    }
}

/// For `tests/power_cut.py`: so many runs are appended to at once, until the store fails or the process is ended.
fn write(state: &Path, runs: usize) {
    let store = open(state).unwrap().store;
    std::thread::scope(|scope| {
        for run in 1..=runs {
            let store = &store;
            scope.spawn(move || {
                for record in chain(&format!("support-{run}"), 2000) {
                    append(store, std::slice::from_ref(&record)).unwrap();
                    say(&format!("acknowledged {} {}", record.seq, record.run));
                }
            });
        }
    });
}

/// For `tests/power_cut.py`: opens what is left, and says what is there, each record as it was appended.
fn look(state: &Path) {
    for run in open(state).unwrap().runs {
        let (run, records) = run.unwrap();
        assert_eq!(records, chain(&run.to_string(), 2000)[..records.len()]);
        say(&format!("has {run} {}", records.len()));
    }
    say("looked");
}

/// One line, one write, whatever the test harness does with standard output.
fn say(text: &str) {
    std::io::stdout().write_all(format!("\n{text}\n").as_bytes()).unwrap();
    std::io::stdout().flush().unwrap();
}

/// SIGKILL while the child appends as fast as it can, again and again on one store: nothing acknowledged is ever missing.
#[test]
fn r14_a_killed_process_loses_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    let mut random = fastrand::Rng::with_seed(seed);
    let mut acknowledged = 0;
    for round in 0..12 {
        let mut command = command_through(&[], folder.path(), "until-failure");
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let answers = lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("acknowledged ")?.parse::<usize>().ok());
        acknowledged = answers.take(random.usize(1..80)).last().unwrap_or_else(|| panic!("no answer, SEED={seed}"));
        child.kill().unwrap();
        child.wait().unwrap();
        let found = reopened(folder.path()).concat();
        assert!(found.len() >= acknowledged, "round {round} with SEED={seed}: {} of {acknowledged}", found.len());
        assert_eq!(found, records()[..found.len()], "round {round} with SEED={seed}");
    }
    assert!(acknowledged > 12);
}

#[test]
fn between_the_last_write_and_the_answer_each_file_is_synced_once() {
    let folder = tempfile::tempdir().unwrap();
    let (state, trace) = (folder.path().join("state"), folder.path().join("trace"));
    let calls = "trace=write,pwrite64,writev,pwritev,fdatasync,fsync,sync_file_range";
    let strace = ["strace", "-f", "-y", "-o", trace.to_str().unwrap(), "-e", calls];
    let output = command_through(&strace, &state, "eight").output();
    let output = output.unwrap_or_else(|error| panic!("`strace` can't be started ({error}); `tests/run` installs it"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(&trace).unwrap();
    let commits = commits(&text);
    assert_eq!(commits.len(), 8, "{text}");
    for (number, calls) in commits.iter().enumerate() {
        for file in ["/state/db/db>", "/state/journal.log>"] {
            let at = |names: &[&str]| -> Vec<usize> {
                let of_kind = |call: &str| names.iter().any(|name| call.contains(&format!("{name}("))) && call.contains(file);
                calls.iter().enumerate().filter(|(_, call)| of_kind(call)).map(|(at, _)| at).collect()
            };
            let (writes, syncs) = (at(&["write", "pwrite64", "writev", "pwritev"]), at(&["fdatasync"]));
            assert_eq!(syncs.len(), 1, "record {}, {file}: {calls:#?}", number + 1);
            assert!(writes.last().is_some_and(|last| *last < syncs[0]), "record {}, {file}: {calls:#?}", number + 1);
        }
    }
}

/// The calls between one answer and the next, a call that was interrupted in the trace counted where it began; the syncs
/// must have ended before the answer too.
fn commits(trace: &str) -> Vec<Vec<String>> {
    let (mut commits, mut calls, mut open) = (Vec::new(), Vec::new(), std::collections::HashSet::new());
    let lines = trace.lines().skip_while(|line| !line.contains("opened"));
    for line in lines.skip(1) {
        let pid = line.split_whitespace().next().unwrap_or_default();
        if line.contains("acknowledged ") {
            assert!(open.is_empty(), "answered while a sync was on its way: {trace}");
            commits.push(std::mem::take(&mut calls));
        } else if line.contains("resumed>") {
            open.remove(pid);
        } else {
            if line.contains("fdatasync(") && line.contains("unfinished") {
                open.insert(pid);
            }
            calls.push(line.to_owned());
        }
    }
    commits
}

#[cfg(feature = "test-kill")]
mod kill {
    use std::os::unix::process::ExitStatusExt as _;

    use changeover::drivers::store::read_log_file;

    use super::*;

    #[test]
    fn r14_the_process_ends_exactly_where_it_was_told_to() {
        for (switch, acknowledged, durable) in
            [("before:1", 0, 0), ("after:1", 0, 1), ("before:5", 4, 4), ("after:5", 4, 5), ("before:8", 7, 7), ("after:8", 7, 8)]
        {
            let folder = tempfile::tempdir().unwrap();
            let output = command_through(&[], folder.path(), "eight").env("CHANGEOVER_TEST_KILL", switch).output().unwrap();
            assert_eq!(output.status.signal(), Some(9), "{switch}: {output:?}");
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert_eq!(said.lines().filter(|line| line.starts_with("acknowledged ")).count(), acknowledged, "{switch}: {said}");
            let log = read_log_file(&folder.path().join("journal.log")).unwrap();
            assert_eq!(log, records()[..durable], "{switch}");
            let mut opened = open(folder.path()).unwrap();
            assert!(opened.recovered.is_empty(), "{switch}: sled has it too");
            assert_eq!(all(&mut opened).concat(), records()[..durable], "{switch}");
        }
    }

    #[test]
    fn a_switch_that_says_nothing_is_refused() {
        for switch in ["", "after", "after:x", "later:3"] {
            let folder = tempfile::tempdir().unwrap();
            let output = command_through(&[], folder.path(), "eight").env("CHANGEOVER_TEST_KILL", switch).output().unwrap();
            let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert!(!output.status.success() && said.contains("TestKill"), "{switch}: {said}");
        }
    }
}
