//! What is told of the nightly check, and of a drain that has reached its limit.

use super::saying::{Saying, Severity, instruction, say};
use crate::domain::check::Finding;
use crate::domain::checks::{self, Change};
use crate::domain::event::Counts;
use crate::domain::run::Run;

/// What is not as it was in the check before; the first check of a run has nothing to be compared with.
pub fn check_changed(before: &Run, run: &Run, results: &[Finding]) -> Vec<Saying> {
    let Some(last) = &before.checked else { return Vec::new() };
    let changes = checks::changes(&last.results, results);
    if changes.is_empty() {
        return Vec::new();
    }
    let worse = changes.iter().any(Change::is_worse);
    let severity = if worse { Severity::Warning } else { Severity::Info };
    let summary = changes.iter().map(Change::describe).collect::<Vec<_>>().join("; ");
    let remedy = |change: &Change| checks::remedy(&change.name, change.to, &run.id.site, Some(&run.id));
    let mut remedies: Vec<String> = changes.iter().filter(|change| change.is_worse()).map(remedy).collect();
    remedies.dedup();
    let hint = if worse {
        format!("{}; see `changeover check {}`", remedies.join("; "), run.id.site)
    } else {
        "nothing is left to do".to_owned()
    };
    vec![say("check_changed", severity, format!("the nightly check of run `{}`: {summary}", run.id), hint)]
}

/// BG-02: users or sessions were there still at the drain's limit, and the policy led on.
pub fn drain_limit(before: &Run, left: Counts, what: &str) -> Vec<Saying> {
    let node = before.step().and_then(|step| step.node).unwrap_or(before.plan.primary);
    let mut summary = format!("the drain of node `{node}` has reached its limit with {}: {what}", left.describe());
    if let Some(number) = instruction(before) {
        summary.push_str(&format!("; instruction {number} is withdrawn"));
    }
    let hint = format!("tell those who are still at work; `changeover hold {}` stops the run before it goes on", before.id);
    vec![say("drain_limit", Severity::Warning, summary, hint)]
}
