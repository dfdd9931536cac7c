//! Traffic on any day: who answers what, everywhere, and whether a switch would be taken. Neither needs a run.

use crate::domain::access::{self, Tried};
use crate::domain::action::Kind as Act;
use crate::domain::agreement::{self, Agreement, Partly};
use crate::domain::caches::{self, Caches};
use crate::domain::check::Outcome;
use crate::domain::ids::NodeId;
use crate::domain::run::Run;
use crate::domain::sheet;
use crate::domain::site::Site;
use crate::domain::world::World;

use super::problem::{Kind, Problem};

/// Who answers what, by readings of now.
#[derive(Clone, Debug)]
pub struct TrafficFound {
    pub site: Site,
    pub world: World,
    pub agreement: Agreement,
    pub partly: Option<Partly>,
}

/// Whether each entry would take our change, there and back, and for how long caches would lead to the old node.
#[derive(Clone, Debug)]
pub struct TrafficTried {
    pub site: Site,
    pub world: World,
    pub entries: Vec<Tried>,
    pub outcome: Outcome,
    /// The node that the names lead to, from which a switch would move them; `None` where they do not agree.
    pub from: Option<NodeId>,
    pub caches: Caches,
}

/// Puts a site's readings together.
pub fn found(site: &Site, world: World) -> TrafficFound {
    let identities = site.nodes.as_ref().map(|node| node.identity.as_str());
    let (agreement, partly) = (agreement::of(&world, &identities), agreement::partly(&world.traffic));
    TrafficFound { site: site.clone(), world, agreement, partly }
}

/// Puts together what the entries answered, and what a switch from where the names lead now would take.
pub fn tried(site: &Site, world: World, entries: Vec<Tried>, ttl: u32) -> TrafficTried {
    let (outcome, from, caches) = (access::outcome(&entries), world.traffic.target(), caches::of(&world.traffic, ttl));
    TrafficTried { site: site.clone(), world, entries, outcome, from, caches }
}

/// A site without entries has nothing to look at.
pub fn must_have_entries(site: &Site, has_traffic: bool) -> Result<(), Problem> {
    if has_traffic {
        return Ok(());
    }
    Err(Problem::new(Kind::NotFound, "no_traffic", format!("site `{}` has no `[[traffic]]` entry", site.name))
        .hint("a site without one is updated by a procedure that leaves the service where it is"))
}

/// While a run moves traffic nobody else sends its servers anything.
pub fn must_be_free(run: &Run) -> Result<(), Problem> {
    if ![Act::SwitchTraffic, Act::LowerTtl, Act::RestoreTtl].into_iter().any(|kind| run.is_at(kind)) {
        return Ok(());
    }
    let step = run.step().map_or("the step", |step| step.id.as_str());
    Err(Problem::new(Kind::Conflict, "traffic_busy", format!("run `{}` moves traffic now", run.id))
        .because(format!("`{step}` is under way"))
        .state(sheet::state(run))
        .hint(format!("`changeover traffic look {}` only reads; try again once the step is proven", run.id.site)))
}
