//! One look: both nodes and every traffic entry, read at the same time.

use std::net::IpAddr;
use std::sync::Arc;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};

use super::site::SiteReaders;
use crate::domain::ids::{NodeId, PerNode};
use crate::domain::site::{Observation, TrafficLook};
use crate::domain::world::World;
use crate::ports::{ReadError, TrafficReader};

/// What one look gave, before the world takes it in. What was left out keeps its last reading.
pub struct Seen {
    nodes: PerNode<Option<Result<Observation, ReadError>>>,
    traffic: Option<Vec<Result<TrafficLook, String>>>,
}

/// What an act is busy with, and is therefore not read beside it: a program behind a node answers one question at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    Node(NodeId),
    Traffic,
}

impl SiteReaders {
    /// A world in which nothing was read yet.
    pub fn world(&self, now: Timestamp) -> World {
        let settling = self.traffic.iter().map(|entry| entry.settling_time()).max().unwrap_or(SignedDuration::ZERO);
        World::new(now, !self.traffic.is_empty(), settling)
    }

    /// Reads everything once, at the same time.
    pub async fn look(&self) -> Seen {
        self.look_beside(None).await
    }

    /// Reads once what an act is not busy with.
    pub async fn look_beside(&self, busy: Option<Busy>) -> Seen {
        let (a, b, traffic) = tokio::join!(self.read(NodeId::A, busy), self.read(NodeId::B, busy), self.ask(busy));
        Seen { nodes: PerNode { a, b }, traffic }
    }

    async fn read(&self, node: NodeId, busy: Option<Busy>) -> Option<Result<Observation, ReadError>> {
        if busy == Some(Busy::Node(node)) {
            return None;
        }
        Some(self.nodes[node].observe().await)
    }

    async fn ask(&self, busy: Option<Busy>) -> Option<Vec<Result<TrafficLook, String>>> {
        if busy == Some(Busy::Traffic) {
            return None;
        }
        let mut looks = join_all(self.traffic.iter().map(read_entry)).await;
        self.identify(&mut looks, busy).await;
        Some(looks)
    }

    /// Asks which box answers where an entry leads, where the entry itself does not tell. Entries that lead to one place ask once.
    async fn identify(&self, looks: &mut [Result<TrafficLook, String>], busy: Option<Busy>) {
        let mut asked: Vec<(Place, Option<String>)> = Vec::new();
        for (entry, look) in self.traffic.iter().zip(looks) {
            let Ok(look) = look else { continue };
            let Some(node) = look.target().filter(|node| busy != Some(Busy::Node(*node))) else { continue };
            if look.serving_identity.is_some() {
                continue;
            }
            let place = (node, entry.address(node));
            let known = asked.iter().find(|(known, _)| *known == place).map(|(_, identity)| identity.clone());
            let identity = match known {
                Some(identity) => identity,
                None => self.nodes[node].who_answers(place.1).await,
            };
            look.serving_identity.clone_from(&identity);
            asked.push((place, identity));
        }
    }

    /// The longest time for which facts of a node may be cached.
    pub fn cache_time(&self) -> SignedDuration {
        self.nodes.a.cache_time().max(self.nodes.b.cache_time())
    }
}

/// Where somebody is to answer: at a node's own address, or at the one that an entry holds for it.
type Place = (NodeId, Option<IpAddr>);

/// One entry's look, under its name.
async fn read_entry(entry: &Arc<dyn TrafficReader>) -> Result<TrafficLook, String> {
    let look = entry.look().await.map_err(|error| format!("{}: {error}", entry.name()))?;
    Ok(TrafficLook { entry: entry.name(), records: entry.records(), ..look })
}

impl Seen {
    /// Puts what was seen into the world, at `now`.
    pub fn into_world(self, world: &mut World, now: Timestamp) {
        world.now = now;
        for (node, answer) in [(NodeId::A, self.nodes.a), (NodeId::B, self.nodes.b)] {
            match answer {
                None => {}
                Some(Err(ReadError::Denied(why))) => world.readings[node].refused(why, now),
                Some(answer) => world.readings[node].take(answer.map_err(|error| error.to_string()), now),
            }
        }
        if let Some(looks) = self.traffic {
            world.traffic.take(looks);
            world.traffic.taken_at(now);
        }
    }
}
