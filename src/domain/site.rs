//! What is updated, and what was read from it.

mod policy;

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::ids::{NodeId, PerNode};
use super::version::Version;
use super::window::calendar::Calendar;

pub use policy::{AfterDrain, OnSoakFailure, Policy, RehearsalPolicy, WIDEST_SKEW, WhenWindowEnds};

/// What a node is now. Observed, never assumed: it changes during a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Primary,
    Standby,
    /// No failover relationship.
    Standalone,
}

impl Role {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Standby => "standby",
            Self::Standalone => "standalone",
        }
    }
}

/// The facts of a site that rules and decisions need; how its drivers are reached is the drivers' business.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    pub name: String,
    /// The host name that users and clients use.
    pub service: String,
    /// The procedure used when a plan names none.
    pub procedure: Option<String>,
    pub nodes: PerNode<Node>,
    pub policy: Policy,
    /// Its zone, its usual windows, and when nothing may be done.
    pub calendar: Calendar,
}

/// One appliance of the site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// What every answer of this box must carry (R13); a GUID for BeyondTrust.
    pub identity: String,
    /// Where the service's name points while this node serves.
    pub address: IpAddr,
}

/// How a person does at a box what is else done through its driver.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Hands {
    /// At the vendor's pages, at this address. `driven`: the daemon does it there by itself; records from before that was told
    /// stand for a person.
    Console {
        url: String,
        #[serde(default)]
        driven: bool,
    },
    /// With this program; the action's name is its last argument.
    Program { program: Vec<String> },
    /// The driver does not tell.
    #[default]
    Unknown,
}

impl Hands {
    pub fn is_unknown(&self) -> bool {
        *self == Self::Unknown
    }
}

impl Site {
    /// The node whose address this is.
    pub fn node_at(&self, address: IpAddr) -> Option<NodeId> {
        NodeId::BOTH.into_iter().find(|&node| self.nodes[node].address == address)
    }
}

/// The last data sync as a node states it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncFact {
    /// On the node's own clock.
    pub at: Timestamp,
    /// The driver's own verdict, where it has one (`exec`). A driver that gives one vouches for what `at` means; where there is
    /// none it is not known whether `at` is the sync's start or its end, and R1 asks for a second sync.
    pub ok: Option<bool>,
    /// The vendor's status text, an unknown vocabulary.
    pub status: Option<String>,
}

impl SyncFact {
    /// R1: dated later than now, and further than the clocks may differ. That is a wrong clock's word, which says nothing of how
    /// old the sync is.
    pub fn is_ahead(&self, now: Timestamp, policy: &Policy) -> bool {
        self.at.duration_since(now) > policy.max_clock_skew
    }
}

/// What a driver read from a node. Facts may be absent, old or cached; their age is part of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// When the reading ended, on our clock.
    pub at: Timestamp,
    pub identity: String,
    pub version: Version,
    pub build: Option<String>,
    pub role: Role,
    pub healthy: bool,
    pub updating: bool,
    pub last_sync: Option<SyncFact>,
    pub users: Option<u32>,
    pub sessions: Option<u32>,
    /// The moment the facts are true for, where the source says so.
    pub as_of: Option<Timestamp>,
    /// How old the facts may be at most (the driver's or the appliance's cache time).
    pub may_be_old: SignedDuration,
    /// The node's clock minus ours, where it can be read.
    pub clock_skew: Option<SignedDuration>,
    /// Whether the node takes a client for the service's name at its own address; `None` where the driver can't try.
    pub takes_clients: Option<bool>,
    /// Until when the certificate that it shows to clients is valid, where the driver tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_until: Option<Timestamp>,
    /// Until when its licence runs, where the driver tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence_until: Option<Timestamp>,
    /// The shared addresses that are enabled on it, where the driver tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_ips: Option<Vec<IpAddr>>,
    /// Who is logged in or at work on it, as far as the driver tells; at most [`MOST_AT_WORK`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub at_work: Vec<AtWork>,
}

/// More names than a person reads.
pub const MOST_AT_WORK: usize = 20;

/// Somebody who is on a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtWork {
    pub who: String,
    /// From where, where it is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

impl AtWork {
    /// `Anna from 192.0.2.7 since 02:00`.
    pub fn describe(&self) -> String {
        let from = self.from.as_ref().map(|from| format!(" from {from}")).unwrap_or_default();
        let since = self.since.map(|since| format!(" since {since}")).unwrap_or_default();
        format!("{}{from}{since}", self.who)
    }
}

