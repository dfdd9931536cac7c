//! A whole site in this process and in virtual time: the simulated world behind the in-process ports, the real engine, a
//! journal in memory, and a person who answers gates and does what instructions say.

mod built;
mod followed;
mod person;
mod setting;

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use changeover::domain::event::{Event, Verdict};
use changeover::domain::ids::{NodeId, PerNode, RunId};
use changeover::domain::journal::Record;
use changeover::domain::run::Run;
use changeover::engine::Around;
use changeover::engine::api::{Fleet as _, PlanRequest, Problem, Snapshot, Word};
use changeover::engine::fleet::Fleet;
use changeover::ports::{Clock, Journal};
use changeover::simulator::faults::{Fault, Planned};
use changeover::simulator::inprocess::{SimSite, VirtualClock, Zone};
use changeover::simulator::world::{self, SettingChanged, Truth, World, WorldOptions};
use jiff::{SignedDuration, Timestamp};

use crate::memory::MemoryJournal;
use crate::telephone::Telephone;

use self::built::{fleet, lay_packages, lines, needs};

pub use self::followed::{Rest, end};
pub use self::setting::{Entries, Setting};

pub const SITE: &str = "support";
pub const LAB: &str = "lab";
pub const START: &str = "2026-11-22T01:00:00Z";
pub const FROM: &str = "24.1.1";
pub const TO: &str = "24.2.1";
pub const PROCEDURES: [&str; 2] = ["in-place", "role-swap"];

pub struct Stage {
    pub site: SimSite,
    lab: SimSite,
    /// The other view of the zone, where there is one.
    pub view: Option<Arc<Mutex<Zone>>>,
    pub clock: Arc<VirtualClock>,
    pub journal: Arc<MemoryJournal>,
    pub fleet: Arc<Fleet>,
    around: Arc<Around>,
    pub setting: Setting,
    /// The name can't be read or moved.
    pub deaf: Arc<AtomicBool>,
    /// Whoever asks where the name leads breaks off: a bug in a driver.
    pub mad: Arc<AtomicBool>,
    pub folder: tempfile::TempDir,
    /// The site's file, as the daemon reads it at its next start.
    pub identities: Mutex<PerNode<String>>,
    /// The instructions that the person has carried out, by run.
    carried_out: Mutex<BTreeSet<(u32, u32)>>,
    /// What a person did without an instruction: verb, node, time.
    pub by_hand: Mutex<Vec<(String, NodeId, Timestamp)>>,
    /// When trouble began: what was ordered in that very moment could not know of it.
    pub trouble_at: Arc<Mutex<Vec<Timestamp>>>,
}

impl Stage {
    pub fn new() -> Self {
        Self::set(Setting::default())
    }

    pub fn set(setting: Setting) -> Self {
        let start = setting.begin;
        let clock = Arc::new(VirtualClock::new(start));
        let (from, to) = setting.versions;
        let options = WorldOptions { seed: setting.seed, ..WorldOptions::new(start, from.parse().unwrap(), to.parse().unwrap()) };
        let options = WorldOptions { needs: needs(&setting), ..options };
        let site = SimSite::new(World::new(options.clone()), clock.clone(), setting.options);
        *site.zone() = setting.zone.clone();
        let view = setting.view.clone().map(|zone| Arc::new(Mutex::new(zone)));
        let lab = SimSite::new(World::new(options), clock.clone(), setting.options);
        let folder = tempfile::tempdir().unwrap();
        lay_packages(folder.path(), &setting);
        let journal = Arc::new(MemoryJournal::default());
        let (deaf, mad) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let line = Telephone { inner: site.traffic(), deaf: deaf.clone(), mad: mad.clone() };
        let file = (&setting, PerNode::new(world::identity_of));
        let (fleet, around) = fleet((&site, &lab), &clock, &journal, file, (folder.path().to_owned(), lines(&site, line, &view)));
        Self {
            deaf,
            mad,
            site,
            lab,
            view,
            clock,
            journal,
            fleet,
            around,
            setting,
            folder,
            identities: Mutex::new(PerNode::new(world::identity_of)),
            carried_out: Mutex::default(),
            by_hand: Mutex::default(),
            trouble_at: Arc::default(),
        }
    }

    /// Returns once the daemon must end: its journal can't be written.
    pub async fn fatal(&self) {
        self.around.fatal.notified().await;
    }

    /// The daemon dies and comes up again: a new fleet on the same journal and the same world.
    pub fn restart(&mut self) {
        self.stop();
        self.fleet.take_over(self.journal.runs());
    }

    /// The daemon dies: no run goes on until [`Stage::restart`].
    pub fn stop(&mut self) {
        self.journal.live_again();
        let line = Telephone { inner: self.site.traffic(), deaf: self.deaf.clone(), mad: self.mad.clone() };
        let place = (self.folder.path().to_owned(), lines(&self.site, line, &self.view));
        let file = (&self.setting, self.identities.lock().unwrap().clone());
        (self.fleet, self.around) = fleet((&self.site, &self.lab), &self.clock, &self.journal, file, place);
    }

    pub fn request(&self, procedure: &str) -> PlanRequest {
        PlanRequest {
            site: SITE.to_owned(),
            to: self.setting.versions.1.to_owned(),
            package: self.folder.path().join("base.nss"),
            before: self.setting.chain.iter().map(|version| self.folder.path().join(format!("{version}.nss"))).collect(),
            procedure: Some(procedure.to_owned()),
            first: Some(self.setting.first.clone()),
            second: Some(self.setting.second.clone()),
            urgent: None,
            responsible: None,
            accepted: Vec::new(),
        }
    }

