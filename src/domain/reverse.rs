//! The change that would lead traffic back, ready before anybody needs it: each entry, from where to where, and when it was proven
//! that it would be taken.

use std::net::IpAddr;

use super::access::Recorded;
use super::check::Outcome;
use super::ids::{NodeId, PerNode};
use super::run::Run;
use super::site;
use super::world::World;

/// The exact reverse of a switch that is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reverse {
    pub from: NodeId,
    pub to: NodeId,
    pub addresses: PerNode<IpAddr>,
    /// The entries as they were last read; empty where none was read by name.
    pub entries: Vec<String>,
    /// Of each entry what is written; `None` for one that moves no records.
    pub changes: Vec<Option<String>>,
    /// What the entries answered when they were asked before the run began to act.
    pub proven: Option<Recorded>,
}

/// The reverse of the run's last switch; none before one is proven, and once the pair is linked again.
pub fn of(run: &Run, world: &World) -> Option<Reverse> {
    run.unprotected_since()?;
    let (from, to) = (run.survivor, run.survivor.other());
    run.nodes[to].served_until?;
    let looks = || world.traffic.looks.iter().flatten().filter(|look| !look.entry.is_empty());
    Some(Reverse {
        from,
        to,
        addresses: run.plan.nodes.as_ref().map(|node| node.address),
        entries: looks().map(|look| look.entry.clone()).collect(),
        changes: looks().map(|look| site::changes_to(to, &look.records)).collect(),
        proven: run.access.clone(),
    })
}

impl Reverse {
    /// Whether it would be taken, and how old that knowledge is, in words.
    pub fn permission(&self) -> String {
        let Some(Recorded { at, result, found }) = &self.proven else {
            return "whether the entries would take it was not asked in this run".to_owned();
        };
        match result {
            Outcome::Pass => format!("the entries took a change that alters nothing at {at}: {found}"),
            _ => format!("at {at} it could not be proven that the entries would take it: {found}"),
        }
    }

    /// Each change in a line: what is written, record by record, or from which node to which.
    pub fn lines(&self) -> Vec<String> {
        let Self { from, to, addresses, .. } = self;
        let nodes = || format!("from node `{from}` ({}) to node `{to}` ({})", addresses[*from], addresses[*to]);
        if self.entries.is_empty() {
            return vec![format!("wherever the name is kept: {}", nodes())];
        }
        let written = |change: &Option<String>| match change {
            Some(change) => format!("from node `{from}` to node `{to}`: {change}"),
            None => nodes(),
        };
        self.entries.iter().zip(&self.changes).map(|(entry, change)| format!("{entry}: {}", written(change))).collect()
    }
}
