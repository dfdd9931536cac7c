//! One node as the engine's port, directly on the world.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use crate::domain::ids::NodeId;
use crate::domain::journal::hex;
use crate::domain::listing::{Listing, Told};
use crate::domain::site::{Observation, SyncFact};
use crate::ports::{ActAnswer, Appliance, Intent, NodeAct, ProducedFile, ReadError, Reader, Recall};

use super::SimSite;
use crate::simulator::faults::Fault;
use crate::simulator::files::{self, Search};
use crate::simulator::world::{Facts, Refusal, World};

/// The kept answers of this face of the world.
pub(super) const DOOR: &str = "in-process";

/// One simulated node behind the [`Appliance`] port.
pub struct SimAppliance {
    site: SimSite,
    node: NodeId,
}

impl SimAppliance {
    pub(super) fn new(site: SimSite, node: NodeId) -> Self {
        Self { site, node }
    }

    fn read(&self) -> Result<Observation, ReadError> {
        self.site.calls.count("observe", Some(self.node));
        let cache_time = self.site.options.cache_time;
        let mut world = self.site.current();
        let answering = world.box_at(self.node);
        let facts = world.facts_at(answering, DOOR, cache_time);
        let facts = facts.ok_or_else(|| ReadError::Transient(format!("node `{}` does not answer", self.node)))?;
        Ok(observation(facts, world.now(), cache_time, world.takes_clients(answering)))
    }

    fn list(&self) -> Result<Told, ReadError> {
        self.site.calls.count("settings", Some(self.node));
        if !self.site.options.tells_settings {
            return Ok(Told::Nothing { why: "it lists no settings".to_owned() });
        }
        let world = self.site.current();
        let answering = world.box_at(self.node);
        if !world.answers(answering) {
            return Err(ReadError::Transient(format!("node `{}` does not answer", self.node)));
        }
        let listing = Listing::new(world.node(answering).settings.items(), BTreeMap::new());
        listing.map(Told::Listing).map_err(ReadError::Transient)
    }

    async fn order(&self, intent: &Intent, act: &NodeAct) -> ActAnswer {
        let verb = act.verb();
        self.site.calls.count(verb, Some(self.node));
        if self.site.options.by_operator && !matches!(act, NodeAct::Backup { .. } | NodeAct::ExtractData { .. }) {
            return ActAnswer::ByOperator { instructions: vec![format!("Do `{verb}` on node {} by hand.", self.node)] };
        }
        self.site.act(self.node, verb, intent, |world| perform(world, self.node, act)).await
    }
}

impl Reader for SimAppliance {
    fn observe(&self) -> BoxFuture<'_, Result<Observation, ReadError>> {
        Box::pin(async move { self.read() })
    }

    fn settings(&self) -> BoxFuture<'_, Result<Told, ReadError>> {
        Box::pin(async move { self.list() })
    }

    fn cache_time(&self) -> SignedDuration {
        self.site.options.cache_time
    }
}

impl Appliance for SimAppliance {
    fn act<'a>(&'a self, intent: &'a Intent, act: &'a NodeAct) -> BoxFuture<'a, ActAnswer> {
        Box::pin(self.order(intent, act))
    }

    /// What a person is asked to do is not sent by us: the readings show it.
    fn recall<'a>(&'a self, intent: &'a Intent) -> BoxFuture<'a, Recall> {
        let gives_files = intent.step.contains(".backup.") || intent.step.contains(".extract_data.");
        let by_hand = self.site.options.by_operator && !gives_files;
        Box::pin(std::future::ready(if by_hand { Recall::NeverSent } else { self.site.recall(intent) }))
    }
}

fn observation(facts: Facts, at: Timestamp, may_be_old: SignedDuration, takes_clients: bool) -> Observation {
    Observation {
        at,
        identity: facts.identity,
        version: facts.version,
        build: Some(facts.build),
        role: facts.role,
        healthy: facts.healthy,
        updating: false,
        last_sync: facts.last_sync.map(|sync| SyncFact { at: sync.at, ok: None, status: Some(sync.status) }),
        users: Some(facts.users),
        sessions: Some(facts.sessions),
        as_of: None,
        may_be_old,
        clock_skew: Some(SignedDuration::ZERO),
        takes_clients: Some(takes_clients),
        certificate_until: facts.certificate_until,
        licence_until: facts.licence_until,
        shared_ips: Some(facts.shared_ips),
        at_work: Vec::new(),
    }
}

