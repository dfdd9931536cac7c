//! What really happened, for tests and for the demo's last lines.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::ids::{NodeId, PerNode};
use crate::domain::site::Role;

use super::{LastSync, Record, UpdateDone, World};
use crate::simulator::faults::Planned;

/// How many entries each list of the diary keeps; the oldest go first. A run makes a few hundred, two weeks of soak 4,000.
const KEPT: usize = 20_000;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happened {
    pub at: Timestamp,
    pub node: Option<NodeId>,
    /// The act (`update`) or event (`synced`, `settings-overwritten`) in kebab-case.
    pub what: String,
    pub note: String,
}

/// A span in which the service's name led to no serving node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    pub from: Timestamp,
    /// Absent while it goes on.
    pub to: Option<Timestamp>,
    /// Up to now while it goes on.
    pub ms: i64,
}

/// The whole truth about the world.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    pub now: Timestamp,
    pub leads_to: Option<NodeId>,
    pub serving: Option<NodeId>,
    pub linked: bool,
    pub nodes: PerNode<NodeTruth>,
    pub sessions: SessionsTruth,
    /// Orders taken from people, in order.
    pub acts: Vec<Happened>,
    /// What came of them, and what happened by itself.
    pub events: Vec<Happened>,
    pub broken_promises: Vec<Happened>,
    pub service_gaps: Vec<Gap>,
    pub longest_gap_ms: i64,
    /// Faults still in force.
    pub faults: Vec<Planned>,
}

/// One node as it really is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeTruth {
    pub identity: String,
    pub version: String,
    pub build: String,
    pub role: Role,
    pub updating_until: Option<Timestamp>,
    pub closed: bool,
    pub drained: bool,
    pub takes_clients: bool,
    pub settings_revision: u64,
    /// `user.1 anna`, in order: what there is, whatever it holds.
    pub settings: Vec<String>,
    pub last_sync: Option<LastSync>,
    pub users: u32,
    pub open_sessions: u32,
    pub records: usize,
    pub updates: Vec<UpdateDone>,
}

/// The users' work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionsTruth {
    pub created: u64,
    pub interrupted: u64,
    /// Records that are on no node any more.
    pub gone: u64,
    pub records: Vec<RecordTruth>,
}

/// One session's record and where it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordTruth {
    pub lsid: String,
    pub lseq: u64,
    pub user: String,
    pub created_on: NodeId,
    pub start: Timestamp,
    /// As the best-informed node knows it.
    pub end: Option<Timestamp>,
    pub interrupted: bool,
    /// The nodes that hold a record of it as complete as the best one.
    pub on: Vec<NodeId>,
    /// It was given out by reporting or extraction after its end.
    pub handed_out: bool,
}

/// What is written down as the world goes.
#[derive(Clone, Debug, Default)]
pub(super) struct Diary {
    pub created: u64,
    pub interrupted: u64,
    /// Records that a sync removed from their last node.
    pub overwritten: BTreeMap<u64, Record>,
    handed_out: BTreeSet<u64>,
    acts: Vec<Happened>,
    events: Vec<Happened>,
    broken_promises: Vec<Happened>,
    gaps: Vec<(Timestamp, Timestamp)>,
    gap_since: Option<Timestamp>,
}

impl Diary {
    /// Notes whether users are served from `now` on.
    pub fn service(&mut self, now: Timestamp, served: bool) {
        match (served, self.gap_since) {
            (false, None) => self.gap_since = Some(now),
            (true, Some(since)) => {
                self.gap_since = None;
                if since < now {
                    self.gaps.push((since, now));
                }
            }
            _ => {}
        }
    }

    fn gaps(&self, now: Timestamp) -> Vec<Gap> {
        let millis = |from, to: Timestamp| i64::try_from(to.duration_since(from).as_millis()).unwrap_or(i64::MAX);
        let closed = self.gaps.iter().map(|&(from, to)| Gap { from, to: Some(to), ms: millis(from, to) });
        let open = self.gap_since.filter(|&since| since < now).map(|from| Gap { from, to: None, ms: millis(from, now) });
        closed.chain(open).collect()
    }
}

