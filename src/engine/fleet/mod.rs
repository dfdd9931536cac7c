//! All sites and runs of one daemon: starts runs, finds them, passes people's words on. A site has one run at most (R12).
//!
//! Here is what the fleet holds and what its parts ask of it; what it does stands in a part each.

mod alerts;
mod backups;
mod face;
mod home;
mod kept;
mod release;
mod start;
mod traffic;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_channel::mpsc;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::domain::backups::known as known_sizes;
use crate::domain::check::Check;
use crate::domain::checks;
use crate::domain::estimate::RUNS_LOOKED_AT;
use crate::domain::ids::RunId;
use crate::domain::people::People;
use crate::domain::procedure::Procedure;
use crate::domain::run::Run;
use crate::domain::site::Site;
use crate::domain::world::World;
use crate::ports::Notifier;

use super::Around;
use super::api::{Kind, Problem, Snapshot};
use super::package;
use super::runner::Message;
use super::site::{SiteEntry, SiteReaders};
use super::space;
use super::untouched::Untouched;

/// The hooks by name, for `alerts test`.
pub type NamedHooks = Vec<(String, Arc<dyn Notifier>)>;

/// A run that the fleet keeps: what it published last, and the way to its loop.
struct Kept {
    snapshot: watch::Receiver<Snapshot>,
    publish: Arc<watch::Sender<Snapshot>>,
    inbox: mpsc::UnboundedSender<Message>,
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

    fn lock_untouched(&self) -> MutexGuard<'_, BTreeMap<RunId, Untouched>> {
        // Every critical section is a plain map operation that leaves the map whole.
        self.untouched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RunId, Kept>> {
        // Every critical section is a plain map operation that leaves the map whole.
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows a run: every record and every look is published here.
    pub fn watch(&self, id: &RunId) -> Option<watch::Receiver<Snapshot>> {
        self.lock().get(id).map(|kept| kept.snapshot.clone())
    }

    /// What a run published last.
    fn find(&self, id: &RunId) -> Result<Snapshot, Problem> {
        self.lock().get(id).map(|kept| kept.snapshot.borrow().clone()).ok_or_else(|| self.no_run(id))
    }

    /// There is no such run, or none that this build knows more of than its records.
    fn no_run(&self, id: &RunId) -> Problem {
        match self.lock_untouched().get(id) {
            Some(left) => left.takes_no_word(),
            None => unknown_run(id),
        }
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

    /// R12: the run that stands against another one of the site, whether this build can fold it or not.
    fn blocking_run(&self, site: &str) -> Option<RunId> {
        self.open_run(site).or_else(|| self.left_open(site).map(|left| left.run))
    }

    /// A run of the site that this build can't fold, and that may be under way.
    fn left_open(&self, site: &str) -> Option<Untouched> {
        self.lock_untouched().values().find(|left| left.open && left.run.site == site).cloned()
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
        let mut world = entry.world(&self.people, &self.around.state, self.around.clock.now());
        self.look_twice(&entry.ports.readers(), &mut world).await;
        world.free = space::free_bytes(&self.around.state);
        world
    }

    async fn look_twice(&self, readers: &SiteReaders, world: &mut World) {
        for _ in 0..2 {
            readers.look().await.into_world(world, self.around.clock.now());
        }
    }

    /// The checks of a site, with the room that its next run's files are likely to need.
    fn checks(&self, site: &Site, world: &World) -> Vec<Check> {
        let earlier = self.earlier(&site.name);
        let earlier: Vec<&Run> = earlier.iter().map(|run| &**run).collect();
        checks::of_site(site, world, &known_sizes(&site.nodes, &earlier), self.blocking_run(&site.name).as_ref())
    }

    /// A word that no run hears: nothing of it is recorded but a line of the daemon's log.
    fn may_speak(&self, actor: &str, word: &str) -> Result<(), Problem> {
        self.around.people.may(actor, &[]).map_err(|barred| {
            tracing::warn!("`{word}` by {actor} was not taken: {barred}");
            Problem::not_allowed(format!("{actor} may not `{word}`"), barred.to_string()).state("nothing was changed")
        })
    }
}

fn unknown(site: &str) -> Problem {
    Problem::new(Kind::NotFound, "unknown_site", format!("no site is named `{site}`"))
}

fn unknown_run(id: &RunId) -> Problem {
    Problem::new(Kind::NotFound, "unknown_run", format!("there is no run `{id}`")).hint("see `changeover runs`")
}
