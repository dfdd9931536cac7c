//! `journal.log`: its survey at opening, its completion, and how it is appended to.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::error::{LineError, OpenError};
use super::line::{self, Line, Lines};
use crate::domain::ids::RunId;
use crate::domain::journal::Record;

/// Where a record lies in the log. Sixteen bytes, as the places of all records are in memory at once while a store is opened, and
/// a heap that has grown for them does not shrink again.
pub(super) struct Place {
    pub offset: u64,
    /// Of the JSON part.
    pub length: u32,
}

/// The records of one run in order, the first at index 0, and the hash of the last.
#[derive(Default)]
pub(super) struct Chain {
    pub places: Vec<Place>,
    pub last: String,
}

/// What the log holds.
#[derive(Default)]
pub(super) struct Survey {
    path: PathBuf,
    pub runs: BTreeMap<RunId, Chain>,
    /// How much of the file is good.
    pub good_bytes: u64,
    /// Behind that lies a torn last line.
    pub torn: bool,
}

impl Survey {
    fn of(path: &Path) -> Self {
        Self { path: path.to_owned(), ..Self::default() }
    }

    /// Sequence number and hash of a run's last record.
    pub(super) fn head(&self, run: &RunId) -> Option<(u64, &str)> {
        let chain = self.runs.get(run)?;
        Some((chain.places.len() as u64, chain.last.as_str()))
    }

    /// The hash of a run's record, read from the log again unless it is the last; `None`: there is no such record.
    pub(super) fn hash(&self, run: &RunId, seq: u64) -> io::Result<Option<String>> {
        let Some(chain) = self.runs.get(run) else { return Ok(None) };
        let index = usize::try_from(seq).unwrap_or(usize::MAX).wrapping_sub(1);
        match chain.places.get(index) {
            Some(_) if index + 1 == chain.places.len() => Ok(Some(chain.last.clone())),
            Some(place) => Ok(Some(serde_json::from_slice::<Record>(&place.read(&File::open(&self.path)?)?)?.hash)),
            None => Ok(None),
        }
    }

    /// Adds a record behind its run's last one.
    fn take(&mut self, line: &Line, record: Record) {
        // A line is at most MAX_RECORD_BYTES and its trailer long.
        let length = u32::try_from(line.bytes.len() - (line::TRAILER_BYTES - 1)).unwrap_or(u32::MAX);
        let chain = self.runs.entry(record.run).or_default();
        chain.places.push(Place { offset: line.offset, length });
        chain.last = record.hash;
        self.good_bytes = line.offset + line.bytes.len() as u64 + 1;
    }
}

impl Place {
    fn read(&self, file: &File) -> io::Result<Vec<u8>> {
        let mut json = vec![0; self.length as usize];
        file.read_exact_at(&mut json, self.offset)?;
        Ok(json)
    }
}

/// Reads the whole log and checks every line and every chain. Writes nothing. A log that is not there is empty.
///
/// # Errors
/// `Damaged` with the line's number for anything but a torn last line.
pub(super) fn survey(state: &Path, path: &Path) -> Result<Survey, OpenError> {
    let unusable = |source| OpenError::io(state, path, source);
    let mut survey = Survey::of(path);
    let mut lines = match Lines::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(survey),
        lines => lines.map_err(unusable)?,
    };
    while let Some(line) = lines.next_line().map_err(unusable)? {
        let damaged = |what: String| OpenError::damaged(state, format!("`{}` line {}: {what}", path.display(), line.number));
        match line::parse(&line) {
            Ok(record) => {
                record.follows(survey.head(&record.run)).map_err(|error| damaged(error.to_string()))?;
                survey.take(&line, record);
            }
            Err(error) if !can_be_torn(&error) || lines.next_line().map_err(unusable)?.is_some() => {
                return Err(damaged(error.to_string()));
            }
            Err(_) => survey.torn = true,
        }
    }
    Ok(survey)
}

/// A line of a damaged log that could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// From 1.
    pub line: u64,
    pub what: String,
}

