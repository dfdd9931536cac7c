//! Warnings that a person accepts: one by one, by name, with a reason, and only as long as what was found stays the same.

use crate::domain::check::{AcceptedWarning, Check, Outcome};
use crate::domain::ids::NodeId;
use crate::domain::proof::Failure;

/// The warnings that nobody has accepted as they are now.
pub fn unaccepted<'a>(checks: &'a [Check], accepted: &[AcceptedWarning]) -> Vec<&'a Check> {
    let is_accepted = |check: &Check| accepted.iter().any(|word| word.names(check) && word.basis == check.basis);
    checks.iter().filter(|check| check.result == Outcome::Warn && !is_accepted(check)).collect()
}

/// One unaccepted warning in words, with the acceptance of it that has lapsed, if there was one.
pub fn describe(check: &Check, accepted: &[AcceptedWarning]) -> String {
    let node = check.node.map(|node| format!("node `{node}`: ")).unwrap_or_default();
    let lapsed = accepted.iter().rfind(|word| word.names(check)).map(|word| {
        format!(
            "; accepted by {} when it was `{}` (\"{}\"), and no longer, as it is `{}` now",
            word.by, word.basis, word.reason, check.basis
        )
    });
    format!("{node}`{}`: expected {}, found {}{}", check.name, check.expected, check.found, lapsed.unwrap_or_default())
}

/// Why a run is held: the warnings that nobody has accepted; `None` if there is none.
pub fn failure(checks: &[Check], accepted: &[AcceptedWarning]) -> Option<Failure> {
    let open = unaccepted(checks, accepted);
    let first = open.first()?;
    let found: Vec<String> = open.iter().map(|check| describe(check, accepted)).collect();
    let failure = Failure::new("warning_not_accepted", "every warning of the preflight accepted by name", found.join("; "));
    Some(Failure { node: first.node.filter(|_| open.len() == 1), ..failure })
}

/// Why an acceptance can't be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAcceptable {
    #[error("no warning is named `{0}` now")]
    Absent(String),
    #[error("`{name}` {result}, and only a warning can be accepted")]
    NotAWarning { name: String, result: &'static str },
    #[error("`{name}` warns on both nodes; say which: `{name}.a` or `{name}.b`")]
    Ambiguous { name: String },
}

/// The warning that a person names: `NAME`, or with its node where both have it.
///
/// # Errors
/// See [`NotAcceptable`].
pub fn find<'a>(checks: &'a [Check], name: &str, node: Option<NodeId>) -> Result<&'a Check, NotAcceptable> {
    let named = |check: &&Check| check.name == name && (node.is_none() || check.node == node);
    let mut warnings = checks.iter().filter(named).filter(|check| check.result == Outcome::Warn);
    match (warnings.next(), warnings.next()) {
        (Some(_), Some(_)) => Err(NotAcceptable::Ambiguous { name: name.to_owned() }),
        (Some(check), None) => Ok(check),
        (None, _) => Err(match checks.iter().find(named) {
            Some(check) => NotAcceptable::NotAWarning { name: name.to_owned(), result: verb(check.result) },
            None => NotAcceptable::Absent(name.to_owned()),
        }),
    }
}

fn verb(result: Outcome) -> &'static str {
    match result {
        Outcome::Pass => "passes",
        Outcome::Warn => "warns",
        Outcome::Fail => "fails",
        Outcome::Unknown => "can't be told",
        Outcome::Person => "is asked at a gate",
    }
}
