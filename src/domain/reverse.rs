//! The change that would lead traffic back, ready before anybody needs it: each entry, from where to where, and when it was proven
//! that it would be taken.

use std::net::IpAddr;

use super::access::Recorded;
use super::checks::Outcome;
use super::ids::{NodeId, PerNode};
use super::run::Run;
use super::world::World;

/// The exact reverse of a switch that is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reverse {
    pub from: NodeId,
    pub to: NodeId,
    pub addresses: PerNode<IpAddr>,
    /// The entries as they were last read; empty where none was read by name.
    pub entries: Vec<String>,
    /// What the entries answered when they were asked before the run began to act.
    pub proven: Option<Recorded>,
}

/// The reverse of the run's last switch; none before one is proven, and once the pair is linked again.
pub fn of(run: &Run, world: &World) -> Option<Reverse> {
    run.unprotected_since()?;
    let (from, to) = (run.survivor, run.survivor.other());
    run.nodes[to].served_until?;
    let entries = world.traffic.looks.iter().flatten().map(|look| look.entry.clone());
    Some(Reverse {
        from,
        to,
        addresses: run.plan.nodes.as_ref().map(|node| node.address),
        entries: entries.filter(|entry| !entry.is_empty()).collect(),
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

    /// Each change in a line.
    pub fn lines(&self) -> Vec<String> {
        let Self { from, to, addresses, .. } = self;
        let change =
            |entry: &str| format!("{entry}: from node `{from}` ({}) to node `{to}` ({})", addresses[*from], addresses[*to]);
        if self.entries.is_empty() {
            return vec![change("wherever the name is kept")];
        }
        self.entries.iter().map(|entry| change(entry)).collect()
    }
}
