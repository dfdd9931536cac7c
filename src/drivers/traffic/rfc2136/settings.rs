//! What the driver is told, and what of it can't be.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hickory_proto::rr::rdata::CNAME;
use hickory_proto::rr::rdata::tsig::TsigAlgorithm;
use hickory_proto::rr::{Name, RData, RecordType};
use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretBox, SecretString};

use crate::domain::ids::{NodeId, PerNode};
use crate::ports::Clock;

use super::ask::Server;
use super::authorities::Authorities;
use super::judge::{Entry, Moved};
use super::record::{shown, text};
use super::{Key, Rfc2136};

/// One `[[traffic]]` entry with `driver = "rfc2136"`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The site's name, for the log.
    pub site: String,
    /// Where updates go, over TCP.
    pub primary: SocketAddr,
    /// All authoritative servers, each read back; none: the primary and those that the zone's NS records name.
    pub servers: Vec<SocketAddr>,
    /// Recursive resolvers that are asked beside them.
    pub resolvers: Vec<SocketAddr>,
    pub zone: String,
    /// The names that are moved, together.
    pub records: Vec<String>,
    /// What each of them leads to.
    pub leads: Leads,
    /// Seconds; the TTL given to a record whose present one is 0, which is none to keep.
    pub ttl: u32,
    pub tsig_name: String,
    /// `hmac-sha256`, `hmac-sha384` or `hmac-sha512`.
    pub tsig_algorithm: String,
    /// Base64, the content of `tsig_secret_file`.
    pub tsig_secret: SecretString,
    /// How far ahead of the machine's clock updates are signed: zero, but in tests of clocks that differ.
    pub signed_ahead: SignedDuration,
}

/// What the records hold while a node serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leads {
    /// Addresses: at most one of each family, and for both nodes the same families. An A record, an AAAA record or both.
    Addresses(PerNode<Vec<IpAddr>>),
    /// The nodes' own names: a CNAME record.
    Names(PerNode<String>),
}

/// Why an entry can't be used. Each is found before anything is sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    #[error("`{0}` is not a domain name")]
    BadName(String),
    #[error("record `{record}` lies outside zone `{zone}`")]
    OutOfZone { record: String, zone: String },
    #[error("no authoritative server is named in `servers`; without one no switch can be proven")]
    NoServers,
    #[error("server `{0}` is named twice")]
    ServerTwice(SocketAddr),
    #[error("no record is named; expected at least one")]
    NoRecords,
    #[error("record `{0}` is named twice")]
    RecordTwice(String),
    #[error("both nodes have {0}; traffic can't be told apart")]
    SameValue(String),
    #[error("node `a` has {a}, node `b` {b}; expected for both one IPv4 address, one IPv6 address, or one of each")]
    UnlikeAddresses { a: String, b: String },
    #[error("record `{record}` can't be an alias of `{target}`: {why}")]
    BadAlias { record: String, target: String, why: &'static str },
    #[error("`{0}` is not a TSIG algorithm known here; expected hmac-sha256, hmac-sha384 or hmac-sha512")]
    BadAlgorithm(String),
    #[error("the secret of TSIG key `{0}` is not base64; expected what stands in quotes in the server's key file")]
    BadSecret(String),
    #[error("the resolver for {server} can't be made: {reason}")]
    Resolver { server: SocketAddr, reason: String },
}

pub(super) fn build(settings: Settings, clock: Arc<dyn Clock>) -> Result<Rfc2136, SettingsError> {
    let entry = entry(settings.site, &settings.records, &settings.leads)?;
    let zone = parse_name(&settings.zone)?;
    for moved in &entry.sets {
        check_place(moved, &zone)?;
    }
    let authorities =
        if settings.servers.is_empty() { Authorities::ByNs } else { Authorities::Listed(servers(&settings.servers)?) };
    Ok(Rfc2136 {
        entry,
        zone,
        primary: Server::new(settings.primary)?,
        authorities,
        resolvers: resolvers(&settings.resolvers)?,
        ttl: settings.ttl,
        key: key(&settings.tsig_name, &settings.tsig_algorithm, &settings.tsig_secret)?,
        signed_ahead: settings.signed_ahead,
        clock,
        floor: Mutex::new(None),
    })
}

