//! What a step needs beside the promises that [`rules`](crate::domain::rules) ask: what only a document can get wrong, since at
//! run time the order of the steps is given.

use crate::domain::action::{Kind, When};
use crate::domain::facts::{Facts, Link, SettingsFact, TtlFact};
use crate::domain::gate::Gate;
use crate::domain::ids::NodeId;
use crate::domain::plan::Goal;
use crate::domain::rule::Rule;
use crate::domain::site::Role;
use crate::domain::step::Step;
use crate::domain::way_home;

/// Something that a step needs and does not have.
pub struct Need {
    /// The promise behind it; `None` where the step could simply never succeed.
    pub rule: Option<Rule>,
    pub expected: String,
    pub found: String,
}

fn need(rule: Option<Rule>, expected: impl Into<String>, found: impl Into<String>) -> Need {
    Need { rule, expected: expected.into(), found: found.into() }
}

/// Everything that the step lacks with these facts.
pub fn of(step: &Step, facts: &Facts) -> Vec<Need> {
    let asked: [fn(&Step, &Facts) -> Option<Need>; 12] = [
        lowered_in_time,
        lowered_before,
        switched_low,
        accepted_first,
        in_production,
        soaks_between,
        asked_gate,
        moves_on,
        moves_at_all,
        no_standby,
        comparable,
        as_planned,
    ];
    asked.iter().filter_map(|lacks| lacks(step, facts)).collect()
}

/// R7: the switch waits until the old TTL has run out; within a window that would use it up, and after the switch it is too late.
fn lowered_in_time(step: &Step, facts: &Facts) -> Option<Need> {
    let lowers = step.kind == Kind::LowerTtl;
    if lowers && facts.survivor != facts.first_primary {
        let expected = "the TTL lowered before the service's name moves: afterwards it shortens nothing";
        return Some(need(Some(Rule::R7), expected, format!("the name moved to node `{}` already", facts.survivor)));
    }
    let late = lowers && step.when != When::Prepare;
    let expected = "`when = \"prepare\"`, so that the old TTL has run out when the window begins: the switch waits for that";
    late.then(|| need(Some(Rule::R7), expected, format!("`when = \"{}\"`", step.when.as_str())))
}

/// What no step has lowered can't be restored: nobody would know what it was.
fn lowered_before(step: &Step, facts: &Facts) -> Option<Need> {
    let lacks = step.kind == Kind::RestoreTtl && !facts.lowered;
    lacks.then(|| need(None, "an earlier `lower_ttl`, which remembers what the TTL was", "none"))
}

/// R7: restored before the switch, it was lowered in vain.
fn switched_low(step: &Step, facts: &Facts) -> Option<Need> {
    let lacks = step.kind == Kind::SwitchTraffic && facts.ttl == TtlFact::Restored && facts.survivor == facts.first_primary;
    lacks.then(|| {
        need(Some(Rule::R7), "the TTL low when the name moves, `restore_ttl` after the switch", "it is restored already")
    })
}

/// R10: no document takes the second node after the first before the new version is accepted. At run time this is asked only of
/// ways that a person orders: where somebody updated the wrong box by hand, the plan's own update may still follow.
fn accepted_first(step: &Step, facts: &Facts) -> Option<Need> {
    let node = step.node.filter(|_| step.kind == Kind::Update && step.when < When::Window2 && !facts.confirmed)?;
    let second = facts.nodes[node.other()].version.as_ref() == Some(&facts.target);
    second.then(|| need(Some(Rule::R10), "the gate `production` accepted by a person", "it is open"))
}

/// R10: the new version is judged in production, so it must be there: on the node that serves.
fn in_production(step: &Step, facts: &Facts) -> Option<Need> {
    let judges = step.kind == Kind::Soak || step.gate == Some(Gate::Production);
    let serving = facts.serving?;
    let there = facts.able_to_serve(serving) && facts.nodes[serving].version.as_ref() == Some(&facts.target);
    let found = || match facts.able_to_serve(serving) {
        true => format!("node `{serving}` serves on the start version"),
        false => facts.unable(serving),
    };
    (judges && !there).then(|| need(Some(Rule::R10), "the target version serving in production", found()))
}

