//! The soak: what must hold between the windows, and what is told if it does not.
//!
//! The serving node proves the new version, the other one is the way back, the name must lead to the first. Nothing is done to
//! the pair meanwhile: a failure restarts the soak's clock or is only told, as `policy.on_soak_failure` has it. Another box, another
//! version, and a name that leads to the other node are not among the conditions here: they hold the run, whatever its step.

use jiff::Timestamp;

use super::raise::raise;
use crate::domain::action::When;
use crate::domain::event::{Event, Notice};
use crate::domain::ids::NodeId;
use crate::domain::run::Run;
use crate::domain::site::Observation;
use crate::domain::surprise;
use crate::domain::window::format_duration;
use crate::domain::world::{Reading, World};

/// How sure it is that a condition is not met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// It could not be read just now.
    Unread,
    /// One reading says so.
    Once,
    /// Two readings say so, or there was none for longer than `policy.max_silence`: this is a failure.
    Lasting,
}

/// A condition of the soak that is not met by what was last read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    pub notice: Notice,
    /// `None` for the service's name.
    pub node: Option<NodeId>,
    pub expected: String,
    pub found: String,
    pub certainty: Certainty,
}

impl Unmet {
    /// The condition in one sentence.
    pub fn sentence(&self) -> String {
        let place = self.node.map(|node| format!("node `{node}`: ")).unwrap_or_default();
        format!("{place}expected {}, found {}", self.expected, self.found)
    }
}

/// True between the windows: from the end of window one's work until window two begins, and again once it was missed, but not
/// while an act is under way. A way that a person ordered ends it.
pub fn is_on(run: &Run, now: Timestamp) -> bool {
    let between = run.soak_from.is_some() && run.act.is_none() && !run.is_ordered() && !run.is_finished();
    let Some(step) = run.step().filter(|_| between) else { return false };
    let opened = || run.windows.of(step.when).is_none_or(|window| window.has_begun(now) && !window.is_over(now));
    step.when == When::Soak || step.when == When::Window2 && !opened()
}

/// Everything that is not as the soak asks.
pub fn unmet(run: &Run, world: &World) -> Vec<Unmet> {
    if !is_on(run, world.now) {
        return Vec::new();
    }
    let nodes = NodeId::BOTH.into_iter().flat_map(|node| of_node(run, node, world));
    nodes.chain(of_traffic(run, world)).collect()
}

fn of_node(run: &Run, node: NodeId, world: &World) -> Vec<Unmet> {
    let reading = &world.readings[node];
    let Some(current) = &reading.current else { return vec![silent(run, node, world)] };
    let of =
        |notice, (expected, found): (String, String), certainty| Unmet { notice, node: Some(node), expected, found, certainty };
    let twice = if reading.is_steady() { Certainty::Lasting } else { Certainty::Once };
    let unwell = unwell(current).map(|texts| of(Notice::SoakUnhealthy, texts, twice));
    let refuses = refuses(run, node, current).map(|texts| of(Notice::SoakRefusing, texts, denied(reading, current)));
    let ends = expiring(run, world.now, current).map(|texts| of(Notice::SoakExpiring, texts, twice));
    [unwell, refuses, ends].into_iter().flatten().collect()
}

/// No reading: a lost answer is none, a silence is a failure.
fn silent(run: &Run, node: NodeId, world: &World) -> Unmet {
    let reading = &world.readings[node];
    let long = reading.silent_for(world.now) > run.plan.policy.max_silence;
    let certainty = if long { Certainty::Lasting } else { Certainty::Unread };
    let found = reading.error.clone().unwrap_or_else(|| "it was not read yet".to_owned());
    Unmet { notice: Notice::SoakSilent, node: Some(node), expected: "an answer".to_owned(), found, certainty }
}

fn unwell(current: &Observation) -> Option<(String, String)> {
    let found = match (current.healthy, current.updating) {
        (true, false) => return None,
        (_, true) => "it is updating",
        (false, false) => "it says that it is not healthy",
    };
    Some(("a healthy node".to_owned(), found.to_owned()))
}

/// Only of the node that serves, and only where the driver can try.
fn refuses(run: &Run, node: NodeId, current: &Observation) -> Option<(String, String)> {
    let refuses = node == run.survivor && current.takes_clients == Some(false);
    refuses.then(|| ("clients are taken".to_owned(), "it takes no client".to_owned()))
}

fn denied(reading: &Reading, current: &Observation) -> Certainty {
    let before = reading.denied_since().is_some_and(|since| since < current.at);
    if before { Certainty::Lasting } else { Certainty::Once }
}

/// The certificate and the licence must last until window two is over: what runs out before takes the service with it, or the
/// way back.
fn expiring(run: &Run, now: Timestamp, current: &Observation) -> Option<(String, String)> {
    let needed = run.windows.second.as_ref().map_or(now, |window| window.to);
    let ends = [("certificate", current.certificate_until), ("licence", current.licence_until)];
    let (what, until) = ends.into_iter().find_map(|(what, until)| Some((what, until.filter(|until| *until < needed)?)))?;
    Some((format!("a {what} that lasts until {needed}, the end of window two"), format!("it runs out at {until}")))
}

