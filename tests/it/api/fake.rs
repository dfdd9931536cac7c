//! A fleet in memory: runs are folded from real events, nothing is driven.

mod face;
mod pair;

use std::sync::{Arc, Mutex, MutexGuard};

use changeover::domain::action::Kind;
use changeover::domain::event::{Baseline, Cause, Event, Evidence, Outcome, Verdict, WaitingOn};
use changeover::domain::file::FileEvidence;
use changeover::domain::gate::Gate;
use changeover::domain::homeward;
use changeover::domain::ids::{NodeId, PerNode, RunId};
use changeover::domain::journal::{Entry, Record};
use changeover::domain::machine;
use changeover::domain::people::{People, Who};
use changeover::domain::plan::{Adoption, Fit, Goal, Order, Package, Plan, Refusal, Windows};
use changeover::domain::procedure::Procedure;
use changeover::domain::run::Run;
use changeover::domain::sheet;
use changeover::domain::site::{Site, SyncFact};
use changeover::domain::version::Target;
use changeover::domain::waiver;
use changeover::domain::way_home::Found;
use changeover::domain::window::Window;
use changeover::domain::world::World;
use changeover::engine::api::{Fleet, Kind as Refuse, PlanPreview, PlanRequest, Problem, Rebooking, Snapshot, Word};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Semaphore;

use self::pair::world;

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
            .map_err(|illegal| Problem::new(Refuse::Conflict, "not_now", illegal.to_string()).state(sheet::state(&kept.run)))?;
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
            let problem = Problem::new(Refuse::Conflict, "one_run", format!("run `{}` is not finished", busy.run.id));
            return Err(problem.state(sheet::state(&busy.run)));
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
        plan.adopted = Some(Box::new(Adoption {
            survivor: NodeId::A,
            broken: true,
            since: None,
            broken_on: None,
            updated: PerNode::default(),
            backups: PerNode::default(),
            accepted: false,
            goal: Goal::Home,
            note: String::new(),
        }));
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
            Word::SwitchBack { .. } if !self.run(id)?.run.may_switch_back() => {
                return Err(Problem::new(Refuse::Conflict, "no_switch_back", format!("run `{id}` can't switch back now")));
            }
            Word::SwitchBack { note } => Event::SwitchBackOrdered { note },
            Word::Abort { way, note } => self.abort(id, way, note)?,
            Word::Close { state, note } => {
                Event::Closed { state, note, undone: vec!["soak.confirm".to_owned()], off_since: None }
            }
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
