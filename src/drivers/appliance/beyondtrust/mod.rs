//! BeyondTrust (Bomgar) B Series appliances.
//!
//! What the vendor's interfaces can do is done over them: reading (command API), backup, extraction (reporting API). The rest
//! has no interface: it is done at the vendor's pages (`hands = "console"`, see [`console`]), or the answer to such an act is
//! [`ActAnswer::ByOperator`] with exact instructions (`hands = "operator"`, and whenever the pages show something unexpected).
//! Its effect is then seen in the readings either way. The XML edition is the base, because it exists
//! on both boxes also when only one is updated; where a box has the JSON edition too, both are asked and must agree.
//! Each answer is tied to its box by the GUID in it; before an act over an interface without one, it is read anew.
//! Imports: ports and domain only.

mod access;
mod accounts;
mod answer;
mod backup;
mod budget;
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
mod recordings;
mod reporting;
mod sessions;
mod single;
mod slices;
mod table;
mod terminate;
mod token;
mod v2;
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

use self::access::Access;
use self::answer::CallError;
use self::client::Api;
use self::console::{Console, Outcome};
use self::extraction::{Extraction, Order};
use self::front::Front;
use self::health::Health;
use self::manifest::Source;
use self::pinned::Pinned;
use self::probe::Probe;
use self::reader::{BoxReader, Reads};
use crate::domain::action::Kind;
use crate::domain::console::People;
use crate::domain::ids::NodeId;
use crate::domain::jump_clients::JumpClients;
use crate::domain::limit;
use crate::domain::listing::Told;
use crate::domain::site::{Hands, Observation};
use crate::drivers::tls::{self, Names, TlsError, TlsTrust};
use crate::ports::{ActAnswer, Appliance, Clock, Intent, NodeAct, ProducedFile, ReadError, Reader, Recall};

pub use self::accounts::Accounts;
pub use self::budget::Share;
pub use self::client::Limits;
pub use self::credentials::{Account, Credentials};
pub use self::edition::Editions;
pub use self::product::Product;

/// The vendor documents that an answer may be this old when asked for more than once a minute (for the v2 edition; assumed
/// for the XML edition too). Where both are asked either may be, so a reading is never taken for younger.
const CACHE_TIME: SignedDuration = SignedDuration::from_secs(60);

