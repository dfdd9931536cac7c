//! The preflight: every check with what it expects, what it found and what helps. It reads and never changes anything.
//!
//! The same checks are made of a site (`changeover check`, and before a start) and of a run (its preflight step, every night while it
//! waits); a run expects the pair as the run has left it.

mod accept;
mod expiry;
mod nightly;
mod subject;
mod table;
mod traffic;

use jiff::Timestamp;

use super::action::Kind;
use super::backups;
use super::check::{Check, Outcome};
use super::crossing;
use super::facts::Link;
use super::gate::Gate;
use super::ids::{NodeId, PerNode, RunId};
use super::plan::{Package, Sizes};
use super::proof::Failure;
use super::run::Run;
use super::site::{Observation, Role, Site, SyncFact};
use super::step::Step;
use super::version::Target;
use super::world::World;
pub use accept::{NotAcceptable, describe, failure, find, unaccepted};
pub use nightly::{Change, changes, findings, is_due, latest};
use subject::{Subject, based, check, pass_if};
pub use table::{Lifetime, Row, TABLE, beside, remedy, row};

/// The checks of a site, for `changeover check` and before a start. `sizes`: what the boxes' last files took. `open`: its run that
/// is not finished.
pub fn of_site(site: &Site, world: &World, sizes: &PerNode<Sizes>, open: Option<&RunId>) -> Vec<Check> {
    let Site { name, service, nodes, policy, .. } = site;
    let (link, serving, versions, until) = (None, None, None, None);
    let subject = Subject { site: name, open, service, nodes, policy, link, serving, versions, syncs_anew: false, until };
    let mut checks = all(&subject, world);
    checks.extend(disk_space(backups::needed_by_site(sizes), world));
    completed(checks, &subject)
}

/// The checks of a run: of its preflight step, and every night while it waits.
pub fn of_run(run: &Run, world: &World) -> Vec<Check> {
    let subject = subject_of(run);
    let mut checks = all(&subject, world);
    checks.extend(of_plan(run, world));
    completed(checks, &subject)
}

/// As [`of_run`], by name, node and result only: how long each is good for and what helps is not worked out, nor the agreement,
/// which follows from others, and what only a person can tell. A gate is compared with what it showed at every decision.
pub fn results(run: &Run, world: &World) -> Vec<Check> {
    let mut checks = of_pair(&subject_of(run), world);
    checks.extend(of_plan(run, world));
    checks
}

/// What only a run has: its packages, room for its files, its versions, and what its traffic entries answered.
fn of_plan(run: &Run, world: &World) -> impl Iterator<Item = Check> {
    let own = package(run, world).into_iter().chain(disk_space(backups::needed(run), world)).chain(crossing(run, world));
    own.chain(traffic::access(run, world))
}

fn subject_of(run: &Run) -> Subject<'_> {
    let plan = &run.plan;
    let unlinked = run.unprotected_since().is_some();
    let primary = if run.protected_at.is_some() { run.survivor } else { plan.primary };
    Subject {
        site: &run.id.site,
        open: Some(&run.id),
        service: &plan.service,
        nodes: &plan.nodes,
        policy: &plan.policy,
        link: Some(if unlinked { Link::Broken } else { Link::Linked { primary } }),
        serving: Some(run.serving()),
        versions: unlinked.then(|| PerNode::new(|node| run.expected_version(node))),
        syncs_anew: plan.steps.iter().any(|step| step.kind == Kind::ForceSync),
        until: run.windows.second.as_ref().map(|window| window.to),
    }
}

/// The run's own copies of the packages, where somebody has looked at it and an update is still to come.
fn package(run: &Run, world: &World) -> Option<Check> {
    let needed = packages(run).len();
    let found = world.package.as_ref().filter(|_| needed > 0)?;
    let expected = format!("{needed} packages as they were planned");
    let text = found.as_ref().err().cloned().unwrap_or_else(|| "all there, unchanged".to_owned());
    Some(check(world, "package_changed", pass_if(found.is_ok()), &expected, text))
}

/// BG-01: room for the backups and extractions that are still to come.
fn disk_space(needed: u64, world: &World) -> Option<Check> {
    let free = world.free?;
    let good = free >= needed;
    let expected = format!("{needed} bytes free in the state folder: twice what the last files took, and a reserve");
    let check = check(world, "disk_space", pass_if(good), &expected, format!("{free} bytes"));
    // What is free is another number each time.
    Some(based(check, if good { "enough" } else { "too little" }))
}

/// BG-51: whether those who read session data are ready is asked at a gate. A procedure without it leaves a warning to accept.
fn crossing(run: &Run, world: &World) -> Option<Check> {
    let plan = &run.plan;
    if !crossing::crosses(&plan.from.version, &plan.to.version) {
        return None;
    }
    let asks = plan.steps.iter().any(|step| step.gate == Some(Gate::LsidChange));
    let result = if asks { Outcome::Person } else { Outcome::Warn };
    let found = if asks { "the run asks at its gate `lsid_change`" } else { "the procedure does not ask" };
    Some(check(world, "lsid_change", result, "those who read session data are ready for the session ids of 10.6", found))
}

