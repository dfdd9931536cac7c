//! What a reading means: which node a server's answer names, and how the rest is said. No I/O.

use std::net::{IpAddr, SocketAddr};

use hickory_proto::rr::{Name, RData, RecordType};

use crate::domain::ids::{NodeId, PerNode};
use crate::domain::site::{MovedRecord, ResolverAnswer, TrafficAnswer};

use super::record::{Reading, RrSet, shown, text};

/// One RRset that is moved, and the only value that it has while a node serves.
pub(in crate::drivers::traffic) struct Moved {
    pub name: Name,
    pub kind: RecordType,
    pub values: PerNode<RData>,
}

/// Everything that one entry moves at once; at least one RRset.
pub(in crate::drivers::traffic) struct Entry {
    pub site: String,
    pub sets: Vec<Moved>,
}

/// Where all the RRsets of an entry stand, together.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::drivers::traffic) enum Standing {
    At(NodeId),
    /// Some stand at one node and some at the other: the sentence says which.
    Partly(String),
    /// Some hold what belongs to neither node.
    Neither,
}

impl Moved {
    /// The name as people write it, without the last dot.
    pub fn shown(&self) -> String {
        shown(&self.name)
    }

    /// The node whose value is the only one of the set.
    fn node_of(&self, set: &RrSet) -> Option<NodeId> {
        NodeId::BOTH.into_iter().find(|&node| set.values == [self.values[node].clone()])
    }
}

impl Entry {
    /// Where clients find this node while it serves, by the first record that holds an address.
    pub fn address_of(&self, node: NodeId) -> Option<IpAddr> {
        self.sets.iter().find_map(|moved| moved.values[node].ip_addr())
    }

    /// The names that are moved, each once.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for name in self.sets.iter().map(Moved::shown) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// What tells an RRset from the others, as TTLs are remembered: its name, and its type where the name has several.
    pub fn key(&self, moved: &Moved) -> String {
        let of_name = self.sets.iter().filter(|other| other.name == moved.name).count();
        if of_name == 1 { moved.shown() } else { format!("{} {}", moved.shown(), moved.kind) }
    }

    /// The names, for messages.
    pub fn shown(&self) -> String {
        self.names().join(", ")
    }

    /// What is moved, for people.
    pub fn records(&self) -> Vec<MovedRecord> {
        let record = |moved: &Moved| MovedRecord {
            name: moved.shown(),
            kind: moved.kind.to_string(),
            values: moved.values.as_ref().map(text),
        };
        self.sets.iter().map(record).collect()
    }

    /// What an entry of one RRset need not say of each value: which one is meant.
    pub fn label(&self, moved: &Moved) -> String {
        if self.sets.len() == 1 { String::new() } else { format!("{} {} ", moved.shown(), moved.kind) }
    }

    /// Where they stand, by one reading of each set, in the entry's order.
    pub fn standing(&self, present: &[RrSet]) -> Standing {
        let nodes: Vec<Option<NodeId>> = self.sets.iter().zip(present).map(|(moved, set)| moved.node_of(set)).collect();
        match nodes.first() {
            Some(&Some(node)) if nodes.iter().all(|other| *other == Some(node)) => Standing::At(node),
            _ if nodes.contains(&None) || nodes.is_empty() => Standing::Neither,
            _ => Standing::Partly(self.held(present)),
        }
    }

    /// What the sets hold, for a message.
    pub fn held(&self, present: &[RrSet]) -> String {
        let each = self.sets.iter().zip(present).map(|(moved, set)| self.label(moved) + &texts(set));
        each.collect::<Vec<_>>().join(", ")
    }

    /// What they should hold while `node` serves, for a message.
    pub fn values_of(&self, node: NodeId) -> String {
        let each = self.sets.iter().map(|moved| self.label(moved) + &text(&moved.values[node]));
        each.collect::<Vec<_>>().join(", ")
    }

    /// One server's answers, one for each set: a target only for exactly one node's value, told with authority, not behind `floor`.
    pub fn answers(&self, server: SocketAddr, reading: &Reading, floor: Option<u32>) -> Vec<TrafficAnswer> {
        let each = self.sets.iter().zip(&reading.values);
        each.map(|(moved, value)| {
            let (target, ttl, found, untold) = match value {
                Err(found) => (None, None, found.clone(), true),
                Ok(set) => match verdict(moved, set, reading.serial, floor) {
                    Ok(node) => (node, Some(set.ttl), texts(set), false),
                    Err(trouble) => (None, Some(set.ttl), texts(set) + &trouble, true),
                },
            };
            let found = self.label(moved) + &found;
            TrafficAnswer { server: server.to_string(), name: self.key(moved), target, ttl, found, untold }
        })
        .collect()
    }

    /// One recursive resolver's answers; they need no authority, and their TTL is what is left of it.
    pub fn resolver_answers(&self, server: SocketAddr, values: &[Result<RrSet, String>]) -> Vec<ResolverAnswer> {
        let each = self.sets.iter().zip(values);
        each.map(|(moved, value)| {
            let (target, ttl_left, found) = match value {
                Err(found) => (None, None, found.clone()),
                Ok(set) => (moved.node_of(set), Some(set.ttl), texts(set)),
            };
            let found = self.label(moved) + &found;
            ResolverAnswer { server: server.to_string(), name: self.key(moved), target, ttl_left, found }
        })
        .collect()
    }

