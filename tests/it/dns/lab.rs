//! One name server with somebody else at work on it: ours, BIND's, Knot's or PowerDNS's.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use changeover::domain::ids::{NodeId, PerNode, RunId};
use changeover::domain::site::TrafficLook;
use changeover::drivers::traffic::rfc2136::{Leads, Rfc2136, Settings};
use changeover::ports::{Access, ActAnswer, Clock, Intent, Traffic, TtlChange, TtlWay};
use changeover::simulator::zone::{Zone, ZoneAlias, ZoneHandle, ZoneKey, ZoneOptions};
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};

use crate::name_servers::{self, KEY, Options, SECRET};
use crate::{knot, named, powerdns};

pub const ZONE: &str = "example.com";
pub const RECORD: &str = "support.example.com";
/// A name beside it that the key may not change.
pub const OTHER: &str = "other.example.com";
/// A second name, which moves with the first.
pub const WWW: &str = "www.example.com";
/// An alias of a node's own name.
pub const DESK: &str = "desk.example.com";
pub const TTL: u32 = 123;

/// A server for [`ZONE`], in which [`RECORD`] leads to node `a`.
pub enum Lab {
    Ours { primary: Box<ZoneHandle>, secondary: Box<ZoneHandle> },
    Bind(Box<named::Pair>),
    Knot(Box<knot::Pair>),
    Powerdns(Box<powerdns::Primary>),
}

pub fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub fn four() -> PerNode<IpAddr> {
    PerNode { a: ip("192.0.2.10"), b: ip("192.0.2.20") }
}

pub fn six() -> PerNode<IpAddr> {
    PerNode { a: ip("2001:db8::10"), b: ip("2001:db8::20") }
}

/// Where records lead that hold one address of these.
pub fn addresses(addresses: PerNode<IpAddr>) -> Leads {
    Leads::Addresses(addresses.map(|address| vec![address]))
}

/// Both families at once.
pub fn both_families() -> Leads {
    Leads::Addresses(PerNode { a: vec![four().a, six().a], b: vec![four().b, six().b] })
}

/// The nodes' own names.
pub fn own_names() -> Leads {
    Leads::Names(PerNode { a: "a.example.com".into(), b: "b.example.com".into() })
}

pub fn records() -> Vec<(&'static str, IpAddr, u32)> {
    let nodes = [("a.example.com", four().a, TTL), ("b.example.com", four().b, TTL)];
    let names =
        [(RECORD, four().a, TTL), (RECORD, six().a, TTL), (OTHER, four().a, TTL), (WWW, four().a, TTL), (WWW, six().a, 50)];
    names.into_iter().chain(nodes).collect()
}

fn options(secondary_follows: bool) -> Options {
    let aliases = vec![(DESK, "a.example.com", TTL)];
    Options { zone: ZONE, records: records(), aliases, updatable: vec![RECORD, WWW, DESK], negative: 30, secondary_follows }
}

pub fn zone_options(serial: u32) -> ZoneOptions {
    let key = ZoneKey { name: KEY.into(), algorithm: "hmac-sha256".into(), secret: SECRET.to_owned().into() };
    let updatable = [RECORD, WWW, DESK].map(str::to_owned).to_vec();
    let mut options = ZoneOptions { serial, updatable, ..ZoneOptions::new(ZONE, key) };
    for (name, address, ttl) in records() {
        options = options.with(name, address, ttl);
    }
    options.aliases = vec![ZoneAlias { name: DESK.into(), target: "a.example.com".into(), ttl: TTL }];
    options
}

impl Lab {
    /// Our zone twice; the second never hears of a change, and is two serials behind from the start.
    pub async fn ours() -> Self {
        let primary = Box::new(Zone::start(zone_options(102)).await.unwrap());
        Self::Ours { primary, secondary: Box::new(Zone::start(zone_options(100)).await.unwrap()) }
    }

    /// BIND, primary and secondary.
    pub fn bind(secondary_follows: bool) -> Self {
        Self::Bind(Box::new(named::Pair::start(&options(secondary_follows))))
    }

    /// Knot DNS, primary and secondary.
    pub fn knot() -> Self {
        Self::Knot(Box::new(knot::Pair::start(&options(true))))
    }

    /// PowerDNS, a primary.
    pub fn powerdns() -> Self {
        Self::Powerdns(Box::new(powerdns::Primary::start(&options(true))))
    }

    pub fn primary(&self) -> SocketAddr {
        match self {
            Self::Ours { primary, .. } => primary.address,
            Self::Bind(pair) => pair.primary,
            Self::Knot(pair) => pair.primary,
            Self::Powerdns(server) => server.address,
        }
    }

    /// The second server; PowerDNS is alone.
    pub fn secondary(&self) -> SocketAddr {
        match self {
            Self::Ours { secondary, .. } => secondary.address,
            Self::Bind(pair) => pair.secondary,
            Self::Knot(pair) => pair.secondary,
            Self::Powerdns(server) => server.address,
        }
    }

    /// The servers that follow a change of the primary.
    pub fn followers(&self) -> Vec<SocketAddr> {
        match self {
            Self::Ours { .. } | Self::Powerdns(_) => vec![self.primary()],
            Self::Bind(_) | Self::Knot(_) => vec![self.primary(), self.secondary()],
        }
    }

    pub fn serial(&self) -> u32 {
        name_servers::serial(self.primary(), ZONE)
    }

