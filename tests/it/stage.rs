//! A whole site in this process and in virtual time: the simulated world behind the in-process ports, the real engine, a
//! journal in memory, and a person who answers gates.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use changeover::domain::event::{Event, Verdict};
use changeover::domain::ids::{NodeId, PerNode, RunId};
use changeover::domain::journal::Record;
use changeover::domain::machine;
use changeover::domain::procedure::{BUILT_IN, Procedure};
use changeover::domain::run::{Phase, Run};
use changeover::domain::site::{Node, Policy, Site};
use changeover::engine::Around;
use changeover::engine::api::{Fleet as _, PlanRequest, Problem, Snapshot, Word};
use changeover::engine::fleet::{Fleet, SiteEntry};
use changeover::engine::hooks::{Hooks, Route};
use changeover::engine::look::SitePorts;
use changeover::ports::{Clock, Journal, OutboxItem, StoreError};
use changeover::simulator::inprocess::{InProcessOptions, SimSite, VirtualClock};
use changeover::simulator::world::{World, WorldOptions};
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};

pub const SITE: &str = "support";

/// Records and alerts, kept in memory.
#[derive(Default)]
pub struct MemoryJournal {
    records: Mutex<BTreeMap<RunId, Vec<Record>>>,
    pub outbox: Mutex<Vec<OutboxItem>>,
    /// From this record on nothing is taken any more: the process has "died" there.
    pub dies_at: Mutex<Option<u64>>,
}

impl Journal for MemoryJournal {
    fn append(&self, records: Vec<Record>, outbox: Vec<OutboxItem>, _essential: bool) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            for record in records {
                if self.dies_at.lock().unwrap().is_some_and(|last| record.seq >= last) {
                    return Err(StoreError::Failed("the process died".to_owned()));
                }
                self.records.lock().unwrap().entry(record.run.clone()).or_default().push(record);
            }
            self.outbox.lock().unwrap().extend(outbox);
            Ok(())
        })
    }

    fn records(&self, run: &RunId, after: u64) -> Result<Vec<Record>, StoreError> {
        let records = self.records.lock().unwrap();
        Ok(records.get(run).into_iter().flatten().filter(|record| record.seq > after).cloned().collect())
    }

    fn ready(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

pub struct Stage {
    pub site: SimSite,
    pub clock: Arc<VirtualClock>,
    pub journal: Arc<MemoryJournal>,
    pub fleet: Arc<Fleet>,
    pub policy: Policy,
    folder: tempfile::TempDir,
}

/// How a run came to rest.
#[derive(Debug)]
pub struct Rest {
    pub run: Arc<Run>,
    /// `succeeded`, a hold's code, or `in_doubt`.
    pub end: String,
}

impl Stage {
    pub fn new() -> Self {
        Self::with(InProcessOptions::default())
    }

    pub fn with(options: InProcessOptions) -> Self {
        let start: Timestamp = "2026-11-22T01:00:00Z".parse().unwrap();
        let clock = Arc::new(VirtualClock::new(start));
        let world = World::new(WorldOptions::new(start, "24.1.1".parse().unwrap(), "24.2.1".parse().unwrap()));
        let site = SimSite::new(world, clock.clone(), options);
        Self::on(site, clock, Policy { max_sync_age: SignedDuration::from_mins(30), ..Policy::default() })
    }

    pub fn on(site: SimSite, clock: Arc<VirtualClock>, policy: Policy) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("base.nss"), b"a package").unwrap();
        let journal = Arc::new(MemoryJournal::default());
        let fleet = fleet(&site, &clock, &journal, &policy, folder.path().to_owned());
        Self { site, clock, journal, fleet, policy, folder }
    }

    /// The daemon dies and comes up again: a new fleet on the same journal and the same world.
    pub fn restart(&mut self) {
        *self.journal.dies_at.lock().unwrap() = None;
        self.fleet = fleet(&self.site, &self.clock, &self.journal, &self.policy, self.folder.path().to_owned());
        let runs: Vec<Run> =
            self.journal.records.lock().unwrap().values().map(|records| machine::replay(records).unwrap()).collect();
        self.fleet.take_over(runs);
    }

    pub fn request(&self, procedure: &str) -> PlanRequest {
        PlanRequest {
            site: SITE.to_owned(),
            to: "24.2.1".to_owned(),
            package: self.folder.path().join("base.nss"),
            procedure: Some(procedure.to_owned()),
            first: Some("now +4h".to_owned()),
            second: Some("2026-11-25T01:00:00Z +4h".to_owned()),
        }
    }

    pub async fn start(&self, procedure: &str) -> RunId {
        self.fleet.start(self.request(procedure), "olga").await.unwrap_or_else(|problem| panic!("{problem:?}"))
    }

    pub async fn word(&self, id: &RunId, word: Word) -> Result<Snapshot, Problem> {
        self.fleet.command(id, word, "olga", None).await
    }

    /// Follows a run until `seen` says so; panics with the last status after 30 simulated days.
    pub async fn until(&self, id: &RunId, mut seen: impl FnMut(&Run) -> bool) -> Arc<Run> {
        let mut watch = self.fleet.watch(id).unwrap();
        let limit = self.clock.now() + SignedDuration::from_hours(30 * 24);
        loop {
            let run = watch.borrow_and_update().run.clone();
            if seen(&run) {
                return run;
            }
            tokio::select! {
                changed = watch.changed() => assert!(changed.is_ok(), "the run's loop ended: {:?} at {:?}", run.phase, run.step()),
                () = self.clock.sleep_until(limit) => panic!("30 days later: {:?} at {:?}", run.phase, run.step()),
            }
        }
    }

    /// Lets the run go to its end, accepting every gate that a plan has.
    pub async fn to_rest(&self, id: &RunId) -> Rest {
        loop {
            let run = self.until(id, |run| end(run).is_some() || run.open_gate().is_some()).await;
            if let Some(end) = end(&run) {
                return Rest { run, end };
            }
            let word = Word::Confirm { gate: None, verdict: Verdict::Accept, note: None };
            if let Err(problem) = self.word(id, word).await {
                // R16: stray sessions; they end after a while.
                assert_eq!(problem.code, "one_serves", "{problem:?}");
                self.clock.sleep_until(self.clock.now() + SignedDuration::from_mins(10)).await;
            }
        }
    }

    pub fn records(&self, id: &RunId) -> Vec<Record> {
        self.journal.records(id, 0).unwrap()
    }

    pub fn alerts(&self) -> Vec<String> {
        self.journal.outbox.lock().unwrap().iter().filter(|item| item.hook == "ops").map(|item| item.event.clone()).collect()
    }

    /// How often an act was recorded as begun.
    pub fn begun(&self, id: &RunId, step: &str) -> usize {
        self.records(id).iter().filter(|record| record.event == "step_begun" && record.step.as_deref() == Some(step)).count()
    }
}

