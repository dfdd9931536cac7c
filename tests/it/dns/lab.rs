//! One name server with somebody else at work on it: ours or BIND's.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use changeover::domain::ids::{NodeId, PerNode, RunId};
use changeover::domain::site::TrafficLook;
use changeover::drivers::traffic::rfc2136::{Rfc2136, Settings};
use changeover::ports::{ActAnswer, Clock, Intent, Traffic};
use changeover::simulator::zone::{Zone, ZoneHandle, ZoneKey, ZoneOptions};
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};

use crate::named::{self, KEY, SECRET};

pub const ZONE: &str = "example.com";
pub const RECORD: &str = "support.example.com";
/// A name beside it that the key may not change.
pub const OTHER: &str = "other.example.com";
pub const TTL: u32 = 123;

/// A server for [`ZONE`], in which [`RECORD`] leads to node `a`.
pub enum Lab {
    Ours { primary: Box<ZoneHandle>, secondary: Box<ZoneHandle> },
    Bind(Box<named::Pair>),
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

pub fn records() -> Vec<(&'static str, IpAddr, u32)> {
    vec![(RECORD, four().a, TTL), (RECORD, six().a, TTL), (OTHER, four().a, TTL)]
}

pub fn zone_options(serial: u32) -> ZoneOptions {
    let key = ZoneKey { name: KEY.into(), algorithm: "hmac-sha256".into(), secret: SECRET.to_owned().into() };
    let mut options = ZoneOptions { serial, updatable: vec![RECORD.into()], ..ZoneOptions::new(ZONE, key) };
    for (name, address, ttl) in records() {
        options = options.with(name, address, ttl);
    }
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
        let options = named::Options { zone: ZONE, records: records(), updatable: RECORD, secondary_follows };
        Self::Bind(Box::new(named::Pair::start(&options)))
    }

    pub fn primary(&self) -> SocketAddr {
        match self {
            Self::Ours { primary, .. } => primary.address,
            Self::Bind(pair) => pair.primary,
        }
    }

    pub fn secondary(&self) -> SocketAddr {
        match self {
            Self::Ours { secondary, .. } => secondary.address,
            Self::Bind(pair) => pair.secondary,
        }
    }

    /// The servers that follow a change of the primary.
    pub fn followers(&self) -> Vec<SocketAddr> {
        match self {
            Self::Ours { primary, .. } => vec![primary.address],
            Self::Bind(pair) => vec![pair.primary, pair.secondary],
        }
    }

    pub fn serial(&self) -> u32 {
        match self {
            Self::Ours { primary, .. } => primary.serial(),
            Self::Bind(pair) => pair.serial(),
        }
    }

    /// Somebody else makes these the only values of their family at a name.
    pub fn set(&self, name: &str, addresses: &[IpAddr], ttl: u32) {
        match self {
            Self::Ours { primary, .. } => {
                primary.set(name, addresses[0], ttl).unwrap();
                addresses[1..].iter().for_each(|address| primary.add(name, *address, ttl).unwrap());
            }
            Self::Bind(pair) => {
                let kind = if addresses[0].is_ipv4() { "A" } else { "AAAA" };
                let add = |address: &IpAddr| format!("\nupdate add {name} {ttl} {kind} {address}");
                let adds: String = addresses.iter().map(add).collect();
                pair.change(&format!("update delete {name} {kind}{adds}"));
            }
        }
    }

    /// What the primary holds, read with `dig`: the addresses of that family and the TTL.
    pub fn holds(&self, name: &str, six: bool) -> (Vec<IpAddr>, Option<u32>) {
        let kind = if six { "AAAA" } else { "A" };
        let said = named::dig(self.primary(), &["+noall", "+answer", "+norecurse", name, kind]);
        let rows: Vec<Vec<&str>> = said.lines().map(|line| line.split_whitespace().collect()).collect();
        let mut addresses: Vec<IpAddr> = rows.iter().filter_map(|row| row.get(4)?.parse().ok()).collect();
        addresses.sort_unstable();
        (addresses, rows.first().and_then(|row| row.get(1)?.parse().ok()))
    }

    /// The settings of a driver for [`RECORD`].
    pub fn settings(&self) -> Settings {
        Settings {
            site: "support".into(),
            primary: self.primary(),
            servers: self.followers(),
            zone: ZONE.into(),
            record: RECORD.into(),
            addresses: four(),
            ttl: 60,
            tsig_name: KEY.into(),
            tsig_algorithm: "hmac-sha256".into(),
            tsig_secret: SECRET.to_owned().into(),
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