    /// Somebody else makes these the only values of their family at a name.
    pub fn set(&self, name: &str, addresses: &[IpAddr], ttl: u32) {
        if let Self::Ours { primary, .. } = self {
            primary.set(name, addresses[0], ttl).unwrap();
            return addresses[1..].iter().for_each(|address| primary.add(name, *address, ttl).unwrap());
        }
        let kind = if addresses[0].is_ipv4() { "A" } else { "AAAA" };
        let add = |address: &IpAddr| format!("\nupdate add {name} {ttl} {kind} {address}");
        let adds: String = addresses.iter().map(add).collect();
        self.change(&format!("update delete {name} {kind}{adds}"));
    }

    /// Somebody else changes the zone of a real server.
    pub fn change(&self, lines: &str) {
        name_servers::change(self.primary(), ZONE, lines);
    }

    /// What the primary holds, read with `dig`: the addresses of that family and the TTL.
    pub fn holds(&self, name: &str, six: bool) -> (Vec<IpAddr>, Option<u32>) {
        let (values, ttl) = self.says(name, if six { "AAAA" } else { "A" });
        let mut addresses: Vec<IpAddr> = values.iter().filter_map(|value| value.parse().ok()).collect();
        addresses.sort_unstable();
        (addresses, ttl)
    }

    /// What the primary holds, read with `dig`: the values of that type and the TTL.
    pub fn says(&self, name: &str, kind: &str) -> (Vec<String>, Option<u32>) {
        name_servers::says(self.primary(), name, kind)
    }

    /// The settings of a driver for [`RECORD`].
    pub fn settings(&self) -> Settings {
        Settings {
            site: "support".into(),
            primary: self.primary(),
            servers: self.followers(),
            resolvers: Vec::new(),
            zone: ZONE.into(),
            records: vec![RECORD.into()],
            leads: addresses(four()),
            ttl: 60,
            tsig_name: KEY.into(),
            tsig_algorithm: "hmac-sha256".into(),
            tsig_secret: SECRET.to_owned().into(),
            signed_ahead: SignedDuration::ZERO,
        }
    }

    pub fn driver(&self) -> Rfc2136 {
        driver(self.settings())
    }
}

pub fn driver(settings: Settings) -> Rfc2136 {
    Rfc2136::new(settings, clock()).unwrap()
}

pub fn intent() -> Intent {
    Intent {
        site: "support".into(),
        run: RunId { site: "support".into(), number: 7 },
        step: "window-1.switch_traffic".into(),
        attempt: 1,
        key: "support-7/window-1.switch_traffic/1".into(),
        since: Timestamp::now(),
        limit: SignedDuration::from_secs(60),
    }
}

pub async fn switch(traffic: &dyn Traffic, from: NodeId, to: NodeId) -> ActAnswer {
    traffic.switch(&intent(), from, to).await
}

/// Looks until every server names `node`; 15 s, as a secondary asks for the zone within one.
pub async fn settled(traffic: &dyn Traffic, node: NodeId) -> TrafficLook {
    let deadline = Instant::now() + Duration::from_secs(15);
    loop {
        let look = traffic.look().await.unwrap();
        if look.target() == Some(node) {
            return look;
        }
        assert!(Instant::now() < deadline, "not all servers name `{node}`; the last look: {look:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Sets TTLs by name.
pub async fn set_ttl(traffic: &dyn Traffic, names: &[(&str, u32)]) -> ActAnswer {
    let names = names.iter().map(|(name, ttl)| ((*name).to_owned(), *ttl)).collect();
    traffic.set_ttl(&intent(), &TtlChange { way: TtlWay::Lower, names }).await
}

/// The kind of what was found out about access, and its text.
pub async fn access(traffic: &dyn Traffic) -> (&'static str, String) {
    match traffic.prove_access().await {
        Access::Proven { how } => ("proven", how),
        Access::Refused { message } => ("refused", message),
        Access::Unknown { message } => ("unknown", message),
        Access::Untold { why } => ("untold", why),
    }
}

/// What each server was found to say.
pub async fn found(traffic: &dyn Traffic) -> Vec<(Option<NodeId>, String)> {
    traffic.look().await.unwrap().answers.into_iter().map(|answer| (answer.target, answer.found)).collect()
}

/// The kind of an answer and its text.
pub fn said(answer: &ActAnswer) -> (&'static str, &str) {
    match answer {
        ActAnswer::Accepted { .. } => ("accepted", ""),
        ActAnswer::Refused { message } => ("refused", message),
        ActAnswer::Transient { message } => ("transient", message),
        ActAnswer::Ambiguous { message } => ("ambiguous", message),
        ActAnswer::ByOperator { .. } => ("by operator", ""),
    }
}

/// Fails unless the answer is of this kind and its text holds all these words.
pub fn expect(answer: &ActAnswer, kind: &str, words: &[&str]) {
    let (is, text) = said(answer);
    assert_eq!(is, kind, "{answer:?}");
    words.iter().for_each(|word| assert!(text.contains(word), "`{word}` is not in: {text}"));
}

pub fn clock() -> Arc<dyn Clock> {
    Arc::new(Machine)
}

/// The machine's clock.
struct Machine;

impl Clock for Machine {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        let left = Duration::try_from(at - Timestamp::now()).unwrap_or_default();
        Box::pin(tokio::time::sleep(left))
    }
}
