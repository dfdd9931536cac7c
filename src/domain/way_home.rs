//! The way home: from whatever is observed, the best sequence of actions that breaks no promise and ends where the pair may be left.
//!
//! A search over the same action table and the same rules as everything else: [`Facts::after`] says what an action makes true,
//! [`rules::violations`] whether it may begin. Pure; the plan that led here plays no part, only what is observed and what the
//! journal proves.

mod search;

use super::action::{Kind, When};
use super::facts::{Facts, Known, Link, WindowFact};
use super::ids::NodeId;
use super::plan::Goal;
use super::rule::Rule;
use super::rules::{self, Violation};
use super::step::Step;
pub use search::Cost;
use search::{MOVES, Search, TO_HARBOUR, step};

/// A way, from here to where the pair may be left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    pub goal: Goal,
    /// Their ids begin with `home` or `harbour`.
    pub steps: Vec<Step>,
    pub cost: Cost,
    /// The node whose data since the last good sync stay behind: they are in files at best, not in the service.
    pub leaves_behind: Option<NodeId>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The best way, then the next best that ends elsewhere or leaves other data behind.
    pub ways: Vec<Way>,
    /// If none leads home: the promises that can't be kept on the way, each with what a person would have to decide.
    pub not_home: Vec<Violation>,
}

/// Finds the ways from what `facts` say. `when`: the part of the plan in which the steps are done; R17's word holds for one part.
pub fn find(facts: &Facts, when: When) -> Found {
    search(Facts { ordered: true, window: super::facts::WindowFact::Fits, waived: Vec::new(), ..facts.clone() }, when)
}

/// The best way that needs no time in any window, so that nothing is updated on it.
pub fn without_window(facts: &Facts, when: When) -> Option<Way> {
    search(too_short(facts), when).ways.into_iter().next()
}

fn search(start: Facts, when: When) -> Found {
    let mut ways: Vec<Way> = Vec::new();
    for (cost, facts, steps) in Search::new(start.clone(), when) {
        let Some(goal) = goal(&facts) else { continue };
        let steps = [steps, opened_at(goal, &facts, when)].concat();
        let way = Way { goal, cost, leaves_behind: left_behind(&start, &facts), steps: named(goal, steps, &facts, when) };
        let new = !ways.iter().any(|known| known.goal == way.goal);
        if new {
            ways.push(way);
        }
        if ways.len() == 3 {
            break;
        }
    }
    // Home is where the pair belongs: what only rests at harbour comes after it, however cheap.
    ways.sort_by_key(|way| (way.goal != Goal::Home, way.cost));
    ways.truncate(2);
    let home = ways.first().is_some_and(|way| way.goal == Goal::Home);
    Found { not_home: if home { Vec::new() } else { against_home(&start, when) }, ways }
}

/// An end that can be reached at all, with no time left in any window, so that it needs no update. It stops at the first one,
/// where [`find`] looks for up to three, and tries first without what only home needs: proving a procedure then takes 5 to 9 ms
/// on an unoptimized build, instead of 20.
pub fn nearest(facts: &Facts) -> Option<Goal> {
    let start = too_short(facts);
    let first =
        |moves: &'static [Kind]| Search::new(start.clone(), When::Window2).only(moves).find_map(|(_, facts, _)| goal(&facts));
    goal(&start).or_else(|| first(&TO_HARBOUR)).or_else(|| first(&MOVES))
}

/// Where the pair may be left as it stands: the goal that these facts are.
pub fn goal(facts: &Facts) -> Option<Goal> {
    let kept = facts.survivor;
    if facts.serving != Some(kept) || !facts.able_to_serve(kept) {
        return None;
    }
    if is_home(facts) {
        return Some(Goal::Home);
    }
    is_harbour(facts).then_some(Goal::Harbour { node: kept })
}

fn is_home(facts: &Facts) -> bool {
    let linked = facts.link == Link::Linked { primary: facts.survivor } && !facts.unprotected;
    linked && facts.nodes.a.version == facts.nodes.b.version && !facts.is_under_way(facts.survivor)
}

