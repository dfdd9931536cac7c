//! What a gate showed to the person who was asked: facts by name, and their hash.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::journal::hex;

/// Facts by name, and their hash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    pub facts: BTreeMap<String, String>,
    /// Lower-case hex SHA-256 over the facts in their order.
    pub hash: String,
}

/// A check that passed, as a fact.
pub(in crate::domain) const PASS: &str = "pass";

impl Shown {
    pub fn new(facts: BTreeMap<String, String>) -> Self {
        Self { hash: hex(&Sha256::digest(Self::text(&facts))), facts }
    }

    /// Facts in one piece, to be kept.
    pub fn text(facts: &BTreeMap<String, String>) -> String {
        // Plain texts: writing them as JSON into memory cannot fail.
        serde_json::to_string(facts).unwrap_or_default()
    }

    /// From [`Self::text`].
    pub fn from_text(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self::new)
    }

    /// For people, one fact a line. Checks that passed say little; they are part of the hash all the same.
    pub fn lines(&self) -> Vec<String> {
        self.facts.iter().filter(|(_, value)| *value != PASS).map(|(name, value)| format!("{name}: {value}")).collect()
    }

    /// What is otherwise `now`, one line a fact; empty if what was shown still stands.
    pub fn changed(&self, now: &BTreeMap<String, String>) -> Vec<String> {
        let differs = |(name, was): (&String, &String)| {
            let is = now.get(name).filter(|is| *is != was)?;
            Some(format!("{name}: was {was}, is {is}"))
        };
        self.facts.iter().filter_map(differs).collect()
    }

    /// True if a person who gives this beginning of a hash means these facts.
    pub fn is_meant_by(&self, hash: &str) -> bool {
        hash.len() >= HASH_SHORT && self.hash.starts_with(hash)
    }

    /// The beginning of the hash that is shown to people.
    pub fn short(&self) -> &str {
        self.hash.get(..HASH_SHORT).unwrap_or(&self.hash)
    }
}

/// 48 bits: no two of the few states that one run shows meet there, and it can be copied by hand.
pub const HASH_SHORT: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(facts: &[(&str, &str)]) -> Shown {
        Shown::new(facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn what_can_not_be_told_is_no_change() {
        let before = shown(&[("node a version", "24.1.1"), ("node b version", "24.2.1")]);
        assert_eq!(before.changed(&shown(&[("node b version", "24.2.1")]).facts), Vec::<String>::new());
        assert_eq!(before.changed(&before.facts), Vec::<String>::new());
        let after = shown(&[("node a version", "24.2.1"), ("waivers", "none")]);
        assert_eq!(before.changed(&after.facts), ["node a version: was 24.1.1, is 24.2.1"]);
    }

    #[test]
    fn a_hash_stands_for_its_facts() {
        let (one, other) = (shown(&[("a", "b")]), shown(&[("a", "c")]));
        assert!(one.is_meant_by(&one.hash) && one.is_meant_by(one.short()));
        assert!(!one.is_meant_by(&other.hash) && !one.is_meant_by(&one.hash[..HASH_SHORT - 1]));
        assert_eq!(Shown::from_text(&Shown::text(&one.facts)), Some(one));
        // Which fact has which value is part of it.
        assert_ne!(shown(&[("a", "b\nc\nd")]).hash, shown(&[("a", "b"), ("c", "d")]).hash);
    }
}
