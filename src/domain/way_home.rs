//! The way home: from whatever is observed, the best sequence of actions that breaks no promise and ends where the pair may be left.
//!
//! A search over the same action table and the same rules as everything else: [`Facts::after`] says what an action makes true,
//! [`rules::violations`] whether it may begin. Pure; the plan that led here plays no part, only what is observed and what the
//! journal proves.

mod search;

use jiff::Timestamp;

use super::action::{Kind, When};
use super::event::{Cause, Event, Goal};
use super::facts::{Facts, Known, Link};
use super::fit;
use super::gate::Gate;
use super::ids::NodeId;
use super::proof;
use super::rules::{self, Rule, Violation};
use super::run::{Phase, Run};
use super::step::Step;
use super::watch;
use super::world::World;
use search::{MOVES, Search, TO_HARBOUR};

/// What a way costs, the weightiest first; the order of the fields is the order of the comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cost {
    /// Nodes whose data since the break are left behind: moved away from, or not extracted.
    pub data: u32,
    /// What the service suffers: 1 for a move of the name, 2 for closing the serving node, 4 for updating it.
    pub service: u32,
    /// Expected minutes without failover on the way.
    pub unprotected_minutes: i64,
    pub irreversible: u32,
    pub steps: u32,
}

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
    search(fit::too_short(facts), when).ways.into_iter().next()
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
    let start = fit::too_short(facts);
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

fn step(kind: Kind, node: Option<NodeId>, when: When) -> Step {
    let gate = (kind == Kind::Confirm).then_some(Gate::AutomaticFailoverOff);
    let node = node.filter(|_| gate.is_none() && kind != Kind::CompareSettings);
    Step { id: String::new(), when, kind, node, gate, hop: 0 }
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

/// The ways from where a run stands.
pub fn of_run(run: &Run, world: &World) -> Found {
    let when = run.step().map_or(When::Finish, |step| step.when);
    find(&facts(run, world, when), when)
}

/// The facts at a run's place, whatever its next step is.
pub fn facts(run: &Run, world: &World, when: When) -> Facts {
    world.facts(run, &step(Kind::FinalCheck, None, when))
}

/// True if another way may be ordered: no act is on its way, or nobody has begun to carry out what was instructed, or the run
/// rests with its act in doubt or half done, and what is read is from after its last possible effect.
pub fn may_be_ordered(run: &Run, world: &World) -> bool {
    match run.phase {
        Phase::Held(_) | Phase::InDoubt { .. } => wait_until(run, world).is_none(),
        Phase::Ready | Phase::Waiting { .. } => run.act.is_none() || watch::is_untouched(run, world),
        Phase::Acting | Phase::Finished(_) => false,
    }
}

/// While an act of this run may have its effect yet, and readings be older than that, no way is found: from when on one may be. An
/// update is not waited for: until it is settled the rules keep every way from what it would harm.
pub fn wait_until(run: &Run, world: &World) -> Option<Timestamp> {
    let effect = proof::latest_effect(run, run.step()?, run.act.as_ref()?, world)?;
    let cached = |node: NodeId| world.readings[node].current.as_ref().map(|current| current.may_be_old).unwrap_or_default();
    let from = effect + cached(NodeId::A).max(cached(NodeId::B));
    (world.now <= from).then_some(from)
}

/// The way's steps with the ids that they get in this run.
pub fn steps(run: &Run, way: &Way) -> Vec<Step> {
    // A later revision's steps are told apart from those of an earlier one; the plan of an adopted run is a way itself.
    let number = run.revision + 1 + u32::from(run.plan.adopted.is_some() && !run.plan.steps.is_empty());
    let prefixed = |id: &str| match id.split_once('.') {
        Some((prefix, rest)) if number > 1 => format!("{prefix}-{number}.{rest}"),
        _ => id.to_owned(),
    };
    way.steps.iter().map(|step| Step { id: prefixed(&step.id), ..step.clone() }).collect()
}

/// The event with which a run takes this way.
pub fn order(run: &Run, world: &World, way: &Way, cause: Cause, note: Option<String>) -> Event {
    let steps = steps(run, way);
    // Without the act under way, which the revision gives up: what it explained is a surprise from then on.
    let bare = Run { act: None, ..run.clone() };
    let seen = watch::surprises(&bare, world).into_iter().map(|failure| failure.message).collect();
    Event::Revised { cause, goal: way.goal, note, steps, seen }
}

/// As [`order`], where nobody gives it; `None` where that would take note of a change that nobody planned: then a person must
/// see it first.
pub fn order_by_itself(run: &Run, world: &World, way: &Way, cause: Cause, note: Option<String>) -> Option<Event> {
    Some(order(run, world, way, cause, note)).filter(|order| matches!(order, Event::Revised { seen, .. } if seen.is_empty()))
}

#[cfg(test)]
mod tests;
