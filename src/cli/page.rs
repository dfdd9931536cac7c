//! The status page: where a run stands, why, whose move it is, what unblocks it, and what may be done by hand.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::domain::event::{HASH_SHORT, Outcome, WaitingOn};
use crate::domain::gate::Expiry;
use crate::domain::ids::NodeId;
use crate::domain::site::AtWork;
use crate::server::view::{
    Doubt, Draining, GateState, Guide, LeftUntouched, LeftView, Node, ReverseView, Soak, Status, StepTime, StopHere, Untouched,
    WaiverView, WayStep,
};

use super::output;
use super::zones::Zones;

/// The whole page.
pub fn of(status: &Status) -> String {
    let zones = Zones::of(&status.zone);
    let mut page = format!("run `{}`: {}\n", status.run, standing(status));
    for (name, text) in facts(status, &zones) {
        // Writing into a string cannot fail.
        let _ = writeln!(page, "  {name:<10} {text}");
    }
    page.push_str(&status.gate_state.as_ref().map(|state| format!("\n{}", evidence(state))).unwrap_or_default());
    page.push_str(&zones.text(&instructions(status)));
    // While something is under way nothing is to be done by hand.
    let at_rest = !matches!(status.phase.as_str(), "ready" | "acting");
    if let Some(guide) = status.guide.as_ref().filter(|_| at_rest) {
        page.push_str(&by_hand(guide));
    }
    page
}

/// What may and must not be done by hand.
pub fn by_hand(guide: &Guide) -> String {
    format!("{}{}", section("by hand you may", &guide.may), section("by hand you must not", &guide.must_not))
}

/// The page of a run that the daemon's build can't fold.
pub fn of_untouched(left: &LeftUntouched) -> String {
    let Untouched { code, message, state, hint, open, .. } = &left.untouched;
    let next = if *open { "person; the site takes no other run" } else { "nobody; it is finished" };
    let facts = [("site", left.site.as_str()), ("why", message), ("next move", next), ("what helps", hint), ("state", state)];
    // Writing into a string cannot fail.
    facts.iter().fold(format!("run `{}`: left untouched ({code})\n", left.run), |mut page, (name, text)| {
        let _ = writeln!(page, "  {name:<10} {text}");
        page
    })
}

/// One line: `waiting on a gate`, `held (sync_failed)`.
pub fn standing(status: &Status) -> String {
    Zones::of(&status.zone).text(&standing_in_utc(status))
}

fn standing_in_utc(status: &Status) -> String {
    let detail = match (&status.held, status.outcome, status.waiting_on, status.gate) {
        (Some(held), ..) => format!("held ({}) since {}", held.code, held.since),
        (_, Some(outcome), ..) => format!("finished, {}", outcome_name(outcome)),
        (_, _, Some(WaitingOn::Gate), Some(gate)) => format!("waiting on the gate `{gate}`"),
        (_, _, Some(on), _) => format!("waiting on {}", waiting_name(on)),
        _ => status.phase.replace('_', " "),
    };
    let until = status.until.map(|until| format!(", until {until}")).unwrap_or_default();
    let hold = if status.hold_requested { "; it will be held at the next safe point" } else { "" };
    format!("{detail}{until}{hold}")
}

