//! One look: both nodes and every traffic entry, read at the same time.

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};

use crate::domain::ids::PerNode;
use crate::domain::site::{Observation, TrafficLook};
use crate::domain::world::World;
use crate::ports::ReadError;

use super::site::SitePorts;

/// What one look gave, before the world takes it in.
pub struct Seen {
    nodes: PerNode<Result<Observation, String>>,
    traffic: Vec<Result<TrafficLook, String>>,
}

impl SitePorts {
    /// A world in which nothing was read yet.
    pub fn world(&self, now: Timestamp) -> World {
        let settling = self.traffic.iter().map(|entry| entry.settling_time()).max().unwrap_or(SignedDuration::ZERO);
        World::new(now, !self.traffic.is_empty(), settling)
    }

    /// Reads everything once, at the same time.
    pub async fn look(&self) -> Seen {
        let nodes = async {
            let (a, b) = tokio::join!(self.nodes.a.observe(), self.nodes.b.observe());
            PerNode { a: in_words(a), b: in_words(b) }
        };
        let traffic = join_all(
            self.traffic.iter().map(|entry| async { entry.look().await.map_err(|error| format!("{}: {error}", entry.name())) }),
        );
        let (nodes, traffic) = tokio::join!(nodes, traffic);
        Seen { nodes, traffic }
    }

    /// The longest time for which facts of a node may be cached.
    pub fn cache_time(&self) -> SignedDuration {
        self.nodes.a.cache_time().max(self.nodes.b.cache_time())
    }
}

fn in_words<T>(answer: Result<T, ReadError>) -> Result<T, String> {
    answer.map_err(|error| error.to_string())
}

impl Seen {
    /// Puts what was seen into the world, at `now`.
    pub fn into_world(self, world: &mut World, now: Timestamp) {
        world.now = now;
        world.readings.a.take(self.nodes.a, now);
        world.readings.b.take(self.nodes.b, now);
        world.traffic.take(self.traffic);
    }
}
