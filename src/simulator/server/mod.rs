//! The world over the network: each node over HTTPS in the vendor's interface, and a control interface for the rest.
//!
//! Both nodes listen on one common port at addresses of their own and carry the same certificate. Everything is bound to
//! loopback only. The world moves in run time: a task waits for its next event, and each call first brings it up to now.

mod access;
mod appliance;
mod certificate;
mod configuration;
mod control;
mod counts;
mod form;
pub mod generation;
mod kinds;
mod listen;
mod options;
mod pages;
mod rates;
mod reporting;
mod room;
mod serve;
mod shared;
mod tokens;
mod v2;
mod xml;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use self::appliance::NodeDoor;
use self::certificate::Certificate;
use self::control::ControlDoor;
use self::shared::{Shared, drive};
use super::world::World;
use crate::domain::ids::{NodeId, PerNode};

pub use self::options::{Resolver, SimulatorOptions};
pub use self::pages::words::Language;
pub use self::rates::{Busiest, Limits as RateLimits};
pub use self::reporting::Product;
pub use self::serve::{describe, serve};
pub use self::tokens::{LOCKED_AFTER, Logins};

/// How many ports are tried until one is free at both addresses.
const PORT_TRIES: usize = 32;

/// Why the simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{0} is not a loopback address; the simulator listens on loopback only")]
    NotLoopback(IpAddr),
    #[error("could not listen on {address}: {source}")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("no port was free on both {a} and {b} in {PORT_TRIES} tries")]
    NoCommonPort { a: IpAddr, b: IpAddr },
    #[error("could not make the pair's certificate: {0}")]
    Certificate(String),
    #[error("could not wait for the signal to stop: {0}")]
    Signal(std::io::Error),
}

/// A running simulator. Dropping it stops it too, without waiting.
pub struct Simulator {
    pub nodes: PerNode<SocketAddr>,
    /// The nodes' common port.
    pub port: u16,
    pub control: SocketAddr,
    pub service: String,
    pub identities: PerNode<String>,
    /// The certificate that both nodes carry; it is its own root.
    pub certificate_pem: String,
    /// `sha256/<base64>` of its public key.
    pub pin: String,
    /// Not brought up to now by itself: call `advance` after locking, or ask the control interface.
    pub world: Arc<Mutex<World>>,
    shared: Arc<Shared>,
    stop: CancellationToken,
    tasks: TaskTracker,
    _guard: DropGuard,
}

impl Simulator {
    /// Binds all addresses and begins to serve.
    ///
    /// # Errors
    /// See [`StartError`]; nothing is left running then.
    pub async fn start(options: SimulatorOptions) -> Result<Self, StartError> {
        only_loopback(&options)?;
        let hosts = PerNode::new(|node| format!("{node}.{}", options.service));
        let certificate = Certificate::new(names(&options, &hosts))?;
        let listeners = common_port(&options).await?;
        let nodes = PerNode { a: local(&listeners.a)?, b: local(&listeners.b)? };
        let control_listener = bind(options.control).await?;
        let control = local(&control_listener)?;
        let shared = Arc::new(Shared::new(&options, hosts, nodes));
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        spawn(&shared, listeners, control_listener, TlsAcceptor::from(certificate.config), &stop, &tasks);
        Ok(Self {
            nodes,
            port: nodes.a.port(),
            control,
            service: options.service,
            identities: options.world.identities,
            certificate_pem: certificate.pem,
            pin: certificate.pin,
            world: shared.world.clone(),
            shared,
            _guard: stop.clone().drop_guard(),
            stop,
            tasks,
        })
    }

    /// `https://127.0.1.1:40123`.
    pub fn url(&self, node: NodeId) -> String {
        format!("https://{}", self.nodes[node])
    }

