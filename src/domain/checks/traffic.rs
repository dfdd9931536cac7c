//! The checks of traffic: where the name leads, whether everybody agrees on who serves, and whether the entries would take our change.

use super::subject::{Subject, based, check, pass_if};
use crate::domain::access::{self, CHECK, Recorded};
use crate::domain::agreement::{self, Verdict};
use crate::domain::check::{Check, Outcome};
use crate::domain::facts::Link;
use crate::domain::run::Run;
use crate::domain::world::World;

/// The name leads to the node that serves, on every server.
pub fn leads(subject: &Subject<'_>, world: &World) -> Option<Check> {
    if !world.has_traffic {
        return None;
    }
    let serving = match (subject.serving, world.link()) {
        (Some(serving), _) => serving,
        (None, Link::Linked { primary }) => primary,
        (None, _) => return None,
    };
    let address = subject.nodes[serving].address;
    let expected = format!("`{}` leads to node `{serving}`, {address}, on every server", subject.service);
    let result = match world.traffic.target() {
        Some(target) => pass_if(target == serving),
        None if world.traffic.looks.iter().all(Result::is_ok) => Outcome::Fail,
        None => Outcome::Unknown,
    };
    let basis = world.traffic.target().map_or_else(|| "no one node".to_owned(), |target| format!("node `{target}`"));
    Some(based(check(world, "traffic", result, &expected, world.traffic.describe()), basis))
}

/// Both nodes, the names and the box behind them say the same.
pub fn agreement(subject: &Subject<'_>, world: &World) -> Option<Check> {
    if !world.has_traffic {
        return None;
    }
    let agreement = agreement::of(world, &subject.nodes.as_ref().map(|node| node.identity.as_str()));
    let result = match agreement.verdict {
        Verdict::Agreed { .. } => Outcome::Pass,
        Verdict::Untold => Outcome::Unknown,
        Verdict::Partly | Verdict::Disputed => Outcome::Fail,
    };
    let expected = "both nodes, the names and the box behind them agree on who serves";
    Some(based(check(world, "agreement", result, expected, agreement.line(world.now)), agreement.verdict.describe()))
}

/// What the entries answered when they were tried, or what the run has recorded of that; nothing where no step moves traffic.
pub fn access(run: &Run, world: &World) -> Option<Check> {
    let recorded = run.access.clone();
    let tried = world.access.as_ref().map(|tries| Recorded {
        at: tries.at,
        result: access::outcome(&tries.entries),
        found: access::describe(&tries.entries),
    });
    let newer = tried.into_iter().chain(recorded).max_by_key(|known| known.at).filter(|_| run.moves_traffic())?;
    let expected = "every traffic entry takes our change, tried by one that alters nothing";
    Some(Check { at: newer.at, ..check(world, CHECK, newer.result, expected, newer.found) })
}
