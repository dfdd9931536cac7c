//! The nightly check of a booked or held run: what was found is recorded, and what has changed since the last time is told.

use std::sync::Arc;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use crate::domain::check::{Check, Finding, Outcome};
use crate::domain::event::{Notice, WaitingOn};
use crate::domain::ids::NodeId;
use crate::domain::run::{Phase, Run};
use crate::domain::world::World;

pub fn findings(checks: &[Check]) -> Vec<Finding> {
    checks.iter().map(Finding::from).collect()
}

/// True if a run that waits or is held has not been checked since the last time of day at which it should have been. After a
/// daemon was down over several of them it is true once.
pub fn is_due(run: &Run, world: &World) -> bool {
    let Some(time) = run.plan.policy.nightly_check else { return false };
    let last = run.checked.as_ref().map_or(run.started_at, |checked| checked.at);
    stands_still(run) && latest(world.now, time, &world.config.calendar.zone).is_some_and(|due| due > last)
}

/// For days, maybe. What is left on a disk that has only its reserve is not for what may be read again.
fn stands_still(run: &Run) -> bool {
    match run.phase {
        Phase::Waiting { on, .. } => matches!(on, WaitingOn::Window | WaitingOn::Soak | WaitingOn::Gate),
        Phase::Held(_) => !run.has_notice(Notice::StoreLow, None),
        _ => false,
    }
}

/// The last moment, up to now, at which clocks of this zone showed this time. A time that a day skips is taken as much later as
/// was skipped, of one that a day has twice the first.
pub fn latest(now: Timestamp, time: Time, zone: &TimeZone) -> Option<Timestamp> {
    let today = now.to_zoned(zone.clone()).date();
    let on = |date: jiff::civil::Date| date.to_datetime(time).to_zoned(zone.clone()).ok().map(|at| at.timestamp());
    on(today).filter(|at| *at <= now).or_else(|| on(today.checked_sub(1.day()).ok()?))
}

/// A check that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub name: String,
    pub node: Option<NodeId>,
    pub from: Outcome,
    pub to: Outcome,
    /// What is found now; empty where it is told no more.
    pub found: String,
}

/// What has changed between two recorded results. A check that is not among them passed; one that passes as before has not
/// changed, whatever it found.
pub fn changes(before: &[Arc<Finding>], now: &[Finding]) -> Vec<Change> {
    let is_of = |finding: &Finding, other: &Finding| finding.name == other.name && finding.node == other.node;
    let changed = now.iter().filter_map(|finding| {
        let from = before.iter().find(|known| is_of(known, finding));
        let result = from.map_or(Outcome::Pass, |known| known.result);
        let same_ground = result == Outcome::Pass || from.is_some_and(|known| known.basis == finding.basis);
        (result != finding.result || !same_ground).then(|| change(finding, result, finding.result, &finding.basis))
    });
    let gone = before.iter().filter(|known| known.result != Outcome::Pass && !now.iter().any(|other| is_of(known, other)));
    changed.chain(gone.map(|known| change(known, known.result, Outcome::Pass, ""))).collect()
}

fn change(finding: &Finding, from: Outcome, to: Outcome, found: &str) -> Change {
    Change { name: finding.name.clone(), node: finding.node, from, to, found: found.to_owned() }
}

impl Change {
    /// For the alert.
    pub fn describe(&self) -> String {
        let node = self.node.map(|node| format!(" of node `{node}`")).unwrap_or_default();
        let found = if self.found.is_empty() { String::new() } else { format!(" ({})", self.found) };
        format!("`{}`{node} went from {} to {}{found}", self.name, self.from.word(), self.to.word())
    }

    /// True if it is worse than before: from here on something speaks against going on.
    pub fn is_worse(&self) -> bool {
        !matches!(self.to, Outcome::Pass | Outcome::Person)
    }
}
