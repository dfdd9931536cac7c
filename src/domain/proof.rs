//! How each action is recognised as done: from readings, never from an answer (contract: "Done is proved so").

use jiff::{SignedDuration, Timestamp};

use super::action::Kind;
use super::agreement;
use super::event::{Baseline, Counts, Evidence};
use super::facts::Link;
use super::ids::NodeId;
use super::jump_clients;
use super::resolvers;
use super::run::{Act, Phase, Run};
use super::settings;
use super::site::{Observation, Role, SyncFact};
use super::step::Step;
use super::ttl;
use super::world::World;

/// What the readings say about a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Proof {
    Done(Evidence),
    /// Not seen yet; the sentence says what is awaited.
    NotYet(String),
    /// R1: the first of two syncs is seen; a second one must be asked for.
    SyncAgain(Box<Baseline>),
    Failed(Failure),
}

/// A step that did not do what it should, or a world that is not as it should be: the run is held with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// A stable word (`sync_failed`); `docs/reference/alerts.md` lists them.
    pub code: &'static str,
    pub message: String,
    pub expected: String,
    pub found: String,
    pub node: Option<NodeId>,
}

impl Failure {
    pub fn new(code: &'static str, expected: impl Into<String>, found: impl Into<String>) -> Self {
        let (expected, found) = (expected.into(), found.into());
        Self { code, message: format!("expected {expected}, found {found}"), expected, found, node: None }
    }

    pub fn at(self, node: NodeId) -> Self {
        Self { node: Some(node), ..self }
    }
}

fn not_yet(what: impl Into<String>) -> Proof {
    Proof::NotYet(what.into())
}

/// Looks for the effect of the act that is under way.
pub fn of_act(run: &Run, step: &Step, act: &Act, world: &World) -> Proof {
    let node = step.node.unwrap_or(run.plan.primary);
    match step.kind {
        Kind::ForceSync => force_sync(run, act, world),
        Kind::BreakFailover => broken(run, act, world),
        Kind::Update => updated(run, node, step.hop, act.since, world),
        Kind::EstablishFailover => established(run, node, act, world),
        Kind::Drain => emptied(node, act, world),
        Kind::Quiesce => closed(node, act, world),
        Kind::Reopen => opened(node, act, world),
        Kind::SwitchTraffic => switched(run, node, world),
        Kind::LowerTtl => ttl::is_lowered(run, world),
        Kind::RestoreTtl => ttl::is_restored(run, world),
        Kind::Backup | Kind::ExtractData => not_yet("its files"),
        Kind::Preflight
        | Kind::CheckSync
        | Kind::RecordSettings
        | Kind::Verify
        | Kind::Confirm
        | Kind::Soak
        | Kind::CompareSettings
        | Kind::FinalCheck => of_look(run, step, world),
    }
}

/// Judges a step that only looks.
pub fn of_look(run: &Run, step: &Step, world: &World) -> Proof {
    match step.kind {
        Kind::CheckSync => in_sync(run, world),
        Kind::Verify => verified(run, step.node.unwrap_or(run.plan.primary), world),
        Kind::FinalCheck => final_check(run, world),
        Kind::RecordSettings | Kind::CompareSettings => settings::of_look(run, step, world),
        _ => not_yet("nothing: this step is decided elsewhere"),
    }
}

