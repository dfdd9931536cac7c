//! How the pages of one box are used: as whom, by which labels, and how often a password is tried.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use secrecy::SecretString;

use crate::domain::labels::Labels;

/// So many logins in a row may be left unanswered: a box that falls silent to install loses one, and may have refused it.
const MOST_UNANSWERED: u32 = 2;

/// How the pages of one box are used.
#[derive(Clone, Debug)]
pub struct Settings {
    /// For `/login`, site administration.
    pub login: Account,
    /// For `/appliance`, the box's administration.
    pub appliance: Account,
    pub labels: Labels,
    /// Where traces are kept.
    pub traces: PathBuf,
}

/// A user at the pages. Copies share how the last logins ended.
#[derive(Clone, Debug)]
pub struct Account {
    pub(super) username: String,
    pub(super) password: SecretString,
    logins: Arc<Logins>,
}

#[derive(Debug, Default)]
struct Logins {
    /// It was answered, and nobody was let in.
    refused: AtomicBool,
    /// As many were sent since the last that was let in, without an answer that judges them.
    unanswered: AtomicU32,
}

impl Account {
    pub fn new(username: String, password: SecretString) -> Self {
        Self { username, password, logins: Arc::default() }
    }

    /// Why the password is not tried again; `None`: it may be.
    pub(super) fn is_shut(&self) -> Option<String> {
        let unanswered = self.logins.unanswered.load(Ordering::Relaxed);
        match self.logins.refused.load(Ordering::Relaxed) {
            true => Some("the last login was not let in".to_owned()),
            false => (unanswered >= MOST_UNANSWERED).then(|| format!("the last {unanswered} logins were left unanswered")),
        }
    }

    /// Counts a login before it is sent, so that one whose end nobody waits for counts as well.
    pub(super) fn tries(&self) {
        self.logins.unanswered.fetch_add(1, Ordering::Relaxed);
    }

    /// It never arrived, or was not judged.
    pub(super) fn was_not_tried(&self) {
        let less = |unanswered: u32| Some(unanswered.saturating_sub(1));
        // Never `Err`: `less` always gives a number.
        let _ = self.logins.unanswered.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    pub(super) fn was_let_in(&self) {
        self.logins.unanswered.store(0, Ordering::Relaxed);
    }

    pub(super) fn was_refused(&self) {
        self.logins.refused.store(true, Ordering::Relaxed);
    }
}
