//! What people are told of settings.

use super::{Saying, Severity, say};
use crate::domain::ledger::Line;
use crate::domain::run::Run;

/// So many lines are told in an alert; the ledger has them all.
const TOLD_LINES: usize = 10;

/// R9: the freeze was broken. Told once for each change: what was told as it is now is not told again.
pub fn changed(before: &Run, run: &Run, lines: &[Line]) -> Vec<Saying> {
    let known = |line: &Line| {
        before.settings.lines.iter().any(|old| (&old.id, &old.digest, old.lost) == (&line.id, &line.digest, line.lost))
    };
    let news: Vec<&Line> = lines.iter().filter(|line| line.lost && !known(line)).collect();
    let Some(first) = news.first() else { return Vec::new() };
    let told: Vec<String> = news.iter().take(TOLD_LINES).map(|line| line.describe()).collect();
    let more = news.len().saturating_sub(TOLD_LINES);
    let more = if more > 0 { format!("; {more} more") } else { String::new() };
    let (left, id) = (first.node, &run.id);
    let summary = format!("settings of node `{left}` were changed, and the next sync overwrites them: {}{more}", told.join("; "));
    let hint = format!(
        "re-enter on node `{}` what is to be kept, find out who changed it, then `changeover ledger {id}` and acknowledge each line",
        left.other()
    );
    vec![say("settings_changed", Severity::Warning, summary, hint)]
}
