//! From settings to a working daemon: drivers, hooks and procedures made from what the config says.
//!
//! Secrets are read here, from their files, and handed on in types that cannot be printed.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use secrecy::SecretString;
use url::Url;

use crate::config::{
    Account, Accounts, CredentialSet, Editions, Hands, Hook, HookTarget, Leads, Login, NodeDriver, Product, Settings,
    SingleSettings, SiteSettings, TlsTrust, TrafficDriver, TsigAlgorithm, WindowTexts,
};
use crate::domain::ids::{NodeId, PerNode};
use crate::domain::procedure::{BUILT_IN, Procedure};
use crate::domain::site::Node;
use crate::drivers::alert::program::ProgramHook;
use crate::drivers::alert::webhook::{self, Webhook};
use crate::drivers::appliance::{beyondtrust, exec};
use crate::drivers::program::Programs;
use crate::drivers::tls;
use crate::drivers::traffic::{exec as exec_traffic, manual, rfc2136, shared_ip};
use crate::engine::export::Exporter;
use crate::engine::fleet::NamedHooks;
use crate::engine::hooks::{Hooks, Route};
use crate::engine::site::SiteEntry;
use crate::engine::site::SitePorts;
use crate::ports::{Appliance, Clock, Journal, Notifier, Reader, Traffic};

/// A setting that is well formed and still can't be put to work.
#[derive(Debug, thiserror::Error)]
#[error("{of}: {what}")]
pub struct WiringError {
    /// What it belongs to: ``site `support`, node `a` ``.
    of: String,
    what: String,
}

fn fail(of: impl Into<String>, what: impl ToString) -> WiringError {
    WiringError { of: of.into(), what: what.to_string() }
}

/// What drivers share.
pub struct Shared {
    pub clock: Arc<dyn Clock>,
    pub programs: Arc<Programs>,
    /// Where acts at the vendor's pages leave their traces.
    pub traces: PathBuf,
    /// One budget for each API account, whatever sites and nodes name it.
    pub accounts: Arc<beyondtrust::Accounts>,
}

impl Shared {
    pub fn new(settings: &Settings, clock: Arc<dyn Clock>) -> Self {
        let Accounts { calls_per_second, calls_per_hour } = settings.accounts;
        let share = beyondtrust::Share { per_second: calls_per_second, per_hour: calls_per_hour };
        let accounts = Arc::new(beyondtrust::Accounts::new(share, clock.clone()));
        let programs = Arc::new(Programs::new(settings.state.join("exec"), clock.clone()));
        Self { clock, programs, accounts, traces: settings.state.join("console") }
    }
}

/// A site with its drivers.
pub fn site(settings: &SiteSettings, shared: &Shared) -> Result<SiteEntry, WiringError> {
    let boxes = PerNode { a: beyondtrust_node(settings, NodeId::A, shared)?, b: beyondtrust_node(settings, NodeId::B, shared)? };
    let a = appliance(settings, NodeId::A, &boxes, shared)?;
    let b = appliance(settings, NodeId::B, &boxes, shared)?;
    let nodes = PerNode { a, b };
    let entries = settings.traffic.iter().enumerate();
    let traffic = entries.map(|(entry, driver)| traffic(settings, entry, (driver, &nodes), shared)).collect::<Result<_, _>>()?;
    let ports = SitePorts { nodes, traffic };
    let WindowTexts { first, second, responsible } = settings.windows.clone();
    Ok(SiteEntry { site: settings.site.clone(), ports, first, second, responsible })
}

