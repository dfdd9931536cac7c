//! What must happen on some path: an exploration that never gets there proves nothing about it.

use changeover::domain::action::Kind;
use changeover::domain::step::Step;

use super::scenario::Scenario;
use super::search::Found;

/// An event that must be taken at each step for which it makes sense.
pub struct Sometimes {
    event: &'static str,
    at: fn(&Step) -> bool,
}

const fn at_every_step(event: &'static str, at: fn(&Step) -> bool) -> Sometimes {
    Sometimes { event, at }
}

/// A TTL that is low already is left alone: what becomes of one that is not is explored by itself.
fn acts(step: &Step) -> bool {
    step.kind.acts() && !super::OF_TTL(step.kind)
}

fn of_ttl(step: &Step) -> bool {
    super::OF_TTL(step.kind)
}

/// The explored appliances tell no settings: what lists them is over at once.
fn lists(step: &Step) -> bool {
    matches!(step.kind, Kind::RecordSettings | Kind::CompareSettings)
}

/// Steps at which a run rests on a good day: checks that pass are over at once.
fn rests(step: &Step) -> bool {
    !matches!(step.kind, Kind::Preflight | Kind::FinalCheck) && !lists(step) && !of_ttl(step)
}

/// Steps that can fail: people's gates and the calendar can't.
fn fails(step: &Step) -> bool {
    !matches!(step.kind, Kind::Preflight | Kind::Confirm | Kind::Soak) && !lists(step) && !of_ttl(step)
}

pub const OF_FAULTS: &[Sometimes] =
    &[at_every_step("doubted", acts), at_every_step("held", fails), at_every_step("resumed", fails)];
pub const OF_CRASHES: &[Sometimes] = &[at_every_step("recovered", rests)];
pub const OF_WORDS: &[Sometimes] = &[
    at_every_step("hold_requested", rests),
    at_every_step("held", long),
    at_every_step("resumed", long),
    at_every_step("revised", left),
    at_every_step("closed", long),
];
pub const OF_WORDS_BY_HAND: &[Sometimes] = &[
    at_every_step("hold_requested", rests),
    at_every_step("held", long),
    at_every_step("resumed", long),
    at_every_step("revised", long),
    at_every_step("closed", long),
];
pub const OF_BRIEF_ACTS: &[Sometimes] =
    &[at_every_step("held", brief), at_every_step("revised", brief), at_every_step("closed", brief)];

/// Of the acts that set a TTL.
pub const OF_TTLS: &[Sometimes] = &[
    at_every_step("doubted", of_ttl),
    at_every_step("held", of_ttl),
    at_every_step("resumed", of_ttl),
    at_every_step("recovered", of_ttl),
];

fn brief(step: &Step) -> bool {
    super::BRIEF(step.kind)
}

fn long(step: &Step) -> bool {
    rests(step) && !brief(step)
}

/// By interface a node is closed at once, and the gate before it is not answered so late that its window is missed there: a run rests at it
/// only if a word has held it, and another one would have to lead off.
fn left(step: &Step) -> bool {
    long(step) && step.kind != Kind::Quiesce
}

/// Fails with everything that was never reached: success, and each of `wanted` at each step.
pub fn check(scenario: &Scenario, found: &Found, wanted: &[Sometimes]) {
    let mut missing = Vec::new();
    if !found.ends.contains("Finished(Succeeded)") {
        missing.push("success".to_owned());
    }
    if wanted.iter().any(|wanted| wanted.event == "revised") {
        let ends = ["harbour", "Finished(Aborted)", "Finished(Closed)"];
        missing.extend(ends.iter().filter(|end| !found.ends.contains(**end)).map(|end| (*end).to_owned()));
    }
    for Sometimes { event, at } in wanted {
        let steps = scenario.plan.steps.iter().enumerate().filter(|(_, step)| at(step));
        let never =
            steps.filter(|(index, _)| !found.taken.iter().any(|taken| taken.event == *event && taken.step == Some(*index)));
        missing.extend(never.map(|(_, step)| format!("`{event}` at `{}`", step.id)));
    }
    assert!(missing.is_empty(), "{}: never reached: {missing:#?}; ends: {:?}", scenario.name, found.ends);
}
