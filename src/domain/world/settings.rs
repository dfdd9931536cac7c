//! What was read of settings: the snapshot at the break, and the comparisons with it.

use jiff::Timestamp;

use crate::domain::file::FileEvidence;
use crate::domain::ids::{NodeId, PerNode};
use crate::domain::ledger::Line;

/// A snapshot that was taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    pub step: String,
    pub at: Timestamp,
    pub files: PerNode<Option<FileEvidence>>,
    pub items: u64,
    /// Why there is none of a node.
    pub untold: Vec<(String, Untold)>,
}

/// What a missing listing means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untold {
    /// There is no interface, or no right to it: nobody expects one.
    Never,
    /// It may be told in a moment.
    Later,
    /// What was answered is no listing, or access was refused.
    Unread,
}

/// A comparison that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// When the reading for it began.
    pub at: Timestamp,
    pub keeper: NodeId,
    pub lines: Vec<Line>,
}

/// What was read of settings. Empty where nobody reads any.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    pub recorded: Option<Box<Recorded>>,
    pub compared: Option<Compared>,
    /// The last comparison that could not be made: when, and why.
    pub unread: Option<(Timestamp, String)>,
}
