//! A site with its ports: what the fleet drives, plans are made for, and looks read.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::access::Tried;
use crate::domain::ids::PerNode;
use crate::domain::people::People;
use crate::domain::site::Site;
use crate::domain::world::{Current, World};
use crate::ports::{Appliance, Reader, Traffic, TrafficReader};

/// A site as the fleet knows it.
pub struct SiteEntry {
    pub site: Site,
    pub ports: SitePorts,
    /// The windows of the site's file, used where a request names none.
    pub first: Option<String>,
    pub second: Option<String>,
    /// Who is responsible for window two, where a request names nobody.
    pub responsible: Option<String>,
}

impl SiteEntry {
    /// A world in which nothing was read yet, with what the config says now.
    pub fn world(&self, people: &Arc<People>, state: &Path, now: Timestamp) -> World {
        let config = Current { calendar: self.site.calendar.clone(), people: people.clone(), state: state.to_owned() };
        let config = Arc::new(config);
        World { config, ..self.ports.readers().world(now) }
    }
}

/// The ports of one site.
#[derive(Clone)]
pub struct SitePorts {
    pub nodes: PerNode<Arc<dyn Appliance>>,
    pub traffic: Vec<Arc<dyn Traffic>>,
}

/// What can be read of one site: checks, plans and looks are given this, and so can't change anything.
#[derive(Clone)]
pub struct SiteReaders {
    pub nodes: PerNode<Arc<dyn Reader>>,
    pub traffic: Vec<Arc<dyn TrafficReader>>,
}

impl SitePorts {
    /// Asks every traffic entry, one after the other, whether it would take our change. What is sent alters nothing.
    pub async fn try_access(&self) -> Vec<Tried> {
        let mut entries = Vec::with_capacity(self.traffic.len());
        for entry in &self.traffic {
            entries.push(Tried { entry: entry.name(), access: entry.prove_access().await });
        }
        entries
    }

    pub fn readers(&self) -> SiteReaders {
        SiteReaders {
            nodes: PerNode { a: self.nodes.a.clone(), b: self.nodes.b.clone() },
            traffic: self.traffic.iter().map(|entry| entry.clone() as Arc<dyn TrafficReader>).collect(),
        }
    }
}
