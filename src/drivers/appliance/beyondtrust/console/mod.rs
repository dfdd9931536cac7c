//! Hands at the vendor's pages (`hands = "console"`): what has no interface is done as a person would do it, by visible labels.
//!
//! The vendor documents none of it. So nothing is guessed: exactly one link, field or button with the expected words, or the act
//! is a person's, with a line about what was there instead. Once a button was pressed that orders something, an answer that is
//! lost or odd leaves a doubt, and nothing is pressed again before a reading has settled it.

mod acts;
mod offers;
pub(super) mod page;
pub(super) mod stop;
mod trace;
mod update;
mod upload;
mod visit;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use secrecy::SecretString;
use url::Url;

use self::stop::Stop;
use self::visit::Part;
use super::client::{Api, Limits};
use super::edition::Editions;
use super::pinned::reachable;
use crate::domain::labels::Labels;
use crate::drivers::tls::{self, Names, TlsTrust};

pub use acts::{Console, Outcome};

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

/// So many logins in a row may be left unanswered: a box that falls silent to install loses one, and may have refused it.
const MOST_UNANSWERED: u32 = 2;

/// A user at the pages. Copies share how the last logins ended.
#[derive(Clone, Debug)]
pub struct Account {
    username: String,
    password: SecretString,
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
    fn is_shut(&self) -> Option<String> {
        let unanswered = self.logins.unanswered.load(Ordering::Relaxed);
        match self.logins.refused.load(Ordering::Relaxed) {
            true => Some("the last login was not let in".to_owned()),
            false => (unanswered >= MOST_UNANSWERED).then(|| format!("the last {unanswered} logins were left unanswered")),
        }
    }

    /// Counts a login before it is sent, so that one whose end nobody waits for counts as well.
    fn tries(&self) {
        self.logins.unanswered.fetch_add(1, Ordering::Relaxed);
    }

    /// It never arrived, or was not judged.
    fn was_not_tried(&self) {
        let less = |unanswered: u32| Some(unanswered.saturating_sub(1));
        // Never `Err`: `less` always gives a number.
        let _ = self.logins.unanswered.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    fn was_let_in(&self) {
        self.logins.unanswered.store(0, Ordering::Relaxed);
    }

    fn was_refused(&self) {
        self.logins.refused.store(true, Ordering::Relaxed);
    }
}

/// The way to one box's pages.
pub struct Door {
    url: Url,
    identity: String,
    editions: Editions,
    trust: TlsTrust,
    limits: Limits,
    labels: Labels,
    login: Account,
    appliance: Account,
    api: Arc<Api>,
}

impl Door {
    fn new(settings: &super::Settings, console: Settings, api: Arc<Api>) -> Self {
        Self {
            url: settings.url.clone(),
            identity: settings.identity.clone(),
            editions: settings.editions,
            trust: settings.tls.clone(),
            limits: settings.limits.clone(),
            labels: console.labels,
            login: console.login,
            appliance: console.appliance,
            api,
        }
    }

    fn account(&self, part: Part) -> &Account {
        match part {
            Part::Login => &self.login,
            Part::Appliance => &self.appliance,
        }
    }

    fn tls(&self) -> Result<rustls::ClientConfig, Stop> {
        tls::client_config(&self.trust, Names::ByTrust).map_err(|error| Stop::Refused(error.to_string()))
    }

    async fn resolve(&self) -> Result<SocketAddr, Stop> {
        reachable(&self.url, self.limits.connect).await.map_err(Stop::NotReached)
    }
}
