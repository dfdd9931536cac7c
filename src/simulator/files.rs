//! What a node hands over: its backup file, and the records of its sessions.

use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::domain::ids::NodeId;
use crate::domain::version::Version;

use super::faults::Fault;
use super::world::{Record, World, merges_sessions};

/// The smallest backup; each record adds [`BYTES_PER_RECORD`]. Real ones have many megabytes, tests need only plausible ones.
const SMALLEST_BACKUP: usize = 24 * 1024;
const BYTES_PER_RECORD: usize = 96;
/// The largest, so that weeks of simulated work stay cheap.
const LARGEST_BACKUP: usize = 256 * 1024;

/// The body of a backup: the same bytes for the same state and password, an error text or nothing if a fault asks for it.
pub fn backup(world: &mut World, node: NodeId, password: Option<&str>) -> Vec<u8> {
    if world.faults.take(Fault::BackupErrorText, node, "backup") {
        return b"Error: the backup could not be created.\n".to_vec();
    }
    if world.faults.take(Fault::BackupEmpty, node, "backup") {
        return Vec::new();
    }
    let small = world.faults.take(Fault::BackupSmall, node, "backup");
    let state = world.node(node);
    let mut digest = Sha256::new();
    digest.update(state.identity.as_bytes());
    digest.update(state.version_text().as_bytes());
    digest.update(state.settings.revision.to_be_bytes());
    for record in state.records.values() {
        digest.update(format!("{} {:?}\n", record.lsid, record.end).as_bytes());
    }
    digest.update(password.unwrap_or_default().as_bytes());
    let seed = digest.finalize();
    let length = (SMALLEST_BACKUP + state.records.len() * BYTES_PER_RECORD).min(LARGEST_BACKUP);
    let length = if small { length / 10 } else { length };
    pseudo_binary(&seed, length, password.is_some())
}

/// A short head with zero bytes in it, then noise. The sixth byte says whether there is a password: the simulator's own.
fn pseudo_binary(seed: &[u8], length: usize, protected: bool) -> Vec<u8> {
    let number = seed.iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    let mut body = b"NSB\x00\x01\x00\x00\x00".to_vec();
    body[5] = u8::from(protected);
    body.extend_from_slice(seed);
    body.resize(length.max(body.len()), 0);
    fastrand::Rng::with_seed(number).fill(&mut body[8 + seed.len()..]);
    body
}

/// Which session records are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Search {
    /// Begun in this span, also those in progress.
    Started { from: Timestamp, to: Timestamp },
    /// Closed in this span. One that was cut short has no end on the wire and is not found.
    Ended { from: Timestamp, to: Timestamp },
    /// By their ids.
    Lsids(Vec<String>),
    /// Begun or ended in the span, or still in progress: what an extraction needs.
    Touched { from: Timestamp, to: Timestamp },
}

/// A session as it is handed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionFile {
    pub lsid: String,
    /// Absent before 10.6 (BG-51).
    pub lseq: Option<u64>,
    pub user: String,
    pub start: Timestamp,
    /// Absent while in progress and after a session that was cut short.
    pub end: Option<Timestamp>,
    #[serde(skip)]
    pub media: Media,
    #[serde(skip)]
    serial: u64,
}

/// What was recorded of a session beside its record; the same in every run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Media {
    pub screen: bool,
    /// Command shells.
    pub shells: u32,
}

impl Media {
    /// Every second session has its screen recorded, every fifth up to two command shells. As the vendor says, only sessions
    /// that have ended well have recordings.
    fn of(record: &Record) -> Self {
        match shown_end(record) {
            None => Self::default(),
            Some(_) => Self {
                screen: record.serial.is_multiple_of(2),
                shells: u32::from(record.serial.is_multiple_of(5)) * (1 + u32::from(record.serial.is_multiple_of(10))),
            },
        }
    }
}

/// A recording as it is downloaded, the same bytes for the same session.
pub fn recording(record: &Record, shell: Option<u32>) -> Option<Vec<u8>> {
    let media = Media::of(record);
    match shell {
        None if media.screen => {
            let mut body = b"FLV\x01\x05\x00\x00\x00\x09".to_vec();
            body.resize(2048 + usize::try_from(record.serial % 1000).unwrap_or(0), 0);
            fastrand::Rng::with_seed(record.serial).fill(&mut body[9..]);
            Some(body)
        }
        Some(number) if number < media.shells => {
            Some(format!("C:\\> rem session {} shell {number}\r\n", record.serial).into_bytes())
        }
        _ => None,
    }
}

impl SessionFile {
    fn new(record: &Record, version: &Version) -> Self {
        Self {
            lsid: lsid_on(record, version),
            lseq: merges_sessions(version).then_some(record.lseq),
            user: record.user.clone(),
            start: record.start,
            end: shown_end(record),
            media: Media::of(record),
            serial: record.serial,
        }
    }
}

/// The session's id as a node of this version shows it: an integer before 10.6, 32 hex digits from then on (BG-51).
pub fn lsid_on(record: &Record, version: &Version) -> String {
    if merges_sessions(version) { record.lsid.clone() } else { record.lseq.to_string() }
}

fn shown_end(record: &Record) -> Option<Timestamp> {
    record.end.filter(|_| !record.interrupted)
}

/// The node's reporting gave an error instead of records.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("The report could not be generated.")]
pub struct ReportFailed;

/// Finds session records and notes them as handed out.
///
/// # Errors
/// [`ReportFailed`] under the fault `extract-error`.
pub fn sessions(world: &mut World, node: NodeId, search: &Search) -> Result<Vec<SessionFile>, ReportFailed> {
    if world.faults.take(Fault::ExtractError, node, "extract_data") {
        return Err(ReportFailed);
    }
    let state = world.node(node);
    let within = |at: Timestamp, from: &Timestamp, to: &Timestamp| at >= *from && at < *to;
    let fits = |record: &&Record| match search {
        Search::Started { from, to } => within(record.start, from, to),
        Search::Ended { from, to } => shown_end(record).is_some_and(|end| within(end, from, to)),
        Search::Lsids(lsids) => lsids.contains(&lsid_on(record, &state.version)),
        Search::Touched { from, to } => record.end.is_none_or(|end| end >= *from) && record.start < *to,
    };
    let found: Vec<_> = state.records.values().filter(fits).map(|record| SessionFile::new(record, &state.version)).collect();
    let serials: Vec<u64> = found.iter().map(|session| session.serial).collect();
    world.hand_out(node, &serials);
    Ok(found)
}
