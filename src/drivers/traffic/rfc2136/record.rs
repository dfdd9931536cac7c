//! What stands at a name by a server's word, and how names and values are written for people.

use std::net::IpAddr;

use hickory_proto::rr::{Name, RData};

/// What stands at a name, by one server's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::drivers::traffic) struct RrSet {
    /// Sorted by their texts, each once.
    pub values: Vec<RData>,
    pub ttl: u32,
    pub authoritative: bool,
}

/// One reading of a server; the errors are words for `found`.
#[derive(Clone, Debug)]
pub(in crate::drivers::traffic) struct Reading {
    /// The serial of an authoritative SOA; `None` where none was asked for. Read before the values, which are therefore at least as new.
    pub serial: Option<u32>,
    /// One for each set that was asked for, in that order.
    pub values: Vec<Result<RrSet, String>>,
}

/// A name as people write it, without the last dot.
pub(super) fn shown(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_owned()
}

/// A value as people write it.
pub(in crate::drivers::traffic) fn text(value: &RData) -> String {
    match value {
        RData::CNAME(target) => shown(&target.0),
        other => other.ip_addr().as_ref().map(IpAddr::to_string).unwrap_or_else(|| other.to_string()),
    }
}
