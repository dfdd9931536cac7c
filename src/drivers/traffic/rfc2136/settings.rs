//! What the driver is told, and what of it can't be.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hickory_proto::rr::Name;
use hickory_proto::rr::rdata::tsig::TsigAlgorithm;
use secrecy::{ExposeSecret, SecretBox, SecretString};

use crate::domain::ids::PerNode;
use crate::ports::Clock;

use super::ask::Server;
use super::judge::Entry;
use super::{Key, Rfc2136};

/// One `[[traffic]]` entry with `driver = "rfc2136"`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The site's name, for the log.
    pub site: String,
    /// Where updates go, over TCP.
    pub primary: SocketAddr,
    /// All authoritative servers, each read back.
    pub servers: Vec<SocketAddr>,
    pub zone: String,
    /// The name whose address is moved.
    pub record: String,
    /// Where each node serves; A or AAAA by their family.
    pub addresses: PerNode<IpAddr>,
    /// Seconds; the TTL given to a record whose present one is 0, which is none to keep.
    pub ttl: u32,
    pub tsig_name: String,
    /// `hmac-sha256`, `hmac-sha384` or `hmac-sha512`.
    pub tsig_algorithm: String,
    /// Base64, the content of `tsig_secret_file`.
    pub tsig_secret: SecretString,
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
    #[error("both nodes have the address {0}; traffic can't be told apart")]
    SameAddress(IpAddr),
    #[error("node `a` has the address {a}, node `b` {b}; one record can't be A and AAAA, so both must be of one family")]
    MixedFamilies { a: IpAddr, b: IpAddr },
    #[error("`{0}` is not a TSIG algorithm known here; expected hmac-sha256, hmac-sha384 or hmac-sha512")]
    BadAlgorithm(String),
    #[error("the secret of TSIG key `{0}` is not base64; expected what stands in quotes in the server's key file")]
    BadSecret(String),
    #[error("the resolver for {server} can't be made: {reason}")]
    Resolver { server: SocketAddr, reason: String },
}

pub(super) fn build(settings: Settings, clock: Arc<dyn Clock>) -> Result<Rfc2136, SettingsError> {
    let entry = entry(settings.site, &settings.record, settings.addresses)?;
    let zone = parse_name(&settings.zone)?;
    if !zone.zone_of(&entry.record) {
        return Err(SettingsError::OutOfZone { record: settings.record, zone: settings.zone });
    }
    Ok(Rfc2136 {
        entry,
        zone,
        primary: Server::new(settings.primary)?,
        servers: servers(&settings.servers)?,
        ttl: settings.ttl,
        key: key(&settings.tsig_name, &settings.tsig_algorithm, &settings.tsig_secret)?,
        clock,
        floor: Mutex::new(None),
    })
}

/// The record and the two addresses it may hold.
pub(in crate::drivers::traffic) fn entry(site: String, record: &str, addresses: PerNode<IpAddr>) -> Result<Entry, SettingsError> {
    let PerNode { a, b } = addresses;
    if a == b {
        return Err(SettingsError::SameAddress(a));
    }
    if a.is_ipv4() != b.is_ipv4() {
        return Err(SettingsError::MixedFamilies { a, b });
    }
    Ok(Entry::new(site, parse_name(record)?, addresses))
}

/// The servers to read back.
pub(in crate::drivers::traffic) fn servers(addresses: &[SocketAddr]) -> Result<Vec<Server>, SettingsError> {
    if addresses.is_empty() {
        return Err(SettingsError::NoServers);
    }
    let twice = addresses.iter().enumerate().find(|(at, address)| addresses[..*at].contains(address));
    match twice {
        Some((_, address)) => Err(SettingsError::ServerTwice(*address)),
        None => addresses.iter().map(|address| Server::new(*address)).collect(),
    }
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
            record: "support.example.com".into(),
            addresses: PerNode { a: "192.0.2.10".parse().unwrap(), b: "192.0.2.20".parse().unwrap() },
            ttl: 60,
            tsig_name: "changeover".into(),
            tsig_algorithm: "hmac-sha256".into(),
            tsig_secret: "c2VjcmV0LXNlY3JldC1zZWNyZXQ=\n".to_owned().into(),
        }
    }

    #[tokio::test]
    async fn settings_that_can_not_work_are_refused_before_anything_is_sent() {
        let server: SocketAddr = "192.0.2.53:53".parse().unwrap();
        let a: IpAddr = "192.0.2.10".parse().unwrap();
        let six: IpAddr = "2001:db8::20".parse().unwrap();
        type Case = (fn(&mut Settings), SettingsError);
        let cases: [Case; 9] = [
            (|s| s.record = "support..com".into(), SettingsError::BadName("support..com".into())),
            (|s| s.zone = String::new(), SettingsError::BadName(String::new())),
            (
                |s| s.record = "support.example.net".into(),
                SettingsError::OutOfZone { record: "support.example.net".into(), zone: "example.com".into() },
            ),
            (|s| s.servers.clear(), SettingsError::NoServers),
            (|s| s.servers[1] = s.servers[0], SettingsError::ServerTwice(server)),
            (|s| s.addresses.b = s.addresses.a, SettingsError::SameAddress(a)),
            (|s| s.addresses.b = "2001:db8::20".parse().unwrap(), SettingsError::MixedFamilies { a, b: six }),
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
}
