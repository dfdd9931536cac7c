//! Why a command was not met, in the five parts of an operator's message: who, expected, found, how things stand, what to do.

use std::error::Error;
use std::fmt::Write as _;
use std::process::ExitCode;

use crate::server::view::ErrorView;

use super::output;
use super::zones::Zones;

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    /// Understood but not met.
    NotMet = 1,
    /// A wrong command line, or a bug of ours.
    Bug = 2,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error that ends a command.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    exit: Exit,
    error: Box<ErrorView>,
    /// By a daemon, which can be asked more.
    answered: bool,
    /// The site's; people are told times in it too.
    zone: Option<String>,
}

impl Failure {
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        let (code, message) = (code.to_owned(), message.into());
        let error = ErrorView { code, message, request_id: None, causes: Vec::new(), state: None, hint: None };
        Self { exit: Exit::NotMet, error: Box::new(error), answered: false, zone: None }
    }

    /// An error with the chain of its sources.
    pub fn of(code: &str, error: &dyn Error) -> Self {
        Self::new(code, error.to_string()).because_of(error.source())
    }

    /// What the daemon answered.
    pub fn answered(exit: Exit, error: ErrorView) -> Self {
        Self { exit, error: Box::new(error), answered: true, zone: None }
    }

    pub fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.error.causes.push(cause.into());
        self
    }

    /// Adds a source and everything below it.
    pub fn because_of(mut self, mut source: Option<&(dyn Error + 'static)>) -> Self {
        while let Some(error) = source {
            self = self.because(error.to_string());
            source = error.source();
        }
        self
    }

    pub fn state(mut self, state: impl Into<String>) -> Self {
        self.error.state = Some(state.into());
        self
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.error.hint = Some(hint.into());
        self
    }

    pub fn told_in(mut self, zone: String) -> Self {
        self.zone = Some(zone);
        self
    }

    pub fn is_answered(&self) -> bool {
        self.answered
    }

    /// The stable word.
    pub fn code(&self) -> &str {
        &self.error.code
    }

    /// Prints it on stderr and gives the exit code.
    pub fn print(&self, json: bool) -> ExitCode {
        if json {
            // Plain data: serializing it cannot fail.
            output::tell(&serde_json::to_string(&self.error).unwrap_or_default());
        } else {
            output::tell(&self.text());
        }
        self.exit.into()
    }

    fn text(&self) -> String {
        let text = self.in_utc();
        self.zone.as_deref().map(|zone| Zones::of(zone).text(&text)).unwrap_or(text)
    }

    fn in_utc(&self) -> String {
        let error = &self.error;
        let mut text = format!("error: {}\n", error.message);
        // Writing into a string cannot fail.
        for cause in &error.causes {
            let _ = writeln!(text, "  caused by: {cause}");
        }
        if let Some(state) = &error.state {
            let _ = writeln!(text, "  state: {state}");
        }
        let _ = writeln!(text, "  word: {}", error.code);
        if let Some(hint) = &error.hint {
            let _ = writeln!(text, "\nhint: {hint}");
        }
        text
    }
}
