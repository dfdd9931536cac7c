//! One box at one address, for as long as an act takes (R13).
//!
//! Neither a backup nor a report shows which box gave it. So its name is looked up once, every call of the act goes to the
//! address that was found, and the box is asked there who it is, before the first call and after the last.

use std::net::SocketAddr;

use url::Url;

use super::Settings;
use super::answer::{CallError, within};
use super::client::Api;
use super::edition::Editions;
use super::health::{self, Health};
use super::reader::offered;
use super::v2::{self, Page};
use crate::drivers::tls::{self, Names};

/// The calls of one act.
pub struct Pinned<'a> {
    settings: &'a Settings,
    /// Calls this address only, wherever the name leads later.
    pub api: Api,
}

impl<'a> Pinned<'a> {
    /// Looks the box's name up; calls nobody yet.
    ///
    /// # Errors
    /// `NotReached` where the name has no address.
    pub async fn new(settings: &'a Settings, api: &Api) -> Result<Self, CallError> {
        let tls = tls::client_config(&settings.tls, Names::ByTrust).map_err(|error| CallError::Local(error.to_string()))?;
        let unknown = |what: String| CallError::NotReached(format!("`{}` was not found: {what}", settings.url));
        let found = within(settings.limits.connect, "no address", async {
            look_up(&settings.url).await.map_err(|error| unknown(error.to_string()))
        });
        let address = found.await.map_err(|error| unknown(error.to_string()))?.ok_or_else(|| unknown("no address".to_owned()))?;
        let api = api.at(tls, (settings.url.host_str().unwrap_or_default(), address));
        let api = api.map_err(|error| CallError::Local(format!("the HTTP client can't be built: {error}")))?;
        Ok(Self { settings, api })
    }

    /// The health of the box at this address.
    ///
    /// # Errors
    /// `Unusable` names the other box that answers there.
    pub async fn check(&self) -> Result<Health, CallError> {
        let health = health_at(&self.api, self.settings.editions).await?;
        let expected = &self.settings.identity;
        if health.identity.eq_ignore_ascii_case(expected) {
            return Ok(Health { identity: expected.clone(), ..health });
        }
        let found = &health.identity;
        Err(CallError::Unusable(format!("expected the box with GUID {expected}, found {found}; nothing of it is used (R13)")))
    }

    /// Asks again when everything is there.
    ///
    /// # Errors
    /// As [`Pinned::check`]; `Unusable` also where the box runs something else than before: what it answered may be of either.
    pub async fn is_still(&self, before: &Health) -> Result<(), CallError> {
        let after = self.check().await?;
        if (&after.version, &after.build) == (&before.version, &before.build) {
            return Ok(());
        }
        let told = |health: &Health| format!("{} ({})", health.version, health.build.as_deref().unwrap_or("no build"));
        Err(CallError::Unusable(format!(
            "expected one version from the first call to the last, found {} and then {}; nothing of it is used (R13)",
            told(before),
            told(&after)
        )))
    }
}

/// Asks for a box's health by the edition that is asked first.
///
/// # Errors
/// As any call.
pub async fn health_at(api: &Api, editions: Editions) -> Result<Health, CallError> {
    Ok(match editions {
        Editions::V2 => v2::health(&offered(api.reading(|token| v2::get(api, token, Page::Health)).await?)?)?,
        Editions::Auto | Editions::Xml => health::health(&api.command("check_health").await?)?,
    })
}

/// The socket address of a box, looked up once.
pub async fn look_up(url: &Url) -> std::io::Result<Option<SocketAddr>> {
    let port = url.port_or_known_default().unwrap_or(443);
    let Some(host) = url.host_str() else { return Ok(None) };
    Ok(tokio::net::lookup_host((host.trim_matches(['[', ']']), port)).await?.next())
}