/// The driver of one node; `boxes` are the settings of those that are BeyondTrust's.
fn appliance(
    settings: &SiteSettings,
    node: NodeId,
    boxes: &PerNode<Option<beyondtrust::Settings>>,
    shared: &Shared,
) -> Result<Arc<dyn Appliance>, WiringError> {
    let mut driver = match (&settings.nodes[node], &boxes[node]) {
        (NodeDriver::Exec { program }, _) => return Ok(Arc::new(exec_node(settings, node, program, shared))),
        (NodeDriver::BeyondTrust { .. }, Some(driver)) => driver.clone(),
        (NodeDriver::BeyondTrust { .. }, None) => return Err(fail(node.as_str(), "it has no settings")),
    };
    // Where both have hands at the console, an act of one may be done at the other's pages.
    let other = boxes[node.other()].as_ref().filter(|other| other.console.is_some() && driver.console.is_some());
    driver.peer.console = other.cloned().map(Box::new);
    let of = format!("site `{}`, node `{node}`", settings.site.name);
    let driver = beyondtrust::BeyondTrust::new(driver, shared.clock.clone());
    Ok(Arc::new(driver.map_err(|error| fail(of, error))?))
}

fn beyondtrust_node(
    settings: &SiteSettings,
    node: NodeId,
    shared: &Shared,
) -> Result<Option<beyondtrust::Settings>, WiringError> {
    let of = format!("site `{}`, node `{node}`", settings.site.name);
    if matches!(settings.nodes[node], NodeDriver::Exec { .. }) {
        return Ok(None);
    }
    let peer = peer(settings, node.other()).map_err(|error| fail(&of, error))?;
    let names = Names { of, site: &settings.site.name, service: &settings.site.service, node, facts: &settings.site.nodes[node] };
    vendor_box(&names, &settings.nodes[node], peer, shared)
}

/// An appliance that has no pair, with hands at its pages.
///
/// # Errors
/// A setting that can't be put to work.
pub fn single(settings: &SingleSettings, clock: Arc<dyn Clock>) -> Result<beyondtrust::BeyondTrust, WiringError> {
    let SingleSettings { name, service, node: facts, driver, backups } = settings;
    let of = format!("appliance `{name}`");
    let accounts = Arc::new(beyondtrust::Accounts::new(beyondtrust::Share::default(), clock.clone()));
    let programs = Arc::new(Programs::new(backups.clone(), clock.clone()));
    let shared = Shared { clock, programs, accounts, traces: backups.clone() };
    let NodeDriver::BeyondTrust { url, .. } = driver else { return Err(fail(of, "its driver is not `beyondtrust`")) };
    // Acts between two boxes are none of a single one's.
    let itself = beyondtrust::Peer { url: url.clone(), identity: facts.identity.clone(), console: None };
    let names = Names { of: of.clone(), site: name, service, node: NodeId::A, facts };
    let settings = vendor_box(&names, driver, itself, &shared)?.ok_or_else(|| fail(&of, "it has no settings"))?;
    beyondtrust::BeyondTrust::new(settings, shared.clock).map_err(|error| fail(of, error))
}

/// What a box is called, and where it belongs.
struct Names<'a> {
    of: String,
    site: &'a str,
    service: &'a str,
    node: NodeId,
    facts: &'a Node,
}

/// `None` for a box that is reached by a program.
fn vendor_box(
    names: &Names<'_>,
    driver: &NodeDriver,
    peer: beyondtrust::Peer,
    shared: &Shared,
) -> Result<Option<beyondtrust::Settings>, WiringError> {
    let Names { of, site, service, node, facts } = names;
    let NodeDriver::BeyondTrust { url, first, second, editions, hands, tls, product, recordings, backup_password_file } = driver
    else {
        return Ok(None);
    };
    Ok(Some(beyondtrust::Settings {
        site: (*site).to_owned(),
        node: *node,
        url: url.clone(),
        address: facts.address,
        service: (*service).to_owned(),
        identity: facts.identity.clone(),
        editions: asked(*editions),
        credentials: credentials(first).map_err(|error| fail(of, error))?,
        second: second.as_deref().map(credentials).transpose().map_err(|error| fail(of, error))?,
        accounts: shared.accounts.clone(),
        backup_password: backup_password_file.as_deref().map(secret).transpose().map_err(|error| fail(of, error))?,
        tls: trust(tls).map_err(|error| fail(of, error))?,
        peer,
        product: match product {
            Product::RemoteSupport => beyondtrust::Product::RemoteSupport,
            Product::PrivilegedRemoteAccess => beyondtrust::Product::PrivilegedRemoteAccess,
        },
        recordings: *recordings,
        limits: beyondtrust::Limits::default(),
        console: console(hands, shared).map_err(|error| fail(of, error))?,
    }))
}

