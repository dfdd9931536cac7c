//! The engine: observe, decide, record, act, observe. Imports: ports and domain only.
//!
//! [`runner`] is the loop of one run, [`recorder`] the only way in which a run changes, [`look`] and [`perform`] its two hands;
//! [`fleet`] keeps all runs and takes people's words.

pub mod api;
pub mod export;
pub mod fleet;
pub mod hooks;
pub mod look;
pub mod outbox;
pub mod package;
pub mod perform;
mod planning;
pub mod recorder;
pub mod retry;
pub mod runner;
pub mod site;
mod words;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;

use crate::ports::{Clock, Journal, OutboxItem};

/// What all runs share.
pub struct Around {
    pub journal: Arc<dyn Journal>,
    pub clock: Arc<dyn Clock>,
    pub hooks: hooks::Hooks,
    /// The state folder.
    pub state: PathBuf,
    /// Set once, right after the start: the outbox needs the fleet, and the fleet this.
    pub outbox: OnceLock<outbox::Outbox>,
    /// Rung when the journal can't be written: the process must act no further.
    pub fatal: Notify,
}

impl Around {
    pub fn new(journal: Arc<dyn Journal>, clock: Arc<dyn Clock>, hooks: hooks::Hooks, state: PathBuf) -> Self {
        Self { journal, clock, hooks, state, outbox: OnceLock::new(), fatal: Notify::new() }
    }

    /// Hands items over for delivery; they are in the store already.
    pub fn push(&self, items: Vec<OutboxItem>) {
        if let Some(outbox) = self.outbox.get() {
            outbox.push(items);
        }
    }
}
