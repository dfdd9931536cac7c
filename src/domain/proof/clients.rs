//! Clients of a node: gone, refused, let in again.

use super::{Proof, not_yet};
use crate::domain::event::{Counts, Evidence};
use crate::domain::ids::NodeId;
use crate::domain::run::{Act, Run};
use crate::domain::site::Role;
use crate::domain::step::Step;
use crate::domain::world::World;

/// Users and sessions zero (BG-02). A program that tells neither is taken at its word once it accepted the drain. Where sessions
/// were ended, those who are logged in still have none, and lose nothing.
pub(super) fn emptied(node: NodeId, act: &Act, world: &World) -> Proof {
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
pub(super) fn closed(node: NodeId, act: &Act, world: &World) -> Proof {
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
pub(super) fn opened(node: NodeId, act: &Act, world: &World) -> Proof {
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
