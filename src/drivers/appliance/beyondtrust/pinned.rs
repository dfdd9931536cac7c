//! One box at one address, for as long as an act takes (R13).
//!
//! Neither a backup nor a report shows which box gave it. So its name is looked up once, every call of the act goes to the first
//! of its addresses that takes a connection, and the box is asked there who it is, before the first call and after the last.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

use super::answer::CallError;
use super::client::Api;
use super::edition::Editions;
use super::health::{self, Health};
use super::reader::offered;
use super::settings::Settings;
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
    /// `NotReached` where the name has no address, or several of which none takes a connection.
    pub async fn new(settings: &'a Settings, api: &Api) -> Result<Self, CallError> {
        let tls = tls::client_config(&settings.tls, Names::ByTrust).map_err(|error| CallError::Local(error.to_string()))?;
        let address = reachable(&settings.url, settings.limits.connect).await.map_err(CallError::NotReached)?;
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

/// The socket address of a box, looked up once: of several, the first that takes a connection within `limit`.
///
/// # Errors
/// Why there is none, each address named.
pub async fn reachable(url: &Url, limit: Duration) -> Result<SocketAddr, String> {
    let unknown = |what: String| format!("`{url}` was not found: {what}");
    let found = timeout(limit, look_up(url)).await.map_err(|_| unknown(format!("no answer within {limit:?}")))?;
    match found.map_err(|error| unknown(error.to_string()))?.as_slice() {
        [] => Err(unknown("it has no address".to_owned())),
        // The act's own first call tells whether it answers.
        [only] => Ok(*only),
        several => first_that_connects(several, limit).await.map_err(|why| format!("`{url}` was not reached: {why}")),
    }
}

async fn look_up(url: &Url) -> std::io::Result<Vec<SocketAddr>> {
    let port = url.port_or_known_default().unwrap_or(443);
    let Some(host) = url.host_str() else { return Ok(Vec::new()) };
    Ok(tokio::net::lookup_host((host.trim_matches(['[', ']']), port)).await?.collect())
}

/// In the order of the resolver, as the readings' client goes through them.
async fn first_that_connects(addresses: &[SocketAddr], limit: Duration) -> Result<SocketAddr, String> {
    let mut failed = Vec::new();
    for address in addresses {
        match timeout(limit, TcpStream::connect(address)).await {
            Ok(Ok(_)) => return Ok(*address),
            Ok(Err(error)) => failed.push(format!("{address}: {error}")),
            Err(_) => failed.push(format!("{address}: no connection within {limit:?}")),
        }
    }
    Err(format!("none of its {} addresses takes a connection ({})", failed.len(), failed.join("; ")))
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    /// A port that is taken and at which nobody listens.
    struct Refusing(TcpSocket);

    impl Refusing {
        fn new() -> Self {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
            Self(socket)
        }

        fn address(&self) -> SocketAddr {
            self.0.local_addr().unwrap()
        }
    }

    #[tokio::test]
    async fn r13_of_several_addresses_the_first_that_takes_a_connection_is_used() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (here, limit) = (listener.local_addr().unwrap(), Duration::from_secs(10));
        let taken = [Refusing::new(), Refusing::new()];
        let [one, other] = [taken[0].address(), taken[1].address()];
        for addresses in [vec![here, one], vec![one, here], vec![one, other, here]] {
            assert_eq!(first_that_connects(&addresses, limit).await, Ok(here), "{addresses:?}");
        }
        let why = first_that_connects(&[one, other], limit).await.unwrap_err();
        assert!([one, other].iter().all(|address| why.contains(&address.to_string())), "{why}");
    }

    /// What has one address is not called here: the act's first call is.
    #[tokio::test]
    async fn an_only_address_is_not_tried() {
        let taken = Refusing::new();
        let address = taken.address();
        let url = format!("https://{address}/").parse().unwrap();
        assert_eq!(reachable(&url, Duration::from_secs(10)).await, Ok(address));
    }
}
