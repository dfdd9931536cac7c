//! `changeover simulator serve`: the simulated pair and its zone on their own, for a daemon that a person starts.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp, Unit};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use crate::domain::ids::{NodeId, PerNode};
use crate::domain::version::Version;
use crate::drivers::clock::{ScaledClock, SystemClock};
use crate::ports::Clock;
use crate::simulator::faults::{Fault, Planned, UnknownFault};
use crate::simulator::server::{Language, describe};
use crate::simulator::world::Offered;

use super::demo::folder::{Folder, Setting};
use super::demo::pair::{CLIENT_ID, CONSOLE_USER, FROM, Pair, PairOptions, SITE, TO, ZONE, ZONE_ADDRESS};
use super::demo::secrets::Secrets;
use super::{Exit, Failure, Run, output};

/// The simulated pair
#[derive(Subcommand)]
pub enum Simulator {
    Serve(Serve),
}

impl Simulator {
    pub fn as_run(&self) -> &dyn Run {
        match self {
            Self::Serve(command) => command,
        }
    }
}

/// Serve a simulated pair and its zone on loopback until SIGTERM; prints one JSON line with all addresses
///
/// Writes a configuration for a daemon into a folder, and the command that starts it to stderr.
#[derive(Args)]
pub struct Serve {
    /// Where configuration and secrets are written; by default a new folder for temporary files, removed at the end
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Where the zone is served
    #[arg(long, value_name = "ADDRESS:PORT", default_value_t = SocketAddr::new(ZONE_ADDRESS, 0))]
    zone: SocketAddr,
    /// The common port of both nodes, on 127.0.1.1 and 127.0.1.2; 0 picks one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
    /// Where the control interface is served: the console, faults, the truth
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    control: SocketAddr,
    /// Another seed, other users at work
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The release that both nodes run; by it their interface is that of their time, and so is the login of the configuration
    #[arg(long, value_name = "VERSION", default_value = FROM)]
    from: Version,
    /// The release of the package that is written
    #[arg(long, value_name = "VERSION", default_value = TO)]
    to: Version,
    /// A fault that is in force from the start; may be given more than once
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(Fault::names()))]
    fault: Vec<String>,
    /// Who does in the written configuration what has no interface: a person by the control interface, or the daemon at the
    /// simulated pages
    #[arg(long, value_name = "WHO", value_parser = ["operator", "console"], default_value = "operator")]
    hands: String,
    /// A node whose pages are German; may be given more than once
    #[arg(long, value_name = "NODE", value_parser = ["a", "b"])]
    german: Vec<String>,
    /// Two appliances without a failover relationship instead of a pair, which are offered this update when they check for
    /// updates; may be given more than once. With `:AFTER` it is listed, and can be installed only once AFTER runs
    #[arg(long, value_name = "VERSION[:AFTER]")]
    offer: Vec<String>,
    /// As `--offer VERSION:AFTER`, but not even listed before
    #[arg(long, value_name = "VERSION:AFTER")]
    later: Vec<String>,
    /// The moment at which run time and machine time were equal
    #[arg(long, value_name = "T", hide = true, requires = "clock_speed")]
    clock_origin: Option<Timestamp>,
    /// How many times faster than the machine's clock run time goes
    #[arg(long, value_name = "N", hide = true, requires = "clock_origin")]
    clock_speed: Option<f64>,
}

impl Run for Serve {
    fn run(&self) -> Result<Exit, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.map_err(|error| Failure::of("system", &error))?;
        runtime.block_on(self.serve())
    }

    fn json(&self) -> bool {
        false
    }
}

impl Serve {
    async fn serve(&self) -> Result<Exit, Failure> {
        let system = |error: std::io::Error| Failure::of("system", &error);
        let mut interrupt = signal(SignalKind::interrupt()).map_err(system)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(system)?;
        self.check_versions()?;
        let folder = match &self.folder {
            Some(path) => Folder::at(path.clone(), true)?,
            None => Folder::temporary(false)?,
        };
        let secrets = Secrets::generate()?;
        let clock = self.clock()?;
        let (from, to) = (self.from.to_string(), self.to.to_string());
        let options = PairOptions {
            zone: self.zone,
            port: self.port,
            control: self.control,
            languages: self.languages(),
            from,
            to,
            offers: self.offers()?,
            ..PairOptions::new(clock.clone(), self.seed)
        };
        let pair = Pair::start(options, &secrets).await?;
        self.plan_faults(&pair)?;
        let setting = Setting {
            simulator: &pair.simulator,
            zone: pair.zone.address,
            procedure: "role-swap",
            hands: &self.hands,
            hook: None,
            policy: "",
            from: self.from.as_str(),
            to: self.to.as_str(),
        };
        folder.write(&secrets, &setting)?;
        if self.is_single() {
            folder.write_single(&pair.simulator)?;
        }
        output::json(&self.line(&pair, &folder))?;
        self.tell(&pair, &folder, clock.now());
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        pair.simulator.shutdown().await;
        Ok(Exit::Done)
    }

