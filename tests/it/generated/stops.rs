//! If a run stops here: what is true of both nodes and of the service's name before, during and after each step of a procedure,
//! on its success path, and the ways on that the planner finds from there.

use std::fmt::Write as _;

use changeover::domain::action::Kind;
use changeover::domain::facts::{Facts, Link};
use changeover::domain::ids::NodeId;
use changeover::domain::plan::Goal;
use changeover::domain::procedure::Procedure;
use changeover::domain::rule::Rule;
use changeover::domain::step::Step;
use changeover::domain::version::Version;
use changeover::domain::way_home::{self, Found, Way};

/// A place at which a run may stop.
#[derive(Clone, Debug)]
pub struct Stop {
    pub step: Step,
    /// Before the step began.
    pub before: Facts,
    /// Once it is done.
    pub after: Facts,
    /// The ways from `after`.
    pub found: Found,
}

/// Every step of a procedure, with the pair as it is expected around it; node `a` is primary when the run begins.
pub fn of(procedure: &Procedure, start: Version, target: Version) -> Vec<Stop> {
    let mut facts = Facts::ideal(NodeId::A, start, target);
    let mut part = None;
    let mut stops = Vec::new();
    for step in procedure.resolve(NodeId::A) {
        if part != Some(step.when) {
            facts = facts.entering(step.when);
            part = Some(step.when);
        }
        let after = facts.clone().after(&step);
        let found = way_home::find(&after, step.when);
        stops.push(Stop { before: std::mem::replace(&mut facts, after.clone()), step, after, found });
    }
    stops
}

/// The pair in a sentence: the link, each node, and where the name leads.
pub fn pair(facts: &Facts) -> String {
    let link = match facts.link {
        Link::Linked { primary } => format!("failover is on, node `{primary}` primary"),
        _ => "failover is off, each node stands alone".to_owned(),
    };
    let name = facts.serving.map_or_else(|| "nowhere that is known".to_owned(), |node| format!("to node `{node}`"));
    format!("{link}; {}; {}; the name leads {name}", node(facts, NodeId::A), node(facts, NodeId::B))
}

fn node(facts: &Facts, id: NodeId) -> String {
    let of = &facts.nodes[id];
    let version = if of.version.as_ref() == Some(&facts.target) { "the new version" } else { "the old version" };
    let mut text = format!("node `{id}` runs {version}");
    if of.closed {
        text.push_str(", is closed to clients");
    } else if facts.able_to_serve(id) && facts.serving == Some(id) {
        text.push_str(" and serves");
    }
    if of.extracted {
        text.push_str(", its session data are saved");
    }
    text
}

/// What may be the case while the step is under way, as far as it differs from before and after.
pub fn during(stop: &Stop) -> String {
    let serves = stop.step.node.is_some() && stop.before.serving == stop.step.node;
    let unserved = serves && matches!(stop.step.kind, Kind::Update | Kind::Quiesce);
    let nobody = if unserved { "; the name leads to it, so nobody may be served meanwhile" } else { "" };
    format!("{}{nobody}", under_way(stop.step.kind))
}

fn under_way(kind: Kind) -> &'static str {
    match kind {
        Kind::Backup | Kind::ExtractData => "a file may be there in part; it counts only once it was checked",
        Kind::ForceSync => "a sync may be running; the pair stays linked",
        Kind::BreakFailover => {
            "one node may still report the link: nothing may be updated, and no sync started, before both stand alone"
        }
        Kind::Update => {
            "the node may be restarting, for an hour or more: never restart it, never send the update again; look whether it shows the new version"
        }
        Kind::Quiesce => "the node may take some clients still, or none",
        Kind::Reopen => "the node may take clients already, or none yet",
        Kind::SwitchTraffic => "some servers may answer with the old node, some with the new: ask every one of them",
        Kind::LowerTtl | Kind::RestoreTtl => {
            "some servers may give out the old TTL, some the new; where the name leads is untouched"
        }
        Kind::EstablishFailover => {
            "the link may be there, and the first sync running: the data of the other node are being overwritten; count on failover only after that sync was good"
        }
        Kind::Drain => "users are leaving; nothing was changed",
        Kind::Soak => "the new version is watched; nothing is changed",
        Kind::Confirm => "a person is asked; nothing is changed",
        Kind::CompareSettings => "lines of the ledger wait for a person; nothing is changed",
        Kind::Preflight | Kind::CheckSync | Kind::RecordSettings | Kind::Verify | Kind::FinalCheck => "it only reads",
    }
}

/// What to do after the step if the run goes no further: the best way, and why it does not lead home where it does not.
pub fn way_on(stop: &Stop) -> String {
    let Some(best) = stop.found.ways.first() else {
        return "leave everything as it is and ask the vendor: no way is known that breaks no promise".to_owned();
    };
    let mut text = told(best, &stop.after);
    // What a person has to decide first; the rest follows from it.
    let against = &stop.found.not_home;
    if let Some(first) = against.iter().find(|violation| violation.rule == Rule::R10).or(against.first()) {
        // Writing into a string cannot fail.
        let _ = write!(text, "; not home, by {}: expected {}, found {}", first.rule, first.expected, first.found);
    }
    text
}

/// The next best way, where there is one.
pub fn or_else(stop: &Stop) -> Option<String> {
    stop.found.ways.get(1).map(|way| told(way, &stop.after))
}

fn told(way: &Way, facts: &Facts) -> String {
    let mut acts: Vec<String> = way.steps.iter().filter(|step| step.kind != Kind::FinalCheck).map(Step::sentence).collect();
    if way.goal == Goal::Home {
        let ends_closed = |node: &NodeId| facts.nodes[*node].closed || way.steps.iter().any(|step| is_closing(step, *node));
        let opened = NodeId::BOTH.into_iter().filter(ends_closed);
        acts.extend(opened.map(|node| format!("Open node `{node}` to clients again: it must be able to take over")));
    }
    let mut text = match (way.goal, acts.is_empty()) {
        (Goal::Home, true) => "nothing is to be done: the pair is home".to_owned(),
        (Goal::Home, false) => format!("home: {}", acts.join("; ")),
        (Goal::Harbour { node }, true) => format!("leave it as it is: node `{node}` serves alone"),
        (Goal::Harbour { node }, false) => format!("to rest, with node `{node}` serving alone: {}", acts.join("; ")),
    };
    if let Some(node) = way.leaves_behind {
        // Writing into a string cannot fail.
        let _ = write!(text, " (what was written on node `{node}` since the last good sync stays behind there)");
    }
    text
}

fn is_closing(step: &Step, node: NodeId) -> bool {
    step.kind == Kind::Quiesce && step.node == Some(node)
}
