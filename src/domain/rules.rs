//! The promises R1 to R17 as functions over [`Facts`].
//!
//! Each is checked by the same function in three places: before every action at run time, when a procedure is loaded,
//! and in the tests that walk through all states. R12 and R14 are kept by the fleet (one run a site), the store's lock and
//! the order *record, then act*, and have no function over facts.

#[cfg(feature = "test-mutation")]
pub mod mutation;

use super::action::{Impact, Kind, When};
use super::facts::{Facts, Known, Link, SettingsFact, TtlFact, WindowFact};
use super::gate::Gate;
use super::ids::NodeId;
use super::rule::Rule;
use super::step::Step;

/// A rule that a step would break, with what it asks and what stands against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub rule: Rule,
    pub expected: String,
    pub found: String,
    pub cure: Cure,
}

/// What may lift a violation without a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cure {
    /// Nothing: a person must look.
    Person,
    /// A reading that is missing now.
    Reading,
    /// Time: the window's begin or the soak's end.
    Time,
    /// Another window two, or somebody who is responsible for it: a person's word, and not about this step.
    Booking,
    /// An earlier step of this kind, done once more (on this node, where the action has one).
    Renew(Kind, Option<NodeId>),
}

type Verdict = Result<(), Violation>;

fn broken(rule: Rule, expected: impl Into<String>, found: impl Into<String>, cure: Cure) -> Verdict {
    Err(Violation { rule, expected: expected.into(), found: found.into(), cure })
}

/// The rules in the order in which they are asked: first what can't be known, then what must not be, last what only needs time.
const RULES: &[fn(&Step, &Facts) -> Verdict] = &[
    known_box,
    confirmed,
    rehearsed,
    in_window,
    second_booked,
    no_autopilot,
    no_overwrite,
    one_serves,
    unlinked_update,
    one_at_a_time,
    known_path,
    backed_up,
    fresh_sync,
    no_gap,
    equal_versions,
    serves_first,
    caches_forgot,
];

/// Every rule that `step` would break if it began with these facts, the weightiest first.
pub fn violations(step: &Step, facts: &Facts) -> Vec<Violation> {
    broken_by(step, facts).collect()
}

/// Whether `step` would break no rule.
pub fn allow(step: &Step, facts: &Facts) -> bool {
    broken_by(step, facts).next().is_none()
}

fn broken_by<'a>(step: &'a Step, facts: &'a Facts) -> impl Iterator<Item = Violation> + 'a {
    let found = RULES.iter().filter_map(|rule| rule(step, facts).err());
    // A booking can always be made; there is nothing to waive.
    let found = found.filter(|violation| violation.cure == Cure::Booking || !facts.waived.contains(&violation.rule));
    #[cfg(feature = "test-mutation")]
    let found = found.filter(|violation| !mutation::is_off(violation.rule));
    found
}

/// R1: failover is broken only after a proven sync.
fn fresh_sync(step: &Step, facts: &Facts) -> Verdict {
    if step.kind == Kind::BreakFailover && !facts.fresh_sync && !facts.is_repair() {
        let expected = "a good sync that began after this run asked for it and is younger than `policy.max_sync_age`";
        return broken(Rule::R1, expected, "none is proven", Cure::Renew(Kind::ForceSync, None));
    }
    Ok(())
}

/// R2: a disruptive act on a node begins only while the other is able to serve, or the node itself is not.
fn one_at_a_time(step: &Step, facts: &Facts) -> Verdict {
    let (Kind::Update | Kind::Quiesce, Some(node)) = (step.kind, step.node) else { return Ok(()) };
    let other = node.other();
    if facts.able_to_serve(other) || facts.out_of_service(node) {
        return Ok(());
    }
    let cure = cure_of_unable(facts, other);
    broken(Rule::R2, format!("node `{other}` able to serve while node `{node}` is disturbed"), facts.unable(other), cure)
}

fn cure_of_unable(facts: &Facts, node: NodeId) -> Cure {
    match facts.nodes[node].known {
        Known::Unread(_) => Cure::Reading,
        Known::Yes if !facts.nodes[node].healthy || facts.serving.is_none() => Cure::Reading,
        _ => Cure::Person,
    }
}

