//! The search itself: states, the steps that may begin in each, and what they cost.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

use crate::domain::action::{Impact, Kind, When};
use crate::domain::facts::{Facts, Known, Link, SettingsFact};
use crate::domain::gate::Gate;
use crate::domain::ids::NodeId;
use crate::domain::rules::{self, Cure};
use crate::domain::site::Role;
use crate::domain::step::Step;
use crate::domain::version::Version;

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

/// Actions that a way may consist of beside the breaking of a crooked link, and in which order equals are tried.
pub const MOVES: [Kind; 10] = [
    Kind::Verify,
    Kind::Confirm,
    Kind::Backup,
    Kind::Quiesce,
    Kind::Reopen,
    Kind::ExtractData,
    Kind::SwitchTraffic,
    Kind::Update,
    Kind::CompareSettings,
    Kind::EstablishFailover,
];

/// Those that matter where nothing is to be linked.
pub const TO_HARBOUR: [Kind; 5] = [Kind::Verify, Kind::Quiesce, Kind::Reopen, Kind::ExtractData, Kind::SwitchTraffic];

/// What tells two facts apart for the search. Versions count as what they are to the rules.
#[derive(Clone, PartialEq, Eq, Hash)]
struct State {
    survivor: NodeId,
    serving: Option<NodeId>,
    link: Link,
    unprotected: bool,
    autopilot_off: bool,
    settings: SettingsFact,
    nodes: [NodeState; 2],
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct NodeState {
    /// Which package comes next, `None` at the target or elsewhere, and whether it is the target.
    next: Option<u32>,
    updated: bool,
    proven: bool,
    verified: bool,
    closed: bool,
    denied: bool,
    backed_up: bool,
    outdated: bool,
    extracted: bool,
    /// Only where it matters: it would double the search elsewhere.
    copied: bool,
    written: bool,
}

fn state(facts: &Facts) -> State {
    let target: &Version = &facts.target;
    let node = |node: NodeId| {
        let of = &facts.nodes[node];
        NodeState {
            next: facts.next_hop(node),
            updated: of.version.as_ref() == Some(target),
            proven: of.proven,
            verified: of.verified,
            closed: of.closed,
            denied: of.denied,
            backed_up: of.backed_up,
            outdated: of.outdated,
            extracted: of.extracted,
            copied: of.copied && facts.may_lose_ended,
            written: of.written,
        }
    };
    State {
        survivor: facts.survivor,
        serving: facts.serving,
        link: facts.link,
        unprotected: facts.unprotected,
        autopilot_off: facts.autopilot_off,
        settings: facts.settings,
        nodes: NodeId::BOTH.map(node),
    }
}

/// Dijkstra's search: costs only grow along a way, so the first arrival at a state is the cheapest. Gives each state once, with
/// its cost and the steps to it, the cheapest first.
pub struct Search {
    when: When,
    moves: &'static [Kind],
    /// Cost, then the order of discovery: equals are met in the order of [`MOVES`].
    queue: BinaryHeap<Reverse<(Cost, usize)>>,
    found: Vec<Reached>,
    settled: HashSet<State>,
}

/// What a step leads to, and where it began; the first has neither.
struct Reached {
    facts: Facts,
    by: Option<(usize, Step)>,
}

impl Search {
    pub fn new(start: Facts, when: When) -> Self {
        let first = Cost { data: unextracted(&start), ..Cost::default() };
        Self {
            when,
            moves: &MOVES,
            queue: BinaryHeap::from([Reverse((first, 0))]),
            found: vec![Reached { facts: start, by: None }],
            settled: HashSet::new(),
        }
    }

    /// With these moves only.
    pub fn only(self, moves: &'static [Kind]) -> Self {
        Self { moves, ..self }
    }

    fn expand(&mut self, cost: Cost, facts: &Facts, from: usize) {
        for step in moves(facts, self.when, self.moves) {
            let after = facts.clone().after(&step);
            let cost = cost_of(cost, &step, facts, &after);
            self.queue.push(Reverse((cost, self.found.len())));
            self.found.push(Reached { facts: after, by: Some((from, step)) });
        }
    }

    /// The steps from the start.
    fn steps_to(&self, end: usize) -> Vec<Step> {
        let (mut at, mut steps) = (end, Vec::new());
        while let Some((from, step)) = &self.found[at].by {
            steps.push(step.clone());
            at = *from;
        }
        steps.reverse();
        steps
    }
}

impl Iterator for Search {
    type Item = (Cost, Facts, Vec<Step>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Reverse((cost, index)) = self.queue.pop()?;
            if self.settled.insert(state(&self.found[index].facts)) {
                let facts = self.found[index].facts.clone();
                self.expand(cost, &facts, index);
                return Some((cost, facts, self.steps_to(index)));
            }
        }
    }
}

