//! The pair as it really is, as coarse as the promises allow: what acts, faults and people do to it, and what a look shows.

use changeover::domain::action::{Kind, When};
use changeover::domain::event::Verdict;
use changeover::domain::ids::{NodeId, PerNode};
use changeover::domain::site::{Observation, Role, SyncFact, TrafficAnswer, TrafficLook};
use jiff::{SignedDuration, Timestamp};

use super::scenario;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Release {
    Start,
    Target,
    /// Neither: an update went wrong, or somebody installed something.
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    Well,
    Unwell,
    Silent,
    /// Installing: it does not answer.
    Updating,
}

/// One appliance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appliance {
    pub role: Role,
    pub release: Release,
    pub health: Health,
    /// Another box answers at its address.
    pub strange: bool,
    pub closed: bool,
    pub sessions: bool,
    /// Data were written here that neither a sync nor an extraction has carried away.
    pub unsaved: bool,
    /// When this run saved its settings, if that was after it last served.
    pub saved_at: Option<Timestamp>,
}

/// How the last sync ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    Good,
    Failed,
    /// A status text that the policy does not know.
    Odd,
}

/// What a look shows of the two nodes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shown {
    pub nodes: PerNode<Appliance>,
    pub sync: Option<(Timestamp, Sync)>,
}

/// What was begun and is not over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pending {
    /// A person was told to do the current step and has not begun.
    Instructed,
    Sync,
    Update(NodeId),
    /// Linked; the first sync is on its way.
    FirstSync,
    /// The answer was lost; the effect comes before this time.
    Late(Timestamp, Kind, NodeId),
}

/// What people really did and said, for the promises that bind the run to them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct People {
    /// Automatic failover was confirmed off for this part.
    pub off: Option<When>,
    pub accepted: Option<Verdict>,
    /// A person ordered the way back or home.
    pub ordered: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    pub now: Shown,
    /// What an answer from the cache still shows: the pair before our own last act.
    pub before: Option<Shown>,
    /// Where the zone leads; none while its servers disagree.
    pub name: Option<NodeId>,
    /// Resolvers still give out this node's address.
    pub cached: Option<NodeId>,
    /// The name's TTL in the zone, in seconds.
    pub ttl: u32,
    /// When this run lowered it; `None` where it has not, or has restored it.
    pub lowered_at: Option<Timestamp>,
    pub survivor: NodeId,
    /// The run asked for a sync then.
    pub asked: Option<Timestamp>,
    /// A good sync that began after the asking ended then, over the present link.
    pub synced: Option<Timestamp>,
    pub broken_at: Option<Timestamp>,
    pub updated_at: Option<Timestamp>,
    pub pending: Option<Pending>,
    pub people: People,
    /// Updates sent since a person last let the run go on.
    pub sent: PerNode<u8>,
}

/// Which roles two linked nodes have.
pub fn linked(primary: NodeId) -> impl Fn(NodeId) -> Role {
    move |node| if node == primary { Role::Primary } else { Role::Standby }
}

impl Truth {
    pub fn ideal(primary: NodeId, at: Timestamp) -> Self {
        let node = |node| Appliance {
            role: linked(primary)(node),
            release: Release::Start,
            health: Health::Well,
            strange: false,
            closed: false,
            sessions: node == primary,
            unsaved: false,
            saved_at: None,
        };
        Self {
            now: Shown { nodes: PerNode::new(node), sync: Some((at - SignedDuration::from_secs(60), Sync::Good)) },
            before: None,
            name: Some(primary),
            cached: None,
            ttl: scenario::LOW_TTL,
            lowered_at: None,
            survivor: primary,
            asked: None,
            synced: None,
            broken_at: None,
            updated_at: None,
            pending: None,
            people: People::default(),
            sent: PerNode::default(),
        }
    }

    pub fn set_roles(&mut self, role: impl Fn(NodeId) -> Role) {
        for node in NodeId::BOTH {
            self.now.nodes[node].role = role(node);
        }
        if self.primary().is_none() {
            self.now.sync = None;
            self.synced = None;
        }
    }

    /// The primary of a whole link.
    pub fn primary(&self) -> Option<NodeId> {
        NodeId::BOTH
            .into_iter()
            .find(|&node| NodeId::BOTH.into_iter().all(|each| self.now.nodes[each].role == linked(node)(each)))
    }

    pub fn is_up(&self, node: NodeId) -> bool {
        matches!(self.now.nodes[node].health, Health::Well | Health::Unwell)
    }

    /// Clients reach it and are let in.
    pub fn takes_clients(&self, node: NodeId) -> bool {
        self.is_up(node) && !self.now.nodes[node].closed && self.now.nodes[node].role != Role::Standby
    }

