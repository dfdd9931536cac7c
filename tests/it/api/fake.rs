//! A fleet in memory: runs are folded from real events, nothing is driven.

use changeover::domain::homeward;
use std::sync::{Arc, Mutex, MutexGuard};

use changeover::domain::access::{Access, Tried};
use changeover::domain::action::Kind;
use changeover::domain::check::Check;
use changeover::domain::checks;
use changeover::domain::event::{Baseline, Cause, Event, Evidence, Outcome, Verdict, WaitingOn};
use changeover::domain::file::FileEvidence;
use changeover::domain::gate::Gate;
use changeover::domain::ids::{NodeId, PerNode, RunId};
use changeover::domain::journal::{Entry, Record};
use changeover::domain::machine;
use changeover::domain::metrics::{Family, Sample};
use changeover::domain::people::{People, Who};
use changeover::domain::plan::{Adoption, Fit, Goal, Order, Package, Plan, Refusal, Windows};
use changeover::domain::procedure::Procedure;
use changeover::domain::run::Run;
use changeover::domain::site::{Node, Observation, Policy, Role, Site, SyncFact, TrafficAnswer, TrafficLook};
use changeover::domain::version::Target;
use changeover::domain::waiver;
use changeover::domain::way_home::Found;
use changeover::domain::window::Window;
use changeover::domain::window::calendar::{Calendar, Usual};
use changeover::domain::world::World;
use changeover::engine::api::{
    AdoptPreview, AdoptRequest, Fleet, Kind as Refuse, PlanPreview, PlanRequest, Problem, Rebooking, Replaced, Snapshot,
    WaysFound, WindowsFound, Word,
};
use changeover::engine::traffic::{self, TrafficFound, TrafficTried};
use changeover::engine::untouched::Untouched;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Semaphore;

pub const START: Timestamp = Timestamp::constant(1_795_309_200, 0); // 2026-11-22T01:00:00Z

/// A run with its journal.
struct Kept {
    run: Run,
    records: Vec<Record>,
    world: World,
}

#[derive(Default)]
pub struct Fake {
    runs: Mutex<Vec<Kept>>,
    faults: Mutex<Faults>,
    people: People,
}

/// What goes wrong on purpose.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    pub store_is_down: bool,
    pub node_b_is_silent: bool,
    pub checks_panic: bool,
    pub checks_hang: bool,
    /// Starts wait for a permit; `starting` tells that one does.
    pub starts_wait: Option<Arc<Semaphore>>,
    pub starting: bool,
    /// Hooks and what becomes of a document there.
    pub hooks: Vec<(String, Result<(), String>)>,
}

fn site(name: &str) -> Site {
    let node = |id: NodeId| Node {
        identity: format!("appliance-{id}"),
        address: format!("192.0.2.{}", 10 * (id.index() + 1)).parse().unwrap(),
    };
    Site {
        name: name.to_owned(),
        service: format!("{name}.example.com"),
        procedure: Some("role-swap".to_owned()),
        nodes: PerNode::new(node),
        policy: Policy::default(),
        calendar: Calendar::default(),
    }
}

fn observation(node: NodeId) -> Observation {
    let primary = node == NodeId::A;
    Observation {
        at: START,
        identity: format!("appliance-{node}"),
        version: "24.1.1".parse().unwrap(),
        build: Some("4711".to_owned()),
        role: if primary { Role::Primary } else { Role::Standby },
        healthy: true,
        updating: false,
        last_sync: primary.then(|| SyncFact { at: START, ok: Some(true), status: Some("success".to_owned()) }),
        users: Some(3),
        sessions: Some(1),
        as_of: None,
        may_be_old: SignedDuration::ZERO,
        clock_skew: None,
        takes_clients: Some(true),
        certificate_until: None,
        licence_until: None,
        shared_ips: None,
        at_work: Vec::new(),
    }
}

