//! `changeover serve`: the daemon.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{self, Settings};
use crate::domain::action;
use crate::domain::journal::Record;
use crate::domain::procedure::Procedure;
use crate::drivers::clock::{ScaledClock, SystemClock};
use crate::drivers::store::{Opened, Options, Store};
use crate::engine::Around;
use crate::engine::fleet::Fleet;
use crate::engine::hooks::Hooks;
use crate::engine::outbox::{Outbox, OutboxStore, Surroundings};
use crate::engine::recorder;
use crate::engine::untouched;
use crate::ports::{Clock, Journal, OutboxItem, StoreError};
use crate::server::{self, Server};

use super::wiring::{self, Shared, WiredHooks};
use super::{Exit, Failure, Run, output};

/// Runs the daemon until SIGTERM or SIGINT; prints `ready` on stderr once its socket answers
#[derive(Args)]
pub struct Serve {
    /// The config file
    #[arg(long, value_name = "FILE", default_value = "config/changeover.toml")]
    config: PathBuf,
    /// The moment at which run time and machine time were equal (simulated pairs only)
    #[arg(long, value_name = "T", hide = true, requires = "clock_speed")]
    clock_origin: Option<Timestamp>,
    /// How many times faster than the machine's clock run time goes (simulated pairs only)
    #[arg(long, value_name = "N", hide = true, requires = "clock_origin")]
    clock_speed: Option<f64>,
}

impl Run for Serve {
    fn run(&self) -> Result<Exit, Failure> {
        let settings =
            config::load(&self.config, &action::names()).map_err(|errors| Failure::new("bad_config", errors.to_string()))?;
        super::logging::start(&settings.log);
        if let Some(problem) = config::no_site(&settings) {
            tracing::warn!("{problem}");
        }
        let clock = self.clock(&settings)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .enable_all()
            .build()
            .map_err(|error| Failure::of("no_runtime", &error))?;
        let exit = runtime.block_on(serve(settings, clock));
        // What blocks (a hash over a package, say) is not waited for: nothing of it is needed.
        runtime.shutdown_background();
        exit
    }

    fn json(&self) -> bool {
        false
    }
}

/// Runs wait most of the time: two threads serve thousands, whatever the machine.
const WORKERS: usize = 2;

impl Serve {
    /// The machine's clock, or a faster one where everything that it concerns is simulated on this machine.
    fn clock(&self, settings: &Settings) -> Result<Arc<dyn Clock>, Failure> {
        let (Some(origin), Some(speed)) = (self.clock_origin, self.clock_speed) else { return Ok(Arc::new(SystemClock)) };
        for site in &settings.sites {
            site.all_loopback().map_err(|what| {
                Failure::new("clock_refused", "a faster clock is only for simulated pairs on this machine").because(what)
            })?;
        }
        let clock = ScaledClock::new(origin, speed).map_err(|error| Failure::of("clock_refused", &error))?;
        Ok(Arc::new(clock))
    }
}

async fn serve(settings: Settings, clock: Arc<dyn Clock>) -> Result<Exit, Failure> {
    ignore_file_size_signal()?;
    let opened = open(&settings).await?;
    let Opened { store, runs, outbox: mut pending, recovered } = opened;
    let (runs, left) = untouched::fold_all(runs).map_err(|error| Failure::of("store_failed", &error))?;
    let store = Arc::new(store);
    let journal: Arc<dyn Journal> = store.clone();
    let WiredHooks { routes, alerts, all } = wiring::hooks(&settings, &journal).map_err(|error| not_wired(&error))?;
    pending.extend(derived_again(&store, &recovered, &routes, clock.now()).await?);

    let shared = Shared::new(&settings, clock.clone());
    let around = Around::new(journal, clock.clone(), routes, settings.state.clone());
    let around = Around { people: settings.people.clone(), retention: settings.backups, ..around };
    let around = Arc::new(Around { meters: vec![shared.accounts.clone()], ..around });
    let sites = settings.sites.iter().map(|site| wiring::site(site, &shared)).collect::<Result<Vec<_>, _>>();
    let sites = sites.map_err(|error| not_wired(&error))?;
    let procedures = wiring::procedures(&settings.procedures_dir).map_err(|error| not_wired(&error))?;
    named_procedures(&settings, &procedures)?;
    let fleet = Fleet::new(around.clone(), sites, procedures, alerts);
    let surroundings = Surroundings { store: Arc::new(StoredOutbox(store)), undelivered: fleet.clone(), clock };
    // Set once, here.
    let _ = around.outbox.set(Outbox::start(all, &surroundings));

    let api = server::Settings { socket: settings.api.socket.clone(), listen: settings.api.listen };
    let server = Server::bind(&api).await.map_err(|error| Failure::of("socket_taken", &error))?;
    fleet.leave(left);
    fleet.take_over(runs);
    // Not before: what is given up is recorded in a run that the fleet knows.
    around.push(pending);
    let keeper = fleet.clone();
    tokio::spawn(async move { keeper.keep_backups().await });
    let ended = Arc::new(tokio::sync::OnceCell::new());
    let stop = stopped(around.clone(), ended.clone(), asked_to_stop());
    output::tell("ready");
    server.run(fleet.clone(), stop).await;
    match ended.get() {
        Some(End::Failed) => Err(Failure::new("store_failed", "the journal could not be written; the daemon acts no further")
            .state("every run stands where its last record says; nothing was sent that was not recorded")
            .hint("look at the disk of the state folder and start the daemon again")),
        _ => Ok(Exit::Done),
    }
}

