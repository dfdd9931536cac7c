//! Release 10.6, and what an update from below it asks for.
//!
//! From 10.6 on a link that is established again carries over the sessions that ended on either node meanwhile; before, they may
//! be lost (BG-50). With it the session id LSID changes from a number to a text (BG-51). The numbers are the vendor's; a pair of
//! another make that counts in its own way is taken by the same measure, which costs it an extraction more.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::version::Version;

/// Under which updates a step of a procedure is planned; a step that says nothing is planned under all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Only {
    /// The pair runs a release before 10.6 when the run begins.
    #[serde(rename = "before-10.6")]
    Before,
    /// It does, and the target is 10.6 or later.
    #[serde(rename = "crossing-10.6")]
    Crossing,
}

/// The words of a document, in this order.
pub const WORDS: [(&str, Only); 2] = [("before-10.6", Only::Before), ("crossing-10.6", Only::Crossing)];

/// No condition is named so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`only = \"{0}\"` is not known; expected `before-10.6` or `crossing-10.6`")]
pub struct UnknownOnly(String);

impl Only {
    /// Whether an update between these versions asks for the step.
    pub fn holds(self, from: &Version, to: &Version) -> bool {
        match self {
            Self::Before => is_before(from),
            Self::Crossing => crosses(from, to),
        }
    }
}

impl FromStr for Only {
    type Err = UnknownOnly;

    fn from_str(word: &str) -> Result<Self, UnknownOnly> {
        WORDS.iter().find(|(known, _)| *known == word).map(|(_, only)| *only).ok_or_else(|| UnknownOnly(word.to_owned()))
    }
}

impl fmt::Display for Only {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = WORDS.iter().find(|(_, only)| only == self);
        f.write_str(word.map_or("", |(word, _)| word))
    }
}

/// BG-50: sessions that end while the link is down may be lost when it is established again.
pub fn is_before(version: &Version) -> bool {
    let mut parts = version.as_str().split('.').map(|part| part.parse::<u64>().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) < (10, 6)
}

/// BG-51: the update changes what a session id is.
pub fn crosses(from: &Version, to: &Version) -> bool {
    is_before(from) && !is_before(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bg_50_bg_51_versions_lie_on_one_side_or_the_other() {
        let version = |text: &str| text.parse::<Version>().unwrap();
        for (text, before) in [
            ("1", true),
            ("9.99.9", true),
            ("10", true),
            ("10.5.99", true),
            ("10.6", false),
            ("10.6.0", false),
            ("10.10", false),
            ("24.1.1", false),
        ] {
            assert_eq!(is_before(&version(text)), before, "{text}");
        }
        for (from, to, old, across) in [
            ("10.4.1", "10.5.2", true, false),
            ("10.5.2", "10.6.1", true, true),
            ("9.1", "24.1", true, true),
            ("10.6", "24.1", false, false),
        ] {
            let (from, to) = (version(from), version(to));
            assert_eq!((Only::Before.holds(&from, &to), Only::Crossing.holds(&from, &to)), (old, across), "{from} to {to}");
        }
    }

    #[test]
    fn every_word_is_read_back_and_is_its_serde_name() {
        for (word, only) in WORDS {
            assert_eq!((word.parse(), only.to_string()), (Ok(only), word.to_owned()));
            assert_eq!(serde_json::to_value(only).unwrap(), word);
        }
        assert!("sometimes".parse::<Only>().unwrap_err().to_string().contains("`only = \"sometimes\"`"));
    }
}