/// R10: the soak is the time between the windows; in a window it would never end, since it begins with the window's end.
fn soaks_between(step: &Step, _: &Facts) -> Option<Need> {
    let lacks = step.kind == Kind::Soak && step.when < When::Soak;
    lacks.then(|| need(Some(Rule::R10), "`when = \"soak\"`", format!("`when = \"{}\"`", step.when.as_str())))
}

/// The other gates open by themselves, where a person's word is needed for what can't be seen.
fn asked_gate(step: &Step, _: &Facts) -> Option<Need> {
    let gate = step.gate.filter(|gate| !gate.is_asked())?;
    Some(need(
        None,
        "a gate that a procedure asks, `production` or `automatic_failover_off`",
        format!("`{gate}`, which opens by itself"),
    ))
}

/// R7: moving back leaves what was written since; that is a person's decision, after having seen it.
fn moves_on(step: &Step, facts: &Facts) -> Option<Need> {
    let to = step.node.filter(|_| step.kind == Kind::SwitchTraffic && facts.unprotected)?;
    let back = to == facts.first_primary && facts.survivor != to;
    let expected = || format!("a person's `switch-back`, who was shown what was written on node `{}` since", facts.survivor);
    back.then(|| need(Some(Rule::R7), expected(), format!("a step that moves the service back to node `{to}`")))
}

/// Drivers refuse to move a name from where it is not.
fn moves_at_all(step: &Step, facts: &Facts) -> Option<Need> {
    let to = step.node.filter(|&to| step.kind == Kind::SwitchTraffic && facts.serving == Some(to))?;
    Some(need(None, "the service's name leading elsewhere", format!("it leads to node `{to}` already")))
}

/// A standby takes no clients: that it is able to serve can't be proven.
fn no_standby(step: &Step, facts: &Facts) -> Option<Need> {
    let node = step.node.filter(|_| step.kind == Kind::Verify)?;
    let standby = facts.nodes[node].role == Some(Role::Standby);
    standby.then(|| need(None, format!("node `{node}` without relationship, or primary"), "it is standby"))
}

/// R9: while the pair is linked a sync may change what was recorded; and what was not recorded at the break can't be compared.
fn comparable(step: &Step, facts: &Facts) -> Option<Need> {
    match step.kind {
        Kind::RecordSettings if facts.link != Link::Broken => {
            Some(need(Some(Rule::R9), "the settings recorded after the break", facts.link.describe()))
        }
        Kind::CompareSettings if facts.settings == SettingsFact::Untold => {
            Some(need(None, "settings that `record_settings` recorded after the break", "none"))
        }
        _ => None,
    }
}

/// Checks that hold a run unless the pair is as it was planned.
fn as_planned(step: &Step, facts: &Facts) -> Option<Need> {
    let planned = Link::Linked { primary: facts.first_primary };
    let lacks = match step.kind {
        Kind::Preflight | Kind::CheckSync => (facts.link != planned).then(|| facts.link.describe()),
        Kind::FinalCheck => not_home(facts).map(|found| format!("a pair {found}")),
        _ => None,
    };
    let expected =
        if step.kind == Kind::FinalCheck { "a pair that is linked, equal and serves".to_owned() } else { planned.describe() };
    lacks.map(|found| need(None, expected, found))
}

/// What keeps the pair from being home, or nothing.
pub fn not_home(facts: &Facts) -> Option<String> {
    let serving = facts.serving.filter(|&node| facts.able_to_serve(node));
    let unequal = facts.nodes.a.version != facts.nodes.b.version;
    match way_home::goal(facts) {
        Some(Goal::Home) if facts.lowered => {
            Some("with the TTL of the service's name lowered; its last part needs `restore_ttl`".to_owned())
        }
        Some(Goal::Home) => None,
        _ if !matches!(facts.link, Link::Linked { .. }) => {
            Some("without failover; its last part needs `establish_failover`".to_owned())
        }
        _ if unequal => Some("with two versions".to_owned()),
        _ => Some(serving.map_or_else(|| "with no node that serves".to_owned(), |node| wrongly_served(facts, node))),
    }
}

fn wrongly_served(facts: &Facts, serving: NodeId) -> String {
    format!("with node `{serving}` serving and {}", facts.link.describe())
}
