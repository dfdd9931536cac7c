//! The side that traffic was taken from, until nobody is led there any more (R16): who is on it still, who came after the switch,
//! and from when on it counts as drained.

use jiff::{SignedDuration, Timestamp};

use crate::domain::ids::NodeId;
use crate::domain::run::Run;
use crate::domain::site::AtWork;
use crate::domain::world::World;

/// The node that traffic was taken from, as long as the pair is not linked again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftSide {
    pub node: NodeId,
    /// When traffic left it.
    pub since: Timestamp,
    pub users: Option<u32>,
    pub sessions: Option<u32>,
    /// Sessions that began there after traffic had left, as far as counts in a row show it, and when the newest was seen. Counted
    /// anew after a restart of the daemon.
    pub started: u32,
    pub newest_at: Option<Timestamp>,
    /// As far as the interface tells.
    pub at_work: Vec<AtWork>,
    /// Since when nobody was seen there; `None` while somebody is, or nobody tells.
    pub quiet_since: Option<Timestamp>,
    /// For so long nobody must be seen there: the longest time for which an answer may be remembered, and the age of readings.
    pub quiet_for: SignedDuration,
    /// From when on it counts as drained, if nobody comes; `None` while somebody is there.
    pub drained_at: Option<Timestamp>,
}

/// Where no entry tells for how long its answers are remembered: longer than most records of a service.
const UNTOLD_TTL: SignedDuration = SignedDuration::from_hours(1);
/// A client that is told of the change at once still has a connection to end.
const LEAST: SignedDuration = SignedDuration::from_mins(5);

/// The left side of a run; none before a switch is proven, and once the pair is linked again.
pub fn of(run: &Run, world: &World) -> Option<LeftSide> {
    run.unprotected_since()?;
    let node = run.survivor.other();
    let since = run.nodes[node].served_until?;
    let reading = &world.readings[node];
    let current = reading.current.as_ref();
    let (started, newest_at) = reading.started_after(since);
    let quiet_since = reading.quiet_since(since);
    let quiet_for = quiet_for(node, world);
    Some(LeftSide {
        node,
        since,
        users: current.and_then(|read| read.users),
        sessions: current.and_then(|read| read.sessions),
        started,
        newest_at,
        at_work: current.map(|read| read.at_work.clone()).unwrap_or_default(),
        quiet_since,
        quiet_for,
        drained_at: quiet_since.and_then(|since| since.checked_add(quiet_for).ok()),
    })
}

fn quiet_for(node: NodeId, world: &World) -> SignedDuration {
    let remembered = world.traffic.longest_ttl().map(|ttl| SignedDuration::from_secs(i64::from(ttl)));
    let cached = world.readings[node].current.as_ref().map(|read| read.may_be_old).unwrap_or_default();
    remembered.unwrap_or(UNTOLD_TTL).saturating_add(cached).max(LEAST)
}

impl LeftSide {
    /// True once nobody has been seen there for long enough.
    pub fn is_drained(&self, now: Timestamp) -> bool {
        self.drained_at.is_some_and(|at| at <= now)
    }
}

/// Who came after traffic had left, and who is there: the end of an alert's sentence, empty where nothing is told.
pub fn stubborn(run: &Run, node: NodeId, world: &World) -> String {
    let Some(left) = of(run, world).filter(|left| left.node == node) else { return String::new() };
    let newest = left.newest_at.map(|at| format!("; {} began since traffic left, the newest seen at {at}", left.started));
    let named: Vec<String> = left.at_work.iter().map(AtWork::describe).collect();
    let named = if named.is_empty() { String::new() } else { format!("; at work there: {}", named.join(", ")) };
    format!("{}{named}", newest.unwrap_or_default())
}
