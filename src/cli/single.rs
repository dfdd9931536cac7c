//! `changeover single FILE`: one appliance that has no pair, from what its own update page offers to a version. Needs no daemon.

mod words;

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use clap::Args;
use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use serde::Serialize;
use serde_json::{Value, json};

use crate::config::{self, ConfigErrors, Log, LogFormat, SingleSettings};
use crate::domain::single::{Next, Offer, Page, Seen, next};
use crate::domain::site::Observation;
use crate::domain::version::Version;
use crate::domain::window::parse_moment;
use crate::drivers::clock::{ScaledClock, SystemClock};
use crate::engine::single::{Stop, UnderWay, Walk};
use crate::ports::{Clock, ProducedFile};

use super::{Exit, Failure, Format, Run, ask, output, serve, wiring};
use words::{backed_up, described, people, table};

/// Update one appliance that has no pair from its own update page, step by step, to a version; needs no daemon
#[derive(Args)]
pub struct Single {
    /// The appliance's file
    file: PathBuf,
    /// The version to reach
    #[arg(long, value_name = "VERSION", required_unless_present = "list")]
    to: Option<Version>,
    /// Only let it check for updates and list them; nothing is installed
    #[arg(long, conflicts_with_all = ["until", "yes"])]
    list: bool,
    /// No installation begins after this moment, as in `2026-11-22T04:00[Europe/Berlin]`
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Do not ask before each installation
    #[arg(long)]
    yes: bool,
    /// The moment at which run time and machine time were equal (simulated appliances only)
    #[arg(long, value_name = "T", hide = true, requires = "clock_speed")]
    clock_origin: Option<Timestamp>,
    /// How many times faster than the machine's clock run time goes (simulated appliances only)
    #[arg(long, value_name = "N", hide = true, requires = "clock_origin")]
    clock_speed: Option<f64>,
    #[command(flatten)]
    format: Format,
}

impl Run for Single {
    fn run(&self) -> Result<Exit, Failure> {
        let until = self.until.as_deref().map(parse_moment).transpose();
        let until = until.map_err(|error| Failure::of("bad_input", &error).exit(Exit::Bug))?;
        let settings = self.settings()?;
        let _lock = self.lock()?;
        super::logging::start(&Log { format: LogFormat::Human, filter: "warn".to_owned() });
        let clock = self.clock(&settings)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| Failure::of("no_runtime", &error))?;
        let exit = runtime.block_on(self.call(&settings, clock, until));
        // A question that nobody answered any more is not waited for.
        runtime.shutdown_background();
        exit
    }

    fn json(&self) -> bool {
        self.format.json
    }
}

impl Single {
    fn settings(&self) -> Result<SingleSettings, Failure> {
        config::load_single(&self.file).map_err(|ConfigErrors(problems)| {
            let unusable = Failure::new("bad_config", format!("the file `{}` can't be used", self.file.display()));
            problems.iter().fold(unusable, |failure, problem| failure.because(problem.to_string()))
        })
    }

    /// Two calls at once could each press once.
    fn lock(&self) -> Result<File, Failure> {
        let file = File::open(&self.file).map_err(|error| Failure::of("bad_config", &error))?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|error| {
            if error != rustix::io::Errno::WOULDBLOCK {
                return Failure::of("bad_config", &error).because("the file can't be locked against a second call");
            }
            Failure::new("in_use", format!("another call of this command is at work with `{}`", self.file.display()))
                .because(error.to_string())
                .state("this call has asked nothing of the appliance")
        })?;
        Ok(file)
    }

    fn clock(&self, settings: &SingleSettings) -> Result<Arc<dyn Clock>, Failure> {
        let (Some(origin), Some(speed)) = (self.clock_origin, self.clock_speed) else { return Ok(Arc::new(SystemClock)) };
        settings.is_loopback().map_err(|what| {
            Failure::new("clock_refused", "a faster clock is only for simulated appliances on this machine").because(what)
        })?;
        let clock = ScaledClock::new(origin, speed).map_err(|error| Failure::of("clock_refused", &error))?;
        Ok(Arc::new(clock))
    }

    async fn call(&self, settings: &SingleSettings, clock: Arc<dyn Clock>, until: Option<Timestamp>) -> Result<Exit, Failure> {
        let driver = wiring::single(settings, clock.clone()).map_err(|error| Failure::of("bad_config", &error))?;
        let tell = output::tell;
        let walk = Walk::new(&driver, &*clock, &settings.node.identity, &tell);
        let under_way = walk.under_way();
        let mut work = Work { command: self, settings, clock: &*clock, until, walk, installed: Vec::new() };
        tokio::select! {
            done = work.all() => done,
            () = serve::asked_to_stop() => Err(interrupted(&under_way)),
        }
    }
}

/// An installation that this call has seen through.
#[derive(Serialize)]
struct Installed {
    from: Version,
    to: Version,
    backup: Backup,
    ordered_at: Timestamp,
    seen_at: Timestamp,
}

