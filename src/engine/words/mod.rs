//! People's words to a run: what is taken in which phase, and how a refusal is said.

mod handover;
pub mod home;

use jiff::Timestamp;

use crate::domain::action::{Kind as Action, When};
use crate::domain::decide::{Next, decide};
use crate::domain::event::{Event, Verdict, WaitingOn};
use crate::domain::gate::Gate;
use crate::domain::ids::NodeId;
use crate::domain::rules;
use crate::domain::run::{Phase, Run};
use crate::domain::sheet;
use crate::domain::watch::{self, soak::Certainty};
use crate::domain::window::Window;
use crate::ports::StoreError;

use super::api::{Kind, Problem, Snapshot, Word};
use super::recorder::RecordError;
use super::runner::Runner;

/// The code of the one problem after which the process must stop.
pub const STORE_FAILED: &str = "store_failed";

/// Takes a word: checks it against what the person saw and against the phase, records it, and lets the run come to its next
/// safe point where the word asks for that.
pub async fn take(runner: &mut Runner, word: Word, actor: &str, seq: Option<u64>) -> Result<Snapshot, Problem> {
    if let Some(seen) = seq.filter(|seen| *seen != runner.run().seq) {
        return Err(moved_on(runner.run(), seen));
    }
    let (event, why) = match word {
        Word::Confirm { gate, verdict, note } => confirm(runner, gate.as_deref(), verdict, note).await?,
        Word::TakeOver { read, note } => {
            handover::is_read(runner, &read)?;
            confirm(runner, Some(Gate::Handover.name()), Verdict::Accept, note).await?
        }
        Word::Hold => hold(runner.run())?,
        Word::Resume { window } => {
            // What was done by hand meanwhile is seen before the run goes on, not believed.
            runner.look_now().await;
            let (event, why) = resume(runner.run(), window.as_deref(), runner.world.now)?;
            (event, differing(why, runner))
        }
        Word::SwitchBack { note } => switch_back(runner.run(), note)?,
        Word::Abort { way, note } => home::abort(runner, way, note).await?,
        Word::Close { state, note } => home::close(runner.run(), state, note)?,
        Word::ReplaceNode { node, identity, note } => replace_node(runner.run(), node, identity, note)?,
    };
    record(runner, &event, &why, actor).await?;
    if event == (Event::HoldRequested {})
        && let Next::Record { event: event @ Event::Held { .. }, why } = decide(runner.run(), &runner.world)
    {
        record(runner, &event, &why, "daemon").await?;
    }
    Ok(runner.recorder.snapshot())
}

async fn record(runner: &mut Runner, event: &Event, why: &str, actor: &str) -> Result<(), Problem> {
    let id = runner.run().id.clone();
    match runner.recorder.record(event, why, actor).await {
        Ok(_) => Ok(()),
        Err(RecordError::Illegal(error)) => {
            Err(Problem::new(Kind::Conflict, "not_in_this_phase", error.to_string()).state(sheet::state(runner.run())))
        }
        Err(RecordError::Store(error @ StoreError::OnlyReserve { .. })) => {
            Err(Problem::new(Kind::Store, "store_low", format!("run `{id}` was not changed"))
                .because(error.to_string())
                .state(sheet::state(runner.run()))
                .hint("free space on the disk of the state folder"))
        }
        Err(RecordError::Store(error)) => {
            Err(Problem::new(Kind::Store, STORE_FAILED, format!("the word to run `{id}` was not recorded"))
                .because(error.to_string()))
        }
    }
}

fn moved_on(run: &Run, seen: u64) -> Problem {
    Problem::new(Kind::Conflict, "moved_on", format!("run `{}` has moved on", run.id))
        .because(format!("you saw record {seen}, it is at record {}", run.seq))
        .state(sheet::state(run))
        .hint(format!("look again with `changeover status {}`", run.id))
}