/// One node serves on a version known to work. The other is left alone: nothing written there is without a copy, as far as the
/// node can be read at all.
fn is_harbour(facts: &Facts) -> bool {
    let left = &facts.nodes[facts.survivor.other()];
    let readable = left.known == Known::Yes && left.healthy;
    let apart = match facts.link {
        Link::Broken => true,
        // The other can't be read: what it claims is not to be mended from here.
        Link::Unknown => !readable,
        _ => false,
    };
    apart && facts.unprotected && facts.known_to_work(facts.survivor) && (!left.written || left.extracted || !readable)
}

/// The data that this way leaves behind: on the node that was moved away from, or on one that can't be read.
fn left_behind(start: &Facts, end: &Facts) -> Option<NodeId> {
    let left = end.survivor.other();
    let moved = end.survivor != start.survivor;
    let lost = start.nodes[left].written && (moved || !end.nodes[left].extracted);
    (lost && end.link != Link::Linked { primary: end.survivor }).then_some(left)
}

/// One kept promise after the other, ends the search for home: what stands against its last acts from here.
fn against_home(facts: &Facts, when: When) -> Vec<Violation> {
    let kept = facts.survivor;
    let next = |node: NodeId| Some(Step { hop: facts.next_hop(node)?, ..step(Kind::Update, Some(node), when) });
    let mut acts = Vec::new();
    if facts.nodes.a.version != facts.nodes.b.version {
        acts.extend(NodeId::BOTH.into_iter().filter_map(next));
    }
    acts.push(step(Kind::EstablishFailover, Some(kept), when));
    let curable = |violation: &Violation| matches!(violation.cure, rules::Cure::Renew(..)) || violation.rule == Rule::R17;
    let mut found: Vec<Violation> = Vec::new();
    for violation in acts.iter().flat_map(|act| rules::violations(act, facts)).filter(|violation| !curable(violation)) {
        if !found.iter().any(|known| known.rule == violation.rule) {
            found.push(violation);
        }
    }
    if !facts.able_to_serve(kept) {
        let (expected, unable) = (format!("node `{kept}`, whose data are kept, able to serve"), facts.unable(kept));
        found.insert(0, Violation { rule: Rule::R7, expected, found: unable, cure: rules::Cure::Person });
    }
    found
}

/// At home the standby must be able to take over: what was closed on the way is opened once the link is proven.
fn opened_at(goal: Goal, facts: &Facts, when: When) -> Vec<Step> {
    let closed = NodeId::BOTH.into_iter().filter(|&node| goal == Goal::Home && facts.nodes[node].closed);
    closed.map(|node| step(Kind::Reopen, Some(node), when)).collect()
}

/// The steps with their ids; a way that updates keeps to window two, and home is proven by the final check.
fn named(goal: Goal, mut steps: Vec<Step>, facts: &Facts, when: When) -> Vec<Step> {
    let prefix = if goal == Goal::Home { "home" } else { "harbour" };
    if goal == Goal::Home {
        // At harbour the name may have to move once more: there the TTL stays as low as it is.
        if facts.lowered {
            steps.push(step(Kind::RestoreTtl, None, when));
        }
        steps.push(step(Kind::FinalCheck, None, when));
    }
    let updates = steps.iter().any(|step| step.kind == Kind::Update);
    let mut named: Vec<Step> = Vec::with_capacity(steps.len());
    for step in steps {
        let node = step.node.map(|node| format!(".{node}")).unwrap_or_default();
        let base = format!("{prefix}.{}{node}", step.kind);
        let repeats = named.iter().filter(|known| known.id == base || known.id.starts_with(&format!("{base}."))).count();
        let id = if repeats == 0 { base } else { format!("{base}.{}", repeats + 1) };
        named.push(Step { id, when: if updates { When::Window2 } else { step.when }, ..step });
    }
    named
}

/// The facts of a search in which no window has time left.
fn too_short(facts: &Facts) -> Facts {
    Facts { ordered: true, window: WindowFact::TooShort, waived: Vec::new(), ..facts.clone() }
}

#[cfg(test)]
mod tests;
