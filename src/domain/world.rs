//! What the engine has read so far.
//!
//! Pure: the engine puts readings in, rules and decisions take facts out, which [`super::gathered`] puts together with the journal's
//! evidence.

mod reading;
mod released;
pub mod settings;
mod traffic;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::access::Tries;
use super::event::Counts;
use super::facts::Link;
use super::ids::{NodeId, PerNode};
use super::jump_clients;
use super::people::People;
use super::run::Run;
use super::site::Observation;
use super::window::calendar::Calendar;

pub use reading::Reading;
pub use released::Released;
pub use traffic::TrafficReading;

/// Everything that was read, and the time.
#[derive(Clone, Debug, PartialEq)]
pub struct World {
    pub now: Timestamp,
    pub readings: PerNode<Reading>,
    pub traffic: TrafficReading,
    /// False for a site without traffic entries: then nothing moves the name and the survivor is taken to serve.
    pub has_traffic: bool,
    /// How long a switch of traffic whose answer was lost may still take effect.
    pub settling: SignedDuration,
    /// Whether the run's own copies of the packages are as they were when it was planned; `None` while nobody has looked.
    pub package: Option<Result<(), String>>,
    /// Bytes that are free on the disk of the state folder; `None` while nobody has looked, or where it can't be told.
    pub free: Option<u64>,
    /// When everything is read next, if nothing happens before.
    pub next_look: Option<Timestamp>,
    /// The release that the run counts on, as it is now.
    pub released: Released,
    /// What the config says now.
    pub config: Arc<Current>,
    /// What was read of settings.
    pub settings: settings::Seen,
    /// What the traffic entries answered when they were last asked whether they would take our change.
    pub access: Option<Tries>,
    /// The last count of Jump Clients that need the update.
    pub jump_clients: Option<jump_clients::Seen>,
}

/// What the config says now of a site, and may not have said when a run began.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Current {
    pub calendar: Calendar,
    pub people: Arc<People>,
    /// The daemon's state folder: what a person needs from there is told by its path.
    pub state: PathBuf,
}

impl World {
    pub fn new(now: Timestamp, has_traffic: bool, settling: SignedDuration) -> Self {
        let (readings, traffic) = (PerNode::default(), TrafficReading::default());
        Self {
            now,
            readings,
            traffic,
            has_traffic,
            settling,
            package: None,
            free: None,
            next_look: None,
            config: Arc::default(),
            settings: settings::Seen::default(),
            jump_clients: None,
            released: Released::Unread,
            access: None,
        }
    }

    /// As this, with the daemon's state folder.
    pub fn with_state(self, state: &Path) -> Self {
        let config = Current { state: state.to_owned(), ..(*self.config).clone() };
        Self { config: Arc::new(config), ..self }
    }

    /// The users and sessions that a node tells of.
    pub fn people(&self, node: NodeId) -> Counts {
        let current = self.readings[node].current.as_ref();
        Counts { users: current.and_then(|read| read.users), sessions: current.and_then(|read| read.sessions) }
    }

    /// The count of Jump Clients as it belongs to evidence about this node; nothing where it is not told.
    pub fn jump_clients_left(&self, node: NodeId) -> String {
        let seen = self.jump_clients.as_ref().filter(|seen| seen.node == node && seen.is_counted());
        seen.map(|seen| format!("; {}", seen.sentence())).unwrap_or_default()
    }

    pub fn link(&self) -> Link {
        Link::of(self.readings.as_ref().map(Reading::role))
    }

    /// R16: traffic was taken from this node, and yet it can take clients: it came back open, or its closing did not last.
    pub fn is_back_open(&self, run: &Run, node: NodeId) -> bool {
        let own = |observation: &&Observation| observation.identity == run.plan.nodes[node].identity;
        let current = self.readings[node].current.as_ref().filter(own);
        let taken = node != run.survivor && run.unprotected_since().is_some() && run.nodes[node].served_until.is_some();
        let unsure =
            run.nodes[node].closed_at.is_none() && current.is_some_and(|observation| observation.takes_clients.is_none());
        taken && !run.is_to_serve(node) && (takes(current) || unsure)
    }

    /// Its last reading says that it takes no client.
    pub fn denies(&self, node: NodeId) -> bool {
        self.readings[node].current.as_ref().is_some_and(|observation| observation.takes_clients == Some(false))
    }

    /// R16: sessions on the node that does not serve.
    pub fn is_stray(&self, run: &Run, node: NodeId) -> bool {
        let own = |observation: &&Observation| observation.identity == run.plan.nodes[node].identity;
        let sessions = self.readings[node].current.as_ref().filter(own).and_then(|observation| observation.sessions);
        node != run.survivor && run.unprotected_since().is_some() && sessions.unwrap_or(0) > 0
    }
}

/// It says that it takes clients.
pub(super) fn takes(current: Option<&Observation>) -> bool {
    current.is_some_and(|observation| observation.takes_clients == Some(true))
}
