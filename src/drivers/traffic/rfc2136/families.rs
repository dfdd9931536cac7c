//! Whether a switch makes a name answer a type of record that it did not answer before: then what resolvers deny counts too.

use futures_util::future::join;
use hickory_proto::rr::{Name, RData, RecordType};

use crate::domain::ids::NodeId;

use super::Rfc2136;

/// Whether a name has an IPv4 address, and an IPv6 one.
type Families = [bool; 2];

impl Rfc2136 {
    /// Never for records that hold addresses: both nodes have one of each family that is moved. For an alias it is so if its two
    /// targets have not the same families. What the primary can't tell of them (another zone's names) counts as so: to wait longer
    /// does less harm than a client that is told there is no address.
    ///
    /// # Source
    /// RFC 2308 section 5 remembers a denial under the last name of a chain of aliases, so that a new target starts with none; but a
    /// cache that sits before a resolver (a client's own, a forwarder's) remembers it under the name that was asked for.
    pub(super) async fn adds_type(&self) -> bool {
        let alias = self.entry.sets.iter().find(|moved| moved.kind == RecordType::CNAME);
        let targets = alias.map(|moved| NodeId::BOTH.map(|node| target(&moved.values[node])));
        let Some([Some(a), Some(b)]) = targets else { return false };
        match join(self.families(a), self.families(b)).await {
            (Some(a), Some(b)) => a != b,
            _ => true,
        }
    }

    /// `None` where the primary does not tell: the name is not of its zone, or it gives no answer, or no address at all (a zone below).
    async fn families(&self, name: &Name) -> Option<Families> {
        if !self.zone.zone_of(name) {
            return None;
        }
        let (four, six) = join(self.primary.has(name, RecordType::A), self.primary.has(name, RecordType::AAAA)).await;
        Some([four?, six?]).filter(|families| families.contains(&true))
    }
}

fn target(value: &RData) -> Option<&Name> {
    if let RData::CNAME(target) = value { Some(&target.0) } else { None }
}
