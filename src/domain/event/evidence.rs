//! What was true before an act, and what a finished step leaves.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::check::Finding;
use crate::domain::file::{FileEvidence, total};
use crate::domain::ids::{NodeId, PerNode};
use crate::domain::site::SyncFact;

/// What was true before an act, for its proof.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// The primary's last sync before this one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync: Option<SyncFact>,
    /// R1: the first of two syncs, seen to have changed after it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_sync: Option<SyncFact>,
    /// Where the service's name led.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<NodeId>,
    /// A shared address was on no node already: then that it is on none does not show that it was taken off one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
    /// The node that is to be opened was seen to refuse clients: then that it takes them shows that it was opened.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub denied: bool,
    /// BG-02: who was there when a drain was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub people: Option<Counts>,
    /// BG-02: the drain's limit has passed, and sessions are ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ending: bool,
    /// R7: the TTLs that `lower_ttl` replaces, as they were; those that `restore_ttl` brings back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ttl: Vec<NameTtl>,
}

/// Users and sessions of a node, as far as it tells them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub users: Option<u32>,
    pub sessions: Option<u32>,
}

impl Counts {
    /// Somebody is there, as far as it is told.
    pub fn is_anybody(self) -> bool {
        self.users.unwrap_or(0) > 0 || self.sessions.unwrap_or(0) > 0
    }

    pub fn describe(self) -> String {
        let told =
            |count: Option<u32>, what: &str| count.map_or_else(|| format!("{what} not told"), |count| format!("{count} {what}"));
        format!("{}, {}", told(self.users, "users"), told(self.sessions, "sessions"))
    }
}

/// What a finished step leaves for the rules and the report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Evidence {
    /// What was seen, in words.
    Seen {
        found: String,
        /// Of a break whose effect was not seen at once: when it was ordered, since it may be as old as that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Timestamp>,
    },
    Sync {
        sync: SyncFact,
        asked_at: Timestamp,
    },
    Version {
        version: String,
        build: Option<String>,
    },
    Files {
        files: Vec<FileEvidence>,
        records: Option<u64>,
        /// What all of the result takes on the disk, where `files` only name the rest of it. Absent in older journals.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes: Option<u64>,
        /// Recordings that could not be had, and that a person has taken as lost (R9).
        #[serde(default, skip_serializing_if = "is_zero")]
        missing: u64,
    },
    /// What the preflight found.
    Checks {
        results: Vec<Finding>,
    },
    /// BG-02: who was left on a node when its drain was over, and why that is enough.
    Drained {
        left: Counts,
        found: String,
    },
    /// R7: the TTLs that every server gives out, and for how long a resolver may remember that a type of record is missing, where
    /// the switch adds one.
    Ttl {
        names: Vec<NameTtl>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        negative: Option<u32>,
        found: String,
    },
    /// The listings of both nodes' settings at the break.
    Settings {
        snapshot: PerNode<Option<FileEvidence>>,
        found: String,
        /// Listings that should have been there and could not be read, and why.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        unread: Vec<String>,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Evidence {
    pub fn seen(found: impl Into<String>) -> Self {
        Self::Seen { found: found.into(), since: None }
    }

    /// Files that are all that was made.
    pub fn files(files: Vec<FileEvidence>, records: Option<u64>) -> Self {
        Self::Files { files, records, bytes: None, missing: 0 }
    }

    /// Files in words, with the room that they and what they name take; `None` for any other evidence.
    pub fn files_told(&self) -> Option<String> {
        let Self::Files { files, bytes, missing, .. } = self else { return None };
        let missing = if *missing > 0 { format!("; {missing} recordings are missing") } else { String::new() };
        let room = match bytes {
            Some(bytes) => format!("{bytes} bytes with all that the first one lists"),
            None => format!("{} bytes", total(files)),
        };
        Some(format!("{} files, {room}{missing}", files.len()))
    }
}

/// How long one name of one traffic entry may be remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameTtl {
    /// The entry's place in the site's `[[traffic]]` list, from 0.
    pub entry: usize,
    pub name: String,
    /// Seconds; the longest of all its servers.
    pub ttl: u32,
}
