//! Boxes of the vendor's: what their driver is told, of a pair's node and of an appliance that has no pair.

use std::sync::Arc;

use url::Url;

use super::error::{WiringError, fail};
use super::files::{secret, trust};
use super::shared::Shared;
use crate::config::{Account, CredentialSet, Editions, Hands, Login, NodeDriver, Product, SingleSettings, SiteSettings};
use crate::domain::ids::NodeId;
use crate::domain::site::Node;
use crate::drivers::appliance::beyondtrust;
use crate::drivers::program::Programs;
use crate::ports::Clock;

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

pub(super) fn node(settings: &SiteSettings, node: NodeId, shared: &Shared) -> Result<Option<beyondtrust::Settings>, WiringError> {
    let of = format!("site `{}`, node `{node}`", settings.site.name);
    if matches!(settings.nodes[node], NodeDriver::Exec { .. }) {
        return Ok(None);
    }
    let peer = peer(settings, node.other()).map_err(|error| fail(&of, error))?;
    let names = Names { of, site: &settings.site.name, service: &settings.site.service, node, facts: &settings.site.nodes[node] };
    vendor_box(&names, &settings.nodes[node], peer, shared)
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
