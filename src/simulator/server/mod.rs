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
mod listen;
mod pages;
mod rates;
mod reporting;
mod serve;
mod tokens;
mod v2;
mod xml;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::domain::ids::{NodeId, PerNode};
use crate::domain::version::Version;
use crate::ports::Clock;

use self::access::OldUser;
use self::appliance::NodeDoor;
use self::certificate::Certificate;
use self::control::ControlDoor;
use self::counts::Counts;
use self::generation::{Generation, Login};
use self::pages::Pages;
use self::rates::Rates;
pub use self::rates::{Busiest, Limits as RateLimits};
use self::tokens::{Account, Tokens};
pub use self::tokens::{LOCKED_AFTER, Logins};
use super::faults::{Fault, Planned};
use super::world::{World, WorldOptions, lock};
pub use pages::Language;
pub use reporting::Product;
pub use serve::{describe, serve};

/// How often the name's target is asked for while nothing else happens, machine time: a gap in the service is dated this exactly.
const NAME_POLL: Duration = Duration::from_millis(50);
/// How many ports are tried until one is free at both addresses.
const PORT_TRIES: usize = 32;

/// Tells where the service's name leads now.
pub type Resolver = Arc<dyn Fn() -> Option<NodeId> + Send + Sync>;

/// How a simulator is set up.
#[derive(Clone)]
pub struct SimulatorOptions {
    pub addresses: PerNode<IpAddr>,
    /// The common port of both nodes; 0 picks one.
    pub port: u16,
    /// The control interface; port 0 picks one.
    pub control: SocketAddr,
    /// The name that users and clients use.
    pub service: String,
    /// Of the API account; releases before 16.1 take it as a user's name, and its secret as the password.
    pub client_id: String,
    pub client_secret: SecretString,
    /// The user of the pages, `/login` and `/appliance` alike.
    pub username: String,
    pub password: SecretString,
    /// The language of each node's pages.
    pub languages: PerNode<Language>,
    pub product: Product,
    /// A second API account at both nodes, by client id and secret.
    pub second_client: Option<(String, SecretString)>,
    /// What an account may call; beyond it the answer is 429.
    pub rates: RateLimits,
    /// Life of the API's tokens, machine time.
    pub token_lifetime: Duration,
    /// Health answers are up to 60 s old, as the vendor says.
    pub health_cached: bool,
    pub world: WorldOptions,
    pub clock: Arc<dyn Clock>,
    /// Where the service's name leads; without it the control interface says so, at first the primary.
    pub leads_to: Option<Resolver>,
}

impl SimulatorOptions {
    /// A linked pair on 127.0.1.1 and 127.0.1.2 for `support.example.com`, its history beginning now.
    pub fn new(clock: Arc<dyn Clock>, client_secret: SecretString, from: Version, to: Version) -> Self {
        Self {
            addresses: PerNode { a: IpAddr::V4(Ipv4Addr::new(127, 0, 1, 1)), b: IpAddr::V4(Ipv4Addr::new(127, 0, 1, 2)) },
            port: 0,
            control: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            service: "support.example.com".to_owned(),
            client_id: "changeover".to_owned(),
            username: "admin".to_owned(),
            password: client_secret.clone(),
            languages: PerNode::default(),
            product: Product::default(),
            client_secret,
            second_client: None,
            rates: RateLimits::default(),
            token_lifetime: tokens::LIFETIME,
            health_cached: true,
            world: WorldOptions::new(clock.now(), from, to),
            clock,
            leads_to: None,
        }
    }
}

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

/// What all doors share.
pub(super) struct Shared {
    world: Arc<Mutex<World>>,
    clock: Arc<dyn Clock>,
    resolver: Option<Resolver>,
    tokens: PerNode<Mutex<Tokens>>,
    pages: PerNode<Mutex<Pages>>,
    /// Where the nodes listen.
    addresses: PerNode<SocketAddr>,
    hosts: PerNode<String>,
    service: String,
    company: String,
    counts: Counts,
    rates: Mutex<Rates>,
    limits: RateLimits,
    product: Product,
    old_user: OldUser,
    /// By path: what is answered there instead, its type and body.
    instead: PerNode<Mutex<BTreeMap<String, (String, Bytes)>>>,
}

