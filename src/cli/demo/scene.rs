//! The scene: everything that is started before a run begins, and that ends with the demo, however it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::{SignedDuration, Timestamp, Unit};
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::client::Client;
use crate::cli::{Daemon as Address, Exit, Failure};
use crate::drivers::clock::ScaledClock;
use crate::ports::Clock;

use super::alerts::Hook;
use super::folder::{Folder, Setting};
use super::pair::{FROM, Pair, PairOptions, SERVICE, SITE, TO};
use super::process::{Daemon, Pace};
use super::secrets::Secrets;
use super::story::Story;
use super::tales::Tale;

/// The site's limits in the demo.
///
/// The machine's milliseconds are seconds of the run here, so whatever is bounded by how fast this machine computes (looks,
/// syncs of its answers to disk, downloads) gets more room than on a real site. What a real site's operator thinks about stays
/// close to the defaults: a day of soak, an hour expected for an update. An update of the simulated boxes takes 20 to 40
/// minutes; after 90 it is in doubt.
const POLICY: &str = r#"
[policy]
max_sync_age = "4h"
max_clock_skew = "10min"
drain_limit = "3h"
max_silence = "2h"
min_soak = "24h"
[policy.limits]
backup = "6h"
check_sync = "8h"
force_sync = "2h"
break_failover = "1h"
update = "90min"
verify = "8h"
drain = "3h"
quiesce = "2h"
extract_data = "6h"
switch_traffic = "2h"
establish_failover = "9h"
final_check = "12h"
"#;

/// Every five minutes, the simulator's own habit, would be every 75 ms: too seldom two looks would agree in between.
const AUTO_SYNC: SignedDuration = SignedDuration::from_mins(30);

/// Each fourteen seconds of this machine at the usual speed, for a dozen steps and their proofs. Idle it needs one of them; with
/// four busy processes beside on two cores, three and a half.
const WINDOW: &str = "+20h";

/// From the first window to the second.
const BETWEEN: SignedDuration = SignedDuration::from_hours(48);

/// What the user wishes to see.
pub struct Wish<'a> {
    pub tale: &'static Tale,
    pub procedure: &'a str,
    pub seed: u64,
    pub speed: f64,
    pub keep: bool,
    /// The story goes to stderr.
    pub aside: bool,
}

/// All that plays together. The fields are dropped in this order: first the daemon, last its folder.
pub struct Scene {
    pub daemon: Option<Daemon>,
    pub client: Client,
    pub hook: Hook,
    pub pair: Pair,
    pub runtime: Runtime,
    pub folder: Folder,
    pub clock: Arc<ScaledClock>,
    pub pace: Pace,
    pub story: Story,
    pub tale: &'static Tale,
    pub procedure: String,
    pub keep: bool,
    stop: Arc<AtomicBool>,
}

impl Scene {
    /// Starts zone, pair, webhook and daemon.
    pub fn set(wish: &Wish<'_>) -> Result<Self, Failure> {
        let runtime = runtime()?;
        let stop = Arc::new(AtomicBool::new(false));
        runtime.block_on(watch_for_signals(stop.clone()))?;
        let folder = Folder::temporary(wish.keep)?;
        let secrets = Secrets::generate()?;
        let pace = Pace { origin: Timestamp::now(), speed: wish.speed };
        let clock =
            ScaledClock::new(pace.origin, pace.speed).map_err(|error| Failure::of("bad_speed", &error).exit(Exit::Bug))?;
        let clock = Arc::new(clock);
        let options = PairOptions { auto_sync: Some(AUTO_SYNC), ..PairOptions::new(clock.clone(), wish.seed) };
        let pair = runtime.block_on(Pair::start(options, &secrets))?;
        let hook = runtime.block_on(Hook::start(&secrets.hook))?;
        let setting = Setting {
            simulator: &pair.simulator,
            zone: pair.zone.address,
            procedure: wish.procedure,
            from: FROM,
            to: TO,
            hands: "operator",
            hook: Some(hook.address),
            policy: POLICY,
        };
        folder.write(&secrets, &setting)?;
        let client = Client::new(&Address { socket: folder.socket() })?;
        let mut scene = Self {
            daemon: None,
            client,
            hook,
            pair,
            runtime,
            story: Story::new(pace.origin, wish.aside),
            folder,
            clock,
            pace,
            tale: wish.tale,
            procedure: wish.procedure.to_owned(),
            keep: wish.keep,
            stop,
        };
        scene.introduce();
        scene.start_daemon()?;
        Ok(scene)
    }

    pub fn start_daemon(&mut self) -> Result<(), Failure> {
        self.daemon = Some(Daemon::start(&self.folder.config(), &self.folder.log(), self.pace)?);
        Ok(())
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Fails once somebody has asked the demo to end.
    pub fn go_on(&self) -> Result<(), Failure> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Failure::new("interrupted", "interrupted; the daemon and the simulated pair are ended"));
        }
        Ok(())
    }

    /// The order of the run: the first window now, the second two nights later.
    pub fn order(&self) -> serde_json::Value {
        let now = self.now();
        let second = format!("{} {WINDOW}", now.round(Unit::Hour).unwrap_or(now) + BETWEEN);
        json!({ "site": SITE, "to": TO, "package": self.folder.package(TO), "first": format!("now {WINDOW}"), "second": second })
    }

    fn introduce(&self) {
        let Pair { simulator, zone } = &self.pair;
        let story = &self.story;
        story.say(&format!(
            "A failover pair is updated from {FROM} to {TO} by the procedure `{}`, in two windows two days apart.",
            self.procedure
        ));
        if !self.tale.name.is_empty() {
            story.say(&format!("This time {}.", self.tale.what));
        }
        story.say(&format!("Nodes a and b are simulated at {} and {},", simulator.nodes.a, simulator.nodes.b));
        story.say(&format!("`{SERVICE}` stands in a zone at {}; the daemon is a process of its own.", zone.address));
        let minutes = (self.pace.speed / 60.0).round();
        story.say(&format!("One second here is {minutes} minutes there; the clock is UTC.\n"));
    }
}

fn runtime() -> Result<Runtime, Failure> {
    let built = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    built.map_err(|error| Failure::of("system", &error))
}

/// From here on SIGINT and SIGTERM no longer end the process by themselves: the demo ends what it started first.
async fn watch_for_signals(stop: Arc<AtomicBool>) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::of("system", &error);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        stop.store(true, Ordering::Relaxed);
    });
    Ok(())
}
