//! BeyondTrust (Bomgar) B Series appliances, with a person as hands (`hands = "operator"`).
//!
//! What the vendor's interfaces can do is done over them: reading (command API), backup, extraction (reporting API). The rest
//! has no interface: the answer to such an act is [`ActAnswer::ByOperator`] with exact instructions, and its effect is then
//! seen in the readings. The XML edition is used throughout, because it exists on both boxes also when only one is updated.
//! Each answer is tied to its box by the GUID in it; before an act over an interface without one, it is read anew.
//! Imports: ports and domain only.

mod backup;
mod client;
mod configuration;
mod download;
mod health;
mod instructions;
mod pace;
mod probe;
mod reader;
mod reporting;
mod sessions;
mod terminate;
mod token;
mod xml;

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use url::Url;

use self::client::{Api, CallError};
use self::probe::Probe;
use self::reader::{BoxReader, Reads};
use crate::domain::console;
use crate::domain::ids::NodeId;
use crate::domain::jump_clients::JumpClients;
use crate::domain::settings::Told;
use crate::domain::site::{Hands, Observation};
use crate::drivers::tls::{self, Names, TlsError, TlsTrust};
use crate::ports::{ActAnswer, Appliance, Clock, Intent, NodeAct, ReadError, Reader, Recall};

pub use self::client::Limits;

/// The vendor documents that an answer may be this old when asked for more than once a minute (for the v2 edition; assumed
/// for the XML edition too).
const CACHE_TIME: SignedDuration = SignedDuration::from_secs(60);

/// For all pages of Jump Clients together: 50 calls for 5,000 of them take some ten seconds at the pace of the interface.
const LONGEST_COUNT: Duration = Duration::from_secs(120);

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
    pub client_id: String,
    pub client_secret: SecretString,
    /// Each backup is protected with it.
    pub backup_password: Option<SecretString>,
    pub tls: TlsTrust,
    pub peer: Peer,
    pub limits: Limits,
}

/// The other node, as instructions name it.
#[derive(Clone, Debug)]
pub struct Peer {
    pub url: Url,
    pub identity: String,
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

/// The driver of one node.
pub struct BeyondTrust {
    settings: Arc<Settings>,
    reader: BoxReader,
    api: Arc<Api>,
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
        let tls = |names| tls::client_config(&settings.tls, names).map_err(|source| SetupError::Tls { node, source });
        let http = |source| SetupError::Http { node, source };
        let (id, secret) = (settings.client_id.clone(), settings.client_secret.clone());
        let api = Api::new(settings.url.clone(), id, secret, tls(Names::ByTrust)?, settings.limits.clone(), clock.clone())
            .map_err(http)?;
        let port = settings.url.port_or_known_default().unwrap_or(443);
        let probe = Probe::new(&settings.service, (settings.address, port).into(), tls(Names::Always)?, &settings.limits);
        let (api, settings) = (Arc::new(api), Arc::new(settings));
        let reader = BoxReader::new(settings.clone(), Reads::new(api.clone()), probe.map_err(http)?, clock.clone());
        Ok(Self { reader, api, clock, settings })
    }

    /// Does what has an interface, within the act's limit in run time; the rest is told to a person.
    async fn do_act(&self, intent: &Intent, act: &NodeAct) -> Result<ActAnswer, CallError> {
        match act {
            NodeAct::Backup { directory } => self.in_time(intent, self.backup(intent, directory)).await,
            NodeAct::ExtractData { since, until, directory } => {
                self.in_time(intent, self.extract(intent, *since, *until, directory)).await
            }
            NodeAct::EndSessions => self.in_time(intent, self.end_sessions()).await,
            NodeAct::Drain { .. } | NodeAct::Quiesce => Ok(self.by_operator(intent, act, self.counts().await)),
            _ => Ok(self.by_operator(intent, act, console::People::default())),
        }
    }

    fn by_operator(&self, intent: &Intent, act: &NodeAct, people: console::People) -> ActAnswer {
        let instructions = instructions::lines(&self.settings, &intent.run, act, people).unwrap_or_default();
        ActAnswer::ByOperator { instructions }
    }

    /// For the counts in an instruction; the instruction is given also without them.
    async fn counts(&self) -> console::People {
        let people = self.reader.people().await;
        people.map(|people| console::People { users: Some(people.users), sessions: people.sessions }).unwrap_or_default()
    }

    async fn backup(&self, intent: &Intent, directory: &Path) -> Result<ActAnswer, CallError> {
        self.check_box().await?;
        let file =
            backup::backup(&self.api, directory, &self.stem(intent, directory), self.settings.backup_password.as_ref()).await?;
        Ok(ActAnswer::Accepted { files: vec![file], records: None })
    }

    async fn extract(
        &self,
        intent: &Intent,
        since: Timestamp,
        until: Timestamp,
        directory: &Path,
    ) -> Result<ActAnswer, CallError> {
        self.check_box().await?;
        let extraction = reporting::extract(&self.api, since, until, directory, &self.stem(intent, directory)).await?;
        Ok(ActAnswer::Accepted { files: extraction.files, records: Some(extraction.sessions) })
    }

    async fn end_sessions(&self) -> Result<ActAnswer, CallError> {
        self.check_box().await?;
        let ended = terminate::end_sessions(&self.api, self.clock.now()).await?;
        tracing::info!(site = %self.settings.site, node = %self.settings.node, ended, "sessions were ended");
        Ok(ActAnswer::accepted())
    }

