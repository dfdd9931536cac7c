//! Reads one server: values with hickory-resolver, authority and serial with hickory-net's plain client.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
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
use super::judge::Moved;
use super::record::{Reading, RrSet, shown, text};

/// One server.
pub(in crate::drivers::traffic) struct Server {
    pub address: SocketAddr,
    resolver: TokioResolver,
}

/// What the start of a zone says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::drivers::traffic) struct Soa {
    pub serial: u32,
    /// Seconds for which a resolver may remember that something is not there.
    pub negative_ttl: u32,
}

impl Server {
    /// An authoritative server: asked without recursion.
    pub fn new(address: SocketAddr) -> Result<Self, SettingsError> {
        Self::with(address, false)
    }

    /// A recursive resolver: asked to find out, or to say what it remembers.
    pub fn recursive(address: SocketAddr) -> Result<Self, SettingsError> {
        Self::with(address, true)
    }

    /// A client that asks this server alone and remembers nothing.
    fn with(address: SocketAddr, recursion: bool) -> Result<Self, SettingsError> {
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
            connection.port = address.port();
            connection
        });
        let server = NameServerConfig::new(address.ip(), true, connections.to_vec());
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = options(recursion);
        let failed = |error: NetError| SettingsError::Resolver { server: address, reason: error.to_string() };
        Ok(Self { address, resolver: builder.build().map_err(failed)? })
    }

    /// Serial and values. A server without a serial is not asked for values: it is silent, or has no such zone.
    pub async fn read(&self, sets: &[Moved], zone: &Name) -> Reading {
        match self.soa(zone).await {
            Err(error) => Reading { serial: None, values: vec![Err(error); sets.len()] },
            Ok(soa) => Reading { serial: Some(soa.serial), values: self.values(sets).await },
        }
    }

    /// What stands in each of these sets, asked for at once.
    pub async fn values(&self, sets: &[Moved]) -> Vec<Result<RrSet, String>> {
        join_all(sets.iter().map(|moved| self.value(&moved.name, moved.kind))).await
    }

    /// The values of `kind` that stand at exactly this name; an alias in the way is an error, as no update of ours could move it.
    pub async fn value(&self, name: &Name, kind: RecordType) -> Result<RrSet, String> {
        let lookup = timeout(READ_LIMIT, self.resolver.lookup(name.clone(), kind)).await;
        let lookup = lookup.map_err(|_| "no answer".to_owned())?.map_err(|error| words(&error, kind))?;
        rr_set(lookup.answers(), name, kind, lookup.message().authoritative)
    }

    /// Whether anything of `kind` is found at the name, through aliases too; `None`: it was not told.
    pub async fn has(&self, name: &Name, kind: RecordType) -> Option<bool> {
        match timeout(READ_LIMIT, self.resolver.lookup(name.clone(), kind)).await {
            Ok(Ok(lookup)) => Some(lookup.answers().iter().any(|record| record.record_type() == kind)),
            Ok(Err(NetError::Dns(DnsError::NoRecordsFound(_)))) => Some(false),
            _ => None,
        }
    }

    /// The zone's start, by an authoritative answer.
    pub async fn soa(&self, zone: &Name) -> Result<Soa, String> {
        let response =
            self.ask(Query::query(zone.clone(), RecordType::SOA)).await.map_err(|error| words(&error, RecordType::SOA))?;
        let soa = response.answers.iter().find_map(|record| match &record.data {
            RData::SOA(soa) if record.name == *zone => {
                // RFC 2308 section 5: the smaller of the SOA's own TTL and its last field.
                Some(Soa { serial: soa.serial, negative_ttl: soa.minimum.min(record.ttl) })
            }
            _ => None,
        });
        match soa {
            Some(_) if !response.authoritative => Err("not authoritative".to_owned()),
            Some(soa) => Ok(soa),
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

fn options(recursion: bool) -> ResolverOpts {
    let mut options = ResolverOpts::default();
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.recursion_desired = recursion;
    options.attempts = ATTEMPTS;
    options.timeout = TRY_LIMIT;
    // Aliases are to be seen, and a TTL above the default limit of a day is to be read as it stands.
    options.preserve_intermediates = true;
    options.positive_max_ttl = Some(Duration::from_secs(u64::from(u32::MAX)));
    options
}

pub(super) fn rr_set(answers: &[Record], name: &Name, kind: RecordType, authoritative: bool) -> Result<RrSet, String> {
    let alias = answers.iter().find_map(|record| match &record.data {
        RData::CNAME(target) if record.name == *name && kind != RecordType::CNAME => {
            Some(format!("an alias of {}", shown(&target.0)))
        }
        _ => None,
    });
    let own: Vec<_> = answers.iter().filter(|record| record.name == *name && record.record_type() == kind).collect();
    let mut values: Vec<_> = own.iter().map(|record| record.data.clone()).collect();
    values.sort_by_cached_key(text);
    values.dedup();
    match (alias, own.iter().map(|record| record.ttl).min()) {
        (Some(alias), _) => Err(alias),
        (None, Some(ttl)) => Ok(RrSet { values, ttl, authoritative }),
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
pub(super) const READ_LIMIT: Duration = Duration::from_secs(6);
