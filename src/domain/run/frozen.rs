//! What the journal says of a run's settings: how they were at the break, what was changed since, and what people have seen of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::file::FileEvidence;
use crate::domain::ids::PerNode;
use crate::domain::ledger::Line;
use crate::domain::people::Who;

/// A person's word on one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// What the line was when the person saw it.
    pub digest: String,
    pub by: Who,
    pub at: Timestamp,
    pub note: Option<String>,
}

/// What the journal says of a run's settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frozen {
    /// The listings at the break, as files.
    pub snapshot: PerNode<Option<FileEvidence>>,
    /// The listings that should have been there and could not be read, and why: the comparison will lack them.
    pub unread: Vec<String>,
    /// The lines of the last comparison that found others than the one before.
    pub lines: Vec<Line>,
    pub acknowledged: BTreeMap<String, Acknowledged>,
    /// When a comparison was last proven done.
    pub settled_at: Option<Timestamp>,
}

impl Frozen {
    /// The lines that the next sync overwrites and that nobody has acknowledged as they are now.
    pub fn open(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| line.lost && !self.is_acknowledged(line))
    }

    pub fn is_acknowledged(&self, line: &Line) -> bool {
        self.acknowledged.get(&line.id).is_some_and(|known| known.digest == line.digest)
    }

    /// When a line was last acknowledged.
    pub fn last_word(&self) -> Option<Timestamp> {
        self.acknowledged.values().map(|known| known.at).max()
    }

    /// What the comparison lacks although an interface should have told it, for people.
    pub fn lacking(&self) -> Option<String> {
        (!self.unread.is_empty()).then(|| self.unread.join("; "))
    }
}
