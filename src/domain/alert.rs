//! Which alerts a record raises, and what they say. Pure: the outbox delivers, this decides.

mod gates;
mod hints;
mod late;
mod notices;
mod preflight;
mod release;
mod saying;
mod settings;

use jiff::Timestamp;
use serde::Serialize;

use super::action::Kind;
use super::doubt;
use super::event::{Baseline, Cause, Event, Evidence, Verdict, WaitingOn};
use super::ids::{NodeId, RunId};
use super::journal::Record;
use super::resolvers;
use super::rule::Rule;
use super::run::Run;
use super::sheet;
pub use hints::hint_of;
use late::goes_home;
pub use saying::Severity;
use saying::{Saying, instruction, say};

/// The alerts of the contract, and those that were added since.
pub const NAMES: [&str; 30] = [
    "sync_failed",
    "step_failed",
    "by_operator",
    "gate_waiting",
    "gate_escalated",
    "waived",
    "window_closing",
    "window_missed",
    "second_window_lost",
    "unprotected_too_long",
    "exposure",
    "soak_failed",
    "soak_inconclusive",
    "soak_too_long",
    "held",
    "in_doubt",
    "node_unreachable",
    "access_refused",
    "role_conflict",
    "stray_session",
    "not_serving",
    "settings_changed",
    "settings_unread",
    "traffic_switched",
    "finished",
    "released",
    "store_low",
    "not_driven",
    "check_changed",
    "drain_limit",
];

/// The document that a hook gets.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alert {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub timestamp: Timestamp,
    pub data: AlertData,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AlertData {
    /// `<run>/<seq>/<event>`, the same in every retry.
    pub id: String,
    pub site: String,
    pub run: String,
    pub step: Option<String>,
    pub node: Option<NodeId>,
    pub severity: Severity,
    /// A stable word for what happened.
    pub code: String,
    pub summary: String,
    pub expected: Option<String>,
    pub found: Option<String>,
    /// How things stand now.
    pub state: String,
    /// What to do.
    pub hint: String,
    pub seq: u64,
}

/// The alerts of one record; `run` is the run after it, `before` the run it met.
pub fn of(before: &Run, run: &Run, record: &Record, event: &Event) -> Vec<Alert> {
    let node = node_of(before, event);
    let sayings = sayings(before, run, record, event).into_iter().chain(notices::protected_again(before, run));
    let alert = |saying: Saying| Alert {
        kind: saying.kind,
        timestamp: record.at,
        data: AlertData {
            id: format!("{}/{}/{}", run.id, record.seq, saying.kind),
            site: run.id.site.clone(),
            run: run.id.to_string(),
            step: record.step.clone(),
            node,
            severity: saying.severity,
            code: saying.code,
            summary: saying.summary,
            expected: saying.expected,
            found: saying.found,
            state: sheet::state(run),
            hint: saying.hint,
            seq: record.seq,
        },
    };
    sayings.map(alert).collect()
}

/// Where in a journal an alert belongs that no record raises.
pub struct Place<'a> {
    pub run: &'a RunId,
    /// The last record.
    pub seq: u64,
    pub step: Option<String>,
    pub at: Timestamp,
}

/// A run that nobody drives: neither its steps nor its watch go on. `stands`: how things stand, and what to do.
pub fn not_driven(place: Place<'_>, code: &str, summary: String, stands: (String, String)) -> Alert {
    const KIND: &str = "not_driven";
    let (id, (state, hint)) = (place.run, stands);
    let data = AlertData {
        id: format!("{id}/{}/{KIND}", place.seq),
        site: id.site.clone(),
        run: id.to_string(),
        step: place.step,
        node: None,
        severity: Severity::Critical,
        code: code.to_owned(),
        summary,
        expected: None,
        found: None,
        state,
        hint,
        seq: place.seq,
    };
    Alert { kind: KIND, timestamp: place.at, data }
}

