//! What happens next, and why: one pure function from a run and what was read to the next event.
//!
//! It changes nothing. The engine records the event, [`super::machine::next`] applies it, and only then is anything sent.

mod act;
mod ask;
mod closed;
mod hindered;
mod next;
mod preflight;
mod refused;
mod settle;

use super::action::Kind;
use super::checks;
use super::event::{Event, Evidence, Notice, Outcome, Verdict, WaitingOn};
use super::facts::Link;
use super::late;
use super::limit;
use super::proof::{self, Failure, Proof};
use super::rule::Rule;
use super::rules::{self, Cure, Violation};
use super::run::{Phase, Run};
use super::step::Step;
use super::surprise;
use super::ttl;
use super::watch;
use super::world::World;
use act::act;
pub use ask::lapsed;
use closed::watch_closed;
use hindered::hindered;
pub use next::{LONGEST_UNREAD, MAX_TRIES, Next, held};
use next::{done, held_by_rule, record, rest, wait};
pub use settle::{after_restart, may_be_sent_again, never_sent, pause_until};
use settle::{instructed, settle};

/// What happens next. Call it after every look; it is the only place that decides.
pub fn decide(run: &Run, world: &World) -> Next {
    if run.is_finished() {
        return if run.is_watched() { watch_closed(run, world) } else { rest(None) };
    }
    if let Some(event) = watch::notice(run, world) {
        let why = notice_sentence(&event);
        return record(event, why);
    }
    if checks::is_due(run, world) {
        let checks = checks::of_run(run, world);
        let why = format!("checked as every day: {}", checks::summary(&checks));
        return record(Event::Checked { results: checks::findings(&checks) }, why);
    }
    if let Phase::Held(_) = run.phase {
        return Next::Rest { until: None };
    }
    // An act is on its way: its answer comes next, and nothing may come between.
    if run.phase == Phase::Acting {
        return rest(None);
    }
    // The middle of a change of roles: it is over in a moment, or a person's.
    if let Some(until) = surprise::role_change_until(run, world) {
        return rest(Some(until));
    }
    if let Some(failure) = surprise::surprise(run, world) {
        return held(failure, surprise::is_untouched(run, world));
    }
    if let Some(next) = lapsed(run, world) {
        return next;
    }
    match &run.phase {
        Phase::Ready => hold_or(run, world, begin),
        // What a person has begun is not at a safe point: the hold waits until its end is seen.
        Phase::Waiting { on: WaitingOn::Operator, .. } | Phase::InDoubt { .. } if surprise::is_untouched(run, world) => {
            hold_or(run, world, instructed)
        }
        Phase::Waiting { on: WaitingOn::Operator, .. } => settle(run, world),
        Phase::Waiting { on: WaitingOn::Appliance | WaitingOn::Traffic, .. } if run.act.is_some() => settle(run, world),
        Phase::Waiting { on: WaitingOn::Retry, until: Some(until), .. } if world.now < *until => {
            hold_or(run, world, |_, _| rest(Some(*until)))
        }
        Phase::Waiting { .. } => hold_or(run, world, begin),
        Phase::InDoubt { .. } => settle(run, world),
        // Answered above.
        Phase::Acting | Phase::Held(_) | Phase::Finished(_) => rest(None),
    }
}

/// At a safe point: the hold that a person asked for, else what the run would do.
fn hold_or(run: &Run, world: &World, otherwise: impl FnOnce(&Run, &World) -> Next) -> Next {
    if run.hold_requested {
        return held(Failure::new("operator", "nothing more until it is resumed", "a person asked to hold the run"), true);
    }
    otherwise(run, world)
}

