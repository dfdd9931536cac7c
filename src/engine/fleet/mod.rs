//! All sites and runs of one daemon: starts runs, finds them, passes people's words on. A site has one run at most (R12).

mod alerts;
mod backups;
mod home;
mod release;
mod traffic;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::domain::backups::known as known_sizes;
use crate::domain::check::Check;
use crate::domain::checks;
use crate::domain::estimate::RUNS_LOOKED_AT;
use crate::domain::event::Event;
use crate::domain::ids::RunId;
use crate::domain::journal::{Entry, Record};
use crate::domain::machine;
use crate::domain::metrics::Family;
use crate::domain::people::People;
use crate::domain::plan::Plan;
use crate::domain::procedure::Procedure;
use crate::domain::run::Run;
use crate::domain::site::Site;
use crate::domain::ttl;
use crate::domain::waiver;
use crate::domain::world::World;
use crate::ports::{Notifier, StoreError};

use super::Around;
use super::accepting;
use super::adopting;
use super::api::{
    self, AdoptPreview, AdoptRequest, Kind, PlanPreview, PlanRequest, Problem, Replaced, Snapshot, WaysFound, WindowsFound, Word,
};
use super::booking;
use super::metrics;
use super::package;
use super::planning::{self, Draft};
use super::runner::{Message, Order, Runner};
use super::site::{SiteEntry, SiteReaders};
use super::space;
use super::traffic::{TrafficFound, TrafficTried};
use super::untouched::{self, Untouched};
use super::words;

/// The hooks by name, for `alerts test`.
pub type NamedHooks = Vec<(String, Arc<dyn Notifier>)>;

/// A run that the fleet keeps: what it published last, and the way to its loop.
struct Kept {
    snapshot: watch::Receiver<Snapshot>,
    publish: Arc<watch::Sender<Snapshot>>,
    inbox: mpsc::Sender<Message>,
}

pub struct Fleet {
    around: Arc<Around>,
    sites: BTreeMap<String, SiteEntry>,
    procedures: BTreeMap<String, Procedure>,
    hooks: NamedHooks,
    /// As in [`Around`], shared with every world.
    people: Arc<People>,
    runs: Mutex<BTreeMap<RunId, Kept>>,
    /// The runs that this build can't fold, as the journal had them when the daemon came up.
    untouched: Mutex<BTreeMap<RunId, Untouched>>,
    /// The loops of the runs. Dropped with the fleet: no loop outlives it, as none outlives the process.
    loops: Mutex<JoinSet<()>>,
    /// Held while a run of the site is being started, so that two starts can't pass each other.
    starting: HashMap<String, tokio::sync::Mutex<()>>,
    staging: package::Staging,
    /// Held while something is recorded for a run whose loop has ended: one record comes after the other.
    afterwards: tokio::sync::Mutex<()>,
}

impl Fleet {
    pub fn new(around: Arc<Around>, sites: Vec<SiteEntry>, procedures: Vec<Procedure>, hooks: NamedHooks) -> Arc<Self> {
        let starting = sites.iter().map(|entry| (entry.site.name.clone(), tokio::sync::Mutex::new(()))).collect();
        let sites = sites.into_iter().map(|entry| (entry.site.name.clone(), entry)).collect();
        let procedures = procedures.into_iter().map(|procedure| (procedure.name.clone(), procedure)).collect();
        Arc::new(Self {
            people: Arc::new(around.people.clone()),
            around,
            sites,
            procedures,
            hooks,
            runs: Mutex::default(),
            untouched: Mutex::default(),
            loops: Mutex::default(),
            starting,
            staging: package::Staging::default(),
            afterwards: tokio::sync::Mutex::default(),
        })
    }

    /// Takes over the runs that stood in the journal; those that are not finished go on by themselves.
    ///
    /// A run whose site is no longer configured is shown and left alone.
    pub fn take_over(&self, runs: Vec<Run>) {
        // Before any run goes on: one may count on the release of another.
        for run in &runs {
            self.around.releases.keep(run);
        }
        for run in runs {
            match self.sites.get(&run.id.site) {
                Some(entry) => self.keep(run, Some(entry), true),
                None => self.keep(run, None, true),
            }
        }
    }