fn node_of(before: &Run, event: &Event) -> Option<NodeId> {
    match event {
        Event::Noticed { node, .. } => *node,
        Event::NodeReplaced { node, .. } => Some(*node),
        Event::Held { node: Some(node), code, .. } if code != "sync_failed" && code != "sync_status_unknown" => Some(*node),
        _ => before.step().and_then(|step| step.node),
    }
}

fn sayings(before: &Run, run: &Run, record: &Record, event: &Event) -> Vec<Saying> {
    let id = &run.id;
    match event {
        Event::Held { code, message, expected, found, .. } => held(before, run, code, message, expected, found),
        Event::Confirmed { verdict: Verdict::Reject, gate, note, by, .. } => vec![gates::rejected(run, *gate, note, by)],
        Event::Reminded { gate, escalated } => vec![gates::reminded(run, record, *gate, *escalated)],
        Event::EvidenceLapsed { step, rule } if rule == Rule::R10.name() => gates::void(run, record, step).into_iter().collect(),
        Event::Revised { cause: Cause::GateExpired, goal, steps, .. } => vec![gates::goes_home(run, record, *goal, steps)],
        Event::Waived { rule, step, reason, by, .. } => vec![gates::waived(run, *rule, step, reason, by)],
        Event::Instructed { number, lines, .. } => {
            let hint = format!(
                "do what the instruction says; the run goes on by itself once the effect is seen (`changeover status {id}`)"
            );
            vec![say("by_operator", Severity::Warning, format!("instruction {number}: {}", lines.join(" ")), hint)]
        }
        Event::Revised { cause: Cause::WindowEnds, steps, .. } => goes_home(before, run, record, steps),
        Event::Waited { .. }
        | Event::EvidenceLapsed { .. }
        | Event::Resumed { .. }
        | Event::SwitchBackOrdered { .. }
        | Event::Revised { .. }
            if instruction(before).is_some() && run.act.is_none() =>
        {
            withdrawn(before, run, record)
        }
        Event::NodeReplaced { node, identity, .. } => replaced(before, run, record, *node, identity),
        Event::SettingsCompared { lines, .. } => settings::changed(before, run, lines),
        Event::Waited { on: WaitingOn::Gate, .. } => vec![gates::waiting(run)],
        Event::Doubted { message } => {
            let to = before.step().filter(|step| step.kind == Kind::SwitchTraffic).and_then(|step| step.node);
            let hint = match to {
                Some(to) => format!("the run keeps looking; {}", doubt::continuations(run, to)),
                None => format!("the run keeps looking; after looking yourself, `changeover resume {id}` lets it act again"),
            };
            vec![say("in_doubt", Severity::Critical, message.clone(), hint)]
        }
        Event::Noticed { notice, raised: true, message, .. } => notices::raised(run, *notice, message),
        Event::Checked { results } => preflight::check_changed(before, run, results),
        Event::StepBegun { baseline: Baseline { ending: true, people, .. }, .. } => {
            preflight::drain_limit(before, people.unwrap_or_default(), "their sessions are ended now")
        }
        Event::StepDone { evidence: Evidence::Drained { left, found }, .. } if left.is_anybody() => {
            preflight::drain_limit(before, *left, found)
        }
        Event::StepDone { evidence: Evidence::Settings { unread, .. }, .. } => settings::unread(run, unread),
        Event::StepDone { evidence, .. } if before.step().is_some_and(|step| step.kind == Kind::SwitchTraffic) => {
            let found = if let Evidence::Seen { found, .. } = evidence { format!(": {found}") } else { String::new() };
            let severity = if resolvers::names_unexplained(&found) { Severity::Warning } else { Severity::Info };
            let summary = format!("`{}` leads to node `{}` on every server{found}", run.plan.service, run.survivor);
            vec![say("traffic_switched", severity, summary, "watch the service; clients follow as their caches expire")]
        }
        Event::Noticed { notice, raised: false, message, .. } => notices::over(*notice, message),
        Event::Finished { .. } => {
            vec![say("finished", Severity::Info, format!("run `{id}` is finished"), sheet::may(run).join("; "))]
        }
        Event::Closed { state, undone, .. } => closed(before, run, state, undone),
        Event::Released { by, withdrawn, .. } => vec![release::told(run, by, *withdrawn)],
        _ => Vec::new(),
    }
}

