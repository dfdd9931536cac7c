//! Words on the ledger: a line is acknowledged by itself, as it is now; there is no word for all of them.

use crate::domain::asked;
use crate::domain::event::Event;
use crate::domain::gate::Gate;
use crate::domain::ledger::Line;
use crate::domain::run::Run;
use crate::domain::sheet;
use crate::engine::api::{Kind, Problem, Word};
use crate::engine::runner::Runner;

use super::denied;
use super::gates::no_word;

/// A person has seen a line.
pub async fn acknowledge(runner: &mut Runner, word: Word, actor: &str) -> Result<(Event, String), Problem> {
    let Word::Acknowledge { line: id, digest: seen, note } = &word else { return Err(no_word()) };
    let run = runner.run().clone();
    let gate = Gate::SettingsLedger;
    if let Err(barred) = asked::may_answer(&run, gate, runner.people(), actor) {
        return Err(denied(runner, &word, Some(gate), actor, &barred.to_string()).await);
    }
    let line = run.settings.lines.iter().find(|line| line.id == *id).ok_or_else(|| unknown_line(&run, id))?;
    if let Some(why) = needs_no_word(&run, line) {
        return Err(Problem::new(Kind::Conflict, "line_not_open", format!("line `{id}` of run `{}` is not open", run.id))
            .because(why)
            .state(sheet::state(&run)));
    }
    if seen.as_ref().is_some_and(|seen| seen.len() < line.short().len() || !line.digest.starts_with(seen.as_str())) {
        return Err(line_changed(&run, line));
    }
    let why = format!("seen: {}; it {}", line.describe(), line.fate());
    let (digest, by) = (line.digest.clone(), runner.people().who(actor));
    Ok((Event::LineAcknowledged { line: id.clone(), digest, by, note: note.clone() }, why))
}

fn line_changed(run: &Run, line: &Line) -> Problem {
    Problem::new(
        Kind::Conflict,
        "line_changed",
        format!("line `{}` of run `{}` is another than the one you saw", line.id, run.id),
    )
    .because(format!("now: {}, {}", line.describe(), line.short()))
    .state(sheet::state(run))
    .hint(format!("look again: `changeover ledger {}`", run.id))
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
    match runner.enabled_jobs(runner.run().survivor.other()).await {
        Ok(jobs) if jobs.is_empty() => Ok(()),
        Ok(jobs) => Err(still_run(runner, &jobs)),
        Err(error) => {
            let found = format!("they can't be read now: {error}");
            Err(jobs_on(runner, found).hint("confirm again once the node answers"))
        }
    }
}

/// The word before the update was about the node that has served since the switch: now the one that was left idles, for days. A node
/// that can't be read keeps nothing back: it may never be read again, and the version is not the worse for it.
pub async fn no_jobs_left_behind(runner: &Runner) -> Result<(), Problem> {
    let run = runner.run();
    if run.survivor == run.plan.primary {
        return Ok(());
    }
    match runner.enabled_jobs(run.survivor.other()).await {
        Ok(jobs) if !jobs.is_empty() => Err(still_run(runner, &jobs)),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn still_run(runner: &Runner, jobs: &[String]) -> Problem {
    jobs_on(runner, format!("found {}", jobs.join(", "))).hint("switch them off there, then confirm again")
}

fn jobs_on(runner: &Runner, found: String) -> Problem {
    let idle = runner.run().survivor.other();
    let message = format!("expected no job that runs by itself on node `{idle}`, which does not serve");
    Problem::new(Kind::Refused, "background_jobs", message).because(found).state(sheet::state(runner.run()))
}