/// R1 and BG-21: the primary's sync time differs from the one read before asking, is later than the asking on the
/// primary's own clock, and its status is good; where start and end can't be told apart, twice.
fn force_sync(run: &Run, act: &Act, world: &World) -> Proof {
    let reading = &world.readings[run.plan.primary];
    let before = act.baseline.first_sync.as_ref().or(act.baseline.sync.as_ref());
    let Some(sync) = reading.sync().filter(|sync| Some(*sync) != before) else {
        return not_yet(format!("a sync on node `{}` that is newer than the one before", run.plan.primary));
    };
    let skew = skew(run, run.plan.primary, world);
    let is_new = |sync: &SyncFact| Some(sync) != before && is_later(sync, act.since, skew);
    if !is_new(sync) {
        return not_yet(format!("a sync that began after it was asked for; the last one is of {}", sync.at));
    }
    if !reading.shows_twice(is_new) {
        return not_yet("a second reading that shows a new sync");
    }
    if let Err(failure) = is_good(run, sync) {
        return Proof::Failed(failure.at(run.plan.primary));
    }
    if sync.ok.is_none() && act.baseline.first_sync.is_none() {
        let baseline = Baseline { first_sync: Some(sync.clone()), ..act.baseline.clone() };
        return Proof::SyncAgain(Box::new(baseline));
    }
    Proof::Done(Evidence::Sync { sync: sync.clone(), asked_at: act.since })
}

/// Later than the asking on the node's clock. Nodes state whole seconds, so the asking is rounded down to one.
fn is_later(sync: &SyncFact, asked: Timestamp, skew: SignedDuration) -> bool {
    let asked = asked.checked_add(skew).unwrap_or(asked);
    sync.at.as_second() >= asked.as_second()
}

/// The node's clock minus ours where it is measured and within the policy's bound, else none.
fn skew(run: &Run, node: NodeId, world: &World) -> SignedDuration {
    let measured = world.readings[node].current.as_ref().and_then(|observation| observation.clock_skew);
    measured.filter(|skew| skew.abs() <= run.plan.policy.max_clock_skew).unwrap_or(SignedDuration::ZERO)
}

/// A sync's verdict: the driver's own, and the status text against the policy's list.
pub fn is_good(run: &Run, sync: &SyncFact) -> Result<(), Failure> {
    let policy = &run.plan.policy;
    let status = sync.status.as_deref();
    if sync.ok == Some(false) {
        return Err(Failure::new("sync_failed", "a good sync", format!("a failed one: {}", status.unwrap_or("no status text"))));
    }
    let known = status.is_none_or(|text| policy.sync_ok_statuses.iter().any(|ok| ok.eq_ignore_ascii_case(text)));
    let accepted = status.is_some() && run.accepted_status.as_deref() == status;
    if !known && !accepted {
        let found = format!("`{}`", status.unwrap_or_default());
        return Err(Failure::new("sync_status_unknown", "a sync status of `policy.sync_ok_statuses`", found));
    }
    if sync.ok.is_none() && status.is_none() {
        return Err(Failure::new("sync_status_unknown", "a verdict on the sync", "neither verdict nor status text"));
    }
    Ok(())
}

/// Both nodes report no relationship, by readings younger than the order (BG-21, R15).
fn broken(run: &Run, act: &Act, world: &World) -> Proof {
    let young = NodeId::BOTH.into_iter().all(|node| world.readings[node].proven_after(act.since));
    match world.link() {
        Link::Broken if young => {
            // In doubt, or awaited through a hold: the pair may be without failover since the order.
            let late = matches!(run.phase, Phase::InDoubt { .. }) || run.at().is_some_and(|progress| progress.tries == 0);
            let found = "both nodes report no relationship".to_owned();
            Proof::Done(Evidence::Seen { found, since: late.then_some(act.since) })
        }
        // On a way home two primaries are what is to be mended.
        Link::BothPrimary if !run.is_ordered() => Proof::Failed(both_primary()),
        Link::Half if world.now.duration_since(act.since) > run.plan.limit(Kind::BreakFailover) => {
            Proof::Failed(half("half_broken", Link::Broken, world))
        }
        link => not_yet(format!("both nodes without relationship; now: {}", link.describe())),
    }
}

fn half(code: &'static str, expected: Link, world: &World) -> Failure {
    let role = |node: NodeId| world.readings[node].role().map_or("unread", Role::as_str);
    Failure::new(code, expected.describe(), format!("node `a` {}, node `b` {}", role(NodeId::A), role(NodeId::B)))
}

pub fn both_primary() -> Failure {
    Failure::new("role_conflict", "one primary at most", "both nodes primary")
}

