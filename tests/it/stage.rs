//! A whole site in this process and in virtual time: the simulated world behind the in-process ports, the real engine, a
//! journal in memory, and a person who answers gates and does what instructions say.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use changeover::domain::action::Kind;
use changeover::domain::event::{Event, Verdict};
use changeover::domain::gate::Gate;
use changeover::domain::ids::{NodeId, PerNode, RunId};
use changeover::domain::journal::{Record, hex};
use changeover::domain::people::People;
use changeover::domain::procedure::{BUILT_IN, Procedure};
use changeover::domain::run::{Phase, Run};
use changeover::domain::site::{Node, Policy, Role, Site};
use changeover::domain::step::Step;
use changeover::domain::version::Version;
use changeover::domain::window::calendar::Calendar;
use changeover::engine::Around;
use changeover::engine::api::{Fleet as _, PlanRequest, Problem, Snapshot, Word};
use changeover::engine::fleet::Fleet;
use changeover::engine::hooks::{Hooks, Route};
use changeover::engine::site::SiteEntry;
use changeover::engine::site::SitePorts;
use changeover::ports::{Clock, Journal, Traffic};
use changeover::simulator::faults::{Fault, Planned};
use changeover::simulator::inprocess::{InProcessOptions, SimSite, VirtualClock, Zone};
use changeover::simulator::world::{self, SettingChanged, Truth, World, WorldOptions};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use crate::memory::MemoryJournal;
use crate::telephone::Telephone;

pub const SITE: &str = "support";
pub const LAB: &str = "lab";
pub const START: &str = "2026-11-22T01:00:00Z";
pub const FROM: &str = "24.1.1";
pub const TO: &str = "24.2.1";
pub const PROCEDURES: [&str; 2] = ["in-place", "role-swap"];

/// What a stage is built from.
#[derive(Clone)]
pub struct Setting {
    pub options: InProcessOptions,
    pub policy: Policy,
    pub first: String,
    pub second: String,
    pub seed: u64,
    /// Procedures beside the built-in ones.
    pub own: Vec<Procedure>,
    /// The site's zone, usual windows and freezes, as the daemon reads them at its next start.
    pub calendar: Calendar,
    /// Whom the daemon's file names; nobody: everybody may speak.
    pub people: People,
    /// When it begins.
    pub begin: Timestamp,
    /// The policy of a second site, `lab`, where there is to be one.
    pub lab: Option<Policy>,
    /// What the pair runs, and what it is to run.
    pub versions: (&'static str, &'static str),
    /// Somebody answers the gates that are no more than a checklist as soon as they open: most tests are not about them.
    pub checklists: bool,
    /// The versions of a package chain before the target; each package is installed only on the version before it.
    pub chain: Vec<&'static str>,
    /// The zone of the service's name.
    pub zone: Zone,
    /// Another view of it, where there is one.
    pub view: Option<Zone>,
    /// The nodes' addresses are of two kinds.
    pub two_kinds: bool,
    /// The traffic entries, where they are not the simulated name behind its line.
    pub traffic: Option<Entries>,
}

/// Makes a site's traffic entries.
pub type Entries = Arc<dyn Fn(&SimSite) -> Vec<Arc<dyn Traffic>> + Send + Sync>;

impl Default for Setting {
    fn default() -> Self {
        let (first, second) = ("now +4h".to_owned(), "2026-11-23T07:00:00Z +4h".to_owned());
        let (options, policy, calendar) = (InProcessOptions::default(), Policy::default(), Calendar::default());
        let (own, people, lab, chain, begin) = (Vec::new(), People::default(), None, Vec::new(), START.parse().unwrap());
        let (zone, view, two_kinds) = (Zone::default(), None, false);
        Self {
            options,
            policy,
            first,
            second,
            seed: 1,
            own,
            calendar,
            people,
            lab,
            versions: (FROM, TO),
            checklists: true,
            chain,
            begin,
            zone,
            view,
            two_kinds,
            traffic: None,
        }
    }
}

impl Setting {
    pub fn by_operator() -> Self {
        Self { options: InProcessOptions { by_operator: true, ..InProcessOptions::default() }, ..Self::default() }
    }
}