    /// Keeps runs that can't be folded in sight: nothing is written to them, and the site of an open one takes no other run.
    pub fn leave(&self, runs: Vec<Untouched>) {
        for left in runs {
            tracing::error!(site = left.run.site, run = %left.run, open = left.open, "left untouched: {}", left.message);
            if left.open {
                let (around, id, alert) = (self.around.clone(), left.run.clone(), left.alert(self.around.clock.now()));
                self.spawn(async move { untouched::raise(&around, &id, &alert).await });
            }
            self.lock_untouched().insert(left.run.clone(), left);
        }
    }

    fn lock_untouched(&self) -> MutexGuard<'_, BTreeMap<RunId, Untouched>> {
        // Every critical section is a plain map operation that leaves the map whole.
        self.untouched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, run: Run, entry: Option<&SiteEntry>, recovered: bool) {
        let id = run.id.clone();
        let over = run.is_finished() && !run.is_watched();
        let world = entry.map_or_else(
            || World::new(run.last_at, false, jiff::SignedDuration::ZERO),
            |entry| entry.world(&self.people, self.around.clock.now()),
        );
        let (publish, snapshot) = watch::channel(Snapshot { run: Arc::new(run), world: Arc::new(world), not_driven: None });
        let (inbox, messages) = mpsc::channel(16);
        let publish = Arc::new(publish);
        match entry {
            _ if over => {}
            Some(entry) => {
                let runner = Runner::new(self.around.clone(), entry.ports.clone(), publish.clone(), messages);
                let drive = Box::pin(runner.drive(recovered));
                self.spawn(untouched::guarded(self.around.clone(), publish.clone(), drive));
            }
            None => self.spawn(untouched::site_gone(self.around.clone(), publish.clone())),
        }
        self.lock().insert(id, Kept { snapshot, publish, inbox });
    }

    fn spawn(&self, run: impl Future<Output = ()> + Send + 'static) {
        let mut loops = self.loops.lock().unwrap_or_else(PoisonError::into_inner);
        while loops.try_join_next().is_some() {}
        loops.spawn(run);
    }

    /// Follows a run: every record and every look is published here.
    pub fn watch(&self, id: &RunId) -> Option<watch::Receiver<Snapshot>> {
        self.lock().get(id).map(|kept| kept.snapshot.clone())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RunId, Kept>> {
        // Every critical section is a plain map operation that leaves the map whole.
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn site(&self, name: &str) -> Result<&SiteEntry, Problem> {
        self.sites.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.sites.keys().map(String::as_str).collect();
            let known =
                if known.is_empty() { "no site is configured".to_owned() } else { format!("configured: {}", known.join(", ")) };
            Problem::new(Kind::NotFound, "unknown_site", format!("no site is named `{name}`")).because(known)
        })
    }

    /// Two looks at a site: some facts need two readings that agree. And the room there is for its files.
    async fn look(&self, entry: &SiteEntry) -> World {
        let mut world = entry.world(&self.people, self.around.clock.now());
        self.look_twice(&entry.ports.readers(), &mut world).await;
        world.free = space::free_bytes(&self.around.state);
        world
    }

    /// The checks of a site, with the room that its next run's files are likely to need.
    fn checks(&self, site: &Site, world: &World) -> Vec<Check> {
        let earlier = self.earlier(&site.name);
        let earlier: Vec<&Run> = earlier.iter().map(|run| &**run).collect();
        checks::of_site(site, world, &known_sizes(&site.nodes, &earlier))
    }

    async fn look_twice(&self, readers: &SiteReaders, world: &mut World) {
        for _ in 0..2 {
            readers.look().await.into_world(world, self.around.clock.now());
        }
    }

    /// Reads the site and makes the plan, without starting it.
    async fn draft(&self, request: &PlanRequest) -> Result<(Draft, World), Problem> {
        let entry = self.site(&request.site)?;
        let procedure = planning::procedure(&self.procedures, entry, request)?;
        let parsed = planning::parse(entry, procedure, request, self.around.clock.now())?;
        let packages = planning::read_packages(request).await?;
        let world = self.look(entry).await;
        let earlier = self.earlier(&request.site);
        let mut draft = planning::draft(entry, procedure, parsed, packages, &world, &earlier)?;
        self.rehearse(&mut draft);
        Ok((draft, world))
    }

    /// The site's newest runs that could be folded, newest first: what they took is learned from them.
    fn earlier(&self, site: &str) -> Vec<Arc<Run>> {
        let runs = self.lock();
        let of_site = runs.iter().rev().filter(|(id, _)| id.site == site);
        of_site.map(|(_, kept)| kept.snapshot.borrow().run.clone()).take(RUNS_LOOKED_AT).collect()
    }

    fn open_run(&self, site: &str) -> Option<RunId> {
        let runs = self.lock();
        runs.iter().find(|(id, kept)| id.site == site && !kept.snapshot.borrow().run.is_finished()).map(|(id, _)| id.clone())
    }

    /// R12: a site has at most one run.
    fn no_open_run(&self, site: &str) -> Result<(), Problem> {
        if let Some(left) = self.lock_untouched().values().find(|left| left.open && left.run.site == site) {
            return Err(left.blocks_its_site());
        }
        let Some(open) = self.open_run(site) else { return Ok(()) };
        Err(Problem::new(Kind::Conflict, "one_run", format!("site `{site}` has a run already: `{open}`"))
            .because("R12 one_run: a site has at most one run")
            .hint(format!(
                "look at it with `changeover status {open}`; if it is not to go on, end it with `changeover close {open} --as STATE --note …`"
            )))
    }

    fn next_id(&self, site: &str) -> RunId {
        let newest = |numbers: &mut dyn Iterator<Item = &RunId>| numbers.filter(|id| id.site == site).map(|id| id.number).max();
        let last = newest(&mut self.lock().keys()).max(newest(&mut self.lock_untouched().keys())).unwrap_or(0);
        RunId { site: site.to_owned(), number: last + 1 }
    }

    /// A word that no run hears: nothing of it is recorded but a line of the daemon's log.
    pub(super) fn may_speak(&self, actor: &str, word: &str) -> Result<(), Problem> {
        self.around.people.may(actor, &[]).map_err(|barred| {
            tracing::warn!("`{word}` by {actor} was not taken: {barred}");
            Problem::not_allowed(format!("{actor} may not `{word}`"), barred.to_string()).state("nothing was changed")
        })
    }

    async fn begin(&self, request: PlanRequest, actor: &str) -> Result<RunId, Problem> {
        self.may_speak(actor, "start")?;
        let entry = self.site(&request.site)?;
        let Some(lock) = self.starting.get(&request.site) else { return Err(unknown(&request.site)) };
        let _one_at_a_time = lock.lock().await;
        self.no_open_run(&request.site)?;
        self.may_be_urgent(entry, &request, actor)?;
        let (draft, world) = self.draft(&request).await?;
        let checks = self.checks(&entry.site, &world);
        planning::must_pass(&entry.site, &checks)?;
        let accepted = accepting::accepted(&request.accepted, &checks, actor)?;
        accepting::must_be_accepted(&entry.site, &checks, &accepted)?;
        planning::must_not_be_refused(&entry.site, &draft.refusals)?;
        let responsible = draft.plan.responsible.clone().unwrap_or_else(|| actor.to_owned());
        booking::must_be_known(&self.people, &responsible)?;
        let plan = Plan { responsible: Some(responsible), accepted, ..draft.plan };
        self.stage(&plan).await?;
        self.record_start(entry, plan, actor).await
    }

    /// An urgent plan waives the shortest soak, which has roles of its own.
    fn may_be_urgent(&self, entry: &SiteEntry, request: &PlanRequest, actor: &str) -> Result<(), Problem> {
        if request.urgent.is_none() {
            return Ok(());
        }
        waiver::may(&entry.site.policy, &self.people, waiver::MIN_SOAK, actor).map_err(|why| {
            tracing::warn!("an urgent `start` by {actor} was not taken: {why}");
            Problem::not_allowed(format!("{actor} may not start an urgent run of site `{}`", entry.site.name), why)
                .state("nothing was changed")
        })
    }

    /// The run's own copies of the packages.
    async fn stage(&self, plan: &Plan) -> Result<(), Problem> {
        for package in plan.packages() {
            let staged = self.staging.stage(self.around.state.clone(), package.clone()).await;
            staged.map_err(|error| Problem::new(Kind::Store, "package_not_staged", error))?;
        }
        Ok(())
    }

    async fn record_start(&self, entry: &SiteEntry, plan: Plan, actor: &str) -> Result<RunId, Problem> {
        let id = self.next_id(&entry.site.name);
        let at = self.around.clock.now();
        let plan = Box::new(plan);
        let urgent = plan.urgent.as_ref().map(|why| format!("; urgent, the shortest soak is waived: {why}")).unwrap_or_default();
        let vouched = adopting::vouched(&plan, &self.people.who(actor));
        let reason = format!("procedure `{}` from {} to {}{urgent}{vouched}", plan.procedure, plan.from, plan.to);
        let event = Event::Started { plan: plan.clone() };
        let (name, data) = event.to_parts();
        let entry_of_record = Entry { at, actor: actor.to_owned(), event: name, step: None, reason, data };
        let record = Record::chain(&id, None, entry_of_record);
        let run = Run { seq: 1, head: record.hash.clone(), ..machine::begin(id.clone(), plan, actor, at) };
        self.around.journal.append(vec![record], Vec::new(), false).await.map_err(|error| self.store_problem(&error))?;
        tracing::info!(site = id.site, run = %id, seq = 1, "started by {actor}");
        self.keep(run, Some(entry), false);
        Ok(id)
    }

    fn store_problem(&self, error: &StoreError) -> Problem {
        let code = match error {
            StoreError::Failed(_) => {
                self.around.fatal.notify_one();
                words::STORE_FAILED
            }
            StoreError::OnlyReserve { .. } => "store_low",
        };
        Problem::new(Kind::Store, code, "nothing was started")
            .because(error.to_string())
            .hint("look at the disk of the state folder")
    }

    async fn pass_on(&self, id: &RunId, word: Word, actor: &str, seq: Option<u64>) -> Result<Snapshot, Problem> {
        if let Word::Release { withdraw, note } = word {
            return self.release(id, withdraw, note, actor, seq).await;
        }
        let (inbox, snapshot) = {
            let runs = self.lock();
            let kept = runs.get(id).ok_or_else(|| self.no_run(id))?;
            (kept.inbox.clone(), kept.snapshot.clone())
        };
        let (reply, answer) = oneshot::channel();
        let order = Order { word, actor: actor.to_owned(), seq, reply };
        if inbox.send(Message::Order(Box::new(order))).await.is_err() {
            return Err(untouched::takes_no_word(&snapshot.borrow()));
        }
        answer.await.unwrap_or_else(|_| Err(untouched::takes_no_word(&snapshot.borrow())))
    }

    /// There is no such run, or none that this build knows more of than its records.
    fn no_run(&self, id: &RunId) -> Problem {
        match self.lock_untouched().get(id) {
            Some(left) => left.takes_no_word(),
            None => unknown_run(id),
        }
    }
}

