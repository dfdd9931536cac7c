//! The scripted person: reads the run's status as anybody could, and says what a person would do next.
//!
//! Only what is asked is done, and each instruction once: the memory is the person's, not the daemon's, so a daemon that was
//! restarted meets somebody who remembers.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::domain::action::Kind;
use crate::domain::event::{Verdict, WaitingOn};
use crate::domain::gate::Gate;
use crate::domain::ids::NodeId;
use crate::domain::site::Role;
use crate::server::view::Status;

use super::tales::Manner;

/// How long the person watches production before ordering traffic back.
const SECOND_THOUGHTS: SignedDuration = SignedDuration::from_hours(8);

/// What the person does.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    /// At a box's console, as the instruction says.
    Hands {
        kind: Kind,
        node: NodeId,
        instruction: u32,
    },
    Confirm {
        gate: Gate,
        verdict: Verdict,
        note: &'static str,
    },
    Resume,
    SwitchBack,
    Abort,
}

/// What the person knows of a box beside the run's status: by looking at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    /// A box is installing or silent.
    pub a_box_is_away: bool,
}

/// Held because a sync ended with a text that nobody has called good yet.
fn is_odd_status(status: &Status) -> bool {
    status.held.as_ref().is_some_and(|held| held.code == "sync_status_unknown")
}

/// Held because a box came back from its update as it was before.
fn is_failed_update(status: &Status) -> bool {
    let failed = status.held.as_ref().is_some_and(|held| held.code == "step_failed");
    failed && status.step.as_ref().is_some_and(|step| step.action == Kind::Update)
}

pub struct Person {
    manner: Manner,
    /// The attempts whose instruction was carried out.
    done: BTreeSet<(String, u32)>,
}

impl Person {
    pub fn new(manner: Manner) -> Self {
        Self { manner, done: BTreeSet::new() }
    }

    /// What there is to do now.
    pub fn next(&self, status: &Status, sight: Sight, now: Timestamp) -> Option<Deed> {
        match (status.phase.as_str(), status.waiting_on) {
            ("waiting", Some(WaitingOn::Operator)) if self.has_had_enough(status) => Some(Deed::Abort),
            ("waiting", Some(WaitingOn::Operator)) => self.by_hand(status),
            ("waiting", Some(WaitingOn::Gate)) => status.gate.map(|gate| self.answer(gate)),
            ("waiting", Some(WaitingOn::Soak)) if self.manner == Manner::SwitchesBack => second_thoughts(status, now),
            ("held", _) if self.manner == Manner::AcceptsStatus && is_odd_status(status) => {
                Some(Deed::Confirm { gate: Gate::SyncStatus, verdict: Verdict::Accept, note: "the vendor says so" })
            }
            ("held", _) if self.manner == Manner::ResumesUpdate && !sight.a_box_is_away && is_failed_update(status) => {
                Some(Deed::Resume)
            }
            _ => None,
        }
    }

    /// To be called once a deed has been done.
    pub fn remember(&mut self, status: &Status, deed: &Deed) {
        if let (Deed::Hands { .. }, Some(step)) = (deed, &status.step) {
            self.done.insert((step.id.clone(), step.attempt));
        }
    }

    fn by_hand(&self, status: &Status) -> Option<Deed> {
        let step = status.step.as_ref()?;
        let instruction = status.instruction?;
        let done = self.done.contains(&(step.id.clone(), step.attempt));
        // Nobody sees from outside that a standby was opened, so the person says so.
        if done && step.action == Kind::Reopen && status.nodes[step.node?].role == Some(Role::Standby) {
            return Some(Deed::Confirm {
                gate: Gate::NodeOpen,
                verdict: Verdict::Accept,
                note: "the firewall lets clients in again",
            });
        }
        (!done).then_some(Deed::Hands { kind: step.action, node: step.node?, instruction })
    }

    /// Has come to the step at which this person gives the run up.
    fn has_had_enough(&self, status: &Status) -> bool {
        let here = status.step.as_ref().map(|step| step.id.as_str());
        matches!(self.manner, Manner::AbortsAt(step) if here == Some(step))
    }

    fn answer(&self, gate: Gate) -> Deed {
        match (gate, self.manner) {
            (Gate::Production, Manner::Rejects) => {
                Deed::Confirm { gate, verdict: Verdict::Reject, note: "screen sharing is slow on the new version" }
            }
            (Gate::Production, _) => Deed::Confirm { gate, verdict: Verdict::Accept, note: "sessions work on the new version" },
            (gate, _) => Deed::Confirm { gate, verdict: Verdict::Accept, note: "looked at both nodes" },
        }
    }
}

fn second_thoughts(status: &Status, now: Timestamp) -> Option<Deed> {
    let since = status.unprotected.since?;
    (now.duration_since(since) >= SECOND_THOUGHTS).then_some(Deed::SwitchBack)
}
