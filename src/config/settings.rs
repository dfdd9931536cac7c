//! Settings: complete, checked, and without a secret in them; secrets are files that the wiring reads.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use jiff::SignedDuration;
use url::{Host, Url};

use super::keys::Kind;
use crate::domain::backups::Retention;
use crate::domain::ids::{NodeId, PerNode};
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
        client_id: String,
        client_secret_file: PathBuf,
        backup_password_file: Option<PathBuf>,
        hands: Hands,
        tls: TlsTrust,
    },
}

/// Who performs what the appliance has no interface for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hands {
    Operator,
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
        /// All authoritative servers, read back.
        servers: Vec<SocketAddr>,
        zone: String,
        record: String,
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
        record: String,
    },
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
        match self.traffic.iter().flat_map(TrafficDriver::name_servers).find(|server| !server.ip().is_loopback()) {
            Some(server) => Err(format!("site `{site}`: DNS server {server} has no loopback address")),
            None => Ok(()),
        }
    }
}

impl TrafficDriver {
    /// Every DNS server that this entry names.
    pub fn name_servers(&self) -> Vec<SocketAddr> {
        match self {
            Self::Rfc2136 { primary, servers, .. } => [*primary].into_iter().chain(servers.iter().copied()).collect(),
            Self::Manual { servers, .. } => servers.clone(),
            Self::Exec { .. } => Vec::new(),
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
