//! The simulated pair with its zone: what a daemon sees of the world.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Weak};

use jiff::SignedDuration;

use crate::cli::Failure;
use crate::domain::ids::{NodeId, PerNode};
use crate::domain::version::{NotAVersion, Version};
use crate::ports::Clock;
use crate::simulator::server::{Language, StartError};
use crate::simulator::world::Offered;
use crate::simulator::zone::{Zone, ZoneError, ZoneHandle, ZoneKey, ZoneOptions};
use crate::simulator::{Simulator, SimulatorOptions};

use super::secrets::Secrets;

pub const SITE: &str = "support";
pub const SERVICE: &str = "support.example.com";
pub const ZONE: &str = "example.com";
pub const CLIENT_ID: &str = "changeover";
/// The user of both parts of the pages.
pub const CONSOLE_USER: &str = "admin";
pub const KEY_NAME: &str = "changeover";
pub const KEY_ALGORITHM: &str = "hmac-sha256";
pub const FROM: &str = "24.1.1";
pub const TO: &str = "24.2.1";
const TTL_SECS: u32 = 60;

/// The zone's own address, beside the nodes' 127.0.1.1 and 127.0.1.2.
pub const ZONE_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 1, 53));

/// How the pair is set up; port 0 picks one.
pub struct PairOptions {
    pub clock: Arc<dyn Clock>,
    pub seed: u64,
    pub zone: SocketAddr,
    pub port: u16,
    pub control: SocketAddr,
    pub auto_sync: Option<SignedDuration>,
    /// The release that both nodes run at first, and the one of the package.
    pub from: String,
    pub to: String,
    /// Of each node's pages.
    pub languages: PerNode<Language>,
    /// If any, both nodes are single appliances, to which this is offered.
    pub offers: Vec<Offered>,
}

impl PairOptions {
    /// Free ports everywhere, the vendor's habits.
    pub fn new(clock: Arc<dyn Clock>, seed: u64) -> Self {
        let control = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            clock,
            seed,
            zone: SocketAddr::new(ZONE_ADDRESS, 0),
            port: 0,
            control,
            auto_sync: None,
            from: FROM.to_owned(),
            to: TO.to_owned(),
            languages: PerNode::default(),
            offers: Vec::new(),
        }
    }
}

/// A running pair and the zone that leads its users.
pub struct Pair {
    pub simulator: Simulator,
    pub zone: Arc<ZoneHandle>,
}

impl Pair {
    /// Binds every address and begins to serve. The name leads to node `a`, the primary.
    pub async fn start(options: PairOptions, secrets: &Secrets) -> Result<Self, Failure> {
        let mut simulated =
            SimulatorOptions::new(options.clock, secrets.client.clone(), version(&options.from)?, version(&options.to)?);
        let addresses = simulated.addresses;
        let zone = Arc::new(Zone::start(zone(options.zone, addresses.a, secrets)).await.map_err(|error| not_zoned(&error))?);
        simulated.service = SERVICE.to_owned();
        simulated.client_id = CLIENT_ID.to_owned();
        simulated.username = CONSOLE_USER.to_owned();
        simulated.password = secrets.console.clone();
        simulated.languages = options.languages;
        simulated.port = options.port;
        simulated.control = options.control;
        simulated.world.seed = options.seed;
        if !options.offers.is_empty() {
            (simulated.world.primary, simulated.world.offers) = (None, options.offers);
        }
        if let Some(interval) = options.auto_sync {
            simulated.world.auto_sync = interval;
        }
        simulated.leads_to = Some(resolver(&zone, addresses));
        let simulator = Simulator::start(simulated).await.map_err(|error| not_simulated(&error))?;
        zone.on_change(simulator.name_watcher());
        Ok(Self { simulator, zone })
    }
}

fn version(text: &str) -> Result<Version, Failure> {
    text.parse().map_err(|error: NotAVersion| Failure::of("bad_version", &error))
}

fn zone(listen: SocketAddr, first: IpAddr, secrets: &Secrets) -> ZoneOptions {
    let key = ZoneKey { name: KEY_NAME.to_owned(), algorithm: KEY_ALGORITHM.to_owned(), secret: secrets.tsig.clone() };
    let options = ZoneOptions::new(ZONE, key).with(SERVICE, first, TTL_SECS);
    ZoneOptions { listen, updatable: vec![SERVICE.to_owned()], ..options }
}

/// Where the name leads, by what stands in the zone. The zone also knows the simulator, so one of the two must not keep the
/// other alive.
fn resolver(zone: &Arc<ZoneHandle>, addresses: PerNode<IpAddr>) -> Arc<dyn Fn() -> Option<NodeId> + Send + Sync> {
    let zone: Weak<ZoneHandle> = Arc::downgrade(zone);
    Arc::new(move || match zone.upgrade()?.addresses_of(SERVICE).as_slice() {
        [address] => NodeId::BOTH.into_iter().find(|&node| addresses[node] == *address),
        _ => None,
    })
}

fn not_zoned(error: &ZoneError) -> Failure {
    match error {
        ZoneError::Bind { address, source } => no_address(*address, source),
        _ => Failure::of("simulator", error),
    }
}

fn not_simulated(error: &StartError) -> Failure {
    match error {
        StartError::Listen { address, source } => no_address(*address, source),
        _ => Failure::of("simulator", error),
    }
}

/// Which address, and what to do: Linux answers on the whole of 127.0.0.0/8, other systems on one address of it.
fn no_address(address: SocketAddr, source: &std::io::Error) -> Failure {
    let failure =
        Failure::new("no_address", format!("the loopback address `{address}` can't be used")).because(source.to_string());
    match source.kind() {
        std::io::ErrorKind::AddrNotAvailable => failure.hint(format!(
            "give the loopback interface this address too: `ip address add {ip}/8 dev lo` (macOS: `ifconfig lo0 alias {ip}`), as root",
            ip = address.ip()
        )),
        std::io::ErrorKind::AddrInUse => failure.hint("something else listens there; end it, or choose another port"),
        _ => failure,
    }
}
