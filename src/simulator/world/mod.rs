//! The world: two nodes, their data, the users, and time as an argument.
//!
//! Pure state. [`World::advance`] fires what is due, in order of time, so that the same seed and the same orders at the same
//! times give the same history however often it is called in between. Orders are taken or refused at once; their effects
//! come later. The world protects nobody: what a careful person would not do is done, and [`Truth`] tells.

mod acts;
mod node;
mod refusal;
mod settings;
mod sync;
#[cfg(test)]
mod tests;
mod truth;
mod users;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::domain::ids::{NodeId, PerNode};
use crate::domain::site::Role;
use crate::domain::version::{Target, Version};

use super::faults::{Fault, Faults, Planned};
pub use acts::SwapRole;
pub use node::{Facts, LastSync, Record, SimNode, UpdateDone, build_of, identity_of, major_minor, merges_sessions, version_text};
pub use refusal::Refusal;
pub use settings::{SettingChanged, Settings, Stored};
use sync::SyncJob;
use truth::Diary;
pub use truth::{Gap, Happened, NodeTruth, RecordTruth, SessionsTruth, Truth};
pub use users::LoggedIn;
use users::User;

/// How a world begins.
#[derive(Clone, Debug)]
pub struct WorldOptions {
    pub start: Timestamp,
    pub seed: u64,
    /// Version and build of both nodes at the start.
    pub from: Target,
    /// What an update installs if the order does not say.
    pub target: Target,
    pub identities: PerNode<String>,
    /// Linked with this node as primary, or two unlinked nodes.
    pub primary: Option<NodeId>,
    pub users: usize,
    /// The automatic sync's interval.
    pub auto_sync: SignedDuration,
    /// How many seconds an update takes, of which any is as likely.
    pub update_takes: RangeInclusive<i64>,
    /// Every act takes effect at once, the first sync included; for benches, where the appliances must cost nothing.
    pub instant: bool,
    /// Packages that are installed only on a version that begins so: what they lead to, and what they need.
    pub needs: Vec<(Version, Version)>,
    /// What an appliance without a pair is offered when it checks for updates.
    pub offers: Vec<Offered>,
}

/// A package that the vendor's server has for an appliance without a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    pub to: Version,
    /// Installed only on a version that begins so.
    pub after: Option<Version>,
    /// Not even listed before.
    pub hidden: bool,
}

impl WorldOptions {
    /// A linked pair, `a` primary, three users.
    pub fn new(start: Timestamp, from: Version, to: Version) -> Self {
        let whole = |version: Version| Target { build: Some(build_of(&version)), version };
        Self {
            start,
            seed: 1,
            from: whole(from),
            target: whole(to),
            identities: PerNode::new(identity_of),
            primary: Some(NodeId::A),
            users: 3,
            // The vendor's own default is not published.
            auto_sync: SignedDuration::from_mins(5),
            update_takes: 1200..=2400,
            instant: false,
            needs: Vec::new(),
            offers: Vec::new(),
        }
    }
}

/// What happens by itself at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    AutoSync,
    FirstSync { link: u64 },
    SyncEnds { job: u64 },
    Broken { node: NodeId, half: bool },
    Established { node: NodeId, half: bool, reversed: bool },
    FetchEnds { node: NodeId },
    UpdateEnds { node: NodeId },
    Swapped { primary: NodeId },
}

/// The simulated pair and everything around it.
#[derive(Clone, Debug)]
pub struct World {
    now: Timestamp,
    rng: fastrand::Rng,
    instant: bool,
    auto_sync: SignedDuration,
    update_takes: RangeInclusive<i64>,
    target: Target,
    needs: Vec<(Version, Version)>,
    offers: Vec<Offered>,
    nodes: PerNode<SimNode>,
    users: Vec<User>,
    /// What is to go wrong.
    pub faults: Faults,
    queue: BTreeMap<(Timestamp, u64), Effect>,
    tickets: u64,
    serials: u64,
    revisions: u64,
    leads_to: Option<NodeId>,
    sync: Option<SyncJob>,
    /// A sync asked for while another ran, and the node it was asked on.
    sync_waiting: Option<NodeId>,
    /// Counts links; a first sync belongs to one of them and is pending until it has begun.
    links: u64,
    first_sync_pending: bool,
    /// BG-50: both sides were at least 10.6 when the link was broken.
    merges: bool,
    diary: Diary,
}