/// An instruction whose promises hold no more.
fn withdrawn(before: &Run, run: &Run, record: &Record) -> Vec<Saying> {
    let number = instruction(before).unwrap_or_default();
    let summary = format!("instruction {number} is withdrawn, do not carry it out: {}", record.reason);
    let hint = format!("another instruction follows once it may be done (`changeover status {}`)", run.id);
    vec![say("by_operator", Severity::Warning, summary, hint)]
}

/// Another box: the run is held with it, and an instruction that was out for the old one is no more.
fn replaced(before: &Run, run: &Run, record: &Record, node: NodeId, identity: &str) -> Vec<Saying> {
    let withdrawn = instruction(before).map(|_| withdrawn(before, run, record)).unwrap_or_default();
    let message = run.hold().map(|hold| hold.message.as_str()).unwrap_or_default();
    let (expected, found) = (format!("box {}", before.plan.nodes[node].identity), format!("box {identity}"));
    withdrawn.into_iter().chain(held(before, run, "node_replaced", message, &expected, &found)).collect()
}

/// A run that was ended without an act: in which state, what was not done, and an instruction that is out no more.
fn closed(before: &Run, run: &Run, state: &str, undone: &[String]) -> Vec<Saying> {
    let mut summary = format!("run `{}` was closed by a person as `{state}`", run.id);
    if let Some(first) = undone.first() {
        summary.push_str(&format!("; {} steps are undone, from `{first}` on", undone.len()));
    }
    if let Some(number) = instruction(before) {
        summary.push_str(&format!("; instruction {number} is withdrawn, do not carry it out"));
    }
    let hint = format!("{}; do not: {}", sheet::may(run).join("; "), sheet::must_not(run).join("; "));
    vec![say("finished", Severity::Info, summary, hint)]
}

/// A hold: the alert of its cause, where it has one, then `held`.
fn held(before: &Run, run: &Run, code: &str, message: &str, expected: &str, found: &str) -> Vec<Saying> {
    let step = before.step().map(|step| step.id.as_str()).unwrap_or("the end");
    let withdrawn = instruction(before).filter(|_| run.act.is_none());
    let mut summary = format!("run `{}` is held at `{step}`: {message}", run.id);
    if let Some(number) = withdrawn {
        summary.push_str(&format!("; instruction {number} is withdrawn, do not carry it out"));
    }
    let filled = |kind, severity| Saying {
        code: code.to_owned(),
        expected: Some(expected.to_owned()),
        found: Some(found.to_owned()),
        ..say(kind, severity, summary.clone(), hint_of(code, run))
    };
    let by_person = matches!(code, "operator" | "switched_back" | "node_replaced") || code == "harbour" && !run.way_by_itself;
    let held = filled("held", if by_person { Severity::Info } else { Severity::Critical });
    cause(code).map(|kind| filled(kind, Severity::Critical)).into_iter().chain([held]).collect()
}

/// The alert that a hold's code has of its own.
fn cause(code: &str) -> Option<&'static str> {
    match code {
        "sync_failed" | "sync_status_unknown" => Some("sync_failed"),
        "step_failed" | "check_failed" | "drain_limit" | "wrong_version" | "half_broken" | "half_established" => {
            Some("step_failed")
        }
        "window_missed" => Some("window_missed"),
        "role_conflict" | "both_standby" => Some("role_conflict"),
        "node_unreachable" => Some("node_unreachable"),
        _ => None,
    }
}
