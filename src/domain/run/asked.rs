//! A gate while it is open: who has answered, who was reminded, and when it expires.

use jiff::Timestamp;

use crate::domain::event::{Shown, Verdict};
use crate::domain::gate::{Gate, GatePolicy};
use crate::domain::people::Who;

/// The gate that a run asks, since it was opened.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    pub gate: Gate,
    pub since: Timestamp,
    /// One of each person, the latest.
    pub answers: Vec<Answer>,
    pub reminded_at: Option<Timestamp>,
    pub escalated_at: Option<Timestamp>,
}

/// One person's acceptance.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// `None` in records from before persons were told apart.
    pub by: Option<Who>,
    pub verdict: Verdict,
    pub note: Option<String>,
    pub at: Timestamp,
    pub shown: Option<Shown>,
}

/// A gate that was accepted, until the first act that relies on it has begun.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    pub gate: Gate,
    /// The step that asked.
    pub step: String,
    pub shown: Shown,
}

/// What is due at an open gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    Expired,
    Escalation,
    Reminder,
    /// Nothing before this time.
    Nothing(Option<Timestamp>),
}

impl Asked {
    pub fn new(gate: Gate, since: Timestamp) -> Self {
        Self { gate, since, answers: Vec::new(), reminded_at: None, escalated_at: None }
    }

    pub fn expires_at(&self, policy: &GatePolicy) -> Option<Timestamp> {
        policy.expires_after.map(|after| self.since + after)
    }

    /// The weightiest that is due, or when the next will be.
    pub fn due(&self, policy: &GatePolicy, now: Timestamp) -> Due {
        let escalation = policy.escalate_after.filter(|_| self.escalated_at.is_none()).map(|after| self.since + after);
        let reminder = policy.remind_after.map(|after| self.reminded_at.unwrap_or(self.since) + after);
        let times = [(Due::Expired, self.expires_at(policy)), (Due::Escalation, escalation), (Due::Reminder, reminder)];
        let due = times.iter().find(|(_, at)| at.is_some_and(|at| at <= now));
        due.map_or_else(|| Due::Nothing(times.iter().filter_map(|(_, at)| *at).min()), |(due, _)| *due)
    }

    /// Keeps a person's acceptance; one that they gave before gives way.
    pub fn take(&mut self, answer: Answer) {
        let user = |answer: &Answer| answer.by.as_ref().map(|who| who.user.clone());
        self.answers.retain(|known| user(known) != user(&answer));
        self.answers.push(answer);
    }

    pub fn of(&self, user: &str) -> Option<&Answer> {
        self.answers.iter().find(|answer| answer.by.as_ref().is_some_and(|who| who.user == user))
    }

    pub fn is_complete(&self, policy: &GatePolicy) -> bool {
        self.answers.len() >= policy.persons as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    fn hours(hours: i64) -> SignedDuration {
        SignedDuration::from_hours(hours)
    }

    #[test]
    fn the_weightiest_is_due_first_and_reminders_come_again() {
        let since: Timestamp = "2026-11-22T01:00:00Z".parse().unwrap();
        let policy = GatePolicy {
            remind_after: Some(hours(2)),
            escalate_after: Some(hours(5)),
            expires_after: Some(hours(24)),
            ..GatePolicy::default()
        };
        let mut asked = Asked::new(Gate::Production, since);
        assert_eq!(asked.due(&GatePolicy::default(), since + hours(1000)), Due::Nothing(None));
        assert_eq!(asked.due(&policy, since), Due::Nothing(Some(since + hours(2))));
        assert_eq!(asked.due(&policy, since + hours(2)), Due::Reminder);
        asked.reminded_at = Some(since + hours(2));
        assert_eq!(asked.due(&policy, since + hours(3)), Due::Nothing(Some(since + hours(4))));
        assert_eq!(asked.due(&policy, since + hours(5)), Due::Escalation);
        (asked.escalated_at, asked.reminded_at) = (Some(since + hours(5)), Some(since + hours(5)));
        assert_eq!(asked.due(&policy, since + hours(5)), Due::Nothing(Some(since + hours(7))));
        assert_eq!(asked.due(&policy, since + hours(24)), Due::Expired);
    }
}