#[derive(Clone, Copy, Debug)]
enum End {
    Asked,
    Failed,
}

/// SIGTERM and SIGINT end the daemon at once: runs stay where they are. So does a journal that can't be written.
async fn stopped(around: Arc<Around>, ended: Arc<tokio::sync::OnceCell<End>>, asked: impl Future<Output = ()>) {
    let end = tokio::select! {
        () = around.fatal.notified() => End::Failed,
        () = asked => End::Asked,
    };
    // Only this future sets it.
    let _ = ended.set(end);
}

/// Is done at SIGTERM or SIGINT, also at one that comes between this call and the first look at what it returns: until somebody has
/// called it either ends the process by itself.
pub(super) fn asked_to_stop() -> impl Future<Output = ()> {
    let signals = signal(SignalKind::terminate()).and_then(|terminate| Ok((terminate, signal(SignalKind::interrupt())?)));
    async move {
        let Ok((mut terminate, mut interrupt)) = signals else { return std::future::pending().await };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

/// A write past the file size limit must be an error that the store answers, not the end of the process.
fn ignore_file_size_signal() -> Result<(), Failure> {
    const SIGXFSZ: i32 = 25;
    let mut signals = signal(SignalKind::from_raw(SIGXFSZ)).map_err(|error| Failure::of("no_signals", &error))?;
    tokio::spawn(async move { while signals.recv().await.is_some() {} });
    Ok(())
}

async fn open(settings: &Settings) -> Result<Opened, Failure> {
    let state = settings.state.clone();
    let opened = tokio::task::spawn_blocking(move || Store::open(&state, &Options::default())).await;
    let opened = opened.map_err(|error| Failure::of("store_failed", &error))?;
    opened.map_err(|error| {
        let failure = Failure::of(error.code(), &error).state("nothing was changed");
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })
}

/// Alerts of records that only `journal.log` had: their outbox items may be missing, so they are made again. What is older
/// than the outbox's last try is left out.
async fn derived_again(store: &Store, recovered: &[Record], routes: &Hooks, now: Timestamp) -> Result<Vec<OutboxItem>, Failure> {
    let young = now - SignedDuration::from_hours(3 * 24);
    let mut items = Vec::new();
    let mut runs: Vec<_> = recovered.iter().map(|record| record.run.clone()).collect();
    runs.dedup();
    for run in runs {
        let wanted =
            |record: &Record| record.at >= young && recovered.iter().any(|other| other.run == run && other.seq == record.seq);
        let records = store.records(&run, 0).map_err(|error| Failure::of("store_failed", &error))?;
        match recorder::items_of(&records, routes, wanted) {
            Ok(derived) => items.extend(derived),
            Err(error) => tracing::error!(%run, "the alerts of its last records can't be made again: {error}"),
        }
    }
    store.append(Vec::new(), items.clone(), true).await.map_err(|error| Failure::of("store_failed", &error))?;
    store.settle_recovered().await.map_err(|error| Failure::of("store_failed", &error))?;
    Ok(items)
}

/// A site whose procedure doesn't exist is a slip, told now and not on the evening of the update.
fn named_procedures(settings: &Settings, known: &[Procedure]) -> Result<(), Failure> {
    let names: Vec<&str> = known.iter().map(|procedure| procedure.name.as_str()).collect();
    match config::unknown_procedures(settings, &names).first() {
        Some(problem) => Err(Failure::new("bad_config", problem.to_string()).hint("see `changeover config check`")),
        None => Ok(()),
    }
}

fn not_wired(error: &wiring::WiringError) -> Failure {
    Failure::of("bad_config", error).hint("see `changeover config check`")
}

/// The store as the outbox sees it.
struct StoredOutbox(Arc<Store>);

impl OutboxStore for StoredOutbox {
    fn update<'a>(&'a self, item: &'a OutboxItem) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.0.outbox_update(item))
    }

    fn remove<'a>(&'a self, id: &'a str, hook: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.0.outbox_remove(id, hook))
    }
}