/// R3: a disruptive act begins only inside its window, and only if it, at its worst, and the way back from it still fit.
fn in_window(step: &Step, facts: &Facts) -> Verdict {
    let bound = matches!(step.when, When::Window1 | When::Window2);
    let disruptive = step.kind.impact() >= Impact::Disruptive;
    if disruptive && !bound && !facts.ordered {
        let found = format!("`when = \"{}\"`", step.when.as_str());
        return broken(Rule::R3, format!("`{}` inside a window", step.kind), found, Cure::Person);
    }
    // An update restores no service: ordered or not, it keeps to its window.
    if !bound || facts.ordered && step.kind != Kind::Update {
        return Ok(());
    }
    match facts.window {
        WindowFact::NotYet => broken(Rule::R3, format!("{} has begun", step.when.as_str()), "it has not begun", Cure::Time),
        WindowFact::TooShort if disruptive => broken(
            Rule::R3,
            format!("`{}` and what must fit after it in the rest of {}", step.kind, step.when.as_str()),
            "that is too short, or over",
            Cure::Person,
        ),
        _ => Ok(()),
    }
}

/// R3: failover is broken only if window two, in which it is established again, is booked, fits, is free and is somebody's.
fn second_booked(step: &Step, facts: &Facts) -> Verdict {
    if step.kind != Kind::BreakFailover || facts.ordered || facts.second.is_empty() {
        return Ok(());
    }
    let lacks: Vec<String> = facts.second.iter().map(ToString::to_string).collect();
    let expected = "window two booked, long enough, outside every freeze, with somebody responsible, before failover is broken";
    broken(Rule::R3, expected, lacks.join("; "), Cure::Booking)
}

/// R4: no update without this run's own backup of the node, taken after it last served and was last updated; before
/// establish the survivor too has one.
fn backed_up(step: &Step, facts: &Facts) -> Verdict {
    let node = match step.kind {
        Kind::Update => step.node.unwrap_or(facts.first_primary),
        Kind::EstablishFailover => facts.survivor,
        _ => return Ok(()),
    };
    let outdated = step.kind == Kind::Update && step.hop > 0 && facts.nodes[node].outdated;
    if facts.nodes[node].backed_up && !outdated {
        return Ok(());
    }
    let expected = format!("this run's verified backup of node `{node}`, young enough and taken after it last served");
    let found = if outdated { "it was updated since" } else { "there is none" };
    broken(Rule::R4, expected, found, Cure::Renew(Kind::Backup, Some(node)))
}

/// R5: a package is installed only on the version that the plan names: the start, or what the hop before leads to.
fn known_path(step: &Step, facts: &Facts) -> Verdict {
    let (Kind::Update, Some(node)) = (step.kind, step.node) else { return Ok(()) };
    let (before, target) = (facts.before(step.hop), facts.reached(step.hop));
    if target <= before {
        return broken(Rule::R5, "a target newer than both nodes", format!("{target} is not newer than {before}"), Cure::Person);
    }
    match &facts.nodes[node].version {
        Some(version) if version == before => Ok(()),
        Some(version) => broken(Rule::R5, format!("node `{node}` on {before}"), format!("it runs {version}"), Cure::Person),
        None => broken(Rule::R5, format!("node `{node}` on {before}"), "its version can't be read", Cure::Reading),
    }
}

/// R6: failover is established only between equal versions and builds. From whom is R8's, on what link R17's, with which data R9's.
fn equal_versions(step: &Step, facts: &Facts) -> Verdict {
    if step.kind != Kind::EstablishFailover {
        return Ok(());
    }
    let (a, b) = (&facts.nodes.a, &facts.nodes.b);
    let (Some(version_a), Some(version_b)) = (&a.version, &b.version) else {
        return broken(Rule::R6, "the versions of both nodes", "one can't be read", Cure::Reading);
    };
    if version_a != version_b {
        return broken(Rule::R6, "equal versions", format!("node `a` runs {version_a}, node `b` {version_b}"), Cure::Person);
    }
    if a.build.is_some() && b.build.is_some() && a.build != b.build {
        let found = format!("node `a` has {}, node `b` {}", text(&a.build), text(&b.build));
        return broken(Rule::R6, "equal builds", found, Cure::Person);
    }
    Ok(())
}

fn text(build: &Option<String>) -> &str {
    build.as_deref().unwrap_or("no build")
}

/// R7: traffic moves only to a node that is able to serve and whose version this site has accepted.
fn serves_first(step: &Step, facts: &Facts) -> Verdict {
    let (Kind::SwitchTraffic, Some(to)) = (step.kind, step.node) else { return Ok(()) };
    if !facts.able_to_serve(to) {
        return broken(Rule::R7, format!("node `{to}` able to serve"), facts.unable(to), cure_of_unable(facts, to));
    }
    let node = &facts.nodes[to];
    if facts.known_to_work(to) {
        return Ok(());
    }
    let lacks = if facts.rejected { "rejected in production" } else { "not verified" };
    let found =
        node.version.as_ref().map_or_else(|| "an unread version".to_owned(), |version| format!("version {version}, {lacks}"));
    broken(Rule::R7, format!("node `{to}` on {} or, verified, on {}", facts.start, facts.target), found, Cure::Person)
}