    /// The first effect of an act; what takes time is pending from then on.
    pub fn effect(&mut self, kind: Kind, node: NodeId, at: Timestamp) {
        self.before = Some(self.now);
        self.pending = None;
        let appliance = &mut self.now.nodes[node];
        match kind {
            Kind::Backup => appliance.saved_at = Some(at),
            Kind::ExtractData => appliance.unsaved = false,
            Kind::Drain => appliance.sessions = false,
            Kind::Quiesce => (appliance.closed, appliance.sessions) = (true, false),
            Kind::Reopen => appliance.closed = false,
            Kind::ForceSync => self.pending = Some(Pending::Sync),
            Kind::Update => {
                (appliance.health, appliance.sessions) = (Health::Updating, false);
                self.pending = Some(Pending::Update(node));
            }
            Kind::BreakFailover => {
                self.set_roles(|_| Role::Standalone);
                self.broken_at = Some(at);
            }
            Kind::EstablishFailover => {
                self.set_roles(linked(node));
                self.now.nodes[node.other()].sessions = false;
                self.pending = Some(Pending::FirstSync);
            }
            Kind::SwitchTraffic => self.move_name(node),
            Kind::LowerTtl if self.ttl > scenario::LOW_TTL => (self.ttl, self.lowered_at) = (scenario::LOW_TTL, Some(at)),
            Kind::RestoreTtl => (self.ttl, self.lowered_at) = (scenario::OLD_TTL, None),
            _ => {}
        }
    }

    fn move_name(&mut self, to: NodeId) {
        self.cached = Some(to.other());
        self.name = Some(to);
        self.survivor = to;
        self.now.nodes[to.other()].saved_at = None;
        self.now.nodes[to].sessions = true;
    }

    /// A sync ends: the standby's data become the primary's.
    pub fn sync_ends(&mut self, verdict: Sync, at: Timestamp) {
        let Some(_) = self.primary() else { return };
        self.now.sync = Some((at, verdict));
        if verdict == Sync::Good {
            self.synced = self.synced.max(self.asked.map(|_| at));
            for node in NodeId::BOTH {
                self.now.nodes[node].unsaved = false;
            }
        }
    }

    /// An update ends.
    pub fn update_ends(&mut self, node: NodeId, release: Release, at: Timestamp) {
        let serves = self.name == Some(node);
        let appliance = &mut self.now.nodes[node];
        (appliance.release, appliance.health, appliance.sessions) = (release, Health::Well, serves && !appliance.closed);
        self.updated_at = self.updated_at.or(Some(at));
    }

    /// Clients write where the name leads them, or where an old answer still does.
    pub fn clients_write(&mut self) {
        for node in NodeId::BOTH {
            let served = self.name.is_none_or(|name| name == node);
            let cached = self.cached == Some(node) && !served;
            if (served || cached) && self.primary().is_none() && self.takes_clients(node) {
                self.now.nodes[node].unsaved = true;
                self.now.nodes[node].sessions |= cached;
            }
        }
    }

    /// What a look at a node answers.
    pub fn observe(&self, shown: &Shown, node: NodeId, tells_clients: bool, at: Timestamp) -> Result<Observation, String> {
        let appliance = shown.nodes[node];
        if matches!(self.now.nodes[node].health, Health::Silent | Health::Updating) {
            return Err("no answer".to_owned());
        }
        let fact = |(at, sync)| SyncFact {
            at,
            ok: Some(sync != Sync::Failed),
            status: Some(if sync == Sync::Odd { "finished" } else { "success" }.to_owned()),
        };
        Ok(Observation {
            at,
            identity: if appliance.strange { "somebody".to_owned() } else { scenario::identity(node) },
            version: scenario::version(appliance.release),
            build: None,
            role: appliance.role,
            healthy: appliance.health == Health::Well,
            updating: appliance.health == Health::Updating,
            last_sync: shown.sync.map(fact),
            users: None,
            sessions: Some(u32::from(appliance.sessions)),
            as_of: None,
            may_be_old: scenario::CACHE,
            clock_skew: None,
            takes_clients: tells_clients.then_some(!appliance.closed),
            certificate_until: None,
            licence_until: None,
            shared_ips: None,
            at_work: Vec::new(),
        })
    }

    /// What a look at the zone's two servers answers.
    pub fn look_at_name(&self, at: Timestamp) -> TrafficLook {
        let answer = |server: &str, target| TrafficAnswer {
            server: server.to_owned(),
            name: scenario::SERVICE.to_owned(),
            target: Some(target),
            ttl: Some(self.ttl),
            found: format!("{target}"),
            untold: false,
        };
        let (one, two) = self.name.map_or((NodeId::A, NodeId::B), |name| (name, name));
        TrafficLook::new(at, vec![answer("ns1", one), answer("ns2", two)])
    }
}
