//! Traffic driver `manual`: a person moves the name, told exactly how; the servers are read until all of them agree.
//!
//! Imports: ports and domain only, and the reading of `rfc2136`.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures_util::future::{BoxFuture, join, join_all};
use jiff::SignedDuration;

use crate::domain::ids::NodeId;
use crate::domain::site::{MovedRecord, TrafficLook};
use crate::ports::{Access, ActAnswer, Clock, Intent, ReadError, Recall, Traffic, TrafficReader, TtlChange};

use super::rfc2136::ask::Server;
use super::rfc2136::judge::Entry;
use super::rfc2136::record::{Reading, text};
use super::rfc2136::{Leads, SettingsError, entry, read_resolvers, resolvers, servers};

/// One `[[traffic]]` entry with `driver = "manual"`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The site's name, for the log.
    pub site: String,
    /// The names that are moved, together.
    pub records: Vec<String>,
    /// All authoritative servers.
    pub servers: Vec<SocketAddr>,
    /// Recursive resolvers that are asked beside them.
    pub resolvers: Vec<SocketAddr>,
    /// What each record leads to.
    pub leads: Leads,
}

/// Names that only a person can move.
pub struct Manual {
    entry: Entry,
    servers: Vec<Server>,
    resolvers: Vec<Server>,
    clock: Arc<dyn Clock>,
}

impl Manual {
    /// The driver for one entry. Sends nothing.
    ///
    /// # Errors
    /// See [`SettingsError`].
    pub fn new(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, SettingsError> {
        let entry = entry(settings.site, &settings.records, &settings.leads)?;
        Ok(Self { entry, servers: servers(&settings.servers)?, resolvers: resolvers(&settings.resolvers)?, clock })
    }

    /// Without a primary there is no serial to compare: that every server gives the new address with authority is the proof.
    async fn look_now(&self) -> TrafficLook {
        let asked = self.servers.iter().map(|server| async { (server.address, server.values(&self.entry.sets).await) });
        let (told, resolvers) = join(join_all(asked), read_resolvers(&self.entry, &self.resolvers)).await;
        let answers = told.into_iter().flat_map(|(server, values)| {
            let reading = Reading { serial: None, values };
            self.entry.answers(server, &reading, None)
        });
        TrafficLook { resolvers, ..TrafficLook::new(self.clock.now(), answers.collect()) }
    }

    fn instructions(&self, from: NodeId, to: NodeId) -> Vec<String> {
        let mut lines: Vec<String> = self
            .entry
            .sets
            .iter()
            .map(|moved| {
                let (old, new) = (text(&moved.values[from]), text(&moved.values[to]));
                format!(
                    "Change the {} record of `{}` from {old} (node `{from}`) to {new} (node `{to}`).",
                    moved.kind,
                    moved.shown()
                )
            })
            .collect();
        let several =
            if lines.len() > 1 { "Make all of these changes at once, as one change if the server allows it. " } else { "" };
        lines.push(format!("{several}The new value must then be the only one of its record; keep the record's TTL."));
        lines.push(format!(
            "If it is not exactly {} that stands there now, change nothing and put the run on hold.",
            self.entry.values_of(from)
        ));
        lines.push(format!(
            "The run goes on by itself once each of these servers answers {} with authority:",
            self.entry.values_of(to)
        ));
        lines.extend(self.servers.iter().map(|server| format!("  {}", server.address)));
        lines
    }

    /// What a person does so that answers are remembered shorter or longer.
    fn ttl_instructions(&self, change: &TtlChange) -> Vec<String> {
        let lines = self.entry.sets.iter().filter_map(|moved| {
            let ttl = change.names.get(&self.entry.key(moved))?;
            Some(format!("Set the TTL of the {} record of `{}` to {ttl} s; leave its value as it is.", moved.kind, moved.shown()))
        });
        let mut lines: Vec<String> = lines.collect();
        lines.push("The run goes on by itself once each of these servers answers with that TTL and authority:".to_owned());
        lines.extend(self.servers.iter().map(|server| format!("  {}", server.address)));
        lines
    }

    /// True if every server tells these TTLs already.
    async fn has_ttl(&self, change: &TtlChange) -> bool {
        let look = self.look_now().await;
        let wanted = |name: &str| change.names.get(name).copied();
        look.answers
            .iter()
            .all(|answer| answer.target.is_some() && wanted(&answer.name).is_none_or(|ttl| answer.ttl == Some(ttl)))
    }
}

impl TrafficReader for Manual {
    /// # Repeat
    /// Safe; only queries are sent. Takes at most 6 s, when a server is silent.
    fn look(&self) -> BoxFuture<'_, Result<TrafficLook, ReadError>> {
        Box::pin(async { Ok(self.look_now().await) })
    }

    /// None: showing the same instructions again does no harm.
    fn settling_time(&self) -> SignedDuration {
        SignedDuration::ZERO
    }

    fn records(&self) -> Vec<MovedRecord> {
        self.entry.records()
    }

    fn name(&self) -> String {
        format!("manual {}", self.entry.shown())
    }

    /// The first of the entry's addresses; none where it holds names.
    fn address(&self, node: NodeId) -> Option<IpAddr> {
        self.entry.address_of(node)
    }
}

impl Traffic for Manual {
    /// # Effect
    /// None: always `ByOperator`.
    fn switch<'a>(&'a self, _intent: &'a Intent, from: NodeId, to: NodeId) -> BoxFuture<'a, ActAnswer> {
        Box::pin(async move { ActAnswer::ByOperator { instructions: self.instructions(from, to) } })
    }

    /// # Effect
    /// None: `ByOperator`, or accepted where every server tells the wanted times already.
    fn set_ttl<'a>(&'a self, _intent: &'a Intent, change: &'a TtlChange) -> BoxFuture<'a, ActAnswer> {
        Box::pin(async move {
            if self.has_ttl(change).await {
                return ActAnswer::accepted();
            }
            ActAnswer::ByOperator { instructions: self.ttl_instructions(change) }
        })
    }

    fn prove_access(&self) -> BoxFuture<'_, Access> {
        let why = "a person makes this change: see that one with the right to do so is there in the window";
        Box::pin(std::future::ready(Access::Untold { why: why.to_owned() }))
    }

    /// Nothing is ever sent; but the person may have acted on the instructions already.
    fn recall<'a>(&'a self, _intent: &'a Intent) -> BoxFuture<'a, Recall> {
        Box::pin(async { Recall::MayBeSent })
    }
}
