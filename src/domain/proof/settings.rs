//! Settings: recorded at the break, and compared with that (R9).

use jiff::SignedDuration;

use super::verdict::Proof;
use crate::domain::action::Kind;
use crate::domain::event::{Evidence, WaitingOn};
use crate::domain::run::{Phase, Run};
use crate::domain::settings;
use crate::domain::step::Step;
use crate::domain::world::World;
use crate::domain::world::settings::Untold;

/// Judges the two steps.
pub(super) fn of_look(run: &Run, step: &Step, world: &World) -> Proof {
    match step.kind {
        Kind::RecordSettings => recorded(run, step, world),
        _ => compared_now(run, world),
    }
}

fn recorded(run: &Run, step: &Step, world: &World) -> Proof {
    let untold =
        |why: &str| Proof::Done(Evidence::seen(format!("not told: {why}; compare users, groups and Jump items by hand")));
    let Some(recorded) = world.settings.recorded.as_ref().filter(|recorded| recorded.step == step.id) else {
        return untold("nobody reads settings");
    };
    let patient = match run.phase {
        Phase::Waiting { on: WaitingOn::Appliance, since, .. } => world.now.duration_since(since) < PATIENCE,
        _ => true,
    };
    if let Some((why, _)) = recorded.untold.iter().find(|(_, untold)| *untold == Untold::Later && patient) {
        return Proof::NotYet(format!("the settings: {why}"));
    }
    let why: Vec<&str> = recorded.untold.iter().map(|(why, _)| why.as_str()).collect();
    let unread = recorded.untold.iter().filter(|(_, untold)| *untold != Untold::Never);
    let unread: Vec<String> = unread.map(|(why, _)| why.clone()).collect();
    let none = recorded.files.a.is_none() && recorded.files.b.is_none();
    if none && unread.is_empty() {
        return untold(&why.join("; "));
    }
    let note = if why.is_empty() { String::new() } else { format!("; not told: {}", why.join("; ")) };
    let by_hand = if unread.is_empty() { "" } else { "; compare its users, groups and Jump items by hand" };
    let (snapshot, found) = (recorded.files.clone(), format!("{} items{note}{by_hand}", recorded.items));
    Proof::Done(Evidence::Settings { snapshot, found, unread })
}

fn compared_now(run: &Run, world: &World) -> Proof {
    if !run.compares_settings() {
        let why = run.settings.lacking().map(|why| format!(" ({why})")).unwrap_or_default();
        let found = format!("no settings were recorded at the break{why}; compare users, groups and Jump items by hand");
        return Proof::Done(Evidence::seen(found));
    }
    match settings::counting(run, world) {
        Some(_) => {
            let (lines, lost) = (&run.settings.lines, run.settings.lines.iter().filter(|line| line.lost).count());
            let kept = lines.len() - lost;
            let lacking = run.settings.lacking().map(|why| format!("; not compared: {why}")).unwrap_or_default();
            Proof::Done(Evidence::seen(format!(
                "{lost} lines that the next sync overwrites, all acknowledged; {kept} that it keeps{lacking}"
            )))
        }
        None => {
            let why = world.settings.unread.as_ref().map(|(_, why)| format!(" ({why})")).unwrap_or_default();
            Proof::NotYet(format!("the settings of both nodes{why}"))
        }
    }
}

/// For so long a listing is tried again when the snapshot is taken: window one does not wait for a list.
const PATIENCE: SignedDuration = SignedDuration::from_mins(5);
