//! The promises, judged on the truth: written from `docs/concepts`, not from `rules.rs`, which they are to check.
//!
//! [`of_act`] is asked at the moment an act takes hold, [`of_rest`] whenever the run has come to rest.

use changeover::domain::action::{Impact, Kind, When};
use changeover::domain::event::{Notice, Outcome, Verdict};
use changeover::domain::ids::NodeId;
use changeover::domain::plan::Windows;
use changeover::domain::run::{Phase, Run};
use changeover::domain::site::Role;
use changeover::domain::step::Step;
use jiff::{SignedDuration, Timestamp};

use super::scenario;
use super::truth::{Health, Pending, Release, Truth};

/// A promise that was broken, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    pub promise: &'static str,
    pub how: String,
}

/// What an act is judged by beside the truth.
pub struct Moment<'a> {
    pub at: Timestamp,
    pub windows: &'a Windows,
    pub expected: SignedDuration,
    pub max_sync_age: SignedDuration,
    pub max_backup_age: SignedDuration,
    pub min_soak: SignedDuration,
}

type Promise = fn(&Step, &Truth, &Moment<'_>) -> Option<String>;

const OF_ACTS: &[(&str, Promise)] = &[
    ("R1", breaks_only_after_a_fresh_sync),
    ("R2", one_at_a_time),
    ("R3", inside_its_window),
    ("R4", backed_up),
    ("R5", known_path),
    ("R6", equal_versions),
    ("R7", serves_first),
    ("R7", caches_forgot),
    ("R8", never_towards_the_survivor),
    ("R9", nothing_is_lost),
    ("R10", accepted_by_a_person),
    ("R13", the_right_box),
    ("R15", unlinked_update),
    ("R16", accepted_while_one_serves),
    ("R17", automatic_failover_off),
    ("R17", roles_as_planned),
    ("update once", updated_once),
    ("closed first", closed_before_all_else),
];

/// What an act breaks that takes hold now.
pub fn of_act(step: &Step, truth: &Truth, moment: &Moment<'_>) -> Vec<Breach> {
    let judge = |(promise, judge): &(&'static str, Promise)| {
        judge(step, truth, moment).map(|how| Breach { promise, how: format!("{}: {how}", step.id) })
    };
    OF_ACTS.iter().filter_map(judge).collect()
}

fn when(broken: bool, how: impl Into<String>) -> Option<String> {
    broken.then(|| how.into())
}

fn node_of(step: &Step) -> NodeId {
    step.node.unwrap_or(super::scenario::PRIMARY)
}

fn breaks_only_after_a_fresh_sync(step: &Step, truth: &Truth, moment: &Moment<'_>) -> Option<String> {
    let mends = is_repair(truth);
    let fresh = mends || truth.synced.is_some_and(|at| moment.at.duration_since(at) <= moment.max_sync_age);
    when(step.kind == Kind::BreakFailover && !fresh, "no good sync since the run asked for one, or too old a one")
}

/// Somebody is left to serve while a node is disturbed, unless it serves nobody.
fn one_at_a_time(step: &Step, truth: &Truth, _: &Moment<'_>) -> Option<String> {
    let node = node_of(step);
    let disturbs = matches!(step.kind, Kind::Update | Kind::Quiesce);
    let in_service = truth.name.is_none_or(|name| name == node) && truth.takes_clients(node);
    when(disturbs && in_service && !able(truth, node.other()), format!("node `{}` could not serve", node.other()))
}

fn able(truth: &Truth, node: NodeId) -> bool {
    let appliance = &truth.now.nodes[node];
    appliance.health == Health::Well && !appliance.strange && truth.takes_clients(node)
}

fn inside_its_window(step: &Step, truth: &Truth, moment: &Moment<'_>) -> Option<String> {
    let window = moment.windows.of(step.when).filter(|_| step.impact() >= Impact::Disruptive)?;
    if truth.people.ordered && step.kind != Kind::Update {
        return None;
    }
    when(moment.at < window.from || moment.at + moment.expected > window.to, "outside its window, or too late in it")
}

fn backed_up(step: &Step, truth: &Truth, moment: &Moment<'_>) -> Option<String> {
    let node = match step.kind {
        Kind::Update => node_of(step),
        Kind::EstablishFailover => truth.survivor,
        _ => return None,
    };
    let saved = truth.now.nodes[node].saved_at.is_some_and(|at| moment.at.duration_since(at) <= moment.max_backup_age);
    when(!saved, format!("no backup of node `{node}`, or too old a one"))
}

fn known_path(step: &Step, truth: &Truth, _: &Moment<'_>) -> Option<String> {
    let release = truth.now.nodes[node_of(step)].release;
    when(step.kind == Kind::Update && release != Release::Start, format!("installed on {release:?}"))
}

fn equal_versions(step: &Step, truth: &Truth, _: &Moment<'_>) -> Option<String> {
    let (a, b) = (truth.now.nodes.a.release, truth.now.nodes.b.release);
    when(step.kind == Kind::EstablishFailover && a != b, format!("node `a` on {a:?}, node `b` on {b:?}"))
}

fn serves_first(step: &Step, truth: &Truth, _: &Moment<'_>) -> Option<String> {
    let node = node_of(step);
    let known = match truth.now.nodes[node].release {
        Release::Start => true,
        Release::Target => truth.people.accepted != Some(Verdict::Reject),
        Release::Other => false,
    };
    when(step.kind == Kind::SwitchTraffic && !(able(truth, node) && known), format!("node `{node}` could not serve"))
}

/// The name moves only once caches have forgotten the old TTL; but a person's order does not wait, nor does a service that is
/// closed already.
fn caches_forgot(step: &Step, truth: &Truth, moment: &Moment<'_>) -> Option<String> {
    let passed = |at: Timestamp| moment.at.duration_since(at).as_secs() >= i64::from(scenario::OLD_TTL);
    let forgot = truth.ttl <= scenario::LOW_TTL && truth.lowered_at.is_none_or(passed);
    let exempt = truth.people.ordered || truth.now.nodes[node_of(step).other()].closed;
    when(step.kind == Kind::SwitchTraffic && !forgot && !exempt, "caches may have the old TTL still")
}

/// A sync runs from the primary to the standby: the survivor must be the primary of every link that we make or use.
fn never_towards_the_survivor(step: &Step, truth: &Truth, _: &Moment<'_>) -> Option<String> {
    let source = match step.kind {
        Kind::EstablishFailover => Some(node_of(step)),
        Kind::ForceSync => truth.primary(),
        _ => None,
    }?;
    when(source != truth.survivor, format!("a sync overwrites node `{}`, whose data are to be kept", truth.survivor))
}

fn nothing_is_lost(step: &Step, truth: &Truth, _: &Moment<'_>) -> Option<String> {
    let left = node_of(step).other();
    when(
        step.kind == Kind::EstablishFailover && truth.now.nodes[left].unsaved,
        format!("what was written on node `{left}` is overwritten and nowhere else"),
    )
}

fn accepted_by_a_person(step: &Step, truth: &Truth, moment: &Moment<'_>) -> Option<String> {
    let follows =
        truth.people.ordered && step.kind == Kind::Update && truth.now.nodes[node_of(step).other()].release == Release::Target;
    if !follows && (step.when < When::Window2 || truth.people.ordered) {
        return None;
    }
    if truth.people.ordered {
        let accepted = matches!(truth.people.accepted, Some(Verdict::Accept | Verdict::AcceptEarly));
        return when(!accepted, "the second node follows, and nobody accepted the new version");
    }
    let soaked = truth.updated_at.is_some_and(|at| moment.at.duration_since(at) >= moment.min_soak);
    let accepted = match truth.people.accepted {
        Some(Verdict::AcceptEarly) => true,
        Some(Verdict::Accept) => soaked,
        _ => false,
    };
    when(!accepted, "window two without a person's acceptance, or before the soak was over")
}

fn the_right_box(step: &Step, truth: &Truth, _: &Moment<'_>) -> Option<String> {
    let both = matches!(step.kind, Kind::ForceSync | Kind::BreakFailover | Kind::EstablishFailover);
    let wrong = NodeId::BOTH.into_iter().find(|&node| (both || step.node == Some(node)) && truth.now.nodes[node].strange);
    when(step.kind.acts() && wrong.is_some(), "another box was acted on")
}

fn unlinked_update(step: &Step, truth: &Truth, _: &Moment<'_>) -> Option<String> {
    let broken = NodeId::BOTH.into_iter().all(|node| truth.now.nodes[node].role == Role::Standalone);
    when(step.kind == Kind::Update && !broken, "updated while a node still reports a relationship")
}

/// Asked when a person's acceptance or the soak's end is recorded too.
fn accepted_while_one_serves(step: &Step, truth: &Truth, _: &Moment<'_>) -> Option<String> {
    let accepts = step.kind == Kind::Soak || step.gate == Some(changeover::domain::gate::Gate::Production);
    let left = truth.survivor.other();
    when(accepts && truth.now.nodes[left].sessions && truth.is_up(left), format!("node `{left}` has sessions too"))
}

fn automatic_failover_off(step: &Step, truth: &Truth, _: &Moment<'_>) -> Option<String> {
    let asks = matches!(step.kind, Kind::ForceSync | Kind::BreakFailover | Kind::EstablishFailover);
    let mends = step.kind == Kind::BreakFailover && is_repair(truth);
    when(asks && !mends && truth.people.off != Some(step.when), "nobody confirmed in this window that automatic failover is off")
}

fn roles_as_planned(step: &Step, truth: &Truth, _: &Moment<'_>) -> Option<String> {
    if step.kind == Kind::BreakFailover && is_repair(truth) {
        return None;
    }
    let planned = match step.kind {
        Kind::ForceSync | Kind::BreakFailover => super::truth::linked(super::scenario::PRIMARY),
        Kind::EstablishFailover => {
            return when(
                truth.now.nodes.a.role != Role::Standalone || truth.now.nodes.b.role != Role::Standalone,
                "linked already",
            );
        }
        _ => return None,
    };
    when(NodeId::BOTH.into_iter().any(|node| truth.now.nodes[node].role != planned(node)), "the roles are not the plan's")
}

/// A person ordered a link to be broken that nobody planned: half there, crooked, or back.
fn is_repair(truth: &Truth) -> bool {
    truth.people.ordered && (truth.primary().is_none() || truth.broken_at.is_some())
}

fn updated_once(step: &Step, truth: &Truth, _: &Moment<'_>) -> Option<String> {
    let by_hand = truth.pending == Some(Pending::Instructed);
    when(step.kind == Kind::Update && !by_hand && truth.sent[node_of(step)] > 0, "sent a second time without a person")
}

/// Nothing is taken from, changed on or linked to the node that traffic was taken from while clients still get in.
fn closed_before_all_else(step: &Step, truth: &Truth, _: &Moment<'_>) -> Option<String> {
    let left = truth.survivor.other();
    let touches = step.node == Some(left) && matches!(step.kind, Kind::ExtractData | Kind::Update);
    let uses = (touches || step.kind == Kind::EstablishFailover) && truth.survivor != super::scenario::PRIMARY;
    when(uses && !truth.now.nodes[left].closed, format!("node `{left}`, which served before, is open"))
}

type RestPromise = fn(&Run, &Truth, Timestamp) -> Option<String>;

const OF_RESTS: &[(&str, RestPromise)] = &[
    ("home", finished_at_home),
    ("R10", unprotected_is_told),
    ("R16", stray_sessions_are_told),
    ("R8", two_primaries_stop_everything),
    ("never serving by an old plan", not_serving_by_an_old_plan),
];

/// What is not as promised while the run rests.
pub fn of_rest(run: &Run, truth: &Truth, now: Timestamp) -> Vec<Breach> {
    let judge = |(promise, judge): &(&'static str, RestPromise)| judge(run, truth, now).map(|how| Breach { promise, how });
    OF_RESTS.iter().filter_map(judge).collect()
}

/// A run that succeeded is home: linked from the survivor, equal on the target, served, its first sync good, nothing lost.
fn finished_at_home(run: &Run, truth: &Truth, _: Timestamp) -> Option<String> {
    let (a, b) = (truth.now.nodes.a.release, truth.now.nodes.b.release);
    let home = truth.primary() == Some(truth.survivor)
        && truth.name == Some(truth.survivor)
        && truth.lowered_at.is_none()
        && truth.is_up(truth.survivor)
        && a == b
        && matches!(truth.now.sync, Some((_, super::truth::Sync::Good | super::truth::Sync::Odd)));
    match run.phase {
        Phase::Finished(Outcome::Succeeded) => when(!home || a != Release::Target, "succeeded, and the pair is not home"),
        Phase::Finished(Outcome::Aborted) => when(!home, "aborted, and the pair is not home"),
        _ => None,
    }
}

fn unprotected_is_told(run: &Run, truth: &Truth, now: Timestamp) -> Option<String> {
    let since = truth.broken_at.filter(|_| truth.primary().is_none() && run.unprotected_since().is_some())?;
    let over = now.duration_since(since) > run.plan.policy.max_unprotected + SignedDuration::from_mins(1);
    when(
        over && !run.is_finished() && !run.has_notice(Notice::UnprotectedTooLong, None),
        "too long unprotected, and nobody was told",
    )
}

fn stray_sessions_are_told(run: &Run, truth: &Truth, _: Timestamp) -> Option<String> {
    let left = truth.survivor.other();
    let stray = truth.is_up(left) && truth.now.nodes[left].sessions && !truth.now.nodes[left].strange;
    let watched = run.soak_from.is_some() && run.survivor == truth.survivor && run.unprotected_since().is_some();
    let told = run.has_notice(Notice::StraySession, Some(left));
    when(stray && watched && truth.before.is_none() && !run.is_finished() && !told, format!("stray sessions on node `{left}`"))
}

fn two_primaries_stop_everything(run: &Run, truth: &Truth, _: Timestamp) -> Option<String> {
    let both = NodeId::BOTH.into_iter().all(|node| truth.now.nodes[node].role == Role::Primary && truth.is_up(node));
    let stopped = matches!(run.phase, Phase::Held(_) | Phase::Acting | Phase::Finished(_));
    when(both && truth.before.is_none() && !stopped, "both nodes primary, and the run goes on")
}

/// The run believes that a node serves only if the name led to it by our own switch, or did so from the beginning.
fn not_serving_by_an_old_plan(run: &Run, truth: &Truth, _: Timestamp) -> Option<String> {
    let moving = run.is_at(Kind::SwitchTraffic) || truth.pending.is_some_and(|pending| matches!(pending, Pending::Late(..)));
    let at_switch = run.step().is_some_and(|step| step.kind == Kind::SwitchTraffic);
    when(!moving && !at_switch && run.survivor != truth.survivor, format!("the run takes node `{}` to serve", run.survivor))
}
