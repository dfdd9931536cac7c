//! Every outcome that a step can have beside *done*, and what is then so: a row for each way to fail half-way.
//!
//! What *done* means is [`Facts::after`]. Lost answers need no row: the act then was done, refused, or stopped half-way.

use crate::domain::action::Kind;
use crate::domain::facts::{Facts, Known, Link};
use crate::domain::gate::Gate;
use crate::domain::ids::NodeId;
use crate::domain::site::Role;
use crate::domain::step::Step;
use crate::domain::version::Version;

/// How a step can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    Done,
    /// Nothing changed: refused, never reached, or a look that found something else.
    Refused,
    /// Stopped half-way.
    Failed,
    /// A person said no.
    Rejected,
    /// Evidence that the step needs lapsed before it began.
    Lapsed,
}

impl End {
    pub const ALL: [Self; 5] = [Self::Done, Self::Refused, Self::Failed, Self::Rejected, Self::Lapsed];

    /// A stable word for people and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Lapsed => "lapsed",
        }
    }
}

/// One outcome, with the state of the pair in which the run then rests.
pub struct Outcome {
    pub end: End,
    pub found: &'static str,
    pub facts: Facts,
}

/// Every outcome of a step that begins with these facts, but *done*.
pub fn of(step: &Step, facts: &Facts) -> Vec<Outcome> {
    let node = step.node.unwrap_or(facts.first_primary);
    let refused = Outcome { end: End::Refused, found: "nothing changed", facts: facts.clone() };
    let (end, found) = match (step.kind, step.gate) {
        (Kind::Confirm, Some(Gate::Production)) => (End::Rejected, vec![rejected as Change]),
        (Kind::ForceSync, _) => (End::Failed, vec![no_sync as Change]),
        (Kind::BreakFailover, _) => (End::Failed, BREAK.to_vec()),
        (Kind::Update, _) => (End::Failed, UPDATE.to_vec()),
        (Kind::Verify, _) => (End::Failed, vec![takes_no_client as Change, unwell]),
        (Kind::Quiesce, _) => (End::Failed, vec![maybe_closed as Change]),
        (Kind::Reopen, _) => (End::Failed, vec![maybe_open as Change]),
        (Kind::SwitchTraffic, _) => (End::Failed, vec![names_disagree as Change, moved_unproven]),
        (Kind::Soak, _) => (End::Failed, vec![fails_in_production as Change]),
        (Kind::EstablishFailover, _) => (End::Failed, ESTABLISH.to_vec()),
        // Files that were not fetched and users that did not leave change nothing; nor does a look.
        (
            Kind::Preflight
            | Kind::Backup
            | Kind::LowerTtl
            | Kind::CheckSync
            | Kind::RecordSettings
            | Kind::Drain
            | Kind::ExtractData
            | Kind::Confirm
            | Kind::CompareSettings
            | Kind::RestoreTtl
            | Kind::FinalCheck,
            _,
        ) => (End::Refused, Vec::new()),
    };
    let changed = found.into_iter().map(|change| {
        let mut facts = facts.clone();
        let found = change(&mut facts, node);
        Outcome { end, found, facts }
    });
    std::iter::once(refused).chain(changed).collect()
}

/// What may lapse while a run waits for a person, a window or a reading (decision 0005).
pub fn lapsed(facts: &Facts) -> Facts {
    let settings = facts.settings.lapsed();
    let mut facts = Facts { fresh_sync: false, autopilot_off: false, settings, ttl: facts.ttl.lapsed(), ..facts.clone() };
    for node in [&mut facts.nodes.a, &mut facts.nodes.b] {
        (node.backed_up, node.copied) = (false, node.copied && !facts.may_lose_ended);
    }
    facts
}

/// Changes the facts to what is so after a failure on this node, and says what that is.
type Change = fn(&mut Facts, NodeId) -> &'static str;

const BREAK: &[Change] = &[left_by_primary, left_by_standby, both_primary];
const UPDATE: &[Change] = &[silent, wrong_version, half_updated, unwell_on_target];
const ESTABLISH: &[Change] = &[half_linked, no_first_sync, reversed, both_primary];

fn rejected(facts: &mut Facts, _: NodeId) -> &'static str {
    (facts.confirmed, facts.rejected) = (false, true);
    "a person found the new version bad in production"
}

fn no_sync(facts: &mut Facts, _: NodeId) -> &'static str {
    facts.fresh_sync = false;
    "no good sync"
}