fn facts(status: &Status, zones: &Zones) -> Vec<(&'static str, String)> {
    let told = |facts: Vec<(&'static str, String)>| facts.into_iter().map(|(name, text)| (name, zones.text(&text)));
    told(pair(status)).chain(windows(status)).chain(told(journal(status))).collect()
}

/// The windows in all zones, and whose the second is.
pub fn windows(status: &Status) -> Vec<(&'static str, String)> {
    let zones = Zones::of(&status.zone);
    let windows = [("window 1", &status.windows.first), ("window 2", &status.windows.second)];
    let windows = windows.into_iter().filter_map(|(name, window)| Some((name, output::window(window.as_ref()?, &zones))));
    let responsible = status.responsible.iter().filter(|_| status.windows.second.is_some());
    let responsible = responsible.map(|user| ("in charge", format!("{}, of window two", who(status, user))));
    windows.chain(responsible).collect()
}

/// Where the run and its pair stand, in UTC.
fn pair(status: &Status) -> Vec<(&'static str, String)> {
    let mut facts = vec![("site", format!("{}, {}, {} to {}", status.site, status.procedure, status.from, status.to))];
    facts.extend(status.not_driven.iter().flat_map(|why| {
        let (message, hint) = (format!("since {}: {}", why.since, why.message), why.hint.clone());
        [("not driven", message), ("what helps", hint)]
    }));
    facts.extend(step(status));
    let latest = status.step.as_ref().and_then(|step| step.latest_start).filter(|_| status.finished_at.is_none());
    facts.extend(latest.map(|at| ("latest", format!("safe start of this step: {at}"))));
    facts.extend(status.guide.iter().flat_map(guide));
    facts.extend(status.way.iter().flat_map(way));
    facts.extend(status.gate_state.iter().flat_map(gate));
    facts.extend(status.waivers.iter().map(|waiver| ("waived", waived(waiver))));
    facts.extend(status.draining.iter().map(|draining| ("draining", drains(draining))));
    facts.extend(status.serving.map(|node| ("serving", format!("node {node}"))));
    facts.extend(status.agreement.iter().map(|agreement| ("agreement", agreement.line.clone())));
    facts.extend(status.left.iter().map(|left| ("left side", left_side(left))));
    facts.extend(status.reverse.iter().map(|back| ("way back", reverse(back))));
    facts.push(("failover", failover(status)));
    facts.extend(ledger(status));
    facts.extend(jump_clients(status));
    facts.extend(status.soak.iter().flat_map(soak));
    facts.extend(status.may_be_cached.iter().map(|reading| ("reading", reading.to_string())));
    facts.push(("node a", node(&status.nodes[NodeId::A])));
    facts.push(("node b", node(&status.nodes[NodeId::B])));
    facts
}

/// What else is known of the run, in UTC.
fn journal(status: &Status) -> Vec<(&'static str, String)> {
    let notices = status.notices.iter().map(|raised| {
        let node = raised.node.map(|node| format!(" (node {node})")).unwrap_or_default();
        ("notice", format!("{}{node}", raised.notice.name()))
    });
    let urgent = status.urgent.iter().map(|why| ("urgent", format!("the shortest soak is waived: {why}")));
    let times = status.times.iter().map(|time| ("took", took(time, status.finished_at)));
    let mut facts: Vec<(&'static str, String)> = urgent.chain(times).chain(notices).collect();
    facts.push(("started", format!("{} by {}", status.started_at, who(status, &status.started_by))));
    facts.extend(status.finished_at.map(|at| ("finished", at.to_string())));
    facts.extend(status.rehearsal.as_ref().map(|rehearsal| ("rehearsal", output::rehearsal(rehearsal))));
    facts.extend(status.released.as_ref().map(|given| ("released", format!("{} by {}: {}", given.at, given.by, given.note))));
    facts.push(("journal", format!("record {}, taken over by a restarted daemon: {}", status.seq, status.resumed)));
    facts
}

/// What the next sync overwrites, where anything was changed.
fn jump_clients(status: &Status) -> Option<(&'static str, String)> {
    let left = status.jump_clients.as_ref()?;
    let told = match (left.need_update, left.total, &left.why) {
        (Some(need), Some(total), _) => {
            format!("{need} of {total} Jump Clients of node {} still need the update, at {}", left.node, left.at)
        }
        (.., why) => format!("Jump Clients of node {} are not told: {}", left.node, why.as_deref().unwrap_or("unknown")),
    };
    Some(("clients", told))
}

fn ledger(status: &Status) -> Option<(&'static str, String)> {
    let ledger = status.ledger.filter(|ledger| ledger.lines > 0)?;
    let (lines, open, run) = (ledger.lines, ledger.open, &status.run);
    Some(("settings", format!("{lines} changed since the break, not acknowledged: {open}; `changeover ledger {run}`")))
}

/// The user, with the name that the daemon's file has for them.
fn who(status: &Status, user: &str) -> String {
    status.people.get(user).map_or_else(|| user.to_owned(), |name| format!("{name} ({user})"))
}

/// Whom an open gate asks, who has answered, and what becomes of it.
fn gate(state: &GateState) -> Vec<(&'static str, String)> {
    let asks = if state.asked_of.is_empty() { "everybody who may speak".to_owned() } else { state.asked_of.join(", ") };
    let starter = if state.not_starter { ", not whoever started the run" } else { "" };
    let mut lines = vec![("asks", format!("{asks}{starter}; {} of {} have accepted", state.has(), state.needs))];
    lines.extend(state.answers.iter().map(|answer| ("accepted", answer.to_string())));
    lines.extend(
        state.escalated_at.map(|at| ("escalated", format!("{at}; deputies may answer too: {}", state.deputies.join(", ")))),
    );
    lines.extend(state.reminded_at.filter(|_| state.escalated_at.is_none()).map(|at| ("reminded", at.to_string())));
    lines.extend(state.expires_at.map(|at| {
        let end = if state.on_expiry == Expiry::Home { "the way home" } else { "a hold" };
        ("expires", format!("{at}, to {end}"))
    }));
    lines
}

fn waived(waiver: &WaiverView) -> String {
    let WaiverView { rule, step, by, reason, at, over, .. } = waiver;
    let over = if *over { ", over" } else { "" };
    format!("{rule} for {step}, by {by} {at}: {reason}{over}")
}

/// What a gate shows, and the hash that a person's word may name.
pub fn evidence(state: &GateState) -> String {
    let title = format!("gate `{}` shows (evidence {})", state.gate, state.hash.get(..HASH_SHORT).unwrap_or(&state.hash));
    section(&title, &state.evidence).trim_start_matches('\n').to_owned()
}

fn step(status: &Status) -> Option<(&'static str, String)> {
    let step = status.step.as_ref()?;
    let attempt = if step.attempt > 1 { format!(", attempt {}", step.attempt) } else { String::new() };
    let doing =
        status.guide.as_ref().and_then(|guide| guide.doing.as_ref()).map(|doing| format!(": {doing}")).unwrap_or_default();
    Some(("step", format!("{} of {}, {}{attempt}{doing}", step.number, step.of, step.id)))
}

/// `window-1.update.b 21m 4s (likely 35m, at worst 53m, learned)`
fn took(time: &StepTime, finished_at: Option<Timestamp>) -> String {
    let begun = time.begun_at;
    let not_done = || match finished_at {
        Some(_) => format!("begun at {begun}, not seen done by this run"),
        None => format!("under way since {begun}"),
    };
    let took = time.took_seconds.map_or_else(not_done, output::seconds);
    let (likely, worst) = (output::seconds(time.likely_seconds), output::seconds(time.worst_seconds));
    let range = if likely == worst { likely } else { format!("{likely}, at worst {worst}") };
    let disturbed = if time.measured { "" } else { "; with a hold, a doubt or another try between" };
    format!("{} {took} (likely {range}, {}{disturbed})", time.id, time.estimate.name())
}

fn guide(guide: &Guide) -> Vec<(&'static str, String)> {
    let Guide { why, whose_move, unblocks, .. } = guide;
    let mut lines = vec![("why", why.clone()), ("next move", whose_move.clone()), ("what helps", unblocks.clone())];
    lines.extend(guide.differs.iter().map(|differs| ("differs", differs.clone())));
    lines.extend(guide.doubt.iter().flat_map(doubt));
    lines
}

/// What is read to settle it, and both continuations.
fn doubt(doubt: &Doubt) -> [(&'static str, String); 3] {
    let next = doubt.next_look.map(|at| format!(", next at {at}")).unwrap_or_default();
    let reads = format!("{}{next}, in doubt since {}", doubt.reads, doubt.since);
    [("reads", reads), ("if done", doubt.if_done.clone()), ("if not", doubt.if_not.clone())]
}

/// If it stops here: where the way leads, how long it takes, what it loses, and what stands against going home.
fn way(way: &StopHere) -> Vec<(&'static str, String)> {
    let steps: Vec<String> = way.steps.iter().map(way_step).collect();
    let path = match (&way.goal, steps.is_empty()) {
        (None, _) => ", whatever is done by rule: a person decides".to_owned(),
        (Some(_), true) => ", nothing is to be done".to_owned(),
        (Some(_), false) => format!(" in {}: {}", output::seconds(way.expected_seconds), steps.join(", ")),
    };
    let last = if way.point_of_no_return { "; the next step is the point of no return" } else { "" };
    let mut lines = vec![("stop here", format!("{}{path}{}{last}", way.end(), left_behind(way)))];
    lines.extend(
        way.not_home
            .iter()
            .map(|against| ("not home", format!("{}: expected {}, found {}", against.rule, against.expected, against.found))),
    );
    lines
}

/// `extract_data b`
pub fn way_step(step: &WayStep) -> String {
    let node = step.node.map(|node| format!(" {node}")).unwrap_or_default();
    let gate = step.gate.map(|gate| format!(" {gate}")).unwrap_or_default();
    format!("{}{node}{gate}", step.action)
}

/// What a way loses, in words.
pub fn left_behind(way: &StopHere) -> String {
    let Some(left) = &way.leaves_behind else { return String::new() };
    let since = left.since.map_or_else(|| "since the break".to_owned(), |since| format!("since {since}"));
    let from = left.known_from.as_deref().unwrap_or_default();
    let sessions = left.sessions.map(|sessions| format!(", {sessions} sessions by the last {from}")).unwrap_or_default();
    format!("; leaves behind what was written on node {} {since}{sessions}", left.node)
}

/// `node a: users 3, sessions 1, until 02:30`
fn drains(draining: &Draining) -> String {
    let count = |count: Option<u32>| count.map_or_else(|| "not told".to_owned(), |count| count.to_string());
    let ending = if draining.ending { "; its sessions are ended" } else { "" };
    let (users, sessions) = (count(draining.users), count(draining.sessions));
    format!("node {}: users {users}, sessions {sessions}; until {}{ending}", draining.node, draining.until)
}

fn failover(status: &Status) -> String {
    let lasted = output::seconds(status.unprotected.seconds);
    let budget = output::seconds(status.unprotected.budget_seconds);
    let share = status.unprotected.share;
    match status.unprotected.since {
        Some(since) => format!("off since {since}, for {lasted}: {share} % of the budget of {budget}"),
        None if status.unprotected.seconds > 0 => format!("on again, was off for {lasted}"),
        None => "on".to_owned(),
    }
}

/// Who is on the node that traffic was taken from, and from when on it counts as drained.
fn left_side(left: &LeftView) -> String {
    let count = |what, count: Option<u32>| count.map_or_else(|| format!("{what} not told"), |count| format!("{what} {count}"));
    let (users, sessions) = (count("users", left.users), count("sessions", left.sessions));
    let newest = left.newest_at.map(|at| format!(", the newest seen at {at}")).unwrap_or_default();
    let named: Vec<String> = left.at_work.iter().map(AtWork::describe).collect();
    let named = if named.is_empty() { String::new() } else { format!("; at work there: {}", named.join(", ")) };
    let quiet = output::seconds(left.quiet_for_seconds);
    let end = match (left.drained, left.drained_at) {
        (true, Some(at)) => format!("drained since {at}"),
        (_, Some(at)) => format!("drained at {at} if nobody comes until then"),
        (_, None) => format!("drained once nobody was there for {quiet}"),
    };
    let started = left.started;
    format!(
        "node {}, since {}: {users}, {sessions}, begun there since then {started}{newest}{named}; {end}",
        left.node, left.since
    )
}

/// The change that leads traffic back.
fn reverse(reverse: &ReverseView) -> String {
    let ReverseView { from, to, from_address, to_address, entries, changes, permission, .. } = reverse;
    let entries: Vec<String> = entries
        .iter()
        .zip(changes.iter().chain(std::iter::repeat(&None)))
        .map(|(entry, change)| change.as_ref().map_or_else(|| entry.clone(), |change| format!("{entry} ({change})")))
        .collect();
    let entries = if entries.is_empty() { "the name".to_owned() } else { entries.join(", ") };
    format!("{entries} from node {from} ({from_address}) to node {to} ({to_address}); {permission}")
}

/// How far the soak is, and what does not hold.
fn soak(soak: &Soak) -> Vec<(&'static str, String)> {
    let used = soak.used_at.map_or_else(|| "no session was seen yet".to_owned(), |at| format!("in use since {at}"));
    let mut lines = vec![("soak", format!("since {}, at least until {}; {used}", soak.since, soak.until))];
    lines.extend(soak.failing.iter().map(|failing| {
        let node = failing.node.map(|node| format!(" (node {node})")).unwrap_or_default();
        ("failing", format!("{}{node}: expected {}, found {}", failing.code, failing.expected, failing.found))
    }));
    lines
}

fn node(node: &Node) -> String {
    let (Some(version), Some(at)) = (&node.version, node.observed_at) else {
        return format!("not read: {}", node.error.as_deref().unwrap_or("no look yet"));
    };
    let build = node.build.as_ref().map(|build| format!(" build {build}")).unwrap_or_default();
    let role = node.role.map_or("role not told", |role| role.as_str());
    let health = if node.healthy == Some(true) { "healthy" } else { "not healthy" };
    let count = |what, count: Option<u32>| count.map(|count| format!(", {what} {count}")).unwrap_or_default();
    let (users, sessions) = (count("users", node.users), count("sessions", node.sessions));
    format!("{version}{build}, {role}, {health}{users}{sessions}, read {at}")
}

fn instructions(status: &Status) -> String {
    let Some(lines) = &status.instructions else { return String::new() };
    let number = status.instruction.map(|number| format!(" {number}")).unwrap_or_default();
    let lines = lines.iter().enumerate().map(|(index, line)| format!("  {}. {line}\n", index + 1));
    format!("\ninstruction{number}:\n{}", lines.collect::<String>())
}

fn section(title: &str, lines: &[String]) -> String {
    let lines: String = lines.iter().map(|line| format!("  - {line}\n")).collect();
    format!("\n{title}:\n{lines}")
}

pub fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::Aborted => "aborted",
        Outcome::Failed => "failed",
        Outcome::Closed => "closed",
    }
}

pub fn waiting_name(on: WaitingOn) -> &'static str {
    match on {
        WaitingOn::Window => "window",
        WaitingOn::Gate => "gate",
        WaitingOn::Soak => "soak",
        WaitingOn::Operator => "operator",
        WaitingOn::Appliance => "appliance",
        WaitingOn::Traffic => "traffic",
        WaitingOn::Retry => "retry",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::action::Kind;
    use crate::domain::plan::Source;

    #[test]
    fn a_step_of_a_finished_run_is_not_under_way() {
        let begun_at = Timestamp::UNIX_EPOCH;
        let (id, action, estimate) = ("window-1.update.b".to_owned(), Kind::Update, Source::Default);
        let time = StepTime {
            id,
            action,
            node: None,
            begun_at,
            done_at: None,
            took_seconds: None,
            measured: true,
            likely_seconds: 60,
            worst_seconds: 60,
            estimate,
            samples: 0,
        };
        assert_eq!(took(&time, None), "window-1.update.b under way since 1970-01-01T00:00:00Z (likely 1m, default)");
        let closed = took(&time, Some(begun_at));
        assert_eq!(closed, "window-1.update.b begun at 1970-01-01T00:00:00Z, not seen done by this run (likely 1m, default)");
    }
}