/// The expected version and build, healthy, no longer updating.
fn updated(run: &Run, node: NodeId, hop: u32, since: Timestamp, world: &World) -> Proof {
    let reading = &world.readings[node];
    let Some(current) = &reading.current else {
        return not_yet(format!("node `{node}` to answer again; a box that is silent while it updates is healthy"));
    };
    if current.updating {
        return not_yet(format!("node `{node}` to finish its update"));
    }
    let target = &run.plan.target_of(hop).version;
    if current.version != *target {
        let before = run.expected_version(node);
        let as_before = current.version == before.version && !is_foreign(before.build.as_deref(), current.build.as_deref());
        if as_before || !reading.proven_after(since) {
            return not_yet(format!("version {target} on node `{node}`; it shows {}", current.version));
        }
        let build = current.build.as_ref().map(|build| format!(", build {build}")).unwrap_or_default();
        let found = format!("version {}{build}", current.version);
        return Proof::Failed(Failure::new("wrong_version", format!("version {target} on node `{node}`"), found).at(node));
    }
    if !reading.proven_after(since) || !reading.healthy_twice() {
        return not_yet(format!("two healthy readings of node `{node}` on {target}"));
    }
    match wrong_build(run.build_of(hop), node, current.build.as_deref()) {
        Some(failure) => Proof::Failed(failure),
        None => Proof::Done(Evidence::Version { version: current.version.to_string(), build: current.build.clone() }),
    }
}

/// A person began the update they were told of, and it failed: the node was silent for longer than any restart takes, and is back
/// on its old version. The instruction must not stand as if nobody had begun.
pub fn came_back(run: &Run, step: &Step, world: &World) -> Option<Failure> {
    let (Kind::Update, Some(node), Some(act)) = (step.kind, step.node, run.act.as_ref()) else { return None };
    let reading = &world.readings[node];
    let (from, until) = reading.last_silence.filter(|(from, _)| *from >= act.since)?;
    let silent = until.duration_since(from);
    let current = reading.current.as_ref().filter(|current| current.version == run.expected_version(node).version)?;
    let failed = silent > run.plan.policy.max_silence && reading.healthy_twice() && reading.proven_after(until);
    let found = || format!("it was silent for {} min and runs {} still", silent.as_mins(), current.version);
    let target = &run.plan.target_of(step.hop).version;
    failed.then(|| Failure::new("step_failed", format!("version {target} on node `{node}`"), found()).at(node))
}

/// On the version that it had before, but a build that it did not have: something else was installed.
fn is_foreign(before: Option<&str>, build: Option<&str>) -> bool {
    before.is_some() && build.is_some() && before != build
}

fn wrong_build(expected: Option<String>, node: NodeId, found: Option<&str>) -> Option<Failure> {
    let (expected, found) = (expected?, found?);
    let failure =
        || Failure::new("wrong_version", format!("build {expected} on node `{node}`"), format!("build {found}")).at(node);
    (expected != found).then(failure)
}

/// Roles as asked, then one newer good sync (R1, R6).
fn established(run: &Run, primary: NodeId, act: &Act, world: &World) -> Proof {
    let link = world.link();
    if link == (Link::Linked { primary: primary.other() }) {
        return Proof::Failed(reversed(primary));
    }
    if link == Link::BothPrimary {
        return Proof::Failed(both_primary());
    }
    if link == Link::Half && world.now.duration_since(act.since) > run.plan.limit(Kind::EstablishFailover) {
        return Proof::Failed(half("half_established", Link::Linked { primary }, world));
    }
    let young = NodeId::BOTH.into_iter().all(|node| world.readings[node].proven_after(act.since));
    if link != (Link::Linked { primary }) || !young {
        return not_yet(format!("node `{primary}` primary and node `{}` standby; now: {}", primary.other(), link.describe()));
    }
    let reading = &world.readings[primary];
    let skew = skew(run, primary, world);
    let is_new = |sync: &SyncFact| Some(sync) != act.baseline.sync.as_ref() && is_later(sync, act.since, skew);
    let Some(sync) = reading.sync().filter(|_| reading.shows_twice(is_new)) else {
        return not_yet(format!("the first sync from node `{primary}`"));
    };
    match is_good(run, sync) {
        Ok(()) => Proof::Done(Evidence::Sync { sync: sync.clone(), asked_at: act.since }),
        // A failed one that a person has seen, and resumed from, is not held against the run again.
        Err(_) if sync.at <= waiting_since(run, act) + skew => {
            not_yet(format!("a sync from node `{primary}` that is newer than the failed one"))
        }
        Err(failure) => Proof::Failed(failure.at(primary)),
    }
}

