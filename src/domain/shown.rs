//! What a gate shows to the person who is asked, and what their word is bound to.
//!
//! Only what does not age by itself: no times, no counts of users, and nothing that one reading alone says. A fact that can't be
//! told now is left out, and what is left out on either side is no change: a lost answer voids no word.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::checks::{self, Check, Outcome};
use super::ids::NodeId;
use super::journal::hex;
use super::ledger::Line;
use super::run::Run;
use super::settings;
use super::world::World;

/// Facts by name, and their hash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    pub facts: BTreeMap<String, String>,
    /// Lower-case hex SHA-256 over the facts in their order.
    pub hash: String,
}

/// Checks that time alone changes, one that is a fact of its own here, and one that a single reading may turn: what it rests on is
/// shown by itself.
const NOT_SHOWN: &[&str] = &[
    "sync_too_old",
    "sync_failed",
    "sync_status_unknown",
    "clock_skew",
    "unhealthy",
    "node_unreachable",
    "access_refused",
    "agreement",
];

/// A fact that stands only where something is lacking.
const NOT_LISTED: &str = "settings that could not be listed at the break, and will not be compared";

/// A fact that stands for nothing being there.
const NONE: &str = "none";

const PASS: &str = "pass";

impl Shown {
    /// What a gate of this run shows now.
    pub fn of(run: &Run, world: &World) -> Self {
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
        if let Some(why) = settings::lacking(run) {
            facts.insert(NOT_LISTED.to_owned(), why);
        }
        Self::new(facts)
    }

    pub fn new(facts: BTreeMap<String, String>) -> Self {
        Self { hash: hex(&Sha256::digest(json(&facts))), facts }
    }

    /// The facts in one piece, to be kept.
    pub fn text(&self) -> String {
        json(&self.facts)
    }

    /// From [`Self::text`].
    pub fn from_text(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self::new)
    }

    /// For people, one fact a line. Checks that passed say little; they are part of the hash all the same.
    pub fn lines(&self) -> Vec<String> {
        self.facts.iter().filter(|(_, value)| *value != PASS).map(|(name, value)| format!("{name}: {value}")).collect()
    }

    /// What is otherwise `now`, one line a fact; empty if what was shown still stands.
    pub fn changed(&self, now: &Self) -> Vec<String> {
        let differs = |(name, was): (&String, &String)| {
            let is = now.facts.get(name).filter(|is| *is != was)?;
            Some(format!("{name}: was {was}, is {is}"))
        };
        self.facts.iter().filter_map(differs).collect()
    }

    /// True if a person who gives this beginning of a hash means these facts.
    pub fn is_meant_by(&self, hash: &str) -> bool {
        hash.len() >= HASH_SHORT && self.hash.starts_with(hash)
    }

    /// The beginning of the hash that is shown to people.
    pub fn short(&self) -> &str {
        self.hash.get(..HASH_SHORT).unwrap_or(&self.hash)
    }
}

/// 48 bits: no two of the few states that one run shows meet there, and it can be copied by hand.
pub const HASH_SHORT: usize = 12;

fn json(facts: &BTreeMap<String, String>) -> String {
    // Plain texts: writing them as JSON into memory cannot fail.
    serde_json::to_string(facts).unwrap_or_default()
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
    let checks = checks::of_run(run, world).into_iter().filter(|check| !NOT_SHOWN.contains(&check.name) && told(check));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(facts: &[(&str, &str)]) -> Shown {
        Shown::new(facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn what_can_not_be_told_is_no_change() {
        let before = shown(&[("node a version", "24.1.1"), ("node b version", "24.2.1")]);
        assert_eq!(before.changed(&shown(&[("node b version", "24.2.1")])), Vec::<String>::new());
        assert_eq!(before.changed(&before), Vec::<String>::new());
        let after = shown(&[("node a version", "24.2.1"), ("waivers", "none")]);
        assert_eq!(before.changed(&after), ["node a version: was 24.1.1, is 24.2.1"]);
    }

    #[test]
    fn a_hash_stands_for_its_facts() {
        let (one, other) = (shown(&[("a", "b")]), shown(&[("a", "c")]));
        assert!(one.is_meant_by(&one.hash) && one.is_meant_by(one.short()));
        assert!(!one.is_meant_by(&other.hash) && !one.is_meant_by(&one.hash[..HASH_SHORT - 1]));
        assert_eq!(Shown::from_text(&one.text()), Some(one));
        // Which fact has which value is part of it.
        assert_ne!(shown(&[("a", "b\nc\nd")]).hash, shown(&[("a", "b"), ("c", "d")]).hash);
    }
}
