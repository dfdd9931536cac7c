//! What a status is made of: the step and its hop, the hold, the nodes, the time without failover, the soak.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::action::Kind;
use crate::domain::event::{Counts, Notice};
use crate::domain::ids::NodeId;
use crate::domain::people::Who;
use crate::domain::run::{Phase, Run};
use crate::domain::site::Role;
use crate::domain::watch::{silence, soak};
use crate::domain::world::World;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub id: String,
    pub action: Kind,
    pub node: Option<NodeId>,
    /// From 1; 0 before the first attempt.
    pub attempt: u32,
    /// Until when it may begin, or must for what follows in its window to begin in time; `null` where nothing is late.
    #[serde(default)]
    pub latest_start: Option<Timestamp>,
    /// Its place in the plan, from 1.
    pub number: usize,
    pub of: usize,
}

impl Step {
    pub(super) fn of(run: &Run) -> Option<Self> {
        let index = run.position()?;
        let step = &run.plan.steps[index];
        Some(Self {
            id: step.id.clone(),
            action: step.kind,
            node: step.node,
            attempt: run.progress[index].attempts,
            latest_start: run.latest_start(),
            number: index + 1,
            of: run.plan.steps.len(),
        })
    }
}

/// One package of a chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hop {
    pub number: u32,
    pub of: u32,
    /// The version that it leads to.
    pub to: String,
}

impl Hop {
    pub(super) fn of(run: &Run) -> Option<Self> {
        let step = run.step()?;
        let (number, of) = (step.hop + 1, run.plan.hop_count());
        let to = || run.plan.target_of(step.hop).version.to_string();
        (step.kind == Kind::Update && of > 1).then(|| Self { number, of, to: to() })
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    pub code: String,
    pub message: String,
    pub found: String,
    pub since: Timestamp,
}

impl Hold {
    pub(super) fn of(run: &Run) -> Option<Self> {
        let hold = run.hold()?;
        Some(Self { code: hold.code.clone(), message: hold.message.clone(), found: hold.found.clone(), since: hold.since })
    }
}

/// A node as it was last read; all `null` before the first reading and after one that failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    pub version: Option<String>,
    pub build: Option<String>,
    pub role: Option<Role>,
    pub healthy: Option<bool>,
    pub observed_at: Option<Timestamp>,
    pub users: Option<u32>,
    pub sessions: Option<u32>,
    /// Why the last reading failed.
    pub error: Option<String>,
    /// When this run took traffic from it.
    pub served_until: Option<Timestamp>,
}

impl Node {
    pub(super) fn of(run: &Run, world: &World, id: NodeId) -> Self {
        let reading = &world.readings[id];
        let current = reading.current.as_ref();
        Self {
            version: current.map(|observation| observation.version.to_string()),
            build: current.and_then(|observation| observation.build.clone()),
            role: reading.role(),
            healthy: current.map(|observation| observation.healthy),
            observed_at: current.map(|observation| observation.at),
            users: current.and_then(|observation| observation.users),
            sessions: current.and_then(|observation| observation.sessions),
            error: silence::told(run, id, world),
            served_until: run.nodes[id].served_until,
        }
    }
}

/// A drain under way, with the counts last read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Draining {
    pub node: NodeId,
    pub users: Option<u32>,
    pub sessions: Option<u32>,
    /// When it has lasted its limit.
    pub until: Timestamp,
    /// The limit has passed once, and sessions are ended.
    pub ending: bool,
}

impl Draining {
    pub(super) fn of(run: &Run, world: &World) -> Option<Self> {
        let (step, act) = (run.step()?, run.act.as_ref().filter(|_| run.is_at(Kind::Drain))?);
        let node = step.node.unwrap_or(run.plan.primary);
        let since = match run.phase {
            Phase::Waiting { since, .. } => since,
            _ => act.since,
        };
        let Counts { users, sessions } = world.people(node);
        let until = since.checked_add(run.plan.limit(Kind::Drain)).unwrap_or(Timestamp::MAX);
        Some(Self { node, users, sessions, until, ending: act.baseline.ending })
    }
}

/// The time without failover.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unprotected {
    /// `null` while failover is on.
    pub since: Option<Timestamp>,
    /// In this run so far.
    pub seconds: i64,
    /// `policy.max_unprotected`, and how much of it is used up, in percent.
    #[serde(default)]
    pub budget_seconds: i64,
    #[serde(default)]
    pub share: i64,
}

impl Unprotected {
    pub fn of(run: &Run, now: Timestamp) -> Self {
        Self {
            since: run.off_since(),
            seconds: run.unprotected_for(now).as_secs(),
            budget_seconds: run.plan.policy.max_unprotected.as_secs(),
            share: run.unprotected_share(now),
        }
    }
}

/// The time between the windows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Soak {
    /// The clock's begin: the end of window one's work, or of the last failure.
    pub since: Timestamp,
    /// When the shortest soak is over.
    pub until: Timestamp,
    /// When a session was first seen on the serving node.
    pub used_at: Option<Timestamp>,
    /// What is not as the soak asks, by the last readings.
    pub failing: Vec<Failing>,
}

impl Soak {
    pub(super) fn of(run: &Run, world: &World) -> Option<Self> {
        let since = run.soak_from.filter(|_| soak::is_on(run, world.now))?;
        let until = since + run.plan.shortest_soak();
        let failing = soak::unmet(run, world).into_iter().map(Failing::from).collect();
        Some(Self { since, until, used_at: run.used_at, failing })
    }
}

/// A condition of the soak that is not met.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failing {
    /// `soak_silent`, `soak_unhealthy`, …
    pub code: String,
    pub node: Option<NodeId>,
    pub expected: String,
    pub found: String,
}

impl From<soak::Unmet> for Failing {
    fn from(unmet: soak::Unmet) -> Self {
        let soak::Unmet { notice, node, expected, found, .. } = unmet;
        Self { code: notice.name().to_owned(), node, expected, found }
    }
}

/// How many lines the ledger has, and how many of them wait to be acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerCount {
    pub lines: usize,
    pub open: usize,
}

impl LedgerCount {
    pub(super) fn of(run: &Run) -> Option<Self> {
        let counts = Self { lines: run.settings.lines.len(), open: run.settings.open().count() };
        run.compares_settings().then_some(counts)
    }
}

/// A person's word that other runs may count on this one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Released {
    pub by: Who,
    pub at: Timestamp,
    pub note: String,
}

/// Something that people must know and that is not over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoticeRaised {
    pub notice: Notice,
    pub node: Option<NodeId>,
}
