//! Traffic on the wire: who answers what, whether a switch would be taken, and the parts of a run's status that speak of it.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::access::Tried;
use crate::domain::agreement::{self, Agreement, Behind, Partly, Verdict};
use crate::domain::check::Outcome;
use crate::domain::ids::{NodeId, PerNode};
use crate::domain::reverse::{self, Reverse};
use crate::domain::run::Run;
use crate::domain::site::{self, AtWork, MovedRecord, ResolverAnswer, Site, TrafficAnswer, TrafficLook};
use crate::domain::watch::left::{self, LeftSide};
use crate::domain::world::World;
use crate::engine::traffic::{TrafficFound, TrafficTried};

/// Who answers what, everywhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrafficView {
    pub site: String,
    pub service: String,
    /// True if everybody agrees, and every entry was read.
    pub ok: bool,
    pub agreement: AgreementView,
    pub entries: Vec<EntryView>,
}

/// One traffic entry as it was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EntryView {
    pub entry: Option<String>,
    pub at: Option<Timestamp>,
    /// The node that every answer names.
    pub target: Option<NodeId>,
    pub answers: Vec<TrafficAnswer>,
    pub resolvers: Vec<ResolverAnswer>,
    pub negative_ttl: Option<u32>,
    pub serving_identity: Option<String>,
    /// The records that it moves, and what each holds while either node serves.
    #[serde(default)]
    pub records: Vec<MovedRecord>,
    /// Why it was not read.
    pub error: Option<String>,
}

/// Who serves, by both nodes, the names and the box behind them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgreementView {
    /// `agreed`, `partly_switched`, `disputed` or `untold`.
    pub verdict: String,
    /// The node that serves, where all agree.
    pub node: Option<NodeId>,
    /// Everything in one line, with ages.
    pub line: String,
    /// What each node says of itself.
    pub nodes: PerNode<String>,
    pub names: String,
    /// The node whose box answers behind the names, where a driver tells.
    pub behind: Option<NodeId>,
    /// What leads where, while some has moved and some has not.
    pub partly: Option<PartlyView>,
}

/// What leads to each node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartlyView {
    pub at: PerNode<Vec<String>>,
}

/// Whether a switch would be taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrafficTest {
    pub site: String,
    /// False if an entry refused, or could not be asked.
    pub ok: bool,
    /// The node from which a switch would move the names; `null` where they do not agree.
    pub from: Option<NodeId>,
    pub entries: Vec<EntryTest>,
    /// Seconds for which caches would lead to the old node if traffic were switched now; `null` where nothing tells a TTL.
    pub caches_seconds: Option<u32>,
    /// Seconds for which somebody may go on believing that there is no record.
    pub negative_seconds: Option<u32>,
    /// The same after the TTL was lowered to this, and one has waited for `wait_seconds`.
    pub lowered_seconds: u32,
    pub wait_seconds: Option<u32>,
}

/// One entry, asked whether it would take our change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EntryTest {
    pub entry: String,
    /// `pass`, `fail`, `unknown` or `person`.
    pub result: Outcome,
    pub found: String,
    /// The change, and the one that takes it back.
    pub forward: Option<String>,
    pub reverse: Option<String>,
}

/// The change that would lead traffic back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReverseView {
    pub from: NodeId,
    pub to: NodeId,
    pub from_address: IpAddr,
    pub to_address: IpAddr,
    pub entries: Vec<String>,
    /// Of each entry what is written; `null` for one that moves no records.
    #[serde(default)]
    pub changes: Vec<Option<String>>,
    /// When the entries were asked whether they would take our change, and what came of it.
    pub asked_at: Option<Timestamp>,
    pub result: Option<Outcome>,
    pub permission: String,
}

/// The node that traffic was taken from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeftView {
    pub node: NodeId,
    pub since: Timestamp,
    pub users: Option<u32>,
    pub sessions: Option<u32>,
    /// Sessions that began there after traffic had left, as far as it was seen.
    pub started: u32,
    pub newest_at: Option<Timestamp>,
    pub at_work: Vec<AtWork>,
    pub quiet_since: Option<Timestamp>,
    pub quiet_for_seconds: i64,
    /// When it counts as drained if nobody comes; `null` while somebody is there or nobody tells.
    pub drained_at: Option<Timestamp>,
    pub drained: bool,
}