pub struct Stage {
    pub site: SimSite,
    lab: SimSite,
    /// The other view of the zone, where there is one.
    pub view: Option<Arc<Mutex<Zone>>>,
    pub clock: Arc<VirtualClock>,
    pub journal: Arc<MemoryJournal>,
    pub fleet: Arc<Fleet>,
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

/// How a run came to rest.
#[derive(Debug)]
pub struct Rest {
    pub run: Arc<Run>,
    /// `succeeded`, a hold's code, or `in_doubt`.
    pub end: String,
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
        let fleet = fleet((&site, &lab), &clock, &journal, file, (folder.path().to_owned(), lines(&site, line, &view)));
        Self {
            deaf,
            mad,
            site,
            lab,
            view,
            clock,
            journal,
            fleet,
            setting,
            folder,
            identities: Mutex::new(PerNode::new(world::identity_of)),
            carried_out: Mutex::default(),
            by_hand: Mutex::default(),
            trouble_at: Arc::default(),
        }
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
        self.fleet = fleet((&self.site, &self.lab), &self.clock, &self.journal, file, place);
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

    /// Follows a run until `seen` says so; panics with the last status after 30 simulated days.
    pub async fn until(&self, id: &RunId, seen: impl FnMut(&Run) -> bool) -> Arc<Run> {
        let limit = SignedDuration::from_hours(30 * 24);
        match self.within(id, limit, seen).await {
            Ok(run) => run,
            Err(run) => panic!("30 days later: {:?} at {:?}\n{}", run.phase, run.step(), story(&self.records(id))),
        }
    }

    /// As [`Stage::until`], for so long; the error is the run as it stood then.
    pub async fn within(
        &self,
        id: &RunId,
        limit: SignedDuration,
        mut seen: impl FnMut(&Run) -> bool,
    ) -> Result<Arc<Run>, Arc<Run>> {
        let mut watch = self.fleet.watch(id).unwrap();
        let limit = self.clock.now() + limit;
        loop {
            let run = watch.borrow_and_update().run.clone();
            if self.answers_checklist(id, &run).await {
                continue;
            }
            if seen(&run) {
                return Ok(run);
            }
            tokio::select! {
                biased;
                changed = watch.changed() => if changed.is_err() {
                    panic!("the run's loop ended: {:?} at {:?}\n{}", run.phase, run.step(), story(&self.records(id)));
                },
                () = self.clock.sleep_until(limit) => return Err(run),
            }
        }
    }

    /// True if a checklist was open and is answered.
    async fn answers_checklist(&self, id: &RunId, run: &Run) -> bool {
        match run.open_gate().filter(|gate| self.setting.checklists && gate.is_checklist()) {
            Some(gate) => self.accept(id, Some(gate.name())).await.is_ok(),
            None => false,
        }
    }

    /// Until the run stands at this step, whatever its phase.
    pub async fn until_step(&self, id: &RunId, step: &str) -> Arc<Run> {
        let told = |run: &Run| run.act.as_ref().is_some_and(|act| act.instruction.is_some());
        loop {
            let here = |run: &Run| run.step().is_some_and(|at| at.id == step);
            let run = self.until(id, |run| here(run) || end(run).is_some() || run.open_gate().is_some() || told(run)).await;
            if here(&run) {
                return run;
            }
            assert_eq!(end(&run).filter(|end| end != "in_doubt"), None, "before {step}\n{}", story(&self.records(id)));
            self.serve(id, &run).await;
        }
    }

    /// As [`Stage::until`], with every gate on the way accepted.
    pub async fn answered(&self, id: &RunId, mut seen: impl FnMut(&Run) -> bool) -> Arc<Run> {
        loop {
            let run = self.until(id, |run| seen(run) || run.open_gate().is_some_and(Gate::is_asked)).await;
            if seen(&run) {
                return run;
            }
            self.accept(id, None).await.unwrap();
        }
    }

    /// Until the run has this many records, serving it on the way.
    pub async fn until_seq(&self, id: &RunId, seq: u64) -> Arc<Run> {
        let told = |run: &Run| run.act.as_ref().is_some_and(|act| act.instruction.is_some());
        loop {
            let run = self.until(id, |run| run.seq >= seq || run.open_gate().is_some() || told(run)).await;
            if run.seq >= seq {
                return run;
            }
            self.serve_until(id, &run, seq).await;
        }
    }