fn unknown(site: &str) -> Problem {
    Problem::new(Kind::NotFound, "unknown_site", format!("no site is named `{site}`"))
}

fn unknown_run(id: &RunId) -> Problem {
    Problem::new(Kind::NotFound, "unknown_run", format!("there is no run `{id}`")).hint("see `changeover runs`")
}

impl api::Fleet for Fleet {
    fn now(&self) -> Timestamp {
        self.around.clock.now()
    }

    fn sites(&self) -> Vec<Site> {
        self.sites.values().map(|entry| entry.site.clone()).collect()
    }

    fn people(&self) -> &People {
        &self.around.people
    }

    fn check<'a>(&'a self, site: &'a str) -> BoxFuture<'a, Result<Vec<Check>, Problem>> {
        Box::pin(async move {
            let entry = self.site(site)?;
            Ok(self.checks(&entry.site, &self.look(entry).await))
        })
    }

    fn traffic<'a>(&'a self, site: &'a str) -> BoxFuture<'a, Result<TrafficFound, Problem>> {
        Box::pin(self.look_at_traffic(site))
    }

    fn try_traffic<'a>(
        &'a self,
        site: &'a str,
        ttl: Option<u32>,
        actor: &'a str,
    ) -> BoxFuture<'a, Result<TrafficTried, Problem>> {
        Box::pin(self.ask_traffic(site, ttl, actor))
    }

    fn windows(&self, site: &str, length: Option<SignedDuration>) -> Result<WindowsFound, Problem> {
        Ok(booking::upcoming(&self.site(site)?.site, self.around.clock.now(), length))
    }

    fn plan(&self, request: PlanRequest) -> BoxFuture<'_, Result<PlanPreview, Problem>> {
        Box::pin(async move {
            let (mut draft, world) = self.draft(&request).await?;
            let checks = self.checks(&self.site(&request.site)?.site, &world);
            draft.plan.accepted = accepting::accepted(&request.accepted, &checks, "")?;
            draft.refusals.extend(accepting::refusals(&checks, &draft.plan.accepted));
            if let Some(responsible) = &draft.plan.responsible {
                booking::must_be_known(&self.people, responsible)?;
            }
            let times = draft.plan.times(self.around.clock.now());
            let mut flags = booking::flags(&draft.plan, &self.site(&request.site)?.site.calendar);
            flags.extend(ttl::flags(&draft.plan, &world.traffic, self.around.clock.now()));
            let Draft { plan, refusals } = draft;
            Ok(PlanPreview { site: request.site, plan, times, refusals, flags, movable: world.has_traffic })
        })
    }

    fn start<'a>(&'a self, request: PlanRequest, actor: &'a str) -> BoxFuture<'a, Result<RunId, Problem>> {
        Box::pin(self.begin(request, actor))
    }

    fn runs(&self) -> Vec<Snapshot> {
        let mut runs: Vec<Snapshot> = self.lock().values().map(|kept| kept.snapshot.borrow().clone()).collect();
        runs.sort_by_key(|snapshot| snapshot.run.started_at);
        runs
    }

    fn untouched(&self) -> Vec<Untouched> {
        self.lock_untouched().values().cloned().collect()
    }

    fn run(&self, id: &RunId) -> Result<Snapshot, Problem> {
        self.lock().get(id).map(|kept| kept.snapshot.borrow().clone()).ok_or_else(|| self.no_run(id))
    }

    fn newest(&self, site: &str) -> Result<Option<Snapshot>, Problem> {
        let runs = self.lock();
        let newest = runs.iter().filter(|(id, _)| id.site == site).max_by_key(|(id, _)| id.number);
        match newest {
            Some((_, kept)) => Ok(Some(kept.snapshot.borrow().clone())),
            None => self.site(site).map(|_| None),
        }
    }

    fn command<'a>(
        &'a self,
        id: &'a RunId,
        word: Word,
        actor: &'a str,
        seq: Option<u64>,
    ) -> BoxFuture<'a, Result<Snapshot, Problem>> {
        Box::pin(self.pass_on(id, word, actor, seq))
    }

    fn adoption<'a>(&'a self, site: &'a str, request: AdoptRequest) -> BoxFuture<'a, Result<AdoptPreview, Problem>> {
        Box::pin(self.preview_adoption(site, request))
    }

    fn adopt<'a>(&'a self, site: &'a str, request: AdoptRequest, actor: &'a str) -> BoxFuture<'a, Result<RunId, Problem>> {
        Box::pin(self.begin_adopted(site, request, actor))
    }

    fn ways<'a>(&'a self, id: &'a RunId) -> BoxFuture<'a, Result<WaysFound, Problem>> {
        Box::pin(self.find_ways(id))
    }

    fn replace_node<'a>(&'a self, site: &'a str, replaced: Replaced, actor: &'a str) -> BoxFuture<'a, Result<Snapshot, Problem>> {
        Box::pin(self.take_replaced(site, replaced, actor))
    }

    fn journal(&self, id: &RunId, after: u64) -> Result<Vec<Record>, Problem> {
        if !self.lock_untouched().contains_key(id) {
            api::Fleet::run(self, id)?;
        }
        self.around.journal.records(id, after).map_err(|error| {
            Problem::new(Kind::Store, "store_failed", format!("the journal of run `{id}` could not be read"))
                .because(error.to_string())
        })
    }

    fn ready(&self) -> Result<(), Problem> {
        self.around
            .journal
            .ready()
            .map_err(|error| Problem::new(Kind::Store, "store_failed", "the journal can't be written").because(error.to_string()))
    }

    fn metrics(&self) -> Vec<Family> {
        let sites = self.sites.keys().map(String::as_str);
        let own = metrics::families(sites, &api::Fleet::runs(self), api::Fleet::ready(self).is_ok(), self.around.clock.now());
        own.into_iter().chain(self.around.meters.iter().flat_map(|meter| meter.families())).collect()
    }

    fn test_alerts(&self) -> BoxFuture<'_, Vec<(String, Result<(), String>)>> {
        Box::pin(async move {
            let now = self.around.clock.now();
            let mut outcomes = Vec::with_capacity(self.hooks.len());
            for (name, hook) in &self.hooks {
                outcomes.push((name.clone(), hook.deliver(&alerts::test_item(name, now)).await));
            }
            outcomes
        })
    }
}
