//! One small authoritative zone, served over UDP and TCP: A, AAAA, CNAME, SOA and NS, and RFC 2136 updates under one TSIG key.
//!
//! The zone lives in memory and is the truth that tests and the demo compare with: [`ZoneHandle::addresses_of`] says what
//! stands there without asking over the wire. Imports: nothing of ours.

mod data;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod serve;
mod tsig;
mod update;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hickory_proto::rr::Name;
use hickory_proto::rr::rdata::tsig::TsigAlgorithm;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use tokio::net::{TcpListener, UdpSocket};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use data::Data;

/// What a zone starts with.
#[derive(Debug)]
pub struct ZoneOptions {
    /// Where to serve, over UDP and TCP; port 0 picks one that is free on both.
    pub listen: SocketAddr,
    /// The zone's name, `example.com`.
    pub origin: String,
    pub serial: u32,
    pub records: Vec<ZoneRecord>,
    pub aliases: Vec<ZoneAlias>,
    /// Where the zone's NS records say that it is served too: as `ns2`, `ns3` and so on. Nothing is sent there.
    pub secondaries: Vec<IpAddr>,
    /// The names whose addresses or alias an update may change; empty: every name but the zone's own.
    pub updatable: Vec<String>,
    pub key: ZoneKey,
}

/// One address record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneRecord {
    pub name: String,
    pub address: IpAddr,
    pub ttl: u32,
}

/// One name that stands for another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneAlias {
    pub name: String,
    pub target: String,
    pub ttl: u32,
}

/// The one key under which updates are accepted.
#[derive(Debug)]
pub struct ZoneKey {
    pub name: String,
    /// `hmac-sha256`, `hmac-sha384` or `hmac-sha512`.
    pub algorithm: String,
    /// Base64, as in a BIND key file.
    pub secret: SecretString,
}

impl ZoneOptions {
    /// A zone on 127.0.1.53 at a free port, with serial 1 and no address records yet.
    pub fn new(origin: &str, key: ZoneKey) -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 1, 53)), 0),
            origin: origin.to_owned(),
            serial: 1,
            records: Vec::new(),
            aliases: Vec::new(),
            secondaries: Vec::new(),
            updatable: Vec::new(),
            key,
        }
    }

    /// Adds an address record.
    #[must_use]
    pub fn with(mut self, name: &str, address: IpAddr, ttl: u32) -> Self {
        self.records.push(ZoneRecord { name: name.to_owned(), address, ttl });
        self
    }
}

/// Why a zone could not be started or changed.
#[derive(Debug, thiserror::Error)]
pub enum ZoneError {
    #[error("`{0}` is not a domain name")]
    BadName(String),
    #[error("`{name}` lies outside the zone `{origin}`")]
    OutOfZone { name: String, origin: String },
    #[error("`{0}` is not a TSIG algorithm served here; expected hmac-sha256, hmac-sha384 or hmac-sha512")]
    BadAlgorithm(String),
    #[error("the TSIG secret of key `{0}` is not base64")]
    BadSecret(String),
    #[error("{0} is not a loopback address; the zone is served on loopback only")]
    NotLoopback(IpAddr),
    #[error("the zone can't be served at {address}: {source}")]
    Bind { address: SocketAddr, source: std::io::Error },
}

/// The zone; [`Zone::start`] is all there is.
pub struct Zone;

impl Zone {
    /// Starts serving and returns once queries are answered.
    ///
    /// # Errors
    /// A bad name, key or algorithm, or no port that is free over both UDP and TCP.
    pub async fn start(options: ZoneOptions) -> Result<ZoneHandle, ZoneError> {
        if !options.listen.ip().is_loopback() {
            return Err(ZoneError::NotLoopback(options.listen.ip()));
        }
        let (udp, tcp, address) = bind(options.listen).await?;
        let data = Data::new(&options, address.ip())?;
        let shared = Arc::new(Shared { data: Mutex::new(data), key: Key::read(options.key)?, watcher: OnceLock::new() });
        let handle = ZoneHandle { address, shared, stop: CancellationToken::new(), tasks: TaskTracker::new() };
        handle.tasks.spawn(handle.stop.clone().run_until_cancelled_owned(serve::udp(handle.shared.clone(), udp)));
        handle.tasks.spawn(handle.stop.clone().run_until_cancelled_owned(serve::tcp(handle.shared.clone(), tcp)));
        handle.tasks.close();
        Ok(handle)
    }
}

