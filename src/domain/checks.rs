//! The preflight: every check with what it expects, what it found and what helps. It reads and never changes anything.

mod expiry;

use jiff::Timestamp;
use serde::Serialize;

use super::facts::Link;
use super::ids::{NodeId, PerNode};
use super::proof::Failure;
use super::run::Run;
use super::site::{Node, Observation, Policy, Site};
use super::world::World;

/// A check's result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Pass,
    Warn,
    Fail,
    /// It could not be told.
    Unknown,
    /// Only a person can tell.
    Person,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    pub name: &'static str,
    pub node: Option<NodeId>,
    pub result: Outcome,
    pub expected: String,
    pub found: String,
    pub at: Timestamp,
    pub remedy: String,
}

/// What is checked: a site, or a run's own copy of its facts.
struct Subject<'a> {
    service: &'a str,
    nodes: &'a PerNode<Node>,
    policy: &'a Policy,
    /// The node that must be primary; any where none is planned yet.
    primary: Option<NodeId>,
    /// The end of window two, where it is planned.
    until: Option<Timestamp>,
}

/// The checks of a site, for `changeover check` and before a start.
pub fn of_site(site: &Site, world: &World) -> Vec<Check> {
    all(&Subject { service: &site.service, nodes: &site.nodes, policy: &site.policy, primary: None, until: None }, world)
}

/// The checks of a run's preflight step.
pub fn of_run(run: &Run, world: &World) -> Vec<Check> {
    let plan = &run.plan;
    all(
        &Subject {
            service: &plan.service,
            nodes: &plan.nodes,
            policy: &plan.policy,
            primary: Some(plan.primary),
            until: run.windows.second.as_ref().map(|window| window.to),
        },
        world,
    )
}

/// Fail before unknown before pass; warnings and what only a person can tell stop nothing here.
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

/// The first check that stands against a start, as a failure with the check's name as code.
pub fn first_failure(checks: &[Check]) -> Failure {
    let bad = |result| checks.iter().find(|check| check.result == result);
    match bad(Outcome::Fail).or_else(|| bad(Outcome::Unknown)) {
        Some(check) => Failure { node: check.node, ..Failure::new(check.name, check.expected.clone(), check.found.clone()) },
        None => Failure::new("preflight_failed", "a check that failed", "none"),
    }
}

fn all(subject: &Subject<'_>, world: &World) -> Vec<Check> {
    let mut checks: Vec<Check> = NodeId::BOTH.into_iter().flat_map(|node| of_node(subject, node, world)).collect();
    checks.push(roles(subject, world));
    checks.extend(equality(world));
    checks.push(sync_age(subject, world));
    checks.extend(traffic(subject, world));
    checks.push(check(
        world,
        "automatic_failover",
        Outcome::Person,
        "off on both nodes from the forced sync until the first sync after re-establishing",
        "no interface tells; the run asks at its gate",
        "look at /login > Management > Failover on both nodes",
    ));
    checks
}

fn check(world: &World, name: &'static str, result: Outcome, expected: &str, found: impl Into<String>, remedy: &str) -> Check {
    let (expected, found, remedy) = (expected.to_owned(), found.into(), remedy.to_owned());
    Check { name, node: None, result, expected, found, at: world.now, remedy }
}

fn of_node(subject: &Subject<'_>, node: NodeId, world: &World) -> Vec<Check> {
    let reading = &world.readings[node];
    let Some(current) = &reading.current else {
        let found = reading.error.clone().unwrap_or_else(|| "not read".to_owned());
        let remedy = "check the node's address, its credentials and the way to it";
        return vec![Check {
            node: Some(node),
            ..check(world, "node_unreachable", Outcome::Unknown, "an answer", found, remedy)
        }];
    };
    let ends = expiry::of_node(subject, current, world);
    let mut checks = vec![identity(subject, node, current, world), health(current, world), clock(subject, current, world)];
    if current.role == super::site::Role::Primary && current.takes_clients == Some(false) {
        let remedy = "look at the node's site page and its certificate";
        checks.push(check(
            world,
            "not_serving",
            Outcome::Fail,
            "the primary takes a client for the service's name",
            "it does not",
            remedy,
        ));
    }
    checks.extend(ends);
    for check in &mut checks {
        check.node = Some(node);
        check.at = current.at;
    }
    checks
}

fn pass_if(good: bool) -> Outcome {
    if good { Outcome::Pass } else { Outcome::Fail }
}

fn identity(subject: &Subject<'_>, node: NodeId, current: &Observation, world: &World) -> Check {
    let expected = &subject.nodes[node].identity;
    let remedy = "check the node's address and `identity` in the site's file";
    check(world, "wrong_box", pass_if(*expected == current.identity), expected, &current.identity, remedy)
}