fn world(silent: bool) -> World {
    let mut world = World::new(START, true, SignedDuration::from_secs(10));
    for node in NodeId::BOTH {
        // Twice: that is what health is told from.
        for _ in 0..2 {
            let silent = silent && node == NodeId::B;
            let answer = if silent { Err("no answer from 192.0.2.20".to_owned()) } else { Ok(observation(node)) };
            world.readings[node].take(answer, START);
        }
    }
    let answer = TrafficAnswer {
        server: "ns1".to_owned(),
        name: "support.example.com".to_owned(),
        target: Some(NodeId::A),
        ttl: Some(60),
        found: "192.0.2.10".to_owned(),
        untold: false,
    };
    world.traffic.take(vec![Ok(TrafficLook::new(START, vec![answer]))]);
    world
}

/// As [`world`], without failover.
fn unlinked() -> World {
    let mut world = world(false);
    for node in NodeId::BOTH {
        for _ in 0..2 {
            let seen = Observation { role: Role::Standalone, last_sync: None, ..observation(node) };
            world.readings[node].take(Ok(seen), START);
        }
    }
    world
}

impl Fake {
    pub fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.runs.lock().unwrap()
    }

    /// Starts a run of `support` and leads it to the step with this id; `end` for all steps.
    pub fn run_at(&self, step: &str) -> RunId {
        let request = PlanRequest {
            site: "support".to_owned(),
            to: "24.2.1".to_owned(),
            package: "/packages/24.2.1.bin".into(),
            before: Vec::new(),
            procedure: None,
            first: Some("2026-11-22T02:00[Europe/Berlin] +4h".to_owned()),
            second: Some("2026-11-26T01:00:00Z +4h".to_owned()),
            urgent: None,
            responsible: None,
            accepted: Vec::new(),
        };
        let id = self.begin(request, "alice").unwrap();
        while self.step(&id).is_some_and(|now| now.id != step) {
            self.finish_step(&id);
        }
        assert!(step == "end" || self.step(&id).is_some(), "no step `{step}`");
        id
    }

    fn step(&self, id: &RunId) -> Option<changeover::domain::step::Step> {
        self.lock().iter().find(|kept| kept.run.id == *id)?.run.step().cloned()
    }

    fn finish_step(&self, id: &RunId) {
        let step = self.step(id).unwrap();
        let file = FileEvidence { path: "/state/file".into(), sha256: "00".repeat(32), bytes: 5 };
        let sync = SyncFact { at: START, ok: Some(true), status: None };
        let evidence = match step.kind {
            Kind::Confirm => {
                self.push(id, Event::Waited { on: WaitingOn::Gate, until: None });
                let gate = step.gate.unwrap();
                self.push(id, Event::Confirmed { gate, verdict: Verdict::Accept, note: None, by: None, shown: None });
                return;
            }
            Kind::Backup | Kind::ExtractData => Evidence::files(vec![file], None),
            Kind::ForceSync => Evidence::Sync { sync, asked_at: START },
            Kind::Update => Evidence::Version { version: "24.2.1".to_owned(), build: None },
            _ => Evidence::seen("so"),
        };
        self.push(id, Event::StepDone { evidence, already: false });
    }

    /// Makes the daemon's view differ from its journal.
    pub fn lie(&self, id: &RunId) {
        let mut runs = self.lock();
        runs.iter_mut().filter(|kept| kept.run.id == *id).for_each(|kept| kept.run.resumed += 1);
    }

    pub fn push(&self, id: &RunId, event: Event) {
        self.record(id, event, "daemon").unwrap();
    }

    /// Folds an event and chains its record, a minute after the one before.
    fn record(&self, id: &RunId, event: Event, actor: &str) -> Result<Snapshot, Problem> {
        let mut runs = self.lock();
        let kept = runs.iter_mut().find(|kept| kept.run.id == *id).ok_or_else(|| no_run(id))?;
        let at = kept.run.last_at + SignedDuration::from_mins(1);
        let (run, _) = machine::next(&kept.run, &event, at)
            .map_err(|illegal| Problem::new(Refuse::Conflict, "not_now", illegal.to_string()))?;
        let (name, data) = event.to_parts();
        let step = kept.run.step().map(|step| step.id.clone());
        let entry = Entry { at, actor: actor.to_owned(), event: name, step, reason: "because".to_owned(), data };
        let record = Record::chain(id, kept.records.last(), entry);
        kept.run = Run { seq: record.seq, last_at: at, head: record.hash.clone(), ..run };
        kept.records.push(record);
        Ok(kept.snapshot())
    }

    fn begin(&self, request: PlanRequest, actor: &str) -> Result<RunId, Problem> {
        let preview = self.preview(request)?;
        if let Some(refusal) = preview.refusals.first() {
            let problem = Problem::new(Refuse::Refused, "known_path", "the plan can't be started");
            return Err(problem.because(&refusal.message).state("nothing was changed").hint("see `changeover plan`"));
        }
        let mut runs = self.lock();
        if let Some(busy) = runs.iter().find(|kept| kept.run.id.site == preview.site && !kept.run.is_finished()) {
            return Err(Problem::new(Refuse::Conflict, "one_run", format!("run `{}` is not finished", busy.run.id)));
        }
        let number = runs.iter().filter(|kept| kept.run.id.site == preview.site).count() as u32 + 1;
        let id = RunId { site: preview.site, number };
        let plan = Box::new(preview.plan);
        let (event, data) = Event::Started { plan: plan.clone() }.to_parts();
        let entry =
            Entry { at: START, actor: actor.to_owned(), event, step: None, reason: "a person started it".to_owned(), data };
        let record = Record::chain(&id, None, entry);
        let run = machine::begin(id.clone(), plan, actor, START);
        let run = Run { seq: 1, head: record.hash.clone(), ..run };
        runs.push(Kept { run, records: vec![record], world: world(false) });
        Ok(id)
    }

    fn preview(&self, request: PlanRequest) -> Result<PlanPreview, Problem> {
        let site = self.site(&request.site)?;
        let name = request.procedure.as_deref().unwrap_or("role-swap");
        let procedure = (name == "role-swap")
            .then(|| Procedure::load("short", include_str!("../../fixtures/procedures/short/role-swap.toml")).unwrap())
            .ok_or_else(|| Problem::new(Refuse::NotFound, "unknown_procedure", format!("there is no procedure `{name}`")))?;
        let window = |text: Option<String>| text.map(|text| Window::parse(&text, START).unwrap());
        let bad = |error| Problem::new(Refuse::BadInput, "bad_version", format!("{error}"));
        let order = Order {
            from: Target { version: "24.1.1".parse().unwrap(), build: Some("4711".to_owned()) },
            to: request.to.parse::<Target>().map_err(bad)?,
            package: Package { path: request.package, sha256: "ab".repeat(32), bytes: 123 },
            note: None,
            before: Vec::new(),
            primary: NodeId::A,
            windows: Windows { first: window(request.first), second: window(request.second) },
        };
        let plan = Plan { urgent: request.urgent, ..Plan::new(&procedure, &site, order) };
        let plan = Plan { fit: Fit::of(&plan, true, &[]).into(), ..plan };
        let refusals: Vec<Refusal> = plan.refusals(&site, &[], START, true);
        let plan = Plan { responsible: request.responsible, ..plan };
        Ok(PlanPreview { site: site.name, times: plan.times(START), refusals, flags: Vec::new(), plan, movable: true })
    }

    /// A run that takes an unlinked pair over from node `a`.
    fn adopted(&self, site: &str, world: &World) -> Result<(Run, Found), Problem> {
        let request = PlanRequest {
            site: site.to_owned(),
            to: "24.2.1".to_owned(),
            package: "/packages/24.2.1.bin".into(),
            before: Vec::new(),
            procedure: None,
            first: None,
            second: None,
            urgent: None,
            responsible: None,
            accepted: Vec::new(),
        };
        let mut plan = self.preview(request)?.plan;
        plan.steps = Arc::default();
        plan.adopted = Some(Adoption {
            survivor: NodeId::A,
            broken: true,
            since: None,
            broken_on: None,
            updated: PerNode::default(),
            backups: PerNode::default(),
            accepted: false,
            goal: Goal::Home,
            note: String::new(),
        });
        let run = machine::begin(RunId { site: site.to_owned(), number: 1 }, Box::new(plan), "alice", START);
        let found = homeward::of_run(&run, world);
        Ok((run, found))
    }

    fn site(&self, name: &str) -> Result<Site, Problem> {
        let unknown = || Problem::new(Refuse::NotFound, "unknown_site", format!("there is no site `{name}`"));
        self.sites().into_iter().find(|site| site.name == name).ok_or_else(unknown)
    }

    fn abort(&self, id: &RunId, shown: Option<Vec<String>>, note: Option<String>) -> Result<Event, Problem> {
        let Snapshot { run, world, .. } = self.run(id)?;
        let found = homeward::of_run(&run, &world);
        let none = || Problem::new(Refuse::Refused, "no_way_home", "no way leads home");
        let way = found.ways.first().ok_or_else(none)?;
        let ids: Vec<String> = homeward::steps(&run, way).into_iter().map(|step| step.id).collect();
        if shown.is_some_and(|shown| shown != ids) {
            return Err(Problem::new(Refuse::Conflict, "way_changed", "the way home has changed"));
        }
        Ok(homeward::order(&run, &world, way, Cause::Abort, note))
    }

    fn event(&self, id: &RunId, word: Word) -> Result<Event, Problem> {
        let open = self.run(id)?.run.open_gate();
        let shut = |name: &str| Problem::new(Refuse::NotFound, "unknown_gate", format!("gate `{name}` is not open"));
        Ok(match word {
            Word::Confirm { gate, verdict, note, .. } => {
                let named = gate.as_deref().map(|name| name.parse::<Gate>().map_err(|()| shut(name))).transpose()?;
                let gate = open.filter(|open| named.is_none_or(|named| named == *open));
                Event::Confirmed { gate: gate.ok_or_else(|| shut("any"))?, verdict, note, by: None, shown: None }
            }
            Word::Waive { rule, reason } => {
                let rule = waiver::named(&rule).ok_or_else(|| Problem::new(Refuse::BadInput, "not_waivable", rule))?;
                let step = self.run(id)?.run.step().unwrap().id.clone();
                Event::Waived { rule, step, reason, by: Who::default(), shown: None }
            }
            Word::TakeOver { note, .. } => {
                Event::Confirmed { gate: Gate::Handover, verdict: Verdict::Accept, note, by: None, shown: None }
            }
            Word::Acknowledge { line, .. } => {
                return Err(Problem::new(Refuse::NotFound, "unknown_line", format!("no line `{line}`")));
            }
            Word::Hold => Event::HoldRequested {},
            Word::AcceptWarning { check, node, reason } => {
                let (basis, by) = ("odd".to_owned(), "alice".to_owned());
                Event::WarningAccepted { check, node, basis, reason, by, left: Vec::new() }
            }
            Word::Resume { window } => {
                let second = window.map(|text| Window::parse(&text, START).unwrap());
                Event::Resumed { first: None, second, responsible: None }
            }
            Word::Rebook(Rebooking { first, second, responsible }) => {
                let window = |text: Option<String>| text.map(|text| Window::parse(&text, START).unwrap());
                Event::Resumed { first: window(first), second: window(second), responsible }
            }
            Word::SwitchBack { note } => Event::SwitchBackOrdered { note },
            Word::Abort { way, note } => self.abort(id, way, note)?,
            Word::Close { state, note } => Event::Closed { state, note, undone: vec!["soak.confirm".to_owned()] },
            Word::Release { withdraw, note } => {
                Event::Released { by: Who { user: "op1".to_owned(), name: None }, note, withdrawn: withdraw }
            }
            Word::ReplaceNode { node, identity, note } => Event::NodeReplaced { node, identity, note },
        })
    }
}

