//! To let a run go on, perhaps in other windows, or with another person responsible for window two.

use jiff::Timestamp;

use crate::domain::action::When;
use crate::domain::booking::{HOLD, lacks, need_of_run, unreachable_from};
use crate::domain::event::{Event, WaitingOn};
use crate::domain::machine;
use crate::domain::run::{Phase, Run};
use crate::domain::sheet;
use crate::domain::step::Step;
use crate::domain::surprise;
use crate::domain::window::choose::Wanted;
use crate::domain::window::{Window, format_duration};
use crate::domain::world::World;

use super::super::api::{Kind, Problem, Rebooking};
use super::super::booking;
use super::super::runner::Runner;

/// `--window`: that of the step where the run stands.
pub async fn here(runner: &mut Runner, window: Option<String>) -> Result<(Event, String), Problem> {
    let second = runner.run().step().is_some_and(|step| step.when >= When::Soak);
    let (first, second) = if second { (None, window) } else { (window, None) };
    with(runner, Rebooking { first, second, responsible: None }).await
}

/// What was done by hand meanwhile is seen before the run goes on, not believed.
pub async fn with(runner: &mut Runner, rebooking: Rebooking) -> Result<(Event, String), Problem> {
    if may_resume(runner.run(), &rebooking).is_ok() {
        runner.reopen_access().await;
    }
    runner.look_now().await;
    let event = resumed(runner.run(), &runner.world, &rebooking)?;
    Ok((event, differing("a person lets the run go on".to_owned(), runner)))
}

fn resumed(run: &Run, world: &World, rebooking: &Rebooking) -> Result<Event, Problem> {
    may_resume(run, rebooking)?;
    if let Some(user) = &rebooking.responsible {
        booking::must_be_known(&world.config.people, user)?;
    }
    let first = new_window(run, world, (When::Window1, world.now), rebooking.first.as_deref())?;
    let goes_on = goes_on_at(run, first.as_ref(), world.now);
    let second = new_window(run, world, (When::Window2, goes_on), rebooking.second.as_deref())?;
    let here = if run.step().is_some_and(|step| step.when >= When::Soak) { &second } else { &first };
    needs_window(run, here.as_ref(), world.now)?;
    let event = Event::Resumed { first, second, responsible: rebooking.responsible.clone() };
    needs_second(run, world, &event)?;
    reaches_second(run, &event, (goes_on, world.now))?;
    Ok(event)
}

/// When the steps go on: at once, or when window one opens for a run that stands before the soak.
fn goes_on_at(run: &Run, given: Option<&Window>, now: Timestamp) -> Timestamp {
    let before_soak = run.step().is_some_and(|step| step.when < When::Soak);
    let first = given.or(run.windows.first.as_ref()).filter(|_| before_soak);
    first.map_or(now, |window| window.from.max(now))
}

fn may_resume(run: &Run, rebooking: &Rebooking) -> Result<(), Problem> {
    let waits_for_window = matches!(run.phase, Phase::Waiting { on: WaitingOn::Window, .. });
    let rebooks = *rebooking != Rebooking::default();
    let resumable = run.hold().is_some() || matches!(run.phase, Phase::InDoubt { .. }) || waits_for_window && rebooks;
    if !resumable {
        let hint = format!(
            "only a held run, one in doubt, or, with `--window`, one that waits for its window can be resumed; any other is held first: \
             `changeover hold {0}`, then `changeover resume {0}` with the window",
            run.id
        );
        return Err(Problem::new(Kind::Conflict, "not_held", format!("run `{}` is not held", run.id))
            .state(sheet::state(run))
            .hint(hint));
    }
    if run.hold().is_some_and(|hold| hold.code == "switched_back") {
        return Err(Problem::new(Kind::Conflict, "switched_back", format!("run `{}` is at rest after the switch back", run.id))
            .state(sheet::state(run))
            .hint(sheet::may(run).join("; ")));
    }
    Ok(())
}

/// The reason of a resumption, with what is not as the plan has it.
fn differing(why: String, runner: &Runner) -> String {
    let differences = surprise::differences(runner.run(), &runner.world);
    if differences.is_empty() { why } else { format!("{why}; not as the plan has it: {}", differences.join("; ")) }
}

