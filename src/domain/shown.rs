//! What a gate shows to the person who is asked, and what their word is bound to.
//!
//! Only what does not age by itself: no times, no counts of users, and nothing that one reading alone says. A fact that can't be
//! told now is left out, and what is left out on either side is no change: a lost answer voids no word.

use std::collections::BTreeMap;

use super::check::{Check, Outcome};
use super::checks;
use super::event::{PASS, Shown};
use super::ids::NodeId;
use super::ledger::Line;
use super::run::Run;
use super::world::World;

/// Checks that time alone changes, and one that is a fact of its own here.
const NOT_SHOWN: &[&str] =
    &["sync_too_old", "sync_failed", "sync_status_unknown", "clock_skew", "unhealthy", "node_unreachable", "access_refused"];

/// A fact that stands only where something is lacking.
const NOT_LISTED: &str = "settings that could not be listed at the break, and will not be compared";

/// A fact that stands for nothing being there.
const NONE: &str = "none";

/// What a gate of this run shows now.
pub fn of(run: &Run, world: &World) -> Shown {
    Shown::new(facts(run, world))
}

/// As [`of`], without their hash: to be compared.
pub fn facts(run: &Run, world: &World) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    for node in NodeId::BOTH {
        of_node(node, world, &mut facts);
    }
    of_checks(run, world, &mut facts);
    if let Some(target) = world.traffic.target().filter(|_| world.traffic.steady_count >= 2) {
        facts.insert("name leads to".to_owned(), format!("node {target}"));
    }
    facts.insert("survivor".to_owned(), format!("node {}", run.survivor));
    facts.insert("sessions where nobody should be".to_owned(), stray(run, world));
    facts.insert("waivers".to_owned(), waivers(run));
    facts.insert("settings that the next sync overwrites".to_owned(), overwritten(run));
    if let Some(why) = run.settings.lacking() {
        facts.insert(NOT_LISTED.to_owned(), why);
    }
    facts
}

/// What is otherwise `now` than it was shown, but for waivers: what one changes by being given is no news to those who have answered,
/// as each stands in the journal, and is told.
pub fn changed(shown: &Shown, now: &BTreeMap<String, String>) -> Vec<String> {
    shown.changed(now).into_iter().filter(|line| !line.starts_with("waivers:")).collect()
}

fn overwritten(run: &Run) -> String {
    let told = |line: &Line| format!("{} ({})", line.describe(), line.short());
    let lines: Vec<String> = run.settings.lines.iter().filter(|line| line.lost).map(told).collect();
    if lines.is_empty() { NONE.to_owned() } else { lines.join("; ") }
}

/// Only what two readings in a row agree on.
fn of_node(node: NodeId, world: &World, facts: &mut BTreeMap<String, String>) {
    let reading = &world.readings[node];
    let Some(current) = reading.current.as_ref().filter(|_| reading.is_steady()) else { return };
    let health = match (current.healthy, current.updating) {
        (_, true) => "updating",
        (true, false) => "healthy",
        (false, false) => "not healthy",
    };
    let build = current.build.clone().unwrap_or_else(|| "not told".to_owned());
    let told = [
        ("box", current.identity.clone()),
        ("version", current.version.to_string()),
        ("build", build),
        ("role", current.role.as_str().to_owned()),
        ("health", health.to_owned()),
    ];
    facts.extend(told.map(|(what, value)| (format!("node {node} {what}"), value)));
}

/// The checks that can be told and that time alone does not change.
fn of_checks(run: &Run, world: &World, facts: &mut BTreeMap<String, String>) {
    let steady = |check: &Check| {
        let nodes = check.node.map_or(NodeId::BOTH.to_vec(), |node| vec![node]);
        nodes.into_iter().all(|node| world.readings[node].is_steady())
    };
    let told = |check: &Check| matches!(check.result, Outcome::Pass | Outcome::Warn | Outcome::Fail) && steady(check);
    let checks = checks::results(run, world).into_iter().filter(|check| !NOT_SHOWN.contains(&check.name) && told(check));
    for check in checks {
        let place = check.node.map(|node| format!(" node {node}")).unwrap_or_default();
        let result = match check.result {
            Outcome::Pass => PASS,
            Outcome::Warn => "warn",
            _ => "fail",
        };
        facts.insert(format!("check {}{place}", check.name), result.to_owned());
    }
}

/// R16.
fn stray(run: &Run, world: &World) -> String {
    let stray = NodeId::BOTH.into_iter().find(|&node| world.is_stray(run, node));
    stray.map_or_else(|| NONE.to_owned(), |node| format!("on node {node}"))
}

fn waivers(run: &Run) -> String {
    let told: Vec<String> = run.waivers.iter().map(|waiver| format!("{} for {}", waiver.rule.name(), waiver.step)).collect();
    if told.is_empty() { NONE.to_owned() } else { told.join(", ") }
}