/// A person's word at a gate.
async fn confirm(
    runner: &mut Runner,
    gate: Option<&str>,
    verdict: Verdict,
    note: Option<String>,
) -> Result<(Event, String), Problem> {
    let run = runner.run().clone();
    let gate = open_gate(&run, gate, verdict)?;
    if verdict == Verdict::AcceptEarly && gate != Gate::Production {
        return Err(Problem::new(
            Kind::BadInput,
            "not_early",
            format!("gate `{gate}` has no early acceptance; only `production` has"),
        ));
    }
    if verdict != Verdict::Reject {
        // R16 is judged on fresh readings, not on those from before the person thought about it.
        runner.look_now().await;
        stray_sessions(runner)?;
        if gate == Gate::Production {
            soak_holds(runner)?;
        }
    }
    let why = match verdict {
        Verdict::Accept => format!("gate `{gate}` accepted"),
        Verdict::AcceptEarly => format!("gate `{gate}` accepted before the shortest soak is over"),
        Verdict::Reject => format!("gate `{gate}` rejected"),
    };
    let on = handover::current(runner).filter(|_| gate == Gate::Handover && verdict != Verdict::Reject);
    let why = on.map(|note| format!("{why} on the handover note {}", note.hash)).unwrap_or(why);
    let but = watch::soak::reservation(&run).filter(|_| gate == Gate::Production && verdict != Verdict::Reject);
    let why = but.map(|but| format!("{why}; {but}")).unwrap_or(why);
    Ok((Event::Confirmed { gate, verdict, note }, why))
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

fn open_gate(run: &Run, name: Option<&str>, verdict: Verdict) -> Result<Gate, Problem> {
    let named = match name {
        None => None,
        Some(name) => Some(name.parse::<Gate>().map_err(|()| unknown_gate(name))?),
    };
    // Accepted already, soaking still: the acceptance may be made an early one.
    let soaking = matches!(run.phase, Phase::Waiting { on: WaitingOn::Soak, .. })
        && run.step().is_some_and(|step| step.kind == Action::Soak);
    let open = run.open_gate().or((soaking && verdict == Verdict::AcceptEarly).then_some(Gate::Production));
    match (named, open) {
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
    Problem::new(Kind::Conflict, "gate_not_open", format!("{wanted} in run `{}`", run.id)).because(found).state(sheet::state(run))
}

fn stray_sessions(runner: &Runner) -> Result<(), Problem> {
    let run = runner.run();
    let Some(step) = run.step() else { return Ok(()) };
    let facts = runner.world.facts(run, step);
    let violation = rules::violations(step, &facts).into_iter().find(|violation| violation.rule == rules::Rule::R16);
    violation.map_or(Ok(()), |violation| {
        Err(Problem::new(Kind::Refused, violation.rule.name(), format!("{} stands against it", violation.rule))
            .because(format!("expected {}, found {}", violation.expected, violation.found))
            .state(sheet::state(run))
            .hint("end those sessions and find out how they got there, then confirm again"))
    })
}

fn hold(run: &Run) -> Result<(Event, String), Problem> {
    if let Some(hold) = run.hold() {
        return Err(Problem::new(Kind::Conflict, "already_held", format!("run `{}` is held already", run.id))
            .because(hold.message.clone()));
    }
    Ok((Event::HoldRequested {}, "a person asked to stop at the next safe point".to_owned()))
}

fn resume(run: &Run, window: Option<&str>, now: Timestamp) -> Result<(Event, String), Problem> {
    let waits_for_window = matches!(run.phase, Phase::Waiting { on: WaitingOn::Window, .. });
    let resumable = run.hold().is_some() || matches!(run.phase, Phase::InDoubt { .. }) || waits_for_window && window.is_some();
    if !resumable {
        let hint = "only a held run, one in doubt, or, with `--window`, one that waits for its window can be resumed";
        return Err(Problem::new(Kind::Conflict, "not_held", format!("run `{}` is not held", run.id))
            .state(sheet::state(run))
            .hint(hint));
    }
    if run.hold().is_some_and(|hold| hold.code == "switched_back") {
        return Err(Problem::new(Kind::Conflict, "switched_back", format!("run `{}` is at rest after the switch back", run.id))
            .state(sheet::state(run))
            .hint(sheet::may(run).join("; ")));
    }
    let window = window.map(|text| new_window(text, now)).transpose()?;
    needs_window(run, window.as_ref(), now)?;
    let second = run.step().is_some_and(|step| step.when >= When::Soak);
    let (first, second) = if second { (None, window) } else { (window, None) };
    Ok((Event::Resumed { first, second }, "a person lets the run go on".to_owned()))
}

/// The reason of a resumption, with what is not as the plan has it.
fn differing(why: String, runner: &Runner) -> String {
    let differences = watch::differences(runner.run(), &runner.world);
    if differences.is_empty() { why } else { format!("{why}; not as the plan has it: {}", differences.join("; ")) }
}

fn new_window(text: &str, now: Timestamp) -> Result<Window, Problem> {
    let window = Window::parse(text, now).map_err(|error| Problem::new(Kind::BadInput, "bad_window", error.to_string()))?;
    if window.is_over(now) {
        return Err(Problem::new(Kind::BadInput, "bad_window", format!("window `{text}` is over already")));
    }
    Ok(window)
}

/// A run that is held because its window closed needs another one, long enough for the step where it stands.
fn needs_window(run: &Run, given: Option<&Window>, now: Timestamp) -> Result<(), Problem> {
    let missed = run.hold().is_some_and(|hold| hold.code == "window_missed");
    let Some(step) = run.step().filter(|_| missed) else { return Ok(()) };
    let fits = |window: &Window| window.fits(now.max(window.from), run.plan.expected(step.kind));
    if given.or(run.windows.of(step.when)).is_none_or(fits) {
        return Ok(());
    }
    Err(Problem::new(Kind::Refused, "window_missed", format!("{} of run `{}` is over or too short", step.when.as_str(), run.id))
        .state(sheet::state(run))
        .hint(format!("give it another: `changeover resume {} --window \"2026-11-22T02:00[Europe/Berlin] +4h\"`", run.id)))
}

fn switch_back(run: &Run, note: String) -> Result<(Event, String), Problem> {
    if note.trim().is_empty() {
        return Err(Problem::new(Kind::BadInput, "note_missing", "a switch back needs a note that says why"));
    }
    if !run.may_switch_back() {
        let hint =
            "traffic can be ordered back after it was switched and before failover is established, while no update is under way";
        return Err(Problem::new(Kind::Conflict, "no_switch_back", format!("run `{}` can't switch back now", run.id))
            .state(sheet::state(run))
            .hint(hint));
    }
    let to = run.survivor.other();
    Ok((Event::SwitchBackOrdered { note }, format!("R7 serves_first: a person orders traffic back to node `{to}`")))
}

/// A replaced box. That the site's file has it too is the fleet's to check.
fn replace_node(run: &Run, node: NodeId, identity: String, note: Option<String>) -> Result<(Event, String), Problem> {
    let known = &run.plan.nodes[node].identity;
    if *known == identity {
        return Err(Problem::new(
            Kind::Conflict,
            "same_box",
            format!("node `{node}` of run `{}` is box {identity} already", run.id),
        )
        .state(sheet::state(run)));
    }
    if node == run.survivor {
        return Err(Problem::new(
            Kind::Refused,
            "no_overwrite",
            format!("node `{node}` of run `{}` holds the data that are kept, and a new box has none of them", run.id),
        )
        .because(format!("R8 no_overwrite: expected a box other than the survivor replaced, found node `{node}`, the survivor"))
        .state(sheet::state(run))
        .hint(format!(
            "let the other node serve first (`changeover abort {0}` shows the way), or end the run (`changeover close {0} --as STATE --note …`) and say whose data are kept: `changeover adopt {1} --survivor NODE …`",
            run.id, run.id.site
        )));
    }
    let why = format!("R13 known_box: node `{node}` is box {identity} from now on, not {known}");
    Ok((Event::NodeReplaced { node, identity, note }, why))
}

/// The sentence that goes with an act's answer.
pub fn answer_sentence(event: &Event) -> String {
    match event {
        Event::ActAccepted {} => "the order was taken; its effect is awaited".to_owned(),
        Event::Instructed { number, .. } => format!("there is no interface: instruction {number} tells a person what to do"),
        Event::RetryScheduled { until, message, .. } => format!("it was never sent, next try at {until}: {message}"),
        Event::Doubted { message } | Event::Held { message, .. } => message.clone(),
        Event::StepDone { .. } => "its files are there and checked".to_owned(),
        _ => String::new(),
    }
}
