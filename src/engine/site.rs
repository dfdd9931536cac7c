//! A site with its ports: what the fleet drives, plans are made for, and looks read.

use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::ids::PerNode;
use crate::domain::people::People;
use crate::domain::site::Site;
use crate::domain::world::{Current, World};
use crate::ports::{Appliance, Traffic};

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
    pub fn world(&self, people: &Arc<People>, now: Timestamp) -> World {
        let config = Arc::new(Current { calendar: self.site.calendar.clone(), people: people.clone() });
        World { config, ..self.ports.world(now) }
    }
}

/// The ports of one site.
#[derive(Clone)]
pub struct SitePorts {
    pub nodes: PerNode<Arc<dyn Appliance>>,
    pub traffic: Vec<Arc<dyn Traffic>>,
}
