//! What people are told of settings.

use super::saying::{Saying, Severity, say};
use crate::domain::ledger::Line;
use crate::domain::run::Run;

/// So many lines are told in an alert; the ledger has them all.
const TOLD_LINES: usize = 10;

/// R9: a listing at the break should have been there and was not: what changes on that node nobody will be told of.
pub fn unread(run: &Run, unread: &[String]) -> Vec<Saying> {
    if unread.is_empty() {
        return Vec::new();
    }
    let why = unread.join("; ");
    let summary = format!("settings could not be listed at the break, and will not be compared before the next sync: {why}");
    let hint = format!(
        "look at the API account and that box; note users, groups and Jump items by hand before anybody changes them, or hold the run: `changeover hold {}`",
        run.id
    );
    vec![say("settings_unread", Severity::Warning, summary, hint)]
}

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