    async fn serve_until(&self, id: &RunId, run: &Run, seq: u64) {
        tokio::select! {
            biased;
            _ = self.until(id, |run| run.seq >= seq) => {}
            () = self.serve(id, run) => {}
        }
    }

    /// Lets the run go to its end, accepting every gate that a plan has and doing what instructions say. A doubt is given
    /// an hour to settle by itself.
    pub async fn to_rest(&self, id: &RunId) -> Rest {
        loop {
            let told = |run: &Run| run.act.as_ref().is_some_and(|act| act.instruction.is_some());
            let run = self.until(id, |run| end(run).is_some() || run.open_gate().is_some() || told(run)).await;
            match end(&run) {
                Some(end) if end == "in_doubt" => {
                    let hour = SignedDuration::from_hours(1);
                    if let Err(run) = self.within(id, hour, |run| !matches!(run.phase, Phase::InDoubt { .. })).await {
                        return Rest { run, end };
                    }
                }
                Some(end) => return Rest { run, end },
                None => self.serve(id, &run).await,
            }
        }
    }

    /// As [`Stage::to_rest`], but nobody does anything.
    pub async fn idle_to_rest(&self, id: &RunId) -> Rest {
        let run = self.until(id, |run| end(run).is_some_and(|end| end != "in_doubt")).await;
        Rest { end: end(&run).unwrap(), run }
    }

    /// Resumes until the run has succeeded; the second number is how often it took.
    pub async fn resume_to_end(&self, id: &RunId) -> (Rest, u32) {
        for times in 1..=4 {
            self.help(&self.run(id));
            let resumed = match self.resume(id).await {
                // It took so long that the window is over.
                Err(problem) if problem.code == "window_missed" => {
                    self.word(id, Word::Resume { window: Some("now +4h".to_owned()) }).await
                }
                resumed => resumed,
            };
            if let Err(problem) = resumed {
                panic!("{problem:?}\n{}", story(&self.records(id)));
            }
            let rest = self.to_rest(id).await;
            if rest.end == "succeeded" {
                return (rest, times);
            }
        }
        panic!("four resumes did not help\n{}", story(&self.records(id)));
    }

    /// What a diligent person does where the alert names a link that is half way: breaks it on the node that shows it.
    pub fn help(&self, run: &Run) {
        if run.hold().is_some_and(|hold| matches!(hold.code.as_str(), "half_broken" | "half_established")) {
            let linked = |node: &NodeId| self.site.current().node(*node).role != Role::Standalone;
            for node in NodeId::BOTH.into_iter().filter(linked) {
                self.hand("break", node);
            }
            self.site.current().advance(self.clock.now() + SignedDuration::from_secs(30));
        }
    }

    /// A person acts on a box without having been told to.
    pub fn hand(&self, verb: &str, node: NodeId) {
        self.site.current().perform(verb, node, None).unwrap_or_else(|refusal| panic!("{verb} on {node}: {refusal}"));
        self.by_hand.lock().unwrap().push((verb.to_owned(), node, self.clock.now()));
    }

    /// What a diligent person does: carries out the instruction that is out, or accepts the gate that is open.
    async fn serve(&self, id: &RunId, run: &Run) {
        if let Some(number) = run.act.as_ref().and_then(|act| act.instruction.as_ref()).map(|instruction| instruction.number) {
            return self.do_as_told(id, number).await;
        }
        match run.open_gate() {
            None => return,
            Some(Gate::SettingsLedger) => return self.acknowledge_all(id).await,
            Some(_) => {}
        }
        if let Err(problem) = self.accept(id, None).await {
            // R16: stray sessions, a node that can't be read just now, evidence that has just changed: it ends after a while.
            assert!(
                matches!(
                    problem.code.as_str(),
                    "one_serves" | "soak_failed" | "gate_not_open" | "background_jobs" | "evidence_changed"
                ),
                "{problem:?}"
            );
            self.pass(SignedDuration::from_mins(10)).await;
        }
    }