/// Every step that may begin here, by the rules, and would change something.
fn moves(facts: &Facts, when: When, kinds: &[Kind]) -> Vec<Step> {
    let on = |kind: Kind, node: NodeId| step(kind, Some(node), when);
    // R8: a sync may go over a crooked link at any moment, so that breaking it comes before all else.
    if facts.is_repair() {
        let mend = on(Kind::BreakFailover, linked_node(facts));
        return if rules::allow(&mend, facts) { vec![mend] } else { Vec::new() };
    }
    let each = kinds.iter().flat_map(|&kind| match kind {
        Kind::Confirm | Kind::CompareSettings => vec![on(kind, NodeId::A)],
        Kind::EstablishFailover => vec![on(kind, facts.survivor)],
        Kind::Update => {
            NodeId::BOTH.map(|node| Step { hop: facts.next_hop(node).unwrap_or_default(), ..on(kind, node) }).to_vec()
        }
        _ => NodeId::BOTH.map(|node| on(kind, node)).to_vec(),
    });
    each.filter(|step| is_useful(step, facts) && rules::allow(step, facts)).collect()
}

/// The node on which a link is broken: the primary, or the one that still reports a relationship.
fn linked_node(facts: &Facts) -> NodeId {
    let has = |role: Role| NodeId::BOTH.into_iter().find(|&node| facts.nodes[node].role == Some(role));
    has(Role::Primary).or(has(Role::Standby)).unwrap_or(facts.survivor)
}

/// Whether the step can be done at all and leads anywhere; what must not be done is the rules' to say.
fn is_useful(step: &Step, facts: &Facts) -> bool {
    let Some(node) = step.node else { return is_useful_to_link(step, facts) };
    let of = &facts.nodes[node];
    let well = of.known == Known::Yes && of.healthy;
    match step.kind {
        Kind::Verify => {
            let accepted = of.version.as_ref().is_some_and(|version| *version == facts.start || *version == facts.target);
            // The other may be unreadable: what serves here is proven all the same.
            let apart = matches!(facts.link, Link::Broken | Link::Unknown) && of.role != Some(Role::Standby);
            well && accepted && !of.denied && !(of.verified && of.proven) && apart
        }
        Kind::Backup => well && (!of.backed_up || of.outdated && facts.next_hop(node).is_some()),
        Kind::Quiesce => well && !of.closed,
        Kind::Reopen => well && of.closed,
        Kind::ExtractData => well && (of.closed && !of.extracted || lacks_copy(facts, node)),
        Kind::SwitchTraffic => facts.movable && facts.serving != Some(node),
        Kind::Update | Kind::EstablishFailover => well && facts.nodes[node.other()].healthy,
        _ => false,
    }
}

/// BG-50: before a link is established, the sessions that ended on the node that is kept are extracted too.
fn lacks_copy(facts: &Facts, node: NodeId) -> bool {
    facts.may_lose_ended && facts.link == Link::Broken && node == facts.survivor && !facts.nodes[node].copied
}

/// What belongs to no node: a person's word, and the comparison of settings, which comes when nothing else is missing for the
/// link: it counts for what is there then, and a comparison in every state would double the search.
fn is_useful_to_link(step: &Step, facts: &Facts) -> bool {
    let link = || Step { kind: Kind::EstablishFailover, node: Some(facts.survivor), ..step.clone() };
    let lacks_only_it = || {
        let against = rules::violations(&link(), facts);
        is_useful(&link(), facts) && matches!(&against[..], [only] if only.cure == Cure::Renew(Kind::CompareSettings, None))
    };
    let asked = match step.kind {
        Kind::CompareSettings => facts.settings == SettingsFact::Open && lacks_only_it(),
        _ => !facts.autopilot_off,
    };
    asked && facts.link == Link::Broken
}

fn unextracted(facts: &Facts) -> u32 {
    let left = &facts.nodes[facts.survivor.other()];
    u32::from(left.written && !left.extracted && left.known != Known::Yes)
}

fn cost_of(before: Cost, step: &Step, facts: &Facts, after: &Facts) -> Cost {
    let serves = step.node.is_some_and(|node| facts.serving == Some(node) && facts.able_to_serve(node));
    let served = facts.serving.is_some_and(|node| facts.able_to_serve(node));
    let service = match step.kind {
        Kind::SwitchTraffic => u32::from(served),
        Kind::Quiesce => 2 * u32::from(serves),
        Kind::Update => 4 * u32::from(serves),
        _ => 0,
    };
    let left = facts.survivor != after.survivor && facts.nodes[facts.survivor].written;
    let minutes = if facts.unprotected { step.kind.row().expected_minutes } else { 0 };
    Cost {
        data: before.data + u32::from(left),
        service: before.service + service,
        unprotected_minutes: before.unprotected_minutes + minutes,
        irreversible: before.irreversible + u32::from(step.impact() == Impact::Irreversible),
        steps: before.steps + 1,
    }
}

pub fn step(kind: Kind, node: Option<NodeId>, when: When) -> Step {
    let gate = (kind == Kind::Confirm).then_some(Gate::AutomaticFailoverOff);
    let node = node.filter(|_| gate.is_none() && kind != Kind::CompareSettings);
    Step { id: String::new(), when, kind, node, gate, hop: 0 }
}
