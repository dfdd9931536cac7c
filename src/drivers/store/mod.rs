//! The durable journal on sled, with its plain copy.
//!
//! # Layout
//!
//! ```text
//! state/
//!   lock           advisory lock; holds the number of the process that has it
//!   db/            sled 0.34.7: one tree, values of 4 KiB at most (keys.rs)
//!   journal.log    one record a line as JSON, a space, its CRC32C in 8 hex digits; append only
//!   reserve        real blocks, given back to the disk when a run must be brought home on a full one (space.rs)
//!   db.old-<n>/  journal.log.old-<n>      what `journal rebuild` moved aside; never deleted by us
//! ```
//!
//! Both copies hold every record. sled also holds the outbox, which can be derived again from the records.
//!
//! # Protocol
//!
//! One thread writes. It takes up to 256 queued jobs and commits them as one group:
//!
//! ```text
//!  callers ─▶ queue (bounded) ─▶ store thread: ─┬─ store thread: sled: apply, flush; our own fdatasync of its file ─┬─▶ answers
//!                                append lines   └─ store-log thread: fdatasync of journal.log ──────────────────────┘
//! ```
//!
//! An append is answered when both copies are durable, whichever was first. sled's `flush` alone is a write and `sync_file_range`: it lost
//! acknowledged data in 267 of 315 disk images of a power cut, often everything and without an error; with our fdatasync on
//! its file in 0 of 725. Any error or panic on the way is final: a sync that failed once may report success the next time
//! although the data is gone, so it is not repeated, and every waiting and later append gets [`StoreError::Failed`].
//!
//! # What a crash leaves behind
//!
//! The last group, which nobody was told of, is in both copies, in one, or in none; in the log perhaps only in part. sled
//! takes a batch wholly or not at all. So at opening, each run's chains are compared by sequence number and hash:
//!
//! | found | done |
//! |---|---|
//! | the chains are equal | nothing |
//! | one goes on where the other ends | the shorter one is completed; what came from the log is told as recovered |
//! | sled is empty (it can open so after damage), the log is whole | the same: sled is filled again |
//! | the log is gone, sled is whole | the same: the log is written again |
//! | the log's last line is torn | it is cut off, then as above |
//! | another line is wrong, a record does not follow, the chains part, sled can't be read or panics | [`OpenError::Damaged`] |
//!
//! A record more than was acknowledged is an intent whose act was not sent: the run looks first. The comparison is finished
//! before anything of ours is written, and the log is read before sled is opened. (sled itself, once opened, clears the end of
//! its own file behind the last batch and writes a snapshot.)
//!
//! # What is accepted
//!
//! Records that continue their run's chain, up to 1 MiB each. When only the reserve is left on the disk, only what is
//! essential. A store of a newer format, or in use by another process, is refused and not touched.

mod error;
mod folder;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod keys;
#[cfg(feature = "test-kill")]
mod kill;
mod line;
mod log;
mod open;
mod rebuild;
mod space;
mod tree;
mod worker;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

pub use error::{LineError, LogFileError, OpenError};
pub use line::read_log_file;
pub use log::BadLine;
pub use rebuild::{Rebuilt, rebuild};
pub use space::Space;

use crate::domain::ids::RunId;
use crate::domain::journal::{self, Record};
use crate::ports::{Journal, OutboxItem, StoreError};
use folder::Folder;
use open::Ready;
use space::Reserve;
use tree::Tree;
use worker::{Head, Job, Prepared, Worker};

/// The format that is written, and the newest that is read.
const FORMAT: u64 = 1;

/// How many jobs wait before callers do: four groups.
const QUEUE: usize = 1024;

/// The last acknowledged record of each run.
type Heads = Arc<Mutex<HashMap<RunId, Head>>>;

/// Sizes; the defaults fit a daemon.
#[derive(Clone, Debug)]
pub struct Options {
    /// How much space is kept for bringing runs home.
    pub reserve_bytes: u64,
    /// With less free than this outside the reserve, only essential appends are taken.
    pub low_water_bytes: u64,
    /// sled's page cache.
    pub cache_bytes: u64,
}

