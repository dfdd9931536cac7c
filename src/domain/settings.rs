//! Settings, as far as an interface tells them: the freeze, and when a listing is wanted.
//!
//! Between the break and the first good sync settings are to stay as they are. A snapshot of both nodes is taken at the break
//! ([`Kind::RecordSettings`]), and compared with what is there now while the run goes on and directly before failover is
//! established ([`Kind::CompareSettings`]). The lines that come of it are the [`ledger`](super::ledger).

use jiff::SignedDuration;

use super::action::Kind;
use super::event::Event;
use super::facts::Link;
use super::run::{Phase, Run};
use super::step::Step;
use super::world::World;
use super::world::settings::{Compared, Recorded, Untold};

/// What is to be read of settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// The snapshot at the break.
    Record,
    /// Both nodes' listings against it.
    Compare,
}

/// What is to be read before the next decision; looks at settings are dear, and are made only when one is due.
pub fn due(run: &Run, world: &World) -> Option<Want> {
    if run.is_finished() || run.phase == Phase::Acting {
        return None;
    }
    match run.step() {
        Some(step) if step.kind == Kind::RecordSettings && run.hold().is_none() => record_due(step, world),
        _ => compare_due(run, world),
    }
}

fn record_due(step: &Step, world: &World) -> Option<Want> {
    let recorded = world.settings.recorded.as_deref().filter(|recorded| recorded.step == step.id);
    let again = |recorded: &Recorded| recorded.at < world.now && recorded.untold.iter().any(|(_, why)| *why == Untold::Later);
    recorded.is_none_or(again).then_some(Want::Record)
}

fn compare_due(run: &Run, world: &World) -> Option<Want> {
    let apart = run.unprotected_since().is_some() && world.link() == Link::Broken;
    if !apart || !run.compares_settings() || run.is_at(Kind::Update) {
        return None;
    }
    let tried = world.settings.unread.as_ref().map(|(at, _)| *at);
    let fresh = counting(run, world);
    let last = tried.max(fresh.map(|compared| compared.at));
    let waits = fresh.is_none() && run.step().is_some_and(|step| step.kind == Kind::CompareSettings);
    let pause = if waits { SignedDuration::ZERO } else { pause(run) };
    last.is_none_or(|last| last < world.now && world.now.duration_since(last) >= pause).then_some(Want::Compare)
}

/// Between two comparisons; a listing takes some seconds, and a comparison that is always too old would never be one.
fn pause(run: &Run) -> SignedDuration {
    run.plan.policy.settings_look.max(SignedDuration::from_mins(1))
}

/// The last comparison, if it was made for the node that is kept.
fn compared<'w>(run: &Run, world: &'w World) -> Option<&'w Compared> {
    world.settings.compared.as_ref().filter(|compared| compared.keeper == run.keeper())
}

/// The last comparison, if it counts where the run stands: at the step that compares only one that was begun after what came before
/// the step, and after the last word on it.
pub(super) fn counting<'w>(run: &Run, world: &'w World) -> Option<&'w Compared> {
    let compared = compared(run, world)?;
    let Some(index) = run.position().filter(|&index| run.plan.steps[index].kind == Kind::CompareSettings) else {
        return Some(compared);
    };
    let before = index.checked_sub(1).and_then(|index| run.progress[index].done_at);
    let after_it = before.is_none_or(|before| compared.at >= before);
    let after_word = run.settings.last_word().is_none_or(|word| compared.at > word);
    Some(compared).filter(|_| after_it && after_word)
}

/// R9: the comparison stands: made for the node that is kept, not too old, and every line of it acknowledged.
pub fn is_settled(run: &Run, world: &World) -> bool {
    let young = |compared: &Compared| world.now.duration_since(compared.at) <= pause(run) * 2;
    let settled = run.settings.settled_at.is_some() && run.settings.open().next().is_none();
    settled && compared(run, world).is_some_and(young)
}

/// A comparison that found other lines than are recorded.
pub fn news(run: &Run, world: &World) -> Option<Event> {
    let compared = compared(run, world).filter(|_| !run.is_finished())?;
    let event = || Event::SettingsCompared { keeper: compared.keeper, lines: compared.lines.clone() };
    (compared.lines != run.settings.lines).then(event)
}
