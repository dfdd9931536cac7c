//! The drivers of traffic: one for each entry of a site.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::SignedDuration;

use super::error::{WiringError, fail};
use super::files::secret;
use super::shared::Shared;
use crate::config::{Leads, SiteSettings, TrafficDriver, TsigAlgorithm};
use crate::domain::ids::PerNode;
use crate::drivers::appliance::exec::READ_LIMIT;
use crate::drivers::traffic::{exec, manual, rfc2136, shared_ip};
use crate::ports::{Appliance, Reader, Traffic};

/// Used only for a record that has no TTL to keep; the contract's example.
const DEFAULT_TTL_SECS: u32 = 60;

pub(super) fn traffic(
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
            let driver = exec::Settings { site, entry, program, service, addresses, read_limit: READ_LIMIT };
            Ok(Arc::new(exec::ExecTraffic::new(driver, shared.programs.clone(), shared.clock.clone())))
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

/// What the entry says, else the nodes' own addresses.
fn leads_of(leads: Option<&Leads>, addresses: PerNode<IpAddr>) -> rfc2136::Leads {
    match leads {
        Some(Leads::Addresses(addresses)) => rfc2136::Leads::Addresses(addresses.clone()),
        Some(Leads::Names(names)) => rfc2136::Leads::Names(names.clone()),
        None => rfc2136::Leads::Addresses(addresses.map(|address| vec![address])),
    }
}

fn algorithm(algorithm: TsigAlgorithm) -> &'static str {
    match algorithm {
        TsigAlgorithm::HmacSha256 => "hmac-sha256",
        TsigAlgorithm::HmacSha384 => "hmac-sha384",
        TsigAlgorithm::HmacSha512 => "hmac-sha512",
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
