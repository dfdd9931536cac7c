//! Taking over: the note that was read must be the note that is.

use crate::domain::event::{Event, Verdict};
use crate::domain::gate::Gate;
use crate::domain::handover::{self, Note};
use crate::engine::api::{Kind, Problem, Word};
use crate::engine::runner::Runner;

use super::gates;

/// The note as it is now; `None` before window one is done.
pub fn current(runner: &Runner) -> Option<Note> {
    let records = runner.records().ok()?;
    handover::note(runner.run(), &records, &runner.world)
}

/// The acceptance of the gate, if the note that was read is the note that is.
pub async fn take_over(runner: &mut Runner, word: Word, actor: &str) -> Result<(Event, String), Problem> {
    let Word::TakeOver { read, note, evidence } = word else { return Err(gates::no_word()) };
    is_read(runner, &read)?;
    let gate = Some(Gate::Handover.name().to_owned());
    gates::confirm(runner, Word::Confirm { gate, verdict: Verdict::Accept, note, evidence }, actor).await
}

/// # Errors
/// There is none yet, or something was added since.
fn is_read(runner: &Runner, read: &str) -> Result<(), Problem> {
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