impl AgreementView {
    pub fn new(agreement: Agreement, partly: Option<Partly>, now: Timestamp) -> Self {
        let node = match agreement.verdict {
            Verdict::Agreed { node } => Some(node),
            _ => None,
        };
        let behind = match agreement.behind {
            Behind::Node(node) => Some(node),
            _ => None,
        };
        let (verdict, line) = (agreement.verdict.name().to_owned(), agreement.line(now));
        let nodes = agreement.nodes.as_ref().map(|witness| witness.says.clone());
        let partly = partly.map(|Partly { at }| PartlyView { at });
        Self { verdict, node, line, nodes, names: agreement.names, behind, partly }
    }

    /// By a run's last readings; nothing for a site without entries, and for a run that looks no more.
    pub fn of_run(run: &Run, world: &World) -> Option<Self> {
        let over = run.is_finished() && !run.is_watched();
        if !world.has_traffic || over || world.traffic.looks.is_empty() {
            return None;
        }
        let identities = run.plan.nodes.as_ref().map(|node| node.identity.as_str());
        Some(Self::new(agreement::of(world, &identities), agreement::partly(&world.traffic), world.now))
    }
}

impl From<TrafficFound> for TrafficView {
    fn from(found: TrafficFound) -> Self {
        let TrafficFound { site, world, agreement, partly } = found;
        let read = world.traffic.looks.iter().all(Result::is_ok);
        let ok = read && matches!(agreement.verdict, Verdict::Agreed { .. });
        let entries = world.traffic.looks.into_iter().map(EntryView::from).collect();
        let agreement = AgreementView::new(agreement, partly, world.now);
        Self { site: site.name, service: site.service, ok, agreement, entries }
    }
}

impl From<Result<TrafficLook, String>> for EntryView {
    fn from(look: Result<TrafficLook, String>) -> Self {
        match look {
            Ok(look) => {
                let target = look.target();
                let TrafficLook { at, answers, serving_identity, resolvers, negative_ttl, entry, records, .. } = look;
                let (entry, at) = (Some(entry), Some(at));
                Self { entry, at, target, answers, resolvers, negative_ttl, serving_identity, records, error: None }
            }
            Err(error) => Self {
                entry: None,
                at: None,
                target: None,
                answers: Vec::new(),
                resolvers: Vec::new(),
                negative_ttl: None,
                serving_identity: None,
                records: Vec::new(),
                error: Some(error),
            },
        }
    }
}

impl From<TrafficTried> for TrafficTest {
    fn from(tried: TrafficTried) -> Self {
        let TrafficTried { site, world, entries, outcome, from, caches } = tried;
        let entry = |(index, Tried { entry, access }): (usize, Tried)| {
            let look = world.traffic.looks.get(index).and_then(|look| look.as_ref().ok());
            let records = look.map(|look| look.records.as_slice()).unwrap_or_default();
            EntryTest {
                entry,
                result: access.outcome(),
                found: access.describe().to_owned(),
                forward: from.map(|from| way_to(from.other(), records, &site)),
                reverse: from.map(|from| way_to(from, records, &site)),
            }
        };
        Self {
            site: site.name.clone(),
            ok: !matches!(outcome, Outcome::Fail | Outcome::Unknown) && from.is_some(),
            from,
            entries: entries.into_iter().enumerate().map(entry).collect(),
            caches_seconds: caches.now,
            negative_seconds: caches.negative,
            lowered_seconds: caches.lowered,
            wait_seconds: caches.wait,
        }
    }
}

/// What is written so that an entry leads to this node.
fn way_to(node: NodeId, records: &[MovedRecord], site: &Site) -> String {
    let from = node.other();
    match site::changes_to(node, records) {
        Some(changes) => format!("from node {from} to node {node}: {changes}"),
        None => format!("from node {from} ({}) to node {node} ({})", site.nodes[from].address, site.nodes[node].address),
    }
}

impl ReverseView {
    pub fn of_run(run: &Run, world: &World) -> Option<Self> {
        let reverse = reverse::of(run, world)?;
        let permission = reverse.permission();
        let Reverse { from, to, addresses, entries, changes, proven } = reverse;
        Some(Self {
            from,
            to,
            from_address: addresses[from],
            to_address: addresses[to],
            entries,
            changes,
            asked_at: proven.as_ref().map(|proven| proven.at),
            result: proven.map(|proven| proven.result),
            permission,
        })
    }
}

impl LeftView {
    pub fn of_run(run: &Run, world: &World) -> Option<Self> {
        let left = left::of(run, world)?;
        let drained = left.is_drained(world.now);
        let LeftSide { node, since, users, sessions, started, newest_at, at_work, quiet_since, quiet_for, drained_at } = left;
        let quiet_for_seconds = quiet_for.as_secs();
        Some(Self {
            node,
            since,
            users,
            sessions,
            started,
            newest_at,
            at_work,
            quiet_since,
            quiet_for_seconds,
            drained_at,
            drained,
        })
    }
}
