//! By hand: the exact procedure to go back or to finish without the daemon, from how things stand.
//!
//! Each act with the box's identity and address, in the terms of what stands behind the node (the vendor's pages, a program),
//! what to check after it and what not to do. Pure: `status --by-hand` and the sheet that leaves this host print the same.

mod acts;
mod package;

use jiff::SignedDuration;

use super::action::Kind;
use super::console::Text;
use super::facts::Link;
use super::homeward;
use super::ids::NodeId;
use super::plan::Goal;
use super::rules::{self, Violation};
use super::run::{Hold, Run};
use super::site::{Observation, Role, TrafficAnswer, TrafficLook};
use super::step::Step;
use super::stop_here;
use super::way_home::Way;
use super::world::World;

pub use package::{copy_of, original};

/// One way on: its acts in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Course {
    /// `To go home`, `To finish the plan`.
    pub title: String,
    pub expected: SignedDuration,
    pub acts: Vec<Act>,
    /// Promises that stand against it as things are now, each with what was expected and found; where it leads to harbour,
    /// against home.
    pub against: Vec<String>,
    /// What they stand against: `home` or `it`.
    pub stands_against: &'static str,
}

/// One act of a course.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// The step's id.
    pub id: String,
    pub sentence: String,
    pub text: Text,
}

/// The way back and the way on, from what was read; none once there is nothing left to do.
pub fn courses(run: &Run, world: &World) -> Vec<Course> {
    if run.is_finished() && !run.is_watched() {
        return Vec::new();
    }
    let found = homeward::of_run(run, world);
    let mut courses = vec![back(run, world, found.ways.first(), &found.not_home)];
    courses.extend(found.ways.get(1).map(|way| back(run, world, Some(way), &[])));
    let ordered = run.way.is_some() && run.way == found.ways.first().map(|way| way.goal);
    courses.extend(finish(run, world).filter(|_| !ordered && !run.is_finished()));
    courses
}

fn back(run: &Run, world: &World, way: Option<&Way>, not_home: &[Violation]) -> Course {
    let title = match way.map(|way| way.goal) {
        Some(Goal::Home) => "To go home (both nodes linked, equal and serving)".to_owned(),
        Some(Goal::Harbour { node }) => format!("To rest at harbour (node `{node}` serves alone, the other is left alone)"),
        None => "No way back keeps every promise".to_owned(),
    };
    let left = way.and_then(|way| way.leaves_behind);
    let title = left
        .map_or_else(|| title.clone(), |node| format!("{title}; what was written on node `{node}` since the break stays behind"));
    let steps = way.map(|way| way.steps.as_slice()).unwrap_or_default();
    let expected = way.map_or(SignedDuration::ZERO, |way| stop_here::expected(&run.plan, way));
    Course {
        title,
        expected,
        acts: acts_of(run, world, steps),
        against: not_home.iter().map(against).collect(),
        stands_against: "home",
    }
}

/// The plan's steps that are not done.
fn finish(run: &Run, world: &World) -> Option<Course> {
    let position = run.position()?;
    let steps = &run.plan.steps[position..];
    let first = &steps[0];
    let title = if run.is_ordered() { "To finish what was ordered" } else { "To finish the plan" };
    let violations = rules::violations(first, &world.facts(run, first));
    let expected = steps.iter().map(|step| run.plan.likely(step.kind)).fold(SignedDuration::ZERO, |sum, time| sum + time);
    Some(Course {
        title: title.to_owned(),
        expected,
        acts: acts_of(run, world, steps),
        against: violations.iter().map(against).collect(),
        stands_against: "it",
    })
}

fn acts_of(run: &Run, world: &World, steps: &[Step]) -> Vec<Act> {
    // What an act before has changed, the next one finds.
    let mut then = run.clone();
    let act = |step: &Step| {
        let text = acts::text(&then, world, step);
        if let (Kind::Update, Some(node)) = (step.kind, step.node) {
            then.nodes[node].hops = step.hop + 1;
            then.nodes[node].updated = step.hop + 1 == run.plan.hop_count();
        }
        Act { id: step.id.clone(), sentence: run.plan.sentence(step), text }
    };
    steps.iter().map(act).collect()
}

fn against(violation: &Violation) -> String {
    format!("{}: expected {}, found {}", violation.rule, violation.expected, violation.found)
}

/// The pair as the journal alone has it, for the sheet that is read where no daemon is: everything went as recorded.
pub fn believed(run: &Run) -> World {
    let moves = run.plan.steps.iter().any(|step| step.kind == Kind::SwitchTraffic);
    let mut world = World::new(run.last_at, moves, SignedDuration::ZERO);
    for node in NodeId::BOTH {
        // Twice: what was seen once proves no health.
        for _ in 0..2 {
            world.readings[node].take(Ok(observation(run, node)), run.last_at);
        }
    }
    let answer = TrafficAnswer {
        server: "the journal".to_owned(),
        name: run.plan.service.clone(),
        target: Some(run.serving()),
        ttl: None,
        found: run.plan.nodes[run.serving()].address.to_string(),
        untold: false,
    };
    world.traffic.take(vec![Ok(TrafficLook::new(run.last_at, vec![answer]))]);
    world
}

fn observation(run: &Run, node: NodeId) -> Observation {
    let expected = run.expected_version(node);
    Observation {
        at: run.last_at,
        identity: run.plan.nodes[node].identity.clone(),
        version: expected.version,
        build: expected.build,
        role: role(run, node),
        healthy: true,
        updating: false,
        last_sync: run.sync.as_ref().map(|sync| sync.sync.clone()),
        users: None,
        sessions: None,
        as_of: None,
        may_be_old: SignedDuration::ZERO,
        clock_skew: None,
        takes_clients: None,
        certificate_until: None,
        licence_until: None,
        shared_ips: None,
        at_work: Vec::new(),
    }
}

/// Where the link is in trouble one node still reports it: then it is broken before all else.
fn role(run: &Run, node: NodeId) -> Role {
    let link = match (link_trouble(run), run.unprotected_since().or(run.unlinked_at), run.protected_at) {
        (Some(_), ..) => Link::Half,
        (None, Some(_), _) => Link::Broken,
        (None, None, Some(_)) => Link::Linked { primary: run.survivor },
        (None, None, None) => Link::Linked { primary: run.plan.primary },
    };
    match link {
        Link::Linked { primary } if primary == node => Role::Primary,
        Link::Linked { .. } => Role::Standby,
        Link::Half if node != run.survivor => Role::Standby,
        _ => Role::Standalone,
    }
}

/// The hold of a run whose link is half there, the wrong way round, or claimed by both nodes.
pub fn link_trouble(run: &Run) -> Option<&Hold> {
    run.hold().filter(|hold| match hold.code.as_str() {
        "half_broken" | "half_established" | "role_conflict" => true,
        "out_of_band" => hold.found == Link::Half.describe(),
        _ => false,
    })
}
