//! The record: one entry of a run's journal, chained by hash.
//!
//! A run's journal is append-only, numbered from 1 without gaps; each record carries the hash of the one before.
//! State is a fold over it ([`super::machine::replay`]); audit log, timeline, crash recovery and report all read this one thing.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::ids::RunId;

/// The hash that the first record names as its predecessor's.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One entry of a run's journal, as stored, exported and shown by `journal show`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub run: RunId,
    /// From 1, without gaps, within the run.
    pub seq: u64,
    /// Run time, UTC.
    pub at: Timestamp,
    /// Who caused it: `daemon`, or a person's user name.
    pub actor: String,
    /// The event's name (`step_begun`).
    pub event: String,
    pub step: Option<String>,
    /// The rule or reason that applied, an operator's sentence.
    pub reason: String,
    /// The event's own fields.
    pub data: serde_json::Value,
    /// Hash of the record before, [`GENESIS`] for the first; lower-case hex.
    pub previous: String,
    /// SHA-256 over the record without this field, lower-case hex.
    pub hash: String,
}

/// What a caller knows of a record before it has its place in the chain.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub at: Timestamp,
    pub actor: String,
    pub event: String,
    pub step: Option<String>,
    pub reason: String,
    pub data: serde_json::Value,
}

/// A record does not follow from the one before it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    #[error("record {found} of run `{run}` where record {expected} was expected")]
    Sequence { run: RunId, expected: u64, found: u64 },
    #[error("record {seq} of run `{run}` names `{found}` as the hash before it, expected `{expected}`")]
    Previous { run: RunId, seq: u64, expected: String, found: String },
    #[error("record {seq} of run `{run}` does not match its own hash: its content was changed")]
    Hash { run: RunId, seq: u64 },
}

impl Record {
    /// Puts `entry` behind `previous` (the first record of a run has none).
    pub fn chain(run: &RunId, previous: Option<&Record>, entry: Entry) -> Self {
        let (seq, hash) = previous.map_or((1, GENESIS), |record| (record.seq + 1, record.hash.as_str()));
        Self::at_place(run, seq, hash, entry)
    }

    /// The record with sequence number `seq` behind the one whose hash is `previous`.
    pub fn at_place(run: &RunId, seq: u64, previous: &str, entry: Entry) -> Self {
        let Entry { at, actor, event, step, reason, data } = entry;
        let mut record = Self {
            run: run.clone(),
            seq,
            at,
            actor,
            event,
            step,
            reason,
            data,
            previous: previous.to_owned(),
            hash: String::new(),
        };
        record.hash = record.computed_hash();
        record
    }

    /// The hash that the content gives. `data` is a map with sorted keys, so the bytes are the same after a round trip.
    pub fn computed_hash(&self) -> String {
        let content =
            (&self.run, self.seq, &self.at, &self.actor, &self.event, &self.step, &self.reason, &self.data, &self.previous);
        // Serializing plain data into memory cannot fail: no maps with keys other than strings, no I/O.
        let bytes = serde_json::to_vec(&content).unwrap_or_default();
        hex(&Sha256::digest(bytes))
    }

    /// Checks this record's number, link and content against the record before.
    pub fn follows(&self, previous: Option<(u64, &str)>) -> Result<(), ChainError> {
        let (seq, hash) = previous.map_or((1, GENESIS), |(seq, hash)| (seq + 1, hash));
        if self.seq != seq {
            return Err(ChainError::Sequence { run: self.run.clone(), expected: seq, found: self.seq });
        }
        if self.previous != hash {
            let (expected, found) = (hash.to_owned(), self.previous.clone());
            return Err(ChainError::Previous { run: self.run.clone(), seq, expected, found });
        }
        if self.hash != self.computed_hash() {
            return Err(ChainError::Hash { run: self.run.clone(), seq });
        }
        Ok(())
    }
}

/// Checks a whole run's records in order.
pub fn verify(records: &[Record]) -> Result<(), ChainError> {
    let mut previous = None;
    for record in records {
        record.follows(previous)?;
        previous = Some((record.seq, record.hash.as_str()));
    }
    Ok(())
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(reason: &str) -> Entry {
        Entry {
            at: "2026-11-22T01:02:03Z".parse().unwrap(),
            actor: "daemon".into(),
            event: "noticed".into(),
            step: None,
            reason: reason.into(),
            data: serde_json::json!({"b": 1, "a": [null, "x"]}),
        }
    }

    fn chain(n: usize) -> Vec<Record> {
        let run: RunId = "support-7".parse().unwrap();
        (0..n).fold(Vec::new(), |mut records: Vec<Record>, i| {
            records.push(Record::chain(&run, records.last(), entry(&format!("reason {i}"))));
            records
        })
    }

    #[test]
    fn a_chain_survives_a_round_trip_through_json() {
        let records: Vec<Record> =
            chain(3).iter().map(|r| serde_json::from_str(&serde_json::to_string(r).unwrap()).unwrap()).collect();
        assert_eq!(verify(&records), Ok(()));
    }

    #[test]
    fn every_kind_of_tampering_is_found() {
        let mut changed = chain(3);
        changed[1].reason.push('!');
        assert!(matches!(verify(&changed), Err(ChainError::Hash { seq: 2, .. })));
        let mut gap = chain(3);
        gap.remove(1);
        assert!(matches!(verify(&gap), Err(ChainError::Sequence { expected: 2, found: 3, .. })));
        let mut relinked = chain(3);
        relinked[1].previous = GENESIS.into();
        assert!(matches!(verify(&relinked), Err(ChainError::Previous { seq: 2, .. })));
    }
}