/// Roles and link as seen, failover counted as broken, and nothing of the nodes proven any more.
fn linked_as(facts: &mut Facts, a_link: Link, roles: impl Fn(NodeId) -> Role) {
    facts.link = a_link;
    (facts.unprotected, facts.fresh_sync) = (true, false);
    for node in NodeId::BOTH {
        let of = &mut facts.nodes[node];
        of.role = Some(roles(node));
        (of.proven, of.verified, of.extracted) = (false, false, false);
        of.written |= facts.serving == Some(node);
    }
}

fn left_by_primary(facts: &mut Facts, primary: NodeId) -> &'static str {
    linked_as(facts, Link::Half, |node| if node == primary { Role::Standalone } else { Role::Standby });
    "only the primary has left the link"
}

fn left_by_standby(facts: &mut Facts, primary: NodeId) -> &'static str {
    linked_as(facts, Link::Half, |node| if node == primary { Role::Primary } else { Role::Standalone });
    "only the standby has left the link"
}

fn both_primary(facts: &mut Facts, _: NodeId) -> &'static str {
    linked_as(facts, Link::BothPrimary, |_| Role::Primary);
    "both nodes are primary"
}

fn half_linked(facts: &mut Facts, primary: NodeId) -> &'static str {
    linked_as(facts, Link::Half, |node| if node == primary { Role::Primary } else { Role::Standalone });
    "only one node has the link"
}

fn no_first_sync(facts: &mut Facts, primary: NodeId) -> &'static str {
    linked_as(facts, Link::Linked { primary }, |node| if node == primary { Role::Primary } else { Role::Standby });
    "linked, without a good first sync"
}

fn reversed(facts: &mut Facts, primary: NodeId) -> &'static str {
    let now = primary.other();
    linked_as(facts, Link::Linked { primary: now }, |node| if node == now { Role::Primary } else { Role::Standby });
    "linked the wrong way round"
}

/// A version that is neither where the update began nor where it should end.
fn between(facts: &Facts) -> Option<Version> {
    format!("{}.0.1", facts.start).parse().ok()
}

fn updated_to(facts: &mut Facts, node: NodeId, version: Option<Version>, healthy: bool) {
    let of = &mut facts.nodes[node];
    of.version = version;
    of.healthy = healthy;
    (of.proven, of.verified, of.extracted) = (false, false, false);
}

fn silent(facts: &mut Facts, node: NodeId) -> &'static str {
    updated_to(facts, node, None, false);
    facts.nodes[node].known = Known::Unread("no answer".to_owned());
    facts.nodes[node].role = None;
    facts.link = Link::Unknown;
    "the node does not come back"
}

fn wrong_version(facts: &mut Facts, node: NodeId) -> &'static str {
    let version = between(facts);
    updated_to(facts, node, version, true);
    "the node is on another version"
}

fn half_updated(facts: &mut Facts, node: NodeId) -> &'static str {
    let version = between(facts);
    updated_to(facts, node, version, false);
    "the node is half updated and unwell"
}

fn unwell_on_target(facts: &mut Facts, node: NodeId) -> &'static str {
    let version = Some(facts.target.clone());
    updated_to(facts, node, version, false);
    "the node is updated and unwell"
}

fn takes_no_client(facts: &mut Facts, node: NodeId) -> &'static str {
    let of = &mut facts.nodes[node];
    (of.denied, of.proven, of.verified) = (true, false, false);
    "the node takes no client"
}

fn unwell(facts: &mut Facts, node: NodeId) -> &'static str {
    let of = &mut facts.nodes[node];
    (of.healthy, of.proven, of.verified) = (false, false, false);
    "the node is unwell"
}

fn maybe_closed(facts: &mut Facts, node: NodeId) -> &'static str {
    let of = &mut facts.nodes[node];
    (of.denied, of.proven) = (true, false);
    "the node takes no client, but is not proven closed"
}

/// What was extracted before may be incomplete: clients may write there again.
fn maybe_open(facts: &mut Facts, node: NodeId) -> &'static str {
    let other = facts.survivor != node;
    let of = &mut facts.nodes[node];
    (of.stray, of.extracted) = (other, false);
    "the node takes clients, but is not proven open"
}

fn names_disagree(facts: &mut Facts, to: NodeId) -> &'static str {
    facts.serving = None;
    facts.nodes[to].written |= facts.unprotected;
    "the name leads to neither node everywhere"
}

/// The survivor follows from the journal, and there the switch is not proven.
fn moved_unproven(facts: &mut Facts, to: NodeId) -> &'static str {
    facts.serving = Some(to);
    facts.nodes[to].written |= facts.unprotected;
    "the name is moved, but the node does not answer at it"
}

fn fails_in_production(facts: &mut Facts, _: NodeId) -> &'static str {
    match facts.serving {
        Some(node) => unwell(facts, node),
        None => "nothing changed",
    }
}
