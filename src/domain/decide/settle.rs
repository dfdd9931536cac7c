//! What becomes of the act under way: proven, awaited, repeated, in doubt, withdrawn or failed.

use jiff::{SignedDuration, Timestamp};

use super::act::{act, begun};
use super::hindered::{hindered, renew};
use super::next::{LONGEST_UNREAD, MAX_TRIES, Next, done, held, held_by_rule, record, rest};
use super::refused::refused;
use crate::domain::action::{Impact, Kind, Repeat};
use crate::domain::event::{Baseline, Event, Evidence, WaitingOn};
use crate::domain::facts::Link;
use crate::domain::limit;
use crate::domain::proof::{self, Failure, Proof};
use crate::domain::rule::Rule;
use crate::domain::rules::{self, Cure, Violation};
use crate::domain::run::{Act, Phase, Run};
use crate::domain::site::{AfterDrain, Observation, SharedOn};
use crate::domain::step::Step;
use crate::domain::surprise;
use crate::domain::watch;
use crate::domain::world::World;

/// True for an act whose result is files of its own, in a folder of its own: sending it once more overwrites and loses nothing.
pub fn may_be_sent_again(run: &Run) -> bool {
    run.step().is_some_and(|step| matches!(step.kind, Kind::Backup | Kind::ExtractData))
}

/// After a restart in the middle of an act that may have been sent: what readings prove already needs no doubt.
pub fn after_restart(run: &Run, world: &World) -> Next {
    let (Some(step), Some(act)) = (run.step(), run.act.as_ref()) else { return rest(None) };
    if let Proof::Done(evidence) = proof::of_act(run, step, act, world) {
        return done(step, evidence, false);
    }
    let message = "the daemon was restarted while the act was under way; it may have been sent".to_owned();
    record(Event::Doubted { message: message.clone() }, message)
}

/// After a restart, where the driver says that the act never left; `None`: it is sent now.
///
/// The driver's memory may be another than the journal's (its traces deleted, or put back from an older copy), so what is never sent
/// twice without a person goes out only to a node that shows no sign of it. And the daemon may have been down for long: what the rules
/// said when the act was recorded counts no more, its window may be over (R3). What they refuse now is decided anew, and so
/// is what a person has asked to hold.
pub fn never_sent(run: &Run, world: &World) -> Option<Next> {
    let step = run.step()?;
    if step.kind.row().repeat == Repeat::Person && !is_as_before(run, step, world) {
        return Some(after_restart(run, world));
    }
    let why = match rules::violations(step, &world.facts(run, step)).into_iter().next() {
        Some(Violation { rule, expected, found, .. }) => format!("{rule}: expected {expected}, found {found}"),
        // Nothing is under way: this is a safe point.
        None if run.hold_requested => "a person asked to hold the run".to_owned(),
        None => return None,
    };
    let message = format!("it was never sent; {why}");
    let attempt = run.at().map_or(1, |progress| progress.tries);
    Some(record(Event::RetryScheduled { attempt, until: world.now, message: message.clone() }, message))
}

/// The node shows no sign of an update.
fn is_as_before(run: &Run, step: &Step, world: &World) -> bool {
    let node = step.node.unwrap_or(run.plan.primary);
    let as_before =
        |current: &Observation| !current.updating && current.version == run.expected_version(node).version && current.healthy;
    world.readings[node].current.as_ref().is_some_and(as_before)
}

/// Looks for the effect of the act under way.
pub fn settle(run: &Run, world: &World) -> Next {
    let (Some(step), Some(act)) = (run.step(), run.act.as_ref()) else { return rest(None) };
    match proof::of_act(run, step, act, world) {
        Proof::Done(evidence) => done(step, evidence, false),
        Proof::Failed(failure) => {
            let given_up = !proof::keeps_its_act(step, &failure);
            held(failure, given_up)
        }
        Proof::SyncAgain(baseline) => sync_again(run, step, world, *baseline),
        Proof::NotYet(_) if is_free_to_enable(step, act, world) => repeat(run, step, world),
        Proof::NotYet(what) => unsettled(run, step, act, world, what),
    }
}

