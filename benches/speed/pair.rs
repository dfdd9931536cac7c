//! A pair that costs nothing: the engine's ports on a few fields, every act with its effect at once, every call counted.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use changeover::domain::ids::{NodeId, PerNode};
use changeover::domain::site::{Observation, Role, SyncFact, TrafficAnswer, TrafficLook};
use changeover::domain::version::Version;
use changeover::engine::site::SitePorts;
use changeover::ports::{
    ActAnswer, Appliance, Clock, Intent, NodeAct, ProducedFile, ReadError, Reader, Recall, Traffic, TrafficReader,
};
use futures_util::future::{BoxFuture, ready};
use jiff::SignedDuration;

/// A call of a port as the engine made it, so that it can be made again.
#[derive(Clone, Debug)]
pub enum Call {
    Observe(NodeId),
    Look,
    Act(NodeId, Intent, NodeAct),
    Switch(Intent, NodeId, NodeId),
}

/// What is true of the pair.
struct Facts {
    roles: PerNode<Role>,
    versions: PerNode<Version>,
    sync: SyncFact,
    leads_to: NodeId,
}

/// One pair. Its two nodes and its traffic are [`Node`] and [`Name`].
pub struct Pair {
    clock: Arc<dyn Clock>,
    facts: Mutex<Facts>,
    /// How many calls there were, and which, if they are kept.
    count: AtomicU64,
    calls: Option<Mutex<Vec<Call>>>,
}

pub struct Node(Arc<Pair>, NodeId);
pub struct Name(Arc<Pair>);

impl Pair {
    /// Linked, `a` primary and serving. A thousand waiting pairs do not keep their calls: memory is measured.
    pub fn new(clock: Arc<dyn Clock>, keep_calls: bool) -> Arc<Self> {
        let version = || "24.1.1".parse().expect("a version");
        let sync = SyncFact { at: clock.now(), ok: Some(true), status: Some("success".to_owned()) };
        let facts = Facts {
            roles: PerNode { a: Role::Primary, b: Role::Standby },
            versions: PerNode { a: version(), b: version() },
            sync,
            leads_to: NodeId::A,
        };
        Arc::new(Self { clock, facts: Mutex::new(facts), count: AtomicU64::new(0), calls: keep_calls.then(Mutex::default) })
    }

    pub fn ports(self: &Arc<Self>) -> SitePorts {
        let node = |node| Arc::new(Node(self.clone(), node)) as Arc<dyn Appliance>;
        SitePorts {
            nodes: PerNode { a: node(NodeId::A), b: node(NodeId::B) },
            traffic: vec![Arc::new(Name(self.clone())) as Arc<dyn Traffic>],
        }
    }

    /// As a role swap leaves it for the soak: unlinked, `b` updated and serving.
    pub fn half_way(&self) {
        let mut facts = locked(&self.facts);
        facts.roles = PerNode::new(|_| Role::Standalone);
        facts.versions.b = "24.2.1".parse().expect("a version");
        facts.leads_to = NodeId::B;
    }

    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// The kept calls, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.as_ref().map(|calls| locked(calls).clone()).unwrap_or_default()
    }

    fn called(&self, call: impl FnOnce() -> Call) {
        self.count.fetch_add(1, Ordering::Relaxed);
        if let Some(calls) = &self.calls {
            locked(calls).push(call());
        }
    }

    fn act(&self, node: NodeId, act: &NodeAct) -> ActAnswer {
        let mut facts = locked(&self.facts);
        let sync = || SyncFact { at: self.clock.now(), ok: Some(true), status: Some("success".to_owned()) };
        match act {
            NodeAct::Backup { directory } | NodeAct::ExtractData { directory, .. } => return file(directory),
            NodeAct::ForceSync { .. } => facts.sync = sync(),
            NodeAct::BreakFailover => facts.roles = PerNode::new(|_| Role::Standalone),
            NodeAct::Update { target, .. } => facts.versions[node] = target.version.clone(),
            NodeAct::EstablishFailover { primary, .. } => {
                facts.roles = PerNode::new(|node| if node == *primary { Role::Primary } else { Role::Standby });
                facts.sync = sync();
            }
            NodeAct::EndSessions | NodeAct::Drain { .. } | NodeAct::Quiesce | NodeAct::Reopen => {}
        }
        ActAnswer::accepted()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file that was never written: the bench measures the engine, not a disk's files.
fn file(directory: &Path) -> ActAnswer {
    let file = ProducedFile { path: directory.join("file"), sha256: "ab".repeat(32), bytes: 1000 };
    ActAnswer::Accepted { files: vec![file], records: Some(1) }
}

impl Reader for Node {
    fn observe(&self) -> BoxFuture<'_, Result<Observation, ReadError>> {
        let Self(pair, node) = self;
        pair.called(|| Call::Observe(*node));
        let facts = locked(&pair.facts);
        let at = pair.clock.now();
        let observation = Observation {
            at,
            identity: identity(*node),
            version: facts.versions[*node].clone(),
            build: None,
            role: facts.roles[*node],
            healthy: true,
            updating: false,
            last_sync: (facts.roles[*node] == Role::Primary).then(|| facts.sync.clone()),
            users: Some(0),
            sessions: Some(0),
            as_of: Some(at),
            may_be_old: SignedDuration::ZERO,
            clock_skew: Some(SignedDuration::ZERO),
            takes_clients: None,
            certificate_until: None,
            licence_until: None,
            shared_ips: None,
            at_work: Vec::new(),
        };
        Box::pin(ready(Ok(observation)))
    }

    fn cache_time(&self) -> SignedDuration {
        SignedDuration::ZERO
    }
}

impl Appliance for Node {
    fn act<'a>(&'a self, intent: &'a Intent, act: &'a NodeAct) -> BoxFuture<'a, ActAnswer> {
        let Self(pair, node) = self;
        pair.called(|| Call::Act(*node, intent.clone(), act.clone()));
        Box::pin(ready(pair.act(*node, act)))
    }

    fn recall<'a>(&'a self, _intent: &'a Intent) -> BoxFuture<'a, Recall> {
        Box::pin(ready(Recall::NeverSent))
    }
}

impl TrafficReader for Name {
    fn look(&self) -> BoxFuture<'_, Result<TrafficLook, ReadError>> {
        self.0.called(|| Call::Look);
        let target = locked(&self.0.facts).leads_to;
        let (server, name, found) = ("ns1".to_owned(), "support.example.com".to_owned(), format!("the address of node {target}"));
        let answer = TrafficAnswer { server, name, target: Some(target), ttl: Some(60), found, untold: false };
        let look = TrafficLook { serving_identity: Some(identity(target)), ..TrafficLook::new(self.0.clock.now(), vec![answer]) };
        Box::pin(ready(Ok(look)))
    }

    fn settling_time(&self) -> SignedDuration {
        SignedDuration::ZERO
    }

    fn name(&self) -> String {
        "the name".to_owned()
    }
}

impl Traffic for Name {
    fn switch<'a>(&'a self, intent: &'a Intent, from: NodeId, to: NodeId) -> BoxFuture<'a, ActAnswer> {
        self.0.called(|| Call::Switch(intent.clone(), from, to));
        locked(&self.0.facts).leads_to = to;
        Box::pin(ready(ActAnswer::accepted()))
    }

    fn recall<'a>(&'a self, _intent: &'a Intent) -> BoxFuture<'a, Recall> {
        Box::pin(ready(Recall::NeverSent))
    }
}

pub fn identity(node: NodeId) -> String {
    format!("box-{node}")
}