/// R7: traffic moves only once every cache has forgotten the TTL that was lowered for it; and no earlier does anybody have to leave
/// the node that serves, is it closed, or a sync forced for the break that leads there (which is asked before the sync, since a
/// sync that waits proves nothing any more). Once that node is closed, waiting gives nobody the service back; and what a person
/// orders to restore it does not wait.
fn caches_forgot(step: &Step, facts: &Facts) -> Verdict {
    let hangs_on_it = matches!(step.kind, Kind::ForceSync | Kind::Drain | Kind::Quiesce | Kind::SwitchTraffic);
    let closed = facts.serving.is_some_and(|node| facts.nodes[node].closed);
    if !hangs_on_it || facts.ordered || closed {
        return Ok(());
    }
    match facts.ttl {
        TtlFact::Remembered { until } => broken(
            Rule::R7,
            "the TTL from before `lower_ttl` run out in every cache when the name moves",
            format!("caches may keep it until {until}, so that `{}` waits", step.kind),
            Cure::Time,
        ),
        TtlFact::Raised => broken(
            Rule::R7,
            "the TTL of the service's name as low as `lower_ttl` has proved it",
            "a server gives out a longer one",
            Cure::Renew(Kind::LowerTtl, None),
        ),
        TtlFact::AsItIs | TtlFact::Low | TtlFact::Restored => Ok(()),
    }
}

/// R8: through us no sync runs towards the survivor.
fn no_overwrite(step: &Step, facts: &Facts) -> Verdict {
    let survivor = facts.survivor;
    match (step.kind, facts.link) {
        (Kind::EstablishFailover, _) if step.node != Some(survivor) => {
            let found = format!("the step establishes it from node `{}`", survivor.other());
            broken(Rule::R8, format!("failover established from the survivor, node `{survivor}`"), found, Cure::Person)
        }
        (Kind::ForceSync, Link::Linked { primary }) if primary != survivor => broken(
            Rule::R8,
            format!("node `{survivor}` primary: a sync runs from primary to standby"),
            facts.link.describe(),
            Cure::Person,
        ),
        _ => Ok(()),
    }
}

/// R9: what a re-established link would not carry over is extracted, after the node was closed and directly before; below release
/// 10.6 also what ended on the node that serves, which then is not sure to survive (BG-50); which settings
/// it overwrites is known, where the interface tells, and acknowledged. A node that
/// traffic was taken from is closed before anything is taken from it or changed on it: it may have come back open.
fn no_gap(step: &Step, facts: &Facts) -> Verdict {
    let left = facts.survivor.other();
    let node = &facts.nodes[left];
    let used = matches!(step.kind, Kind::Update | Kind::ExtractData) && step.node == Some(left) && node.written;
    let linked = step.kind == Kind::EstablishFailover;
    if (used || linked) && !node.closed {
        return broken(Rule::R9, format!("node `{left}` closed to clients"), "it is open", Cure::Person);
    }
    if linked && !node.extracted {
        let expected = format!("the session data of node `{left}` extracted directly before");
        return broken(Rule::R9, expected, "they are not", Cure::Renew(Kind::ExtractData, Some(left)));
    }
    let kept = facts.survivor;
    if linked && facts.may_lose_ended && !facts.nodes[kept].copied {
        let expected =
            format!("the session data of node `{kept}` extracted too, not long before: the update began below 10.6 (BG-50)");
        return broken(Rule::R9, expected, "they are not", Cure::Renew(Kind::ExtractData, Some(kept)));
    }
    if linked && facts.settings == SettingsFact::Open {
        let expected = format!("the settings of node `{left}` compared with those at the break, and every line acknowledged");
        return broken(Rule::R9, expected, "they are not", Cure::Renew(Kind::CompareSettings, None));
    }
    Ok(())
}