/// Locks a shared world. A panic of another holder cannot leave it half-changed for long: it is plain state, and tests see it.
pub fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    pub fn new(options: WorldOptions) -> Self {
        let WorldOptions { start, seed, from, target, identities, primary, users, .. } = options;
        let WorldOptions { auto_sync, update_takes, instant, mut needs, offers, .. } = options;
        needs.extend(offers.iter().filter_map(|offer| Some((offer.to.clone(), offer.after.clone()?))));
        let settings = Settings::new(primary.unwrap_or(NodeId::A), start);
        let role = |node| match primary {
            Some(primary) if primary == node => Role::Primary,
            Some(_) => Role::Standby,
            None => Role::Standalone,
        };
        let mut world = Self {
            now: start,
            rng: fastrand::Rng::with_seed(seed),
            instant,
            auto_sync,
            update_takes,
            target,
            needs,
            offers,
            nodes: PerNode::new(|node| SimNode::new(identities[node].clone(), &from, role(node), settings.clone())),
            users: Vec::new(),
            faults: Faults::default(),
            queue: BTreeMap::new(),
            tickets: 0,
            serials: 0,
            revisions: 1,
            leads_to: Some(primary.unwrap_or(NodeId::A)),
            sync: None,
            sync_waiting: None,
            links: 0,
            first_sync_pending: false,
            merges: true,
            diary: Diary::default(),
        };
        if let Some(primary) = primary {
            let at = start - SignedDuration::from_mins(2);
            world.nodes[primary].last_sync = Some(LastSync { at, status: sync::GOOD.to_owned() });
        }
        world.schedule(SignedDuration::from_mins(3), Effect::AutoSync);
        world.set_users(users);
        world.settle();
        world
    }

    /// The moment up to which everything has happened.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    pub fn node(&self, node: NodeId) -> &SimNode {
        &self.nodes[node]
    }

    /// Where the service's name leads, as the world was told.
    pub fn leads_to(&self) -> Option<NodeId> {
        self.leads_to
    }

    /// What the vendor's server offers a node, each with what it waits for; nothing to one of a pair.
    pub fn offers(&self, node: NodeId) -> Vec<(Version, Option<Version>)> {
        let SimNode { role, version, .. } = &self.nodes[node];
        let waits = |offer: &Offered| offer.after.clone().filter(|after| !version.matches(after));
        let newer = self.offers.iter().filter(|offer| *role == Role::Standalone && offer.to > *version);
        newer.filter(|offer| !offer.hidden || waits(offer).is_none()).map(|offer| (offer.to.clone(), waits(offer))).collect()
    }

    /// True if anything was ever on offer: then the update page can be asked.
    pub fn has_offers(&self) -> bool {
        !self.offers.is_empty()
    }

    /// The node that serves the users: the name leads to it and it takes clients.
    pub fn serving(&self) -> Option<NodeId> {
        self.leads_to.filter(|&node| self.takes_clients(node))
    }

    /// When the next thing happens by itself.
    pub fn next_event(&self) -> Option<Timestamp> {
        let queued = self.queue.keys().next().map(|key| key.0);
        let user = self.users.iter().map(|user| user.wake).min();
        [queued, user].into_iter().flatten().min()
    }

    /// Lets everything happen that is due up to `now`. A clock that goes back changes nothing.
    pub fn advance(&mut self, now: Timestamp) {
        while let Some(at) = self.next_event().filter(|&at| at <= now) {
            self.now = self.now.max(at);
            self.fire(at);
            self.settle();
        }
        self.now = self.now.max(now);
    }

    /// Tells the world where the service's name leads from now on.
    pub fn set_leads_to(&mut self, leads_to: Option<NodeId>) {
        if leads_to == self.leads_to {
            return;
        }
        self.leads_to = leads_to;
        // Whoever moves the name wants users where it leads now: an earlier announcement no longer keeps them away.
        for node in NodeId::BOTH {
            self.nodes[node].drained = false;
        }
        self.note(None, "name", leads_to.map_or_else(|| "leads nowhere".to_owned(), |node| format!("leads to {node}")));
        self.nudge_idle_users();
        self.settle();
    }

    /// The two nodes of a whole link, primary first, both reachable.
    pub fn link(&self) -> Option<(NodeId, NodeId)> {
        let primary = NodeId::BOTH.into_iter().find(|&node| self.nodes[node].role == Role::Primary)?;
        let standby = primary.other();
        (self.nodes[standby].role == Role::Standby && self.answers(primary) && self.answers(standby))
            .then_some((primary, standby))
    }

    /// True if the node answers anybody.
    pub fn answers(&self, node: NodeId) -> bool {
        self.nodes[node].installation.is_none() && !self.faults.active(Fault::NodeSilent, node)
    }

    /// True if the node lets users in: primary or unlinked, open, answering. A standby does not.
    pub fn takes_clients(&self, node: NodeId) -> bool {
        let state = &self.nodes[node];
        state.role != Role::Standby && !state.closed && self.answers(node)
    }

    /// The box that answers at a node's address: its own, or the other under `wrong-box`.
    pub fn box_at(&self, node: NodeId) -> NodeId {
        if self.faults.active(Fault::WrongBox, node) { node.other() } else { node }
    }

    /// What the box says of itself, read now; `None` while it is silent.
    pub fn facts(&self, node: NodeId) -> Option<Facts> {
        self.answers(node).then(|| self.own_facts(node))
    }

    /// As [`World::facts`], but an answer given at `door` less than `max_age` ago is given again.
    pub fn facts_at(&mut self, node: NodeId, door: &'static str, max_age: SignedDuration) -> Option<Facts> {
        let silent = !self.answers(node);
        if let Some(kept) = self.nodes[node].kept(door, self.now, max_age, silent) {
            self.note_if_old(node, &kept);
            return Some(kept);
        }
        let facts = self.facts(node)?;
        let now = self.now;
        self.nodes[node].keep(door, now, facts.clone(), false);
        Some(facts)
    }

    /// Writes down that a kept answer tells of a role or a version that the box has no more.
    fn note_if_old(&mut self, node: NodeId, kept: &Facts) {
        let own = &self.nodes[node];
        if (kept.role, &kept.version) != (own.role, &own.version) {
            let said = format!("it says {:?} on {}, and is {:?} on {}", kept.role, kept.version, own.role, own.version);
            self.note(Some(node), "old-answer", said);
        }
    }

    /// `cached-old`: what both boxes say now is what `door` will show until it is too old.
    pub fn freeze(&mut self, door: &'static str) {
        for node in NodeId::BOTH {
            let (now, facts) = (self.now, self.own_facts(node));
            self.nodes[node].keep(door, now, facts, true);
        }
    }

    fn own_facts(&self, node: NodeId) -> Facts {
        let state = &self.nodes[node];
        Facts {
            identity: state.identity.clone(),
            version: state.version.clone(),
            build: state.build.clone(),
            role: state.role,
            healthy: !self.faults.active(Fault::Unhealthy, node),
            last_sync: state.last_sync.clone(),
            users: u32::try_from(self.users_on(node).count()).unwrap_or(u32::MAX),
            sessions: u32::try_from(state.open_sessions(node)).unwrap_or(u32::MAX),
            certificate_until: state.certificate_until,
            licence_until: state.licence_until,
            shared_ips: state.shared_ips.iter().copied().collect(),
        }
    }

    /// Sets what a node says of the ends of its certificate and its licence.
    pub fn set_ends(&mut self, node: NodeId, certificate: Option<Timestamp>, licence: Option<Timestamp>) {
        (self.nodes[node].certificate_until, self.nodes[node].licence_until) = (certificate, licence);
    }

    /// Plans a fault, or takes it back with `times = 0`.
    pub fn plan_fault(&mut self, planned: Planned) {
        if planned.fault == Fault::SyncStuck && planned.times == Some(0) {
            self.free_stuck_sync();
        }
        self.faults.plan(planned);
        self.settle();
    }

    fn fire(&mut self, at: Timestamp) {
        let due = self.queue.first_entry().filter(|entry| entry.key().0 <= at).map(|entry| entry.remove());
        match due {
            Some(effect) => self.happen(effect),
            None => self.wake_user(at),
        }
    }

    fn happen(&mut self, effect: Effect) {
        match effect {
            Effect::AutoSync => self.auto_sync(),
            Effect::FirstSync { link } => self.first_sync(link),
            Effect::SyncEnds { job } => self.sync_ends(job),
            Effect::Broken { node, half } => self.broken(node, half),
            Effect::Established { node, half, reversed } => self.established(node, half, reversed),
            Effect::FetchEnds { node } => self.fetched(node),
            Effect::UpdateEnds { node } => self.update_ends(node),
            Effect::Swapped { primary } => self.swapped(primary),
        }
    }

    fn schedule(&mut self, after: SignedDuration, effect: Effect) {
        self.tickets += 1;
        self.queue.insert((self.now + after, self.tickets), effect);
    }

    /// A drawn span of whole seconds.
    fn draw(&mut self, seconds: RangeInclusive<i64>) -> SignedDuration {
        SignedDuration::from_secs(self.rng.i64(seconds))
    }

    /// How long an act takes, in drawn seconds.
    fn takes(&mut self, seconds: RangeInclusive<i64>) -> SignedDuration {
        if self.instant { SignedDuration::ZERO } else { self.draw(seconds) }
    }

    /// After each change: notes where a service gap begins or ends.
    fn settle(&mut self) {
        let served = self.serving().is_some();
        self.diary.service(self.now, served);
    }
}