    pub async fn start(&self, procedure: &str) -> RunId {
        self.try_start(procedure).await.unwrap_or_else(|problem| panic!("{problem:?}"))
    }

    pub async fn try_start(&self, procedure: &str) -> Result<RunId, Problem> {
        self.fleet.start(self.request(procedure), "olga").await
    }

    pub async fn fleet_start(&self, procedure: &str) -> Result<RunId, Problem> {
        self.fleet.start(self.request(procedure), "olga").await
    }

    pub async fn word(&self, id: &RunId, word: Word) -> Result<Snapshot, Problem> {
        self.fleet.command(id, word, "olga", None).await
    }

    /// A word from another person than the one who started the run.
    pub async fn says(&self, user: &str, id: &RunId, word: Word) -> Result<Snapshot, Problem> {
        self.fleet.command(id, word, user, None).await
    }

    /// A word from somebody who saw this record last.
    pub async fn fleet_command(&self, id: &RunId, word: Word, seq: Option<u64>) -> Result<Snapshot, Problem> {
        self.fleet.command(id, word, "olga", seq).await
    }

    pub async fn resume(&self, id: &RunId) -> Result<Snapshot, Problem> {
        self.word(id, Word::Resume { window: None }).await
    }

    pub async fn accept(&self, id: &RunId, gate: Option<&str>) -> Result<Snapshot, Problem> {
        let word = Word::Confirm { gate: gate.map(str::to_owned), verdict: Verdict::Accept, note: None, evidence: None };
        self.word(id, word).await
    }

    pub async fn pass(&self, time: SignedDuration) {
        self.clock.sleep_until(self.clock.now() + time).await;
    }

    pub async fn clock_to(&self, at: Timestamp) {
        self.clock.sleep_until(at).await;
    }

    pub fn run(&self, id: &RunId) -> Arc<Run> {
        self.fleet.run(id).unwrap().run
    }

    pub fn fault(&self, planned: Planned) {
        self.site.current().plan_fault(planned);
    }

    /// Takes all faults back.
    pub fn mend(&self) {
        let mut world = self.site.current();
        for planned in world.faults.planned() {
            world.plan_fault(Planned { times: Some(0), node: None, act: None, ..planned });
        }
        // One that was planned once is not planned any more, and its sync hangs still.
        world.plan_fault(Planned { times: Some(0), ..Planned::for_ever(Fault::SyncStuck) });
    }

    /// Does something to the world right after the first record of this event and step is durable, and before anything else.
    pub fn at(&self, event: &'static str, step: &str, act: impl FnOnce(&mut World) + Send + 'static) {
        let (site, step, mut act) = (self.site.clone(), step.to_owned(), Some(act));
        self.journal.witness(move |record| {
            let here = record.event == event && record.step.as_deref() == Some(&step);
            if let Some(act) = act.take_if(|_| here) {
                act(&mut site.current());
            }
        });
    }

    /// Somebody enters, changes or, without a value, removes a setting on a node.
    pub fn set_item(&self, node: NodeId, kind: &str, id: &str, value: Option<&str>) {
        let (name, value) = (value.map(|_| format!("{kind}-{id}")), value.unwrap_or_default().to_owned());
        let changed = SettingChanged { kind: kind.to_owned(), id: id.to_owned(), name, value, enabled: None };
        self.site.current().change_setting(node, changed).unwrap();
    }

    pub fn records(&self, id: &RunId) -> Vec<Record> {
        self.journal.records(id, 0).unwrap()
    }

    pub fn alerts(&self) -> Vec<String> {
        self.journal.outbox.lock().unwrap().iter().filter(|item| item.hook == "ops").map(|item| item.event.clone()).collect()
    }

    /// What the last alert of this kind says.
    pub fn last_alert(&self, kind: &str) -> String {
        let outbox = self.journal.outbox.lock().unwrap();
        let item = outbox.iter().rfind(|item| item.hook == "ops" && item.event == kind);
        let document: serde_json::Value = serde_json::from_str(&item.unwrap().document).unwrap();
        document["data"]["summary"].as_str().unwrap().to_owned()
    }

    /// Whether an alert of this kind says so.
    pub fn alert_says(&self, kind: &str, what: &str) -> bool {
        let outbox = self.journal.outbox.lock().unwrap();
        outbox.iter().any(|item| item.hook == "ops" && item.event == kind && item.document.contains(what))
    }

    pub fn truth(&self) -> Truth {
        self.site.current().truth()
    }

    /// How many records of an event a step has.
    pub fn count(&self, id: &RunId, event: &str, step: &str) -> usize {
        self.records(id).iter().filter(|record| record.event == event && record.step.as_deref() == Some(step)).count()
    }

    pub fn story(&self, id: &RunId) -> String {
        story(&self.records(id))
    }
}

/// The events of a run in order, for messages.
pub fn story(records: &[Record]) -> String {
    let line = |record: &Record| {
        let event = Event::from_parts(&record.event, &record.data).map(|_| record.event.as_str()).unwrap_or("unreadable");
        format!("{:>3} {} {:<16} {:<32} {}", record.seq, record.at, event, record.step.as_deref().unwrap_or("-"), record.reason)
    };
    records.iter().map(line).collect::<Vec<_>>().join("\n")
}
