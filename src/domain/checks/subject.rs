//! What is checked, and the making of one check.

use jiff::Timestamp;

use crate::domain::check::{Check, Outcome};
use crate::domain::facts::Link;
use crate::domain::ids::{NodeId, PerNode, RunId};
use crate::domain::site::{Node, Policy};
use crate::domain::version::Target;
use crate::domain::world::World;

/// What is checked: a site, or a run's own copy of its facts.
pub struct Subject<'a> {
    pub site: &'a str,
    /// The site's run that is not finished.
    pub open: Option<&'a RunId>,
    pub service: &'a str,
    pub nodes: &'a PerNode<Node>,
    pub policy: &'a Policy,
    /// How the nodes must stand to each other; linked either way where no run has begun.
    pub link: Option<Link>,
    /// The node that must serve; the primary where no run has begun.
    pub serving: Option<NodeId>,
    /// What each node must run, where that is not simply the same on both.
    pub versions: Option<PerNode<Target>>,
    /// A sync is forced and proven before anything is changed: the last one's age says nothing.
    pub syncs_anew: bool,
    /// The end of window two, where it is planned.
    pub until: Option<Timestamp>,
}

/// What is found stays the same while nothing has changed, unless a check says otherwise.
pub fn check(world: &World, name: &'static str, result: Outcome, expected: &str, found: impl Into<String>) -> Check {
    let (expected, found) = (expected.to_owned(), found.into());
    let (at, basis) = (world.now, found.clone());
    Check { name, node: None, result, expected, found, at, valid_until: at, basis, remedy: String::new() }
}

pub fn based(check: Check, basis: impl Into<String>) -> Check {
    Check { basis: basis.into(), ..check }
}

pub fn pass_if(good: bool) -> Outcome {
    if good { Outcome::Pass } else { Outcome::Fail }
}
