//! `[[traffic]]`.

use std::net::SocketAddr;

use super::keys;
use super::leads;
use super::nodes::NodeInput;
use super::reader::{At, Reader, Section};
use super::settings::{Leads, TrafficDriver, TsigAlgorithm};
use super::values;
use crate::domain::ids::{NodeId, PerNode};

/// The entries of a site.
#[derive(Default)]
pub(super) struct TrafficInput {
    pub(super) drivers: Vec<TrafficDriver>,
    /// What is moved, as server, key and record, with its line: no two entries may move the same.
    pub(super) moved: Vec<At<String>>,
}

pub(super) fn read(reader: &mut Reader, root: &Section, service: Option<&str>, nodes: &PerNode<NodeInput>) -> TrafficInput {
    let mut input = TrafficInput::default();
    for mut section in reader.children(root, "traffic", "site.traffic") {
        if let Some(driver) = entry(reader, &mut section, service) {
            check_shared(reader, &section, &driver, nodes);
            note_moved(reader, &section, &driver, &mut input.moved);
            input.drivers.push(driver);
        }
    }
    input
}

/// Nobody moves a node's own address: both must be reached while neither or the other serves.
fn check_shared(reader: &mut Reader, section: &Section, driver: &TrafficDriver, nodes: &PerNode<NodeInput>) {
    let TrafficDriver::SharedIp { address } = driver else { return };
    let own = |node: &NodeId| nodes[*node].address.as_ref().is_some_and(|own| own.value == *address);
    if let Some(node) = NodeId::BOTH.into_iter().find(own) {
        let message =
            format!("the shared address {address} is the own address of node `{node}`; give the one that both boxes have");
        reader.problem(section.line, message);
    }
}

fn note_moved(reader: &mut Reader, section: &Section, driver: &TrafficDriver, moved: &mut Vec<At<String>>) {
    // Views of one server are told apart by their keys.
    let values: Vec<String> = match driver {
        TrafficDriver::Rfc2136 { primary, records, tsig_name, .. } => {
            records.iter().map(|record| format!("record `{record}` at {primary} with key `{tsig_name}`")).collect()
        }
        TrafficDriver::SharedIp { address } => vec![format!("shared address {address}")],
        TrafficDriver::Exec { .. } | TrafficDriver::Manual { .. } => Vec::new(),
    };
    for value in values {
        if let Some(first) = moved.iter().find(|known| known.value == value) {
            reader.problem(section.line, format!("{value} is already moved by the entry in line {}", first.line));
        }
        moved.push(At { value, line: section.line });
    }
}

fn entry(reader: &mut Reader, section: &mut Section, service: Option<&str>) -> Option<TrafficDriver> {
    let driver = reader.word(section, "driver").map(|driver| driver.value);
    section.driver = driver;
    reader.refuse_strangers(section);
    match driver? {
        "rfc2136" => rfc2136(reader, section, service),
        "shared-ip" => Some(TrafficDriver::SharedIp { address: reader.value(section, "address", values::address)?.value }),
        "exec" => Some(TrafficDriver::Exec { program: reader.program(section)?.value }),
        _ => manual(reader, section, service),
    }
}

/// Without a primary nobody tells which servers there are.
fn manual(reader: &mut Reader, section: &Section, service: Option<&str>) -> Option<TrafficDriver> {
    let records = records(reader, section, service);
    let (leads, resolvers) = (leads::read(reader, section), servers(reader, section, "resolvers"));
    let servers = servers(reader, section, "servers");
    if section.item(reader.source, "servers").is_none() {
        let expected = keys::find(section.table.name, "servers")?.kind.expected();
        reader.problem(section.line, format!("missing key `servers` {}: {expected}", section.place()));
    }
    let records = values_of(records?);
    Some(TrafficDriver::Manual { servers: servers?, resolvers: resolvers.unwrap_or_default(), records, leads })
}

