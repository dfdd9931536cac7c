//! What runs out on a node while an update is under way: its certificate takes the service with it, its licence the way on.

use jiff::Timestamp;

use super::subject::{Subject, check};
use crate::domain::check::{Check, Outcome};
use crate::domain::site::Observation;
use crate::domain::world::World;

/// Warnings at most: whether it is renewed in time a person knows.
pub fn of_node(subject: &Subject<'_>, current: &Observation, world: &World) -> Vec<Check> {
    // Without a plan: as long as a pair may be without failover.
    let until = subject.until.unwrap_or(world.now + subject.policy.max_unprotected);
    let certificate = current.certificate_until.map(|end| ends("certificate", end, until, world));
    let licence = current.licence_until.map(|end| ends("licence", end, until, world));
    certificate.into_iter().chain(licence).collect()
}

fn ends(name: &'static str, end: Timestamp, until: Timestamp, world: &World) -> Check {
    let result = if end < until { Outcome::Warn } else { Outcome::Pass };
    let expected = format!("valid until {until} at least, when window two is over");
    check(world, name, result, &expected, format!("valid until {end}"))
}
