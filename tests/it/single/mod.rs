//! One appliance without a pair (BG-10): the real command over HTTPS against the simulated update page.

mod chain;
mod killed;
mod stops;

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Instant;

use changeover::domain::ids::NodeId;
use changeover::drivers::clock::ScaledClock;
use changeover::simulator::faults::{Fault, Planned};
use changeover::simulator::server::Language;
use changeover::simulator::world::Offered;
use changeover::simulator::{Simulator, SimulatorOptions};
use jiff::Timestamp;
use serde_json::Value;

use crate::daemon::PATIENCE;

const A: NodeId = NodeId::A;
const SPEED: u32 = 600;
const CLIENT_SECRET: &str = "a client secret of nobody";
const PASSWORD: &str = "a password of nobody";

/// A simulated appliance and the file that leads to it.
struct Lab {
    simulator: Simulator,
    folder: tempfile::TempDir,
    origin: Timestamp,
}

/// What a call left behind.
#[derive(Debug)]
struct Left {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Left {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    fn json(&self) -> Value {
        serde_json::from_str(self.stdout.lines().last().unwrap_or_default()).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The error's code, of a call with `--json`.
    fn error(&self) -> String {
        let line = self.stderr.lines().rev().find(|line| line.starts_with('{'));
        let error: Value = serde_json::from_str(line.unwrap_or_default()).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        error["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// A call under way, and what it said so far.
struct Heard {
    call: Child,
    said: BufReader<ChildStderr>,
    text: String,
}

impl Heard {
    fn left(mut self) -> Left {
        self.said.read_to_string(&mut self.text).unwrap();
        Left { stderr: self.text, ..Left::of(&self.call.wait_with_output().unwrap()) }
    }
}

/// `24.2.1`, `24.2.1:24.1.9` (listed, installed only on that), or `24.2.1::24.1.9` (not even listed before).
fn offered(text: &str) -> Offered {
    let parts: Vec<&str> = text.split(':').collect();
    let after = parts.last().filter(|_| parts.len() > 1).map(|after| after.parse().unwrap());
    Offered { to: parts[0].parse().unwrap(), after, hidden: parts.len() == 3 }
}

impl Lab {
    async fn with(offers: &[&str], change: impl FnOnce(&mut SimulatorOptions)) -> Self {
        let origin = Timestamp::now();
        let clock = Arc::new(ScaledClock::new(origin, f64::from(SPEED)).unwrap());
        let (from, to) = ("24.1.1".parse().unwrap(), "24.2.1".parse().unwrap());
        let mut options = SimulatorOptions::new(clock, CLIENT_SECRET.into(), from, to);
        options.password = PASSWORD.into();
        options.world.primary = None;
        options.world.offers = offers.iter().map(|offer| offered(offer)).collect();
        change(&mut options);
        let simulator = Simulator::start(options).await.unwrap();
        let this = Self { simulator, folder: tempfile::tempdir().unwrap(), origin };
        this.write("client", CLIENT_SECRET);
        this.write("console", PASSWORD);
        this.write("lab.toml", &this.file());
        this
    }

    async fn new(offers: &[&str]) -> Self {
        Self::with(offers, |_| {}).await
    }

    async fn german(offers: &[&str]) -> Self {
        Self::with(offers, |options| options.languages.a = Language::German).await
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn file(&self) -> String {
        let Simulator { service, pin, identities, nodes, .. } = &self.simulator;
        format!(
            "service = \"{service}\"\n\n[node]\ndriver = \"beyondtrust\"\nurl = \"{}\"\naddress = \"{}\"\nidentity = \"{}\"\n\
             client_id = \"changeover\"\nclient_secret_file = \"client\"\nhands = \"console\"\ntls = {{ pins = [\"{pin}\"] }}\n\n\
             [node.console]\nusername = \"admin\"\npassword_file = \"console\"\n\n[backup]\nfolder = \"backups\"\n",
            self.simulator.url(A),
            nodes.a.ip(),
            identities.a
        )
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_changeover"));
        command.arg("single").arg(self.folder.path().join("lab.toml")).args(args);
        command.args(["--clock-origin", &self.origin.to_string(), "--clock-speed", &SPEED.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn call(&self, args: &[&str]) -> Left {
        Left::of(&self.command(args).output().unwrap())
    }

    fn start(&self, args: &[&str]) -> Child {
        self.command(args).spawn().unwrap()
    }

    /// A call that is heard until it says this.
    fn heard(&self, args: &[&str], wanted: &str) -> Heard {
        let mut call = self.start(args);
        let mut said = BufReader::new(call.stderr.take().unwrap());
        let mut text = String::new();
        while !text.contains(wanted) {
            assert!(said.read_line(&mut text).unwrap() > 0, "never `{wanted}`: {text}");
        }
        Heard { call, said, text }
    }

    /// It answers nobody from now on.
    fn silence(&self) {
        self.simulator.current().plan_fault(Planned::for_ever(Fault::NodeSilent).on(A));
    }

    fn end_silence(&self) {
        self.simulator.current().plan_fault(Planned { times: Some(0), ..Planned::for_ever(Fault::NodeSilent).on(A) });
    }

    fn plan(&self, fault: Fault, verb: &str) {
        self.simulator.current().plan_fault(Planned::once(fault).on(A).act(verb));
    }

    fn presses(&self, verb: &str) -> u64 {
        self.simulator.presses(A).get(verb).copied().unwrap_or_default()
    }

    /// The versions that were installed, in order, each without its build.
    fn updates(&self) -> Vec<String> {
        let truth = self.simulator.current().truth();
        truth.nodes.a.updates.iter().map(|update| update.to.split(' ').next().unwrap_or_default().to_owned()).collect()
    }

    fn backups(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder.path().join("backups")).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// Waits for a condition, with the call's process alive or not.
    fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < until, "never: {what}");
            std::thread::yield_now();
        }
    }

    fn is_silent(&self) -> bool {
        !self.simulator.current().answers(A)
    }
}

fn kill(mut child: Child) -> String {
    child.kill().unwrap();
    child.wait().unwrap();
    let mut text = String::new();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    text
}
