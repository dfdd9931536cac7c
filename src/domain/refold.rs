//! A stored journal folded again: where it stops, whose fault that is, and in what two accounts of one run differ.

use serde_json::Value;

use super::journal::{ChainError, Record};
use super::machine::{self, ReplayError};
use super::run::Run;

/// Whether a journal that can't be folded was spoiled, or is beyond this build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Numbers, links or hashes are wrong: something was changed, lost or mixed.
    Damaged,
    /// The chain is whole, but this build can't follow one of its records.
    OtherBuild,
}

impl Cause {
    pub fn of(error: &ReplayError) -> Self {
        match error {
            ReplayError::Chain(_) => Self::Damaged,
            ReplayError::Unreadable { .. } | ReplayError::Illegal { .. } | ReplayError::Headless(_) => Self::OtherBuild,
        }
    }

    /// The stable word.
    pub fn code(self) -> &'static str {
        match self {
            Self::Damaged => "damaged",
            Self::OtherBuild => "journal_unreadable",
        }
    }
}

/// The place in the row of records, from 0, at which folding stopped.
pub fn place(error: &ReplayError) -> usize {
    let seq = match error {
        ReplayError::Chain(ChainError::Sequence { expected, .. }) => *expected,
        ReplayError::Chain(ChainError::Previous { seq, .. } | ChainError::Hash { seq, .. }) => *seq,
        ReplayError::Unreadable { seq, .. } | ReplayError::Illegal { seq, .. } => *seq,
        ReplayError::Headless(_) => 1,
    };
    usize::try_from(seq.saturating_sub(1)).unwrap_or(usize::MAX)
}

/// A replay error with its sources in one sentence.
pub fn sentence(error: &ReplayError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// The run as it stood before the record that can't be folded, if there was one.
pub fn before(records: &[Record], error: &ReplayError) -> Option<Run> {
    machine::replay(records.get(..place(error))?).ok()
}

/// In what two documents differ: the path of each field, what the first and what the second says.
pub fn differences(first: &Value, second: &Value) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    compare("", first, second, &mut found);
    found
}

fn compare(path: &str, first: &Value, second: &Value, found: &mut Vec<(String, String, String)>) {
    let (Value::Object(one), Value::Object(other)) = (first, second) else {
        if first != second {
            found.push((path.to_owned(), first.to_string(), second.to_string()));
        }
        return;
    };
    let added = other.keys().filter(|key| !one.contains_key(*key));
    for key in one.keys().chain(added) {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let side = |fields: &serde_json::Map<String, Value>| fields.get(key).cloned().unwrap_or_default();
        compare(&path, &side(one), &side(other), found);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_difference_is_named_by_its_path() {
        let (one, other) = (json!({"a": 1, "b": {"c": [1], "d": null}}), json!({"a": 1, "b": {"c": [2], "e": 3}}));
        let row = |path: &str, one: &str, other: &str| (path.to_owned(), one.to_owned(), other.to_owned());
        assert_eq!(differences(&one, &other), [row("b.c", "[1]", "[2]"), row("b.e", "null", "3")]);
        assert_eq!(differences(&one, &one), []);
    }
}