/// For a list of all settings, some hundred short calls.
const LISTING_TIME: SignedDuration = SignedDuration::from_mins(10);
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
    pub console: Option<console::Settings>,
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

    /// Does what has an interface, within the act's limit in run time; the rest is told to a person.
    async fn do_act(&self, intent: &Intent, act: &NodeAct) -> Result<ActAnswer, CallError> {
        match act {
            NodeAct::Backup { directory } => self.in_time(intent, self.backup(intent, directory)).await,
            NodeAct::ExtractData { since, until, directory } => {
                self.in_time(intent, self.extract(intent, *since, *until, directory)).await
            }
            NodeAct::EndSessions => self.in_time(intent, self.end_sessions()).await,
            NodeAct::Drain { .. } | NodeAct::Quiesce => Ok(self.by_operator(intent, act, self.counts().await)),
            _ => Ok(self.at_the_pages(intent, act).await),
        }
    }

    /// By the console, or by a person who is told what the pages showed instead.
    async fn at_the_pages(&self, intent: &Intent, act: &NodeAct) -> ActAnswer {
        let outcome = match &self.console {
            Some(console) => console.act(intent, act, &*self.clock).await,
            None => None,
        };
        let said = |what: String| format!("{}: {}", act.verb(), self.named(&what));
        match outcome {
            None => self.by_operator(intent, act, People::default()),
            Some(Outcome::Pressed) => ActAnswer::accepted(),
            Some(Outcome::Refused(what)) => ActAnswer::Refused { message: said(what) },
            Some(Outcome::NotReached(what)) => ActAnswer::Transient { message: said(what) },
            Some(Outcome::InDoubt(what)) => ActAnswer::Ambiguous { message: said(what) },
            Some(Outcome::ByOperator(what)) => {
                let Settings { site, node, .. } = &*self.settings;
                tracing::warn!(%site, %node, act = act.verb(), found = %what, "the pages are left to a person");
                let mut answer = self.by_operator(intent, act, People::default());
                if let ActAnswer::ByOperator { instructions } = &mut answer {
                    instructions
                        .push(format!("{}. The daemon went to the pages itself and gave up: {what}.", instructions.len() + 1));
                }
                answer
            }
        }
    }

    fn by_operator(&self, intent: &Intent, act: &NodeAct, people: People) -> ActAnswer {
        let instructions = instructions::lines(&self.settings, &intent.run, act, people).unwrap_or_default();
        ActAnswer::ByOperator { instructions }
    }

    /// For the counts in an instruction; the instruction is given also without them.
    async fn counts(&self) -> People {
        let people = self.reader.people().await;
        people.map(|people| People { users: Some(people.users), sessions: people.sessions }).unwrap_or_default()
    }

    async fn backup(&self, intent: &Intent, directory: &Path) -> Result<ActAnswer, CallError> {
        let file = self.backup_of_one_box(directory, |_| self.stem(intent, directory)).await?;
        Ok(ActAnswer::with_files(vec![file], None))
    }

    /// R13: the box is asked who it is before, and again before the file is kept.
    async fn backup_of_one_box(
        &self,
        directory: &Path,
        stem: impl FnOnce(&Health) -> String + Send,
    ) -> Result<ProducedFile, CallError> {
        let pinned = Pinned::new(&self.settings, &self.api).await?;
        let stem = stem(&pinned.check().await?);
        let file = backup::backup(&pinned.api, directory, &stem, self.settings.backup_password.as_ref()).await?;
        pinned.check().await?;
        file.keep()
    }

    async fn extract(
        &self,
        intent: &Intent,
        since: Timestamp,
        until: Timestamp,
        directory: &Path,
    ) -> Result<ActAnswer, CallError> {
        let pinned = Pinned::new(&self.settings, &self.api).await?;
        let health = pinned.check().await?;
        let Settings { site, node, product, recordings, .. } = &*self.settings;
        let source = Source {
            site: site.clone(),
            node: node.to_string(),
            run: intent.run.to_string(),
            identity: health.identity.clone(),
            version: health.version.to_string(),
            build: health.build.clone(),
        };
        let (api, clock, product, recordings) = (&pinned.api, &*self.clock, *product, *recordings);
        let order = Order { api, clock, product, recordings, since, until, directory, source };
        let fetched = extraction::extract(&order).await?;
        if let Err(error) = pinned.is_still(&health).await {
            // What another box may have answered is of no use to the next attempt either.
            return Err(if matches!(error, CallError::Unusable(_)) { fetched.disown(error) } else { error });
        }
        let Extraction { files, sessions, bytes, missing } = fetched.complete().await?;
        Ok(ActAnswer::Accepted { files, records: Some(sessions), bytes: Some(bytes), missing })
    }

    async fn end_sessions(&self) -> Result<ActAnswer, CallError> {
        let pinned = Pinned::new(&self.settings, &self.api).await?;
        let health = pinned.check().await?;
        let by_v2 = self.reader.ends_sessions_by_v2(&health).await?;
        let ended = terminate::end_sessions(&pinned.api, self.settings.product, self.clock.now(), by_v2).await?;
        tracing::info!(site = %self.settings.site, node = %self.settings.node, ended, "sessions were ended");
        Ok(ActAnswer::accepted())
    }

    fn stem(&self, intent: &Intent, directory: &Path) -> String {
        let Settings { site, node, .. } = &*self.settings;
        download::free_stem(directory, &format!("{site}-{node}-{}-{}", intent.run, self.clock.now().strftime("%Y%m%dT%H%M%SZ")))
    }

    /// R13: the lists of the configuration API don't show which box gave them, so the GUID is read directly before.
    async fn check_box(&self) -> Result<Health, CallError> {
        let health = self.reader.health().await?;
        let (found, expected) = (&health.identity, &self.settings.identity);
        if found == expected {
            return Ok(health);
        }
        Err(CallError::Unusable(format!("expected the box with GUID {expected}, found {found}; nothing was asked of it (R13)")))
    }

    /// The settings over the configuration API. Its answers carry no identity, so that is read first, at the same address.
    async fn list(&self) -> Result<Told, CallError> {
        self.check_box().await?;
        // A list can wait for its turn, but the look that asks for it must end.
        let end = self.clock.now().checked_add(LISTING_TIME).unwrap_or(Timestamp::MAX);
        let listing = tokio::select! {
            listing = self.reader.listing() => listing,
            () = self.clock.sleep_until(end) => {
                let limit = format!("the list was not there within {LISTING_TIME:#}, waits for the account's budget included");
                Err(CallError::Unavailable(limit))
            }
        };
        let by_user = self.settings.credentials.login == credentials::Login::Password;
        match listing {
            Ok(Some(listing)) => Ok(Told::Listing(listing)),
            // No right, another product: it will not be told later either.
            Ok(None) => Ok(Told::Nothing { why: "the box offers none of the lists that are asked for".to_owned() }),
            Err(error @ CallError::Denied(_)) => Ok(Told::Nothing { why: error.to_string() }),
            // The configuration API never knew this login.
            Err(error @ CallError::Unusable(_)) if by_user => Ok(Told::Nothing { why: error.to_string() }),
            // Another form, an error in its place: somebody has to know.
            Err(error @ CallError::Unusable(_)) => Ok(Told::Unread { why: error.to_string() }),
            Err(error) => Err(error),
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
            () = self.clock.sleep_until(end) => Err(CallError::Lost(format!("not done within {}", limit_told(intent)))),
        }
    }

    /// Puts the node before what happened.
    fn named(&self, error: &dyn std::fmt::Display) -> String {
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

    fn who_answers(&self, at: Option<IpAddr>) -> BoxFuture<'_, Option<String>> {
        Box::pin(self.front.who_answers(at.unwrap_or(self.settings.address)))
    }

    fn shared_ips(&self) -> BoxFuture<'_, Result<Option<Vec<IpAddr>>, ReadError>> {
        Box::pin(async {
            let health = self.reader.facts().await.map_err(|error| ReadError::Transient(self.named(&error)))?;
            if health.identity != self.settings.identity {
                return Err(ReadError::Transient(format!("another box answers at node `{}`", self.settings.node)));
            }
            Ok(Some(health.shared_ips))
        })
    }

    fn access_may_have_changed(&self, by_person: bool) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            match by_person {
                true => self.api.access.reopen().await,
                false => self.api.access.retest().await,
            }
            self.front.forget();
        })
    }

    fn jump_clients(&self) -> BoxFuture<'_, Result<JumpClients, ReadError>> {
        Box::pin(async move {
            let counted = answer::within(LONGEST_COUNT, "no whole list of Jump Clients", self.count()).await;
            counted.map_err(|error| match error {
                CallError::Denied(_) => ReadError::Denied(self.named(&error)),
                _ => ReadError::Transient(self.named(&error)),
            })
        })
    }

    fn hands(&self) -> Hands {
        Hands::Console { url: self.settings.url.to_string(), driven: self.console.is_some() }
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
                CallError::NotReached(_) | CallError::Unavailable(_) | CallError::Limited(_) => ActAnswer::Transient { message },
                CallError::Lost(_) => ActAnswer::Ambiguous { message },
                CallError::Denied(_) | CallError::Unusable(_) | CallError::Local(_) => ActAnswer::Refused { message },
            }
        })
    }

    fn recall<'a>(&'a self, intent: &'a Intent) -> BoxFuture<'a, Recall> {
        // Nothing of a call outlives the process. What a person does is not sent by us; the readings show it.
        Box::pin(async move {
            match (intent.step.split('.').nth(1), &self.console) {
                (Some("backup" | "extract_data"), _) => Recall::MayBeSent,
                (_, Some(console)) => console.recall(intent).await,
                (_, None) => Recall::NeverSent,
            }
        })
    }
}

/// The limit of the step that an intent belongs to, in words.
fn limit_told(intent: &Intent) -> String {
    let kind = intent.step.split('.').nth(1).and_then(|action| action.parse::<Kind>().ok());
    kind.map_or_else(|| format!("{:#}", intent.limit), |kind| limit::of(kind, intent.limit))
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
