//! Which servers answer for the zone with authority: those listed, else the primary and every server that the zone names.

use std::net::{IpAddr, SocketAddr};

use futures_util::future::join_all;
use hickory_proto::rr::{Name, RData, RecordType};
use hickory_resolver::TokioResolver;
use tokio::time::timeout;

use super::ask::{READ_LIMIT, Server};
use super::record::shown;

/// Where the servers of a zone are found.
pub(in crate::drivers::traffic) enum Authorities {
    Listed(Vec<Server>),
    /// By the zone's NS records at the primary, at every look: a server that was added must not be forgotten.
    ByNs,
}

/// A server that was found, or the name of one whose address was not.
pub(super) enum Found {
    Server(Box<Server>),
    Lost { name: String, why: String },
}

/// The servers of the zone's NS records, and the primary, which need not be among them (a hidden primary). Each is asked at the
/// primary's port.
///
/// # Errors
/// The NS records could not be read, or are more than any zone has.
pub(super) async fn by_ns(primary: &Server, zone: &Name) -> Result<Vec<Found>, String> {
    let set = primary.value(zone, RecordType::NS).await.map_err(|found| format!("the servers of zone {zone}: {found}"))?;
    if !set.authoritative {
        return Err(format!("the servers of zone {zone}: not authoritative"));
    }
    if set.values.len() > MOST_SERVERS {
        return Err(format!("zone {zone} names {} servers, expected at most {MOST_SERVERS}", set.values.len()));
    }
    let names: Vec<&Name> =
        set.values.iter().filter_map(|value| if let RData::NS(ns) = value { Some(&ns.0) } else { None }).collect();
    let addresses = join_all(names.iter().map(|name| addresses_of(primary, zone, name))).await;
    Ok(servers(primary.address, names.into_iter().zip(addresses)))
}

fn servers<'a>(primary: SocketAddr, names: impl Iterator<Item = (&'a Name, Result<Vec<IpAddr>, String>)>) -> Vec<Found> {
    let mut known = vec![primary];
    let mut lost = Vec::new();
    for (name, addresses) in names {
        match addresses {
            Err(why) => lost.push(Found::Lost { name: shown(name), why }),
            Ok(addresses) => {
                let new = addresses.into_iter().map(|address| SocketAddr::new(address, primary.port()));
                new.for_each(|address| {
                    if !known.contains(&address) {
                        known.push(address)
                    }
                });
            }
        }
    }
    let server = |address: SocketAddr| match Server::new(address) {
        Ok(server) => Found::Server(Box::new(server)),
        Err(error) => Found::Lost { name: address.to_string(), why: error.to_string() },
    };
    known.into_iter().map(server).chain(lost).collect()
}

/// A server's IPv4 addresses, or its IPv6 ones if it has no others: from the primary where its name lies in the zone, else from the
/// system's resolver.
async fn addresses_of(primary: &Server, zone: &Name, name: &Name) -> Result<Vec<IpAddr>, String> {
    for kind in [RecordType::A, RecordType::AAAA] {
        if zone.zone_of(name)
            && let Ok(set) = primary.value(name, kind).await
        {
            return Ok(set.values.iter().filter_map(RData::ip_addr).collect());
        }
    }
    by_system(name).await
}

async fn by_system(name: &Name) -> Result<Vec<IpAddr>, String> {
    let builder = TokioResolver::builder_tokio().map_err(|error| format!("the system's resolver: {error}"))?;
    let resolver = builder.build().map_err(|error| format!("the system's resolver: {error}"))?;
    let mut why = "no answer of the system's resolver".to_owned();
    for kind in [RecordType::A, RecordType::AAAA] {
        match timeout(READ_LIMIT, resolver.lookup(name.clone(), kind)).await {
            Ok(Ok(lookup)) => {
                let addresses: Vec<IpAddr> = lookup.answers().iter().filter_map(|record| record.data.ip_addr()).collect();
                if !addresses.is_empty() {
                    return Ok(addresses);
                }
            }
            Ok(Err(error)) => why = format!("the system's resolver: {error}"),
            Err(_) => {}
        }
    }
    Err(why)
}

/// The root has 13, the largest zones no more.
const MOST_SERVERS: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    /// A hidden primary is read too; nobody is read twice; a server whose address nobody knows is not forgotten.
    #[tokio::test]
    async fn the_primary_and_each_named_server_once() {
        let names: Vec<Name> =
            ["ns1.example.com.", "ns2.example.com.", "ns3.example.net."].map(|name| name.parse().unwrap()).into();
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let found =
            [Ok(vec![ip("192.0.2.1"), ip("192.0.2.2")]), Ok(vec![ip("192.0.2.2"), ip("192.0.2.53")]), Err("gone".to_owned())];
        let servers = servers("192.0.2.53:5353".parse().unwrap(), names.iter().zip(found));
        let shown: Vec<String> = servers
            .iter()
            .map(|found| match found {
                Found::Server(server) => server.address.to_string(),
                Found::Lost { name, why } => format!("{name} {why}"),
            })
            .collect();
        assert_eq!(shown, ["192.0.2.53:5353", "192.0.2.1:5353", "192.0.2.2:5353", "ns3.example.net gone"]);
    }
}
