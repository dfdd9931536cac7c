//! What the driver of one node must be told, and what it can't be made of.

use std::net::IpAddr;
use std::sync::Arc;

use secrecy::SecretString;
use url::Url;

use super::accounts::Accounts;
use super::client::Limits;
use super::console::settings::Settings as Pages;
use super::credentials::Credentials;
use super::edition::Editions;
use super::health::shown;
use super::product::Product;
use crate::domain::ids::NodeId;
use crate::drivers::tls::{TlsError, TlsTrust};

/// One node and how it is reached.
#[derive(Clone, Debug)]
pub struct Settings {
    pub site: String,
    pub node: NodeId,
    /// The box's own address, https; never the service's name.
    pub url: Url,
    /// Where the service's name points while this node serves.
    pub address: IpAddr,
    /// The host name that clients use.
    pub service: String,
    /// The box's GUID, 32 hex digits.
    pub identity: String,
    /// Which editions of the command API are asked.
    pub editions: Editions,
    pub credentials: Credentials,
    /// Tried once where the first set is refused.
    pub second: Option<Credentials>,
    /// Shared by all drivers of the process.
    pub accounts: Arc<Accounts>,
    /// Each backup is protected with it.
    pub backup_password: Option<SecretString>,
    pub tls: TlsTrust,
    pub peer: Peer,
    pub product: Product,
    /// Whether an extraction fetches recordings too.
    pub recordings: bool,
    pub limits: Limits,
    /// Hands at the pages; without them a person is told.
    pub console: Option<Pages>,
}

/// The other node, as instructions name it.
#[derive(Clone, Debug)]
pub struct Peer {
    pub url: Url,
    pub identity: String,
    /// Everything of it, where its pages may be used from this node's acts.
    pub console: Option<Box<Settings>>,
}

/// The settings can't make a driver.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("`url` of node `{node}` is `{found}`; expected `https://`, a host, and nothing more than a port")]
    Url { node: NodeId, found: String },
    #[error("`identity` of node `{node}` is `{found}`; expected the box's GUID, 32 hex digits, as `check_health` shows it")]
    Identity { node: NodeId, found: String },
    #[error("node `{node}`: {source}")]
    Tls { node: NodeId, source: TlsError },
    #[error("node `{node}`: the HTTP client can't be built: {source}")]
    Http { node: NodeId, source: reqwest::Error },
}

pub(super) fn check_url(node: NodeId, url: &Url) -> Result<(), SetupError> {
    let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if url.scheme() == "https" && url.host_str().is_some() && url.path() == "/" && plain {
        return Ok(());
    }
    // A password in the URL must not come into a message.
    Err(SetupError::Url { node, found: format!("{}://…", url.scheme()) })
}

pub(super) fn check_identity(node: NodeId, identity: &str) -> Result<(), SetupError> {
    if identity.len() == 32 && identity.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(());
    }
    Err(SetupError::Identity { node, found: shown(identity) })
}
