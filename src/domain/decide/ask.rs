//! Gates: opened, reminded of, expired; and the confirmations whose evidence has changed before anything relied on it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::next::{MAX_TRIES, Next, held, record, rest, wait};
use crate::domain::event::{Cause, Event, WaitingOn};
use crate::domain::gate::{Expiry, Gate, GatePolicy};
use crate::domain::homeward;
use crate::domain::late;
use crate::domain::proof::Failure;
use crate::domain::rule::Rule;
use crate::domain::run::{Asked, Due, Phase, Run};
use crate::domain::shown;
use crate::domain::step::Step;
use crate::domain::window::format_duration;
use crate::domain::world::World;

/// Opens a gate, and keeps asking.
pub fn ask(run: &Run, step: &Step, world: &World) -> Next {
    let question = step.gate.map(Gate::question).unwrap_or_default();
    let open = matches!(run.phase, Phase::Waiting { on: WaitingOn::Gate, .. });
    match (&run.asked, step.gate) {
        (Some(asked), Some(gate)) if open && asked.gate == gate => unanswered(run, asked, world),
        _ => wait(run, WaitingOn::Gate, None, question.to_owned()),
    }
}

/// R9: each line that the next sync overwrites waits for a person's word of its own.
pub fn ledger(run: &Run, world: &World) -> Next {
    let gate = Gate::SettingsLedger;
    match &run.asked {
        Some(asked) if run.open_gate() == Some(gate) && asked.gate == gate => unanswered(run, asked, world),
        _ => {
            let open = run.settings.open().count();
            wait(run, WaitingOn::Gate, None, format!("{}; lines that are open: {open}", gate.question()))
        }
    }
}

/// A gate that is open and that nobody, or not everybody, has answered.
fn unanswered(run: &Run, asked: &Asked, world: &World) -> Next {
    let policy = run.plan.policy.gate(asked.gate);
    let (gate, open_for) = (asked.gate, open_for(world.now.duration_since(asked.since)));
    let standing = format!("{} of {} have accepted", asked.answers.len(), policy.persons);
    match asked.due(&policy, world.now) {
        Due::Expired => expired(run, asked, &policy, world),
        Due::Escalation => record(
            Event::Reminded { gate, escalated: true },
            format!("the gate `{gate}` has been open for {open_for}, {standing}: its deputies may answer too"),
        ),
        Due::Reminder => record(
            Event::Reminded { gate, escalated: false },
            format!("the gate `{gate}` has been open for {open_for}, {standing}"),
        ),
        Due::Nothing(until) => rest(until.into_iter().chain(late::kept_until(run, world.now)).min()),
    }
}

/// In whole minutes.
fn open_for(lasted: SignedDuration) -> String {
    format_duration(SignedDuration::from_mins(lasted.as_mins()))
}

/// Nobody's answer leads on any more: a hold, or the way home if there is one by what is observed.
fn expired(run: &Run, asked: &Asked, policy: &GatePolicy, world: &World) -> Next {
    let gate = asked.gate;
    let way = || homeward::of_run(run, world).ways.into_iter().next();
    if policy.on_expiry == Expiry::Home
        && homeward::may_be_ordered(run, world)
        && let Some(event) = way().and_then(|way| homeward::order_by_itself(run, world, &way, Cause::GateExpired, None))
    {
        return record(event, format!("the gate `{gate}` expired, and its policy leads home then"));
    }
    if policy.on_expiry == Expiry::Home && late::is_unclear(world) && world.now < look_until(run, asked, policy) {
        return rest(Some(look_until(run, asked, policy)));
    }
    let limit = policy.expires_after.map(format_duration).unwrap_or_default();
    let expected = format!("the gate `{gate}` accepted by {} within {limit}", persons(policy.persons));
    let found = format!("{} of {} since {}", asked.answers.len(), policy.persons, asked.since);
    held(Failure::new("gate_expired", expected, found), true)
}

/// Until when a reading that may show a way is awaited: after the expiry, and after a daemon that was down over it has come up.
fn look_until(run: &Run, asked: &Asked, policy: &GatePolicy) -> Timestamp {
    let expired_at = asked.expires_at(policy).unwrap_or(run.last_at);
    expired_at.max(run.last_at) + run.plan.policy.max_silence
}

fn persons(count: u32) -> String {
    if count == 1 { "a person".to_owned() } else { format!("{count} persons") }
}

/// A confirmation that was given on other evidence than there is now, while nothing of ours has begun that relies on it.
pub fn lapsed(run: &Run, world: &World) -> Option<Next> {
    let between_acts = run.act.is_none() && matches!(run.phase, Phase::Ready | Phase::Waiting { .. });
    if !between_acts || run.bound.is_empty() && run.asked.as_ref().is_none_or(|asked| asked.answers.is_empty()) {
        return None;
    }
    let now = shown::facts(run, world);
    let (gate, step, changed) = accepted(run, &now).or_else(|| half_accepted(run, &now))?;
    let what = format!("what the gate `{gate}` showed has changed: {}", changed.join("; "));
    let tries = run.plan.steps.iter().position(|known| known.id == step).map_or(0, |index| run.progress[index].tries);
    if tries >= MAX_TRIES {
        let expected = format!("what `{gate}` was confirmed on, until it is relied on");
        return Some(held(Failure::new("evidence_changed", expected, format!("{what}; {tries} times so far")), true));
    }
    let event = Event::EvidenceLapsed { step, rule: Rule::R10.name().to_owned() };
    Some(record(event, format!("{what}; the confirmation is void, and it is asked again")))
}

type Lapsed = (Gate, String, Vec<String>);

fn accepted(run: &Run, now: &BTreeMap<String, String>) -> Option<Lapsed> {
    run.bound.iter().find_map(|bound| {
        let changed = shown::changed(&bound.shown, now);
        (!changed.is_empty()).then(|| (bound.gate, bound.step.clone(), changed))
    })
}

/// Some have accepted, others are still asked: what the first were shown must be what the last are shown.
fn half_accepted(run: &Run, now: &BTreeMap<String, String>) -> Option<Lapsed> {
    let (asked, step) = (run.asked.as_ref()?, run.step()?);
    let changed = asked.answers.iter().filter_map(|answer| Some(shown::changed(answer.shown.as_ref()?, now)));
    let changed = changed.into_iter().find(|changed| !changed.is_empty())?;
    (step.gate == Some(asked.gate)).then(|| (asked.gate, step.id.clone(), changed))
}