    /// The world, brought up to now.
    pub fn current(&self) -> MutexGuard<'_, World> {
        self.shared.current()
    }

    /// How often each kind of call was made of either node; see `Counts`.
    pub fn calls(&self) -> BTreeMap<&'static str, u64> {
        self.shared.counts.all()
    }

    /// How often each order reached a node's pages, taken or not; `login` and `upload` too.
    pub fn presses(&self, node: NodeId) -> BTreeMap<&'static str, u64> {
        self.shared.pages(node).presses.clone()
    }

    /// The last package that came whole to a node's pages: its name, length and SHA-256.
    pub fn received(&self, node: NodeId) -> Option<(String, u64, String)> {
        let pages = self.shared.pages(node);
        pages.received.as_ref().map(|package| (package.name.clone(), package.bytes, package.sha256.clone()))
    }

    /// From now on this path of the node answers with this, under HTTP 200, whoever asks; `None`: as before.
    pub fn answer_instead(&self, node: NodeId, path: &str, answer: Option<(&str, Vec<u8>)>) {
        let mut instead = self.shared.instead(node);
        match answer {
            Some((kind, body)) => instead.insert(path.to_owned(), (kind.to_owned(), body.into())),
            None => instead.remove(path),
        };
    }

    /// How often each API account called, over both nodes.
    pub fn rates(&self) -> BTreeMap<String, Busiest> {
        self.shared.rates().all()
    }

    /// The logins of each API account at a node.
    pub fn logins(&self, node: NodeId) -> BTreeMap<String, Logins> {
        self.shared.logins(node)
    }

    /// Ends every token of a node, as a change of the account's secret does.
    pub fn revoke_tokens(&self, node: NodeId) {
        self.shared.tokens(node).revoke();
    }

    /// To be called, with no lock of the zone held, whenever the service's name has moved: dates the move exactly, where
    /// waiting for the next look at the name would date it up to 50 ms of machine time late.
    pub fn name_watcher(&self) -> Arc<dyn Fn() + Send + Sync> {
        let shared = self.shared.clone();
        Arc::new(move || drop(shared.current()))
    }

    /// Stops serving and waits until every task has ended.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

fn only_loopback(options: &SimulatorOptions) -> Result<(), StartError> {
    let addresses = [options.addresses.a, options.addresses.b, options.control.ip()];
    addresses.into_iter().find(|address| !address.is_loopback()).map_or(Ok(()), |address| Err(StartError::NotLoopback(address)))
}

fn spawn(
    shared: &Arc<Shared>,
    nodes: PerNode<TcpListener>,
    control: TcpListener,
    tls: TlsAcceptor,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) {
    for (address_of, listener) in [(NodeId::A, nodes.a), (NodeId::B, nodes.b)] {
        let door = Arc::new(NodeDoor { shared: shared.clone(), address_of });
        tasks.spawn(listen::serve(listener, Some(tls.clone()), door, stop.clone(), tasks.clone()));
    }
    let door = Arc::new(ControlDoor { shared: shared.clone() });
    tasks.spawn(listen::serve(control, None, door, stop.clone(), tasks.clone()));
    tasks.spawn(drive(shared.clone(), stop.clone()));
    tasks.close();
}

fn names(options: &SimulatorOptions, hosts: &PerNode<String>) -> Vec<String> {
    let PerNode { a, b } = options.addresses;
    vec![options.service.clone(), hosts.a.clone(), hosts.b.clone(), a.to_string(), b.to_string()]
}

async fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })
}

fn local(listener: &TcpListener) -> Result<SocketAddr, StartError> {
    let unknown = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    listener.local_addr().map_err(|source| StartError::Listen { address: unknown, source })
}

/// Binds both nodes to one port: the one asked for, or any that is free at both addresses.
async fn common_port(options: &SimulatorOptions) -> Result<PerNode<TcpListener>, StartError> {
    let PerNode { a, b } = options.addresses;
    if options.port != 0 {
        let first = bind(SocketAddr::from((a, options.port))).await?;
        return Ok(PerNode { a: first, b: bind(SocketAddr::from((b, options.port))).await? });
    }
    for _ in 0..PORT_TRIES {
        let first = bind(SocketAddr::from((a, 0))).await?;
        let port = local(&first)?.port();
        if let Ok(second) = bind(SocketAddr::from((b, port))).await {
            return Ok(PerNode { a: first, b: second });
        }
    }
    Err(StartError::NoCommonPort { a, b })
}
