//! The real daemon as its own process, and the real command line, for whole runs.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

/// Long for this machine under load; what is waited for takes a second or two.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A folder with a config, and the daemon that runs on it.
pub struct Daemon {
    pub folder: PathBuf,
    pub clock: Option<(Timestamp, u32)>,
    /// Doors of the test build: names and values of variables that the daemon finds.
    pub doors: Vec<(&'static str, String)>,
    child: Option<Child>,
    log: Option<mpsc::Receiver<String>>,
    /// What the daemon has said so far, for failure texts.
    said: Vec<String>,
}

impl Daemon {
    /// Writes the configuration; `site` is the text of `sites.d/support.toml`, `main` is added to `changeover.toml`.
    pub fn new(folder: &Path, site: &str, main: &str, clock: Option<(Timestamp, u32)>) -> Self {
        let config = folder.join("config");
        std::fs::create_dir_all(config.join("sites.d")).unwrap();
        std::fs::write(config.join("changeover.toml"), format!("state = \"../state\"\n{main}")).unwrap();
        std::fs::write(config.join("sites.d/support.toml"), site).unwrap();
        std::fs::write(folder.join("base.nss"), b"a package").unwrap();
        Self { folder: folder.to_owned(), clock, doors: Vec::new(), child: None, log: None, said: Vec::new() }
    }

    /// Starts the daemon and waits until it is ready. With `kill` it ends itself at that record.
    pub fn start(&mut self, kill: Option<&str>) {
        let mut command = self.serve();
        if let Some(kill) = kill {
            command.env("CHANGEOVER_TEST_KILL", kill);
        }
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (sender, log) = mpsc::channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        (self.child, self.log) = (Some(child), Some(log));
        self.wait_for_line("ready");
    }

    /// Starts the daemon with a stderr that takes nothing, as on a full disk, and waits until it answers.
    pub fn start_unheard(&mut self) {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        self.child = Some(self.serve().stderr(full).spawn().unwrap());
        let until = Instant::now() + PATIENCE;
        while self.ask("GET", "/api/v1/runs", "").is_none() {
            assert!(!self.has_died() && Instant::now() < until, "the daemon never answered");
        }
    }

    fn serve(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_changeover"));
        command.args(["serve", "--config"]).arg(self.folder.join("config/changeover.toml"));
        if let Some((origin, speed)) = self.clock {
            command.args(["--clock-origin", &origin.to_string(), "--clock-speed", &speed.to_string()]);
        }
        command.envs(self.doors.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    fn wait_for_line(&mut self, wanted: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            let line = self.log.as_ref().unwrap().recv_timeout(until.saturating_duration_since(Instant::now()));
            let Ok(line) = line else { panic!("the daemon never said `{wanted}`; it said\n{}", self.said.join("\n")) };
            let found = line == wanted;
            self.said.push(line);
            if found {
                return;
            }
        }
    }

    /// The daemon's log so far.
    pub fn log(&mut self) -> String {
        let new: Vec<String> = self.log.iter().flat_map(|log| log.try_iter()).collect();
        self.said.extend(new);
        self.said.join("\n")
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Asks the daemon to end, as systemd does; its exit code.
    pub fn terminate(&mut self) -> Option<i32> {
        let status = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status().unwrap();
        assert!(status.success());
        self.child.take().unwrap().wait().unwrap().code()
    }

    /// True if the daemon's process has ended by itself.
    pub fn has_died(&mut self) -> bool {
        self.child.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some())
    }

    /// One command of the command line.
    pub fn cli(&self, args: &[&str]) -> Output {
        let socket = self.folder.join("state/changeover.sock");
        Command::new(env!("CARGO_BIN_EXE_changeover"))
            .args(args)
            .env("CHANGEOVER_SOCKET", socket)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// A command with `--json` that must succeed; the last line of its output.
    pub fn json(&mut self, args: &[&str]) -> Value {
        let output = self.cli(&[args, &["--json"]].concat());
        assert!(output.status.success(), "{args:?}: {}\n{}", String::from_utf8_lossy(&output.stderr), self.log());
        last_json(&output.stdout)
    }

    /// The status of a run, if the daemon answers; asked over the socket, as this is asked very often.
    pub fn status(&self, run: &str) -> Option<Value> {
        self.ask("GET", &format!("/api/v1/runs/{run}"), "")
    }

    /// Accepts the open gate; nothing happens if there is none, or if a rule stands against it.
    pub fn confirm(&self, run: &str) {
        self.ask("POST", &format!("/api/v1/runs/{run}/confirm"), "{}");
    }

    /// One request; the answer's JSON if it is a success.
    fn ask(&self, method: &str, path: &str, body: &str) -> Option<Value> {
        let mut stream = UnixStream::connect(self.folder.join("state/changeover.sock")).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: changeover\r\nConnection: close\r\nContent-Type: application/json\r\n");
        stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        if head.starts_with("HTTP/1.1 2") { serde_json::from_str(body).ok() } else { None }
    }

    /// Returns when the daemon has said something more, or after a moment.
    pub fn listen(&mut self) {
        const MOMENT: Duration = Duration::from_millis(20);
        if let Some(Ok(line)) = self.log.as_ref().map(|log| log.recv_timeout(MOMENT)) {
            self.said.push(line);
        }
    }

    pub fn start_run(&mut self, procedure: &str, first: &str, second: &str) -> String {
        self.start_run_to("24.2.1", procedure, first, second)
    }

    pub fn start_run_to(&mut self, to: &str, procedure: &str, first: &str, second: &str) -> String {
        let package = self.folder.join("base.nss");
        let package = package.to_str().unwrap();
        let args = [
            "start",
            "support",
            "--to",
            to,
            "--package",
            package,
            "--procedure",
            procedure,
            "--first",
            first,
            "--second",
            second,
        ];
        self.json(&args)["run"].as_str().unwrap().to_owned()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub fn last_json(stdout: &[u8]) -> Value {
    let text = String::from_utf8_lossy(stdout);
    serde_json::from_str(text.lines().last().unwrap_or_default()).unwrap_or_else(|error| panic!("{error}: {text}"))
}
