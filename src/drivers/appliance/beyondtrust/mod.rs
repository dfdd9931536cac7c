//! BeyondTrust (Bomgar) B Series appliances.
//!
//! What the vendor's interfaces can do is done over them: reading (command API), backup, extraction (reporting API). The rest
//! has no interface: it is done at the vendor's pages (`hands = "console"`, see [`console`]), or the answer to such an act is
//! [`ActAnswer::ByOperator`] with exact instructions (`hands = "operator"`, and whenever the pages show something unexpected).
//! Its effect is then seen in the readings either way. The XML edition is the base, because it exists
//! on both boxes also when only one is updated; where a box has the JSON edition too, both are asked and must agree.
//! Each answer is tied to its box by the GUID in it; before an act over an interface without one, it is read anew.
//! Imports: ports and domain only.
//!
//! Here is how a driver is put together. What it reads stands in `readings`, what it does in `acts`.
//!
//! [`ActAnswer::ByOperator`]: crate::ports::ActAnswer::ByOperator

mod access;
mod accounts;
mod acts;
mod answer;
mod backup;
mod budget;
mod call;
mod changes;
mod client;
mod configuration;
pub mod console;
mod credentials;
mod download;
mod edition;
mod extraction;
mod front;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod health;
mod instructions;
mod lsids;
mod manifest;
mod old_login;
mod pinned;
mod private;
mod probe;
mod product;
mod reader;
mod readings;
mod recordings;
mod reporting;
mod sessions;
mod settings;
mod single;
mod slices;
mod table;
mod terminate;
mod token;
mod v2;
mod xml;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::access::Access;
use self::client::Api;
use self::console::Console;
use self::front::Front;
use self::probe::Probe;
use self::reader::{BoxReader, Reads};
use self::settings::{check_identity, check_url};
use crate::drivers::tls::{self, Names};
use crate::ports::Clock;

pub use self::accounts::Accounts;
pub use self::budget::Share;
pub use self::client::Limits;
pub use self::credentials::{Account, Credentials};
pub use self::edition::Editions;
pub use self::product::Product;
pub use self::settings::{Peer, Settings, SetupError};

/// The driver of one node.
pub struct BeyondTrust {
    settings: Arc<Settings>,
    reader: BoxReader,
    front: Front,
    api: Arc<Api>,
    console: Option<Console>,
    clock: Arc<dyn Clock>,
}

impl BeyondTrust {
    /// Makes the driver; calls nobody.
    ///
    /// # Errors
    /// See [`SetupError`].
    pub fn new(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, SetupError> {
        let node = settings.node;
        check_url(node, &settings.url)?;
        check_identity(node, &settings.identity)?;
        let api = api(&settings, &clock)?;
        let port = settings.url.port_or_known_default().unwrap_or(443);
        let doors = tls(&settings, Names::Always)?;
        let probe = Probe::new(&settings.service, (settings.address, port).into(), doors.clone(), &settings.limits);
        let probe = probe.map_err(|source| SetupError::Http { node, source })?;
        let console = hands(&settings, &api, &clock)?;
        let settings = Arc::new(settings);
        let front = Front::new(settings.clone(), doors, clock.clone(), api.clone());
        let reader = BoxReader::new(settings.clone(), Reads::new(api.clone()), probe, clock.clone());
        Ok(Self { reader, front, api, console, clock, settings })
    }

    /// Puts the node before what happened.
    fn named(&self, error: &dyn std::fmt::Display) -> String {
        format!("node `{}` of site `{}` at {}: {error}", self.settings.node, self.settings.site, self.settings.url)
    }
}

fn tls(settings: &Settings, names: Names) -> Result<rustls::ClientConfig, SetupError> {
    tls::client_config(&settings.tls, names).map_err(|source| SetupError::Tls { node: settings.node, source })
}

fn api(settings: &Settings, clock: &Arc<dyn Clock>) -> Result<Arc<Api>, SetupError> {
    let tls = tls(settings, Names::ByTrust)?;
    let api = Api::new(settings.url.clone(), access(settings, clock), tls, settings.limits.clone());
    Ok(Arc::new(api.map_err(|source| SetupError::Http { node: settings.node, source })?))
}

fn hands(settings: &Settings, own: &Arc<Api>, clock: &Arc<dyn Clock>) -> Result<Option<Console>, SetupError> {
    let Some(console) = settings.console.clone() else { return Ok(None) };
    let peer = match settings.peer.console.as_deref() {
        Some(peer) => peer.console.clone().map(|console| Ok((peer, console, api(peer, clock)?))).transpose()?,
        None => None,
    };
    Ok(Some(Console::new(settings, console, own.clone(), peer)))
}

fn access(settings: &Settings, clock: &Arc<dyn Clock>) -> Access {
    let sets = (settings.credentials.clone(), settings.second.clone());
    Access::new((&settings.site, settings.node.as_str()), sets, &settings.accounts, clock.clone())
}
