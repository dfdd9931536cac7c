//! A person's word at a gate: who may say it, what they were shown, and whether that is still so.

use jiff::Timestamp;

use crate::domain::asked;
use crate::domain::decide::{self, Next};
use crate::domain::event::{Event, Verdict};
use crate::domain::gate::Gate;
use crate::domain::people::People;
use crate::domain::rule::Rule;
use crate::domain::rules;
use crate::domain::run::{Answer, Run};
use crate::domain::sheet;
use crate::domain::shown;
use crate::domain::waiver::{self, MIN_SOAK};
use crate::domain::watch::{self, soak::Certainty};
use crate::engine::api::{Kind, Problem, Word};
use crate::engine::runner::Runner;

use super::{denied, handover, ledger, record};

/// Judged on fresh readings, not on those from before the person thought about it; everything is read twice, since what one
/// reading alone says is no evidence.
pub async fn confirm(runner: &mut Runner, word: Word, actor: &str) -> Result<(Event, String), Problem> {
    let Word::Confirm { gate, verdict, note, evidence } = &word else { return Err(no_word()) };
    let (run, verdict) = (runner.run().clone(), *verdict);
    let gate = open_gate(&run, gate.as_deref(), verdict)?;
    if verdict == Verdict::AcceptEarly && gate != Gate::Production {
        let message = format!("gate `{gate}` has no early acceptance; only `production` has");
        return Err(Problem::new(Kind::BadInput, "not_early", message));
    }
    if gate == Gate::SettingsLedger {
        return Err(ledger::line_by_line(&run));
    }
    if let Err(reason) = may(&run, gate, verdict, runner.people(), actor) {
        return Err(denied(runner, &word, Some(gate), actor, &reason).await);
    }
    reasoned(verdict, note.as_deref(), runner.people())?;
    not_twice(&run, gate, verdict, actor)?;
    if verdict != Verdict::Reject {
        runner.look_now().await;
        runner.look_now().await;
        in_time(&run, gate, runner.world.now)?;
        stray_sessions(runner)?;
        if gate == Gate::BackgroundJobs {
            ledger::no_jobs(runner).await?;
        }
        if gate == Gate::Production {
            soak_holds(runner)?;
            ledger::no_jobs_left_behind(runner).await?;
        }
        as_shown(runner, evidence.as_deref(), &format!("changeover confirm {} {gate}", run.id))?;
        still_bound(runner).await?;
    }
    let by = runner.people().who(actor);
    let why = sentence(&run, gate, verdict, &by.to_string(), by.name.is_some());
    let on = handover::current(runner).filter(|_| gate == Gate::Handover && verdict != Verdict::Reject);
    let why = on.map(|note| format!("{why} on the handover note {}", note.hash)).unwrap_or(why);
    let but = watch::soak::reservation(&run).filter(|_| gate == Gate::Production && verdict != Verdict::Reject);
    let why = but.map(|but| format!("{why}; {but}")).unwrap_or(why);
    let shown = Some(shown::of(&run, &runner.world));
    Ok((Event::Confirmed { gate, verdict, note: note.clone(), by: Some(by), shown }, why))
}

/// Nobody accepts a version while something fails that the soak watches. What only could not be read just now is no failure.
fn soak_holds(runner: &Runner) -> Result<(), Problem> {
    let run = runner.run();
    let unmet = watch::soak::unmet(run, &runner.world);
    let failing: Vec<String> =
        unmet.iter().filter(|unmet| unmet.certainty != Certainty::Unread).map(watch::soak::Unmet::sentence).collect();
    if failing.is_empty() {
        return Ok(());
    }
    let problem = Problem::new(Kind::Refused, "soak_failed", format!("run `{}` can't be accepted in production now", run.id));
    let problem = failing.into_iter().fold(problem, Problem::because);
    Err(problem
        .state(sheet::state(run))
        .hint("put it right, then confirm again; or say no: `--reject` holds the run and leads on to the ways back"))
}