/// Established by a person: linked from the survivor, and a good sync since the break.
pub fn linked_by_hand(run: &Run, primary: NodeId, world: &World) -> Option<Evidence> {
    let reading = &world.readings[primary];
    let sync = reading.sync().filter(|sync| run.broken_at.is_some_and(|broken| sync.at > broken))?;
    let proven = world.link() == Link::Linked { primary } && is_good(run, sync).is_ok();
    proven.then(|| Evidence::Sync { sync: sync.clone(), asked_at: sync.at })
}

fn waiting_since(run: &Run, act: &Act) -> Timestamp {
    match run.phase {
        Phase::Waiting { since, .. } => since,
        _ => act.since,
    }
}

/// R8: the link runs the wrong way; a sync over it would overwrite the survivor.
pub fn reversed(primary: NodeId) -> Failure {
    let found = format!("node `{}` is primary: its next sync overwrites node `{primary}`; break the link now", primary.other());
    Failure::new("role_conflict", format!("node `{primary}` primary"), found)
}

/// Users and sessions zero (BG-02). A program that tells neither is taken at its word once it accepted the drain. Where sessions
/// were ended, those who are logged in still have none, and lose nothing.
fn emptied(node: NodeId, act: &Act, world: &World) -> Proof {
    let reading = &world.readings[node];
    let Some(current) = reading.current.as_ref().filter(|_| reading.proven_after(act.since)) else {
        return not_yet(format!("a reading of node `{node}` that is younger than the order"));
    };
    match (current.users, current.sessions) {
        (None, None) if act.accepted && !act.baseline.ending => {
            Proof::Done(Evidence::seen("the driver accepted the drain and tells no counts"))
        }
        (users, Some(0)) if act.baseline.ending => {
            let left = Counts { users, sessions: Some(0) };
            Proof::Done(Evidence::Drained { left, found: format!("sessions were ended; left: {}", left.describe()) })
        }
        (None, None) => not_yet(format!("counts of users and sessions of node `{node}`; it tells none")),
        (users, sessions) if users.unwrap_or(0) == 0 && sessions.unwrap_or(0) == 0 => {
            let was = act.baseline.people.map(|people| format!("; {} when it was asked", people.describe()));
            let found = format!("no users and no sessions{}", was.unwrap_or_default());
            Proof::Done(Evidence::Drained { left: Counts { users, sessions }, found })
        }
        (users, sessions) => {
            not_yet(format!("node `{node}` to empty: {} users, {} sessions", users.unwrap_or(0), sessions.unwrap_or(0)))
        }
    }
}

/// Who is on a node that drains, by a reading younger than the order; `None` where it can't be told.
pub fn left_on(run: &Run, step: &Step, act: &Act, world: &World) -> Option<Counts> {
    let node = step.node.unwrap_or(run.plan.primary);
    let left = world.people(node);
    let told = left.users.is_some() || left.sessions.is_some();
    (told && world.readings[node].proven_after(act.since)).then_some(left)
}