/// The packages of the updates that are still to come, each once.
pub fn packages(run: &Run) -> Vec<&Package> {
    let undone =
        |step: &&Step| step.kind == Kind::Update && run.progress_of(step).is_some_and(|progress| progress.done_at.is_none());
    let mut packages: Vec<&Package> = run.plan.steps.iter().filter(undone).map(|step| run.plan.package_of(step.hop)).collect();
    packages.retain(|package| !package.sha256.is_empty());
    packages.sort_by_key(|package| &package.sha256);
    packages.dedup_by_key(|package| &package.sha256);
    packages
}

/// Fail before unknown before pass; warnings are accepted one by one, and what only a person can tell is asked at gates.
pub fn verdict(checks: &[Check]) -> Outcome {
    let has = |result| checks.iter().any(|check| check.result == result);
    if has(Outcome::Fail) {
        Outcome::Fail
    } else if has(Outcome::Unknown) {
        Outcome::Unknown
    } else {
        Outcome::Pass
    }
}

/// How many checks there are of each result, for the journal.
pub fn summary(checks: &[Check]) -> String {
    let all = [Outcome::Pass, Outcome::Warn, Outcome::Fail, Outcome::Unknown, Outcome::Person];
    let count = |result: Outcome| (result, checks.iter().filter(|check| check.result == result).count());
    let told = all.into_iter().map(count).filter(|(_, count)| *count > 0);
    told.map(|(result, count)| format!("{count} {}", result.word())).collect::<Vec<_>>().join(", ")
}

/// The first check that stands against a start, as a failure with the check's name as code.
pub fn first_failure(checks: &[Check]) -> Failure {
    let bad = |result| checks.iter().find(|check| check.result == result);
    match bad(Outcome::Fail).or_else(|| bad(Outcome::Unknown)) {
        Some(check) => Failure { node: check.node, ..Failure::new(check.name, check.expected.clone(), check.found.clone()) },
        None => Failure::new("preflight_failed", "a check that failed", "none"),
    }
}

fn all(subject: &Subject<'_>, world: &World) -> Vec<Check> {
    let mut checks = of_pair(subject, world);
    checks.extend(traffic::agreement(subject, world));
    let expected = "off on both nodes from the forced sync until the first sync after re-establishing";
    checks.push(check(world, "automatic_failover", Outcome::Person, expected, "no interface tells; the run asks at its gate"));
    checks
}

/// What the boxes and the name servers say.
fn of_pair(subject: &Subject<'_>, world: &World) -> Vec<Check> {
    let mut checks: Vec<Check> = NodeId::BOTH.into_iter().flat_map(|node| of_node(subject, node, world)).collect();
    checks.push(roles(subject, world));
    match &subject.versions {
        Some(expected) => checks.extend(NodeId::BOTH.into_iter().filter_map(|node| version(node, &expected[node], world))),
        None => checks.extend(equality(world)),
    }
    checks.extend(sync(subject, world));
    checks.extend(traffic::leads(subject, world));
    checks
}

/// With what the table says of each.
fn completed(checks: Vec<Check>, subject: &Subject<'_>) -> Vec<Check> {
    let completed = |check: Check| {
        let lifetime = row(check.name).map_or(Lifetime::Reading, |row| row.lifetime).of(subject.policy);
        let valid_until = check.at.checked_add(lifetime).unwrap_or(Timestamp::MAX);
        let remedy = table::remedy(check.name, check.result, subject.site, subject.open);
        Check { valid_until, remedy, ..check }
    };
    checks.into_iter().map(completed).collect()
}

fn of_node(subject: &Subject<'_>, node: NodeId, world: &World) -> Vec<Check> {
    let reading = &world.readings[node];
    let Some(current) = &reading.current else {
        let found = reading.error.clone().unwrap_or_else(|| "not read".to_owned());
        let unread = match reading.refused_since {
            Some(_) => based(check(world, "access_refused", Outcome::Unknown, "an answer to its credentials", found), "refused"),
            None => based(check(world, "node_unreachable", Outcome::Unknown, "an answer", found), "no answer"),
        };
        return vec![Check { node: Some(node), ..unread }];
    };
    let mut checks = vec![
        identity(subject, node, current, world),
        health(current, world),
        clock(subject, current, world),
        people(current, world),
    ];
    let serves = subject.serving.map_or(current.role == Role::Primary, |serving| serving == node);
    if serves && current.takes_clients == Some(false) {
        let expected = "the node that serves takes a client for the service's name";
        checks.push(check(world, "not_serving", Outcome::Fail, expected, "it does not"));
    }
    checks.extend(expiry::of_node(subject, current, world));
    for check in &mut checks {
        check.node = Some(node);
        check.at = current.at;
    }
    checks
}

fn identity(subject: &Subject<'_>, node: NodeId, current: &Observation, world: &World) -> Check {
    let expected = &subject.nodes[node].identity;
    check(world, "wrong_box", pass_if(*expected == current.identity), expected, &current.identity)
}

