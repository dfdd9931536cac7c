//! The changes: look at the primary, send the guarded update, say what is known afterwards.

use std::time::{SystemTime, UNIX_EPOCH};

use hickory_proto::op::Message;

use crate::domain::ids::NodeId;
use crate::ports::{ActAnswer, Intent, TtlChange};

use super::Rfc2136;
use super::exchange::{Exchange, exchange};
use super::judge::Standing;
use super::record::RrSet;
use super::update::{Change, Piece, Signed, Verdict};

/// What a change is to bring about.
pub(super) enum Goal<'a> {
    Lead { from: NodeId, to: NodeId },
    Ttl(&'a TtlChange),
}

/// How far an update came.
pub(super) enum Sent {
    /// No connection, or it could not be signed: nothing of it left.
    Not(String),
    Judged(Verdict),
}

impl Goal<'_> {
    /// Whether it is so already.
    fn is_reached(&self, driver: &Rfc2136, present: &[RrSet]) -> bool {
        match (self, driver.entry.standing(present)) {
            (Self::Lead { to, .. }, Standing::At(node)) => node == *to,
            (Self::Ttl(change), Standing::At(_)) => driver
                .entry
                .sets
                .iter()
                .zip(present)
                .all(|(moved, set)| change.names.get(&driver.entry.key(moved)).is_none_or(|ttl| *ttl == set.ttl)),
            _ => false,
        }
    }
}

impl Rfc2136 {
    /// # Effect
    /// All RRsets hold the other node's value, with the TTL that each had; or other TTLs with the values that they had; or nothing
    /// changed.
    ///
    /// # Repeat
    /// Safe: the update is applied only where every RRset holds exactly what was read before, and what is so already is accepted
    /// without sending anything.
    ///
    /// # Errors
    /// * `Refused`: the records hold something else, or lead partly elsewhere, or the primary said no; nothing changed.
    /// * `Transient`: the primary could not be read or connected to; nothing was sent.
    /// * `Ambiguous`: sent, and no answer, or none with a valid signature.
    pub(super) async fn change_now(&self, intent: &Intent, goal: Goal<'_>) -> ActAnswer {
        let present = match self.before(&goal).await {
            Ok(Some(present)) => present,
            Ok(None) => {
                tracing::info!(site = %self.entry.site, key = %intent.key, "{} is so already", self.entry.shown());
                return ActAnswer::accepted();
            }
            Err(answer) => return answer,
        };
        tracing::info!(site = %self.entry.site, key = %intent.key, "update of {}, which holds {}", self.entry.shown(), self.entry.held(&present));
        match self.submit(self.change(&goal, &present).swap()).await {
            Sent::Not(message) => ActAnswer::Transient { message },
            Sent::Judged(verdict) => self.after(verdict, &goal).await,
        }
    }

    /// The sets to replace; `None` if they are replaced already.
    async fn before(&self, goal: &Goal<'_>) -> Result<Option<Vec<RrSet>>, ActAnswer> {
        let (primary, shown) = (self.primary.address, self.entry.shown());
        let present = self.present().await.map_err(|found| {
            let message = format!("{primary} was not sent an update: its `{shown}` could not be read: {found}");
            ActAnswer::Transient { message }
        })?;
        if present.iter().any(|set| !set.authoritative) {
            let message = format!("{primary} has no authority over `{shown}`; check `primary`; nothing was sent");
            return Err(ActAnswer::Refused { message });
        }
        if goal.is_reached(self, &present) {
            return Ok(None);
        }
        match (goal, self.entry.standing(&present)) {
            (Goal::Lead { from, .. }, Standing::At(node)) if node == *from => Ok(Some(present)),
            (Goal::Ttl(_), Standing::At(_)) => Ok(Some(present)),
            _ => Err(ActAnswer::Refused { message: self.stale(&present, goal) }),
        }
    }

    /// Signs and sends one update. Nothing is sent twice.
    pub(super) async fn submit(&self, message: Message) -> Sent {
        let primary = self.primary.address;
        let signed = match self.sign(message) {
            Ok(signed) => signed,
            Err(message) => return Sent::Judged(Verdict::Denied { reason: message, signed: true }),
        };
        // Until its end is known, no serial seen before the update says anything about it.
        let floor = self.set_floor(None);
        let verdict = match exchange(primary, &signed.bytes).await {
            Exchange::Answer(response) => signed.verdict(&response),
            Exchange::NoAnswer(reason) => Verdict::Unclear(reason),
            Exchange::NotSent(reason) => {
                self.set_floor(floor);
                return Sent::Not(format!("{primary} could not be reached: {reason}; nothing was sent"));
            }
        };
        if verdict == Verdict::Applied {
            self.set_floor(self.primary.soa(&self.zone).await.ok().map(|soa| soa.serial));
        }
        Sent::Judged(verdict)
    }