impl Kept {
    fn snapshot(&self) -> Snapshot {
        Snapshot { run: Arc::new(self.run.clone()), world: Arc::new(self.world.clone()), not_driven: None }
    }
}

fn no_run(id: &RunId) -> Problem {
    Problem::new(Refuse::NotFound, "unknown_run", format!("there is no run `{id}`"))
}

fn store_failed() -> Problem {
    Problem::new(Refuse::Store, "store_failed", "the journal could not be written").because("disk full")
}

impl Fleet for Fake {
    fn now(&self) -> Timestamp {
        START + SignedDuration::from_hours(2)
    }

    fn people(&self) -> &People {
        &self.people
    }

    fn sites(&self) -> Vec<Site> {
        ["support", "quiet"].map(site).to_vec()
    }

    fn check<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<Check>, Problem>> {
        async move {
            let faults = self.faults().clone();
            assert!(!faults.checks_panic, "asked to panic");
            if faults.checks_hang {
                std::future::pending::<()>().await;
            }
            Ok(checks::of_site(&self.site(name)?, &world(faults.node_b_is_silent), &PerNode::default()))
        }
        .boxed()
    }

    fn traffic<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<TrafficFound, Problem>> {
        async move { Ok(traffic::found(&self.site(name)?, world(self.faults().node_b_is_silent))) }.boxed()
    }