/// An instruction is out that nobody has begun to carry out: it stands only as long as every promise does.
pub fn instructed(run: &Run, world: &World) -> Next {
    let settled = match settle(run, world) {
        // Nobody has begun: there is nothing to be in doubt of, however long it takes.
        Next::Record { event: Event::Doubted { .. }, .. }
            if run.step().is_some_and(|step| surprise::shows_its_begin(step.kind)) =>
        {
            rest(None)
        }
        settled => settled,
    };
    let (Next::Rest { .. }, Some(step)) = (&settled, run.step()) else { return settled };
    if let Some(failure) = proof::came_back(run, step, world) {
        return held(failure, true);
    }
    let Some(violation) = rules::violations(step, &world.facts(run, step)).into_iter().next() else { return settled };
    match violation.cure {
        Cure::Reading if watch::is_in_trouble(world) => {
            let why = format!("{}: expected {}, found {}", violation.rule, violation.expected, violation.found);
            record(Event::Waited { on: WaitingOn::Appliance, until: None }, why)
        }
        Cure::Reading | Cure::Time => settled,
        Cure::Renew(kind, node) => renew(run, &violation, kind, node),
        Cure::Booking => held_by_rule(&violation),
        Cure::Person => refused(run, step, &violation, world),
    }
}

/// A shared address that was on the old node when the instruction was given is on none now, seen twice: what follows, enabling it on
/// the new one, is an instruction of its own and never given before (R16).
fn is_free_to_enable(step: &Step, act: &Act, world: &World) -> bool {
    let told = act.instruction.is_some() && !act.baseline.gone;
    step.kind == Kind::SwitchTraffic && told && world.traffic.shared_twice() == Some(SharedOn::Neither)
}

/// The second sync that R1 asks for, under the rules of every act: between the two a person may have booked another window.
fn sync_again(run: &Run, step: &Step, world: &World, baseline: Baseline) -> Next {
    match rules::violations(step, &world.facts(run, step)).into_iter().next() {
        Some(Violation { cure: Cure::Reading, .. }) => rest(None),
        Some(violation) => hindered(run, step, violation, world),
        None => record(
            begun(run, step, world, Some(baseline)),
            "R1 fresh_sync: it is not known whether the node states a sync's start or its end, so a second one is asked for",
        ),
    }
}

/// An act whose answer was lost is not sent again at once: 5 s after the first doubt, twice as long after each further one.
/// A program that fails in an unclear way would else be run again and again within seconds.
pub fn pause_until(run: &Run) -> Option<Timestamp> {
    let Phase::InDoubt { since, .. } = run.phase else { return None };
    let doubts = run.at().map_or(1, |progress| progress.tries.clamp(1, MAX_TRIES));
    Some(since + SignedDuration::from_secs(5 << (doubts - 1)))
}

/// Not proven yet: repeat what may be repeated, give the limit its meaning, else look again.
fn unsettled(run: &Run, step: &Step, act: &Act, world: &World, what: String) -> Next {
    let doubted = matches!(run.phase, Phase::InDoubt { .. });
    // No try since a person's word, and yet an act: it was kept through a hold, and is looked at as one in doubt.
    let kept = run.at().is_some_and(|progress| progress.tries == 0);
    if doubted || kept {
        let repeatable = step.kind.row().repeat == Repeat::Safe && proof::had_no_effect(run, step, act, world);
        if repeatable && is_over(run, step, act, world) {
            let found = format!("it was ordered at {}, and nothing has moved: {}", act.since, world.traffic.describe());
            return held(Failure::new("step_failed", what, found), true);
        }
        if repeatable {
            return match pause_until(run).filter(|until| world.now < *until) {
                Some(until) => rest(Some(until)),
                None => repeat(run, step, world),
            };
        }
    }
    if doubted && !is_linked_by(step, world) && proof::switched_but(run, step, world).is_none() {
        return rest(None);
    }
    let since = match run.phase {
        Phase::Waiting { since, .. } => since,
        _ => act.since,
    };
    if world.now.duration_since(since) <= run.plan.limit(step.kind) {
        return rest(Some(since + run.plan.limit(step.kind)));
    }
    past_limit(run, step, act, what, world)
}

/// A switch is bounded: one that was accepted and has moved nothing within its limit is not ordered again by itself.
fn is_over(run: &Run, step: &Step, act: &Act, world: &World) -> bool {
    let passed = world.now.duration_since(act.since) > run.plan.limit(step.kind);
    step.kind == Kind::SwitchTraffic && act.accepted && passed
}

