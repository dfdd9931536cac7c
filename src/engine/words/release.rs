//! The word on a finished run: others may count on it, or may not any more (R11).

use crate::domain::event::{Event, Outcome};
use crate::domain::people::Who;
use crate::domain::run::{Phase, Run};
use crate::domain::sheet;
use crate::engine::api::{Kind, Problem};

/// The event for a release or its withdrawal.
///
/// # Errors
/// No note; the run has not succeeded; there is no release to withdraw.
pub fn release(run: &Run, withdraw: bool, note: String, by: Who) -> Result<(Event, String), Problem> {
    if note.trim().is_empty() {
        return Err(Problem::new(
            Kind::BadInput,
            "note_missing",
            "a release needs a note that says what was tried, or why it ends",
        ));
    }
    if withdraw && run.released.is_none() {
        return Err(Problem::new(Kind::Conflict, "not_released", format!("run `{}` is not released", run.id)));
    }
    if !withdraw && run.phase != Phase::Finished(Outcome::Succeeded) {
        return Err(not_succeeded(run));
    }
    let why = if withdraw { "the release is withdrawn" } else { "R11 rehearsed: other sites may go the same path" };
    Ok((Event::Released { by, note, withdrawn: withdraw }, why.to_owned()))
}

fn not_succeeded(run: &Run) -> Problem {
    let found = match run.phase {
        Phase::Finished(outcome) => format!("it ended {}", outcome.name()),
        _ => "it goes on yet".to_owned(),
    };
    Problem::new(Kind::Conflict, "not_succeeded", format!("run `{}` can't be released", run.id))
        .because(format!("R11 rehearsed: expected a run that has succeeded, found that {found}"))
        .state(sheet::state(run))
        .hint("only what went well from the start to the end says that others may go the same path")
}
