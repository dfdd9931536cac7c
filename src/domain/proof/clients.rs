//! Clients of a node: gone, refused, let in again.

use super::verdict::{Proof, not_yet};
use crate::domain::event::{Counts, Evidence};
use crate::domain::ids::NodeId;
use crate::domain::run::{Act, Run};
use crate::domain::site::Role;
use crate::domain::step::Step;
use crate::domain::world::World;

/// Users and sessions zero (BG-02).
pub(super) fn emptied(node: NodeId, act: &Act, world: &World) -> Proof {
    let reading = &world.readings[node];
    match reading.current.as_ref().filter(|_| reading.proven_after(act.since)) {
        Some(current) => without_clients(node, act, Counts { users: current.users, sessions: current.sessions }),
        None => not_yet(format!("a reading of node `{node}` that is younger than the order")),
    }
}

/// What a program doesn't tell it is taken at its word for, once it accepted the drain. Where sessions were ended, those who are
/// logged in still have none, and lose nothing.
fn without_clients(node: NodeId, act: &Act, left: Counts) -> Proof {
    let at_its_word = act.accepted && !act.baseline.ending;
    let empty = |found: &str| {
        let was = act.baseline.people.map(|people| format!("; {} when it was asked", people.describe())).unwrap_or_default();
        Proof::Done(Evidence::Drained { left, found: format!("{found}{was}") })
    };
    match (left.users, left.sessions) {
        (None, None) if at_its_word => Proof::Done(Evidence::seen("the driver accepted the drain and tells no counts")),
        (_, Some(0)) if act.baseline.ending => {
            Proof::Done(Evidence::Drained { left, found: format!("sessions were ended; left: {}", left.describe()) })
        }
        (None, None) => not_yet(format!("counts of users and sessions of node `{node}`; it tells none")),
        (Some(0), Some(0)) => empty("no users and no sessions"),
        (Some(0), None) if at_its_word => empty("no users; the driver accepted the drain and doesn't tell sessions"),
        (None, Some(0)) if at_its_word => empty("no sessions; the driver accepted the drain and doesn't tell users"),
        _ => not_yet(format!("node `{node}` to empty: {}", left.describe())),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::Baseline;

    fn act(accepted: bool, ending: bool) -> Act {
        let people = Some(Counts { users: None, sessions: Some(2) });
        let baseline = Baseline { people, ending, ..Baseline::default() };
        Act { attempt: 1, since: jiff::Timestamp::UNIX_EPOCH, baseline, accepted, instruction: None }
    }

    /// BG-02: a count that isn't told is not zero; a program's word stands for it, and the evidence says so.
    #[test]
    fn bg_02_a_count_that_is_not_told_is_no_zero() {
        let done = |accepted, ending, users, sessions| match without_clients(
            NodeId::A,
            &act(accepted, ending),
            Counts { users, sessions },
        ) {
            Proof::Done(Evidence::Drained { found, .. } | Evidence::Seen { found, .. }) => Ok(found),
            Proof::NotYet(missing) => Err(missing),
            other => panic!("{other:?}"),
        };
        for (users, sessions) in [(Some(0), None), (None, Some(0)), (None, None), (Some(1), Some(0)), (Some(0), Some(1))] {
            assert!(done(false, false, users, sessions).is_err(), "by hand: {users:?} {sessions:?}");
        }
        assert!(done(true, true, Some(0), None).is_err(), "sessions were to be ended, and nobody tells of them");
        assert_eq!(done(false, false, Some(0), None).unwrap_err(), "node `a` to empty: 0 users, sessions not told");
        let found = done(true, false, None, Some(0)).unwrap();
        let told =
            "no sessions; the driver accepted the drain and doesn't tell users; users not told, 2 sessions when it was asked";
        assert_eq!(found, told);
        assert!(
            done(true, false, Some(0), None)
                .unwrap()
                .starts_with("no users; the driver accepted the drain and doesn't tell sessions")
        );
        assert!(done(true, false, Some(1), None).is_err());
        assert!(done(false, false, Some(0), Some(0)).unwrap().starts_with("no users and no sessions"));
        assert_eq!(done(true, true, None, Some(0)).unwrap(), "sessions were ended; left: users not told, 0 sessions");
    }
}
