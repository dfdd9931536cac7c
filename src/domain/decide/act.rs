//! The intent of an act, with what was true before.

use super::next::{MAX_TRIES, Next, held, record};
use crate::domain::action::Kind;
use crate::domain::event::{Baseline, Event};
use crate::domain::proof::Failure;
use crate::domain::run::{Phase, Run};
use crate::domain::site::SharedOn;
use crate::domain::step::Step;
use crate::domain::ttl;
use crate::domain::world::World;

/// Begins an act.
pub fn act(run: &Run, step: &Step, world: &World) -> Next {
    let tries = run.at().map_or(0, |progress| progress.tries);
    if tries >= MAX_TRIES {
        let last = match &run.phase {
            Phase::InDoubt { message, .. } => format!("; the last: {message}"),
            _ => String::new(),
        };
        let found = format!("{tries} attempts without success{last}");
        let code = if step.kind == Kind::ForceSync { "sync_failed" } else { "step_failed" };
        return held(Failure::new(code, format!("`{}` done", step.kind), found), true);
    }
    record(begun(run, step, world, None), run.plan.sentence(step))
}

/// The intent, with what was true before.
pub fn begun(run: &Run, step: &Step, world: &World, baseline: Option<Baseline>) -> Event {
    let source = if step.kind == Kind::EstablishFailover { step.node.unwrap_or(run.survivor) } else { run.plan.primary };
    let drains = step.kind == Kind::Drain;
    let wants_sync = matches!(step.kind, Kind::ForceSync | Kind::EstablishFailover);
    let before = || Baseline {
        sync: world.readings[source].sync().filter(|_| wants_sync).cloned(),
        first_sync: None,
        traffic: world.traffic.target().filter(|_| step.kind == Kind::SwitchTraffic),
        gone: step.kind == Kind::SwitchTraffic && world.traffic.shared() == Some(SharedOn::Neither),
        denied: step.kind == Kind::Reopen && step.node.is_some_and(|node| world.denies(node)),
        people: drains.then(|| world.people(step.node.unwrap_or(run.plan.primary))),
        ending: drains && run.at().is_some_and(|progress| progress.ending),
        ttl: ttl::replaced(run, step, world),
    };
    Event::StepBegun { attempt: run.at().map_or(0, |progress| progress.attempts) + 1, baseline: baseline.unwrap_or_else(before) }
}
