//! A run through the real engine and the real store on a pair that costs nothing, in a time that never has to be waited for.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use changeover::domain::event::Verdict;
use changeover::domain::ids::{NodeId, PerNode, RunId};
use changeover::domain::journal::{Entry, Record};
use changeover::domain::procedure::{BUILT_IN, Procedure};
use changeover::domain::run::{Phase, Run};
use changeover::domain::site::{self, Policy, Site};
use changeover::domain::window::calendar::Calendar;
use changeover::drivers::store::{Options, Store};
use changeover::engine::Around;
use changeover::engine::api::{Fleet as _, PlanRequest, Snapshot, Word};
use changeover::engine::fleet::Fleet;
use changeover::engine::hooks::Hooks;
use changeover::engine::site::SiteEntry;
use changeover::ports::{Clock, Journal as _};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::pair::{Pair, identity};

/// The machine's clock, moved on by whatever a run would have slept. While a gate is open it stands still: a person answers.
#[derive(Default)]
pub struct JumpingClock {
    ahead: AtomicI64,
    run: OnceLock<watch::Receiver<Snapshot>>,
}

impl JumpingClock {
    /// To the end of what the run waits for, in one jump; else to `at`.
    fn jump(&self, at: Timestamp, phase: Option<&Phase>) {
        let until = match phase {
            Some(Phase::Waiting { until: Some(until), .. }) => at.max(*until),
            _ => at,
        };
        let missing = i64::try_from(until.duration_since(self.now()).as_nanos()).unwrap_or(0);
        self.ahead.fetch_add(missing.max(0), Ordering::Relaxed);
    }
}

impl Clock for JumpingClock {
    fn now(&self) -> Timestamp {
        Timestamp::now() + SignedDuration::from_nanos(self.ahead.load(Ordering::Relaxed))
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        let snapshot = self.run.get().map(|run| run.borrow().run.clone());
        if snapshot.as_ref().is_some_and(|run| run.open_gate().is_some()) {
            return std::future::pending().boxed();
        }
        self.jump(at, snapshot.as_ref().map(|run| &run.phase));
        std::future::ready(()).boxed()
    }
}

/// One pair with a fleet of its own, so that its time can jump on its own.
pub struct Stage {
    pub pair: Arc<Pair>,
    clock: Arc<JumpingClock>,
    fleet: Arc<Fleet>,
    site: String,
    package: PathBuf,
}

impl Stage {
    pub fn new(store: &Arc<Store>, folder: &Path, site: &str, soak: SignedDuration) -> Self {
        let package = folder.join("base.nss");
        std::fs::write(&package, b"a package").expect("a package");
        let clock = Arc::new(JumpingClock::default());
        let pair = Pair::new(clock.clone(), true);
        let around = Arc::new(Around::new(store.clone(), clock.clone(), Hooks::default(), folder.to_owned()));
        let fleet = fleet(around, vec![entry(site, &pair, soak)]);
        Self { pair, clock, fleet, site: site.to_owned(), package }
    }

    /// Starts a role swap and accompanies it, answering every gate at once, until `seen`.
    pub async fn play(&self, seen: impl Fn(&Run) -> bool) -> RunId {
        let request = PlanRequest {
            site: self.site.clone(),
            to: "24.2.1".to_owned(),
            package: self.package.clone(),
            before: Vec::new(),
            procedure: None,
            first: Some("now +100h".to_owned()),
            second: Some("now +8000h".to_owned()),
            urgent: None,
            responsible: None,
            accepted: Vec::new(),
        };
        let id = self.fleet.start(request, "olga").await.expect("started");
        let mut watch = self.fleet.watch(&id).expect("the run");
        assert!(self.clock.run.set(watch.clone()).is_ok(), "one run a stage");
        loop {
            let run = watch.borrow_and_update().run.clone();
            if seen(&run) {
                return id;
            }
            assert_eq!(run.hold(), None, "{run:?}");
            if run.open_gate().is_some() {
                let word = Word::Confirm { gate: None, verdict: Verdict::Accept, note: None, evidence: None };
                self.fleet.command(&id, word, "olga", None).await.expect("confirmed");
            }
            watch.changed().await.expect("the run goes on");
        }
    }
}

pub fn fleet(around: Arc<Around>, sites: Vec<SiteEntry>) -> Arc<Fleet> {
    let procedures = BUILT_IN.iter().map(|(name, text)| Procedure::load(name, text).expect("a procedure")).collect();
    Fleet::new(around, sites, procedures, Vec::new())
}

pub fn entry(name: &str, pair: &Arc<Pair>, soak: SignedDuration) -> SiteEntry {
    let node = |node: NodeId| {
        let address = [[127, 0, 1, 1], [127, 0, 1, 2]][node.index()];
        site::Node { identity: identity(node), address: address.into() }
    };
    let site = Site {
        name: name.to_owned(),
        service: "support.example.com".to_owned(),
        procedure: Some("role-swap".to_owned()),
        nodes: PerNode::new(node),
        policy: Policy { min_soak: soak, ..Policy::default() },
        calendar: Calendar::default(),
    };
    SiteEntry { site, ports: pair.ports(), first: None, second: None, responsible: None }
}

pub fn open(state: &Path) -> Arc<Store> {
    Arc::new(Store::open(state, &Options::default()).expect("a store").store)
}

/// The same history as another run's.
pub fn retold(run: &RunId, records: &[Record]) -> Vec<Record> {
    let mut told: Vec<Record> = Vec::with_capacity(records.len());
    for Record { at, actor, event, step, reason, data, .. } in records.iter().cloned() {
        let record = Record::chain(run, told.last(), Entry { at, actor, event, step, reason, data });
        told.push(record);
    }
    told
}

/// A state folder with runs of `site-1` and so on that have a month of soak before them.
pub fn soaking(state: &Path, sites: usize) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let template = tempfile::tempdir().expect("a folder");
    let records = runtime.block_on(async {
        let store = open(&template.path().join("state"));
        let stage = Stage::new(&store, template.path(), "template", SignedDuration::from_hours(30 * 24));
        let soaking = |run: &Run| run.soak_from.is_some() && matches!(run.phase, Phase::Waiting { .. });
        let id = stage.play(soaking).await;
        store.records(&id, 0).expect("its records")
    });
    let store = open(state);
    for number in 1..=sites {
        let run = RunId { site: format!("site-{number}"), number: 1 };
        runtime.block_on(store.append(retold(&run, &records), Vec::new(), false)).expect("appended");
    }
    println!("{sites} runs of {} records each, in their soak", records.len());
}