fn console(hands: &Hands, shared: &Shared) -> Result<Option<beyondtrust::console::Settings>, String> {
    let Hands::Console(console) = hands else { return Ok(None) };
    let user = |account: &Account| {
        let password = secret(&account.password_file)?;
        Ok::<_, String>(beyondtrust::console::Account::new(account.username.clone(), password))
    };
    Ok(Some(beyondtrust::console::Settings {
        login: user(&console.login)?,
        appliance: user(&console.appliance)?,
        labels: console.labels.clone(),
        traces: shared.traces.clone(),
    }))
}

fn credentials(set: &CredentialSet) -> Result<beyondtrust::Credentials, String> {
    let (name, secret) = (set.name.as_str(), secret(&set.secret_file)?);
    Ok(match set.login {
        Login::Client => beyondtrust::Credentials::client(name, secret),
        Login::User => beyondtrust::Credentials::user(name, secret),
    })
}

fn asked(editions: Editions) -> beyondtrust::Editions {
    match editions {
        Editions::Auto => beyondtrust::Editions::Auto,
        Editions::Xml => beyondtrust::Editions::Xml,
        Editions::V2 => beyondtrust::Editions::V2,
    }
}

fn exec_node(settings: &SiteSettings, node: NodeId, program: &[String], shared: &Shared) -> exec::Exec {
    let driver = exec::Settings {
        site: settings.site.name.clone(),
        node,
        program: program.to_vec(),
        identity: settings.site.nodes[node].identity.clone(),
        address: settings.site.nodes[node].address,
        read_limit: exec::READ_LIMIT,
    };
    exec::Exec::new(driver, shared.programs.clone(), shared.clock.clone())
}

/// The other node, as instructions name it; one behind a program is named by its address.
fn peer(settings: &SiteSettings, node: NodeId) -> Result<beyondtrust::Peer, url::ParseError> {
    let facts = &settings.site.nodes[node];
    let url = match &settings.nodes[node] {
        NodeDriver::BeyondTrust { url, .. } => url.clone(),
        NodeDriver::Exec { .. } if facts.address.is_ipv6() => Url::parse(&format!("https://[{}]", facts.address))?,
        NodeDriver::Exec { .. } => Url::parse(&format!("https://{}", facts.address))?,
    };
    Ok(beyondtrust::Peer { url, identity: facts.identity.clone(), console: None })
}

fn trust(trust: &TlsTrust) -> Result<tls::TlsTrust, String> {
    Ok(match trust {
        TlsTrust::System => tls::TlsTrust::System,
        TlsTrust::CaFile(path) => tls::TlsTrust::Ca(std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?),
        TlsTrust::Pins(pins) => tls::TlsTrust::Pins(pins.clone()),
    })
}

/// A secret's file; line ends at its end are not part of it.
fn secret(path: &Path) -> Result<SecretString, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("secret file {}: {error}", path.display()))?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() { Err(format!("secret file {} is empty", path.display())) } else { Ok(SecretString::from(secret)) }
}

