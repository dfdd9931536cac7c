//! The answer: what to record, or until when to rest; and the words for it.

use jiff::{SignedDuration, Timestamp};

use crate::domain::booking;
use crate::domain::event::{Event, Evidence, WaitingOn};
use crate::domain::proof::Failure;
use crate::domain::rule::Rule;
use crate::domain::rules::{Cure, Violation};
use crate::domain::run::{Phase, Run};
use crate::domain::step::Step;

/// The answer: an event to record, or a rest until something changes.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Record this, with this reason.
    Record { event: Event, why: String },
    /// Nothing to do now; look again as the waiting asks, at the latest at this time.
    Rest { until: Option<Timestamp> },
}

/// An act that was tried this often without a person's word is held: with the waits between tries that is some ten
/// minutes for an act that never arrives.
pub const MAX_TRIES: u32 = 6;

/// For so long a missing reading is awaited before a person is asked, however long the act itself may take: an update's three
/// hours of patience are for a box that restarts, not for a server that does not answer.
pub const LONGEST_UNREAD: SignedDuration = SignedDuration::from_mins(30);

pub fn record(event: Event, why: impl Into<String>) -> Next {
    Next::Record { event, why: why.into() }
}

pub fn rest(until: Option<Timestamp>) -> Next {
    Next::Rest { until }
}

/// Holds the run with what was expected and found.
pub fn held(failure: Failure, given_up: bool) -> Next {
    let Failure { code, message, expected, found, node } = failure;
    let event = Event::Held { code: code.to_owned(), message: message.clone(), expected, found, node, given_up };
    record(event, message)
}

/// Waits on something, recording it once.
pub fn wait(run: &Run, on: WaitingOn, until: Option<Timestamp>, why: String) -> Next {
    match &run.phase {
        Phase::Waiting { on: now, until: already, .. } if *now == on && *already == until => rest(until),
        _ => record(Event::Waited { on, until }, why),
    }
}

pub fn done(step: &Step, evidence: Evidence, already: bool) -> Next {
    let found = match &evidence {
        Evidence::Seen { found, .. } | Evidence::Settings { found, .. } | Evidence::Ttl { found, .. } => found.clone(),
        Evidence::Sync { sync, .. } => format!("sync of {}, {}", sync.at, sync.status.as_deref().unwrap_or("good")),
        Evidence::Version { version, build } => {
            format!("version {version}{}", build.as_ref().map(|build| format!(", build {build}")).unwrap_or_default())
        }
        Evidence::Files { .. } => evidence.files_told().unwrap_or_default(),
        Evidence::Checks { results } => format!("{} checks, none speaks against the start", results.len()),
        Evidence::Drained { found, .. } => found.clone(),
    };
    record(Event::StepDone { evidence, already }, format!("`{}` is proven done: {found}", step.id))
}

pub fn held_by_rule(violation: &Violation) -> Next {
    let code = match (violation.rule, violation.cure) {
        (_, Cure::Booking) => booking::HOLD,
        (Rule::R3, _) => "window_missed",
        (rule, _) => rule.name(),
    };
    let mut failure = Failure::new("", violation.expected.clone(), violation.found.clone());
    failure.code = code;
    failure.message = format!("{}: {}", violation.rule, failure.message);
    held(failure, true)
}
