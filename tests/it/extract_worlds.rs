//! BG-50 to BG-52: what the simulator holds the driver reads back. Random worlds of every generation, random ranges, reports that are
//! cut, lost or late, attempts that die anywhere: every session is extracted, once, as it is.
//!
//! `EXTRACT_SEED=7 cargo nextest run --features test-kill --no-capture extract_worlds` plays one world again.

use std::collections::BTreeMap;
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use changeover::domain::ids::NodeId;
use changeover::drivers::appliance::beyondtrust::{
    Accounts, BeyondTrust, Credentials, Editions, Limits, Peer, Product, Settings, Share,
};
use changeover::drivers::tls::TlsTrust;
use changeover::ports::{ActAnswer, Appliance as _, Clock, Intent, NodeAct};
use changeover::simulator::faults::{Fault, Planned};
use changeover::simulator::world::{Record, merges_sessions};
use changeover::simulator::{Simulator, SimulatorOptions};
use fastrand::Rng;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

/// As many worlds are played by the test command, spread over the generations.
const WORLDS: u64 = 10;
/// One release of each generation.
const RELEASES: [&str; 5] = ["10.4.2", "15.2.3", "19.1.8", "25.1.1", "26.1.1"];
const SECRET: &str = "a-secret-of-the-tests";

/// Run time: moved by the test for the world, and by the driver's own short waits, which take no time of the machine.
struct Time {
    now: Mutex<Timestamp>,
    moved: Notify,
}

impl Time {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pass(&self, by: SignedDuration) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) += by;
        self.moved.notify_waiters();
    }
}

/// The world waits for its time.
struct WorldClock(Arc<Time>);

impl Clock for WorldClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            loop {
                let moved = self.0.moved.notified();
                if self.now() >= at {
                    return;
                }
                moved.await;
            }
        })
    }
}

/// The driver's short waits move time; its limits are never reached.
struct DriverClock(Arc<Time>);

impl Clock for DriverClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        let left = at.duration_since(self.now());
        if left > SignedDuration::from_mins(1) {
            return Box::pin(std::future::pending());
        }
        self.0.pass(left.max(SignedDuration::ZERO));
        Box::pin(std::future::ready(()))
    }
}

struct World {
    rng: Rng,
    time: Arc<Time>,
    simulator: Simulator,
    driver: BeyondTrust,
    folder: tempfile::TempDir,
}

impl World {
    async fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let start: Timestamp = "2026-11-02T01:00:00Z".parse().unwrap();
        let time = Arc::new(Time { now: Mutex::new(start), moved: Notify::new() });
        let release = RELEASES[usize::try_from(seed).unwrap_or(0) % RELEASES.len()];
        let (from, to) = (release.parse().unwrap(), "26.2.1".parse().unwrap());
        let mut options = SimulatorOptions::new(Arc::new(WorldClock(time.clone())), SECRET.to_owned().into(), from, to);
        options.world.seed = seed;
        options.world.users = rng.usize(0..4);
        let simulator = Simulator::start(options).await.unwrap();
        let clock = Arc::new(DriverClock(time.clone()));
        let driver = BeyondTrust::new(settings(&simulator, clock.clone()), clock).unwrap();
        Self { rng, time, simulator, driver, folder: tempfile::tempdir().unwrap() }
    }

    /// Some days of work, with sessions cut short now and then.
    fn live(&mut self) {
        for _ in 0..self.rng.u32(1..4) {
            self.time.pass(SignedDuration::from_mins(self.rng.i64(10..2000)));
            let mut world = self.simulator.current();
            if self.rng.u8(..) < 100 {
                world.end_sessions(NodeId::A).unwrap();
            }
        }
    }

    /// Something goes wrong with the next reports, or nothing.
    fn trouble(&mut self) {
        let fault = self.rng.choice([None, Some(Fault::ReportCut), Some(Fault::ReportLost), Some(Fault::ExtractError)]).flatten();
        if let Some(fault) = fault {
            let times = self.rng.u32(1..6);
            self.simulator.current().plan_fault(Planned { times: Some(times), ..Planned::for_ever(fault) });
        }
    }

    /// One attempt, which may die at any point where it waits.
    async fn attempt(&mut self, number: u32, since: Timestamp, until: Timestamp) -> Option<ActAnswer> {
        let directory = self.directory(number);
        let act = NodeAct::ExtractData { since, until, directory };
        let intent = intent(number, self.time.now());
        let mut left = if number < 6 && self.rng.bool() { self.rng.u32(1..900) } else { u32::MAX };
        let mut acting = pin!(self.driver.act(&intent, &act));
        std::future::poll_fn(|context| {
            left -= 1;
            if left == 0 { Poll::Ready(None) } else { acting.as_mut().poll(context).map(Some) }
        })
        .await
    }

    fn directory(&self, number: u32) -> std::path::PathBuf {
        self.folder.path().join(format!("window-1.extract_data.a.{number}"))
    }

    /// Attempts until one is accepted; its number and records, and until when it reached.
    async fn extract(&mut self, since: Timestamp) -> (u32, u64, Timestamp) {
        for number in 1..40 {
            let until = self.time.now();
            if number < 6 {
                self.trouble();
            }
            let answer = self.attempt(number, since, until).await;
            if let Some(ActAnswer::Accepted { records, .. }) = answer {
                return (number, records.unwrap(), until);
            }
            if self.rng.bool() {
                self.time.pass(SignedDuration::from_mins(self.rng.i64(1..600)));
            }
        }
        panic!("no attempt of 39 came to its end");
    }
}

