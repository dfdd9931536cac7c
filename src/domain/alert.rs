//! Which alerts a record raises, and what they say. Pure: the outbox delivers, this decides.

mod gates;
mod late;
mod notices;
mod preflight;
mod release;
mod settings;

use jiff::Timestamp;
use serde::Serialize;

use super::action::Kind;
use super::backups;
use super::booking;
use super::doubt;
use super::event::{Baseline, Cause, Event, Evidence, Verdict, WaitingOn};
use super::ids::{NodeId, RunId};
use super::journal::Record;
use super::resolvers;
use super::rules::Rule;
use super::run::Run;
use super::sheet;
use late::goes_home;

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

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Info,
    Warning,
    Critical,
}

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

/// What one alert says beside the facts that all share.
struct Saying {
    kind: &'static str,
    severity: Severity,
    code: String,
    summary: String,
    expected: Option<String>,
    found: Option<String>,
    hint: String,
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
        Event::Held { node: Some(node), code, .. } if code != "sync_failed" && code != "sync_status_unknown" => Some(*node),
        _ => before.step().and_then(|step| step.node),
    }
}

fn say(kind: &'static str, severity: Severity, summary: impl Into<String>, hint: impl Into<String>) -> Saying {
    let (summary, hint) = (summary.into(), hint.into());
    Saying { kind, severity, code: kind.to_owned(), summary, expected: None, found: None, hint }
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
        | Event::NodeReplaced { .. }
            if instruction(before).is_some() && run.act.is_none() =>
        {
            withdrawn(before, run, record)
        }
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

fn instruction(run: &Run) -> Option<u32> {
    Some(run.act.as_ref()?.instruction.as_ref()?.number)
}

/// An instruction whose promises hold no more.
fn withdrawn(before: &Run, run: &Run, record: &Record) -> Vec<Saying> {
    let number = instruction(before).unwrap_or_default();
    let summary = format!("instruction {number} is withdrawn, do not carry it out: {}", record.reason);
    let hint = format!("another instruction follows once it may be done (`changeover status {}`)", run.id);
    vec![say("by_operator", Severity::Warning, summary, hint)]
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
    let by_person = matches!(code, "operator" | "switched_back" | "harbour");
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

/// What is refused is refused by a name server, a program or a person, not by a node.
fn is_traffic(kind: Kind) -> bool {
    matches!(kind, Kind::SwitchTraffic | Kind::LowerTtl | Kind::RestoreTtl)
}

/// The ways on from harbour, each a person's decision.
fn harbour(run: &Run) -> String {
    let (id, left) = (&run.id, run.survivor.other());
    let accept = match run.open_gate() {
        Some(gate) => format!("if the new version is good in production: `changeover confirm {id} {gate}`, then, or "),
        None => String::new(),
    };
    format!(
        "{accept}once node `{left}` is put right (vendor, new image), `changeover abort {id}` looks for the way home again; or end the run: `changeover close {id} --as STATE --note …`"
    )
}

/// Another window two is booked in a hold, which does no harm between the windows.
fn second_window_lost(run: &Run) -> String {
    let id = &run.id;
    let hold = if run.hold().is_some() { String::new() } else { format!("`changeover hold {id}`, then ") };
    format!(
        "book another window two: {hold}`changeover resume {id} --second \"START +LENGTH\"` or `--second next` (`changeover windows {}` shows them)",
        id.site
    )
}

/// What helps, by the code of a hold or notice.
pub fn hint_of(code: &str, run: &Run) -> String {
    let id = &run.id;
    let resume = format!("then `changeover resume {id}`");
    match code {
        "sync_failed" if run.unprotected_since().is_some() => {
            format!("look at the failover page of node `{}` and ask for a sync there, {resume}", run.survivor)
        }
        "half_broken" => format!("break the link on the node that still shows it, {resume}"),
        "half_established" => {
            format!("break the link on the node that shows it, or finish it from node `{}`, {resume}", run.survivor)
        }
        "sync_failed" => format!("look at the failover page of both nodes, {resume}: a new sync is asked for"),
        "sync_status_unknown" => format!(
            "if this exact text means a good sync: `changeover confirm {id} sync_status --note …`; else mend the sync, {resume}"
        ),
        backups::HOLD => format!(
            "look at the node and at its last backup; if a backup of this size is whole: `changeover confirm {id} smaller_backup --note …`; else mend it, {resume}: another one is taken"
        ),
        backups::MISSING => format!(
            "fetch what `missing-recordings.csv` names by hand while node `{}` has it, or give the API account its right to recordings, {resume}: they are asked for once more, and as many as are missing now are then taken as lost",
            run.step().and_then(|step| step.node).unwrap_or(run.plan.primary)
        ),
        "window_missed" => {
            format!("book another window: `changeover resume {id} --window \"2026-11-22T02:00[Europe/Berlin] +4h\"`")
        }
        booking::HOLD => format!(
            "book another window two: `changeover resume {id} --second \"START +LENGTH\"` or `--second next` (`changeover windows {}` shows them), and `--responsible USER` where nobody is",
            run.id.site
        ),
        "role_conflict" => {
            format!(
                "break the link on both nodes now (/login > Management > Failover), look at the data as docs/guides/both-primary.md says, {resume}"
            )
        }
        "shared_address_twice" => format!(
            "disable the shared address on node `{}` now (/appliance, network settings); some two minutes later, as health may be told late, {resume}",
            run.survivor.other()
        ),
        "both_standby" => format!(
            "nobody serves: make node `{}` primary at its own page (/login > Management > Failover > Become Primary), {resume}",
            run.survivor
        ),
        "out_of_band" => {
            format!("somebody changed the pair; look at it, {resume}: what is already so counts if no rule speaks against it")
        }
        "warning_not_accepted" => {
            format!("look at each; accept it by its name: `changeover accept {id} NAME --reason …`; or put it right, {resume}")
        }
        "access_refused" => format!(
            "check the API account at that node (/login > Management > API Configuration): there, enabled, not locked, its secret; \
             {}",
            if run.hold().is_some() {
                resume
            } else {
                format!("then `changeover hold {id}` and `changeover resume {id}`: resuming tries it again")
            }
        ),
        "drain_limit" => format!("ask the users who are left to finish, or end their sessions in the console, {resume}"),
        "step_failed" if run.step().is_some_and(|step| is_traffic(step.kind)) => format!(
            "put right what stands against it, try it with `changeover traffic test {}`, which changes nothing, {resume}",
            run.id.site
        ),
        "rejected" => gates::after_rejection(run),
        "gate_expired" => format!(
            "to ask again: `changeover resume {id}`; to give the run up: `changeover abort {id}` shows the way home and asks"
        ),
        "evidence_changed" => format!("find out why it keeps changing, {resume}: it is asked again"),
        "switched_back" => {
            format!(
                "the pair is at rest; `changeover abort {id}` looks for the way home from here, `changeover close {id} --as STATE --note …` ends the run"
            )
        }
        "node_unreachable" if run.hold().is_none() => {
            format!(
                "look at the node and the way to it; the run goes on by itself once it answers; what leads on without it: `changeover status {id}`"
            )
        }
        "harbour" => harbour(run),
        "node_replaced" => {
            format!("look at both nodes (`changeover status {id}`), {resume}, or take the way home: `changeover abort {id}`")
        }
        "rehearsed" => release::helps(run),
        "operator" => format!("`changeover resume {id}` when it may go on"),
        "unprotected_too_long" if run.is_finished() => {
            format!("link the pair by hand, or have another run take it over: `changeover adopt {}`", run.id.site)
        }
        "unprotected_too_long" | "exposure_50" | "exposure_80" => "end the unprotected time: finish window two".to_owned(),
        "stray_session" | "back_open" => format!(
            "close node `{}` to clients, and find out who still reaches it, and how (by address, by an old DNS answer?)",
            run.survivor.other()
        ),
        "not_serving" => format!(
            "look at node `{}` now and let clients in again, or find who closed it; what leads on without it: `changeover abort {id}`",
            run.survivor
        ),
        "window_closing" => format!(
            "what does not begin in time waits for another window: `changeover resume {id} --window …` once the run is held; before that, `changeover hold {id}` first"
        ),
        "second_window_lost" => second_window_lost(run),
        "soak_inconclusive" => format!("see that people work on node `{}`, or accept it knowing that nobody did", run.survivor),
        "soak_too_long" => format!("decide on the new version, or book window two: `changeover status {id}`"),
        code if code.starts_with("soak_") => {
            format!(
                "look at it; the run does nothing to the pair meanwhile, and goes on by itself once it is well (`changeover status {id}`)"
            )
        }
        "store_low" => {
            "free space on the disk of the state folder; only holds, the way home and switch-backs are taken meanwhile".to_owned()
        }
        _ => format!("look at the nodes, {resume}"),
    }
}