/// An early acceptance waives the shortest soak. Where people are named it needs a reason, as every waiver does; where nobody is, the
/// command of before there were waivers stays as it was.
fn reasoned(verdict: Verdict, note: Option<&str>, people: &People) -> Result<(), Problem> {
    if verdict != Verdict::AcceptEarly || people.is_empty() || note.is_some_and(|note| !note.trim().is_empty()) {
        return Ok(());
    }
    Err(Problem::new(Kind::BadInput, "note_missing", "an early acceptance waives the shortest soak and needs a reason")
        .hint("give it with `--note`"))
}

/// [`super::take`] hands over only its own kind of word.
pub(super) fn no_word() -> Problem {
    Problem::new(Kind::BadInput, "bad_input", "another word was expected")
}

fn sentence(run: &Run, gate: Gate, verdict: Verdict, by: &str, named: bool) -> String {
    let what = match verdict {
        Verdict::Accept => format!("gate `{gate}` accepted"),
        Verdict::AcceptEarly => format!("gate `{gate}` accepted before the shortest soak is over"),
        Verdict::Reject => format!("gate `{gate}` rejected"),
    };
    let by = if named { format!(" by {by}") } else { String::new() };
    let needs = run.plan.policy.gate(gate).persons;
    let count = run.asked.as_ref().map_or(0, |asked| asked.answers.len()) + 1;
    // An acceptance that is made an early one is one person's word.
    let again = gate == Gate::Production && run.may_be_made_early();
    let adds_up = needs > 1 && verdict != Verdict::Reject && !again;
    let count = if adds_up { format!(", {count} of {needs}") } else { String::new() };
    format!("{what}{by}{count}")
}

/// Roles, deputies and the starter; an early acceptance waives the shortest soak, which has roles of its own.
fn may(run: &Run, gate: Gate, verdict: Verdict, people: &People, actor: &str) -> Result<(), String> {
    let early = verdict == Verdict::AcceptEarly;
    if early {
        waiver::may(&run.plan.policy, people, MIN_SOAK, actor)?;
    }
    if early && run.may_be_made_early() {
        return Ok(());
    }
    asked::may_answer(run, gate, people, actor).map_err(|barred| barred.to_string())
}

/// One person is one person. They may think again: from accepting to rejecting, or to an early acceptance.
fn not_twice(run: &Run, gate: Gate, verdict: Verdict, actor: &str) -> Result<(), Problem> {
    let known = run.asked.as_ref().filter(|asked| asked.gate == gate).and_then(|asked| asked.of(actor));
    let Some(Answer { at, verdict: before, .. }) = known.filter(|answer| answer.verdict == verdict) else { return Ok(()) };
    let needs = run.plan.policy.gate(gate).persons;
    let count = run.asked.as_ref().map_or(0, |asked| asked.answers.len());
    let early = if *before == Verdict::AcceptEarly { " early" } else { "" };
    Err(Problem::new(Kind::Conflict, "answered_already", format!("you have accepted gate `{gate}`{early} already, at {at}"))
        .because(format!("{count} of {needs} persons have accepted; the same person counts once"))
        .state(sheet::state(run))
        .hint(format!("another person is asked; to take your word back: `changeover confirm {} {gate} --reject`", run.id)))
}

/// An expired gate is over, also in the moment before the run says so.
fn in_time(run: &Run, gate: Gate, now: Timestamp) -> Result<(), Problem> {
    let policy = run.plan.policy.gate(gate);
    let expired = run.asked.as_ref().filter(|asked| asked.gate == gate).and_then(|asked| asked.expires_at(&policy));
    let Some(at) = expired.filter(|at| *at <= now) else { return Ok(()) };
    Err(Problem::new(Kind::Conflict, "gate_expired", format!("gate `{gate}` of run `{}` expired at {at}", run.id))
        .state(sheet::state(run))
        .hint(format!("`changeover status {}` says how it goes on", run.id)))
}

