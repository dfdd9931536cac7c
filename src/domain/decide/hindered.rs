//! A rule stands against a step: what may lift that is awaited or renewed, and what only a person can lift holds the run.

use super::next::{LONGEST_UNREAD, MAX_TRIES, Next, held_by_rule, record, wait};
use super::refused::refused;
use crate::domain::action::{Kind, When};
use crate::domain::event::{Event, WaitingOn};
use crate::domain::gate::Gate;
use crate::domain::ids::NodeId;
use crate::domain::limit;
use crate::domain::rule::Rule;
use crate::domain::rules::{Cure, Violation};
use crate::domain::run::{Phase, Run};
use crate::domain::step::Step;
use crate::domain::ttl;
use crate::domain::waiver;
use crate::domain::world::World;

/// A rule stands against the step: wait for what time or a reading cures, renew what lapsed, else hold.
pub fn hindered(run: &Run, step: &Step, violation: Violation, world: &World) -> Next {
    let void = waiver::void(run, violation.rule, step, world).map(|why| format!("; {why}")).unwrap_or_default();
    let violation = Violation { found: format!("{}{void}", violation.found), ..violation };
    match violation.cure {
        Cure::Time if violation.rule == Rule::R7 => wait_for_caches(run, step, &violation),
        Cure::Time => wait_for_time(run, step, &void),
        Cure::Reading => wait_for_reading(run, step, &violation, world),
        Cure::Renew(kind, node) => renew(run, &violation, kind, node),
        Cure::Booking => held_by_rule(&violation),
        Cure::Person => refused(run, step, &violation, world),
    }
}

fn wait_for_time(run: &Run, step: &Step, void: &str) -> Next {
    let (on, until) = match run.windows.of(step.when) {
        Some(window) if step.when != When::Window2 || run.soaked || run.is_ordered() => (WaitingOn::Window, Some(window.from)),
        _ => (WaitingOn::Soak, run.soak_from.map(|from| from + run.plan.shortest_soak())),
    };
    wait(run, on, until, format!("`{}` waits for its time{void}", step.id))
}

/// R7: until caches have forgotten the old TTL.
fn wait_for_caches(run: &Run, step: &Step, violation: &Violation) -> Next {
    wait(run, WaitingOn::Traffic, ttl::free_from(run, step), format!("{}: {}", violation.rule, violation.found))
}

/// What can't be told now is looked at again, for a while; then the run is held.
fn wait_for_reading(run: &Run, step: &Step, violation: &Violation, world: &World) -> Next {
    let awaited = run.plan.limit(step.kind).min(LONGEST_UNREAD);
    if let Phase::Waiting { on: WaitingOn::Appliance, since, .. } = &run.phase
        && world.now.duration_since(*since) > awaited
    {
        let whence = if awaited == LONGEST_UNREAD { UNREAD_WORDS.to_owned() } else { limit::told(&run.plan.policy, step.kind) };
        let found = format!("{}; awaited for {whence}", violation.found);
        return held_by_rule(&Violation { found, ..violation.clone() });
    }
    wait(
        run,
        WaitingOn::Appliance,
        None,
        format!("{}: expected {}, found {}", violation.rule, violation.expected, violation.found),
    )
}

/// Goes back to the latest earlier step that can prove again what lapsed. What lapses again and again is a person's: nobody is
/// there to carry an instruction out, or the policy's limit is shorter than the act takes.
pub fn renew(run: &Run, violation: &Violation, kind: Kind, node: Option<NodeId>) -> Next {
    let here = run.position().unwrap_or(0);
    let gate = (kind == Kind::Confirm).then_some(Gate::AutomaticFailoverOff);
    // R17: a word counts for its own part only. Asked again in an earlier one, it would lapse again at once, without end.
    let part = run.step().map(|step| step.when);
    let asks = |step: &Step| gate.is_none() || step.gate == gate && Some(step.when) == part;
    let matches = |step: &&Step| step.kind == kind && (node.is_none() || step.node == node) && asks(step);
    let linked = !run.has_broken() || kind != Kind::ForceSync;
    let fresh = |step: &Step| run.progress_of(step).is_some_and(|progress| progress.tries < MAX_TRIES);
    match run.plan.steps[..here].iter().rev().find(matches).filter(|step| linked && fresh(step)) {
        Some(step) => {
            let event = Event::EvidenceLapsed { step: step.id.clone(), rule: violation.rule.name().to_owned() };
            record(event, format!("{}: {} is done once more", violation.rule, step.id))
        }
        None => held_by_rule(violation),
    }
}

/// [`LONGEST_UNREAD`] and where it is from.
const UNREAD_WORDS: &str = "30m, fixed for a reading that is missing before an act";