    fn try_traffic<'a>(
        &'a self,
        name: &'a str,
        ttl: Option<u32>,
        _actor: &'a str,
    ) -> BoxFuture<'a, Result<TrafficTried, Problem>> {
        async move {
            let access = Access::Proven { how: "it took an update that alters nothing".to_owned() };
            let entries = vec![Tried { entry: "simulated support.example.com".to_owned(), access }];
            Ok(traffic::tried(&self.site(name)?, world(false), entries, ttl.unwrap_or(30)))
        }
        .boxed()
    }

    fn windows(&self, name: &str, length: Option<SignedDuration>) -> Result<WindowsFound, Problem> {
        let site = self.site(name)?;
        let window = Window::parse("2026-11-22T01:00:00Z +4h", START).unwrap();
        let usual = Usual { name: Some("sundays".to_owned()), window, flags: Vec::new(), frozen: None };
        let windows = if length.is_some_and(|length| length > SignedDuration::from_hours(4)) { Vec::new() } else { vec![usual] };
        Ok(WindowsFound { site: site.name, zone: "UTC".to_owned(), windows })
    }

    fn plan(&self, request: PlanRequest) -> BoxFuture<'_, Result<PlanPreview, Problem>> {
        async move { self.preview(request) }.boxed()
    }

    fn start<'a>(&'a self, request: PlanRequest, actor: &'a str) -> BoxFuture<'a, Result<RunId, Problem>> {
        async move {
            self.ready()?;
            let permits = self.faults().starts_wait.clone();
            if let Some(permits) = permits {
                self.faults().starting = true;
                permits.acquire().await.unwrap().forget();
            }
            self.begin(request, actor)
        }
        .boxed()
    }

    fn runs(&self) -> Vec<Snapshot> {
        self.lock().iter().map(Kept::snapshot).collect()
    }

    fn untouched(&self) -> Vec<Untouched> {
        Vec::new()
    }

    fn run(&self, id: &RunId) -> Result<Snapshot, Problem> {
        self.lock().iter().find(|kept| kept.run.id == *id).map(Kept::snapshot).ok_or_else(|| no_run(id))
    }

    fn newest(&self, site: &str) -> Result<Option<Snapshot>, Problem> {
        self.site(site)?;
        Ok(self.lock().iter().rfind(|kept| kept.run.id.site == site).map(Kept::snapshot))
    }

    fn command<'a>(
        &'a self,
        id: &'a RunId,
        word: Word,
        actor: &'a str,
        seq: Option<u64>,
    ) -> BoxFuture<'a, Result<Snapshot, Problem>> {
        async move {
            self.ready()?;
            let now = self.run(id)?.run.seq;
            if seq.is_some_and(|seq| seq != now) {
                return Err(Problem::new(Refuse::Conflict, "moved_on", format!("run `{id}` is at record {now}")));
            }
            let event = self.event(id, word)?;
            self.record(id, event, actor)
        }
        .boxed()
    }

    fn adoption<'a>(&'a self, site: &'a str, request: AdoptRequest) -> BoxFuture<'a, Result<AdoptPreview, Problem>> {
        async move {
            let (world, survivor) = (unlinked(), request.survivor.is_some());
            let none = Problem::new(Refuse::Refused, "no_survivor", "nobody said whose data are kept").hint("name the node");
            let drafted = if survivor { Ok(self.adopted(site, &world)?) } else { Err(none) };
            Ok(AdoptPreview { site: self.site(site)?, world: Arc::new(world), drafted })
        }
        .boxed()
    }

    fn adopt<'a>(&'a self, site: &'a str, request: AdoptRequest, _: &'a str) -> BoxFuture<'a, Result<RunId, Problem>> {
        async move {
            self.ready()?;
            let (run, found) = self.adopted(site, &unlinked())?;
            let ids: Vec<String> = found.ways[0].steps.iter().map(|step| step.id.clone()).collect();
            if request.way.is_some_and(|shown| shown != ids) {
                return Err(Problem::new(Refuse::Conflict, "way_changed", "the way home has changed"));
            }
            Ok(run.id)
        }
        .boxed()
    }

    fn ways<'a>(&'a self, id: &'a RunId) -> BoxFuture<'a, Result<WaysFound, Problem>> {
        async move {
            let snapshot = self.run(id)?;
            let found = homeward::of_run(&snapshot.run, &snapshot.world);
            let may = homeward::may_be_ordered(&snapshot.run, &snapshot.world);
            Ok(WaysFound { snapshot, found, not_now: (!may).then(|| "an act is under way".to_owned()) })
        }
        .boxed()
    }

    fn replace_node<'a>(&'a self, site: &'a str, replaced: Replaced, actor: &'a str) -> BoxFuture<'a, Result<Snapshot, Problem>> {
        async move {
            let Replaced { node, identity, note, seq } = replaced;
            let open = self.newest(site)?.filter(|snapshot| !snapshot.run.is_finished());
            let open =
                open.ok_or_else(|| Problem::new(Refuse::Conflict, "no_open_run", format!("site `{site}` has no open run")))?;
            self.command(&open.run.id, Word::ReplaceNode { node, identity, note }, actor, seq).await
        }
        .boxed()
    }

    fn journal(&self, id: &RunId, after: u64) -> Result<Vec<Record>, Problem> {
        let runs = self.lock();
        let kept = runs.iter().find(|kept| kept.run.id == *id).ok_or_else(|| no_run(id))?;
        Ok(kept.records.iter().filter(|record| record.seq > after).cloned().collect())
    }

    fn ready(&self) -> Result<(), Problem> {
        if self.faults().store_is_down { Err(store_failed()) } else { Ok(()) }
    }

    fn metrics(&self) -> Vec<Family> {
        vec![Family::gauge("changeover_up", "It runs.", vec![Sample::new([], 1.0)])]
    }

    fn test_alerts(&self) -> BoxFuture<'_, Vec<(String, Result<(), String>)>> {
        async move { self.faults().hooks.clone() }.boxed()
    }
}

