//! The engine: observe, decide, record, act, observe. Imports: ports and domain only.
//!
//! [`runner`] is the loop of one run, [`recorder`] the only way in which a run changes, [`look`] and [`perform`] its two hands;
//! [`fleet`] keeps all runs and takes people's words.

mod accepting;
mod access;
mod adopting;
pub mod api;
mod booking;
mod evidence;
pub mod export;
pub mod fleet;
pub mod hooks;
pub mod look;
mod metrics;
mod not_driven;
pub mod outbox;
pub mod package;
pub mod perform;
mod planning;
mod problem;
pub mod recorder;
pub mod releases;
mod retention;
pub mod retry;
pub mod runner;
mod settings;
pub mod single;
pub mod site;
mod space;
pub mod traffic;
pub mod untouched;
mod words;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use tokio::sync::{Notify, Semaphore};

use crate::domain::backups::Retention;
use crate::domain::people::People;
use crate::ports::{Clock, Journal, Meter, OutboxItem};

/// How many runs record at the same time that they were recovered; enough for the store to commit them in groups.
const RECOVERIES: usize = 32;

/// What all runs share.
pub struct Around {
    pub journal: Arc<dyn Journal>,
    pub clock: Arc<dyn Clock>,
    pub hooks: hooks::Hooks,
    /// Who may say what.
    pub people: People,
    /// R11: what other runs may count on.
    pub releases: releases::Releases,
    /// How long backups are kept.
    pub retention: Retention,
    /// Rung when a run is over: its site's old backups may be too many now.
    pub over: Notify,
    /// The state folder.
    pub state: PathBuf,
    /// What has numbers for a monitoring system, beside the runs.
    pub meters: Vec<Arc<dyn Meter>>,
    /// Set once, right after the start: the outbox needs the fleet, and the fleet this.
    pub outbox: OnceLock<outbox::Outbox>,
    /// Rung when the journal can't be written: the process must act no further.
    pub fatal: Notify,
    /// Turns for recording that a run was recovered: a thousand at once took 8 MiB that the allocator never gave back.
    pub recoveries: Semaphore,
}

impl Around {
    pub fn new(journal: Arc<dyn Journal>, clock: Arc<dyn Clock>, hooks: hooks::Hooks, state: PathBuf) -> Self {
        Self {
            journal,
            clock,
            hooks,
            people: People::default(),
            releases: releases::Releases::default(),
            retention: Retention::default(),
            over: Notify::new(),
            state,
            meters: Vec::new(),
            outbox: OnceLock::new(),
            fatal: Notify::new(),
            recoveries: Semaphore::new(RECOVERIES),
        }
    }

    /// Hands items over for delivery; they are in the store already.
    pub fn push(&self, items: Vec<OutboxItem>) {
        if let Some(outbox) = self.outbox.get() {
            outbox.push(items);
        }
    }
}
