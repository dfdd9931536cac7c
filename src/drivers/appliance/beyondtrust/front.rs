//! Who answers where the service's clients arrive: the box's GUID, asked for by the service's name at a given address.
//!
//! TLS comes before any credential: whoever can't show a certificate that the site trusts and that covers the service's name gets
//! none. The tokens are of its own, since another box may answer here after a switch, and tokens are never carried to another
//! box. While the node itself refuses access nothing is asked here either: each refusal counts towards a lock-out. A look waits for an
//! answer for a few seconds; the question goes on without it, one at a time at each address, so that a refusal that comes later counts.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ClientConfig;
use url::Url;

use super::access::Access;
use super::answer::{CallError, to_its_end, within};
use super::client::Api;
use super::edition::Editions;
use super::health;
use super::reader::{Reading, Reads, offered};
use super::settings::Settings;
use super::v2::{self, Page};
use crate::ports::Clock;

/// Every look waits for it: an address that a firewall keeps from this machine must not cost it the whole limit of a call.
const LIMIT: Duration = Duration::from_secs(5);

/// The way to the service's name, at the addresses that were asked about: a node's own, and the site's shared ones.
pub struct Front {
    settings: Arc<Settings>,
    tls: ClientConfig,
    clock: Arc<dyn Clock>,
    /// The node's own.
    api: Arc<Api>,
    doors: Mutex<BTreeMap<IpAddr, Arc<Door>>>,
}

/// One address, by the service's name.
struct Door {
    settings: Arc<Settings>,
    /// The node's own.
    api: Arc<Api>,
    reads: Reads,
    /// Held while somebody asks.
    asking: Arc<tokio::sync::Mutex<()>>,
}

impl Front {
    /// `tls` must check that the certificate covers the name, whatever the trust. Calls nobody.
    pub fn new(settings: Arc<Settings>, tls: ClientConfig, clock: Arc<dyn Clock>, api: Arc<Api>) -> Self {
        Self { settings, tls, clock, api, doors: Mutex::default() }
    }

    /// The credentials may have changed: what was refused and what was given here counts no more.
    pub fn forget(&self) {
        self.doors.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The GUID of the box that answers; `None` where nobody does, or not with one: what that means the nodes' own readings say.
    pub async fn who_answers(&self, at: IpAddr) -> Option<String> {
        let answer = within(LIMIT, "no answer", async { self.door(at)?.ask_alone().await }).await;
        let (site, service) = (&self.settings.site, &self.settings.service);
        answer.inspect_err(|error| tracing::debug!(%site, %service, %at, %error, "who answers for the service is not told")).ok()
    }

    fn door(&self, at: IpAddr) -> Result<Arc<Door>, CallError> {
        // The lock is held for plain operations only, which leave the map whole.
        let mut doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(door) = doors.get(&at) {
            return Ok(door.clone());
        }
        let (settings, api) = (self.settings.clone(), self.api.clone());
        let door = Arc::new(Door { settings, api, reads: Reads::new(Arc::new(self.open(at)?)), asking: Arc::default() });
        doors.insert(at, door.clone());
        Ok(door)
    }

    fn open(&self, at: IpAddr) -> Result<Api, CallError> {
        let Settings { service, limits, url, .. } = &*self.settings;
        let port = url.port_or_known_default().unwrap_or(443);
        let local =
            |error: &dyn std::fmt::Display| CallError::Local(format!("the client for `{service}` can't be made: {error}"));
        let base = Url::parse(&format!("https://{service}:{port}/")).map_err(|error| local(&error))?;
        let resolve = (service.as_str(), (at, port).into());
        Api::behind(base, resolve, self.access(), self.tls.clone(), limits.clone()).map_err(|error| local(&error))
    }

    /// The node's accounts with their budgets, counted apart.
    fn access(&self) -> Access {
        let Settings { site, node, credentials, second, accounts, .. } = &*self.settings;
        let sets = (credentials.clone(), second.clone());
        Access::new((site, &format!("service-{node}")), sets, accounts, self.clock.clone())
    }
}

impl Door {
    /// Asks when nobody else does. A caller that leaves before has asked nothing; one that leaves later is not needed.
    async fn ask_alone(self: Arc<Self>) -> Result<String, CallError> {
        let alone = self.asking.clone().lock_owned().await;
        to_its_end(async move {
            let answer = self.ask().await;
            drop(alone);
            answer
        })
        .await
    }

    async fn ask(&self) -> Result<String, CallError> {
        if !self.api.access.is_open().await {
            return Err(CallError::Denied("the node itself refuses access".to_owned()));
        }
        let found = match self.settings.editions {
            Editions::V2 => v2::health(&offered(self.reads.page(Page::Health).await?)?)?.identity,
            Editions::Auto | Editions::Xml => health::health(&self.reads.first(Reading::Health).await?)?.identity,
        };
        // Written as the site file has it, so that identities compare as texts.
        let known = [&self.settings.identity, &self.settings.peer.identity];
        Ok(known.into_iter().find(|known| known.eq_ignore_ascii_case(&found)).unwrap_or(&found).clone())
    }
}