    /// Says of each open line that it was seen.
    pub async fn acknowledge_all(&self, id: &RunId) {
        let open: Vec<String> = self.run(id).settings.open().map(|line| line.id.clone()).collect();
        for line in open {
            self.acknowledge(id, &line).await.unwrap_or_else(|problem| panic!("{problem:?}"));
        }
        // The lines are compared once more before the run goes on.
        self.pass(SignedDuration::from_mins(2)).await;
    }

    pub async fn acknowledge(&self, id: &RunId, line: &str) -> Result<Snapshot, Problem> {
        self.word(id, Word::Acknowledge { line: line.to_owned(), digest: None, note: None }).await
    }

    /// Somebody enters, changes or, without a value, removes a setting on a node.
    pub fn set_item(&self, node: NodeId, kind: &str, id: &str, value: Option<&str>) {
        let (name, value) = (value.map(|_| format!("{kind}-{id}")), value.unwrap_or_default().to_owned());
        let changed = SettingChanged { kind: kind.to_owned(), id: id.to_owned(), name, value, enabled: None };
        self.site.current().change_setting(node, changed).unwrap();
    }

    async fn do_as_told(&self, id: &RunId, number: u32) {
        let still =
            |run: &Run| run.act.as_ref().and_then(|act| act.instruction.as_ref()).is_some_and(|told| told.number == number);
        if self.within(id, SignedDuration::from_mins(2), |run| !still(run)).await.is_ok() {
            return;
        }
        let run = self.run(id);
        let step = run.step().unwrap();
        let node = step.node.unwrap_or(run.plan.primary);
        let done = self.has_carried_out(id, number) || self.carry_out(id, number, step, node);
        // Nobody sees from outside that a standby was opened: the person says so.
        if done && step.kind == Kind::Reopen && self.site.current().node(node).role == Role::Standby {
            self.accept(id, Some("node_open")).await.unwrap_or_else(|problem| panic!("{problem:?}"));
        }
        // A box that does not answer is tried again a little later.
        let patience = if done { SignedDuration::from_hours(12) } else { SignedDuration::from_mins(5) };
        let _ = self.within(id, patience, |run| !still(run) || end(run).is_some()).await;
    }

    pub fn has_carried_out(&self, id: &RunId, number: u32) -> bool {
        self.carried_out.lock().unwrap().contains(&(id.number, number))
    }

