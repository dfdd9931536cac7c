//! What is told when time runs out.

use super::saying::{Saying, Severity, instruction, say};
use crate::domain::journal::Record;
use crate::domain::late;
use crate::domain::run::Run;
use crate::domain::step::Step;

/// The run goes home by itself; an instruction that is out is withdrawn with it.
pub fn goes_home(before: &Run, run: &Run, record: &Record, steps: &[Step]) -> Vec<Saying> {
    let step = late::kept_waiting(before).or(before.step()).map_or("the end", |step| step.id.as_str());
    let ways: Vec<&str> = steps.iter().map(|step| step.id.as_str()).collect();
    let withdrawn = instruction(before).map(|number| format!("; instruction {number} is withdrawn, do not carry it out"));
    let summary = format!(
        "run `{}` goes home by itself: what was left of the window was too short for `{step}` ({}); the way: {}{}",
        run.id,
        record.reason,
        ways.join(", "),
        withdrawn.unwrap_or_default()
    );
    let hint = format!("follow it with `changeover status {0}`; `changeover hold {0}` stops it after the next step", run.id);
    let saying = say("window_missed", Severity::Critical, summary, hint);
    vec![Saying { code: "goes_home".to_owned(), ..saying }]
}