impl Shared {
    /// The world, brought up to now and told where the name leads.
    fn current(&self) -> MutexGuard<'_, World> {
        // Asked before the world is locked: the zone may want to look at the world in turn.
        let leads_to = self.resolver.as_ref().map(|resolver| resolver());
        let now = self.clock.now();
        let mut world = lock(&self.world);
        world.advance(now);
        if let Some(leads_to) = leads_to {
            world.set_leads_to(leads_to);
        }
        world
    }

    fn rates(&self) -> MutexGuard<'_, Rates> {
        self.rates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What has become of each account at a node.
    fn logins(&self, node: NodeId) -> BTreeMap<String, Logins> {
        self.tokens(node).logins().into_iter().collect()
    }

    fn tokens(&self, node: NodeId) -> MutexGuard<'_, Tokens> {
        self.tokens[node].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a path of a node answers instead, if anything.
    fn instead_of(&self, node: NodeId, path: &str) -> Option<(String, Bytes)> {
        self.instead(node).get(path).cloned()
    }

    fn instead(&self, node: NodeId) -> MutexGuard<'_, BTreeMap<String, (String, Bytes)>> {
        self.instead[node].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pages(&self, node: NodeId) -> MutexGuard<'_, Pages> {
        self.pages[node].lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        let shared = Arc::new(share(&options, hosts, nodes));
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

fn share(options: &SimulatorOptions, hosts: PerNode<String>, addresses: PerNode<SocketAddr>) -> Shared {
    let mut world = World::new(options.world.clone());
    if options.health_cached {
        for node in NodeId::BOTH {
            world.plan_fault(Planned::for_ever(Fault::HealthCached).on(node));
        }
    }
    let tokens = |node: NodeId| {
        let seed = options.world.seed.wrapping_mul(2).wrapping_add(u64::from(node == NodeId::B));
        Mutex::new(Tokens::new(accounts(options), options.token_lifetime, seed))
    };
    let pages = |node: NodeId| {
        let (username, password) = (options.username.clone(), options.password.clone());
        Mutex::new(Pages::new(username, password, options.languages[node], options.world.seed ^ node.index() as u64))
    };
    Shared {
        world: Arc::new(Mutex::new(world)),
        clock: options.clock.clone(),
        resolver: options.leads_to.clone(),
        tokens: PerNode::new(tokens),
        pages: PerNode::new(pages),
        addresses,
        hosts,
        service: options.service.clone(),
        company: "Example Company".to_owned(),
        counts: Counts::default(),
        rates: Mutex::default(),
        limits: options.rates,
        product: options.product,
        old_user: old_user(options),
        instead: PerNode::default(),
    }
}

fn accounts(options: &SimulatorOptions) -> Vec<Account> {
    let first = Account { client_id: options.client_id.clone(), secret: options.client_secret.clone() };
    let second = options.second_client.clone().map(|(client_id, secret)| Account { client_id, secret });
    std::iter::once(first).chain(second).collect()
}

/// One account for both logins: the client id is the user's name, the secret its password.
fn old_user(options: &SimulatorOptions) -> OldUser {
    let was_used = Generation::of(&options.world.from.version).login() == Login::Password;
    OldUser { name: options.client_id.clone(), password: options.client_secret.clone(), was_used }
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

/// Moves the world on when its next event is due, and looks where the name leads.
async fn drive(shared: Arc<Shared>, stop: CancellationToken) {
    loop {
        let next: Option<Timestamp> = shared.current().next_event();
        let due = async {
            match next {
                Some(at) => shared.clock.sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let poll = async {
            match shared.resolver {
                Some(_) => tokio::time::sleep(NAME_POLL).await,
                None => std::future::pending().await,
            }
        };
        // An order that comes meanwhile may bring an earlier event; whoever calls next brings the world up to now anyway.
        tokio::select! {
            () = due => {}
            () = poll => {}
            () = stop.cancelled() => return,
        }
    }
}