impl Default for Options {
    /// 32 MiB of reserve are some 10,000 records in both copies; sled grows its file by 512 KiB at a time, so that 8 MiB are
    /// room for sixteen steps; a record is read again only for `journal show`, so a small cache is enough.
    fn default() -> Self {
        Self { reserve_bytes: 32 << 20, low_water_bytes: 8 << 20, cache_bytes: 1 << 20 }
    }
}

/// What opening hands over.
pub struct Opened {
    pub store: Store,
    /// Every run with its records, to be folded; read from disk one run at a time.
    pub runs: Runs,
    /// What is still to be delivered.
    pub outbox: Vec<OutboxItem>,
    /// Records that only the log had: outbox items of theirs may be missing. The same ones are told at each opening until
    /// [`Store::settle_recovered`]. After a rebuilding without a readable old `db` these are all records, so that whoever
    /// derives items again leaves out what is too old to be delivered.
    pub recovered: Vec<Record>,
}

/// The durable journal. Dropping it ends its thread after what was queued, and frees the state folder.
pub struct Store {
    queue: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    reserve: Arc<Reserve>,
    marks: Vec<RunId>,
    reader: Reader,
}

impl Store {
    /// Opens the store in a state folder, or creates it. Reads and checks everything, some 0.3 s for 40,000 records; blocks.
    ///
    /// # Effect
    /// The folder is locked until the store and the runs handed over are dropped. The shorter of two copies is completed. On a
    /// full disk the reserve is given back first, so that sled can open.
    ///
    /// # Errors
    /// See [`OpenError`]; after `Damaged` both copies are as they were.
    pub fn open(state: &Path, options: &Options) -> Result<Opened, OpenError> {
        #[cfg(feature = "test-kill")]
        let kill = kill::Kill::from_environment()?;
        let Ready { folder, tree, log, known, recovered, reserve } = open::open(state, options)?;
        let marks = known.marks.into_keys().collect();
        let heads = Arc::new(Mutex::new(known.heads));
        let thread_failed = |error| OpenError::io(state, state, error);
        let worker = Worker {
            tree: tree.clone(),
            syncer: log.syncer().map_err(thread_failed)?,
            log,
            heads: Arc::clone(&heads),
            outbox: known.outbox_chunks,
            reserve: Arc::clone(&reserve),
            written: HashSet::new(),
            failed: None,
            #[cfg(feature = "test-kill")]
            kill,
        };
        let (queue, jobs) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new().name("store".to_owned()).spawn(|| worker.run(jobs)).map_err(thread_failed)?;
        let reader = Reader { tree, heads, _folder: Arc::new(folder) };
        let runs = Runs::new(&reader);
        let store = Self { queue: Some(queue), thread: Some(thread), reserve, marks, reader };
        Ok(Opened { store, runs, outbox: known.outbox, recovered })
    }

    /// Replaces an outbox item (after a try that failed), or inserts it. Returns when it is durable.
    ///
    /// # Errors
    /// `Failed`, as for an append.
    pub async fn outbox_update(&self, item: &OutboxItem) -> Result<(), StoreError> {
        let put = vec![worker::outbox_pair(item)?];
        self.commit(Change { put, ..Change::default() }).await
    }

    /// Removes a delivered outbox item; one that is not there is removed already.
    ///
    /// # Errors
    /// `Failed`, as for an append.
    pub async fn outbox_remove(&self, id: &str, hook: &str) -> Result<(), StoreError> {
        self.commit(Change { remove: vec![keys::outbox(id, hook)], ..Change::default() }).await
    }

    /// Says that the outbox items of [`Opened::recovered`] were derived again and appended.
    ///
    /// # Errors
    /// `Failed`, as for an append.
    pub async fn settle_recovered(&self) -> Result<(), StoreError> {
        if self.marks.is_empty() {
            return Ok(());
        }
        let forget = self.marks.iter().map(keys::recovered).collect();
        self.commit(Change { forget, ..Change::default() }).await
    }

    /// How things stand on the store's disk.
    ///
    /// # Errors
    /// `Failed` if the disk can't be asked.
    pub fn space(&self) -> Result<Space, StoreError> {
        self.reserve.look().map_err(|error| StoreError::Failed(format!("the disk can't be asked for its free space: {error}")))
    }

