//! The verdict on a name server's message, as fuzz targets call it. Compiled for tests only.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use hickory_proto::op::Message;
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{Name, RData, RecordType};

use super::ask::rr_set;
use super::judge::{Entry, Moved};
use super::record::Reading;
use crate::domain::ids::{NodeId, PerNode};

/// The node that a message names for the A record of `record`, if it is told with authority and the set is that node's address
/// alone.
pub fn answer(message: &[u8], record: &str, addresses: PerNode<Ipv4Addr>) -> Option<NodeId> {
    let message = Message::from_vec(message).ok()?;
    let values = PerNode::new(|node| RData::A(A(addresses[node])));
    let moved = Moved { name: Name::from_ascii(record).ok()?, kind: RecordType::A, values };
    let value = rr_set(&message.answers, &moved.name, moved.kind, message.metadata.authoritative);
    let entry = Entry { site: "support".to_owned(), sets: vec![moved] };
    let reading = Reading { serial: Some(1), values: vec![value] };
    let server = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 53);
    entry.answers(server, &reading, Some(1)).first()?.target
}