fn open_gate(run: &Run, name: Option<&str>, verdict: Verdict) -> Result<Gate, Problem> {
    let named = match name {
        None => None,
        Some(name) => Some(name.parse::<Gate>().map_err(|()| unknown_gate(name))?),
    };
    // Accepted already, soaking still: the acceptance may be made an early one, or taken back. Not asked yet: it may be refused.
    let taken = match verdict {
        Verdict::Accept => false,
        Verdict::AcceptEarly => run.may_be_made_early(),
        Verdict::Reject => named == Some(Gate::Production) && run.is_rejectable(),
    };
    let unasked = Some(Gate::Production).filter(|_| taken);
    let open = run.open_gate().or(unasked);
    match (named, open) {
        (Some(named), _) if unasked == Some(named) => Ok(named),
        (None, Some(open)) if open.is_asked() => Ok(open),
        (Some(named), Some(open)) if named == open => Ok(open),
        _ => Err(no_open_gate(run, named, open)),
    }
}

fn unknown_gate(name: &str) -> Problem {
    let known = Gate::all().map(|gate| format!("`{gate}`")).collect::<Vec<_>>().join(", ");
    Problem::new(Kind::NotFound, "unknown_gate", format!("no gate is named `{name}`; there are {known}"))
}

fn no_open_gate(run: &Run, named: Option<Gate>, open: Option<Gate>) -> Problem {
    let wanted = named.map_or_else(|| "no gate is open".to_owned(), |gate| format!("gate `{gate}` is not open"));
    let found = match open {
        None => "none is open".to_owned(),
        Some(gate) if gate.is_asked() => format!("`{gate}` is open"),
        Some(gate) => format!("`{gate}` is open, and is confirmed only by its name"),
    };
    let problem = Problem::new(Kind::Conflict, "gate_not_open", format!("{wanted} in run `{}`", run.id))
        .because(found)
        .state(sheet::state(run));
    if !run.is_rejectable() {
        return problem;
    }
    problem.hint(format!("to refuse the new version all the same: `changeover confirm {} {} --reject`", run.id, Gate::Production))
}

fn stray_sessions(runner: &Runner) -> Result<(), Problem> {
    let run = runner.run();
    let Some(step) = run.step() else { return Ok(()) };
    let facts = runner.world.facts(run, step);
    let violation = rules::violations(step, &facts).into_iter().find(|violation| violation.rule == Rule::R16);
    violation.map_or(Ok(()), |violation| {
        Err(Problem::new(Kind::Refused, violation.rule.name(), format!("{} stands against it", violation.rule))
            .because(format!("expected {}, found {}", violation.expected, violation.found))
            .state(sheet::state(run))
            .hint("end those sessions and find out how they got there, then confirm again"))
    })
}

/// What earlier words were given on has changed: they are void before this one could complete them, or lead on from them.
async fn still_bound(runner: &mut Runner) -> Result<(), Problem> {
    let Some(Next::Record { event, why }) = decide::lapsed(runner.run(), &runner.world) else { return Ok(()) };
    record(runner, &event, &why, "daemon").await?;
    let run = runner.run();
    let problem = Problem::new(Kind::Conflict, "evidence_changed", format!("what was confirmed in run `{}` has changed", run.id));
    Err(problem
        .because(why)
        .state(sheet::state(run))
        .hint(format!("`changeover status {}` says which gate is asked again, and what it shows now", run.id)))
}

/// The evidence that the person saw is what there is now; else they are told what has changed.
fn as_shown(runner: &Runner, hash: Option<&str>, again: &str) -> Result<(), Problem> {
    let run = runner.run();
    let now = shown::of(run, &runner.world);
    let Some(hash) = hash.filter(|hash| !now.is_meant_by(hash)) else { return Ok(()) };
    let (known, lines) = match runner.shown(hash) {
        Some(before) => (true, before.changed(&now.facts)),
        None => (false, now.lines()),
    };
    // What could not be told then or now is no change.
    if known && lines.is_empty() {
        return Ok(());
    }
    let message = format!("what was shown of run `{}` has changed", run.id);
    let what = if known { "since then" } else { "what that hash stood for is not known here; now it is" };
    let problem = Problem::new(Kind::Conflict, "evidence_changed", message).because(format!("{what}: {}", lines.join("; ")));
    Err(problem.state(sheet::state(run)).hint(format!(
        "look again (`changeover status {}`); if it is still your word: `{again} --evidence {}`",
        run.id,
        now.short()
    )))
}