fn traffic(
    settings: &SiteSettings,
    entry: usize,
    (driver, nodes): (&TrafficDriver, &PerNode<Arc<dyn Appliance>>),
    shared: &Shared,
) -> Result<Arc<dyn Traffic>, WiringError> {
    let of = format!("site `{}`, traffic entry {}", settings.site.name, entry + 1);
    let site = settings.site.name.clone();
    let addresses = settings.site.nodes.as_ref().map(|node| node.address);
    match driver {
        TrafficDriver::Exec { program } => {
            let (program, service) = (program.clone(), settings.site.service.clone());
            let driver = exec_traffic::Settings { site, entry, program, service, addresses, read_limit: exec::READ_LIMIT };
            Ok(Arc::new(exec_traffic::ExecTraffic::new(driver, shared.programs.clone(), shared.clock.clone())))
        }
        TrafficDriver::SharedIp { address } => {
            let identities = settings.site.nodes.as_ref().map(|node| node.identity.clone());
            let (service, address) = (settings.site.service.clone(), *address);
            let driver = shared_ip::Settings { site, service, address, identities };
            let readers = nodes.as_ref().map(|node| node.clone() as Arc<dyn Reader>);
            Ok(Arc::new(shared_ip::SharedIp::new(driver, readers, shared.clock.clone())))
        }
        TrafficDriver::Manual { servers, resolvers, records, leads } => {
            let (servers, resolvers) = (servers.clone(), resolvers.clone());
            let driver = manual::Settings {
                site,
                records: records.clone(),
                servers,
                resolvers,
                leads: leads_of(leads.as_ref(), addresses),
            };
            Ok(Arc::new(manual::Manual::new(driver, shared.clock.clone()).map_err(|error| fail(of, error))?))
        }
        TrafficDriver::Rfc2136 {
            primary,
            servers,
            resolvers,
            zone,
            records,
            leads,
            ttl,
            tsig_name,
            tsig_algorithm,
            tsig_secret_file,
        } => {
            let driver = rfc2136::Settings {
                site,
                primary: *primary,
                servers: servers.clone(),
                resolvers: resolvers.clone(),
                zone: zone.clone(),
                records: records.clone(),
                leads: leads_of(leads.as_ref(), addresses),
                ttl: ttl.unwrap_or(DEFAULT_TTL_SECS),
                tsig_name: tsig_name.clone(),
                tsig_algorithm: algorithm(*tsig_algorithm).to_owned(),
                tsig_secret: secret(tsig_secret_file).map_err(|error| fail(&of, error))?,
                signed_ahead: signed_ahead(),
            };
            Ok(Arc::new(rfc2136::Rfc2136::new(driver, shared.clock.clone()).map_err(|error| fail(of, error))?))
        }
    }
}

/// Updates are signed by the machine's clock as it is.
#[cfg(not(feature = "test-kill"))]
fn signed_ahead() -> SignedDuration {
    SignedDuration::ZERO
}

/// Seconds by `CHANGEOVER_TEST_SIGNED_AHEAD`, for tests of clocks that differ.
#[cfg(feature = "test-kill")]
fn signed_ahead() -> SignedDuration {
    let seconds = std::env::var("CHANGEOVER_TEST_SIGNED_AHEAD").ok().and_then(|text| text.parse().ok());
    SignedDuration::from_secs(seconds.unwrap_or(0))
}

/// What the entry says, else the nodes' own addresses.
fn leads_of(leads: Option<&Leads>, addresses: PerNode<IpAddr>) -> rfc2136::Leads {
    match leads {
        Some(Leads::Addresses(addresses)) => rfc2136::Leads::Addresses(addresses.clone()),
        Some(Leads::Names(names)) => rfc2136::Leads::Names(names.clone()),
        None => rfc2136::Leads::Addresses(addresses.map(|address| vec![address])),
    }
}

/// Used only for a record that has no TTL to keep; the contract's example.
const DEFAULT_TTL_SECS: u32 = 60;

fn algorithm(algorithm: TsigAlgorithm) -> &'static str {
    match algorithm {
        TsigAlgorithm::HmacSha256 => "hmac-sha256",
        TsigAlgorithm::HmacSha384 => "hmac-sha384",
        TsigAlgorithm::HmacSha512 => "hmac-sha512",
    }
}

/// The hooks, ready to deliver, and which document goes to which.
pub struct WiredHooks {
    pub routes: Hooks,
    /// Alert hooks, for `alerts test`.
    pub alerts: NamedHooks,
    /// All hooks, for the outbox.
    pub all: NamedHooks,
}

