//! What people are told of gates and waivers.

use super::saying::{Saying, Severity, say};
use crate::domain::asked;
use crate::domain::gate::Gate;
use crate::domain::journal::Record;
use crate::domain::people::Who;
use crate::domain::plan::Goal;
use crate::domain::rule::Rule;
use crate::domain::run::Run;
use crate::domain::step::Step;

/// A gate opens.
pub fn waiting(run: &Run) -> Saying {
    let gate = run.open_gate();
    if gate == Some(Gate::SettingsLedger) {
        return ledger(run);
    }
    let question = gate.map(|gate| asked::question(run, gate)).unwrap_or_default();
    let name = gate.map(Gate::name).unwrap_or_default();
    let whom = gate.map(|gate| whom(run, gate)).unwrap_or_default();
    let summary = format!("a person is asked{whom}: {question}{}", urgent(run, gate));
    let read = if gate == Some(Gate::Handover) { format!("read `changeover handover {}`, then ", run.id) } else { String::new() };
    say("gate_waiting", Severity::Info, summary, format!("{read}changeover confirm {} {name}", run.id))
}

/// Whoever accepts an urgent run must know that no soak follows.
fn urgent(run: &Run, gate: Option<Gate>) -> String {
    let why = run.plan.urgent.as_ref().filter(|_| gate == Some(Gate::Production));
    why.map(|why| format!("; the plan is urgent, no shortest soak follows: {why}")).unwrap_or_default()
}

/// What a person types to answer.
fn answer(run: &Run, gate: Gate) -> String {
    match gate {
        Gate::SettingsLedger => format!("changeover ledger {}", run.id),
        _ => format!("changeover confirm {} {gate}", run.id),
    }
}

/// Lines of the ledger are acknowledged one by one.
fn ledger(run: &Run) -> Saying {
    let (open, question) = (run.settings.open().count(), Gate::SettingsLedger.question());
    let hint = format!("changeover ledger {}", run.id);
    let lacking = run.settings.lacking().map(|why| format!("; not compared: {why}")).unwrap_or_default();
    say("gate_waiting", Severity::Info, format!("a person is asked: {question} Open lines: {open}{lacking}"), hint)
}

/// Whom the gate asks, where it says so: ` (2 of owner, manager)`.
fn whom(run: &Run, gate: Gate) -> String {
    let policy = run.plan.policy.gate(gate);
    let roles = asked::asked_of(run, gate, &policy).join(", ");
    match (policy.persons, roles.is_empty()) {
        (1, true) => String::new(),
        (1, false) => format!(" ({roles})"),
        (count, true) => format!(" ({count} persons)"),
        (count, false) => format!(" ({count} persons of {roles})"),
    }
}

/// It is open for long.
pub fn reminded(run: &Run, record: &Record, gate: Gate, escalated: bool) -> Saying {
    let (kind, severity) = if escalated { ("gate_escalated", Severity::Critical) } else { ("gate_waiting", Severity::Warning) };
    let summary = format!("{}{}: {}", record.reason, whom(run, gate), asked::question(run, gate));
    let code = if escalated { kind } else { "reminder" };
    let hint = answer(run, gate);
    Saying { code: code.to_owned(), ..say(kind, severity, summary, hint) }
}

/// What a confirmation stood on has changed, and it counts no more.
pub fn void(run: &Run, record: &Record, step: &str) -> Option<Saying> {
    let gate = run.plan.steps.iter().find(|known| known.id == step)?.gate?;
    let hint =
        format!("look at what has changed (`changeover status {0}`), then answer again: `changeover confirm {0} {gate}`", run.id);
    let saying = say("gate_waiting", Severity::Warning, record.reason.clone(), hint);
    Some(Saying { code: "evidence_changed".to_owned(), ..saying })
}

pub fn rejected(run: &Run, gate: Gate, note: &Option<String>, by: &Option<Who>) -> Saying {
    let by = by.as_ref().map(|who| format!(" by {who}")).unwrap_or_default();
    let note = note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
    let summary = format!("gate `{gate}` of run `{}` was rejected{by}{note}", run.id);
    let (expected, found) = (Some(format!("the gate `{gate}` accepted")), Some("rejected".to_owned()));
    let saying = say("held", Severity::Warning, summary, after_rejection(run));
    Saying { code: "rejected".to_owned(), expected, found, ..saying }
}

/// The ways on, each a person's decision. While the pair is linked nothing is to be undone.
pub fn after_rejection(run: &Run) -> String {
    let id = &run.id;
    if run.unprotected_since().is_none() {
        return format!("to give the run up: `changeover abort {id}`; to be asked again: `changeover resume {id}`");
    }
    let back = match run.may_switch_back() {
        true => format!("`changeover switch-back {id} --note …` only moves traffic back; "),
        false => String::new(),
    };
    format!(
        "leave it as it is, one node serves and the other is left alone, until it is decided: `changeover abort {id}` shows the way home or to harbour, and asks; {back}or keep the version: `changeover resume {id}` asks again"
    )
}

pub fn waived(run: &Run, rule: Rule, step: &str, reason: &str, by: &Who) -> Saying {
    let summary = format!("{rule} is set aside for step `{step}` of run `{}` by {by}: {reason}", run.id);
    let hint = format!("if this was not meant: `changeover hold {}`", run.id);
    say("waived", Severity::Warning, summary, hint)
}

/// Nobody answered, and the run goes home by itself: people are told where it leads.
pub fn goes_home(run: &Run, record: &Record, goal: Goal, steps: &[Step]) -> Saying {
    let end = match goal {
        Goal::Home => "home".to_owned(),
        Goal::Harbour { node } => format!("to harbour, node `{node}` serves"),
    };
    let steps = steps.iter().map(|step| step.id.as_str()).collect::<Vec<_>>().join(", ");
    let steps = if steps.is_empty() { "nothing is to be done".to_owned() } else { steps };
    let summary = format!("{}; it leads {end}: {steps}", record.reason);
    let hint = format!("to stop at the next safe point: `changeover hold {}`", run.id);
    Saying { code: "gate_expired".to_owned(), ..say("gate_escalated", Severity::Critical, summary, hint) }
}