/// Begins the first step that is not done.
fn begin(run: &Run, world: &World) -> Next {
    let Some(step) = run.step() else { return end(run) };
    if let Some(preflight) = preflight::lapsed(run, step, world) {
        let event = Event::EvidenceLapsed { step: preflight.id.clone(), rule: "max_check_age".to_owned() };
        return record(event, format!("the preflight is older than `policy.max_check_age`; {} is done once more", preflight.id));
    }
    let violations = rules::violations(step, &world.facts(run, step));
    let by_hand = is_so(run, step, world).filter(|_| !run.acknowledged.is_empty());
    if let Some(evidence) = by_hand.or_else(|| never_moved(run, step, world)) {
        return already(run, step, evidence, violations);
    }
    if let Some(violation) = violations.into_iter().next() {
        // Done by hand and seen once: the second reading decides, also right after a restart.
        let cure = if is_half_seen(run, step, world) { Cure::Reading } else { violation.cure };
        return hindered(run, step, Violation { cure, ..violation }, world);
    }
    if let Some((late, violation)) = late::kept_too_long(run, world) {
        return hindered(run, late, violation, world);
    }
    match step.kind {
        Kind::Confirm => ask::ask(run, step, world),
        Kind::Soak => soak(run, step, world),
        Kind::Preflight => preflight::preflight(run, step, world),
        Kind::CompareSettings if run.settings.open().next().is_some() => ask::ledger(run, world),
        Kind::CheckSync | Kind::Verify | Kind::RecordSettings | Kind::CompareSettings | Kind::FinalCheck => {
            look(run, step, world)
        }
        Kind::LowerTtl | Kind::RestoreTtl => set_ttl(run, step, world),
        _ => act(run, step, world),
    }
}

/// The step's effect is there without this run having asked for it.
fn is_so(run: &Run, step: &Step, world: &World) -> Option<Evidence> {
    let seen = || Evidence::seen("it was done by hand and acknowledged");
    match (step.kind, step.node) {
        (Kind::BreakFailover, _) => (world.link() == Link::Broken).then(seen),
        (Kind::Update, Some(node)) => {
            let reading = &world.readings[node];
            let current = reading.current.as_ref().filter(|_| reading.healthy_twice())?;
            let version = || Evidence::Version { version: current.version.to_string(), build: current.build.clone() };
            run.has_reached(&current.version, step.hop).then(version)
        }
        (Kind::SwitchTraffic, to) => (to.is_some() && world.traffic.target() == to).then(seen),
        (Kind::EstablishFailover, Some(primary)) => proof::linked_by_hand(run, primary, world),
        _ => None,
    }
}

/// Traffic is ordered back from a switch that was begun, and nothing has moved: an order would be refused, for it expects the
/// names at the other node.
fn never_moved(run: &Run, step: &Step, world: &World) -> Option<Evidence> {
    let put_back = step.kind == Kind::SwitchTraffic && run.is_put_back();
    let there = step.node.is_some() && world.traffic.target() == step.node;
    (put_back && there).then(|| Evidence::seen("nothing had moved: every name leads there"))
}

/// An acknowledged update by hand that lacks only its second healthy reading.
fn is_half_seen(run: &Run, step: &Step, world: &World) -> bool {
    let Some(reading) = step.node.filter(|_| step.kind == Kind::Update).map(|node| &world.readings[node]) else { return false };
    let there = reading.current.as_ref().is_some_and(|current| run.has_reached(&current.version, step.hop));
    !run.acknowledged.is_empty() && there && !reading.healthy_twice()
}

/// What was done by hand, and acknowledged by a person, counts if no promise speaks against it. R3, R5 and R17 speak of the
/// moment before the act and can't be asked any more; nor can R4 of an update whose backup has only grown old since, R1 of a
/// link that a person ordered to be broken, or R9 of settings that were compared once and that the link has overwritten since.
fn already(run: &Run, step: &Step, evidence: Evidence, violations: Vec<Violation>) -> Next {
    let compares = |cure: Cure| matches!(cure, Cure::Renew(Kind::CompareSettings, _));
    let past = |violation: &Violation| match violation.rule {
        Rule::R3 | Rule::R5 | Rule::R17 => true,
        Rule::R9 => compares(violation.cure) && run.settings.settled_at.is_some() && run.settings.open().next().is_none(),
        Rule::R4 => step.kind == Kind::Update && step.node.is_some_and(|node| run.nodes[node].was_backed_up()),
        Rule::R1 => run.is_ordered(),
        // What caches remember spoke of the moment before the name moved.
        Rule::R7 => matches!(violation.cure, Cure::Time | Cure::Renew(Kind::LowerTtl, _)),
        _ => false,
    };
    match violations.into_iter().find(|violation| !past(violation)) {
        Some(violation) => held_by_rule(&violation),
        None => done(step, evidence, true),
    }
}