fn health(current: &Observation, world: &World) -> Check {
    let found = match (current.healthy, current.updating) {
        (_, true) => "it is updating",
        (true, false) => "healthy",
        (false, false) => "not healthy",
    };
    check(
        world,
        "unhealthy",
        pass_if(current.healthy && !current.updating),
        "healthy, not updating",
        found,
        "look at the node's own status page",
    )
}

fn clock(subject: &Subject<'_>, current: &Observation, world: &World) -> Check {
    let limit = subject.policy.max_clock_skew;
    let expected = format!("within {} s of the daemon's clock", limit.as_secs());
    let remedy = "set the node's and the daemon's clocks by NTP";
    match current.clock_skew {
        Some(skew) => {
            let found = format!("{:+} s", skew.as_secs());
            check(world, "clock_skew", pass_if(skew.abs() <= limit), &expected, found, remedy)
        }
        None => check(world, "clock_skew", Outcome::Pass, &expected, "the driver does not tell; taken as none", remedy),
    }
}

fn roles(subject: &Subject<'_>, world: &World) -> Check {
    let link = world.link();
    let (good, expected) = match subject.primary {
        Some(primary) => (link == Link::Linked { primary }, Link::Linked { primary }.describe()),
        None => (matches!(link, Link::Linked { .. }), "linked: one primary, one standby".to_owned()),
    };
    let result = if link == Link::Unknown { Outcome::Unknown } else { pass_if(good) };
    check(
        world,
        "roles",
        result,
        &expected,
        link.describe(),
        "establish failover or resolve the conflict first, by the vendor's guide",
    )
}

fn equality(world: &World) -> Vec<Check> {
    let (Some(a), Some(b)) = (&world.readings.a.current, &world.readings.b.current) else { return Vec::new() };
    let remedy = "bring both nodes to one version and build first";
    let versions = check(
        world,
        "versions_differ",
        pass_if(a.version == b.version),
        "one version on both nodes",
        format!("a {}, b {}", a.version, b.version),
        remedy,
    );
    let same_build = a.build.is_none() || b.build.is_none() || a.build == b.build;
    let text = |build: &Option<String>| build.clone().unwrap_or_else(|| "not told".to_owned());
    let builds = check(
        world,
        "builds_differ",
        pass_if(same_build),
        "one build on both nodes",
        format!("a {}, b {}", text(&a.build), text(&b.build)),
        remedy,
    );
    vec![versions, builds]
}

/// BG-20. A pair that reports no sync yet passes with a warning: the forced sync of window one proves it.
fn sync_age(subject: &Subject<'_>, world: &World) -> Check {
    let limit = subject.policy.max_sync_age;
    let expected = format!("a good sync at most {} s old", limit.as_secs());
    let remedy = "run the check again after a sync, or raise `policy.max_sync_age`";
    let Link::Linked { primary } = world.link() else {
        return check(world, "sync_too_old", Outcome::Unknown, &expected, "the pair is not linked", remedy);
    };
    let Some(sync) = world.readings[primary].sync() else {
        return check(world, "sync_too_old", Outcome::Warn, &expected, "the primary reports no sync yet", remedy);
    };
    let age = world.now.duration_since(sync.at);
    let status = sync.status.as_deref().unwrap_or("no status text");
    let found = format!("{} s old, {status}", age.as_secs());
    let known =
        sync.status.as_ref().is_none_or(|text| subject.policy.sync_ok_statuses.iter().any(|ok| ok.eq_ignore_ascii_case(text)));
    let mut result = match (sync.ok, known) {
        (Some(false), _) => check(world, "sync_failed", Outcome::Fail, &expected, found, "look at the pair's failover page"),
        (_, false) => check(
            world,
            "sync_status_unknown",
            Outcome::Warn,
            &expected,
            found,
            "add the text to `policy.sync_ok_statuses` if it is good",
        ),
        _ => check(world, "sync_too_old", pass_if(age <= limit), &expected, found, remedy),
    };
    result.node = Some(primary);
    result
}

fn traffic(subject: &Subject<'_>, world: &World) -> Option<Check> {
    if !world.has_traffic {
        return None;
    }
    let Link::Linked { primary } = world.link() else { return None };
    let expected =
        format!("`{}` leads to node `{primary}`, {}, on every server", subject.service, subject.nodes[primary].address);
    let result = match world.traffic.target() {
        Some(target) => pass_if(target == primary),
        None if world.traffic.looks.iter().all(Result::is_ok) => Outcome::Fail,
        None => Outcome::Unknown,
    };
    let remedy = "check the site's `[[traffic]]` entries against the zone's servers";
    Some(check(world, "traffic", result, &expected, world.traffic.describe(), remedy))
}