fn settings(simulator: &Simulator, clock: Arc<dyn Clock>) -> Settings {
    let version = simulator.current().node(NodeId::A).version.clone();
    // User name and password before 16.1.
    let old_login = ["10.4.2", "15.2.3"].contains(&version.as_str());
    let (name, secret) = ("changeover", SECRET.into());
    let limits = Limits { recording_wait: Duration::ZERO, ..Limits::default() };
    Settings {
        site: "support".to_owned(),
        node: NodeId::A,
        url: format!("{}/", simulator.url(NodeId::A)).parse().unwrap(),
        address: simulator.nodes[NodeId::A].ip(),
        service: simulator.service.clone(),
        identity: simulator.identities[NodeId::A].clone(),
        editions: Editions::Xml,
        credentials: if old_login { Credentials::user(name, secret) } else { Credentials::client(name, secret) },
        second: None,
        accounts: Arc::new(Accounts::new(Share::default(), clock)),
        tls: TlsTrust::Ca(simulator.certificate_pem.clone().into_bytes()),
        peer: Peer {
            url: simulator.url(NodeId::B).parse().unwrap(),
            identity: simulator.identities[NodeId::B].clone(),
            console: None,
        },
        backup_password: None,
        product: Product::RemoteSupport,
        recordings: true,
        limits,
        console: None,
    }
}

fn intent(attempt: u32, since: Timestamp) -> Intent {
    Intent {
        site: "support".to_owned(),
        run: "support-7".parse().unwrap(),
        step: "window-1.extract_data.a".to_owned(),
        attempt,
        key: format!("support-7/window-1.extract_data.a/{attempt}"),
        since,
        limit: SignedDuration::from_hours(6),
    }
}

/// The end as the box shows it: a session that was cut short has none.
fn shown_end(record: &Record) -> Option<Timestamp> {
    record.end.filter(|_| !record.interrupted)
}

fn must_be_there(record: &Record, since: Timestamp, until: Timestamp) -> bool {
    match shown_end(record) {
        Some(end) => end >= since && end <= until,
        None => record.start <= until && record.start >= since - SignedDuration::from_hours(7 * 24),
    }
}

type Row = BTreeMap<String, String>;

/// The table's rows by LSID; fails on one that is there twice.
fn rows(directory: &Path) -> BTreeMap<String, Row> {
    let mut table = csv::Reader::from_path(directory.join("sessions.csv")).unwrap();
    let mut rows = BTreeMap::new();
    for row in table.deserialize::<Row>() {
        let row = row.unwrap();
        assert!(rows.insert(row["lsid"].clone(), row).is_none(), "twice");
    }
    rows
}

/// What differs between a row and the record.
fn differs(row: &Row, record: &Record, integers: bool, directory: &Path) -> Option<String> {
    let second = |at: Timestamp| Timestamp::from_second(at.as_second()).unwrap().to_string();
    let end = shown_end(record).map(second).unwrap_or_default();
    let lseq = if integers { String::new() } else { record.lseq.to_string() };
    let screen = shown_end(record).is_some() && record.serial.is_multiple_of(2);
    let recordings: Vec<&str> = row["recordings"].split("; ").filter(|name| !name.is_empty()).collect();
    let facts = [
        (row["start"] == second(record.start), "start"),
        (row["end"] == end, "end"),
        (row["lseq"] == lseq, "lseq"),
        (row["representatives"] == record.user, "representatives"),
        (row["recordings"].contains("-screen") == screen, "recordings"),
        (row["recordings_missing"].is_empty(), "recordings_missing"),
        (recordings.iter().all(|name| directory.join(name).metadata().is_ok_and(|file| file.len() > 0)), "files"),
    ];
    facts.into_iter().find(|(right, _)| !right).map(|(_, what)| format!("{what} of {record:?} in {row:?}"))
}

async fn play(seed: u64) {
    let mut world = World::new(seed).await;
    world.live();
    let since = world.time.now() - SignedDuration::from_mins(world.rng.i64(0..8000));
    world.live();
    let (attempt, records, until) = world.extract(since).await;
    let directory = world.directory(attempt);
    let rows = rows(&directory);
    assert_eq!(records, rows.len() as u64, "seed {seed}");
    let current = world.simulator.current();
    let node = current.node(NodeId::A);
    let integers = !merges_sessions(&node.version);
    let lsid = |record: &Record| if integers { record.lseq.to_string() } else { record.lsid.clone() };
    for record in node.records.values() {
        let row = rows.get(&lsid(record));
        assert!(row.is_some() || !must_be_there(record, since, until), "seed {seed}: {record:?} is lacking");
        if let Some(difference) = row.and_then(|row| differs(row, record, integers, &directory)) {
            panic!("seed {seed}, attempt {attempt}: {difference}");
        }
    }
    let known: Vec<String> = node.records.values().map(lsid).collect();
    assert!(rows.keys().all(|lsid| known.contains(lsid)), "seed {seed}: a session that nobody held");
    println!("seed {seed}: {} on {}, {} sessions in attempt {attempt}", node.version, seed % 5, rows.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bg_50_every_session_of_a_random_world_is_extracted_once() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    if let Ok(seed) = std::env::var("EXTRACT_SEED") {
        return play(seed.parse().unwrap()).await;
    }
    for seed in 0..WORLDS {
        println!("EXTRACT_SEED={seed}");
        play(seed).await;
    }
}
