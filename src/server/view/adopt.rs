//! A pair as it was found, and what taking it over would mean, on the wire.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::ids::{NodeId, PerNode};
use crate::domain::site::{Role, Site};
use crate::domain::world::World;
use crate::engine::api::AdoptPreview;
use crate::server::answer::Refused;

use super::{ErrorView, Way, way};

/// What `adopt` shows before it asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adoption {
    pub site: String,
    /// How the nodes stand to each other, in words.
    pub link: String,
    pub nodes: PerNode<Listing>,
    /// The node whose data would be kept.
    pub survivor: Option<NodeId>,
    pub from: Option<String>,
    pub to: Option<String>,
    pub way: Option<Way>,
    pub other: Option<Way>,
    /// Why the pair can't be taken over so.
    pub refused: Option<ErrorView>,
}

/// What a node says of itself; all `null` but `error` where it gave no answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Listing {
    pub identity: Option<String>,
    pub version: Option<String>,
    pub build: Option<String>,
    pub role: Option<Role>,
    pub healthy: Option<bool>,
    pub users: Option<u32>,
    pub sessions: Option<u32>,
    pub last_sync_at: Option<Timestamp>,
    pub last_sync_status: Option<String>,
    pub takes_clients: Option<bool>,
    /// The service's name leads to it.
    pub named: bool,
    pub error: Option<String>,
}

impl From<AdoptPreview> for Adoption {
    fn from(preview: AdoptPreview) -> Self {
        let AdoptPreview { site: Site { name, .. }, world, drafted } = preview;
        let shared = Self {
            site: name,
            link: world.link().describe(),
            nodes: PerNode::new(|node| Listing::of(node, &world)),
            survivor: None,
            from: None,
            to: None,
            way: None,
            other: None,
            refused: None,
        };
        match drafted {
            Ok((run, found)) => {
                let [way, other] = way::first_two(&run, &world, &found);
                let (from, to) = (Some(run.plan.from.version.to_string()), Some(run.plan.to.version.to_string()));
                Self { survivor: Some(run.survivor), from, to, way, other, ..shared }
            }
            Err(problem) => Self { refused: Some(Refused::from(problem).view(None)), ..shared },
        }
    }
}

impl Listing {
    fn of(node: NodeId, world: &World) -> Self {
        let reading = &world.readings[node];
        let named = world.traffic.target() == Some(node);
        let Some(read) = &reading.current else {
            return Self { named, error: reading.error.clone(), ..Self::default() };
        };
        let sync = read.last_sync.as_ref();
        Self {
            identity: Some(read.identity.clone()),
            version: Some(read.version.to_string()),
            build: read.build.clone(),
            role: Some(read.role),
            healthy: Some(read.healthy && !read.updating),
            users: read.users,
            sessions: read.sessions,
            last_sync_at: sync.map(|sync| sync.at),
            last_sync_status: sync.and_then(|sync| sync.status.clone()),
            takes_clients: read.takes_clients,
            named,
            error: None,
        }
    }
}