fn check_place(moved: &Moved, zone: &Name) -> Result<(), SettingsError> {
    let record = moved.shown();
    if !zone.zone_of(&moved.name) {
        return Err(SettingsError::OutOfZone { record, zone: shown(zone) });
    }
    if moved.kind == RecordType::CNAME && moved.name == *zone {
        let (target, why) = (text(&moved.values.a), "a zone's own name can't be an alias");
        return Err(SettingsError::BadAlias { record, target, why });
    }
    Ok(())
}

/// The RRsets that are moved, and the two values that each may hold.
pub(in crate::drivers::traffic) fn entry(site: String, records: &[String], leads: &Leads) -> Result<Entry, SettingsError> {
    let mut names: Vec<Name> = Vec::new();
    for record in records {
        let name = parse_name(record)?;
        if names.contains(&name) {
            return Err(SettingsError::RecordTwice(record.clone()));
        }
        names.push(name);
    }
    if names.is_empty() {
        return Err(SettingsError::NoRecords);
    }
    let values = values(leads)?;
    let moved =
        |name: &Name, values: &PerNode<RData>| Moved { name: name.clone(), kind: values.a.record_type(), values: values.clone() };
    let sets: Vec<Moved> = names.iter().flat_map(|name| values.iter().map(move |values| moved(name, values))).collect();
    match sets.iter().find(|moved| is_own_alias(moved)) {
        Some(moved) => {
            let (record, target) = (moved.shown(), text(&moved.values.a));
            Err(SettingsError::BadAlias { record, target, why: "one of the nodes' names is the record itself" })
        }
        None => Ok(Entry { site, sets }),
    }
}

fn is_own_alias(moved: &Moved) -> bool {
    NodeId::BOTH.into_iter().any(|node| matches!(&moved.values[node], RData::CNAME(target) if target.0 == moved.name))
}

/// The values by node, one pair for each type of record.
fn values(leads: &Leads) -> Result<Vec<PerNode<RData>>, SettingsError> {
    let pairs = match leads {
        Leads::Names(names) => {
            let alias = |text: &str| Ok::<_, SettingsError>(RData::CNAME(CNAME(parse_name(text)?)));
            vec![PerNode { a: alias(&names.a)?, b: alias(&names.b)? }]
        }
        Leads::Addresses(addresses) => pairs(addresses)?,
    };
    match pairs.iter().find(|pair| pair.a == pair.b) {
        Some(pair) => Err(SettingsError::SameValue(text(&pair.a))),
        None => Ok(pairs),
    }
}

fn pairs(addresses: &PerNode<Vec<IpAddr>>) -> Result<Vec<PerNode<RData>>, SettingsError> {
    let of = |node: NodeId, four: bool| addresses[node].iter().copied().filter(move |address| address.is_ipv4() == four);
    let mut pairs = Vec::new();
    for four in [true, false] {
        let counts = NodeId::BOTH.map(|node| of(node, four).count());
        match (of(NodeId::A, four).next(), of(NodeId::B, four).next()) {
            (Some(a), Some(b)) if counts == [1, 1] => pairs.push(PerNode { a: RData::from(a), b: RData::from(b) }),
            (None, None) => {}
            _ => return Err(unlike(addresses)),
        }
    }
    if pairs.is_empty() { Err(unlike(addresses)) } else { Ok(pairs) }
}

fn unlike(addresses: &PerNode<Vec<IpAddr>>) -> SettingsError {
    let [a, b] = NodeId::BOTH.map(|node| match addresses[node].as_slice() {
        [] => "none".to_owned(),
        some => some.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" and "),
    });
    SettingsError::UnlikeAddresses { a, b }
}

/// The servers to read back; at least one.
pub(in crate::drivers::traffic) fn servers(addresses: &[SocketAddr]) -> Result<Vec<Server>, SettingsError> {
    if addresses.is_empty() {
        return Err(SettingsError::NoServers);
    }
    unique(addresses)?;
    addresses.iter().map(|address| Server::new(*address)).collect()
}

/// The recursive resolvers to ask, if any.
pub(in crate::drivers::traffic) fn resolvers(addresses: &[SocketAddr]) -> Result<Vec<Server>, SettingsError> {
    unique(addresses)?;
    addresses.iter().map(|address| Server::recursive(*address)).collect()
}

