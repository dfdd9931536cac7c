//! The zone's records, and the answer to a query.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hickory_proto::op::{Query, ResponseCode};
use hickory_proto::rr::rdata::{NS, SOA};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

use super::{ZoneError, ZoneOptions, ZoneRecord, parse_name};

/// All RRsets but the SOA, which is made from the serial.
pub(super) type Sets = BTreeMap<(Name, RecordType), RrSet>;

/// The values of one name and type.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RrSet {
    pub ttl: u32,
    pub values: Vec<RData>,
}

/// The sections of an answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub code: ResponseCode,
    pub authoritative: bool,
    pub answers: Vec<Record>,
    pub authorities: Vec<Record>,
}

/// One zone.
#[derive(Debug)]
pub(super) struct Data {
    pub origin: Name,
    server: Name,
    serial: u32,
    updatable: Vec<Name>,
    pub sets: Sets,
}

impl Data {
    /// The zone of `options`, served by a name server at `address`.
    pub fn new(options: &ZoneOptions, address: IpAddr) -> Result<Self, ZoneError> {
        let origin = parse_name(&options.origin)?;
        let server = format!("ns1.{origin}");
        let updatable = options.updatable.iter().map(|name| parse_name(name)).collect::<Result<_, _>>()?;
        let mut data = Self { server: parse_name(&server)?, origin, serial: options.serial, updatable, sets: Sets::new() };
        let ns = RrSet { ttl: ZONE_TTL, values: vec![RData::NS(NS(data.server.clone()))] };
        data.sets.insert((data.origin.clone(), RecordType::NS), ns);
        data.insert(&ZoneRecord { name: server, address, ttl: ZONE_TTL })?;
        options.records.iter().try_for_each(|record| data.insert(record))?;
        Ok(data)
    }

    pub fn serial(&self) -> u32 {
        self.serial
    }

    pub fn addresses_of(&self, name: &Name) -> Vec<IpAddr> {
        let of = |kind| self.sets.get(&(name.clone(), kind)).map(|set| set.values.clone()).unwrap_or_default();
        [of(RecordType::A), of(RecordType::AAAA)].concat().iter().filter_map(RData::ip_addr).collect()
    }

    /// Replaces the address of that family, and moves the serial if that changed anything.
    pub fn set(&mut self, record: &ZoneRecord) -> Result<(), ZoneError> {
        let (key, value) = self.place(record)?;
        let mut sets = self.sets.clone();
        sets.insert(key, RrSet { ttl: record.ttl, values: vec![value] });
        self.replace(sets);
        Ok(())
    }

    /// Adds an address to its RRset, and moves the serial if that changed anything.
    pub fn add(&mut self, record: &ZoneRecord) -> Result<(), ZoneError> {
        let (key, value) = self.place(record)?;
        let mut sets = self.sets.clone();
        add_value(&mut sets, key, record.ttl, value);
        self.replace(sets);
        Ok(())
    }

    /// Puts new content in place. A changed content gets the next serial; 0 is left out (RFC 1982 leaves it legal, but tools
    /// use it as "none").
    pub fn replace(&mut self, sets: Sets) {
        if sets != self.sets {
            self.sets = sets;
            self.serial = self.serial.wrapping_add(1).max(1);
        }
    }

    /// Whether an update may change this RRset: addresses only, at the names that were named.
    pub fn may_update(&self, name: &Name, kind: RecordType) -> bool {
        let address = matches!(kind, RecordType::A | RecordType::AAAA | RecordType::ANY);
        let named = if self.updatable.is_empty() { *name != self.origin } else { self.updatable.contains(name) };
        address && named
    }

    /// Whether anything stands at this name.
    pub fn in_use(&self, name: &Name) -> bool {
        self.sets.keys().any(|(owner, _)| owner == name)
    }

    /// The answer to one question.
    ///
    /// # Source
    /// RFC 1034 section 4.3.2, RFC 2308 section 2 (the SOA in negative answers).
    pub fn answer(&self, query: &Query) -> Answer {
        let refused = query.query_class() != DNSClass::IN || matches!(query.query_type(), RecordType::AXFR | RecordType::IXFR);
        if refused || !self.origin.zone_of(query.name()) {
            return Answer { code: ResponseCode::Refused, authoritative: false, answers: Vec::new(), authorities: Vec::new() };
        }
        let answers = self.records(query.name(), query.query_type());
        let authorities = if answers.is_empty() { vec![self.soa()] } else { Vec::new() };
        let code = if answers.is_empty() && !self.exists(query.name()) { ResponseCode::NXDomain } else { ResponseCode::NoError };
        Answer { code, authoritative: true, answers, authorities }
    }

    fn records(&self, name: &Name, kind: RecordType) -> Vec<Record> {
        let soa = (*name == self.origin && matches!(kind, RecordType::SOA | RecordType::ANY)).then(|| self.soa());
        let asked = |(owner, of): &(Name, RecordType)| owner == name && (kind == RecordType::ANY || *of == kind);
        let sets = self.sets.iter().filter(|(key, _)| asked(key));
        let record = |set: &RrSet, value: &RData| Record::from_rdata(name.clone(), set.ttl, value.clone());
        soa.into_iter().chain(sets.flat_map(|(_, set)| set.values.iter().map(|value| record(set, value)))).collect()
    }

    /// A name also exists if a name below it does (RFC 8020).
    fn exists(&self, name: &Name) -> bool {
        *name == self.origin || self.sets.keys().any(|(owner, _)| name.zone_of(owner))
    }

    fn soa(&self) -> Record {
        let contact = self.origin.prepend_label("hostmaster").unwrap_or_else(|_| self.origin.clone());
        let soa = SOA::new(self.server.clone(), contact, self.serial, 3600, 600, 86_400, 30);
        Record::from_rdata(self.origin.clone(), ZONE_TTL, RData::SOA(soa))
    }

    fn insert(&mut self, record: &ZoneRecord) -> Result<(), ZoneError> {
        let (key, value) = self.place(record)?;
        add_value(&mut self.sets, key, record.ttl, value);
        Ok(())
    }

    fn place(&self, record: &ZoneRecord) -> Result<((Name, RecordType), RData), ZoneError> {
        let name = parse_name(&record.name)?;
        if !self.origin.zone_of(&name) {
            return Err(ZoneError::OutOfZone { name: record.name.clone(), origin: self.origin.to_string() });
        }
        let value = RData::from(record.address);
        Ok(((name, value.record_type()), value))
    }
}

/// Adds one value; a value already there only takes the TTL, which is one for the whole set (RFC 2181 section 5.2).
pub(super) fn add_value(sets: &mut Sets, key: (Name, RecordType), ttl: u32, value: RData) {
    let set = sets.entry(key).or_insert_with(|| RrSet { ttl, values: Vec::new() });
    set.ttl = ttl;
    if !set.values.contains(&value) {
        set.values.push(value);
    }
}

/// The TTL of what the zone itself is made of; a minute, so that a lab's caches forget an old run soon.
const ZONE_TTL: u32 = 60;
