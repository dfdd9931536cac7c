//! What a reading means: which node a server's answer names, and how the rest is said. No I/O.

use std::net::{IpAddr, SocketAddr};

use hickory_proto::rr::{Name, RecordType};

use crate::domain::ids::{NodeId, PerNode};
use crate::domain::site::TrafficAnswer;

use super::ask::{Reading, RrSet};

/// The record that is moved, and the two addresses it may hold.
pub(in crate::drivers::traffic) struct Entry {
    pub site: String,
    pub record: Name,
    pub kind: RecordType,
    pub addresses: PerNode<IpAddr>,
}

impl Entry {
    pub fn new(site: String, record: Name, addresses: PerNode<IpAddr>) -> Self {
        let kind = if addresses.a.is_ipv4() { RecordType::A } else { RecordType::AAAA };
        Self { site, record, kind, addresses }
    }

    /// The record's name as people write it, without the last dot.
    pub fn shown(&self) -> String {
        self.record.to_ascii().trim_end_matches('.').to_owned()
    }

    /// The node whose address is the only one of the set.
    pub fn node_of(&self, set: &RrSet) -> Option<NodeId> {
        NodeId::BOTH.into_iter().find(|&node| set.addresses == [self.addresses[node]])
    }

    /// One server's answer: a target only for exactly one node's address, told with authority, not behind `floor`.
    pub fn answer(&self, server: SocketAddr, reading: &Reading, floor: Option<u32>) -> TrafficAnswer {
        let (target, ttl, found) = match &reading.value {
            Err(found) => (None, None, found.clone()),
            Ok(set) => match self.verdict(set, reading.serial, floor) {
                Ok(node) => (node, Some(set.ttl), addresses(set)),
                Err(trouble) => (None, Some(set.ttl), addresses(set) + &trouble),
            },
        };
        TrafficAnswer { server: server.to_string(), name: self.shown(), target, ttl, found }
    }

    fn verdict(&self, set: &RrSet, serial: Option<u32>, floor: Option<u32>) -> Result<Option<NodeId>, String> {
        match (serial, floor) {
            _ if !set.authoritative => Err(", not authoritative".to_owned()),
            (Some(_), None) => Err(", but the primary's serial is not known".to_owned()),
            (Some(serial), Some(floor)) if is_behind(serial, floor) => Err(format!(", serial {serial} behind {floor}")),
            _ => Ok(self.node_of(set)),
        }
    }
}

/// The addresses of a set, for a message.
pub(super) fn addresses(set: &RrSet) -> String {
    set.addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" and ")
}

/// Whether serial `a` comes before `b`; serials wrap around.
///
/// # Source
/// RFC 1982 section 3.2.
pub(super) fn is_behind(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        let addresses = PerNode { a: "192.0.2.10".parse().unwrap(), b: "192.0.2.20".parse().unwrap() };
        Entry::new("support".into(), "support.example.com.".parse().unwrap(), addresses)
    }

    fn set(addresses: &[&str], authoritative: bool) -> Result<RrSet, String> {
        Ok(RrSet { addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(), ttl: 60, authoritative })
    }

    #[test]
    fn only_one_known_address_told_with_authority_and_new_enough_names_a_node() {
        let (a, b) = (Some(NodeId::A), Some(NodeId::B));
        let cases = [
            (set(&["192.0.2.10"], true), Some(9), Some(9), a, "192.0.2.10"),
            (set(&["192.0.2.20"], true), Some(10), Some(9), b, "192.0.2.20"),
            (set(&["192.0.2.20"], true), Some(3), Some(u32::MAX), b, "192.0.2.20"),
            (set(&["192.0.2.20"], true), None, None, b, "192.0.2.20"),
            (set(&["192.0.2.20"], true), Some(7), Some(9), None, "192.0.2.20, serial 7 behind 9"),
            (set(&["192.0.2.20"], true), Some(u32::MAX), Some(3), None, "192.0.2.20, serial 4294967295 behind 3"),
            (set(&["192.0.2.20"], true), Some(7), None, None, "192.0.2.20, but the primary's serial is not known"),
            (set(&["192.0.2.20"], false), Some(9), Some(9), None, "192.0.2.20, not authoritative"),
            (set(&["192.0.2.99"], true), Some(9), Some(9), None, "192.0.2.99"),
            (set(&["192.0.2.10", "192.0.2.20"], true), Some(9), Some(9), None, "192.0.2.10 and 192.0.2.20"),
            (Err("no answer".into()), None, Some(9), None, "no answer"),
        ];
        for (value, serial, floor, target, found) in cases {
            let reading = Reading { serial, value };
            let answer = entry().answer("192.0.2.53:53".parse().unwrap(), &reading, floor);
            assert_eq!((answer.target, answer.found.as_str()), (target, found), "{reading:?} {floor:?}");
        }
    }
}
