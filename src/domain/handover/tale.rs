//! What the records of a time tell: its steps, and what did not go by itself.

use jiff::{SignedDuration, Timestamp};

use crate::domain::action::{Kind, When};
use crate::domain::event::{Cause, Event, Verdict};
use crate::domain::gate::Gate;
use crate::domain::journal::Record;
use crate::domain::plan::Goal;
use crate::domain::run::Run;
use crate::domain::step::Step;
use crate::domain::window::format_duration;

/// An event with its record.
pub type Told<'a> = (&'a Record, Event);

/// A moment to the second: what is finer says nothing to people.
pub fn second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

fn lasted(duration: SignedDuration) -> String {
    format_duration(SignedDuration::from_secs(duration.as_secs()))
}

/// A line for each step of window one: when, how long against what was expected, by whom, and how often it was tried.
pub fn steps(run: &Run, told: &[Told<'_>]) -> Vec<String> {
    let steps = run.plan.steps.iter().filter(|step| step.when == When::Window1);
    steps.filter_map(|step| of_step(run, step, told)).collect()
}

/// As [`steps`], for what came after window one: the soak, and what a person ordered. The acceptance has a section of its own.
pub fn steps_since(run: &Run, told: &[Told<'_>]) -> Vec<String> {
    let is_told = |step: &&Step| step.when > When::Window1 && step.gate != Some(Gate::Production);
    run.plan.steps.iter().filter(is_told).filter_map(|step| of_step(run, step, told)).collect()
}

fn of_step(run: &Run, step: &Step, told: &[Told<'_>]) -> Option<String> {
    let own: Vec<&Told<'_>> = told.iter().filter(|(record, _)| record.step.as_ref() == Some(&step.id)).collect();
    let done = own.iter().rfind(|(_, event)| matches!(event, Event::StepDone { .. } | Event::Confirmed { .. }))?;
    if step.kind == Kind::Confirm {
        let words: Vec<String> = own.iter().filter_map(|told| word(told)).collect();
        return Some(format!("{} `{}` confirmed by {}", second(done.0.at), gate_of(step), words.join(", ")));
    }
    let begun: Vec<_> = own.iter().filter(|(_, event)| is_try(event)).collect();
    let took = begun.first().map(|(record, _)| done.0.at.duration_since(record.at));
    let took = took.map(|took| format!(" after {} (expected {})", lasted(took), lasted(run.plan.expected(step.kind))));
    let tries = if begun.len() > 1 { format!(", {} attempts", begun.len()) } else { String::new() };
    let hand = own.iter().any(|(_, event)| matches!(event, Event::Instructed { .. }));
    let by = if hand { ", by hand" } else { "" };
    Some(format!("{} `{}` done{}{by}{tries}", second(done.0.at), step.id, took.unwrap_or_default()))
}

/// The second sync that R1 asks for is not a second try.
fn is_try(event: &Event) -> bool {
    matches!(event, Event::StepBegun { baseline, .. } if baseline.first_sync.is_none())
}

fn gate_of(step: &Step) -> &str {
    step.gate.map_or(step.id.as_str(), |gate| gate.name())
}

/// Who accepted, and what they said to it.
fn word((record, event): &Told<'_>) -> Option<String> {
    let Event::Confirmed { note, by, verdict: Verdict::Accept | Verdict::AcceptEarly, .. } = event else { return None };
    let note = note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
    Some(format!("{}{note}", by.as_ref().map_or_else(|| record.actor.clone(), ToString::to_string)))
}

/// Whatever did not go by itself: holds, doubts, tries that did not arrive, what was proved and lapsed, people's orders, and what
/// was told, with its end.
pub fn troubles(told: &[Told<'_>]) -> Vec<String> {
    told.iter()
        .filter_map(|(record, event)| Some(format!("{} {}", second(record.at), trouble(record.actor.as_str(), event)?)))
        .collect()
}

fn trouble(actor: &str, event: &Event) -> Option<String> {
    let text = match event {
        Event::Held { code, message, .. } => format!("held ({code}): {message}"),
        Event::HoldRequested {} => format!("{actor} asked to hold the run"),
        Event::Resumed { first, second, responsible } => {
            let window = if first.is_some() || second.is_some() { ", with another window" } else { "" };
            let whose = responsible.as_ref().map(|user| format!(", {user} being responsible for window two")).unwrap_or_default();
            format!("{actor} let the run go on{window}{whose}")
        }
        Event::Waived { rule, step, reason, by, .. } => format!("{by} set {rule} aside for `{step}`: {reason}"),
        Event::Denied { word, by, reason, .. } => format!("`{word}` by {by} was not taken: {reason}"),
        Event::Reminded { gate, escalated: true } => format!("the gate `{gate}` was open for long: its deputies were asked too"),
        Event::Confirmed { gate, verdict: Verdict::Reject, note, .. } => {
            format!("{actor} rejected `{gate}`{}", note.as_ref().map(|note| format!(": {note}")).unwrap_or_default())
        }
        Event::Doubted { message } => format!("in doubt: {message}"),
        Event::RetryScheduled { message, .. } => format!("did not arrive, tried again: {message}"),
        Event::EvidenceLapsed { step, rule } => format!("`{step}` was done once more ({rule})"),
        Event::Recovered {} => "the daemon was restarted and took the run over".to_owned(),
        Event::SwitchBackOrdered { note } => format!("{actor} ordered traffic back: {note}"),
        Event::Revised { cause, goal, note, .. } => way(actor, *cause, *goal, note.as_deref()),
        Event::NodeReplaced { node, identity, .. } => format!("{actor} replaced node `{node}` by box {identity}"),
        Event::Noticed { notice, raised, message, .. } => {
            let over = if *raised { "" } else { ", over" };
            format!("{}{over}: {message}", notice.name())
        }
        Event::Undelivered { hook, .. } => format!("an alert did not reach `{hook}` and was given up"),
        _ => return None,
    };
    Some(text)
}

/// Who ordered the way home, where it leads, and why.
fn way(actor: &str, cause: Cause, goal: Goal, note: Option<&str>) -> String {
    let leads = match goal {
        Goal::Home => "home".to_owned(),
        Goal::Harbour { node } => format!("to harbour, node `{node}` serves"),
    };
    let who = match cause {
        Cause::Abort => format!("{actor} ordered the way {leads}"),
        Cause::NodeReplaced => format!("{actor} ordered the way {leads}, after a box was replaced"),
        Cause::WindowEnds => {
            format!("by the site's policy the run took the way {leads}, as what was left of the window was too short")
        }
        Cause::GateExpired => format!("by the site's policy the run took the way {leads}, as nobody had answered a gate"),
    };
    format!("{who}{}", note.map(|note| format!(": {note}")).unwrap_or_default())
}