/// Establishing has had its effect, and only the first sync is missing.
fn is_linked_by(step: &Step, world: &World) -> bool {
    step.kind == Kind::EstablishFailover && step.node.is_some_and(|primary| world.link() == Link::Linked { primary })
}

/// The same act once more, if the rules still allow it.
fn repeat(run: &Run, step: &Step, world: &World) -> Next {
    let facts = world.facts(run, step);
    match rules::violations(step, &facts).into_iter().next() {
        Some(Violation { cure: Cure::Reading | Cure::Time, .. }) => rest(None),
        Some(violation) => hindered(run, step, violation, world),
        None => act(run, step, world),
    }
}

/// BG-02: users or sessions are there still at the drain's limit. What is done then the policy says, and it is never done silently;
/// where the node doesn't tell who is there, a person decides.
fn drain_limit(run: &Run, step: &Step, act: &Act, failure: Failure, world: &World) -> Next {
    let policy = &run.plan.policy;
    let Some(left) = proof::left_on(run, step, act, world) else {
        return if is_read_soon(run, step, act, world) { rest(None) } else { held(failure, true) };
    };
    match policy.after_drain_limit {
        AfterDrain::GoOn => {
            let found = format!("{} were left when the limit passed: `after_drain_limit = \"go_on\"`", left.describe());
            done(step, Evidence::Drained { left, found }, false)
        }
        AfterDrain::EndSessions if !act.baseline.ending => {
            if run.hold_requested {
                let (expected, found) =
                    ("nothing more until it is resumed", "a person asked to hold the run; no session was ended");
                return held(Failure::new("operator", expected, found), true);
            }
            if let Some(violation) = against_ending(run, step, world) {
                return refused(run, step, &violation, world);
            }
            let baseline = Baseline { people: Some(left), ending: true, ..Baseline::default() };
            let why = format!("BG-02: {} are there still at the drain's limit; their sessions are ended", left.describe());
            record(begun(run, step, world, Some(baseline)), why)
        }
        AfterDrain::Hold | AfterDrain::EndSessions => held(failure, true),
    }
}

/// To end sessions disturbs users: it is done only where the disturbing step that follows on this node may begin as far as time and
/// the other node are concerned (R2, R3); else they would be thrown out for nothing.
fn against_ending(run: &Run, step: &Step, world: &World) -> Option<Violation> {
    let rest = run.position().map(|here| &run.plan.steps[here..]).unwrap_or_default();
    let disturbs = |next: &&Step| next.node == step.node && next.impact() >= Impact::Disruptive;
    let closing = Step { kind: Kind::Quiesce, ..step.clone() };
    let next = rest.iter().find(disturbs).unwrap_or(&closing);
    let violations = rules::violations(next, &world.facts(run, next));
    violations.into_iter().find(|violation| matches!(violation.rule, Rule::R2 | Rule::R3))
}

/// The node answers and tells who is there, but by no reading yet that is surely younger than the order: right after a restart, say.
fn is_read_soon(run: &Run, step: &Step, act: &Act, world: &World) -> bool {
    let people = world.people(step.node.unwrap_or(run.plan.primary));
    let told = people.users.is_some() || people.sessions.is_some();
    let since = match run.phase {
        Phase::Waiting { since, .. } | Phase::InDoubt { since, .. } => since,
        _ => act.since,
    };
    told && world.now.duration_since(since) <= run.plan.limit(step.kind) + LONGEST_UNREAD
}

/// The limit has passed without proof.
fn past_limit(run: &Run, step: &Step, act: &Act, what: String, world: &World) -> Next {
    let limit = format!("not seen within {}", limit::told(&run.plan.policy, step.kind));
    if let Some(evidence) = proof::switched_but(run, step, world) {
        return done(step, evidence, false);
    }
    match step.kind {
        Kind::ForceSync => held(Failure::new("sync_failed", what, limit), true),
        Kind::EstablishFailover if is_linked_by(step, world) => held(Failure::new("sync_failed", what, limit), false),
        Kind::Drain => drain_limit(run, step, act, Failure::new("drain_limit", what, limit), world),
        _ => record(Event::Doubted { message: format!("expected {what}, {limit}") }, format!("`{}` is in doubt", step.id)),
    }
}
