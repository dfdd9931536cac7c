//! Taking over: the note that was read must be the note that is.

use crate::domain::handover::{self, Note};
use crate::engine::api::{Kind, Problem};
use crate::engine::runner::Runner;

/// The note as it is now; `None` before window one is done.
pub fn current(runner: &Runner) -> Option<Note> {
    let records = runner.records().ok()?;
    handover::note(runner.run(), &records, &runner.world)
}

/// # Errors
/// There is none yet, or something was added since.
pub fn is_read(runner: &Runner, read: &str) -> Result<(), Problem> {
    let id = &runner.run().id;
    let Some(note) = current(runner) else {
        return Err(Problem::new(Kind::Conflict, "no_handover_yet", format!("run `{id}` has no handover note yet")));
    };
    if note.hash == read {
        return Ok(());
    }
    Err(Problem::new(Kind::Conflict, "handover_changed", format!("the handover note of run `{id}` has changed"))
        .because(format!("you read note {read}, it is {} now", note.hash))
        .hint(format!("read it again: `changeover handover {id}`")))
}