/// The act's effect on the world, and the answer of a box that tells everything.
fn perform(world: &mut World, node: NodeId, act: &NodeAct) -> ActAnswer {
    if world.faults.take(Fault::CachedOld, node, act.verb()) {
        world.freeze(DOOR);
    }
    if !world.answers(node) {
        return ActAnswer::Transient { message: format!("node `{node}` does not answer") };
    }
    if world.box_at(node) != node {
        let (expected, found) = (&world.node(node).identity, &world.node(node.other()).identity);
        return ActAnswer::Refused { message: format!("expected the box `{expected}` at node `{node}`, found `{found}`") };
    }
    match act {
        NodeAct::Backup { directory } => backup(world, node, directory),
        NodeAct::ExtractData { since, until, directory } => extract(world, node, (*since, *until), directory),
        NodeAct::Update { target, .. } => answered(world.update(node, Some(target.clone()))),
        _ => answered(world.perform(act.verb(), node, None)),
    }
}

fn answered(result: Result<(), Refusal>) -> ActAnswer {
    match result {
        Ok(()) => ActAnswer::accepted(),
        Err(refusal @ Refusal::Silent(_)) => ActAnswer::Transient { message: refusal.to_string() },
        Err(refusal) => ActAnswer::Refused { message: refusal.to_string() },
    }
}

fn backup(world: &mut World, node: NodeId, directory: &Path) -> ActAnswer {
    let name = format!("{node}-{}-{}.nsb", world.node(node).version, world.now().as_millisecond());
    let body = files::backup(world, node, None);
    written(directory, &name, &body, None)
}

fn extract(world: &mut World, node: NodeId, (from, to): (Timestamp, Timestamp), directory: &Path) -> ActAnswer {
    let sessions = match files::sessions(world, node, &Search::Touched { from, to }) {
        Ok(sessions) => sessions,
        Err(failed) => return ActAnswer::Refused { message: failed.to_string() },
    };
    let name = format!("{node}-sessions-{}.json", world.now().as_millisecond());
    let records = u64::try_from(sessions.len()).unwrap_or(u64::MAX);
    match serde_json::to_vec_pretty(&sessions) {
        Ok(body) => {
            let late = world.faults.take(Fault::RecordingLate, node, "extract_data");
            lacking(written(directory, &name, &body, Some(records)), u64::from(late))
        }
        Err(error) => ActAnswer::Refused { message: format!("the records could not be written as JSON: {error}") },
    }
}

/// An extraction without so many recordings.
fn lacking(answer: ActAnswer, missing: u64) -> ActAnswer {
    match answer {
        ActAnswer::Accepted { files, records, bytes, .. } => ActAnswer::Accepted { files, records, bytes, missing },
        other => other,
    }
}

fn written(directory: &Path, name: &str, body: &[u8], records: Option<u64>) -> ActAnswer {
    match write(directory, name, body) {
        Ok(file) => ActAnswer::with_files(vec![file], records),
        Err(error) => ActAnswer::Refused { message: format!("could not write `{name}` into `{}`: {error}", directory.display()) },
    }
}

/// Small files, written at once: a task of the blocking pool would only let virtual time wait.
fn write(directory: &Path, name: &str, body: &[u8]) -> io::Result<ProducedFile> {
    std::fs::create_dir_all(directory)?;
    let path = directory.join(name);
    std::fs::write(&path, body)?;
    let bytes = u64::try_from(body.len()).unwrap_or(u64::MAX);
    Ok(ProducedFile { path, sha256: hex(&Sha256::digest(body)), bytes })
}

impl SimSite {
    /// The identity of the box that answers where the service's name leads, if it takes clients.
    pub(super) fn serving_identity(world: &World) -> Option<String> {
        let serving = world.serving()?;
        let wrong = world.faults.active(Fault::WrongBox, serving);
        let answering = if wrong { serving.other() } else { serving };
        Some(world.node(answering).identity.clone())
    }
}