/// Takes no client any more, where the driver can try; no sessions left, where it tells.
fn closed(node: NodeId, act: &Act, world: &World) -> Proof {
    let reading = &world.readings[node];
    let Some(current) = reading.current.as_ref().filter(|_| reading.proven_after(act.since)) else {
        return not_yet(format!("a reading of node `{node}` that is younger than the order"));
    };
    match current.takes_clients {
        Some(true) => not_yet(format!("node `{node}` to refuse clients; it still takes them")),
        _ if current.sessions.unwrap_or(0) > 0 => not_yet(format!("the last sessions of node `{node}` to end")),
        Some(false) => Proof::Done(Evidence::seen("it takes no client and has no session")),
        None if act.accepted => {
            Proof::Done(Evidence::seen("the order was taken and it has no session; whether it takes clients can't be tried"))
        }
        None => not_yet(format!("a person's word at the gate `node_closed`: whether node `{node}` takes clients can't be tried")),
    }
}

/// Takes clients. Where a person opens it, that proves something only if it was seen to take none before: the daemon may be let
/// in where clients are not. A standby takes none whatever happens: there the taken order counts, or a person's word.
fn opened(node: NodeId, act: &Act, world: &World) -> Proof {
    let reading = &world.readings[node];
    let Some(current) = reading.current.as_ref().filter(|_| reading.proven_after(act.since)) else {
        return not_yet(format!("a reading of node `{node}` that is younger than the order"));
    };
    let ordered = act.instruction.is_none();
    match current.takes_clients {
        None | Some(true) if ordered => Proof::Done(Evidence::seen("it is open to clients")),
        Some(true) if act.baseline.denied => Proof::Done(Evidence::seen("it is open to clients")),
        Some(false) if current.role != Role::Standby => not_yet(format!("node `{node}` to take clients")),
        Some(false) if act.accepted => Proof::Done(Evidence::seen("the order was taken; a standby takes no client")),
        _ => not_yet(format!(
            "a person's word at the gate `node_open`: whether node `{node}` takes clients can't be seen from here"
        )),
    }
}

/// Every entry's every server names the node, the box behind the name is it, and caches explain what resolvers say.
fn switched(run: &Run, to: NodeId, world: &World) -> Proof {
    if world.traffic.target() != Some(to) {
        let half = agreement::partly(&world.traffic).map(|partly| format!("{}; ", partly.describe(to))).unwrap_or_default();
        let now = world.traffic.describe();
        return not_yet(format!("`{}` to lead to node `{to}` everywhere; {half}now: {now}", run.plan.service));
    }
    if let Some(identity) = world.traffic.other_identity(&run.plan.nodes[to].identity) {
        return not_yet(format!("node `{to}` to answer at `{}`; box {identity} does", run.plan.service));
    }
    let lag = resolvers::lag(&world.traffic, to, clear_from(run));
    if !lag.unexplained.is_empty() {
        let lagging = lag.unexplained.join(", ");
        return not_yet(format!("every resolver to lead to node `{to}`, as every server does; now: {lagging}"));
    }
    Proof::Done(Evidence::seen(with(led(run, world), &lag.explained)))
}

/// The switch is proven by every authoritative server, and only resolvers lag that nothing explains: they are named, and do not
/// keep the run for ever. Nothing that a run does makes them forget sooner.
pub fn switched_but(run: &Run, step: &Step, world: &World) -> Option<Evidence> {
    let to = step.node.filter(|to| step.kind == Kind::SwitchTraffic && world.traffic.target() == Some(*to))?;
    if world.traffic.other_identity(&run.plan.nodes[to].identity).is_some() {
        return None;
    }
    let lag = resolvers::lag(&world.traffic, to, clear_from(run));
    let named = [lag.unexplained, lag.explained].concat();
    (!named.is_empty()).then(|| Evidence::seen(with(led(run, world), &named)))
}

/// When a TTL that this run lowered has run out in every cache.
fn clear_from(run: &Run) -> Option<Timestamp> {
    run.ttl.as_ref()?.clear_from
}

fn with(found: String, more: &[String]) -> String {
    std::iter::once(found).chain(more.iter().cloned()).collect::<Vec<_>>().join("; ")
}

/// What the servers say, and for how long caches may say otherwise.
fn led(run: &Run, world: &World) -> String {
    let since = run.act.as_ref().map_or(world.now, |act| act.since);
    let caches = ttl::afterwards(run, since, world).map(|caches| format!("; {caches}")).unwrap_or_default();
    format!("{}{caches}", world.traffic.describe())
}

