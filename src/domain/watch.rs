//! What is watched at every look, whatever the step: things that people must know. What holds the run is a [`super::surprise`].

mod access;
mod exposure;
pub mod left;
mod raise;
pub mod second;
mod service;
pub mod silence;
pub mod soak;

use jiff::{SignedDuration, Timestamp};

use super::action::Kind;
use super::event::{Event, Notice};
use super::facts::Link;
use super::ids::NodeId;
use super::late;
use super::plan::OutOfTime;
use super::rule::Rule;
use super::run::{Phase, Run};
use super::settings;
use super::step::Step;
use super::surprise;
use super::window::format_duration;
use super::world::World;
use raise::raise;

/// What people must be told now, or that it is over.
pub fn notice(run: &Run, world: &World) -> Option<Event> {
    exposure::share_passed(run, world)
        .or_else(|| window_closing(run, world))
        .or_else(|| second::lost(run, world))
        .or_else(|| NodeId::BOTH.into_iter().find_map(|node| unreachable(run, node, world)))
        .or_else(|| NodeId::BOTH.into_iter().find_map(|node| access::refused(run, node, world)))
        .or_else(|| NodeId::BOTH.into_iter().find_map(|node| stray_session(run, node, world)))
        .or_else(|| role_conflict_untold(run, world))
        .or_else(|| NodeId::BOTH.into_iter().find_map(|node| service::not_serving(run, node, world)))
        .or_else(|| soak::notice(run, world))
        .or_else(|| settings::news(run, world).filter(|_| run.phase != Phase::Acting))
}

/// A window ends soon and steps of it are still to be done.
fn window_closing(run: &Run, world: &World) -> Option<Event> {
    if run.has_notice(Notice::WindowClosing, None) || matches!(run.phase, Phase::Held(_)) {
        return None;
    }
    let step = run.step()?;
    let window = run.windows.of(step.when)?;
    let begun = run.act.is_some() && !surprise::is_untouched(run, world);
    let next = run.next_bound(begun).map(|(step, _)| step);
    let latest = next.and_then(|step| run.plan.not_after(&run.windows, step, run.is_ordered())).unwrap_or(window.to);
    let notice = run.plan.policy.closing_notice;
    let soon = latest.duration_since(world.now) <= notice && window.length() > notice + notice;
    // Afterwards the hold speaks, or the way home.
    let late = latest < world.now || window.is_over(world.now);
    if !soon || late || !window.has_begun(world.now) {
        return None;
    }
    raise(run, Notice::WindowClosing, None, true, closing(run, world, (step, next), (latest, window.to)))
}

fn closing(run: &Run, world: &World, (step, next): (&Step, Option<&Step>), (latest, end): (Timestamp, Timestamp)) -> String {
    let left = format_duration(SignedDuration::from_mins(latest.duration_since(world.now).as_mins()));
    let Some(next) = next else {
        return format!(
            "{} ends at {end}, in {left}, and step `{}` is not done; it is finished, also after the end",
            step.when.as_str(),
            step.id
        );
    };
    let then = match late::out_of_time(run, next, world) {
        OutOfTime::Home => "the run goes home by itself",
        OutOfTime::Finish | OutOfTime::Hold => "the run holds",
    };
    let (worst, after) = (run.plan.estimate(next.kind).worst, run.plan.need(next) - run.plan.estimate(next.kind).worst);
    format!(
        "{} ends at {end}: step `{}` begins at {latest} at the latest, in {left}, as it takes up to {} and {} must fit after it; not begun by then, it is not begun any more and {then}",
        next.when.as_str(),
        next.id,
        format_duration(worst),
        format_duration(after)
    )
}

/// A node does not answer although nothing updates it.
fn unreachable(run: &Run, node: NodeId, world: &World) -> Option<Event> {
    let updating = run.is_at(Kind::Update) && run.step().and_then(|step| step.node) == Some(node);
    let reading = &world.readings[node];
    let silent = reading.silent_for(world.now) > run.plan.policy.max_silence && !updating;
    if !silent && reading.current.is_none() {
        return None;
    }
    let why = reading.error.as_deref().unwrap_or("it answers again");
    raise(run, Notice::NodeUnreachable, Some(node), silent, format!("node `{node}`: {why}"))
}

/// R16: new sessions on the node that does not serve, from the first window's end on; and a node that traffic was taken from and
/// that takes clients again, once the run rests or has closed it: until then the run itself is about to close it. Open and empty, it
/// is told, and told again when somebody comes.
fn stray_session(run: &Run, node: NodeId, world: &World) -> Option<Event> {
    let soaking = run.soak_from.is_some();
    let current = world.readings[node].current.as_ref()?;
    let rests = run.hold().is_some() || run.nodes[node].closed_at.is_some();
    let back = rests && world.is_back_open(run, node);
    let stray = (soaking || rests && run.nodes[node].served_until.is_some()) && world.is_stray(run, node);
    let (users, sessions) = (current.users.unwrap_or(0), current.sessions.unwrap_or(0));
    let open = if back { ", can take clients" } else { "" };
    let who = left::stubborn(run, node, world);
    let message = format!("node `{node}` does not serve{open} and has {sessions} sessions and {users} users{who}");
    let told = run.has_notice(Notice::BackOpen, Some(node));
    raise(run, Notice::StraySession, Some(node), stray, message.clone())
        .or_else(|| raise(run, Notice::BackOpen, Some(node), back && (told || !stray), message))
}

/// While the run is held nothing more can hold it, and while an act is on its way nothing may come between; but a role conflict
/// is told at once, and that it is over.
fn role_conflict_untold(run: &Run, world: &World) -> Option<Event> {
    let failure = surprise::wrong_link(run, world).filter(|failure| {
        matches!(failure.code, "role_conflict" | "both_standby") && !surprise::is_acknowledged(run, failure, world)
    });
    let Some(failure) = failure else {
        let over = world.link() != Link::Unknown;
        return over.then(|| raise(run, Notice::RoleConflict, None, false, "the roles are in conflict no more")).flatten();
    };
    let told = match &run.phase {
        Phase::Held(hold) => hold.code == failure.code,
        Phase::Acting => false,
        // It holds the run, and that is told.
        _ => true,
    };
    (!told).then(|| raise(run, Notice::RoleConflict, None, true, failure.message)).flatten()
}

/// A node silent for this long calls back a person who was instructed: some four looks, so that one lost answer does not, and
/// short beside the minutes that a person takes to begin.
const CALL_BACK: SignedDuration = SignedDuration::from_mins(1);

/// True if a missing reading is more than a lost answer: a node is silent, or says that it is not well.
pub fn is_in_trouble(world: &World) -> bool {
    NodeId::BOTH.into_iter().any(|node| {
        let reading = &world.readings[node];
        let unwell = reading.current.as_ref().is_some_and(|observation| !observation.healthy);
        unwell || reading.silent_for(world.now).max(reading.refused_for(world.now)) > CALL_BACK
    })
}

/// Until when an instruction for this step may be carried out: while it and the way back from it fit into the window (R3), and failover
/// is broken only on evidence that has not lapsed (R1).
pub fn not_after(run: &Run, step: &Step) -> Option<Timestamp> {
    let window = run.plan.not_after(&run.windows, step, run.is_ordered()).filter(|_| !run.is_waived(Rule::R3, step));
    let proven = run.sync.as_ref().filter(|_| step.kind == Kind::BreakFailover && !run.is_ordered()).map(|sync| sync.proven_at);
    let lapses = proven.map(|at| at + run.plan.policy.max_sync_age);
    window.into_iter().chain(lapses).min()
}
