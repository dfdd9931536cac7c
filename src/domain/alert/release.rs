//! What is said of releases (R11).

use super::saying::{Saying, Severity, say};
use crate::domain::people::Who;
use crate::domain::run::Run;

/// Others may count on the run now, or may not any more.
pub fn told(run: &Run, by: &Who, withdrawn: bool) -> Saying {
    let (id, path) = (&run.id, format!("{} to {}", run.plan.from, run.plan.to));
    if withdrawn {
        let summary = format!("the release of run `{id}` ({path}) was withdrawn by {by}");
        let hint = "runs that count on it are held before the break and before their next update".to_owned();
        return say("released", Severity::Warning, summary, hint);
    }
    let summary = format!("run `{id}` ({path}) was released by {by}: sites that ask for its rehearsal may go the same way");
    say("released", Severity::Info, summary, format!("`changeover release {id} --withdraw --note …` takes it back"))
}

/// R11: the rehearsal's release must stand again.
pub fn helps(run: &Run) -> String {
    let Some(rehearsal) = &run.plan.rehearsal else {
        return format!("`changeover abort {}` looks for the way home", run.id);
    };
    format!("if its path may still be gone: `changeover release {} --note …`, then `changeover resume {}`", rehearsal.run, run.id)
}
