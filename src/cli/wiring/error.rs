//! What can't be put to work.

/// A setting that is well formed and still can't be put to work.
#[derive(Debug, thiserror::Error)]
#[error("{of}: {what}")]
pub struct WiringError {
    /// What it belongs to: ``site `support`, node `a` ``.
    of: String,
    what: String,
}

pub(super) fn fail(of: impl Into<String>, what: impl ToString) -> WiringError {
    WiringError { of: of.into(), what: what.to_string() }
}