fn rfc2136(reader: &mut Reader, section: &Section, service: Option<&str>) -> Option<TrafficDriver> {
    let primary = reader.value(section, "primary", values::server);
    let (servers, resolvers) = (servers(reader, section, "servers"), servers(reader, section, "resolvers"));
    let zone = reader.value(section, "zone", values::host_name);
    let records = records(reader, section, service);
    let leads = leads::read(reader, section);
    let ttl = reader.value(section, "ttl", values::ttl);
    let tsig_name = reader.value(section, "tsig_name", values::host_name);
    let tsig_algorithm = algorithm(reader, section);
    let tsig_secret_file = reader.path(section, "tsig_secret_file");
    if let (Some(zone), Some(records)) = (&zone, &records) {
        records.iter().for_each(|record| check_zone(reader, zone, record, leads.as_ref()));
    }
    Some(TrafficDriver::Rfc2136 {
        primary: primary?.value,
        servers: servers.unwrap_or_default(),
        resolvers: resolvers.unwrap_or_default(),
        zone: zone?.value,
        records: values_of(records?),
        leads,
        ttl: ttl.map(|ttl| ttl.value),
        tsig_name: tsig_name?.value,
        tsig_algorithm: tsig_algorithm?,
        tsig_secret_file: tsig_secret_file?.value,
    })
}

fn check_zone(reader: &mut Reader, zone: &At<String>, record: &At<String>, leads: Option<&Leads>) {
    let inside = record.value == zone.value || record.value.strip_suffix(&zone.value).is_some_and(|rest| rest.ends_with('.'));
    if !inside {
        let message = format!("record `{}` is not in zone `{}` (line {})", record.value, zone.value, zone.line);
        reader.problem(record.line.max(zone.line), message);
    }
    if let Some(Leads::Names(targets)) = leads
        && (record.value == zone.value || record.value == targets.a || record.value == targets.b)
    {
        let message = format!("record `{}` can't be an alias: it is the zone's own name or a node's", record.value);
        reader.problem(record.line, message);
    }
}

fn algorithm(reader: &mut Reader, section: &Section) -> Option<TsigAlgorithm> {
    Some(match reader.word(section, "tsig_algorithm")?.value {
        "hmac-sha512" => TsigAlgorithm::HmacSha512,
        "hmac-sha384" => TsigAlgorithm::HmacSha384,
        _ => TsigAlgorithm::HmacSha256,
    })
}

/// `None` also for a list that was left out.
fn servers(reader: &mut Reader, section: &Section, name: &str) -> Option<Vec<SocketAddr>> {
    let servers = reader.list(section, name, values::server)?;
    let twice = servers.value.iter().enumerate().find(|(at, server)| servers.value[..*at].contains(server));
    if let Some((_, server)) = twice {
        reader.problem(servers.line, format!("`{name}` {} names {server} twice", section.place()));
    }
    Some(servers.value)
}

/// The record, by default the service's name, and those that are moved with it.
fn records(reader: &mut Reader, section: &Section, service: Option<&str>) -> Option<Vec<At<String>>> {
    let mut records = vec![record(reader, section, service)?];
    let Some(more) = reader.list(section, "records", values::host_name) else {
        // Left out, or a problem that was said.
        return Some(records);
    };
    for value in more.value {
        if records.iter().any(|known| known.value == value) {
            reader.problem(more.line, format!("`records` {} names `{value}`, which is moved already", section.place()));
        } else {
            records.push(At { value, line: more.line });
        }
    }
    if records.len() > MOST_RECORDS {
        let message = format!("`records` {} names {} records, expected at most {MOST_RECORDS}", section.place(), records.len());
        reader.problem(more.line, message);
    }
    Some(records)
}

fn values_of(records: Vec<At<String>>) -> Vec<String> {
    records.into_iter().map(|record| record.value).collect()
}

fn record(reader: &mut Reader, section: &Section, service: Option<&str>) -> Option<At<String>> {
    if section.item(reader.source, "record").is_none() {
        return Some(At { value: service?.to_owned(), line: section.line });
    }
    reader.value(section, "record", values::host_name)
}

/// Every one is read from every server at every look.
const MOST_RECORDS: usize = 50;