fn keep(list: &mut Vec<Happened>, entry: Happened) {
    if list.len() >= KEPT {
        list.drain(..KEPT / 2);
    }
    list.push(entry);
}

impl World {
    pub(super) fn note(&mut self, node: Option<NodeId>, what: &str, note: String) {
        keep(&mut self.diary.events, Happened { at: self.now, node, what: what.to_owned(), note });
    }

    pub(super) fn record_act(&mut self, node: NodeId, act: &str) {
        let entry = Happened { at: self.now, node: Some(node), what: act.to_owned(), note: String::new() };
        keep(&mut self.diary.acts, entry);
    }

    pub(super) fn promise_broken(&mut self, node: NodeId, note: &str) {
        let entry = Happened { at: self.now, node: Some(node), what: "update".to_owned(), note: note.to_owned() };
        keep(&mut self.diary.broken_promises, entry);
    }

    /// Notes that the complete records among `serials` were given out.
    pub fn hand_out(&mut self, node: NodeId, serials: &[u64]) {
        let records = &self.nodes[node].records;
        let complete = serials.iter().filter(|&serial| records.get(serial).is_some_and(|record| record.end.is_some()));
        self.diary.handed_out.extend(complete);
    }

    /// Everything that tests need to know, as it really is.
    pub fn truth(&self) -> Truth {
        let service_gaps = self.diary.gaps(self.now);
        Truth {
            now: self.now,
            leads_to: self.leads_to,
            serving: self.serving(),
            linked: self.link().is_some(),
            nodes: PerNode::new(|node| self.node_truth(node)),
            sessions: self.sessions_truth(),
            acts: self.diary.acts.clone(),
            events: self.diary.events.clone(),
            broken_promises: self.diary.broken_promises.clone(),
            longest_gap_ms: service_gaps.iter().map(|gap| gap.ms).max().unwrap_or(0),
            service_gaps,
            faults: self.faults.planned(),
        }
    }

    fn node_truth(&self, node: NodeId) -> NodeTruth {
        let (state, facts) = (&self.nodes[node], self.own_facts(node));
        NodeTruth {
            identity: facts.identity,
            version: facts.version.to_string(),
            build: facts.build,
            role: facts.role,
            updating_until: state.updating_until(),
            closed: state.closed,
            drained: state.drained,
            takes_clients: self.takes_clients(node),
            settings_revision: state.settings.revision,
            settings: state.settings.names(),
            last_sync: facts.last_sync,
            users: facts.users,
            open_sessions: facts.sessions,
            records: state.records.len(),
            updates: state.updates.clone(),
        }
    }

    fn sessions_truth(&self) -> SessionsTruth {
        let records: Vec<RecordTruth> = (1..=self.serials).filter_map(|serial| self.record_truth(serial)).collect();
        let gone = records.iter().filter(|record| record.on.is_empty()).count();
        let gone = u64::try_from(gone).unwrap_or(u64::MAX);
        SessionsTruth { created: self.diary.created, interrupted: self.diary.interrupted, gone, records }
    }

    fn record_truth(&self, serial: u64) -> Option<RecordTruth> {
        let copy = |node: NodeId| self.nodes[node].records.get(&serial);
        let known = || NodeId::BOTH.into_iter().filter_map(copy).chain(self.diary.overwritten.get(&serial));
        let best = known().find(|record| record.end.is_some()).or_else(|| known().next())?;
        let on = NodeId::BOTH.into_iter().filter(|&node| copy(node).is_some_and(|record| record.end == best.end));
        Some(RecordTruth {
            lsid: best.lsid.clone(),
            lseq: best.lseq,
            user: best.user.clone(),
            created_on: best.created_on,
            start: best.start,
            end: best.end,
            interrupted: best.interrupted,
            on: on.collect(),
            handed_out: self.diary.handed_out.contains(&serial),
        })
    }
}