impl Observation {
    /// True if this reading can only show the world after `moment`, by its source's word or by its age.
    pub fn is_after(&self, moment: Timestamp) -> bool {
        self.as_of.unwrap_or(self.at - self.may_be_old) > moment
    }
}

/// One authoritative server's answer for the service's record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrafficAnswer {
    pub server: String,
    pub name: String,
    /// The node whose address the answer holds; `None` for another address, several, or none.
    pub target: Option<NodeId>,
    pub ttl: Option<u32>,
    /// What was seen, for messages: an address, `no answer`, `not authoritative`, `serial 7 behind 9`.
    pub found: String,
    /// Nothing that counts was told: no answer, one without authority, or an old one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub untold: bool,
}

/// What a look at one traffic entry gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrafficLook {
    pub at: Timestamp,
    pub answers: Vec<TrafficAnswer>,
    /// The identity of the box that answers at the service's name, where the driver can tell.
    pub serving_identity: Option<String>,
    /// What the recursive resolvers told that are asked beside the authoritative servers. They may lag behind by their caches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resolvers: Vec<ResolverAnswer>,
    /// How long a resolver may remember, in seconds, that the name has no record of a type (RFC 2308 section 5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub negative_ttl: Option<u32>,
    /// True if a switch gives the name a type of record that it lacks now, or that its alias target lacks: what resolvers deny counts
    /// then. `None`: the driver does not tell, and the nodes' addresses are judged by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adds_type: Option<bool>,
    /// The entry's name, as its port gives it; the engine fills it in.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub entry: String,
    /// What the entry moves, as its port gives it; the engine fills it in. Empty where it moves no records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<MovedRecord>,
    /// Of a shared address: that it is on no node or on both. `None`: it is on one, or this entry is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<SharedOn>,
}

/// One record that an entry moves, and what it holds while each node serves: an address, or the target of an alias.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovedRecord {
    pub name: String,
    /// `A`, `AAAA` or `CNAME`.
    pub kind: String,
    pub values: PerNode<String>,
}

impl MovedRecord {
    /// What is written when it is led to this node.
    pub fn change_to(&self, node: NodeId) -> String {
        format!("{} {} {} -> {}", self.name, self.kind, self.values[node.other()], self.values[node])
    }
}

/// What is written when an entry is led to this node; `None` for one that moves no records.
pub fn changes_to(node: NodeId, records: &[MovedRecord]) -> Option<String> {
    let each: Vec<String> = records.iter().map(|record| record.change_to(node)).collect();
    (!each.is_empty()).then(|| each.join(", "))
}

/// A shared address that is not on exactly one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SharedOn {
    /// Disabled on the old node and not enabled on the new one yet: nobody is reached.
    Neither,
    /// Enabled on both: never meant.
    Both,
}

/// One recursive resolver's answer for the service's record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolverAnswer {
    pub server: String,
    pub name: String,
    /// As [`TrafficAnswer::target`].
    pub target: Option<NodeId>,
    /// Seconds for which it will still give this answer from its cache.
    pub ttl_left: Option<u32>,
    /// What was seen, for messages.
    pub found: String,
}

impl TrafficLook {
    /// What authoritative servers (or a program) answered, and nothing else.
    pub fn new(at: Timestamp, answers: Vec<TrafficAnswer>) -> Self {
        Self {
            at,
            answers,
            serving_identity: None,
            resolvers: Vec::new(),
            negative_ttl: None,
            adds_type: None,
            entry: String::new(),
            records: Vec::new(),
            shared: None,
        }
    }

    /// The longest time, in seconds, for which an answer of now may be remembered somewhere.
    pub fn longest_ttl(&self) -> Option<u32> {
        let answers = self.answers.iter().filter_map(|answer| answer.ttl);
        let resolvers = self.resolvers.iter().filter_map(|resolver| resolver.ttl_left);
        answers.chain(resolvers).max()
    }

    /// True if a server that counts names something that is no node.
    pub fn leads_elsewhere(&self) -> bool {
        self.answers.iter().any(|answer| answer.target.is_none() && !answer.untold)
    }

    /// The node that every answer names; `None` if one differs or there is no answer.
    pub fn target(&self) -> Option<NodeId> {
        let first = self.answers.first()?.target?;
        self.answers.iter().all(|answer| answer.target == Some(first)).then_some(first)
    }
}
