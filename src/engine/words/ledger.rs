//! Words on the ledger: a line is acknowledged by itself, as it is now; there is no word for all of them.

use crate::domain::event::Event;
use crate::domain::ledger::Line;
use crate::domain::run::Run;
use crate::domain::sheet;
use crate::engine::api::{Kind, Problem};
use crate::engine::runner::Runner;

/// A person has seen a line.
pub fn acknowledge(run: &Run, id: &str, note: Option<String>, actor: &str) -> Result<(Event, String), Problem> {
    let line = run.settings.lines.iter().find(|line| line.id == id).ok_or_else(|| unknown_line(run, id))?;
    if let Some(why) = needs_no_word(run, line) {
        return Err(Problem::new(Kind::Conflict, "line_not_open", format!("line `{id}` of run `{}` is not open", run.id))
            .because(why)
            .state(sheet::state(run)));
    }
    let why = format!("seen: {}; it {}", line.describe(), line.fate());
    let (digest, by) = (line.digest.clone(), actor.to_owned());
    Ok((Event::LineAcknowledged { line: id.to_owned(), digest, by, note }, why))
}

fn needs_no_word(run: &Run, line: &Line) -> Option<String> {
    if !line.lost {
        return Some(format!("it {}", line.fate()));
    }
    let known = run.settings.acknowledged.get(&line.id).filter(|_| run.settings.is_acknowledged(line))?;
    Some(format!("it was acknowledged by {} at {}", known.by, known.at))
}

fn unknown_line(run: &Run, id: &str) -> Problem {
    Problem::new(Kind::NotFound, "unknown_line", format!("the ledger of run `{}` has no line `{id}`", run.id))
        .hint(format!("`changeover ledger {}` lists them", run.id))
}

/// The gate of the ledger takes no word for all lines.
pub fn line_by_line(run: &Run) -> Problem {
    let open = run.settings.open().count();
    Problem::new(Kind::Conflict, "line_by_line", format!("the ledger of run `{}` is acknowledged line by line", run.id))
        .because(format!("open lines: {open}"))
        .state(sheet::state(run))
        .hint(format!("see `changeover ledger {0}`, then `changeover acknowledge {0} LINE` for each", run.id))
}

/// Where the node that does not serve tells its jobs, they must be off; a person's word counts for what it can't tell.
pub async fn no_jobs(runner: &Runner) -> Result<(), Problem> {
    let idle = runner.run().survivor.other();
    let jobs = runner.enabled_jobs(idle).await;
    if jobs.is_empty() {
        return Ok(());
    }
    let message = format!("expected no job that runs by itself on node `{idle}`, which does not serve");
    Err(Problem::new(Kind::Refused, "background_jobs", message)
        .because(format!("found {}", jobs.join(", ")))
        .state(sheet::state(runner.run()))
        .hint("switch them off there, then confirm again"))
}
