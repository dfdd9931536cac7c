//! Settings: complete, checked, and without a secret in them; secrets are files that the wiring reads.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use jiff::SignedDuration;
use url::{Host, Url};

use super::keys::Kind;
use crate::domain::backups::Retention;
use crate::domain::ids::{NodeId, PerNode};
use crate::domain::labels::Labels;
use crate::domain::people::People;
use crate::domain::site::Site;

/// Everything the daemon is told. Every path is absolute, but for a program to be looked up in `PATH`.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub state: PathBuf,
    pub sites: Vec<SiteSettings>,
    /// The operator's own procedures; the folder need not exist.
    pub procedures_dir: PathBuf,
    pub api: Api,
    pub log: Log,
    pub accounts: Accounts,
    /// How long backups are kept.
    pub backups: Retention,
    pub alerts: Vec<Hook>,
    /// Places off this host that get the journal export and the by-hand sheet.
    pub exports: Vec<Hook>,
    /// Who may say what.
    pub people: People,
    /// Every key in force with its value and where it comes from, in reading order; what `config show` prints.
    pub effective: Vec<Effective>,
}

impl Settings {
    pub fn site(&self, name: &str) -> Option<&SiteSettings> {
        self.sites.iter().find(|site| site.site.name == name)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    pub socket: PathBuf,
    /// A loopback address.
    pub listen: Option<SocketAddr>,
}

/// The part of each API account's rate that this daemon uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accounts {
    pub calls_per_second: u32,
    pub calls_per_hour: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    pub format: LogFormat,
    /// A directive that `tracing_subscriber::EnvFilter` takes; checked.
    pub filter: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Human,
    Json,
}

/// Where documents are delivered to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// Unique among all hooks, alerts and exports.
    pub name: String,
    pub target: HookTarget,
    /// Alert names, or [`ANY_EVENT`]; `["*"]` for exports.
    pub events: Vec<String>,
    pub timeout: SignedDuration,
}

/// Stands for every event.
pub const ANY_EVENT: &str = "*";

impl Hook {
    /// True if this hook is to get that event.
    pub fn wants(&self, event: &str) -> bool {
        self.events.iter().any(|name| name == ANY_EVENT || name == event)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookTarget {
    /// `https`, or `http` to a loopback address.
    Webhook {
        url: Url,
        secret_file: PathBuf,
    },
    Program {
        program: Vec<String>,
    },
}

/// One site and how it is reached.
#[derive(Clone, Debug, PartialEq)]
pub struct SiteSettings {
    pub site: Site,
    pub nodes: PerNode<NodeDriver>,
    pub traffic: Vec<TrafficDriver>,
    pub windows: WindowTexts,
    /// The file it was read from, as named by the operator.
    pub file: PathBuf,
}

/// What a plan takes from the site's file, as written; checked. `now` counts from the moment of the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WindowTexts {
    pub first: Option<String>,
    pub second: Option<String>,
    /// The user who is responsible for window two.
    pub responsible: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeDriver {
    Exec {
        /// The program and its arguments; the verb is appended.
        program: Vec<String>,
    },
    BeyondTrust {
        /// `https://host` or `https://host:port`, without path.
        url: Url,
        first: CredentialSet,
        /// Tried once where the first set is refused.
        second: Option<Box<CredentialSet>>,
        editions: Editions,
        backup_password_file: Option<PathBuf>,
        hands: Hands,
        tls: TlsTrust,
        product: Product,
        /// Whether an extraction fetches recordings too.
        recordings: bool,
    },
}

/// Which of the vendor's products the appliance runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    RemoteSupport,
    PrivilegedRemoteAccess,
}

/// One set of credentials of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialSet {
    pub login: Login,
    /// The client id, or the user's name.
    pub name: String,
    pub secret_file: PathBuf,
}

/// How a node is told who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// `client_id` and `client_secret_file`: an API account.
    Client,
    /// `username` and `password_file`: releases before 16.1.
    User,
}

/// Which editions of the appliance's command API are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Editions {
    Auto,
    Xml,
    V2,
}

/// Who performs what the appliance has no interface for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hands {
    Operator,
    /// The daemon, at the vendor's pages.
    Console(Box<Console>),
}

/// How the vendor's pages are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Console {
    /// For `/login`.
    pub login: Account,
    /// For `/appliance`.
    pub appliance: Account,
    pub labels: Labels,
}

