//! What is explored: a plan, the hands that carry it out, the budgets of a path.

use std::sync::Arc;

use changeover::domain::action::Kind;
use changeover::domain::ids::{NodeId, PerNode, RunId};
use changeover::domain::plan::{Fit, Package, Plan, Windows};
use changeover::domain::procedure::Procedure;
use changeover::domain::site::{Node, Policy};
use changeover::domain::step::Step;
use changeover::domain::version::{Target, Version};
use changeover::domain::window::Window;
use jiff::{SignedDuration, Timestamp};

use super::engine::State;
use super::moves::Change;
use super::truth::Release;
use std::sync::LazyLock;

pub const SERVICE: &str = "support.example.com";
/// The node that is primary when the run begins.
pub const PRIMARY: NodeId = NodeId::A;
/// How old an answer may be. Two looks are one second further apart.
pub const CACHE: SignedDuration = SignedDuration::from_secs(2);
/// How long a change of the name whose answer was lost may still come.
pub const SETTLING: SignedDuration = SignedDuration::from_secs(60);

/// A TTL that must be lowered, in seconds, and what `policy.switch_ttl` is by default.
pub const OLD_TTL: u32 = 3600;
pub const LOW_TTL: u32 = 60;

/// Who carries the acts out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hands {
    /// Every act has an interface.
    Interface,
    /// A person gets instructions for whatever changes the pair, and the daemon can't try clients.
    Operator,
}

/// How much may go wrong on one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Budget {
    pub faults: u8,
    pub crashes: u8,
    pub outside: u8,
    /// Words that lead off the way: hold, reject, switch back. What leads on (accept, resume) is free.
    pub words: u8,
}

/// What a path's faults are.
#[derive(Clone, Copy, Debug)]
pub enum Trouble {
    Any,
    /// Acts of these kinds go wrong, and nothing else does.
    Acts(fn(Kind) -> bool),
    /// This node falls silent while the run is at a step of these kinds, and comes back when it likes. Caches keep the address
    /// that the name had for as long as anybody looks, and of people's words only the way home leads off, from a hold.
    Silence(NodeId, fn(Kind) -> bool),
    /// Of the changes from outside, these.
    Changes(fn(Change) -> bool),
}

impl Trouble {
    pub fn is_any(self) -> bool {
        matches!(self, Self::Any)
    }

    pub fn is_silence(self) -> bool {
        matches!(self, Self::Silence(..))
    }

    /// An act of this kind may go wrong by itself.
    pub fn fails(self, kind: Kind) -> bool {
        match self {
            Self::Any => true,
            Self::Acts(fails) => fails(kind),
            Self::Silence(..) | Self::Changes(_) => false,
        }
    }

    pub fn includes(self, change: Change) -> bool {
        match self {
            Self::Changes(includes) => includes(change),
            _ => true,
        }
    }

    /// The node that may fall silent at a step of this kind, where only that may happen.
    pub fn silences(self, kind: Kind) -> Option<NodeId> {
        match self {
            Self::Silence(node, at) if at(kind) => Some(node),
            _ => None,
        }
    }
}