/// R10: window two never begins before a person has accepted the new version and the soak is over; and on no way that a person
/// orders does the second node follow the first before, or a chain go on that stands between two packages: to finish it is to
/// resume the run.
fn confirmed(step: &Step, facts: &Facts) -> Verdict {
    let updated = |node: NodeId| facts.is_under_way(node) || facts.nodes[node].version.as_ref() == Some(&facts.target);
    let on = |node: NodeId| updated(node.other()) || step.hop > 0;
    let second = facts.ordered && step.kind == Kind::Update && step.node.is_some_and(on);
    if second && !facts.confirmed {
        return broken(Rule::R10, "the gate `production` accepted by a person", "it is open", Cure::Person);
    }
    if step.when < When::Window2 || facts.ordered || step.kind == Kind::FinalCheck && facts.link != Link::Broken {
        return Ok(());
    }
    if !facts.confirmed {
        return broken(Rule::R10, "the gate `production` accepted by a person", "it is open", Cure::Person);
    }
    if !facts.soaked {
        return broken(Rule::R10, "the soak ended", "it has not", Cure::Time);
    }
    Ok(())
}

/// R11: where the policy asks for it, the same path was gone on the rehearsal site before, and a person's word on that stands. What
/// a person orders to come home is not asked: the way on is better than a pair without failover.
fn rehearsed(step: &Step, facts: &Facts) -> Verdict {
    let asked = matches!(step.kind, Kind::BreakFailover | Kind::Update) && !facts.ordered;
    match facts.unrehearsed.as_ref().filter(|_| asked) {
        Some(found) => broken(Rule::R11, "a release of the rehearsal that counts now", found, Cure::Person),
        None => Ok(()),
    }
}

/// R13: every act is tied to one box by its identity.
fn known_box(step: &Step, facts: &Facts) -> Verdict {
    if !step.kind.acts() {
        return Ok(());
    }
    let both = matches!(step.kind, Kind::ForceSync | Kind::BreakFailover | Kind::EstablishFailover | Kind::Update);
    let nodes = NodeId::BOTH.into_iter().filter(|&node| both || step.node == Some(node));
    for node in nodes {
        match &facts.nodes[node].known {
            Known::Yes => {}
            Known::Unread(why) => {
                return broken(Rule::R13, format!("a fresh reading of node `{node}`"), format!("none: {why}"), Cure::Reading);
            }
            Known::WrongBox(found) => {
                return broken(Rule::R13, format!("the box of node `{node}`"), format!("another answers: {found}"), Cure::Person);
            }
        }
    }
    Ok(())
}

/// R15: a node is updated only while both nodes report no relationship; so nothing is linked, and nothing else updated, while an
/// update may be under way.
fn unlinked_update(step: &Step, facts: &Facts) -> Verdict {
    let unsettled = NodeId::BOTH.into_iter().find(|&node| facts.nodes[node].unsettled);
    if let (Kind::Update | Kind::EstablishFailover, Some(node)) = (step.kind, unsettled) {
        let found = "its answer was lost, and it may be under way; to resume the run after looking is your word that it is not";
        return broken(Rule::R15, format!("the update of node `{node}` settled"), found, Cure::Person);
    }
    match (step.kind, facts.link) {
        (Kind::Update, Link::Broken) => Ok(()),
        (Kind::Update, Link::Unknown) => broken(Rule::R15, Link::Broken.describe(), facts.link.describe(), Cure::Reading),
        (Kind::Update, link) => broken(Rule::R15, Link::Broken.describe(), link.describe(), Cure::Person),
        _ => Ok(()),
    }
}

/// R16: at most one node takes new sessions; the soak can't be accepted while the other does.
fn one_serves(step: &Step, facts: &Facts) -> Verdict {
    let left = facts.survivor.other();
    let accepts = step.kind == Kind::Soak || step.kind == Kind::Confirm && step.gate == Some(Gate::Production);
    if accepts && facts.nodes[left].stray {
        return broken(Rule::R16, format!("no sessions on node `{left}`"), "it has sessions or users", Cure::Reading);
    }
    Ok(())
}

/// R17: automatic failover is confirmed off, and both roles, read fresh, are the plan's.
fn no_autopilot(step: &Step, facts: &Facts) -> Verdict {
    let planned = match step.kind {
        Kind::BreakFailover if facts.is_repair() => return Ok(()),
        Kind::ForceSync | Kind::BreakFailover => Link::Linked { primary: facts.first_primary },
        Kind::EstablishFailover => Link::Broken,
        _ => return Ok(()),
    };
    if !facts.autopilot_off {
        let cure = Cure::Renew(Kind::Confirm, None);
        return broken(Rule::R17, "automatic failover confirmed off in this window", "it is not confirmed", cure);
    }
    if facts.link == planned {
        return Ok(());
    }
    let cure = if facts.link == Link::Unknown { Cure::Reading } else { Cure::Person };
    broken(Rule::R17, planned.describe(), facts.link.describe(), cure)
}
