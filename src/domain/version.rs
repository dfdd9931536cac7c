//! Versions and builds as appliances state them.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A dotted version, `24.2.1`. Parts compare as numbers and missing parts count as zero, so `24.2` equals `24.2.0`.
///
/// Its copies share the text: a run has many of a few versions.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version(Arc<str>);

/// The text is no version.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a version; expected numbers with dots, as in `24.2.1`")]
pub struct NotAVersion(String);

impl Version {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parts(&self) -> impl Iterator<Item = u64> + '_ {
        // Every part was read as a number when the version was made.
        self.0.split('.').map(|part| part.parse().unwrap_or(0))
    }

    /// True if this version is `prefix` or begins with its parts: `24.1.3` matches `24.1`, not `24.10`.
    pub fn matches(&self, prefix: &Version) -> bool {
        let mut own = self.parts();
        prefix.parts().all(|part| own.next().unwrap_or(0) == part)
    }
}

impl FromStr for Version {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) && part.parse::<u64>().is_ok();
        if text.len() <= 64 && text.split('.').all(number) { Ok(Self(text.into())) } else { Err(NotAVersion(text.to_owned())) }
    }
}

impl TryFrom<String> for Version {
    type Error = NotAVersion;
    fn try_from(text: String) -> Result<Self, NotAVersion> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.as_str().to_owned()
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let (mut own, mut theirs) = (self.parts(), other.parts());
        loop {
            let (a, b) = (own.next(), theirs.next());
            if a.is_none() && b.is_none() {
                return Ordering::Equal;
            }
            match a.unwrap_or(0).cmp(&b.unwrap_or(0)) {
                Ordering::Equal => {}
                unequal => return unequal,
            }
        }
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What `--to` names: a version, and a build where the operator knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    pub version: Version,
    pub build: Option<String>,
}

impl FromStr for Target {
    type Err = NotAVersion;

    /// Reads `VERSION` or `VERSION+BUILD`.
    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        match text.split_once('+') {
            Some((version, build)) if !build.is_empty() => Ok(Self { version: version.parse()?, build: Some(build.to_owned()) }),
            Some(_) => Err(NotAVersion(text.to_owned())),
            None => Ok(Self { version: text.parse()?, build: None }),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.build {
            Some(build) => write!(f, "{}+{build}", self.version),
            None => write!(f, "{}", self.version),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn parts_compare_as_numbers() {
        assert!(v("24.10.1") > v("24.9.9"));
        assert!(v("10.6") > v("10.5.22"));
        assert_eq!(v("24.2"), v("24.2.0"));
        assert!(v("24.1.3").matches(&v("24.1")));
        assert!(!v("24.10").matches(&v("24.1")));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "24.", ".1", "24.x", "v24", "99999999999999999999999", "24+"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }
}
