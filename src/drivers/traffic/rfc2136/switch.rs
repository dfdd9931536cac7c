//! The switch: look at the primary, send the guarded update, say what is known afterwards.

use std::time::{SystemTime, UNIX_EPOCH};

use hickory_proto::op::Message;

use crate::domain::ids::NodeId;
use crate::ports::{ActAnswer, Intent};

use super::Rfc2136;
use super::ask::RrSet;
use super::exchange::{Exchange, exchange};
use super::judge::addresses;
use super::update::{Change, Signed, Verdict};

impl Rfc2136 {
    /// # Effect
    /// The record holds `to`'s address instead of `from`'s, with the TTL it had; or nothing changed.
    ///
    /// # Repeat
    /// Safe: the update is applied only where the record holds exactly `from`'s address, and a record that already holds
    /// `to`'s is accepted without sending anything.
    ///
    /// # Errors
    /// * `Refused`: the record holds something else, or the primary said no; nothing changed.
    /// * `Transient`: the primary could not be read or connected to; nothing was sent.
    /// * `Ambiguous`: sent, and no answer, or none with a valid signature.
    pub(super) async fn switch_now(&self, intent: &Intent, from: NodeId, to: NodeId) -> ActAnswer {
        match self.before(from, to).await {
            Ok(Some(present)) => self.send(intent, &present, from, to).await,
            Ok(None) => {
                tracing::info!(site = %self.entry.site, key = %intent.key, "{} already leads to node `{to}`", self.entry.shown());
                ActAnswer::accepted()
            }
            Err(answer) => answer,
        }
    }

    /// The set to replace; `None` if it is replaced already.
    async fn before(&self, from: NodeId, to: NodeId) -> Result<Option<RrSet>, ActAnswer> {
        let present = self.present().await.map_err(|found| {
            let message = format!(
                "{} was not sent an update: its `{}` could not be read: {found}",
                self.primary.address,
                self.entry.shown()
            );
            ActAnswer::Transient { message }
        })?;
        if !present.authoritative {
            let message = format!(
                "{} has no authority over `{}`; check `primary`; nothing was sent",
                self.primary.address,
                self.entry.shown()
            );
            return Err(ActAnswer::Refused { message });
        }
        match self.entry.node_of(&present) {
            Some(node) if node == to => Ok(None),
            Some(node) if node == from => Ok(Some(present)),
            _ => Err(ActAnswer::Refused { message: self.stale(&present, from) }),
        }
    }

    async fn send(&self, intent: &Intent, present: &RrSet, from: NodeId, to: NodeId) -> ActAnswer {
        let signed = match self.sign(self.change(present, from, to).swap()) {
            Ok(signed) => signed,
            Err(message) => return ActAnswer::Refused { message },
        };
        // Until its end is known, no serial seen before the update says anything about it.
        let floor = self.set_floor(None);
        tracing::info!(site = %self.entry.site, key = %intent.key, "update of {} from node `{from}` to node `{to}`", self.entry.shown());
        match exchange(self.primary.address, &signed.bytes).await {
            Exchange::Answer(response) => self.after(signed.verdict(&response), from, to).await,
            Exchange::NotSent(reason) => {
                self.set_floor(floor);
                ActAnswer::Transient {
                    message: format!("{} could not be reached: {reason}; nothing was sent", self.primary.address),
                }
            }
            Exchange::NoAnswer(reason) => self.ambiguous(&reason),
        }
    }

    async fn after(&self, verdict: Verdict, from: NodeId, to: NodeId) -> ActAnswer {
        match verdict {
            Verdict::Applied => {
                self.set_floor(self.primary.serial(&self.zone).await.ok());
                ActAnswer::accepted()
            }
            Verdict::Unclear(reason) => self.ambiguous(&reason),
            Verdict::Stale => match self.present().await {
                Ok(now) if self.entry.node_of(&now) == Some(to) => ActAnswer::accepted(),
                Ok(now) => ActAnswer::Refused { message: self.stale(&now, from) },
                Err(found) => ActAnswer::Refused { message: format!("{}; now: {found}", self.expected(from)) },
            },
            Verdict::Denied { reason, signed } => self.denied(&reason, signed, to).await,
        }
    }

    /// A refusal without a signature can be forged by whoever sits on the path, so it is believed only while the record does
    /// not already hold the new value.
    async fn denied(&self, reason: &str, signed: bool, to: NodeId) -> ActAnswer {
        let now = if signed { None } else { Some(self.present().await) };
        match now {
            Some(Ok(now)) if self.entry.node_of(&now) == Some(to) => {
                self.ambiguous(&format!("the answer was {reason}, unsigned, but the record holds the new address"))
            }
            Some(Err(found)) => self.ambiguous(&format!("the answer was {reason}, unsigned, and then: {found}")),
            _ => ActAnswer::Refused {
                message: format!("update of `{}` at {}: {reason}; {ADVICE}", self.entry.shown(), self.primary.address),
            },
        }
    }

    /// Whether our key may change this record, proven by an update that changes nothing.
    ///
    /// # Effect
    /// None: the guarded update adds the address that already stands, with its TTL.
    ///
    /// # Repeat
    /// Safe.
    ///
    /// # Errors
    /// What is wrong, for a person: authentication, policy, reachability, or a record that neither node's address stands in.
    pub async fn prove_access(&self) -> Result<(), String> {
        let present = self.present().await.map_err(|found| format!("{}: {found}", self.primary.address))?;
        let Some(node) = self.entry.node_of(&present) else {
            return Err(format!("`{}` holds {}, neither node's address alone", self.entry.shown(), addresses(&present)));
        };
        let change = Change { ttl: present.ttl, ..self.change(&present, node, node) };
        let signed = self.sign(change.proof())?;
        let verdict = match exchange(self.primary.address, &signed.bytes).await {
            Exchange::Answer(response) => signed.verdict(&response),
            Exchange::NotSent(reason) | Exchange::NoAnswer(reason) => Verdict::Unclear(reason),
        };
        match verdict {
            Verdict::Applied => Ok(()),
            Verdict::Stale => Err(format!("`{}` was changed by somebody else at this moment", self.entry.shown())),
            Verdict::Denied { reason, .. } => Err(format!("{reason}; {ADVICE}")),
            Verdict::Unclear(reason) => Err(format!("{}: {reason}", self.primary.address)),
        }
    }

    async fn present(&self) -> Result<RrSet, String> {
        self.primary.value(&self.entry.record, self.entry.kind).await
    }

    /// The change, with the record's TTL kept; a TTL of 0 is none to keep.
    fn change(&self, present: &RrSet, from: NodeId, to: NodeId) -> Change<'_> {
        let ttl = if present.ttl == 0 { self.ttl } else { present.ttl };
        let addresses = &self.entry.addresses;
        Change { zone: &self.zone, record: &self.entry.record, from: addresses[from], to: addresses[to], ttl }
    }

    fn sign(&self, message: Message) -> Result<Signed, String> {
        // The machine's clock, not run time: the server compares it with its own. A clock before 1970 gives BADTIME.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        Signed::new(message, &self.key.signer()?, now)
    }

    fn expected(&self, from: NodeId) -> String {
        let address = self.entry.addresses[from];
        format!(
            "`{}` at {} was expected to hold only {address} (node `{from}`); nothing was changed",
            self.entry.shown(),
            self.primary.address
        )
    }

    fn stale(&self, now: &RrSet, from: NodeId) -> String {
        format!("{}; it holds {}", self.expected(from), addresses(now))
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

const ADVICE: &str = "authentication or policy refused; check key name, secret, clock, ACL; nothing was changed";
