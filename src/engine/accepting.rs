//! The preflight's warnings, and people's words on them: at the start, and while a run goes on.

use crate::domain::check::{AcceptedWarning, Check};
use crate::domain::checks::{self, NotAcceptable};
use crate::domain::event::Event;
use crate::domain::ids::NodeId;
use crate::domain::plan::Refusal;
use crate::domain::sheet;
use crate::domain::site::Site;

use super::api::{Acceptance, Kind, Problem};
use super::runner::Runner;

/// The code of a warning that stands against going on.
const NOT_ACCEPTED: &str = "warning_not_accepted";

/// What whoever orders a run accepts, matched with what was found.
///
/// # Errors
/// A word names no warning, or one of two.
pub fn accepted(site: &str, words: &[Acceptance], checks: &[Check], actor: &str) -> Result<Vec<AcceptedWarning>, Problem> {
    let accept = |word: &Acceptance| {
        let reason = reason(&word.reason)?;
        let check = checks::find(checks, &word.check, word.node).map_err(|error| not_acceptable(site, &error))?;
        Ok(AcceptedWarning::new(check, reason, actor))
    };
    words.iter().map(accept).collect()
}

fn reason(text: &str) -> Result<String, Problem> {
    if text.trim().is_empty() {
        return Err(Problem::new(Kind::BadInput, "note_missing", "a warning is accepted with a reason, and none is given"));
    }
    Ok(text.trim().to_owned())
}

fn not_acceptable(site: &str, error: &NotAcceptable) -> Problem {
    Problem::new(Kind::Refused, "not_acceptable", error.to_string())
        .state("nothing was changed")
        .hint(format!("see `changeover check {site}` for what is found now"))
}

/// The warnings that nobody has accepted, as refusals of a plan.
pub fn refusals(checks: &[Check], accepted: &[AcceptedWarning]) -> Vec<Refusal> {
    let refusal = |check: &&Check| {
        let message = format!("{}; if it is to be so: {}", checks::describe(check, accepted), flag(check));
        Refusal { rule: NOT_ACCEPTED.to_owned(), step: None, message }
    };
    checks::unaccepted(checks, accepted).iter().map(refusal).collect()
}

/// Refuses a start over warnings that nobody has accepted, with what is to be typed.
pub fn must_be_accepted(site: &Site, checks: &[Check], accepted: &[AcceptedWarning]) -> Result<(), Problem> {
    let open = checks::unaccepted(checks, accepted);
    if open.is_empty() {
        return Ok(());
    }
    let mut problem = Problem::new(Kind::Refused, NOT_ACCEPTED, format!("the preflight of site `{}` warns", site.name));
    for check in &open {
        problem = problem.because(checks::describe(check, accepted));
    }
    let flags: Vec<String> = open.iter().map(|check| flag(check)).collect();
    Err(problem.state("nothing was changed").hint(format!("put it right, or start with {}", flags.join(" "))))
}

/// What is typed to accept a warning.
fn flag(check: &Check) -> String {
    let node = check.node.map(|node| format!(".{node}")).unwrap_or_default();
    format!("`--accept {}{node}=\"why\"`", check.name)
}

/// A person's word on a warning of a run, as it is found now.
pub async fn word(
    runner: &mut Runner,
    (name, node): (&str, Option<NodeId>),
    given: &str,
    actor: &str,
) -> Result<(Event, String), Problem> {
    let reason = reason(given)?;
    runner.look_now().await;
    let run = runner.run();
    let checks = checks::of_run(run, &runner.world);
    let check = checks::find(&checks, name, node).map_err(|error| Problem {
        hint: Some(format!("see `changeover status {}`", run.id).into()),
        ..not_acceptable(&run.id.site, &error).state(sheet::state(run))
    })?;
    let AcceptedWarning { check, node, basis, reason, by } = AcceptedWarning::new(check, reason, actor);
    let mut accepted = run.acceptances();
    accepted.push(AcceptedWarning { check: check.clone(), node, basis: basis.clone(), reason: reason.clone(), by: by.clone() });
    let left: Vec<String> = checks::unaccepted(&checks, &accepted).iter().map(|check| check.name.to_owned()).collect();
    let why = format!("the warning `{check}` is accepted as it is (`{basis}`)");
    Ok((Event::WarningAccepted { check, node, basis, reason, by, left }, why))
}
