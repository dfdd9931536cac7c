//! The ledger: what was changed since the break, and what the next sync makes of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::ids::{NodeId, PerNode, RunId};
use crate::domain::ledger;
use crate::domain::run::{Acknowledged, Run};
use crate::engine::api::Snapshot;

/// All lines of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    pub run: RunId,
    /// The node from which the next sync will run.
    pub keeper: NodeId,
    /// Whose settings were listed at the break.
    pub recorded: PerNode<bool>,
    /// What could not be listed at the break although it should have been, and why: it is not compared.
    #[serde(default)]
    pub not_listed: Vec<String>,
    /// When they were last compared; `null`: not since the daemon came up.
    pub compared_at: Option<Timestamp>,
    /// Why they could not be, at the last look.
    pub unread: Option<String>,
    /// Lines that nobody has acknowledged as they are now.
    pub open: usize,
    pub lines: Vec<Line>,
}

/// One change on one node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub id: String,
    pub node: NodeId,
    pub kind: String,
    pub name: String,
    pub change: ledger::Change,
    /// Changed on the other node too.
    pub both: bool,
    /// True: the next sync overwrites it.
    pub lost: bool,
    /// What the next sync makes of it, in words.
    pub fate: String,
    /// What it is now: an acknowledgement counts for this only.
    #[serde(default)]
    pub digest: String,
    pub acknowledged: Option<Word>,
}

/// Who has seen the line as it is now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Word {
    pub by: String,
    pub at: Timestamp,
    pub note: Option<String>,
}

impl Ledger {
    pub fn of(snapshot: &Snapshot) -> Self {
        let (run, seen) = (&snapshot.run, &snapshot.world.settings);
        Self {
            run: run.id.clone(),
            keeper: run.keeper(),
            recorded: run.settings.snapshot.as_ref().map(Option::is_some),
            not_listed: run.settings.unread.clone(),
            compared_at: seen.compared.as_ref().map(|compared| compared.at),
            unread: seen.unread.as_ref().map(|(_, why)| why.clone()),
            open: run.settings.open().count(),
            lines: run.settings.lines.iter().map(|known| line(run, known)).collect(),
        }
    }
}

fn line(run: &Run, line: &ledger::Line) -> Line {
    let word = run.settings.acknowledged.get(&line.id).filter(|_| line.lost && run.settings.is_acknowledged(line));
    let ledger::Line { id, node, kind, name, change, both, lost, digest } = line.clone();
    Line { id, node, kind, name, change, both, lost, fate: line.fate(), digest, acknowledged: word.map(Word::from) }
}

impl From<&Acknowledged> for Word {
    fn from(known: &Acknowledged) -> Self {
        Self { by: known.by.to_string(), at: known.at, note: known.note.clone() }
    }
}