#[derive(Serialize)]
struct Backup {
    path: PathBuf,
    sha256: String,
    bytes: u64,
}

/// One call.
struct Work<'a> {
    command: &'a Single,
    settings: &'a SingleSettings,
    clock: &'a dyn Clock,
    until: Option<Timestamp>,
    walk: Walk<'a>,
    installed: Vec<Installed>,
}

impl Work<'_> {
    async fn all(&mut self) -> Result<Exit, Failure> {
        match &self.command.to {
            Some(target) if !self.command.list => self.update(target).await,
            _ => self.list().await,
        }
    }

    /// BG-10: checks and lists, and presses nothing else.
    async fn list(&mut self) -> Result<Exit, Failure> {
        let now = self.walk.answering(false).await.map_err(|stop| self.stopped(stop))?;
        // Nothing is wanted of it; what refuses is refused all the same.
        self.refuse(&next(&seen(&now, &now.version, None, false)), &now)?;
        let page = self.walk.check().await.map_err(|stop| self.stopped(stop))?;
        match page {
            Some(Page::Offers(offers)) => self.show(&now, &offers),
            _ => Err(Failure::new("not_answering", "it installs an update, or fell silent")
                .state("nothing was ordered")
                .hint("repeat the command later")),
        }
    }

    fn show(&self, now: &Observation, offers: &[Offer]) -> Result<Exit, Failure> {
        if self.command.format.json {
            let mut line = self.line(now);
            line["offers"] = json!(offers);
            output::json(&line)?;
        } else {
            output::say(&format!("{}\n{}", self.headed(now), table(offers)))?;
        }
        Ok(Exit::Done)
    }

    /// BG-10: install, check again, and go on until the target is there or nothing leads on.
    async fn update(&mut self, target: &Version) -> Result<Exit, Failure> {
        let first = self.walk.answering(true).await.map_err(|stop| self.stopped(stop))?;
        // One answer tells that it is a pair. Whether it is well, or done, is told by two: it may just be back from an update.
        if let pair @ Next::IsPair = next(&seen(&first, target, None, false)) {
            self.refuse(&pair, &first)?;
        }
        let mut now = self.settled().await?;
        let mut page = None;
        loop {
            let late = self.is_late();
            match next(&seen(&now, target, page.as_ref(), late)) {
                Next::Done => return self.done(&now, target),
                Next::Ask => match self.walk.check().await.map_err(|stop| self.stopped(stop))? {
                    Some(read) => page = Some(read),
                    None => now = self.settled().await?,
                },
                Next::Wait => {
                    self.walk.while_installing().await.map_err(|stop| self.stopped(stop))?;
                    (now, page) = (self.settled().await?, None);
                }
                Next::Install(offer) => {
                    let offer = offer.clone();
                    self.agree(&now, &offer, page.as_ref(), target).await?;
                    // A question may stand for hours: what it was asked about must still be so.
                    let fresh = if self.command.yes { now.clone() } else { self.settled().await? };
                    now = if is_as(&fresh, &now) { self.install(&offer, &fresh).await? } else { fresh };
                    page = None;
                }
                Next::NothingOffered => return Err(self.nothing_offered(&now, target, page.as_ref())),
                Next::TooLate(offer) => return Err(self.too_late(offer)),
                // A box that installs may report a problem with itself meanwhile.
                Next::Unhealthy if page.is_none() && self.walk.is_installing().await => page = Some(Page::Installing),
                refused @ (Next::IsPair | Next::Unhealthy) => self.refuse(&refused, &now)?,
            }
        }
    }

    async fn settled(&mut self) -> Result<Observation, Failure> {
        self.walk.settled().await.map_err(|stop| self.stopped(stop))
    }

    fn is_late(&self) -> bool {
        self.until.is_some_and(|until| self.clock.now() >= until)
    }

    /// Shows the list and asks, unless that was answered beforehand.
    async fn agree(&self, now: &Observation, offer: &Offer, page: Option<&Page>, target: &Version) -> Result<(), Failure> {
        let offers = if let Some(Page::Offers(offers)) = page { offers.as_slice() } else { &[] };
        output::tell(&format!("{}\n{}", self.headed(now), table(offers)));
        let (name, version) = (&offer.name, &offer.version);
        output::tell(&format!("next on the way to {target}: `{name}` ({version})"));
        if self.command.yes {
            return Ok(());
        }
        let what = format!("this installs `{name}` ({version}) on appliance `{}`", self.settings.name);
        let question = output::clean(&format!("back up and install `{name}` now? {}", people(now)));
        let asked = tokio::task::spawn_blocking(move || ask::sure(&what, &question)).await;
        asked.map_err(|error| Failure::of("system", &error))?.map_err(|failure| failure.state(self.told()))
    }

    async fn install(&mut self, offer: &Offer, before: &Observation) -> Result<Observation, Failure> {
        output::tell(&format!("backing up into {}", self.settings.backups.display()));
        let file = self.walk.back_up(&self.settings.backups).await.map_err(|stop| self.stopped(stop))?;
        if self.is_late() {
            return Err(self.too_late(offer));
        }
        let ordered_at = self.clock.now();
        output::tell(&format!("{}; ordering `{}`", backed_up(&file), offer.name));
        let after = self.walk.install(offer, before).await.map_err(|stop| self.stopped(stop))?;
        let ProducedFile { path, sha256, bytes } = file;
        let (from, to) = (before.version.clone(), after.version.clone());
        output::tell(&format!("it runs {to}, healthy twice in answers from after the order"));
        self.installed.push(Installed { from, to, backup: Backup { path, sha256, bytes }, ordered_at, seen_at: after.at });
        Ok(after)
    }

    fn done(&self, now: &Observation, target: &Version) -> Result<Exit, Failure> {
        if self.command.format.json {
            let mut line = self.line(now);
            (line["target"], line["installed"]) = (json!(target), json!(self.installed));
            output::json(&line)?;
        } else {
            let what = if self.installed.is_empty() { "nothing to do".to_owned() } else { self.told() };
            output::say(&format!("{}: {what}", self.headed(now)))?;
        }
        Ok(Exit::Done)
    }

    fn line(&self, now: &Observation) -> Value {
        json!({ "appliance": self.settings.name, "identity": now.identity, "version": now.version, "build": now.build })
    }

    fn headed(&self, now: &Observation) -> String {
        format!("appliance `{}` runs {}", self.settings.name, now.version)
    }

    /// What this call has installed so far.
    fn told(&self) -> String {
        let all: Vec<&str> = self.installed.iter().map(|one| one.to.as_str()).collect();
        if all.is_empty() {
            "nothing was installed by this call".to_owned()
        } else {
            format!("installed {}", all.join(", then "))
        }
    }

    fn refuse(&self, next: &Next<'_>, now: &Observation) -> Result<(), Failure> {
        let name = &self.settings.name;
        match next {
            Next::IsPair => Err(Failure::new(
                "is_pair",
                format!("appliance `{name}`: expected one without failover relationship, found the role `{}`", now.role.as_str()),
            )
            .state(self.told())
            .hint("the vendor excludes pairs from these updates; `changeover start` updates pairs")),
            Next::Unhealthy => Err(Failure::new("unhealthy", format!("appliance `{name}` reports a problem with itself"))
                .state(self.told())
                .hint("look at its status page; nothing is installed on an appliance that is not well")),
            _ => Ok(()),
        }
    }

    fn nothing_offered(&self, now: &Observation, target: &Version, page: Option<&Page>) -> Failure {
        let offers = if let Some(Page::Offers(offers)) = page { offers.as_slice() } else { &[] };
        let listed: Vec<String> = offers.iter().map(described).collect();
        let found = if listed.is_empty() { "nothing".to_owned() } else { listed.join("; ") };
        let message = format!(
            "expected a package that leads from {} to {target}, or nearer to it; the update page offers {found}",
            now.version
        );
        let hint = "a version above the target, or base software with numbers of its own, is never chosen: install that by hand, \
                    or give another `--to`; a package file can be had from the vendor's support";
        Failure::new("nothing_offered", message).state(self.told()).hint(hint)
    }

    fn too_late(&self, offer: &Offer) -> Failure {
        let until = self.until.map(|until| until.to_string()).unwrap_or_default();
        Failure::new("too_late", format!("`{}` is not begun after {until}", offer.name))
            .state(self.told())
            .hint("repeat the command with a later `--until`: it goes on where the appliance stands")
    }

    fn stopped(&self, stop: Stop) -> Failure {
        let Stop { code, message, state, hint } = stop;
        let state = if self.installed.is_empty() { state.to_owned() } else { format!("{state}; before that it {}", self.told()) };
        Failure::new(code, message).state(state).hint(hint)
    }
}

fn seen<'a>(now: &'a Observation, target: &'a Version, page: Option<&'a Page>, late: bool) -> Seen<'a> {
    Seen { target, version: &now.version, role: now.role, healthy: now.healthy, page, late }
}

/// The same version, role and health as when the person was asked.
fn is_as(fresh: &Observation, before: &Observation) -> bool {
    let facts = |seen: &Observation| (seen.version.clone(), seen.build.clone(), seen.role, seen.healthy);
    facts(fresh) == facts(before)
}

/// Ctrl-C, or SIGTERM.
fn interrupted(under_way: &UnderWay) -> Failure {
    let hint = "repeat the command: it begins by looking, and waits for what is under way";
    let failure = Failure::new("interrupted", "the command was interrupted").hint(hint);
    match &*under_way.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(what) => failure.state(format!("{what} is being installed, or may be: the appliance goes on by itself")),
        None => failure.state("this call had no installation under way"),
    }
}
