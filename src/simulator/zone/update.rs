//! RFC 2136: the prerequisites and the changes of one UPDATE message, all or nothing.

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

use super::data::{Data, Sets, add_value, update_value};

/// Checks and applies an authenticated update.
///
/// # Errors
/// The RCODE to answer with; nothing changed then.
///
/// # Source
/// RFC 2136 section 3; the sections of an UPDATE are those of a query under other names: zone, prerequisite, update.
pub(super) fn apply(data: &mut Data, message: &Message) -> Result<(), ResponseCode> {
    check_zone(data, message)?;
    check_prerequisites(data, &message.answers)?;
    message.authorities.iter().try_for_each(|record| check_change(data, record))?;
    let mut sets = data.sets.clone();
    message.authorities.iter().for_each(|record| change(&mut sets, record));
    data.replace(sets);
    Ok(())
}

/// Section 3.1.
fn check_zone(data: &Data, message: &Message) -> Result<(), ResponseCode> {
    let [zone] = message.queries.as_slice() else { return Err(ResponseCode::FormErr) };
    if zone.query_type() != RecordType::SOA {
        return Err(ResponseCode::FormErr);
    }
    let ours = *zone.name() == data.origin && zone.query_class() == DNSClass::IN;
    if ours { Ok(()) } else { Err(ResponseCode::NotAuth) }
}

/// Section 3.2. The values named in class IN are collected first, because each RRset must match as a whole.
fn check_prerequisites(data: &Data, records: &[Record]) -> Result<(), ResponseCode> {
    let mut expected = Sets::new();
    for record in records {
        if record.ttl != 0 {
            return Err(ResponseCode::FormErr);
        }
        check_place(data, record)?;
        match record.dns_class {
            DNSClass::IN if !is_empty(record) => add_value(&mut expected, key(record), 0, record.data.clone()),
            DNSClass::ANY if is_empty(record) => check_presence(data, record, true)?,
            DNSClass::NONE if is_empty(record) => check_presence(data, record, false)?,
            _ => return Err(ResponseCode::FormErr),
        }
    }
    expected.iter().try_for_each(|(key, set)| check_values(data, key, &set.values))
}

/// Sections 2.4.1 and 2.4.3 to 2.4.5: a name or an RRset is there, or is not.
fn check_presence(data: &Data, record: &Record, wanted: bool) -> Result<(), ResponseCode> {
    let whole_name = record.record_type() == RecordType::ANY;
    let there = if whole_name { data.in_use(&record.name) } else { data.sets.contains_key(&key(record)) };
    match (there == wanted, wanted, whole_name) {
        (true, ..) => Ok(()),
        (false, true, true) => Err(ResponseCode::NXDomain),
        (false, true, false) => Err(ResponseCode::NXRRSet),
        (false, false, true) => Err(ResponseCode::YXDomain),
        (false, false, false) => Err(ResponseCode::YXRRSet),
    }
}

/// Section 2.4.2: exactly these values, in any order.
fn check_values(data: &Data, key: &(Name, RecordType), values: &[RData]) -> Result<(), ResponseCode> {
    let there = data.sets.get(key).map(|set| set.values.as_slice()).unwrap_or_default();
    let same = there.len() == values.len() && values.iter().all(|value| there.contains(value));
    if same { Ok(()) } else { Err(ResponseCode::NXRRSet) }
}

/// Sections 3.3 and 3.4.1: the form of a change, and whether this zone lets it happen.
fn check_change(data: &Data, record: &Record) -> Result<(), ResponseCode> {
    check_place(data, record)?;
    let any = record.record_type() == RecordType::ANY;
    let well_formed = match record.dns_class {
        DNSClass::IN => !is_empty(record) && !any,
        DNSClass::ANY => record.ttl == 0 && is_empty(record),
        DNSClass::NONE => record.ttl == 0 && !is_empty(record) && !any,
        _ => false,
    };
    match (well_formed, data.may_update(&record.name, record.record_type())) {
        (false, _) => Err(ResponseCode::FormErr),
        (true, false) => Err(ResponseCode::Refused),
        (true, true) => Ok(()),
    }
}

fn check_place(data: &Data, record: &Record) -> Result<(), ResponseCode> {
    if data.origin.zone_of(&record.name) { Ok(()) } else { Err(ResponseCode::NotZone) }
}

/// Section 3.4.2, for a change that was found well formed.
fn change(sets: &mut Sets, record: &Record) {
    match record.dns_class {
        DNSClass::IN => update_value(sets, key(record), record.ttl, record.data.clone()),
        DNSClass::NONE => {
            if let Some(set) = sets.get_mut(&key(record)) {
                set.values.retain(|value| *value != record.data);
            }
            sets.retain(|_, set| !set.values.is_empty());
        }
        _ if record.record_type() == RecordType::ANY => sets.retain(|(name, _), _| *name != record.name),
        _ => {
            sets.remove(&key(record));
        }
    }
}

fn key(record: &Record) -> (Name, RecordType) {
    (record.name.clone(), record.record_type())
}

/// No value: an RDLENGTH of 0, which only has a meaning in updates.
fn is_empty(record: &Record) -> bool {
    matches!(record.data, RData::Update0(_))
}
