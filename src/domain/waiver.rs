//! Waivers: the promises that a person with the right role may set aside, for one step, with a reason, and which no others.

use super::people::People;
use super::rule::Rule;
use super::run::{Run, Waiver};
use super::shown;
use super::site::Policy;
use super::step::Step;
use super::world::World;

/// The rules that `waive` takes. The third waivable promise, R10's shortest soak, is waived where the version is accepted:
/// `confirm --accept-early`.
pub const WAIVABLE: &[Rule] = &[Rule::R3, Rule::R11];

/// The key of `[policy.waivers]` for the shortest soak.
pub const MIN_SOAK: &str = "min_soak";

/// The rule that a person names.
pub fn named(name: &str) -> Option<Rule> {
    WAIVABLE.iter().copied().find(|rule| rule.name() == name)
}

/// The code with which a run is held by this rule.
pub fn hold_code(rule: Rule) -> &'static str {
    if rule == Rule::R3 { "window_missed" } else { rule.name() }
}

/// Whether a user may waive this. Where people are named, an empty list means nobody.
///
/// # Errors
/// Why not, a sentence.
pub fn may(policy: &Policy, people: &People, key: &str, user: &str) -> Result<(), String> {
    let roles = policy.waiver(key);
    if roles.is_empty() && !people.is_empty() {
        return Err(format!("nobody may waive this here: `{key}` in `[policy.waivers]` of the site's file names no role"));
    }
    people.may(user, roles).map_err(|barred| barred.to_string())
}

/// The rules that are set aside for this step now. What was waived on other evidence is not.
pub fn in_force(run: &Run, step: &Step, world: &World) -> Vec<Rule> {
    let here = run.waivers.iter().filter(|waiver| !waiver.over && waiver.step == step.id);
    // Only where there is one the evidence is put together again.
    let stands = |waiver: &&Waiver| waiver.used || changed(run, waiver, world).is_empty();
    here.filter(stands).map(|waiver| waiver.rule).collect()
}

/// What is otherwise than it was shown.
fn changed(run: &Run, waiver: &Waiver, world: &World) -> Vec<String> {
    let Some(shown) = &waiver.shown else { return Vec::new() };
    shown::changed(shown, &shown::facts(run, world))
}

/// Why the waiver of this rule for this step stands no more, though nothing was done with it: what it was given on has changed.
pub fn void(run: &Run, rule: Rule, step: &Step, world: &World) -> Option<String> {
    let here = |waiver: &&Waiver| !waiver.over && !waiver.used && waiver.rule == rule && waiver.step == step.id;
    let waiver = run.waivers.iter().rfind(here)?;
    let changed = changed(run, waiver, world);
    (!changed.is_empty()).then(|| format!("the waiver of {} holds no more: {}", waiver.by, changed.join("; ")))
}