pub fn hooks(settings: &Settings, journal: &Arc<dyn Journal>) -> Result<WiredHooks, WiringError> {
    let mut wired = WiredHooks { routes: Hooks::default(), alerts: Vec::new(), all: Vec::new() };
    for hook in &settings.alerts {
        let notifier = notifier(hook)?;
        wired.routes.alerts.push(Route { hook: hook.name.clone(), events: hook.events.clone() });
        wired.alerts.push((hook.name.clone(), notifier.clone()));
        wired.all.push((hook.name.clone(), notifier));
    }
    for hook in &settings.exports {
        wired.routes.exports.push(hook.name.clone());
        let exporter = Exporter { journal: journal.clone(), state: settings.state.clone(), hook: notifier(hook)? };
        wired.all.push((hook.name.clone(), Arc::new(exporter)));
    }
    Ok(wired)
}

/// Makes every driver and hook and drops them again: finds secrets and certificates that can be read and not used. Nothing is
/// sent, started or written.
pub fn rehearse(settings: &Settings, clock: Arc<dyn Clock>) -> Vec<WiringError> {
    let shared = Shared::new(settings, clock);
    let hooks = settings.alerts.iter().chain(&settings.exports).filter_map(|hook| notifier(hook).err());
    hooks.chain(settings.sites.iter().filter_map(|settings| site(settings, &shared).err())).collect()
}

fn notifier(hook: &Hook) -> Result<Arc<dyn Notifier>, WiringError> {
    // The config refuses time-outs that are not positive.
    let timeout = Duration::try_from(hook.timeout).unwrap_or(Duration::from_secs(10));
    match &hook.target {
        HookTarget::Program { program } => Ok(Arc::new(ProgramHook::new(program.clone(), timeout))),
        HookTarget::Webhook { url, secret_file } => {
            let of = format!("webhook `{}`", hook.name);
            let secret = webhook::Secret::from_file(secret_file).map_err(|error| fail(&of, error))?;
            let settings = webhook::Settings { url: url.to_string(), secret, timeout };
            Ok(Arc::new(Webhook::new(settings).map_err(|error| fail(of, error))?))
        }
    }
}

/// The built-in procedures and the operator's own; a file that bears a built-in's name takes its place.
///
/// # Errors
/// A folder or file that can't be read, or a document that is wrong or breaks a promise: with its line.
pub fn procedures(folder: &Path) -> Result<Vec<Procedure>, WiringError> {
    Ok(procedure_documents(Some(folder))?.into_iter().map(|document| document.procedure).collect())
}

/// A procedure with its document.
pub struct ProcedureDocument {
    pub procedure: Procedure,
    /// A path, or `built-in role-swap`.
    pub origin: String,
    pub text: String,
}

/// As [`procedures`], with the texts.
pub fn procedure_documents(folder: Option<&Path>) -> Result<Vec<ProcedureDocument>, WiringError> {
    let built_in = |(name, text): &(&str, &str)| document(format!("built-in {name}"), (*text).to_owned());
    let mut documents = BUILT_IN.iter().map(built_in).collect::<Result<Vec<_>, _>>()?;
    for path in folder.map_or_else(|| Ok(Vec::new()), document_files)? {
        let origin = path.display().to_string();
        let text = std::fs::read_to_string(&path).map_err(|error| fail(&origin, error))?;
        let own = document(origin, text)?;
        documents.retain(|known: &ProcedureDocument| known.procedure.name != own.procedure.name);
        documents.push(own);
    }
    Ok(documents)
}

fn document(origin: String, text: String) -> Result<ProcedureDocument, WiringError> {
    let procedure = Procedure::load(&origin, &text).map_err(|error| fail("procedures", error))?;
    Ok(ProcedureDocument { procedure, origin, text })
}

fn document_files(folder: &Path) -> Result<Vec<PathBuf>, WiringError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        // A folder that isn't there holds no procedures; the config warns where it was named.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fail(folder.display().to_string(), error)),
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
    let mut paths = paths.map_err(|error| fail(folder.display().to_string(), error))?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    Ok(paths)
}
