//! What an exit code and the printed JSON mean.
//!
//! | exit | a verb that acts | `observe`, `look` |
//! |---|---|---|
//! | 0 and a good JSON object | accepted | the reading |
//! | 0 and anything else | ambiguous | transient |
//! | 10 | refused | denied |
//! | 11 | transient | transient |
//! | 64 | an operator does it | misconfigured |
//! | other, signal, over its limit | ambiguous | transient |
//! | never started | transient | transient |

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Ended, NotRun, Output};
use crate::ports::{ActAnswer, ReadError};

const REFUSED: i32 = 10;
const TRANSIENT: i32 = 11;
/// `EX_USAGE` of sysexits.h: what a program does with a verb that it does not know.
const UNKNOWN_VERB: i32 = 64;

/// The object of a verb that has nothing to say.
#[derive(Debug, Deserialize)]
pub struct Nothing {}

/// A program's answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply<T> {
    Accepted(T),
    Refused(String),
    Transient(String),
    Ambiguous(String),
    UnknownVerb,
}

impl<T: DeserializeOwned> Reply<T> {
    /// Reads what became of a program. `who` names it in messages: ``node `a` of site `support`: `update` ``.
    pub fn of(who: &str, result: Result<Output, NotRun>) -> Self {
        let output = match result {
            Ok(output) => output,
            Err(why) => return Self::Transient(format!("{who}: {why}")),
        };
        let says = |what: String| match &output.last_words {
            Some(words) => format!("{who}: {what}; its last line on standard error: `{words}`"),
            None => format!("{who}: {what}"),
        };
        match &output.ended {
            Ended::Exited(0) => match object(&output) {
                Ok(value) => Self::Accepted(value),
                Err(why) => Self::Ambiguous(says(format!("the program exited with 0, expected one JSON object, found {why}"))),
            },
            Ended::Exited(REFUSED) => Self::Refused(says(format!("refused (exit code {REFUSED})"))),
            Ended::Exited(TRANSIENT) => Self::Transient(says(format!("not possible now (exit code {TRANSIENT})"))),
            Ended::Exited(UNKNOWN_VERB) => Self::UnknownVerb,
            Ended::Exited(code) => Self::Ambiguous(says(format!("exit code {code}, expected 0, 10, 11 or 64"))),
            Ended::Signalled(signal) => Self::Ambiguous(says(format!("the program was ended by signal {signal}"))),
            Ended::OverLimit => Self::Ambiguous(says("the program ran longer than its limit and was ended".to_owned())),
            Ended::Unknown(why) => Self::Ambiguous(says(format!("the program was started and lost sight of: {why}"))),
        }
    }
}

impl<T> Reply<T> {
    /// The answer to an act.
    pub fn into_answer(self, accepted: impl FnOnce(T) -> ActAnswer, instructions: impl FnOnce() -> Vec<String>) -> ActAnswer {
        match self {
            Self::Accepted(value) => accepted(value),
            Self::Refused(message) => ActAnswer::Refused { message },
            Self::Transient(message) => ActAnswer::Transient { message },
            Self::Ambiguous(message) => ActAnswer::Ambiguous { message },
            Self::UnknownVerb => ActAnswer::ByOperator { instructions: instructions() },
        }
    }

    /// The answer to a reading: whatever is unclear is worth another try.
    ///
    /// # Errors
    /// See [`ReadError`]; each row of this module's table.
    pub fn into_reading(self, who: &str) -> Result<T, ReadError> {
        match self {
            Self::Accepted(value) => Ok(value),
            Self::Refused(message) => Err(ReadError::Denied(message)),
            Self::Transient(message) | Self::Ambiguous(message) => Err(ReadError::Transient(message)),
            Self::UnknownVerb => Err(ReadError::Misconfigured(format!(
                "{who}: the program does not know this verb (exit code {UNKNOWN_VERB}), which every program behind `exec` must know; \
                 correct the program or `program` in the site's file"
            ))),
        }
    }
}

/// The printed object. First any object, then the typed one: a struct would also be read from an array.
fn object<T: DeserializeOwned>(output: &Output) -> Result<T, String> {
    if output.too_much {
        return Err(format!("more than {} bytes", output.stdout.len()));
    }
    if output.stdout.trim_ascii().is_empty() {
        return Err("nothing".to_owned());
    }
    let object: Map<String, Value> = serde_json::from_slice(&output.stdout).map_err(|error| unlike("what is none", &error))?;
    serde_json::from_value(Value::Object(object)).map_err(|error| unlike("one that doesn't fit", &error))
}

fn unlike(what: &str, error: &serde_json::Error) -> String {
    format!("{what}: {}", clean(&error.to_string()))
}

/// serde quotes what it read, which may be a megabyte of anything.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exited(code: i32, stdout: &str) -> Result<Output, NotRun> {
        Ok(Output { ended: Ended::Exited(code), stdout: stdout.into(), too_much: false, last_words: None })
    }

    #[test]
    fn only_one_whole_object_is_accepted() {
        for text in ["{}", " {\"more\": [1]}\n"] {
            assert!(matches!(Reply::<Nothing>::of("x", exited(0, text)), Reply::Accepted(Nothing {})), "{text}");
        }
        let deep = "[".repeat(100_000);
        for text in ["", "[]", "null", "{} {}", "{", "ok", "\u{0}", deep.as_str()] {
            assert!(matches!(Reply::<Nothing>::of("x", exited(0, text)), Reply::Ambiguous(_)), "{text:.20}");
        }
    }

    #[test]
    fn a_message_is_short_and_clean_whatever_was_printed() {
        #[derive(Debug, Deserialize, PartialEq)]
        struct Number {
            n: u8,
        }
        let text = format!("{{\"n\": \"{}\"}}", "\\u001b".repeat(100_000));
        let Reply::Ambiguous(message) = Reply::<Number>::of("x", exited(0, &text)) else { panic!("not ambiguous") };
        assert!(message.len() < 600 && !message.chars().any(char::is_control), "{message}");
    }
}