/// Leads a run into each phase at rest, by name.
pub fn led_to(fake: &Fake, what: &str) -> RunId {
    match what {
        "gate" => {
            let id = fake.run_at("soak.confirm");
            fake.push(&id, Event::Waited { on: WaitingOn::Gate, until: None });
            id
        }
        "operator" => {
            let id = fake.run_at("window-1.break_failover.a");
            fake.push(&id, Event::StepBegun { attempt: 1, baseline: Baseline::default() });
            let lines = vec!["Open /login > Management > Failover on node a".to_owned(), "Choose Break".to_owned()];
            fake.push(&id, Event::Instructed { number: 1, not_after: Some(START + SignedDuration::from_hours(4)), lines });
            id
        }
        "held" => {
            let id = fake.run_at("window-1.force_sync.b");
            let (message, expected, found) =
                ("the sync \u{1b}[31mfailed".to_owned(), "a good sync".to_owned(), "`failed`".to_owned());
            let code = "sync_failed".to_owned();
            fake.push(&id, Event::Held { code, message, expected, found, node: Some(NodeId::B), given_up: true });
            id
        }
        "finished" => {
            let id = fake.run_at("end");
            fake.push(&id, Event::Finished { outcome: Outcome::Succeeded });
            id
        }
        other => unreachable!("{other}"),
    }
}
