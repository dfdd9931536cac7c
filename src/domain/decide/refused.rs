//! A promise that only a person can lift stands against the step; but what is late may be the site's to decide.

use jiff::SignedDuration;

use super::next::{Next, held_by_rule, record, wait};
use crate::domain::event::WaitingOn;
use crate::domain::late::{self, Late};
use crate::domain::rule::Rule;
use crate::domain::rules::Violation;
use crate::domain::run::Run;
use crate::domain::step::Step;
use crate::domain::window::format_duration;
use crate::domain::world::World;

/// Holds the run, or takes it home where its window has no time left and the policy says so.
pub fn refused(run: &Run, step: &Step, violation: &Violation, world: &World) -> Next {
    if violation.rule != Rule::R3 {
        return held_by_rule(violation);
    }
    let violation = &with_times(run, step, violation, world);
    match late::of(run, world) {
        Late::Home(way) => match late::order(run, world, &way) {
            Some(event) => {
                record(event, format!("{}: `{}` begins no more; the run goes home by itself", violation.rule, step.id))
            }
            None => held_by_rule(violation),
        },
        Late::Look if world.now < late::look_until(run, world) => wait(
            run,
            WaitingOn::Appliance,
            None,
            format!("{}: `{}` begins no more; both nodes are read first", violation.rule, step.id),
        ),
        Late::Look | Late::Hold => held_by_rule(violation),
    }
}

/// What the step needs of its window, and what is left of that.
fn with_times(run: &Run, step: &Step, violation: &Violation, world: &World) -> Violation {
    let Some(window) = run.windows.of(step.when) else { return violation.clone() };
    let left = window.to.duration_since(world.now.max(window.from)).max(SignedDuration::ZERO);
    let (needed, left) = (format_duration(run.plan.need(step)), format_duration(left));
    Violation { found: format!("{}: up to {needed} are needed, {left} are left", violation.found), ..violation.clone() }
}
