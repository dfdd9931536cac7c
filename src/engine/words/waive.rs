//! A person sets a promise aside: one of the few that may be, for the step where the run stands, with a reason.

use crate::domain::event::{Event, WaitingOn};
use crate::domain::late;
use crate::domain::rule::Rule;
use crate::domain::rules;
use crate::domain::run::{Phase, Run};
use crate::domain::sheet;
use crate::domain::shown;
use crate::domain::step::Step;
use crate::domain::waiver::{self, WAIVABLE};
use crate::engine::api::{Kind, Problem, Word};
use crate::engine::runner::Runner;

use super::denied;
use super::gates::no_word;

/// Only what stands against the step now can be set aside: a waiver in stock would be one for whatever comes.
pub async fn waive(runner: &mut Runner, word: Word, actor: &str) -> Result<(Event, String), Problem> {
    let Word::Waive { rule, reason } = &word else { return Err(no_word()) };
    let rule = waiver::named(rule).ok_or_else(|| not_waivable(runner.run(), rule))?;
    if reason.trim().is_empty() {
        return Err(Problem::new(Kind::BadInput, "note_missing", "a waiver needs a reason"));
    }
    if let Err(why) = waiver::may(&runner.run().plan.policy, runner.people(), rule.name(), actor) {
        return Err(denied(runner, &word, None, actor, &why).await);
    }
    runner.look_now().await;
    runner.look_now().await;
    let run = runner.run().clone();
    let step = stopped_by(runner, rule)?;
    let by = runner.people().who(actor);
    let why = format!("{rule} is set aside for `{}` by {by}: {reason}", step.id);
    let shown = Some(shown::of(&run, &runner.world));
    Ok((Event::Waived { rule, step: step.id, reason: reason.clone(), by, shown }, why))
}

/// The step that this rule stands against now.
fn stopped_by(runner: &Runner, rule: Rule) -> Result<Step, Problem> {
    let run = runner.run();
    let rests = run.hold().is_some() || matches!(run.phase, Phase::Waiting { on: WaitingOn::Window, .. });
    let against = |step: &&Step| {
        rules::violations(step, &runner.world.facts(run, step))
            .iter()
            .any(|found| found.rule == rule && found.cure != rules::Cure::Booking)
    };
    // At a gate it is the step that the gate keeps waiting.
    let stopped = run.step().into_iter().chain(late::kept_waiting(run)).find(against);
    stopped.filter(|_| rests).cloned().ok_or_else(|| {
        let step = run.step().map_or_else(|| "the end".to_owned(), |step| format!("`{}`", step.id));
        Problem::new(Kind::Conflict, "nothing_to_waive", format!("{rule} does not stop run `{}` now", run.id))
            .because(format!("it stands at {step}, and is neither held nor waiting there by this rule"))
            .state(sheet::state(run))
            .hint("only what stands against the next step now can be waived")
    })
}

fn not_waivable(run: &Run, name: &str) -> Problem {
    let known = WAIVABLE.iter().map(|rule| format!("`{}`", rule.name())).collect::<Vec<_>>().join(", ");
    Problem::new(Kind::BadInput, "not_waivable", format!("`{name}` is no promise that can be waived; these can: {known}"))
        .state(sheet::state(run))
        .hint(format!(
            "the shortest soak is waived where the version is accepted: `changeover confirm {} production --accept-early`",
            run.id
        ))
}