/// A kind of state, and its name.
pub type Mark = (&'static str, fn(&State) -> bool);

#[derive(Clone, Debug)]
pub struct Scenario {
    pub name: String,
    pub plan: Plan,
    pub hands: Hands,
    pub budget: Budget,
    pub trouble: Trouble,
    /// What is to be seen on the way, by name.
    pub marks: &'static [Mark],
    /// The TTL that the name has in the beginning: low, but where the lowering itself is explored.
    pub ttl: u32,
}

pub fn identity(node: NodeId) -> String {
    format!("appliance-{node}")
}

/// Parsed once: a look asks for it, and an exploration looks a million times.
pub fn version(release: Release) -> Version {
    static VERSIONS: LazyLock<[Version; 3]> = LazyLock::new(|| ["24.1.1", "24.2.1", "24.1.9"].map(|text| text.parse().unwrap()));
    VERSIONS[release as usize].clone()
}

pub fn begin() -> Timestamp {
    "2026-11-22T00:00:00Z".parse().unwrap()
}

pub fn run_id() -> RunId {
    RunId { site: "support".to_owned(), number: 1 }
}

pub fn window(from: Timestamp) -> Window {
    Window { from, to: from + SignedDuration::from_hours(4), zone: None }
}

/// Times are chosen so that each edge is passed alone: what is disruptive is expected to take 10 minutes, its limit is 30, a
/// sync proves something for 20.
fn policy() -> Policy {
    let minutes =
        |kinds: &[Kind], minutes| kinds.iter().map(|kind| (kind.name().to_owned(), SignedDuration::from_mins(minutes))).collect();
    let slow = [Kind::ForceSync, Kind::BreakFailover, Kind::Update, Kind::SwitchTraffic, Kind::Quiesce, Kind::EstablishFailover];
    Policy {
        max_sync_age: SignedDuration::from_mins(20),
        max_backup_age: SignedDuration::from_hours(12),
        expected: minutes(&slow, 10),
        limits: minutes(&[Kind::Update, Kind::EstablishFailover, Kind::Backup, Kind::ExtractData, Kind::Drain], 30),
        max_unprotected: SignedDuration::from_hours(72),
        // The same edge as the last moment for what is disruptive.
        closing_notice: SignedDuration::from_mins(10),
        // Neither moves the pair: what they do is tested in `preflight`, and here they would only multiply the states.
        max_check_age: SignedDuration::from_hours(1000),
        nightly_check: None,
        ..Policy::default()
    }
}

pub fn plan(procedure: &str, steps: Vec<Step>) -> Plan {
    let node = |node: NodeId| Node {
        identity: identity(node),
        address: if node == NodeId::A { "192.0.2.10" } else { "192.0.2.20" }.parse().unwrap(),
    };
    Plan {
        procedure: procedure.to_owned(),
        service: SERVICE.to_owned(),
        nodes: PerNode::new(node),
        hands: PerNode::default(),
        policy: policy().into(),
        from: Target { version: version(Release::Start), build: None },
        to: Target { version: version(Release::Target), build: None },
        adopted: None,
        rehearsal: None,
        hops: Vec::new(),
        package: Arc::new(Package { path: "/p".into(), sha256: "00".to_owned(), bytes: 1 }),
        primary: PRIMARY,
        windows: Windows {
            first: Some(window(begin() + SignedDuration::from_hours(2))),
            second: Some(window(begin() + SignedDuration::from_hours(50))),
        },
        steps: steps.into(),
        urgent: None,
        sizes: changeover::domain::ids::PerNode::default(),
        fit: Fit::default().into(),
        zone: "UTC".to_owned(),
        responsible: None,
        accepted: Vec::new(),
    }
}

pub fn built_in(procedure: &str, hands: Hands, budget: Budget) -> Scenario {
    let steps = Procedure::built_in(procedure).unwrap().resolve(PRIMARY);
    Scenario {
        name: format!("{procedure}, {hands:?}"),
        plan: plan(procedure, steps),
        hands,
        budget,
        trouble: Trouble::Any,
        marks: &[],
        ttl: LOW_TTL,
    }
}

/// A procedure that no proof would let through: the built-in one without the steps that `drop` names.
pub fn crippled(procedure: &str, budget: Budget, change: impl Fn(Step) -> Option<Step>) -> Scenario {
    let steps = Procedure::built_in(procedure).unwrap().resolve(PRIMARY).into_iter().filter_map(change).collect();
    let name = format!("{procedure}, crippled");
    Scenario {
        name,
        plan: plan(procedure, steps),
        hands: Hands::Interface,
        budget,
        trouble: Trouble::Any,
        marks: &[],
        ttl: LOW_TTL,
    }
}