/// Every server names the node that serves.
fn of_traffic(run: &Run, world: &World) -> Option<Unmet> {
    let traffic = &world.traffic;
    if !world.has_traffic || traffic.target() == Some(run.serving()) {
        return None;
    }
    // Where it leads to the other node that holds the run, or a person has seen it.
    if surprise::wrong_traffic(run, world).is_some() {
        return None;
    }
    let unread = traffic.looks.is_empty() || traffic.looks.iter().any(Result::is_err) && !traffic.names(run.serving().other());
    let silent = traffic.unread_for(world.now) > run.plan.policy.max_silence;
    let certainty = match (unread, traffic.steady_count >= 2) {
        (true, _) if !silent => Certainty::Unread,
        (false, false) => Certainty::Once,
        _ => Certainty::Lasting,
    };
    let expected = format!("`{}` leading to node `{}` on every server", run.plan.service, run.serving());
    Some(Unmet { notice: Notice::SoakMisled, node: None, expected, found: traffic.describe(), certainty })
}

/// What people must be told of the soak now, or that it is over.
pub fn notice(run: &Run, world: &World) -> Option<Event> {
    if !is_on(run, world.now) {
        return None;
    }
    let unmet = unmet(run, world);
    over(run, &unmet)
        .or_else(|| failed(run, &unmet))
        .or_else(|| in_use(run, world))
        .or_else(|| too_long(run, world.now))
        .or_else(|| inconclusive(run, world.now))
}

/// A failure that was told, and is met again by a reading.
fn over(run: &Run, unmet: &[Unmet]) -> Option<Event> {
    let told = run.notices.iter().filter(|(notice, _)| notice.is_soak_condition());
    // What can't be read hides the rest: a silent node is not taken to be well.
    let hidden = |node: &Option<NodeId>| unmet.iter().any(|unmet| unmet.notice == Notice::SoakSilent && unmet.node == *node);
    let stands = |key: &&(Notice, Option<NodeId>)| {
        unmet.iter().any(|unmet| (unmet.notice, unmet.node) == **key) || key.1.is_some() && hidden(&key.1)
    };
    let &(notice, node) = told.into_iter().find(|key| !stands(key))?;
    let place = node.map(|node| format!(" of node `{node}`")).unwrap_or_default();
    raise(run, notice, node, false, format!("`{}`{place} is over{}", notice.name(), anew(run)))
}

fn anew(run: &Run) -> &'static str {
    if run.soak_restarts() { "; the soak's clock begins anew" } else { "" }
}

fn failed(run: &Run, unmet: &[Unmet]) -> Option<Event> {
    let mut lasting = unmet.iter().filter(|unmet| unmet.certainty == Certainty::Lasting);
    lasting.find_map(|unmet| raise(run, unmet.notice, unmet.node, true, format!("in the soak, {}", unmet.sentence())))
}

/// The first session on the node that serves: somebody works with the new version.
fn in_use(run: &Run, world: &World) -> Option<Event> {
    let node = run.serving();
    let sessions = world.readings[node].current.as_ref()?.sessions.filter(|sessions| *sessions > 0)?;
    let message = format!("node `{node}` has {sessions} sessions: the new version is in use");
    let event = Event::Noticed { notice: Notice::SoakInUse, node: Some(node), raised: true, message };
    run.used_at.is_none().then_some(event)
}

/// It never leads on: whoever has to accept is reminded what the days cost.
fn too_long(run: &Run, now: Timestamp) -> Option<Event> {
    let policy = &run.plan.policy;
    // A longest time below the shortest one would tell of a soak that goes as planned.
    let limit = policy.max_soak.max(policy.min_soak);
    let since = run.window_one_ended()?;
    let message = format!("the time between the windows has lasted for {} or more", format_duration(limit));
    (now.duration_since(since) >= limit).then(|| raise(run, Notice::SoakTooLong, None, true, message)).flatten()
}

/// The shortest soak is over, and nobody was seen to work on the node that is to be proven.
fn inconclusive(run: &Run, now: Timestamp) -> Option<Event> {
    let since = run.soak_from.filter(|since| now.duration_since(*since) >= run.plan.shortest_soak())?;
    let message = format!("no session was seen on node `{}` since {since}: the soak proves little", run.serving());
    run.used_at.is_none().then(|| raise(run, Notice::SoakInconclusive, None, true, message)).flatten()
}

/// What the soak has not shown, for whoever accepts it.
pub fn reservation(run: &Run) -> Option<String> {
    let since = run.soak_from.filter(|_| run.used_at.is_none())?;
    Some(format!("no session was seen on node `{}` since {since}", run.serving()))
}
