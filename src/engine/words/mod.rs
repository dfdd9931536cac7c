//! People's words to a run: what is taken in which phase, and how a refusal is said.

mod gates;
mod handover;
pub mod home;
mod ledger;
pub mod release;
mod waive;

mod resume;

use crate::domain::decide::{Next, decide};
use crate::domain::event::Event;
use crate::domain::gate::Gate;
use crate::domain::ids::NodeId;
use crate::domain::run::Run;
use crate::domain::sheet;
use crate::domain::world::World;
use crate::ports::StoreError;

use super::accepting;
use super::api::{Kind, Problem, Snapshot, Word};
use super::recorder::RecordError;
use super::runner::Runner;

/// The code of the one problem after which the process must stop.
pub const STORE_FAILED: &str = "store_failed";

/// Takes a word: checks it against what the person saw and against the phase, records it, and lets the run come to its next
/// safe point where the word asks for that.
pub async fn take(runner: &mut Runner, word: Word, actor: &str, seq: Option<u64>) -> Result<Snapshot, Problem> {
    if let Err(barred) = runner.people().may(actor, &[]) {
        return Err(denied(runner, &word, None, actor, &barred.to_string()).await);
    }
    if let Some(seen) = seq.filter(|seen| *seen != runner.run().seq) {
        return Err(moved_on(runner.run(), seen));
    }
    let (event, why) = match word {
        Word::Confirm { .. } => gates::confirm(runner, word, actor).await?,
        Word::TakeOver { .. } => handover::take_over(runner, word, actor).await?,
        Word::Waive { .. } => waive::waive(runner, word, actor).await?,
        Word::Acknowledge { .. } => ledger::acknowledge(runner, word, actor).await?,
        Word::Hold => hold(runner.run())?,
        Word::Resume { window } => resume::here(runner, window).await?,
        Word::Rebook(rebooking) => resume::with(runner, rebooking).await?,
        Word::AcceptWarning { check, node, reason } => accepting::word(runner, (&check, node), &reason, actor).await?,
        Word::SwitchBack { note } => switch_back(runner.run(), &runner.world, note)?,
        Word::Abort { way, note } => home::abort(runner, way, note).await?,
        Word::Close { state, note } => home::close(runner.run(), state, note)?,
        Word::Release { withdraw, note } => release::release(runner.run(), withdraw, note, runner.people().who(actor))?,
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
    let recorded = runner.note(event, why, actor).await;
    recorded.map(|_| ()).map_err(|error| not_recorded(runner.run(), error))
}

/// Why a word was not taken after all.
pub fn not_recorded(run: &Run, error: RecordError) -> Problem {
    let id = &run.id;
    match error {
        RecordError::Illegal(error) => {
            Problem::new(Kind::Conflict, "not_in_this_phase", error.to_string()).state(sheet::state(run))
        }
        RecordError::Store(error @ StoreError::OnlyReserve { .. }) => {
            Problem::new(Kind::Store, "store_low", format!("run `{id}` was not changed"))
                .because(error.to_string())
                .state(sheet::state(run))
                .hint("free space on the disk of the state folder")
        }
        RecordError::Store(error @ StoreError::Unfit(_)) => {
            Problem::new(Kind::Store, "record_unfit", format!("the word to run `{id}` was not recorded"))
                .because(error.to_string())
                .state(sheet::state(run))
                .hint("the run is as it was; say it in fewer words")
        }
        RecordError::Store(error) => Problem::new(Kind::Store, STORE_FAILED, format!("the word to run `{id}` was not recorded"))
            .because(error.to_string())
            .state(sheet::state(run))
            .hint("look at the disk of the state folder; the daemon acts no further and ends"),
    }
}

/// A word that a person may not say: recorded, as far as the run takes records, and refused.
pub async fn denied(runner: &mut Runner, word: &Word, gate: Option<Gate>, actor: &str, reason: &str) -> Problem {
    let (by, run) = (runner.people().who(actor), runner.run().clone());
    let what = gate.map(|gate| format!(" gate `{gate}`")).unwrap_or_default();
    let why = format!("`{}`{what} by {by} was not taken: {reason}", word.name());
    let event = Event::Denied { word: word.name().to_owned(), gate, by: by.clone(), reason: reason.to_owned() };
    // A finished run takes no record, and on the reserve none of this kind: the answer is the same.
    if let Err(problem) = record(runner, &event, &why, actor).await
        && problem.code == STORE_FAILED
    {
        return problem;
    }
    let message = format!("{by} may not `{}`{what} of run `{}`", word.name(), run.id);
    Problem::not_allowed(message, reason).state(sheet::state(&run))
}

pub fn moved_on(run: &Run, seen: u64) -> Problem {
    Problem::new(Kind::Conflict, "moved_on", format!("run `{}` has moved on", run.id))
        .because(format!("you saw record {seen}, it is at record {}", run.seq))
        .state(sheet::state(run))
        .hint(format!("look again with `changeover status {}`", run.id))
}

fn hold(run: &Run) -> Result<(Event, String), Problem> {
    if let Some(hold) = run.hold() {
        return Err(Problem::new(Kind::Conflict, "already_held", format!("run `{}` is held already", run.id))
            .because(hold.message.clone()));
    }
    Ok((Event::HoldRequested {}, "a person asked to stop at the next safe point".to_owned()))
}

fn switch_back(run: &Run, world: &World, note: String) -> Result<(Event, String), Problem> {
    if note.trim().is_empty() {
        return Err(Problem::new(Kind::BadInput, "note_missing", "a switch back needs a note that says why"));
    }
    if !run.may_switch_back() {
        let hint = "traffic can be ordered back after it was switched, or partly, and before failover is established, while no update is under way";
        return Err(Problem::new(Kind::Conflict, "no_switch_back", format!("run `{}` can't switch back now", run.id))
            .state(sheet::state(run))
            .hint(hint));
    }
    may_take_effect_yet(run, world)?;
    let to = run.leads_back_to();
    Ok((Event::SwitchBackOrdered { note }, format!("R7 serves_first: a person orders traffic back to node `{to}`")))
}

/// A switch whose answer was lost may take effect for a while: what is led back before that could be moved again behind our back.
fn may_take_effect_yet(run: &Run, world: &World) -> Result<(), Problem> {
    let sent = run.act.as_ref().filter(|_| run.may_be_half_switched()).map(|act| act.since);
    let Some(until) = sent.and_then(|since| since.checked_add(world.settling).ok()).filter(|until| world.now < *until) else {
        return Ok(());
    };
    Err(Problem::new(Kind::Conflict, "act_under_way", format!("run `{}` can't switch back yet", run.id))
        .because("a switch was ordered, and what was sent may have its effect yet")
        .state(sheet::state(run))
        .hint(format!("repeat it after {until}")))
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
        Event::StepDone { evidence, .. } => {
            let told = evidence.files_told().map(|told| format!(": {told}")).unwrap_or_default();
            format!("its files are there and checked{told}")
        }
        _ => String::new(),
    }
}