    /// Hands a change to the store thread and waits for its answer. A caller that stops waiting does not undo it.
    async fn commit(&self, change: Change) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        let Change { records, put, remove, forget, non_essential } = change;
        let job = Job { records, put, remove, forget, essential: !non_essential, reply };
        let ended = || StoreError::Failed("the store's thread has ended".to_owned());
        self.queue.as_ref().ok_or_else(ended)?.send(job).await.map_err(|_| ended())?;
        answer.await.unwrap_or_else(|_| Err(ended()))
    }
}

/// What a caller wants committed. What concerns the outbox alone may use the reserve: it only ever shrinks or stays.
#[derive(Default)]
struct Change {
    records: Vec<Prepared>,
    put: Vec<keys::Pair>,
    remove: Vec<Vec<u8>>,
    forget: Vec<Vec<u8>>,
    non_essential: bool,
}

impl Journal for Store {
    fn append(&self, records: Vec<Record>, outbox: Vec<OutboxItem>, essential: bool) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            let records = records.iter().map(Prepared::new).collect::<Result<_, _>>()?;
            let put = outbox.iter().map(worker::outbox_pair).collect::<Result<_, _>>()?;
            self.commit(Change { records, put, non_essential: !essential, ..Change::default() }).await
        }
        .boxed()
    }

    fn records(&self, run: &RunId, after: u64) -> Result<Vec<Record>, StoreError> {
        self.reader.records(run, after)
    }

    fn ready(&self) -> Result<(), StoreError> {
        let Space { free_bytes: free, needed_bytes: needed, only_reserve } = self.space()?;
        if only_reserve { Err(StoreError::OnlyReserve { free, needed }) } else { Ok(()) }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has no more answers to give; the callers were told.
            let _ = thread.join();
        }
    }
}

/// Reads acknowledged records from sled.
#[derive(Clone)]
struct Reader {
    tree: Tree,
    heads: Heads,
    /// The lock goes last, when nothing reads or writes any more.
    _folder: Arc<Folder>,
}

impl Reader {
    /// The acknowledged records above `after`, their chain checked, also against the record before them.
    fn records(&self, run: &RunId, after: u64) -> Result<Vec<Record>, StoreError> {
        let last = worker::lock(&self.heads).get(run).map_or(0, |head| head.seq);
        if after >= last {
            return Ok(Vec::new());
        }
        let failed = |what: String| StoreError::Failed(format!("run `{run}` can't be read: {what}"));
        let mut records = self.tree.records(run, after.max(1)).map_err(|error| failed(error.to_string()))?;
        records.truncate(usize::try_from(last - after.max(1)).map_or(usize::MAX, |n| n.saturating_add(1)));
        check(&records, after.max(1), last).map_err(failed)?;
        records.retain(|record| record.seq > after);
        Ok(records)
    }
}

/// Checks that `records` are a run's numbers `first` to `last`, chained; what comes before `first` is not looked at.
fn check(records: &[Record], first: u64, last: u64) -> Result<(), String> {
    let ends = (records.first().map(|record| record.seq), records.last().map(|record| record.seq));
    if ends != (Some(first), Some(last)) {
        return Err(format!("expected the records {first} to {last}, sled has {ends:?}"));
    }
    let mut before = records.first().filter(|record| record.seq > 1).map(|record| (record.seq - 1, record.previous.as_str()));
    for record in records {
        record.follows(before).map_err(|error: journal::ChainError| error.to_string())?;
        before = Some((record.seq, record.hash.as_str()));
    }
    Ok(())
}

/// The runs of a store in the order of their names, each read when it is asked for: a thousand runs' records need not be in
/// memory at once. While this lives, the state folder stays locked.
pub struct Runs {
    reader: Reader,
    names: std::vec::IntoIter<RunId>,
}

impl Runs {
    fn new(reader: &Reader) -> Self {
        let mut names: Vec<RunId> = worker::lock(&reader.heads).keys().cloned().collect();
        names.sort();
        Self { reader: reader.clone(), names: names.into_iter() }
    }
}

impl Iterator for Runs {
    type Item = Result<(RunId, Vec<Record>), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let run = self.names.next()?;
        Some(self.reader.records(&run, 0).map(|records| (run, records)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.names.size_hint()
    }
}

impl ExactSizeIterator for Runs {}