    /// A pair is updated to something newer.
    fn check_versions(&self) -> Result<(), Failure> {
        if self.is_single() || self.from < self.to {
            return Ok(());
        }
        let message = format!("`--from {}` is not older than `--to {}`", self.from, self.to);
        Err(Failure::new("bad_input", message)
            .state("nothing was begun")
            .hint("name an older release with `--from`, or a newer one with `--to`")
            .exit(Exit::Bug))
    }

    fn is_single(&self) -> bool {
        !(self.offer.is_empty() && self.later.is_empty())
    }

    fn offers(&self) -> Result<Vec<Offered>, Failure> {
        let version = |text: &str| {
            let read = text.parse::<Version>();
            read.map_err(|error| Failure::of("bad_version", &error).exit(Exit::Bug))
        };
        let offered = |text: &String, hidden: bool| {
            let (to, after) = text.split_once(':').map_or((text.as_str(), None), |(to, after)| (to, Some(after)));
            if hidden && after.is_none() {
                return Err(Failure::new(
                    "bad_input",
                    format!("`--later {text}` lacks what must run before, as in `24.2.1:24.1.9`"),
                )
                .exit(Exit::Bug));
            }
            Ok(Offered { to: version(to)?, after: after.map(version).transpose()?, hidden })
        };
        let (shown, later) = (self.offer.iter().map(|text| (text, false)), self.later.iter().map(|text| (text, true)));
        shown.chain(later).map(|(text, hidden)| offered(text, hidden)).collect()
    }

    fn languages(&self) -> PerNode<Language> {
        let german = |node: NodeId| self.german.iter().any(|named| named == node.as_str());
        PerNode::new(|node| if german(node) { Language::German } else { Language::English })
    }

    fn clock(&self) -> Result<Arc<dyn Clock>, Failure> {
        let (Some(origin), Some(speed)) = (self.clock_origin, self.clock_speed) else { return Ok(Arc::new(SystemClock)) };
        let clock = ScaledClock::new(origin, speed).map_err(|error| Failure::of("bad_speed", &error).exit(Exit::Bug))?;
        Ok(Arc::new(clock))
    }

    fn plan_faults(&self, pair: &Pair) -> Result<(), Failure> {
        for name in &self.fault {
            let fault = name.parse().map_err(|error: UnknownFault| Failure::of("bad_input", &error).exit(Exit::Bug))?;
            pair.simulator.current().plan_fault(Planned::for_ever(fault));
        }
        Ok(())
    }

    /// What a person does next, as it can be pasted.
    fn tell(&self, pair: &Pair, folder: &Folder, now: Timestamp) {
        let (config, socket, package) = (folder.config(), folder.socket(), folder.package(self.to.as_str()));
        let clock = match (self.clock_origin, self.clock_speed) {
            (Some(origin), Some(speed)) => format!(" --clock-origin {origin} --clock-speed {speed}"),
            _ => String::new(),
        };
        let second = now.round(Unit::Hour).unwrap_or(now) + SignedDuration::from_hours(48);
        let windows = format!("--first \"now +8h\" --second \"{second} +8h\"");
        if self.is_single() {
            let line =
                format!("update the first appliance:\n  changeover single {} --to {}{clock}", folder.single().display(), self.to);
            // Nobody has to read it.
            let _ = writeln!(std::io::stderr(), "{line}");
            return;
        }
        let lines = [
            "start a daemon for it:".to_owned(),
            format!("  changeover serve --config {}{clock}", config.display()),
            "and a run, on another terminal:".to_owned(),
            format!("  export CHANGEOVER_SOCKET={}", socket.display()),
            format!("  changeover start {SITE} --to {} --package {} {windows}", self.to, package.display()),
            "where an instruction asks you to a box's console, this is it (also break, establish, update, drain, close, open):"
                .to_owned(),
            format!("  curl -X POST http://{}/sim/v1/b/sync-now", pair.simulator.control),
        ];
        // Nobody has to read it.
        let _ = writeln!(std::io::stderr(), "{}", lines.join("\n"));
    }

    /// Everything that a client of the pair needs; secrets by path only.
    fn line(&self, pair: &Pair, folder: &Folder) -> Value {
        let mut line = describe(&pair.simulator, CLIENT_ID);
        let more = json!({
            "zone": { "name": ZONE, "address": pair.zone.address },
            "from": self.from,
            "to": self.to,
            "folder": folder.path(),
            "config": folder.config(),
            "package": folder.package(self.to.as_str()),
            "client_secret_file": folder.secret("client"),
            "console_username": CONSOLE_USER,
            "console_password_file": folder.secret("console"),
            "tsig_secret_file": folder.secret("tsig.b64"),
        });
        if let (Some(line), Value::Object(more)) = (line.as_object_mut(), more) {
            line.extend(more);
            if self.is_single() {
                line.insert("single".to_owned(), json!(folder.single()));
            }
        }
        line
    }
}
