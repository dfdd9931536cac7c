//! Reads one authoritative server: the record with hickory-resolver, authority and serial with hickory-net's plain client.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_net::client::Client;
use hickory_net::runtime::TokioRuntimeProvider;
use hickory_net::udp::UdpClientStream;
use hickory_net::xfer::{DnsHandle, FirstAnswer};
use hickory_net::{DnsError, NetError};
use hickory_proto::op::{DnsRequestOptions, DnsResponse, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use tokio::time::timeout;

use super::SettingsError;

/// One authoritative server.
pub(in crate::drivers::traffic) struct Server {
    pub address: SocketAddr,
    resolver: TokioResolver,
}

/// What stands at a name, by one server's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::drivers::traffic) struct RrSet {
    /// Sorted.
    pub addresses: Vec<IpAddr>,
    pub ttl: u32,
    pub authoritative: bool,
}

/// One reading of a server; the errors are words for `found`.
#[derive(Clone, Debug)]
pub(in crate::drivers::traffic) struct Reading {
    /// The serial of an authoritative SOA; `None` where none was asked for. Read before the value, which is therefore at least as new.
    pub serial: Option<u32>,
    pub value: Result<RrSet, String>,
}

impl Server {
    /// A resolver that asks this server alone and remembers nothing.
    pub fn new(address: SocketAddr) -> Result<Self, SettingsError> {
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
            connection.port = address.port();
            connection
        });
        let server = NameServerConfig::new(address.ip(), true, connections.to_vec());
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = options();
        let failed = |error: NetError| SettingsError::Resolver { server: address, reason: error.to_string() };
        Ok(Self { address, resolver: builder.build().map_err(failed)? })
    }

    /// Serial and value. A server without a serial is not asked for the value: it is silent, or has no such zone.
    pub async fn read(&self, record: &Name, kind: RecordType, zone: &Name) -> Reading {
        match self.serial(zone).await {
            Err(error) => Reading { serial: None, value: Err(error) },
            Ok(serial) => Reading { serial: Some(serial), value: self.value(record, kind).await },
        }
    }

    /// The addresses of `kind` that stand at exactly this name; an alias is an error, as no update of ours could move it.
    pub async fn value(&self, record: &Name, kind: RecordType) -> Result<RrSet, String> {
        let lookup = timeout(READ_LIMIT, self.resolver.lookup(record.clone(), kind)).await;
        let lookup = lookup.map_err(|_| "no answer".to_owned())?.map_err(|error| words(&error, kind))?;
        rr_set(lookup.answers(), record, kind, lookup.message().authoritative)
    }

    /// The zone's serial, by an authoritative answer.
    pub async fn serial(&self, zone: &Name) -> Result<u32, String> {
        let response =
            self.ask(Query::query(zone.clone(), RecordType::SOA)).await.map_err(|error| words(&error, RecordType::SOA))?;
        let serial = response.answers.iter().find_map(|record| match &record.data {
            RData::SOA(soa) if record.name == *zone => Some(soa.serial),
            _ => None,
        });
        match serial {
            Some(_) if !response.authoritative => Err("not authoritative".to_owned()),
            Some(serial) => Ok(serial),
            None => Err(format!("no SOA record of zone {zone} ({})", rcode(response.response_code))),
        }
    }

    /// One question over UDP; hickory matches the answer's address, id and question.
    async fn ask(&self, query: Query) -> Result<DnsResponse, NetError> {
        let mut last = NetError::Timeout;
        for _ in 0..ATTEMPTS {
            let stream =
                UdpClientStream::builder(self.address, TokioRuntimeProvider::default()).with_timeout(Some(TRY_LIMIT)).build();
            let (client, background) = Client::<TokioRuntimeProvider>::from_sender(stream);
            tokio::spawn(background);
            let mut options = DnsRequestOptions::default();
            options.recursion_desired = false;
            match timeout(TRY_LIMIT, client.lookup(query.clone(), options).first_answer()).await {
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(error)) => last = error,
                Err(_) => last = NetError::Timeout,
            }
        }
        Err(last)
    }
}

fn options() -> ResolverOpts {
    let mut options = ResolverOpts::default();
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.recursion_desired = false;
    options.attempts = ATTEMPTS;
    options.timeout = TRY_LIMIT;
    // Aliases are to be seen, and a TTL above the default limit of a day is to be read as it stands.
    options.preserve_intermediates = true;
    options.positive_max_ttl = Some(Duration::from_secs(u64::from(u32::MAX)));
    options
}

pub(super) fn rr_set(answers: &[Record], name: &Name, kind: RecordType, authoritative: bool) -> Result<RrSet, String> {
    let alias = answers.iter().find_map(|record| match &record.data {
        RData::CNAME(target) if record.name == *name => Some(format!("an alias of {}", target.0)),
        _ => None,
    });
    let own: Vec<_> = answers.iter().filter(|record| record.name == *name && record.record_type() == kind).collect();
    let mut addresses: Vec<_> = own.iter().filter_map(|record| record.data.ip_addr()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    match (alias, own.iter().map(|record| record.ttl).min()) {
        (Some(alias), _) => Err(alias),
        (None, Some(ttl)) => Ok(RrSet { addresses, ttl, authoritative }),
        (None, None) => Err(format!("no {kind} record")),
    }
}

fn words(error: &NetError, kind: RecordType) -> String {
    match error {
        NetError::Timeout | NetError::NoConnections => "no answer".to_owned(),
        NetError::Io(error) => format!("no answer ({error})"),
        NetError::Dns(DnsError::NoRecordsFound(none)) => format!("no {kind} record ({})", rcode(none.response_code)),
        NetError::Dns(DnsError::ResponseCode(code)) => format!("answer {}", rcode(*code)),
        other => format!("no usable answer ({other})"),
    }
}

/// The word that `dig` and the RFCs use, `REFUSED`.
pub(super) fn rcode(code: ResponseCode) -> String {
    format!("{code:?}").to_uppercase()
}

/// One repeat: a lost datagram is common, two in a row on a path to a working server are not.
const ATTEMPTS: usize = 2;

/// BIND 9.18 on the same machine answered in 0.4 ms; the rest is room for distance and for a busy server.
const TRY_LIMIT: Duration = Duration::from_secs(2);

/// The whole of a resolver's reading, its own repeats and the change to TCP included.
const READ_LIMIT: Duration = Duration::from_secs(6);