/// A running zone; dropping it ends the serving.
pub struct ZoneHandle {
    /// Where it is served, over UDP and TCP.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl ZoneHandle {
    /// The addresses (A and AAAA) that stand at `name` now; none for a name that is not there.
    pub fn addresses_of(&self, name: &str) -> Vec<IpAddr> {
        parse_name(name).map(|name| self.shared.data().addresses_of(&name)).unwrap_or_default()
    }

    /// The SOA serial now.
    pub fn serial(&self) -> u32 {
        self.shared.data().serial()
    }

    /// Makes `address` the only address of its family at `name`, as somebody else's change would.
    ///
    /// # Repeat
    /// Safe; the serial moves only if something changed.
    ///
    /// # Errors
    /// A name that is no domain name or lies outside the zone.
    pub fn set(&self, name: &str, address: IpAddr, ttl: u32) -> Result<(), ZoneError> {
        self.shared.data().set(&ZoneRecord { name: name.to_owned(), address, ttl })?;
        self.shared.changed();
        Ok(())
    }

    /// Adds `address` beside those that stand at `name`; all take the new TTL.
    ///
    /// # Errors
    /// As [`ZoneHandle::set`].
    pub fn add(&self, name: &str, address: IpAddr, ttl: u32) -> Result<(), ZoneError> {
        self.shared.data().add(&ZoneRecord { name: name.to_owned(), address, ttl })?;
        self.shared.changed();
        Ok(())
    }

    /// Calls `watcher` after every change, before the change is answered; it may look at the zone. Only the first one is kept.
    pub fn on_change(&self, watcher: Arc<dyn Fn() + Send + Sync>) {
        // A second one has no use: one simulated pair lives on a zone.
        let _ = self.shared.watcher.set(watcher);
    }

    /// Ends the serving and returns when both sockets are closed.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

impl Drop for ZoneHandle {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// What the serving tasks work on.
struct Shared {
    data: Mutex<Data>,
    key: Key,
    watcher: OnceLock<Arc<dyn Fn() + Send + Sync>>,
}

impl Shared {
    /// The lock is held for a few lookups in memory only. A task that panicked under it left complete data behind, because
    /// an update replaces the sets in one assignment.
    fn data(&self) -> MutexGuard<'_, Data> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be called without the lock.
    fn changed(&self) {
        if let Some(watcher) = self.watcher.get() {
            watcher();
        }
    }
}

/// The key, ready to use.
struct Key {
    name: Name,
    algorithm: TsigAlgorithm,
    secret: SecretBox<Vec<u8>>,
}

impl Key {
    fn read(key: ZoneKey) -> Result<Self, ZoneError> {
        let algorithm = match key.algorithm.as_str() {
            "hmac-sha256" => TsigAlgorithm::HmacSha256,
            "hmac-sha384" => TsigAlgorithm::HmacSha384,
            "hmac-sha512" => TsigAlgorithm::HmacSha512,
            _ => return Err(ZoneError::BadAlgorithm(key.algorithm)),
        };
        let secret = STANDARD.decode(key.secret.expose_secret().trim()).map_err(|_| ZoneError::BadSecret(key.name.clone()))?;
        Ok(Self { name: parse_name(&key.name)?, algorithm, secret: SecretBox::new(Box::new(secret)) })
    }
}

fn parse_name(text: &str) -> Result<Name, ZoneError> {
    let mut name = Name::from_str(text).map_err(|_| ZoneError::BadName(text.to_owned()))?;
    name.set_fqdn(true);
    Ok(name)
}

/// Binds both sockets to one port. A port that the system picked for TCP may be taken over UDP, so a few are tried.
async fn bind(listen: SocketAddr) -> Result<(UdpSocket, TcpListener, SocketAddr), ZoneError> {
    let mut tries = if listen.port() == 0 { PORT_TRIES } else { 1 };
    loop {
        tries -= 1;
        match bind_once(listen).await {
            Err(source) if tries == 0 => return Err(ZoneError::Bind { address: listen, source }),
            Err(_) => {}
            Ok(bound) => return Ok(bound),
        }
    }
}

async fn bind_once(listen: SocketAddr) -> std::io::Result<(UdpSocket, TcpListener, SocketAddr)> {
    let tcp = TcpListener::bind(listen).await?;
    let address = tcp.local_addr()?;
    Ok((UdpSocket::bind(address).await?, tcp, address))
}

/// A port free over TCP is nearly always free over UDP too; ten misses in a row mean that something else is wrong.
const PORT_TRIES: u32 = 10;