    fn stem(&self, intent: &Intent, directory: &Path) -> String {
        let Settings { site, node, .. } = &*self.settings;
        download::free_stem(directory, &format!("{site}-{node}-{}-{}", intent.run, self.clock.now().strftime("%Y%m%dT%H%M%SZ")))
    }

    /// R13: neither backup nor report shows which box gave it, so the GUID is read at the same address directly before.
    async fn check_box(&self) -> Result<(), CallError> {
        let found = self.reader.health().await?.identity;
        let expected = &self.settings.identity;
        if found == *expected {
            return Ok(());
        }
        Err(CallError::Unusable(format!("expected the box with GUID {expected}, found {found}; nothing was asked of it (R13)")))
    }

    /// The settings over the configuration API. Its answers carry no identity, so that is read first, at the same address.
    async fn list(&self) -> Result<Told, CallError> {
        self.check_box().await?;
        match self.reader.listing().await {
            // No right, another product, another form: it will not be told later either.
            Err(error @ (CallError::Denied(_) | CallError::Unusable(_))) => Ok(Told::Nothing { why: error.to_string() }),
            other => other.map(Told::Listing),
        }
    }

    /// R13: as for [`Self::list`].
    async fn count(&self) -> Result<JumpClients, CallError> {
        self.check_box().await?;
        match configuration::jump_clients(&self.api).await {
            Err(error @ (CallError::Denied(_) | CallError::Unusable(_))) => Ok(JumpClients::Untold { why: error.to_string() }),
            other => other,
        }
    }

    async fn in_time(
        &self,
        intent: &Intent,
        act: impl Future<Output = Result<ActAnswer, CallError>>,
    ) -> Result<ActAnswer, CallError> {
        let end = self.clock.now().checked_add(intent.limit).unwrap_or(Timestamp::MAX);
        tokio::select! {
            answer = act => answer,
            () = self.clock.sleep_until(end) => Err(CallError::Lost(format!("not done within the limit of {:#}", intent.limit))),
        }
    }

    /// Puts the node before what happened.
    fn named(&self, error: &CallError) -> String {
        format!("node `{}` of site `{}` at {}: {error}", self.settings.node, self.settings.site, self.settings.url)
    }
}

impl Reader for BeyondTrust {
    fn observe(&self) -> BoxFuture<'_, Result<Observation, ReadError>> {
        Box::pin(async {
            self.reader.read().await.map_err(|error| match error {
                CallError::Denied(_) => ReadError::Denied(self.named(&error)),
                _ => ReadError::Transient(self.named(&error)),
            })
        })
    }

    fn settings(&self) -> BoxFuture<'_, Result<Told, ReadError>> {
        Box::pin(async move {
            self.list().await.map_err(|error| match error {
                CallError::Denied(_) => ReadError::Denied(self.named(&error)),
                _ => ReadError::Transient(self.named(&error)),
            })
        })
    }

    fn jump_clients(&self) -> BoxFuture<'_, Result<JumpClients, ReadError>> {
        Box::pin(async move {
            let counted = client::within(LONGEST_COUNT, "no whole list of Jump Clients", self.count()).await;
            counted.map_err(|error| match error {
                CallError::Denied(_) => ReadError::Denied(self.named(&error)),
                _ => ReadError::Transient(self.named(&error)),
            })
        })
    }

    fn hands(&self) -> Hands {
        Hands::Console { url: self.settings.url.to_string() }
    }

    fn cache_time(&self) -> SignedDuration {
        CACHE_TIME
    }
}

impl Appliance for BeyondTrust {
    fn act<'a>(&'a self, intent: &'a Intent, act: &'a NodeAct) -> BoxFuture<'a, ActAnswer> {
        Box::pin(async move {
            let error = match self.do_act(intent, act).await {
                Ok(answer) => return answer,
                Err(error) => error,
            };
            let message = format!("{}: {}", act.verb(), self.named(&error));
            match error {
                CallError::NotReached(_) | CallError::Unavailable(_) => ActAnswer::Transient { message },
                CallError::Lost(_) => ActAnswer::Ambiguous { message },
                CallError::Denied(_) | CallError::Unusable(_) | CallError::Local(_) => ActAnswer::Refused { message },
            }
        })
    }

    fn recall<'a>(&'a self, intent: &'a Intent) -> BoxFuture<'a, Recall> {
        // Nothing of a call outlives the process. What a person does is not sent by us; the readings show it.
        let action = intent.step.split('.').nth(1).unwrap_or("");
        let recall = if matches!(action, "backup" | "extract_data") { Recall::MayBeSent } else { Recall::NeverSent };
        Box::pin(std::future::ready(recall))
    }
}

fn check_url(node: NodeId, url: &Url) -> Result<(), SetupError> {
    let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if url.scheme() == "https" && url.host_str().is_some() && url.path() == "/" && plain {
        return Ok(());
    }
    // A password in the URL must not come into a message.
    Err(SetupError::Url { node, found: format!("{}://…", url.scheme()) })
}

fn check_identity(node: NodeId, identity: &str) -> Result<(), SetupError> {
    if identity.len() == 32 && identity.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(());
    }
    Err(SetupError::Identity { node, found: health::shown(identity) })
}