/// A user at the pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub username: String,
    pub password_file: PathBuf,
}

/// Whose certificates are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsTrust {
    /// The system's roots.
    System,
    /// Only the certificates of this PEM file.
    CaFile(PathBuf),
    /// SHA-256 of the SubjectPublicKeyInfo; any one of them.
    Pins(Vec<[u8; 32]>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrafficDriver {
    Rfc2136 {
        /// Updates go here, over TCP.
        primary: SocketAddr,
        /// All authoritative servers, read back; none: they are found by the zone's NS records.
        servers: Vec<SocketAddr>,
        /// Recursive resolvers, asked beside them.
        resolvers: Vec<SocketAddr>,
        zone: String,
        /// At least one.
        records: Vec<String>,
        /// `None`: the nodes' own addresses.
        leads: Option<Leads>,
        /// Seconds; what the record is expected to have.
        ttl: Option<u32>,
        tsig_name: String,
        tsig_algorithm: TsigAlgorithm,
        tsig_secret_file: PathBuf,
    },
    Exec {
        program: Vec<String>,
    },
    Manual {
        servers: Vec<SocketAddr>,
        resolvers: Vec<SocketAddr>,
        records: Vec<String>,
        leads: Option<Leads>,
    },
    /// An address that both boxes have and the serving one has enabled.
    SharedIp {
        address: IpAddr,
    },
}

/// What the records of an entry hold while a node serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leads {
    /// One IPv4 address, one IPv6 address or one of each, for both nodes alike.
    Addresses(PerNode<Vec<IpAddr>>),
    /// The names that the records are aliases of.
    Names(PerNode<String>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TsigAlgorithm {
    HmacSha256,
    HmacSha384,
    HmacSha512,
}

/// One key in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    pub file: PathBuf,
    /// `[nodes.a]`, `[[traffic]]`; empty for the top level.
    pub header: String,
    /// Tells two `[[traffic]]` tables of one file apart.
    pub instance: usize,
    pub key: String,
    /// As TOML. Paths are resolved; of a hook's URL only the host is shown, since the rest may be a credential.
    pub value: String,
    /// `None`: the default.
    pub line: Option<usize>,
    pub kind: Kind,
    /// The file or program that the key names.
    pub path: Option<PathBuf>,
}

impl SiteSettings {
    /// Whether everything this site reaches lies on this machine: what a faster clock is allowed for.
    ///
    /// # Errors
    /// Names the first address that doesn't.
    pub fn all_loopback(&self) -> Result<(), String> {
        let site = &self.site.name;
        for node in NodeId::BOTH {
            let address = self.site.nodes[node].address;
            if !address.is_loopback() {
                return Err(format!("site `{site}`: address {address} of node `{node}` is not a loopback address"));
            }
            if let NodeDriver::BeyondTrust { url, .. } = &self.nodes[node]
                && !is_loopback(url)
            {
                return Err(format!("site `{site}`: the URL of node `{node}` does not lead to a loopback address"));
            }
        }
        if self.traffic.iter().any(TrafficDriver::finds_servers) {
            return Err(format!("site `{site}`: a `[[traffic]]` entry without `servers` finds servers of any address"));
        }
        match self.traffic.iter().flat_map(TrafficDriver::name_servers).find(|server| !server.ip().is_loopback()) {
            Some(server) => Err(format!("site `{site}`: DNS server {server} has no loopback address")),
            None => Ok(()),
        }
    }
}

impl TrafficDriver {
    /// Whether the servers to be read are found by the zone's NS records.
    fn finds_servers(&self) -> bool {
        matches!(self, Self::Rfc2136 { servers, .. } if servers.is_empty())
    }

    /// Every DNS server that this entry names.
    pub fn name_servers(&self) -> Vec<SocketAddr> {
        match self {
            Self::Rfc2136 { primary, servers, resolvers, .. } => {
                [*primary].into_iter().chain(servers.iter().chain(resolvers).copied()).collect()
            }
            Self::Manual { servers, resolvers, .. } => servers.iter().chain(resolvers).copied().collect(),
            Self::Exec { .. } | Self::SharedIp { .. } => Vec::new(),
        }
    }
}

/// True for a loopback address, and for the name `localhost`, which RFC 6761 §6.3 binds to one.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).to_canonical().is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