/// What can still be used of a damaged log.
pub(super) struct Salvage {
    pub survey: Survey,
    pub damaged: Vec<BadLine>,
    /// Good lines whose records do not follow from what is left of their run.
    pub loose: Vec<(RunId, u64)>,
}

/// Reads the log as [`survey`] does, but goes on behind damage: of each run the valid beginning is kept.
pub(super) fn salvage(state: &Path, path: &Path) -> Result<Salvage, OpenError> {
    let unusable = |source| OpenError::io(state, path, source);
    let mut salvage = Salvage { survey: Survey::of(path), damaged: Vec::new(), loose: Vec::new() };
    let mut lines = match Lines::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(salvage),
        lines => lines.map_err(unusable)?,
    };
    while let Some(line) = lines.next_line().map_err(unusable)? {
        match line::parse(&line) {
            Ok(record) if record.follows(salvage.survey.head(&record.run)).is_ok() => salvage.survey.take(&line, record),
            Ok(record) => salvage.loose.push((record.run, record.seq)),
            Err(_) if !line.ended => salvage.survey.torn = true,
            Err(error) => salvage.damaged.push(BadLine { line: line.number, what: error.to_string() }),
        }
    }
    Ok(salvage)
}

/// Whether a last line that is wrong in this way may be what a crash in the middle of a write leaves. A line whose checksum
/// fits was written whole.
pub(super) fn can_be_torn(error: &LineError) -> bool {
    !matches!(error, LineError::NotARecord(_))
}

/// The log, open for appending.
pub(super) struct Log {
    file: Arc<File>,
}

impl Log {
    /// Opens the log, creating it if needed; the caller syncs the folder.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).read(true).open(path)?;
        Ok(Self { file: Arc::new(file) })
    }

    /// Cuts a torn last line off.
    pub(super) fn cut(&self, good_bytes: u64) -> io::Result<()> {
        self.file.set_len(good_bytes)?;
        self.file.sync_all()
    }

    /// Appends whole lines; they are durable after the next sync.
    pub(super) fn write(&self, lines: &[u8]) -> io::Result<()> {
        (&*self.file).write_all(lines)
    }

    /// Appends whole lines and waits until they are durable.
    pub(super) fn append(&self, lines: &[u8]) -> io::Result<()> {
        self.write(lines)?;
        self.file.sync_data()
    }

    /// The JSON of the record at a place.
    pub(super) fn read(&self, place: &Place) -> io::Result<Vec<u8>> {
        place.read(&self.file)
    }

    /// Starts the thread that syncs this log.
    pub(super) fn syncer(&self) -> io::Result<Syncer> {
        Syncer::spawn(Arc::clone(&self.file))
    }
}

/// Syncs the log on a thread of its own, at the same time as the store thread writes and syncs sled's file.
pub(super) struct Syncer {
    orders: Option<SyncSender<()>>,
    answers: Receiver<io::Result<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    fn spawn(file: Arc<File>) -> io::Result<Self> {
        let (orders, queue) = sync_channel(1);
        let (answer, answers) = sync_channel(1);
        let work = move || while queue.recv().is_ok() && answer.send(file.sync_data()).is_ok() {};
        let thread = std::thread::Builder::new().name("store-log".to_owned()).spawn(work)?;
        Ok(Self { orders: Some(orders), answers, thread: Some(thread) })
    }

    /// Begins to sync; [`Self::wait`] must follow.
    pub(super) fn begin(&self) -> io::Result<()> {
        let sent = self.orders.as_ref().map(|orders| orders.send(()));
        if matches!(sent, Some(Ok(()))) { Ok(()) } else { Err(ended()) }
    }

    /// Waits until the sync that was begun has ended.
    pub(super) fn wait(&self) -> io::Result<()> {
        self.answers.recv().unwrap_or_else(|_| Err(ended()))
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has been reported by `wait`.
            let _ = thread.join();
        }
    }
}

fn ended() -> io::Error {
    io::Error::other("the thread that syncs it has ended")
}