fn unique(addresses: &[SocketAddr]) -> Result<(), SettingsError> {
    let twice = addresses.iter().enumerate().find(|(at, address)| addresses[..*at].contains(address));
    twice.map_or(Ok(()), |(_, address)| Err(SettingsError::ServerTwice(*address)))
}

fn key(name: &str, algorithm: &str, secret: &SecretString) -> Result<Key, SettingsError> {
    let algorithm = match algorithm {
        "hmac-sha256" => TsigAlgorithm::HmacSha256,
        "hmac-sha384" => TsigAlgorithm::HmacSha384,
        "hmac-sha512" => TsigAlgorithm::HmacSha512,
        _ => return Err(SettingsError::BadAlgorithm(algorithm.to_owned())),
    };
    let secret = STANDARD.decode(secret.expose_secret().trim()).ok().filter(|secret| !secret.is_empty());
    let secret = secret.ok_or_else(|| SettingsError::BadSecret(name.to_owned()))?;
    Ok(Key { name: parse_name(name)?, algorithm, secret: SecretBox::new(Box::new(secret)) })
}

fn parse_name(text: &str) -> Result<Name, SettingsError> {
    let mut name = Name::from_str(text).ok().filter(|name| name.num_labels() > 0);
    if let Some(name) = &mut name {
        name.set_fqdn(true);
    }
    name.ok_or_else(|| SettingsError::BadName(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    struct Still;

    impl Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }
        fn sleep_until(&self, _at: Timestamp) -> futures_util::future::BoxFuture<'_, ()> {
            Box::pin(async {})
        }
    }

    fn good() -> Settings {
        Settings {
            site: "support".into(),
            primary: "192.0.2.53:53".parse().unwrap(),
            servers: vec!["192.0.2.53:53".parse().unwrap(), "192.0.2.54:53".parse().unwrap()],
            zone: "example.com".into(),
            resolvers: Vec::new(),
            records: vec!["support.example.com".into()],
            leads: addresses(["192.0.2.10"], ["192.0.2.20"]),
            ttl: 60,
            tsig_name: "changeover".into(),
            tsig_algorithm: "hmac-sha256".into(),
            tsig_secret: "c2VjcmV0LXNlY3JldC1zZWNyZXQ=\n".to_owned().into(),
            signed_ahead: SignedDuration::ZERO,
        }
    }

    fn addresses<const N: usize, const M: usize>(a: [&str; N], b: [&str; M]) -> Leads {
        let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        Leads::Addresses(PerNode { a: parse(&a), b: parse(&b) })
    }

    fn names(a: &str, b: &str) -> Leads {
        Leads::Names(PerNode { a: a.into(), b: b.into() })
    }

    fn unlike(a: &str, b: &str) -> SettingsError {
        SettingsError::UnlikeAddresses { a: a.into(), b: b.into() }
    }

    fn alias(record: &str, target: &str, why: &'static str) -> SettingsError {
        SettingsError::BadAlias { record: record.into(), target: target.into(), why }
    }

    /// Where a box is asked who it is: at what the entry holds for it, if that is an address.
    #[test]
    fn r13_an_entry_tells_the_address_behind_which_each_node_serves() {
        let ip = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        for (leads, a, b) in [
            (addresses(["192.0.2.10"], ["192.0.2.20"]), ip("192.0.2.10"), ip("192.0.2.20")),
            (addresses(["2001:db8::10", "192.0.2.10"], ["192.0.2.20", "2001:db8::20"]), ip("192.0.2.10"), ip("192.0.2.20")),
            (addresses(["2001:db8::10"], ["2001:db8::20"]), ip("2001:db8::10"), ip("2001:db8::20")),
            (names("a.example.com", "b.example.com"), None, None),
        ] {
            let entry = entry("support".to_owned(), &["support.example.com".to_owned()], &leads).unwrap();
            assert_eq!((entry.address_of(NodeId::A), entry.address_of(NodeId::B)), (a, b), "{leads:?}");
        }
    }

    #[tokio::test]
    async fn settings_that_can_not_work_are_refused_before_anything_is_sent() {
        let server: SocketAddr = "192.0.2.53:53".parse().unwrap();
        let outside = SettingsError::OutOfZone { record: "support.example.net".into(), zone: "example.com".into() };
        let itself = "one of the nodes' names is the record itself";
        type Case = (fn(&mut Settings), SettingsError);
        let cases: [Case; 19] = [
            (|s| s.records = vec!["support..com".into()], SettingsError::BadName("support..com".into())),
            (|s| s.zone = String::new(), SettingsError::BadName(String::new())),
            (|s| s.records.push("support.example.net".into()), outside),
            (|s| s.records.clear(), SettingsError::NoRecords),
            (|s| s.records.push("Support.Example.com.".into()), SettingsError::RecordTwice("Support.Example.com.".into())),
            (|s| s.servers[1] = s.servers[0], SettingsError::ServerTwice(server)),
            (|s| s.resolvers = vec![s.servers[0]; 2], SettingsError::ServerTwice(server)),
            (|s| s.leads = addresses(["192.0.2.10"], ["192.0.2.10"]), SettingsError::SameValue("192.0.2.10".into())),
            (
                |s| s.leads = addresses(["192.0.2.10", "2001:db8::1"], ["192.0.2.20", "2001:db8::1"]),
                SettingsError::SameValue("2001:db8::1".into()),
            ),
            (|s| s.leads = addresses(["192.0.2.10"], ["2001:db8::20"]), unlike("192.0.2.10", "2001:db8::20")),
            (
                |s| s.leads = addresses(["192.0.2.10", "2001:db8::10"], ["192.0.2.20"]),
                unlike("192.0.2.10 and 2001:db8::10", "192.0.2.20"),
            ),
            (
                |s| s.leads = addresses(["192.0.2.10", "192.0.2.11"], ["192.0.2.20", "192.0.2.21"]),
                unlike("192.0.2.10 and 192.0.2.11", "192.0.2.20 and 192.0.2.21"),
            ),
            (|s| s.leads = addresses([], []), unlike("none", "none")),
            (|s| s.leads = names("a.example.com", "A.example.com."), SettingsError::SameValue("a.example.com".into())),
            (|s| s.leads = names("a..com", "b.example.com"), SettingsError::BadName("a..com".into())),
            (|s| s.leads = names("a.example.com", "support.example.com"), alias("support.example.com", "a.example.com", itself)),
            (
                |s| (s.records, s.leads) = (vec!["example.com".into()], names("a.example.com", "b.example.com")),
                alias("example.com", "a.example.com", "a zone's own name can't be an alias"),
            ),
            (|s| s.tsig_algorithm = "hmac-md5".into(), SettingsError::BadAlgorithm("hmac-md5".into())),
            (|s| s.tsig_secret = "no base64!".to_owned().into(), SettingsError::BadSecret("changeover".into())),
        ];
        assert!(build(good(), Arc::new(Still)).is_ok());
        for (spoil, expected) in cases {
            let mut settings = good();
            spoil(&mut settings);
            let shown = format!("{settings:?}");
            assert_eq!(build(settings, Arc::new(Still)).err(), Some(expected), "{shown}");
            assert!(!shown.contains("c2VjcmV0"), "a secret was shown: {shown}");
        }
    }

    #[tokio::test]
    async fn each_name_has_one_set_for_each_family_or_an_alias() {
        type Case = (Leads, &'static [RecordType]);
        let cases: [Case; 4] = [
            (addresses(["192.0.2.10"], ["192.0.2.20"]), &[RecordType::A]),
            (addresses(["2001:db8::10"], ["2001:db8::20"]), &[RecordType::AAAA]),
            (addresses(["2001:db8::10", "192.0.2.10"], ["192.0.2.20", "2001:db8::20"]), &[RecordType::A, RecordType::AAAA]),
            (names("a.example.com", "b.example.com"), &[RecordType::CNAME]),
        ];
        for (leads, kinds) in cases {
            let records = ["support.example.com".to_owned(), "www.example.com".to_owned()];
            let entry = entry("support".into(), &records, &leads).unwrap();
            let of = |name: &str| entry.sets.iter().filter(|set| set.shown() == name).map(|set| set.kind).collect::<Vec<_>>();
            assert_eq!((of("support.example.com"), of("www.example.com")), (kinds.to_vec(), kinds.to_vec()), "{leads:?}");
        }
    }
}
