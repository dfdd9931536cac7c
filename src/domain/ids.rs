//! Names that travel through code, config, API and journal.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One appliance of a pair, by its fixed name in the site file; never a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeId {
    A,
    B,
}

impl NodeId {
    pub const BOTH: [Self; 2] = [Self::A, Self::B];

    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }

    /// Position in a two-element array.
    pub fn index(self) -> usize {
        match self {
            Self::A => 0,
            Self::B => 1,
        }
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no node; there are `a` and `b`")]
pub struct NotANode(String);

impl FromStr for NodeId {
    type Err = NotANode;

    fn from_str(name: &str) -> Result<Self, NotANode> {
        Self::BOTH.into_iter().find(|node| node.as_str() == name).ok_or_else(|| NotANode(name.to_owned()))
    }
}

/// A pair of values, one for each node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PerNode<T> {
    pub a: T,
    pub b: T,
}

impl<T> PerNode<T> {
    pub fn new(mut make: impl FnMut(NodeId) -> T) -> Self {
        Self { a: make(NodeId::A), b: make(NodeId::B) }
    }

    pub fn as_ref(&self) -> PerNode<&T> {
        PerNode { a: &self.a, b: &self.b }
    }

    pub fn map<U>(self, mut f: impl FnMut(T) -> U) -> PerNode<U> {
        PerNode { a: f(self.a), b: f(self.b) }
    }
}

impl<T> std::ops::Index<NodeId> for PerNode<T> {
    type Output = T;
    fn index(&self, node: NodeId) -> &T {
        match node {
            NodeId::A => &self.a,
            NodeId::B => &self.b,
        }
    }
}

impl<T> std::ops::IndexMut<NodeId> for PerNode<T> {
    fn index_mut(&mut self, node: NodeId) -> &mut T {
        match node {
            NodeId::A => &mut self.a,
            NodeId::B => &mut self.b,
        }
    }
}

/// A run's name: the site's name and a number, because people type it (`support-7`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId {
    pub site: String,
    pub number: u32,
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.site, self.number)
    }
}

/// The text is not a site's name, a hyphen and a number.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a run's name; expected a site and a number, as in `support-7`")]
pub struct NotARunId(String);

impl FromStr for RunId {
    type Err = NotARunId;

    fn from_str(text: &str) -> Result<Self, NotARunId> {
        let bad = || NotARunId(text.to_owned());
        let (site, number) = text.rsplit_once('-').ok_or_else(bad)?;
        let plain = !number.is_empty() && !number.starts_with('0') && number.bytes().all(|b| b.is_ascii_digit());
        if site.is_empty() || !plain {
            return Err(bad());
        }
        Ok(Self { site: site.to_owned(), number: number.parse().map_err(|_| bad())? })
    }
}

impl TryFrom<String> for RunId {
    type Error = NotARunId;
    fn try_from(text: String) -> Result<Self, NotARunId> {
        text.parse()
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_are_read_as_written() {
        for text in ["support-7", "eu-west-12", "x-1"] {
            assert_eq!(text.parse::<RunId>().map(|id| id.to_string()), Ok(text.to_owned()));
        }
        for text in ["support", "support-", "-7", "support-07", "support-x", "support-99999999999", ""] {
            assert!(text.parse::<RunId>().is_err(), "{text}");
        }
    }
}