    /// The answers of a server of which nothing can be read.
    pub fn unread(&self, server: &str, found: &str) -> Vec<TrafficAnswer> {
        let (server, found) = (server.to_owned(), found.to_owned());
        let answer =
            |name| TrafficAnswer { server: server.clone(), name, target: None, ttl: None, found: found.clone(), untold: true };
        self.sets.iter().map(|moved| self.key(moved)).map(answer).collect()
    }
}

fn verdict(moved: &Moved, set: &RrSet, serial: Option<u32>, floor: Option<u32>) -> Result<Option<NodeId>, String> {
    match (serial, floor) {
        _ if !set.authoritative => Err(", not authoritative".to_owned()),
        (Some(_), None) => Err(", but the primary's serial is not known".to_owned()),
        (Some(serial), Some(floor)) if is_behind(serial, floor) => Err(format!(", serial {serial} behind {floor}")),
        _ => Ok(moved.node_of(set)),
    }
}

/// The values of a set, for a message.
fn texts(set: &RrSet) -> String {
    set.values.iter().map(text).collect::<Vec<_>>().join(" and ")
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
    use hickory_proto::rr::rdata::CNAME;

    fn moved(name: &str, a: &str, b: &str) -> Moved {
        let values = PerNode { a: value(a), b: value(b) };
        Moved { name: name.parse().unwrap(), kind: values.a.record_type(), values }
    }

    fn value(text: &str) -> RData {
        text.parse::<IpAddr>().map_or_else(|_| RData::CNAME(CNAME(text.parse().unwrap())), RData::from)
    }

    fn entry(sets: Vec<Moved>) -> Entry {
        Entry { site: "support".into(), sets }
    }

    fn four() -> Moved {
        moved("support.example.com.", "192.0.2.10", "192.0.2.20")
    }

    fn set(values: &[&str], authoritative: bool) -> RrSet {
        RrSet { values: values.iter().map(|text| value(text)).collect(), ttl: 60, authoritative }
    }

    #[test]
    fn only_one_known_value_told_with_authority_and_new_enough_names_a_node() {
        let (a, b) = (Some(NodeId::A), Some(NodeId::B));
        let cases = [
            (Ok(set(&["192.0.2.10"], true)), Some(9), Some(9), a, "192.0.2.10"),
            (Ok(set(&["192.0.2.20"], true)), Some(10), Some(9), b, "192.0.2.20"),
            (Ok(set(&["192.0.2.20"], true)), Some(3), Some(u32::MAX), b, "192.0.2.20"),
            (Ok(set(&["192.0.2.20"], true)), None, None, b, "192.0.2.20"),
            (Ok(set(&["192.0.2.20"], true)), Some(7), Some(9), None, "192.0.2.20, serial 7 behind 9"),
            (Ok(set(&["192.0.2.20"], true)), Some(u32::MAX), Some(3), None, "192.0.2.20, serial 4294967295 behind 3"),
            (Ok(set(&["192.0.2.20"], true)), Some(7), None, None, "192.0.2.20, but the primary's serial is not known"),
            (Ok(set(&["192.0.2.20"], false)), Some(9), Some(9), None, "192.0.2.20, not authoritative"),
            (Ok(set(&["192.0.2.99"], true)), Some(9), Some(9), None, "192.0.2.99"),
            (Ok(set(&["192.0.2.10", "192.0.2.20"], true)), Some(9), Some(9), None, "192.0.2.10 and 192.0.2.20"),
            (Err("no answer".to_owned()), None, Some(9), None, "no answer"),
        ];
        for (value, serial, floor, target, found) in cases {
            let reading = Reading { serial, values: vec![value] };
            let answers = entry(vec![four()]).answers("192.0.2.53:53".parse().unwrap(), &reading, floor);
            let [answer] = answers.as_slice() else { panic!("{answers:?}") };
            assert_eq!((answer.target, answer.found.as_str()), (target, found), "{reading:?} {floor:?}");
        }
    }

    #[test]
    fn an_entry_stands_at_a_node_only_with_every_set() {
        let entry = entry(vec![
            four(),
            moved("support.example.com.", "2001:db8::10", "2001:db8::20"),
            moved("www.example.com.", "a.example.com.", "b.example.com."),
        ]);
        let stands = |values: [&str; 3]| entry.standing(&values.map(|value| set(&[value], true)));
        assert_eq!(stands(["192.0.2.10", "2001:db8::10", "a.example.com."]), Standing::At(NodeId::A));
        assert_eq!(stands(["192.0.2.20", "2001:db8::20", "B.Example.com."]), Standing::At(NodeId::B));
        assert_eq!(stands(["192.0.2.20", "2001:db8::99", "b.example.com."]), Standing::Neither);
        let Standing::Partly(text) = stands(["192.0.2.20", "2001:db8::10", "b.example.com."]) else { panic!() };
        let expected =
            "support.example.com A 192.0.2.20, support.example.com AAAA 2001:db8::10, www.example.com CNAME b.example.com";
        assert_eq!(text, expected);
        assert_eq!(entry.standing(&[]), Standing::Neither);
        assert_eq!(entry.names(), ["support.example.com", "www.example.com"]);
    }
}
