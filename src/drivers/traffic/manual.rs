//! Traffic driver `manual`: a person moves the name, told exactly how; the servers are read until all of them agree.
//!
//! Imports: ports and domain only, and the reading of `rfc2136`.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures_util::future::{BoxFuture, join_all};
use jiff::SignedDuration;

use crate::domain::ids::{NodeId, PerNode};
use crate::domain::site::TrafficLook;
use crate::ports::{Access, ActAnswer, Clock, Intent, ReadError, Recall, Traffic, TrafficReader};

use super::rfc2136::ask::{Reading, Server};
use super::rfc2136::judge::Entry;
use super::rfc2136::{SettingsError, entry, servers};

/// One `[[traffic]]` entry with `driver = "manual"`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The site's name, for the log.
    pub site: String,
    /// The name whose address is moved.
    pub record: String,
    /// All authoritative servers.
    pub servers: Vec<SocketAddr>,
    pub addresses: PerNode<IpAddr>,
}

/// A name that only a person can move.
pub struct Manual {
    entry: Entry,
    servers: Vec<Server>,
    clock: Arc<dyn Clock>,
}

impl Manual {
    /// The driver for one entry. Sends nothing.
    ///
    /// # Errors
    /// See [`SettingsError`].
    pub fn new(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, SettingsError> {
        let entry = entry(settings.site, &settings.record, settings.addresses)?;
        Ok(Self { entry, servers: servers(&settings.servers)?, clock })
    }

    /// Without a primary there is no serial to compare: that every server gives the new address with authority is the proof.
    async fn look_now(&self) -> TrafficLook {
        let values = join_all(self.servers.iter().map(|server| server.value(&self.entry.record, self.entry.kind))).await;
        let readings = values.into_iter().map(|value| Reading { serial: None, value });
        let answers =
            self.servers.iter().zip(readings).map(|(server, reading)| self.entry.answer(server.address, &reading, None));
        TrafficLook::new(self.clock.now(), answers.collect())
    }

    fn instructions(&self, from: NodeId, to: NodeId) -> Vec<String> {
        let (record, kind) = (self.entry.shown(), self.entry.kind);
        let (old, new) = (self.entry.addresses[from], self.entry.addresses[to]);
        let mut lines = vec![
            format!("Change the {kind} record of `{record}` from {old} (node `{from}`) to {new} (node `{to}`)."),
            format!("{new} must then be its only {kind} value; keep the record's TTL."),
            format!("If the record does not hold exactly {old} now, change nothing and put the run on hold."),
            format!("The run goes on by itself once each of these servers answers {new} with authority:"),
        ];
        lines.extend(self.servers.iter().map(|server| format!("  {}", server.address)));
        lines
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

    fn name(&self) -> String {
        format!("manual {}", self.entry.shown())
    }
}

impl Traffic for Manual {
    /// # Effect
    /// None: always `ByOperator`.
    fn switch<'a>(&'a self, _intent: &'a Intent, from: NodeId, to: NodeId) -> BoxFuture<'a, ActAnswer> {
        Box::pin(async move { ActAnswer::ByOperator { instructions: self.instructions(from, to) } })
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
