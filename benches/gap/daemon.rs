//! The release daemon as a process of its own, asked over its socket.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

/// Long for anything that is waited for here.
const PATIENCE: Duration = Duration::from_secs(300);

/// Killed when dropped.
pub struct Daemon {
    folder: PathBuf,
    child: Child,
}

impl Daemon {
    /// Starts it, on a faster clock if one is given, and returns when it answers.
    pub fn start(folder: &Path, clock: Option<(Timestamp, u32)>) -> Self {
        let log = File::options().create(true).append(true).open(folder.join("log")).expect("a log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_changeover"));
        command.args(["serve", "--config"]).arg(folder.join("config/changeover.toml"));
        if let Some((origin, speed)) = clock {
            command.args(["--clock-origin", &origin.to_string(), "--clock-speed", &speed.to_string()]);
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("the daemon");
        let daemon = Self { folder: folder.to_owned(), child };
        until("the daemon", || daemon.ask("GET", "/api/v1/runs", ""));
        daemon
    }

    pub fn status(&self, run: &str) -> Option<Value> {
        self.ask("GET", &format!("/api/v1/runs/{run}"), "")
    }

    /// When the run recorded that this step is done, by its own eyes or by a person's word, once it has.
    pub fn done(&self, run: &str, step: &str) -> Option<Timestamp> {
        let text = self.text("GET", &format!("/api/v1/runs/{run}/journal"), "")?;
        let mut records = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let is_done = |record: &Value| record["event"] == "step_done" || record["event"] == "confirmed";
        let wanted = records.rfind(|record| is_done(record) && record["step"] == step)?;
        wanted["at"].as_str()?.parse().ok()
    }

    /// A person's command, which must succeed.
    pub fn say(&self, args: &[&str]) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_changeover"));
        command.args(args).env("CHANGEOVER_SOCKET", self.folder.join("state/changeover.sock")).stdin(Stdio::null());
        let said = command.output().expect("it starts");
        assert!(said.status.success(), "{args:?}: {}", String::from_utf8_lossy(&said.stderr));
    }

    /// One request; the answer's JSON if it is a success.
    pub fn ask(&self, method: &str, path: &str, body: &str) -> Option<Value> {
        serde_json::from_str(&self.text(method, path, body)?).ok()
    }

    fn text(&self, method: &str, path: &str, body: &str) -> Option<String> {
        let mut stream = UnixStream::connect(self.folder.join("state/changeover.sock")).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: changeover\r\nConnection: close\r\nContent-Type: application/json\r\n");
        stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        head.starts_with("HTTP/1.1 2").then(|| body.to_owned())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something is there.
pub fn until<T>(what: &str, mut there: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = there() {
            return found;
        }
        assert!(Instant::now() < end, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
