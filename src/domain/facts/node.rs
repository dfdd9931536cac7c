//! What is known of one node.

use crate::domain::site::Role;
use crate::domain::version::Version;

/// What is known of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeFacts {
    /// A fresh reading is there and is from the right box (R13).
    pub known: Known,
    pub role: Option<Role>,
    pub version: Option<Version>,
    pub build: Option<String>,
    /// Healthy in its two last readings, not updating.
    pub healthy: bool,
    /// This run proved that it takes a client, since it was last touched; and no later reading denies it.
    pub proven: bool,
    /// Verified on its present version by this run.
    pub verified: bool,
    /// Closed to clients by this run.
    pub closed: bool,
    /// Its last reading says that it takes no client.
    pub denied: bool,
    /// This run's verified backup, still good for R4.
    pub backed_up: bool,
    /// It was updated since its backup was taken, which does for no other update (BG-01).
    pub outdated: bool,
    /// Its data were extracted after it was closed and last touched (R9).
    pub extracted: bool,
    /// Its session data were extracted since it was last touched, closed or not, and not long ago (BG-50).
    pub copied: bool,
    /// It has sessions or users although it does not serve (R16).
    pub stray: bool,
    /// It took clients since the last good sync: what they wrote is nowhere else.
    pub written: bool,
    /// Its update may be under way: the answer was lost, and nothing has shown an effect.
    pub unsettled: bool,
}

/// Whether a reading ties the node to its box.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Known {
    Yes,
    /// No reading: can't tell.
    Unread(String),
    /// Another box answers.
    WrongBox(String),
}
