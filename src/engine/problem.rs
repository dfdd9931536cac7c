//! Why a request was not met.

/// The kind of a refusal; the server makes an HTTP status of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request can't be read: 400.
    BadInput,
    /// The person may not say this: 403.
    NotAllowed,
    /// No such site, run or gate: 404.
    NotFound,
    /// Not in this phase, another run on the site, or the run has moved on: 409.
    Conflict,
    /// A rule or the preflight refuses: 422.
    Refused,
    /// The store can't write: 503.
    Store,
}

/// Why a request was not met, in the five parts of an operator's message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    pub kind: Kind,
    /// A stable word, `sync_too_old`.
    pub code: String,
    pub message: String,
    pub causes: Vec<String>,
    // Boxed texts keep the error below the 128 bytes from which `Result`s grow slow to pass on.
    pub state: Option<Box<str>>,
    pub hint: Option<Box<str>>,
}

impl Problem {
    pub fn new(kind: Kind, code: &str, message: impl Into<String>) -> Self {
        Self { kind, code: code.to_owned(), message: message.into(), causes: Vec::new(), state: None, hint: None }
    }

    /// Refused for who asks, not for what.
    pub fn not_allowed(message: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(Kind::NotAllowed, "not_allowed", message).because(reason).hint(
            "who may say what stands in `[people]` of the daemon's file and `[policy.gates]`, `[policy.waivers]` of the site's",
        )
    }

    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    pub fn state(mut self, state: impl Into<String>) -> Self {
        self.state = Some(state.into().into());
        self
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into().into());
        self
    }
}