    async fn after(&self, verdict: Verdict, goal: &Goal<'_>) -> ActAnswer {
        match verdict {
            Verdict::Applied => ActAnswer::accepted(),
            Verdict::Unclear(reason) => self.ambiguous(&reason),
            Verdict::Stale => match self.present().await {
                Ok(now) if goal.is_reached(self, &now) => ActAnswer::accepted(),
                Ok(now) => ActAnswer::Refused { message: self.stale(&now, goal) },
                Err(found) => ActAnswer::Refused { message: format!("{}; now: {found}", self.expected(goal)) },
            },
            Verdict::Denied { reason, signed } => self.denied(&reason, signed, goal).await,
        }
    }

    /// A refusal without a signature can be forged by whoever sits on the path, so it is believed only while the record does
    /// not already hold the new value.
    async fn denied(&self, reason: &str, signed: bool, goal: &Goal<'_>) -> ActAnswer {
        let now = if signed { None } else { Some(self.present().await) };
        match now {
            Some(Ok(now)) if goal.is_reached(self, &now) => {
                self.ambiguous(&format!("the answer was {reason}, unsigned, but the record holds what was asked for"))
            }
            Some(Err(found)) => self.ambiguous(&format!("the answer was {reason}, unsigned, and then: {found}")),
            _ => ActAnswer::Refused {
                message: format!("update of `{}` at {}: {reason}; {ADVICE}", self.entry.shown(), self.primary.address),
            },
        }
    }

    /// What stands at the primary now, in the entry's order.
    pub(super) async fn present(&self) -> Result<Vec<RrSet>, String> {
        let values = self.primary.values(&self.entry.sets).await;
        let labelled = self.entry.sets.iter().zip(values);
        labelled.map(|(moved, value)| value.map_err(|found| self.entry.label(moved) + &found)).collect()
    }

    /// The change, with each record's TTL kept unless that is what changes; a TTL of 0 is none to keep.
    fn change(&self, goal: &Goal<'_>, present: &[RrSet]) -> Change<'_> {
        let sets = self.entry.sets.iter().zip(present);
        let pieces = sets.filter_map(|(moved, set)| match goal {
            Goal::Lead { from, to } => {
                let ttl = if set.ttl == 0 { self.ttl } else { set.ttl };
                Some(Piece { name: &moved.name, from: &moved.values[*from], to: &moved.values[*to], ttl })
            }
            Goal::Ttl(change) => {
                let ttl = *change.names.get(&self.entry.key(moved)).filter(|ttl| **ttl != set.ttl)?;
                let value = NodeId::BOTH.map(|node| &moved.values[node]).into_iter().find(|value| set.values.contains(value))?;
                Some(Piece { name: &moved.name, from: value, to: value, ttl })
            }
        });
        Change { zone: &self.zone, pieces: pieces.collect() }
    }

    fn sign(&self, message: Message) -> Result<Signed, String> {
        // The machine's clock, not run time: the server compares it with its own. A clock before 1970 gives BADTIME.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let now = now.saturating_add_signed(self.signed_ahead.as_secs());
        Signed::new(message, &self.key.signer()?, now)
    }

    fn expected(&self, goal: &Goal<'_>) -> String {
        let (shown, primary) = (self.entry.shown(), self.primary.address);
        match goal {
            Goal::Lead { from, .. } => {
                let values = self.entry.values_of(*from);
                format!("`{shown}` at {primary} was expected to hold only {values} (node `{from}`); nothing was changed")
            }
            Goal::Ttl(_) => {
                format!("`{shown}` at {primary} was expected to lead to one node; no TTL was changed")
            }
        }
    }

    fn stale(&self, now: &[RrSet], goal: &Goal<'_>) -> String {
        let expected = self.expected(goal);
        match (self.entry.standing(now), goal) {
            (Standing::Partly(held), Goal::Lead { from, to }) => format!(
                "{expected}; it leads partly to the other node: {held}; either complete the change by hand ({}), and the run \
                 goes on by itself, or take it back ({}), and order the switch again",
                self.entry.values_of(*to),
                self.entry.values_of(*from)
            ),
            _ => format!("{expected}; it holds {}", self.entry.held(now)),
        }
    }

    fn ambiguous(&self, reason: &str) -> ActAnswer {
        let message = format!(
            "update of `{}` was sent to {}: {reason}; it may have been applied",
            self.entry.shown(),
            self.primary.address
        );
        ActAnswer::Ambiguous { message }
    }
}

pub(super) const ADVICE: &str = "authentication or policy refused; check key name, secret, clock, ACL; nothing was changed";