/// All steps are done: home after a whole procedure, harbour after a switch back.
fn end(run: &Run) -> Next {
    if run.switched_back || run.unprotected_since().is_some() {
        let found = format!("node `{}` serves on {}; the other is left alone", run.survivor, run.expected_version(run.survivor));
        let code = if run.switched_back { "switched_back" } else { "harbour" };
        return held(Failure::new(code, "a person's decision on the way on", found), true);
    }
    match run.way {
        Some(_) => record(Event::Finished { outcome: Outcome::Aborted }, "the way home is done: the pair is linked and serves"),
        None => record(
            Event::Finished { outcome: Outcome::Succeeded },
            "every step is done, failover is on and its first sync was good",
        ),
    }
}

/// A TTL that is as it should be is left alone. It is set only once every server tells what it is: that is what is remembered.
fn set_ttl(run: &Run, step: &Step, world: &World) -> Next {
    let proof = if step.kind == Kind::LowerTtl { proof::is_lowered(run, world) } else { proof::is_restored(run, world) };
    match proof {
        Proof::Done(evidence) => done(step, evidence, true),
        Proof::NotYet(what) if ttl::untold(&world.traffic).is_some() => match &run.phase {
            Phase::Waiting { on: WaitingOn::Traffic, since, .. }
                if world.now.duration_since(*since) > run.plan.limit(step.kind).min(LONGEST_UNREAD) =>
            {
                held(Failure::new("check_failed", what, "not so within the limit"), true)
            }
            _ => wait(run, WaitingOn::Traffic, None, format!("awaits {what}")),
        },
        _ => act(run, step, world),
    }
}

/// The shortest soak, unless a person accepted early or the plan is urgent; and only while everything is as the soak asks.
fn soak(run: &Run, step: &Step, world: &World) -> Next {
    let until = run.soak_from.unwrap_or(world.now) + run.plan.policy.min_soak;
    let early = run.verdict == Some(Verdict::AcceptEarly);
    if world.now < until && !early && run.plan.urgent.is_none() {
        return wait(run, WaitingOn::Soak, Some(until), "the new version is watched in production".to_owned());
    }
    if let Some(unmet) = watch::soak::unmet(run, world).first() {
        return wait(run, WaitingOn::Soak, None, format!("the soak can't end: {}", unmet.sentence()));
    }
    let found = match (early, &run.plan.urgent) {
        (true, _) => "accepted early by a person".to_owned(),
        (false, Some(why)) if world.now < until => format!("the plan is urgent, the shortest soak is waived: {why}"),
        (false, _) => "the shortest soak is over".to_owned(),
    };
    let but = watch::soak::reservation(run).map(|reservation| format!("; {reservation}")).unwrap_or_default();
    let clients = world.jump_clients_left(run.serving());
    done(step, Evidence::seen(format!("{found}{but}{clients}")), false)
}

/// A step that only looks: done, awaited up to its limit, or failed.
fn look(run: &Run, step: &Step, world: &World) -> Next {
    match proof::of_look(run, step, world) {
        Proof::Done(evidence) => done(step, evidence, false),
        Proof::Failed(failure) => held(failure, true),
        Proof::NotYet(what) => match &run.phase {
            Phase::Waiting { on: WaitingOn::Appliance, since, .. }
                if world.now.duration_since(*since) > run.plan.limit(step.kind) =>
            {
                held(
                    Failure::new("check_failed", what, format!("not so within {}", limit::told(&run.plan.policy, step.kind))),
                    true,
                )
            }
            _ => wait(run, WaitingOn::Appliance, None, format!("awaits {what}")),
        },
        // Only a forced sync asks for a second one.
        Proof::SyncAgain(_) => rest(None),
    }
}

fn notice_sentence(event: &Event) -> String {
    match event {
        Event::Noticed { notice, raised: false, .. } => format!("{} is over", Notice::name(*notice)),
        Event::Noticed { message, .. } => message.clone(),
        Event::SettingsCompared { lines, .. } => {
            let lost = lines.iter().filter(|line| line.lost).count();
            format!(
                "settings were compared with those at the break; lines: {}, that the next sync overwrites: {lost}",
                lines.len()
            )
        }
        _ => String::new(),
    }
}
