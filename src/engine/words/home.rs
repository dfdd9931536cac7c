//! The words with which a run leaves its plan: `abort` (the way home) and `close` (the end without an act).

use crate::domain::event::{Cause, Event};
use crate::domain::homeward;
use crate::domain::plan::Goal;
use crate::domain::rules::Violation;
use crate::domain::run::{Phase, Run};
use crate::domain::sheet;
use crate::domain::way_home::{Found, Way};
use crate::domain::world::World;
use crate::engine::api::{Kind, Problem, Snapshot, WaysFound};
use crate::engine::runner::Runner;

/// What a person may call the state in which a run is left.
pub const STATE_CHARS: usize = 100;

/// The ways from where a run stands, by these readings.
pub fn ways(snapshot: Snapshot) -> WaysFound {
    let found = homeward::of_run(&snapshot.run, &snapshot.world);
    let not_now = not_now(&snapshot.run, &snapshot.world).map(|(why, _)| why);
    WaysFound { snapshot, found, not_now }
}

/// The way home: found anew from a fresh look, compared with what the person was shown, and recorded as a new plan revision.
///
/// An answer lost just now must not count as a node that is not well, so that everything is read twice.
pub async fn abort(runner: &mut Runner, shown: Option<Vec<String>>, note: Option<String>) -> Result<(Event, String), Problem> {
    may_begin(runner.run(), &runner.world)?;
    runner.look_now().await;
    runner.look_now().await;
    let (run, world) = (runner.run(), &runner.world);
    may_begin(run, world)?;
    let found = homeward::of_run(run, world);
    let Some(way) = found.ways.first() else { return Err(no_way(run, &found)) };
    if shown.is_some_and(|shown| shown != ids(run, way)) {
        return Err(another_way(run, way));
    }
    if at_harbour(run, way) {
        return Err(no_way(run, &found));
    }
    Ok((homeward::order(run, world, way, Cause::Abort, note), sentence(way)))
}

fn ids(run: &Run, way: &Way) -> Vec<String> {
    homeward::steps(run, way).into_iter().map(|step| step.id).collect()
}

/// The run rests at harbour already, and nothing better is to be had.
fn at_harbour(run: &Run, way: &Way) -> bool {
    way.steps.is_empty() && run.hold().is_some_and(|hold| hold.code == "harbour")
}

fn sentence(way: &Way) -> String {
    match way.goal {
        Goal::Home => "a person orders the way home".to_owned(),
        Goal::Harbour { node } => {
            format!("a person orders the way home; it leads to harbour: node `{node}` serves, the rest is a person's decision")
        }
    }
}

fn may_begin(run: &Run, world: &World) -> Result<(), Problem> {
    let Some((why, hint)) = not_now(run, world) else { return Ok(()) };
    let code = if run.is_finished() { "not_in_this_phase" } else { "act_under_way" };
    Err(Problem::new(Kind::Conflict, code, format!("run `{}` can't take another way now", run.id))
        .because(why)
        .state(sheet::state(run))
        .hint(hint))
}

/// Why no way may be ordered now, and what to do.
fn not_now(run: &Run, world: &World) -> Option<(String, String)> {
    if homeward::may_be_ordered(run, world) {
        return None;
    }
    if let Phase::Finished(outcome) = run.phase {
        let hint = format!("what is left to do is taken over with `changeover adopt {}`", run.id.site);
        return Some((format!("it is finished ({})", outcome.name()), hint));
    }
    let step = run.step().map(|step| step.id.as_str()).unwrap_or("the step");
    let at_rest = matches!(run.phase, Phase::Held(_) | Phase::InDoubt { .. });
    if let Some(until) = homeward::wait_until(run, world).filter(|_| at_rest) {
        let why = format!("what became of `{step}` is not known, and it may have its effect yet");
        return Some((why, format!("repeat it after {until}: what is read then shows the effect, or that there was none")));
    }
    let hint = format!(
        "wait until `{step}` is proven or in doubt, or ask for a hold, which takes effect right after it: `changeover hold {}`",
        run.id
    );
    Some((format!("`{step}` is under way, and what it does can't be called back"), hint))
}

fn another_way(run: &Run, way: &Way) -> Problem {
    Problem::new(Kind::Conflict, "way_changed", format!("the way home of run `{}` has changed", run.id))
        .because(format!("by the last look it is: {}", ids(run, way).join(", ")))
        .state(sheet::state(run))
        .hint(format!("look again: `changeover abort {}`", run.id))
}

/// Neither home nor harbour can be reached, or harbour is where the run is: what stands against home, and what is left.
fn no_way(run: &Run, found: &Found) -> Problem {
    let problem = Problem::new(Kind::Refused, "no_way_home", format!("no way leads run `{}` home from here", run.id));
    let problem = found.not_home.iter().fold(problem, |problem, violation| problem.because(promise(violation)));
    problem.state(sheet::state(run)).hint(decision(run, found))
}

/// A promise that can't be kept, in words.
pub fn promise(violation: &Violation) -> String {
    format!("{}: expected {}, found {}", violation.rule, violation.expected, violation.found)
}

fn decision(run: &Run, found: &Found) -> String {
    let id = &run.id;
    let close = format!("end the run as it stands with `changeover close {id} --as STATE --note …`");
    let waits_for_word = found.not_home.iter().any(|violation| violation.rule.name() == "confirmed");
    if waits_for_word && run.open_gate().is_some() {
        return format!(
            "if the new version is good in production: `changeover confirm {id} production`, then abort again; or {close}"
        );
    }
    format!("put right what is named, then abort again; or {close}")
}

/// The end without an act: what is left undone is recorded with the state and the note.
pub fn close(run: &Run, state: String, note: String) -> Result<(Event, String), Problem> {
    let bad = |message: String| Problem::new(Kind::BadInput, "bad_input", message);
    let state = state.trim().to_owned();
    if state.is_empty() || state.chars().count() > STATE_CHARS {
        return Err(bad(format!("the state needs 1 to {STATE_CHARS} characters, as in `vendor support has node b`")));
    }
    if note.trim().is_empty() {
        return Err(Problem::new(Kind::BadInput, "note_missing", "closing a run needs a note that says why and who goes on"));
    }
    match run.phase {
        Phase::Acting => return Err(acting(run)),
        Phase::Finished(outcome) => {
            return Err(Problem::new(Kind::Conflict, "not_in_this_phase", format!("run `{}` is finished already", run.id))
                .because(format!("its outcome is `{}`", outcome.name())));
        }
        _ => {}
    }
    let undone = run.steps().filter(|(_, progress)| progress.done_at.is_none());
    let undone = undone.map(|(step, _)| step.id.clone()).collect();
    Ok((
        Event::Closed { state: state.clone(), note, undone, off_since: run.unlinked_at },
        format!("a person ended the run as: {state}"),
    ))
}

/// An act whose answer is awaited right now: it ends within its limit, and only then is it known what was done.
fn acting(run: &Run) -> Problem {
    let step = run.step().map(|step| step.id.as_str()).unwrap_or("the step");
    Problem::new(Kind::Conflict, "act_under_way", format!("run `{}` can't be closed now", run.id))
        .because(format!("`{step}` was ordered and its answer is awaited"))
        .state(sheet::state(run))
        .hint("close it once the answer is there, at the latest when the step's limit has passed")
}
