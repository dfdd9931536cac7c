//! The zone's records, and the answer to a query.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hickory_proto::op::{Query, ResponseCode};
use hickory_proto::rr::rdata::{CNAME, NS, SOA};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

use super::{ZoneAlias, ZoneError, ZoneOptions, ZoneRecord, parse_name};

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
        data.name_server(&server, address)?;
        options.secondaries.iter().enumerate().try_for_each(|(at, address)| {
            let name = format!("ns{}.{}", at + 2, data.origin);
            data.name_server(&name, *address)
        })?;
        options.records.iter().try_for_each(|record| data.insert(record))?;
        options.aliases.iter().try_for_each(|alias| data.alias(alias))?;
        Ok(data)
    }

    fn name_server(&mut self, name: &str, address: IpAddr) -> Result<(), ZoneError> {
        let ns = RData::NS(NS(parse_name(name)?));
        add_value(&mut self.sets, (self.origin.clone(), RecordType::NS), ZONE_TTL, ns);
        self.insert(&ZoneRecord { name: name.to_owned(), address, ttl: ZONE_TTL })
    }

    fn alias(&mut self, alias: &ZoneAlias) -> Result<(), ZoneError> {
        let (name, target) = (parse_name(&alias.name)?, parse_name(&alias.target)?);
        self.inside(&name, &alias.name)?;
        add_value(&mut self.sets, (name, RecordType::CNAME), alias.ttl, RData::CNAME(CNAME(target)));
        Ok(())
    }

    pub fn serial(&self) -> u32 {
        self.serial
    }

    /// The addresses of a name, or of the name in this zone that it is an alias of.
    pub fn addresses_of(&self, name: &Name) -> Vec<IpAddr> {
        let name = self.alias_of(name).unwrap_or(name);
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

    /// What a name is an alias of.
    pub fn alias_of(&self, name: &Name) -> Option<&Name> {
        let set = self.sets.get(&(name.clone(), RecordType::CNAME))?;
        set.values.iter().find_map(|value| if let RData::CNAME(target) = value { Some(&target.0) } else { None })
    }

    /// Whether an update may change this RRset: addresses and aliases only, at the names that were named.
    pub fn may_update(&self, name: &Name, kind: RecordType) -> bool {
        let leads = matches!(kind, RecordType::A | RecordType::AAAA | RecordType::CNAME | RecordType::ANY);
        let named = if self.updatable.is_empty() { *name != self.origin } else { self.updatable.contains(name) };
        leads && named
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
        let answers = self.answers(query.name(), query.query_type());
        let authorities = if answers.is_empty() { vec![self.soa()] } else { Vec::new() };
        let code = if answers.is_empty() && !self.exists(query.name()) { ResponseCode::NXDomain } else { ResponseCode::NoError };
        Answer { code, authoritative: true, answers, authorities }
    }

    /// The records of a name; for an alias the alias, and what it leads to as far as that lies in this zone.
    fn answers(&self, name: &Name, kind: RecordType) -> Vec<Record> {
        match self.alias_of(name).filter(|_| !matches!(kind, RecordType::CNAME | RecordType::ANY)) {
            Some(target) => [self.records(name, RecordType::CNAME), self.records(target, kind)].concat(),
            None => self.records(name, kind),
        }
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
        self.inside(&name, &record.name)?;
        let value = RData::from(record.address);
        Ok(((name, value.record_type()), value))
    }

    fn inside(&self, name: &Name, text: &str) -> Result<(), ZoneError> {
        if self.origin.zone_of(name) {
            return Ok(());
        }
        Err(ZoneError::OutOfZone { name: text.to_owned(), origin: self.origin.to_string() })
    }
}

/// Adds one value as an update does: an alias takes the place of another one, and neither joins the other kind (RFC 2136 section 3.4.2.2).
pub(super) fn update_value(sets: &mut Sets, key: (Name, RecordType), ttl: u32, value: RData) {
    let alias = key.1 == RecordType::CNAME;
    if sets.keys().any(|(owner, kind)| *owner == key.0 && (*kind == RecordType::CNAME) != alias) {
        return;
    }
    if alias && sets.get(&key).is_some_and(|set| !set.values.contains(&value)) {
        sets.remove(&key);
    }
    add_value(sets, key, ttl, value);
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