/// BG-20: linked as planned, equal, and the last sync was good.
fn in_sync(run: &Run, world: &World) -> Proof {
    let primary = run.plan.primary;
    let reading = &world.readings[primary];
    if world.link() == Link::Unknown {
        return not_yet("a reading of both nodes");
    }
    if world.link() != (Link::Linked { primary }) {
        let expected = Link::Linked { primary }.describe();
        return Proof::Failed(Failure::new("not_in_sync", expected, world.link().describe()));
    }
    match reading.sync().map(|sync| is_good(run, sync)) {
        Some(Err(failure)) => Proof::Failed(failure.at(primary)),
        Some(Ok(())) => {
            let at = reading.sync().map_or_else(String::new, |sync| sync.at.to_string());
            Proof::Done(Evidence::seen(format!("linked, node `{primary}` primary, last sync {at}")))
        }
        None => Proof::Done(Evidence::seen(format!("linked, node `{primary}` primary, no sync reported yet"))),
    }
}

/// Able to serve on the version it should have: two healthy readings since it was last touched, and taking clients
/// unless this run closed it.
fn verified(run: &Run, node: NodeId, world: &World) -> Proof {
    let reading = &world.readings[node];
    let record = &run.nodes[node];
    let since = record.touched_at.unwrap_or(run.started_at);
    let Some(current) = reading.current.as_ref() else {
        return not_yet(format!("node `{node}` to answer"));
    };
    let expected = run.expected_version(node);
    // A way home begins at what is observed: a version that this site knows, though no step of this run is known to have brought it.
    let known = run.is_ordered() && (current.version == run.plan.from.version || current.version == run.plan.to.version);
    if current.version != expected.version && !known {
        let found = format!("version {}", current.version);
        return Proof::Failed(
            Failure::new("wrong_version", format!("version {} on node `{node}`", expected.version), found).at(node),
        );
    }
    if !reading.proven_after(since) || !reading.healthy_twice() || current.role == Role::Standby {
        return not_yet(format!("two healthy readings of node `{node}`"));
    }
    if current.takes_clients == Some(false) && record.closed_at.is_none() {
        return not_yet(format!("node `{node}` to take a client for `{}`", run.plan.service));
    }
    let client = match (record.closed_at, current.takes_clients) {
        (Some(_), _) => "closed to clients by this run",
        (None, Some(_)) => "takes a client for the service's name",
        (None, None) => "whether it takes clients is the program's word",
    };
    let but = jump_clients::reservation(world, node);
    Proof::Done(Evidence::seen(format!("version {}, healthy twice, {client}{but}", current.version)))
}

/// Linked from the survivor, equal, healthy, and the name leads to it.
fn final_check(run: &Run, world: &World) -> Proof {
    let primary = run.survivor;
    if world.link() != (Link::Linked { primary }) {
        return not_yet(format!("{}; now: {}", Link::Linked { primary }.describe(), world.link().describe()));
    }
    if !NodeId::BOTH.into_iter().all(|node| world.readings[node].healthy_twice()) {
        return not_yet("two healthy readings of both nodes");
    }
    // A cached answer may be from before the last step's end, and the pair another one since.
    let since = run.progress.iter().filter_map(|progress| progress.done_at).max();
    let is_young = |read: &Observation| since.is_none_or(|since| read.is_after(since));
    if !NodeId::BOTH.into_iter().all(|node| world.readings[node].current.as_ref().is_some_and(is_young)) {
        return not_yet("readings of both nodes that are younger than the step before");
    }
    if world.has_traffic && world.traffic.target() != Some(primary) {
        return not_yet(format!("`{}` to lead to node `{primary}`; now: {}", run.plan.service, world.traffic.describe()));
    }
    // Home is two equal versions and a service: a person may have acknowledged another version, or closed the door, meanwhile.
    if let Some(failure) = unequal(world) {
        return Proof::Failed(failure);
    }
    if world.readings[primary].current.as_ref().is_some_and(|observation| observation.takes_clients == Some(false)) {
        return not_yet(format!("node `{primary}` to take a client for `{}`", run.plan.service));
    }
    let but = jump_clients::reservation(world, primary);
    Proof::Done(Evidence::seen(format!("linked, both healthy on {}, node `{primary}` serves{but}", run.plan.to.version)))
}