fn health(current: &Observation, world: &World) -> Check {
    let found = match (current.healthy, current.updating) {
        (_, true) => "it is updating",
        (true, false) => "healthy",
        (false, false) => "not healthy",
    };
    check(world, "unhealthy", pass_if(current.healthy && !current.updating), "healthy, not updating", found)
}

fn clock(subject: &Subject<'_>, current: &Observation, world: &World) -> Check {
    let limit = subject.policy.max_clock_skew;
    let expected = format!("within {} s of the daemon's clock", limit.as_secs());
    match current.clock_skew {
        Some(skew) => {
            let (good, found) = (skew.abs() <= limit, format!("{:+} s", skew.as_secs()));
            based(check(world, "clock_skew", pass_if(good), &expected, found), if good { "within" } else { "beyond" })
        }
        None => check(world, "clock_skew", Outcome::Pass, &expected, "the driver does not tell; taken as none"),
    }
}

/// BG-02: nothing is wrong with any number; the operator sees who would be thrown out.
fn people(current: &Observation, world: &World) -> Check {
    let told = |count: Option<u32>| count.map_or_else(|| "an untold number of".to_owned(), |count| count.to_string());
    let found = format!("{} users, {} sessions", told(current.users), told(current.sessions));
    based(check(world, "people", Outcome::Pass, "any number, as few as can be in a window", found), "")
}

fn roles(subject: &Subject<'_>, world: &World) -> Check {
    let link = world.link();
    let (good, expected) = match subject.link {
        Some(expected) => (link == expected, expected.describe()),
        None => (matches!(link, Link::Linked { .. }), "linked: one primary, one standby".to_owned()),
    };
    let result = if link == Link::Unknown { Outcome::Unknown } else { pass_if(good) };
    check(world, "roles", result, &expected, link.describe())
}

fn equality(world: &World) -> Vec<Check> {
    let (Some(a), Some(b)) = (&world.readings.a.current, &world.readings.b.current) else { return Vec::new() };
    let same = pass_if(a.version == b.version);
    let found = format!("a {}, b {}", a.version, b.version);
    let versions = check(world, "versions_differ", same, "one version on both nodes", found);
    let same_build = a.build.is_none() || b.build.is_none() || a.build == b.build;
    let text = |build: &Option<String>| build.clone().unwrap_or_else(|| "not told".to_owned());
    let found = format!("a {}, b {}", text(&a.build), text(&b.build));
    vec![versions, check(world, "builds_differ", pass_if(same_build), "one build on both nodes", found)]
}

/// Between the windows the nodes run different versions, each the one that the run has left it with.
fn version(node: NodeId, expected: &Target, world: &World) -> Option<Check> {
    let current = world.readings[node].current.as_ref()?;
    let same_build = expected.build.is_none() || current.build.is_none() || expected.build == current.build;
    let found = Target { version: current.version.clone(), build: current.build.clone() }.to_string();
    let good = pass_if(current.version == expected.version && same_build);
    Some(Check { node: Some(node), at: current.at, ..check(world, "wrong_version", good, &expected.to_string(), found) })
}

/// BG-20. A pair that reports no sync yet passes with a warning: the forced sync of window one proves it. An unlinked pair has none.
fn sync(subject: &Subject<'_>, world: &World) -> Option<Check> {
    if subject.link == Some(Link::Broken) {
        return None;
    }
    let expected = format!("a good sync at most {} s old", subject.policy.max_sync_age.as_secs());
    let primary = match world.link() {
        Link::Linked { primary } => primary,
        Link::Unknown => return Some(check(world, "sync_too_old", Outcome::Unknown, &expected, Link::Unknown.describe())),
        _ => return Some(check(world, "sync_too_old", Outcome::Unknown, &expected, "the pair is not linked")),
    };
    let result = match world.readings[primary].sync() {
        Some(sync) => of_sync(subject, sync, &expected, world),
        None => check(world, "sync_too_old", Outcome::Warn, &expected, "the primary reports no sync yet"),
    };
    Some(Check { node: Some(primary), ..result })
}

fn of_sync(subject: &Subject<'_>, sync: &SyncFact, expected: &str, world: &World) -> Check {
    let policy = subject.policy;
    let age = world.now.duration_since(sync.at);
    let status = sync.status.as_deref().unwrap_or("no status text");
    let known = sync.status.as_ref().is_none_or(|text| policy.sync_ok_statuses.iter().any(|ok| ok.eq_ignore_ascii_case(text)));
    let ahead = sync.is_ahead(world.now, policy);
    let young = age <= policy.max_sync_age || subject.syncs_anew;
    let (name, result) = match (sync.ok, known) {
        (Some(false), _) => ("sync_failed", Outcome::Fail),
        // No acceptance of the status makes good that nobody knows when the sync was.
        _ if ahead => ("sync_too_old", Outcome::Fail),
        (_, false) => ("sync_status_unknown", Outcome::Warn),
        _ => ("sync_too_old", pass_if(young)),
    };
    if ahead {
        let found = format!("dated {} s later than now by the daemon's clock, {status}", -age.as_secs());
        return based(check(world, name, result, expected, found), format!("{status}, later than now"));
    }
    based(check(world, name, result, expected, format!("{} s old, {status}", age.as_secs())), status)
}