/// The end at which a run rests, if it does.
pub fn end(run: &Run) -> Option<String> {
    match &run.phase {
        Phase::Finished(outcome) => Some(serde_json::to_value(outcome).unwrap().as_str().unwrap().to_owned()),
        Phase::Held(hold) => Some(hold.code.clone()),
        Phase::InDoubt { .. } => Some("in_doubt".to_owned()),
        _ => None,
    }
}

fn fleet(site: &SimSite, clock: &Arc<VirtualClock>, journal: &Arc<MemoryJournal>, policy: &Policy, state: PathBuf) -> Arc<Fleet> {
    let identities = NodeId::BOTH.map(|node| changeover::simulator::world::identity_of(node));
    let addresses = ["127.0.1.1".parse().unwrap(), "127.0.1.2".parse().unwrap()];
    let node = |node: NodeId| Node { identity: identities[node.index()].clone(), address: addresses[node.index()] };
    let ports = SitePorts {
        nodes: PerNode { a: Arc::new(site.appliance(NodeId::A)), b: Arc::new(site.appliance(NodeId::B)) },
        traffic: vec![Arc::new(site.traffic())],
    };
    let site = Site {
        name: SITE.to_owned(),
        service: "support.example.com".to_owned(),
        procedure: Some("role-swap".to_owned()),
        nodes: PerNode::new(node),
        policy: policy.clone(),
    };
    let hooks =
        Hooks { alerts: vec![Route { hook: "ops".to_owned(), events: vec!["*".to_owned()] }], exports: vec!["safe".to_owned()] };
    let around = Arc::new(Around::new(journal.clone(), clock.clone(), hooks, state));
    let procedures = BUILT_IN.iter().map(|(name, text)| Procedure::load(name, text).unwrap()).collect();
    let entry = SiteEntry { site, ports, first: None, second: None };
    Fleet::new(around, vec![entry], procedures, Vec::new())
}

/// The events of a run in order, for messages.
pub fn story(records: &[Record]) -> String {
    let line = |record: &Record| {
        let event = Event::from_parts(&record.event, &record.data).map(|_| record.event.as_str()).unwrap_or("unreadable");
        format!("{:>3} {} {:<16} {:<32} {}", record.seq, record.at, event, record.step.as_deref().unwrap_or("-"), record.reason)
    };
    records.iter().map(line).collect::<Vec<_>>().join("\n")
}