/// The versions of both nodes, if they differ.
fn unequal(world: &World) -> Option<Failure> {
    let [a, b] = NodeId::BOTH.map(|node| world.readings[node].current.as_ref());
    let (a, b) = (a?, b?);
    let differ = a.version != b.version || a.build.is_some() && b.build.is_some() && a.build != b.build;
    let found = || format!("node `a` runs {}, node `b` {}", a.version, b.version);
    differ.then(|| Failure::new("wrong_version", "equal versions and builds on both nodes", found()))
}

/// Until when an act that was sent may have its effect yet: only a reading from later shows that it had none. `None` for an
/// update, of which that is never concluded.
pub fn latest_effect(run: &Run, step: &Step, act: &Act, world: &World) -> Option<Timestamp> {
    // A lost answer leaves open when the act took effect: at the latest when the doubt arose.
    let doubted = match run.phase {
        Phase::InDoubt { since, .. } => since,
        _ => act.since,
    };
    match step.kind {
        Kind::Update => None,
        Kind::ForceSync | Kind::BreakFailover | Kind::EstablishFailover => Some(act.since + run.plan.may_take(step.kind)),
        Kind::SwitchTraffic | Kind::LowerTtl | Kind::RestoreTtl => Some(act.since + world.settling),
        Kind::Drain | Kind::Quiesce | Kind::Reopen => {
            let node = step.node.unwrap_or(run.plan.primary);
            Some(doubted + world.readings[node].current.as_ref().map(|current| current.may_be_old).unwrap_or_default())
        }
        // Its files were not handed over: whatever lies there proves nothing.
        _ => Some(doubted),
    }
}

/// True if the readings prove that an act in doubt had no effect, so that it may be repeated without harm.
///
/// Acts that take time to show (sync, break, establish) are given their expected time first: "not done" is never
/// concluded from a reading that may be earlier than the effect. A link that is half way is no sign of "no effect".
pub fn had_no_effect(run: &Run, step: &Step, act: &Act, world: &World) -> bool {
    let waited = world.now.duration_since(act.since);
    // A lost answer leaves open when the act took effect: at the latest when the doubt arose.
    let latest = match run.phase {
        Phase::InDoubt { since, .. } => since,
        _ => act.since,
    };
    let read = |node: NodeId| world.readings[node].proven_after(latest);
    match step.kind {
        Kind::Backup | Kind::ExtractData => true,
        Kind::Drain | Kind::Quiesce | Kind::Reopen => step.node.is_some_and(read),
        Kind::SwitchTraffic => {
            waited >= world.settling && world.traffic.target() == act.baseline.traffic && world.traffic.steady_count >= 2
        }
        Kind::LowerTtl | Kind::RestoreTtl => waited >= world.settling && ttl::is_untouched(run, step, world),
        Kind::ForceSync | Kind::BreakFailover | Kind::EstablishFailover => {
            let before =
                if step.kind == Kind::EstablishFailover { Link::Broken } else { Link::Linked { primary: run.plan.primary } };
            waited >= run.plan.may_take(step.kind) && world.link() == before && NodeId::BOTH.into_iter().all(read)
        }
        _ => false,
    }
}

/// True if the order certainly had its effect, though what must follow it is not proven: repeating it would be wrong, and the
/// run goes on looking for the proof once a person resumes it.
pub fn keeps_its_act(step: &Step, failure: &Failure) -> bool {
    match step.kind {
        Kind::BreakFailover => failure.code == "half_broken",
        Kind::EstablishFailover => matches!(failure.code, "half_established" | "sync_failed" | "sync_status_unknown"),
        _ => false,
    }
}
