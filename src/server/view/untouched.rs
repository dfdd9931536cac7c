//! Runs that the daemon does not drive, on the wire.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::ids::RunId;
use crate::engine::{api, untouched};

/// Why a run that is not finished goes no further in this daemon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NotDriven {
    /// `illegal_event`, `record_unfit`, `bug` or `site_gone`.
    pub code: String,
    pub message: String,
    pub since: Timestamp,
    pub hint: String,
}

impl From<&api::NotDriven> for NotDriven {
    fn from(why: &api::NotDriven) -> Self {
        Self { code: why.code.to_owned(), message: why.message.clone(), since: why.since, hint: why.hint.clone() }
    }
}

/// The status of a run whose journal this build can't fold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeftUntouched {
    pub run: RunId,
    pub site: String,
    /// The journal's last record.
    pub seq: u64,
    pub head: String,
    pub untouched: Untouched,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Untouched {
    /// `journal_unreadable` or `damaged`.
    pub code: String,
    pub message: String,
    /// The record that can't be followed.
    pub record: u64,
    /// When the last record was made, and its event.
    pub at: Timestamp,
    pub event: String,
    /// No record says that it is finished: its site takes no other run.
    pub open: bool,
    pub state: String,
    pub hint: String,
}

impl From<&untouched::Untouched> for LeftUntouched {
    fn from(left: &untouched::Untouched) -> Self {
        let untouched = Untouched {
            code: left.code.to_owned(),
            message: left.message.clone(),
            record: left.unread,
            at: left.last.at,
            event: left.last.event.clone(),
            open: left.open,
            state: left.state(),
            hint: left.hint(),
        };
        Self { run: left.run.clone(), site: left.run.site.clone(), seq: left.last.seq, head: left.last.hash.clone(), untouched }
    }
}
