//! The client: every 50 ms it resolves the name, connects and asks for the site page.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use changeover::domain::ids::NodeId;
use changeover::drivers::tls::{self, Names, TlsTrust};
use changeover::simulator::Simulator;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use jiff::Timestamp;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

pub const BEAT: Duration = Duration::from_millis(50);
/// A person would have given up.
const PATIENCE: Duration = Duration::from_secs(5);

/// One try, from the question for the name to the page.
#[derive(Clone, Debug)]
pub struct Try {
    pub ended: Timestamp,
    /// Who gave the page, or why nobody did.
    pub end: Result<NodeId, String>,
}

/// The client at work; it stops when this is dropped.
pub struct Client {
    tries: Arc<Mutex<Vec<Try>>>,
    _task: AbortOnDropHandle<()>,
}

/// What each try needs.
struct Way {
    resolver: TokioResolver,
    tls: TlsConnector,
    service: String,
    nodes: [SocketAddr; 2],
}

impl Client {
    pub fn start(runtime: &tokio::runtime::Handle, simulator: &Simulator, zone: SocketAddr) -> Self {
        let trust = TlsTrust::Ca(simulator.certificate_pem.clone().into_bytes());
        let config = tls::client_config(&trust, Names::Always).expect("a certificate");
        let way = Arc::new(Way {
            resolver: resolver(zone),
            tls: TlsConnector::from(Arc::new(config)),
            service: simulator.service.clone(),
            nodes: [NodeId::A, NodeId::B].map(|node| simulator.nodes[node]),
        });
        let tries = Arc::new(Mutex::new(Vec::new()));
        let task = runtime.spawn(beat(way, tries.clone()));
        Self { tries, _task: AbortOnDropHandle::new(task) }
    }

    /// The tries that ended after `moment`, by their ends.
    pub fn since(&self, moment: Timestamp) -> Vec<Try> {
        let tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        let mut since: Vec<Try> = tries.iter().filter(|one| one.ended > moment).cloned().collect();
        since.sort_by_key(|one| one.ended);
        since
    }

    /// When a page last came from this node, or first did, after `moment`.
    pub fn last(&self, node: NodeId, moment: Timestamp) -> Option<Timestamp> {
        self.since(moment).iter().rev().find(|one| one.end == Ok(node)).map(|one| one.ended)
    }

    pub fn first(&self, node: NodeId, moment: Timestamp) -> Option<Timestamp> {
        self.since(moment).iter().find(|one| one.end == Ok(node)).map(|one| one.ended)
    }
}

/// Asks the zone alone, and remembers for the TTL that it says.
fn resolver(zone: SocketAddr) -> TokioResolver {
    let mut connection = ConnectionConfig::udp();
    connection.port = zone.port();
    let server = NameServerConfig::new(zone.ip(), true, vec![connection]);
    let mut options = ResolverOpts::default();
    options.use_hosts_file = ResolveHosts::Never;
    options.ip_strategy = LookupIpStrategy::Ipv4Only;
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
    let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()).with_options(options);
    builder.build().expect("a resolver")
}

/// Each try is a task of its own, so that one that hangs does not spoil the beat.
async fn beat(way: Arc<Way>, tries: Arc<Mutex<Vec<Try>>>) {
    let mut beat = tokio::time::interval(BEAT);
    loop {
        beat.tick().await;
        let (way, tries) = (way.clone(), tries.clone());
        tokio::spawn(async move {
            let end = match tokio::time::timeout(PATIENCE, way.page()).await {
                Ok(end) => end,
                Err(_) => Err(format!("nothing within {PATIENCE:?}")),
            };
            let one = Try { ended: Timestamp::now(), end };
            tries.lock().unwrap_or_else(PoisonError::into_inner).push(one);
        });
    }
}

impl Way {
    /// The node whose site page came.
    async fn page(&self) -> Result<NodeId, String> {
        let found = self.resolver.lookup_ip(format!("{}.", self.service)).await.map_err(|_| "the name was not resolved")?;
        let address = found.iter().next().ok_or("the name has no address")?;
        let node = self.node_at(address).ok_or_else(|| format!("the name leads to {address}"))?;
        match self.status(self.nodes[node.index()]).await {
            Ok(status) if status == "200" => Ok(node),
            Ok(status) => Err(format!("node {node} answers {status}")),
            Err(error) => Err(format!("node {node}: {}", error.kind())),
        }
    }

    fn node_at(&self, address: IpAddr) -> Option<NodeId> {
        NodeId::BOTH.into_iter().find(|node| self.nodes[node.index()].ip() == address)
    }

    /// The status of the answer to one request on a new connection.
    async fn status(&self, address: SocketAddr) -> std::io::Result<String> {
        let name = ServerName::try_from(self.service.clone()).map_err(std::io::Error::other)?;
        let stream = TcpStream::connect(address).await?;
        let mut stream = self.tls.connect(name, stream).await?;
        let request = format!("GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.service);
        stream.write_all(request.as_bytes()).await?;
        let mut head = [0; 12];
        stream.read_exact(&mut head).await?;
        Ok(String::from_utf8_lossy(&head[9..]).into_owned())
    }
}
