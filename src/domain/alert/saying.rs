//! What one alert says.

use serde::Serialize;

use crate::domain::run::Run;

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Info,
    Warning,
    Critical,
}

/// What one alert says beside the facts that all share.
pub(super) struct Saying {
    pub kind: &'static str,
    pub severity: Severity,
    pub code: String,
    pub summary: String,
    pub expected: Option<String>,
    pub found: Option<String>,
    pub hint: String,
}

pub(super) fn say(kind: &'static str, severity: Severity, summary: impl Into<String>, hint: impl Into<String>) -> Saying {
    let (summary, hint) = (summary.into(), hint.into());
    Saying { kind, severity, code: kind.to_owned(), summary, expected: None, found: None, hint }
}

/// The number of the instruction that is out.
pub(super) fn instruction(run: &Run) -> Option<u32> {
    Some(run.act.as_ref()?.instruction.as_ref()?.number)
}