    /// Does what an instruction says. False if the box does not take it.
    pub fn carry_out(&self, id: &RunId, number: u32, step: &Step, node: NodeId) -> bool {
        if matches!(step.kind, Kind::LowerTtl | Kind::RestoreTtl) {
            let run = self.run(id);
            let before = run.act.as_ref().and_then(|act| act.baseline.ttl.iter().map(|name| name.ttl).max());
            let ttl = if step.kind == Kind::LowerTtl { run.plan.policy.switch_ttl.as_secs() as u32 } else { before.unwrap() };
            self.site.zone().set(ttl);
            self.carried_out.lock().unwrap().insert((id.number, number));
            return true;
        }
        let target = (step.kind == Kind::Update).then(|| self.run(id).plan.target_of(step.hop).clone());
        let done = self.site.current().perform(step.kind.name(), node, target).is_ok();
        if done {
            self.carried_out.lock().unwrap().insert((id.number, number));
        }
        done
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

/// The end at which a run rests, if it does.
pub fn end(run: &Run) -> Option<String> {
    match &run.phase {
        Phase::Finished(outcome) => Some(serde_json::to_value(outcome).unwrap().as_str().unwrap().to_owned()),
        Phase::Held(hold) => Some(hold.code.clone()),
        Phase::InDoubt { .. } => Some("in_doubt".to_owned()),
        _ => None,
    }
}

/// The versions of the setting's chain with the one before each, the target's last.
fn hops(setting: &Setting) -> impl Iterator<Item = (&'static str, &'static str)> {
    let path = [&[setting.versions.0], setting.chain.as_slice(), &[setting.versions.1]].concat();
    let before = path.clone();
    before.into_iter().zip(path.into_iter().skip(1))
}

fn needs(setting: &Setting) -> Vec<(Version, Version)> {
    let hops = hops(setting).filter(|_| !setting.chain.is_empty());
    hops.map(|(before, to)| (to.parse().unwrap(), before.parse().unwrap())).collect()
}

/// The operator's files, with notes where they are a chain.
fn lay_packages(folder: &Path, setting: &Setting) {
    lay_package(folder, "base.nss", b"a package");
    for (before, to) in hops(setting).filter(|_| !setting.chain.is_empty()) {
        let name = if to == setting.versions.1 { "base.nss".to_owned() } else { format!("{to}.nss") };
        if to != setting.versions.1 {
            lay_package(folder, &name, to.as_bytes());
        }
        std::fs::write(folder.join(format!("{name}.toml")), format!("version = \"{to}\"\nfrom = [\"{before}\"]\n")).unwrap();
    }
}

/// The operator's file, and the run's own copy of it: copying it would wait for the disk at every start.
fn lay_package(folder: &Path, name: &str, content: &[u8]) {
    let staged = folder.join("packages").join(hex(&Sha256::digest(content)));
    std::fs::create_dir_all(&staged).unwrap();
    for place in [folder.join(name), staged.join(name)] {
        std::fs::write(place, content).unwrap();
    }
}

fn fleet(
    (site, lab): (&SimSite, &SimSite),
    clock: &Arc<VirtualClock>,
    journal: &Arc<MemoryJournal>,
    file: (&Setting, PerNode<String>),
    place: (PathBuf, Vec<Arc<dyn Traffic>>),
) -> Arc<Fleet> {
    let ((state, lines), (setting, identities)) = (place, file);
    let second = if setting.two_kinds { "::1" } else { "127.0.1.2" };
    let addresses = ["127.0.1.1".parse().unwrap(), second.parse().unwrap()];
    let node = |node: NodeId| Node { identity: identities[node].clone(), address: addresses[node.index()] };
    let mut ports = ports_of(site, lines);
    if let Some(entries) = &setting.traffic {
        ports.traffic = entries(site);
    }
    let site = Site {
        name: SITE.to_owned(),
        service: "support.example.com".to_owned(),
        procedure: Some("role-swap".to_owned()),
        nodes: PerNode::new(node),
        policy: setting.policy.clone(),
        calendar: setting.calendar.clone(),
    };
    let hooks =
        Hooks { alerts: vec![Route { hook: "ops".to_owned(), events: vec!["*".to_owned()] }], exports: vec!["safe".to_owned()] };
    let people = setting.people.clone();
    let around = Arc::new(Around { people, ..Around::new(journal.clone(), clock.clone(), hooks, state) });
    let built_in = BUILT_IN.iter().map(|(name, text)| Procedure::load(name, text).unwrap());
    let procedures = built_in.chain(setting.own.iter().cloned()).collect();
    let mut entries = vec![SiteEntry { site: site.clone(), ports, first: None, second: None, responsible: None }];
    entries.extend(setting.lab.clone().map(|policy| {
        let site = Site { name: LAB.to_owned(), service: "lab.example.com".to_owned(), policy, ..site };
        SiteEntry { site, ports: ports_of(lab, vec![Arc::new(lab.traffic())]), first: None, second: None, responsible: None }
    }));
    Fleet::new(around, entries, procedures, Vec::new())
}

/// The traffic entries: the zone, and its other view.
fn lines(site: &SimSite, line: Telephone, view: &Option<Arc<Mutex<Zone>>>) -> Vec<Arc<dyn Traffic>> {
    let view = view.clone().map(|zone| Arc::new(site.view(zone)) as Arc<dyn Traffic>);
    std::iter::once(Arc::new(line) as Arc<dyn Traffic>).chain(view).collect()
}

fn ports_of(site: &SimSite, traffic: Vec<Arc<dyn Traffic>>) -> SitePorts {
    let nodes = PerNode { a: Arc::new(site.appliance(NodeId::A)) as _, b: Arc::new(site.appliance(NodeId::B)) as _ };
    SitePorts { nodes, traffic }
}

/// The events of a run in order, for messages.
pub fn story(records: &[Record]) -> String {
    let line = |record: &Record| {
        let event = Event::from_parts(&record.event, &record.data).map(|_| record.event.as_str()).unwrap_or("unreadable");
        format!("{:>3} {} {:<16} {:<32} {}", record.seq, record.at, event, record.step.as_deref().unwrap_or("-"), record.reason)
    };
    records.iter().map(line).collect::<Vec<_>>().join("\n")
}
