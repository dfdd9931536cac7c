//! Hands at the vendor's pages (`hands = "console"`): what has no interface is done as a person would do it, by visible labels.
//!
//! The vendor documents none of it. So nothing is guessed: exactly one link, field or button with the expected words, or the act
//! is a person's, with a line about what was there instead. Once a button was pressed that orders something, an answer that is
//! lost or odd leaves a doubt, and nothing is pressed again before a reading has settled it.

mod acts;
mod offers;
pub(super) mod page;
pub(super) mod settings;
pub(super) mod stop;
mod trace;
mod update;
mod upload;
mod visit;

use std::net::SocketAddr;
use std::sync::Arc;

use url::Url;

use self::stop::Stop;
use self::visit::Part;
use super::client::{Api, Limits};
use super::edition::Editions;
use super::pinned::reachable;
use crate::domain::labels::Labels;
use crate::drivers::tls::{self, Names, TlsTrust};

pub use self::acts::{Console, Outcome};
pub use self::settings::{Account, Settings};

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
    fn new(settings: &super::settings::Settings, console: Settings, api: Arc<Api>) -> Self {
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
