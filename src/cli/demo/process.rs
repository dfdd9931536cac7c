//! The daemon as a process of its own, which never outlives its owner here.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::cli::{Exit, Failure};

/// A debug build on a busy machine was ready within 2 s; after this long it will not be.
const READY_LIMIT: Duration = Duration::from_secs(30);

/// A daemon that was asked to end does so at once; after this long it is ended.
const END_LIMIT: Duration = Duration::from_secs(5);

/// The last lines of the log that are shown when the daemon does not come up.
const SHOWN: usize = 12;

/// The clock that daemon and simulated pair share.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub origin: Timestamp,
    pub speed: f64,
}

/// A running daemon; killed when dropped.
pub struct Daemon {
    child: Child,
}

impl Daemon {
    /// Starts this very program as the daemon and waits until its socket answers. Its log is added to `log`.
    pub fn start(config: &Path, log: &Path, pace: Pace) -> Result<Self, Failure> {
        let own = std::env::current_exe().map_err(|error| Failure::of("system", &error))?;
        let child = Command::new(own)
            .args(["serve", "--config"])
            .arg(config)
            .args(["--clock-origin", &pace.origin.to_string(), "--clock-speed", &pace.speed.to_string()])
            // Ctrl-C on the terminal reaches the demo alone, which then ends the daemon.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut daemon = Self { child: child.map_err(|error| not_started(&error.to_string()))? };
        let stderr = daemon.child.stderr.take().ok_or_else(|| not_started("it has no stderr"))?;
        let log = File::options().create(true).append(true).open(log).map_err(|error| Failure::of("folder", &error))?;
        let (sender, lines) = sync_channel(64);
        std::thread::spawn(move || copy(stderr, log, &sender));
        daemon.wait_until_ready(&lines)?;
        Ok(daemon)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn wait_until_ready(&mut self, lines: &Receiver<String>) -> Result<(), Failure> {
        let until = Instant::now() + READY_LIMIT;
        let mut said = Vec::new();
        loop {
            match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) if line == "ready" => return Ok(()),
                Ok(line) => said.push(line),
                Err(RecvTimeoutError::Timeout) => return Err(silent("it was not ready in time", &said)),
                Err(RecvTimeoutError::Disconnected) => return Err(silent("it ended", &said)),
            }
        }
    }

    /// True once the process has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)) | Err(_))
    }

    /// SIGKILL: the process has no chance to do anything more.
    pub fn kill(mut self) {
        self.end();
    }

    /// Asks it to end, as a service manager would, and waits. True if it ended by itself and with 0.
    pub fn terminate(mut self) -> bool {
        let Some(pid) = i32::try_from(self.pid()).ok().and_then(rustix::process::Pid::from_raw) else { return false };
        if rustix::process::kill_process(pid, rustix::process::Signal::TERM).is_err() {
            return false;
        }
        let until = Instant::now() + END_LIMIT;
        while Instant::now() < until {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.success();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    fn end(&mut self) {
        // It may have ended already; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.end();
    }
}

/// The log goes to its file; whoever waits for the daemon hears it too, as long as it listens.
fn copy(stderr: ChildStderr, mut log: File, heard: &std::sync::mpsc::SyncSender<String>) {
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        // A disk that is full takes the log from the reader, not the daemon from its work.
        let _ = writeln!(log, "{line}");
        // Full or gone: the daemon is ready, and nobody listens any more.
        let _ = heard.try_send(line);
    }
}

fn not_started(why: &str) -> Failure {
    Failure::new("no_daemon", "the daemon could not be started").because(why)
}

fn silent(why: &str, said: &[String]) -> Failure {
    with_last(not_started(why), said.iter().map(String::as_str))
}

/// A daemon that ended although nobody asked it to: with what it said last.
pub fn ended(log: &Path) -> Failure {
    let said = std::fs::read_to_string(log).unwrap_or_default();
    with_last(Failure::new("no_daemon", "the daemon ended although nobody asked it to"), said.lines())
        .hint("this is a bug; repeat with `--keep` and report it with the folder's `daemon.log`")
        .exit(Exit::Bug)
}

fn with_last<'a>(failure: Failure, said: impl Iterator<Item = &'a str>) -> Failure {
    let said: Vec<&str> = said.collect();
    said[said.len().saturating_sub(SHOWN)..].iter().fold(failure, |failure, line| failure.because(*line))
}