fn new_window(run: &Run, world: &World, (when, from): (When, Timestamp), text: Option<&str>) -> Result<Option<Window>, Problem> {
    let (Some(text), now) = (text, world.now) else { return Ok(None) };
    let bad = |message: String| Problem::new(Kind::BadInput, "bad_window", message);
    let window = match Wanted::parse(text, now).map_err(|error| bad(error.to_string()))? {
        Wanted::Fixed(window) => window,
        Wanted::Next(name) => {
            let need = need_of_run(run, when, from);
            booking::choose(&run.id.site, &world.config.calendar, name.as_deref(), now, need)?
        }
    };
    if window.is_over(now) {
        return Err(bad(format!("window `{text}` is over already")));
    }
    match world.config.calendar.frozen(&window) {
        None => Ok(Some(window)),
        Some(frozen) => Err(Problem::new(Kind::Refused, "frozen", format!("run `{}` can't be given that window", run.id))
            .because(format!("R3 in_window: {} to {} lies in {frozen}", window.from, window.to))
            .state(sheet::state(run))
            .hint(format!("`changeover windows {}` shows which ones are free", run.id.site))),
    }
}

/// A run that is held because its window closed needs another one; and any that is given must be long enough for the next step that
/// it binds, the way there and the way back from it.
fn needs_window(run: &Run, given: Option<&Window>, now: Timestamp) -> Result<(), Problem> {
    let missed = run.hold().is_some_and(|hold| hold.code == "window_missed");
    let Some((step, needed)) = run.needs_of_window().filter(|_| missed || given.is_some()) else { return Ok(()) };
    if given.or(run.windows.of(step.when)).is_none_or(|window| window.fits(now.max(window.from), needed)) {
        return Ok(());
    }
    let because = format!("`{}` and what must fit with it take up to {}", step.id, format_duration(needed));
    Err(Problem::new(Kind::Refused, "window_missed", format!("{} of run `{}` is over or too short", step.when.as_str(), run.id))
        .because(because)
        .state(sheet::state(run))
        .hint(format!("give it another: `changeover resume {} --window \"2026-11-22T02:00[Europe/Berlin] +4h\"`", run.id)))
}

/// A run that is held because window two is not as failover's break asks for needs it to be.
fn needs_second(run: &Run, world: &World, event: &Event) -> Result<(), Problem> {
    let Some(step) = run.step().filter(|_| run.hold().is_some_and(|hold| hold.code == HOLD)) else { return Ok(()) };
    // An illegal event is told as such when it is recorded.
    let Ok((booked, _)) = machine::next(run, event, world.now) else { return Ok(()) };
    let lacks = lacks(&booked, step, world);
    if lacks.is_empty() {
        return Ok(());
    }
    let problem = Problem::new(Kind::Refused, HOLD, format!("run `{}` can't break failover yet", run.id));
    let problem = lacks.iter().fold(problem, |problem, lack| problem.because(format!("R3 in_window: {lack}")));
    Err(problem.state(sheet::state(run)).hint(format!(
        "`changeover resume {} --second \"START +LENGTH\"` or `--second next`, and `--responsible USER` where nobody is",
        run.id
    )))
}

/// Without failover a window is not taken that leaves window two behind, or a window two that the soak can't reach: on its night
/// nobody could do anything in it. Before the break it is the break that asks.
fn reaches_second(run: &Run, event: &Event, (goes_on, now): (Timestamp, Timestamp)) -> Result<(), Problem> {
    let Event::Resumed { first, second, .. } = event else { return Ok(()) };
    let rebooks = first.is_some() || second.is_some();
    if !rebooks || run.unprotected_since().is_none() || !is_window_two_ahead(run) {
        return Ok(());
    }
    let Ok((booked, _)) = machine::next(run, event, now) else { return Ok(()) };
    let Some(lack) = unreachable_from(&booked, goes_on) else { return Ok(()) };
    let problem = Problem::new(Kind::Refused, HOLD, format!("run `{}` could not keep window two after that", run.id));
    Err(problem.because(format!("R3 in_window: {lack}")).state(sheet::state(run)).hint(format!(
        "book both so that window two opens after the soak: `changeover resume {} --first \"START +LENGTH\" --second \"START +LENGTH\"`, or `--second` alone in the soak",
        run.id
    )))
}

/// A way that a person ordered takes no window two.
fn is_window_two_ahead(run: &Run) -> bool {
    let ahead = |step: &Step| step.when < When::Window2;
    !run.is_ordered() && run.step().is_some_and(ahead) && run.plan.steps.iter().any(|step| step.when == When::Window2)
}
