//! An open gate and the waivers of a run on the wire.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::asked::{asked_of, question};
use crate::domain::event::Verdict;
use crate::domain::gate::{Expiry, Gate};
use crate::domain::people::{Person, Who};
use crate::domain::rule::Rule;
use crate::domain::run::{Answer, Asked, Run, Waiver};
use crate::domain::shown;
use crate::domain::world::World;

/// An open gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GateState {
    pub gate: Gate,
    pub question: String,
    /// `null` for a gate that opens with a hold or an instruction, until somebody has answered.
    pub opened_at: Option<Timestamp>,
    /// The roles that may answer now; empty: everybody who may speak at all.
    pub asked_of: Vec<String>,
    pub deputies: Vec<String>,
    pub not_starter: bool,
    /// How many different persons must accept.
    pub needs: u32,
    /// Those who have accepted so far.
    pub answers: Vec<AnswerView>,
    pub reminded_at: Option<Timestamp>,
    pub escalated_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    pub on_expiry: Expiry,
    /// What it shows, one fact a line.
    pub evidence: Vec<String>,
    /// What a word at this gate is bound to: the SHA-256 of the evidence.
    pub hash: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnswerView {
    pub by: Option<Who>,
    pub verdict: Verdict,
    pub at: Timestamp,
    pub note: Option<String>,
}

/// A promise that was set aside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WaiverView {
    pub rule: Rule,
    pub name: String,
    pub step: String,
    pub by: Who,
    pub reason: String,
    pub at: Timestamp,
    /// The step is done, or was stopped since.
    pub over: bool,
}

/// Everybody that the daemon's file names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct People {
    pub people: Vec<Person>,
}

impl GateState {
    /// The gate that a run waits at, if it does.
    pub fn of(run: &Run, world: &World) -> Option<Self> {
        let gate = run.open_gate()?;
        let policy = run.plan.policy.gate(gate);
        let asked = run.asked.as_ref().filter(|asked| asked.gate == gate);
        let shown = shown::of(run, world);
        Some(Self {
            gate,
            question: question(run, gate),
            opened_at: asked.map(|asked| asked.since),
            asked_of: asked_of(run, gate, &policy),
            not_starter: policy.not_starter,
            needs: policy.persons,
            answers: asked.into_iter().flat_map(|asked: &Asked| &asked.answers).map(AnswerView::from).collect(),
            reminded_at: asked.and_then(|asked| asked.reminded_at),
            escalated_at: asked.and_then(|asked| asked.escalated_at),
            expires_at: asked.and_then(|asked| asked.expires_at(&policy)),
            on_expiry: policy.on_expiry,
            deputies: policy.deputies,
            evidence: shown.lines(),
            hash: shown.hash,
        })
    }

    pub fn has(&self) -> usize {
        self.answers.len()
    }
}

impl From<&Answer> for AnswerView {
    fn from(answer: &Answer) -> Self {
        let Answer { by, verdict, note, at, .. } = answer.clone();
        Self { by, verdict, at, note }
    }
}

impl fmt::Display for AnswerView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.by {
            Some(who) => write!(f, "{who} {}", self.at)?,
            None => write!(f, "{}", self.at)?,
        }
        let early = if self.verdict == Verdict::AcceptEarly { ", early" } else { "" };
        let note = self.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
        write!(f, "{early}{note}")
    }
}

impl From<&Waiver> for WaiverView {
    fn from(waiver: &Waiver) -> Self {
        let Waiver { rule, step, by, reason, at, over, .. } = waiver.clone();
        Self { rule, name: rule.name().to_owned(), step, by, reason, at, over }
    }
}
