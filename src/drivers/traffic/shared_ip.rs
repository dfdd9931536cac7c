//! Traffic driver `shared-ip`: an address that both boxes have and only the serving one has enabled; the vendor's recommended method.
//!
//! There is no interface to enable or disable it, so a person does, in two instructions: the second, to enable it on the new node, is
//! given only once the boxes themselves say that it is gone from the old one. Never on both: two boxes that answer for one
//! address are reached by chance. It is read back from the boxes' own health, like everything else of theirs.
//! Imports: ports and domain only.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::{BoxFuture, join};
use jiff::SignedDuration;

use crate::domain::ids::{NodeId, PerNode};
use crate::domain::site::{SharedOn, TrafficAnswer, TrafficLook};
use crate::ports::{Access, ActAnswer, Clock, Intent, ReadError, Reader, Recall, Traffic, TrafficReader};

/// One `[[traffic]]` entry with `driver = "shared-ip"`.
#[derive(Clone, Debug)]
pub struct Settings {
    pub site: String,
    pub service: String,
    /// The shared address.
    pub address: IpAddr,
    /// How each box is named in instructions.
    pub identities: PerNode<String>,
}

/// A shared address of a pair.
pub struct SharedIp {
    settings: Settings,
    nodes: PerNode<Arc<dyn Reader>>,
    clock: Arc<dyn Clock>,
    /// What each node said last: one that is silent while it updates has not moved the address meanwhile.
    last: Mutex<PerNode<Option<bool>>>,
}

/// What one node says: enabled or not, or why it can't be told.
type Said = Result<bool, String>;

impl SharedIp {
    pub fn new(settings: Settings, nodes: PerNode<Arc<dyn Reader>>, clock: Arc<dyn Clock>) -> Self {
        Self { settings, nodes, clock, last: Mutex::default() }
    }

    async fn said(&self) -> PerNode<Said> {
        let (a, b) = join(self.ask(NodeId::A), self.ask(NodeId::B)).await;
        PerNode { a, b }
    }

    async fn ask(&self, node: NodeId) -> Said {
        let told = self.nodes[node].shared_ips().await.map_err(|error| format!("node {node} can't be read: {error}"))?;
        told.map(|ips| ips.contains(&self.settings.address)).ok_or_else(|| format!("node {node} tells no shared addresses"))
    }

    /// What is believed of each node: what it says, else what it said last.
    fn believed(&self, said: &PerNode<Said>) -> PerNode<Option<bool>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        for node in NodeId::BOTH {
            last[node] = said[node].as_ref().ok().copied().or(last[node]);
        }
        *last
    }

    fn looked(&self, said: &PerNode<Said>) -> TrafficLook {
        let on = self.believed(said);
        let (target, shared) = match (on.a, on.b) {
            (Some(true), Some(false)) => (Some(NodeId::A), None),
            (Some(false), Some(true)) => (Some(NodeId::B), None),
            (Some(true), Some(true)) => (None, Some(SharedOn::Both)),
            (Some(false), Some(false)) => (None, Some(SharedOn::Neither)),
            _ => (None, None),
        };
        let (server, name) = (format!("shared address {}", self.settings.address), self.settings.service.clone());
        let untold = target.is_none() && shared.is_none();
        let answer = TrafficAnswer { server, name, target, ttl: None, found: found(said, on), untold };
        TrafficLook { shared, ..TrafficLook::new(self.clock.now(), vec![answer]) }
    }

    /// The one thing that may be done next. Only what the boxes say now counts here, not what they said last.
    fn next(&self, said: &PerNode<Said>, from: NodeId, to: NodeId) -> ActAnswer {
        let transient = |why: &String| ActAnswer::Transient { message: format!("{why}; nothing was asked of anybody") };
        match (&said[from], &said[to]) {
            (Err(why), _) | (_, Err(why)) => transient(why),
            (Ok(false), Ok(true)) => ActAnswer::accepted(),
            (Ok(true), Ok(false)) => ActAnswer::ByOperator { instructions: self.disable(from, to) },
            (Ok(false), Ok(false)) => ActAnswer::ByOperator { instructions: self.enable(from, to) },
            (Ok(true), Ok(true)) => {
                let address = self.settings.address;
                ActAnswer::Refused { message: format!("{address} is enabled on both nodes; disable it on node `{from}` first") }
            }
        }
    }

    fn disable(&self, from: NodeId, to: NodeId) -> Vec<String> {
        let Settings { address, identities, .. } = &self.settings;
        vec![
            format!(
                "Node `{from}`, box {}: at /appliance, in its network settings, disable the shared address {address}.",
                identities[from]
            ),
            format!("Do not enable it on node `{to}` yet: nobody is reached meanwhile, and it must never be on both."),
            "Nothing need be reported: once the box itself shows that it is gone, the next instruction follows.".to_owned(),
        ]
    }

    fn enable(&self, from: NodeId, to: NodeId) -> Vec<String> {
        let Settings { address, identities, .. } = &self.settings;
        vec![
            format!("The shared address {address} is gone from node `{from}`, by that box's own word."),
            format!("Node `{to}`, box {}: at /appliance, in its network settings, enable {address}.", identities[to]),
            "Nothing need be reported: the run goes on by itself once the box shows it enabled.".to_owned(),
        ]
    }
}

/// `enabled on node a; node b can't be read: …, it was disabled there`
fn found(said: &PerNode<Said>, on: PerNode<Option<bool>>) -> String {
    let word = |enabled: bool| if enabled { "enabled" } else { "disabled" };
    let of = |node: NodeId| match (&said[node], on[node]) {
        (Ok(enabled), _) => format!("{} on node {node}", word(*enabled)),
        (Err(why), Some(enabled)) => format!("{why}, it was {} there", word(enabled)),
        (Err(why), None) => why.clone(),
    };
    NodeId::BOTH.map(of).join("; ")
}

impl TrafficReader for SharedIp {
    /// # Errors
    /// None: a node that does not answer is part of what was found.
    fn look(&self) -> BoxFuture<'_, Result<TrafficLook, ReadError>> {
        Box::pin(async { Ok(self.looked(&self.said().await)) })
    }

    /// None: showing an instruction again does no harm.
    fn settling_time(&self) -> SignedDuration {
        SignedDuration::ZERO
    }

    fn name(&self) -> String {
        format!("shared-ip {}", self.settings.address)
    }

    /// The same whichever serves.
    fn address(&self, _node: NodeId) -> Option<IpAddr> {
        Some(self.settings.address)
    }
}

impl Traffic for SharedIp {
    /// # Effect
    /// None: a person does it, in two instructions.
    ///
    /// # Repeat
    /// Safe: each time the one instruction is given that fits what the boxes say.
    fn switch<'a>(&'a self, _intent: &'a Intent, from: NodeId, to: NodeId) -> BoxFuture<'a, ActAnswer> {
        Box::pin(async move { self.next(&self.said().await, from, to) })
    }

    fn prove_access(&self) -> BoxFuture<'_, Access> {
        let why = "a person enables and disables it: see that one with an /appliance login of both boxes is there in the window";
        Box::pin(std::future::ready(Access::Untold { why: why.to_owned() }))
    }

    /// Nothing is ever sent; but the person may have acted on the instructions already.
    fn recall<'a>(&'a self, _intent: &'a Intent) -> BoxFuture<'a, Recall> {
        Box::pin(async { Recall::MayBeSent })
    }
}
