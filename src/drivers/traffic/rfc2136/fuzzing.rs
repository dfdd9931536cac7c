//! The verdict on a name server's message, as fuzz targets call it. Compiled for tests only.

use std::net::IpAddr;

use hickory_proto::op::Message;
use hickory_proto::rr::Name;

use super::ask::rr_set;
use super::judge::Entry;
use crate::domain::ids::{NodeId, PerNode};

/// The node that a message names for `record`, if its set is one node's address alone.
pub fn answer(message: &[u8], record: &str, addresses: PerNode<IpAddr>) -> Option<NodeId> {
    let message = Message::from_vec(message).ok()?;
    let entry = Entry::new("support".to_owned(), Name::from_ascii(record).ok()?, addresses);
    let set = rr_set(&message.answers, &entry.record, entry.kind, message.metadata.authoritative).ok()?;
    entry.node_of(&set)
}
