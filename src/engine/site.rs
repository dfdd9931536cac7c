//! A site with its ports: what the fleet drives, plans are made for, and looks read.

use std::sync::Arc;

use crate::domain::ids::PerNode;
use crate::domain::site::Site;
use crate::ports::{Appliance, Traffic};

/// A site as the fleet knows it.
pub struct SiteEntry {
    pub site: Site,
    pub ports: SitePorts,
    /// The windows of the site's file, used where a request names none.
    pub first: Option<String>,
    pub second: Option<String>,
}

/// The ports of one site.
#[derive(Clone)]
pub struct SitePorts {
    pub nodes: PerNode<Arc<dyn Appliance>>,
    pub traffic: Vec<Arc<dyn Traffic>>,
}
