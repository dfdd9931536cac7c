//! The one thread that writes: it takes what is queued, commits it as one group, then answers.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::keys::Changes;
use super::line::{self, MAX_RECORD_BYTES};
use super::log::{Log, Syncer};
use super::space::{Reserve, Space};
use super::tree::{Tree, TreeError, panic_text};
use super::{Heads, keys};
use crate::domain::ids::RunId;
use crate::domain::journal::{GENESIS, Record};
use crate::ports::{OutboxItem, StoreError};

/// How many jobs one commit holds at most.
const GROUP: usize = 256;

/// How long a commit waits for as many jobs as the one before it had, whose callers are likely to be on their way again. With it 16
/// writers append 4.1 times as many records as one, and 3.7 without (medians of six runs in turns). One alone waits once at most, right
/// behind a group.
const GATHERING: Duration = Duration::from_micros(50);

/// The last record of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub seq: u64,
    pub hash: String,
}

/// A record that was serialized and checked on the caller's side.
pub(super) struct Prepared {
    pub run: RunId,
    pub seq: u64,
    previous: String,
    hash: String,
    json: Vec<u8>,
}

/// What one caller wants committed, atomically.
pub(super) struct Job {
    pub records: Vec<Prepared>,
    /// Outbox items to insert or replace: key without the chunk, value.
    pub put: Vec<keys::Pair>,
    /// Outbox items to remove, by key without the chunk.
    pub remove: Vec<Vec<u8>>,
    /// Single keys to remove.
    pub forget: Vec<Vec<u8>>,
    pub essential: bool,
    pub reply: oneshot::Sender<Result<(), StoreError>>,
}

impl Prepared {
    /// Serializes a record and checks what will be read back: its size, and its own hash (a number that changes its last
    /// digit on the way through JSON would make the store look damaged at the next opening).
    pub(super) fn new(record: &Record) -> Result<Self, StoreError> {
        let refused = |why: String| {
            StoreError::Unfit(format!("record {} of run `{}` was refused, nothing was written: {why}", record.seq, record.run))
        };
        let json = serde_json::to_vec(record).map_err(|error| refused(error.to_string()))?;
        if json.len() > MAX_RECORD_BYTES {
            return Err(refused(format!("it has {} bytes, the limit is {MAX_RECORD_BYTES}", json.len())));
        }
        let back: Record = serde_json::from_slice(&json).map_err(|error| refused(error.to_string()))?;
        if back.hash != back.computed_hash() {
            return Err(refused("it does not match its own hash when it is read back".to_owned()));
        }
        let Record { run, seq, previous, hash, .. } = record;
        Ok(Self { run: run.clone(), seq: *seq, previous: previous.clone(), hash: hash.clone(), json })
    }
}

/// An outbox item as key and value.
pub(super) fn outbox_pair(item: &OutboxItem) -> Result<keys::Pair, StoreError> {
    let value = serde_json::to_vec(item).map_err(|error| StoreError::Unfit(error.to_string()))?;
    if value.len() > MAX_RECORD_BYTES {
        let (id, bytes) = (&item.id, value.len());
        return Err(StoreError::Unfit(format!("outbox item `{id}` has {bytes} bytes, the limit is {MAX_RECORD_BYTES}")));
    }
    Ok((keys::outbox(&item.id, &item.hook), value))
}

/// One group on its way to the disk.
#[derive(Default)]
struct Group {
    changes: Changes,
    lines: Vec<u8>,
    heads: HashMap<RunId, Head>,
}

/// What the thread owns.
pub(super) struct Worker {
    pub tree: Tree,
    pub log: Log,
    pub syncer: Syncer,
    pub heads: Heads,
    /// Into how many chunks each outbox item is cut.
    pub outbox: HashMap<Vec<u8>, u16>,
    pub reserve: Arc<Reserve>,
    /// Runs that got a record since the opening.
    pub written: HashSet<RunId>,
    /// The first error; it is final, since after a failed sync nobody knows what the disk holds.
    pub failed: Option<String>,
    #[cfg(feature = "test-kill")]
    pub kill: super::kill::Kill,
}

impl Worker {
    /// Serves jobs until the last sender is gone.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut last = 1;
        while let Some(first) = queue.blocking_recv() {
            let jobs = self.gather(first, &mut queue, last);
            last = jobs.len();
            self.serve(jobs);
        }
    }

    /// What is queued behind the first job, with as many as were in the last group if they come soon.
    fn gather(&self, first: Job, queue: &mut mpsc::Receiver<Job>, expected: usize) -> Vec<Job> {
        let (begun, mut jobs) = (Instant::now(), vec![first]);
        while jobs.len() < self.group_limit() {
            match queue.try_recv() {
                Ok(job) => jobs.push(job),
                Err(_) if jobs.len() < expected && begun.elapsed() < GATHERING => thread::yield_now(),
                Err(_) => break,
            }
        }
        jobs
    }

    fn group_limit(&self) -> usize {
        #[cfg(feature = "test-kill")]
        if self.kill.is_armed() {
            return 1;
        }
        GROUP
    }

    /// Commits what can be taken of `jobs`, and answers them all.
    fn serve(&mut self, jobs: Vec<Job>) {
        let (group, jobs) = self.stage(jobs);
        let result = match &self.failed {
            Some(why) => Err(why.clone()),
            None => self.commit_caught(group, &jobs),
        };
        if let Err(why) = &result {
            self.fail(why);
        }
        let mut loaded = Vec::new();
        for job in jobs {
            if result.is_ok() {
                loaded.extend(self.first_since_opening(&job));
            }
            // A caller who went away needs no answer.
            let _ = job.reply.send(result.clone().map_err(StoreError::Failed));
        }
        // What was answered is durable; a tree that can't be read any more takes nothing further.
        if let Err(error) = loaded.iter().try_for_each(|key| self.tree.let_go(key)) {
            self.fail(&sled_failed(error));
        }
    }

    fn fail(&mut self, why: &str) {
        if self.failed.is_none() {
            tracing::error!(error = why, "the journal could not be written; nothing further is taken");
            self.failed = Some(why.to_owned());
        }
    }

    /// What is to be let go of for those records of a job that are the first of their runs since the opening: their pages, which were
    /// read for them, and then some from the middle of the run. Of each shard the page that is touched last stays, and those in the
    /// middle are small: some 5 KB, where a run's last page has 13, as the next run's plan lies there too.
    fn first_since_opening(&mut self, job: &Job) -> Vec<Vec<u8>> {
        let first = job.records.iter().filter(|record| self.written.insert(record.run.clone()));
        let places = |seq: u64| (0..8).map(move |eighth| seq - seq * eighth / 8);
        let key = |run: &RunId, seq: u64| keys::chunk(&keys::record(run, seq), 0);
        first.flat_map(|record| places(record.seq).map(|seq| key(&record.run, seq))).collect()
    }

    /// Puts jobs together; one that is refused is answered here and left out.
    fn stage(&mut self, jobs: Vec<Job>) -> (Group, Vec<Job>) {
        let space = self.reserve.look().ok();
        let mut group = Group::default();
        let mut taken = Vec::with_capacity(jobs.len());
        for job in jobs {
            match self.admit(&group, &job, space) {
                Ok(()) => {
                    self.add(&mut group, &job);
                    taken.push(job);
                }
                Err(error) => drop(job.reply.send(Err(error))),
            }
        }
        (group, taken)
    }

    /// Whether a job has space, and its records continue their run's chain.
    fn admit(&self, group: &Group, job: &Job, space: Option<Space>) -> Result<(), StoreError> {
        if let Some(why) = &self.failed {
            return Err(StoreError::Failed(why.clone()));
        }
        if let Some(Space { free_bytes, needed_bytes, .. }) = space.filter(|space| space.only_reserve && !job.essential) {
            return Err(StoreError::OnlyReserve { free: free_bytes, needed: needed_bytes });
        }
        let mut heads: HashMap<&RunId, (u64, &str)> = HashMap::new();
        let known = lock(&self.heads);
        for record in &job.records {
            let head = heads.get(&record.run).copied().or_else(|| place(group.heads.get(&record.run)));
            let head = head.or_else(|| place(known.get(&record.run)));
            follows(record, head)?;
            heads.insert(&record.run, (record.seq, &record.hash));
        }
        Ok(())
    }

    /// Adds a job to the group.
    fn add(&mut self, group: &mut Group, job: &Job) {
        for Prepared { run, seq, hash, json, .. } in &job.records {
            group.changes.put(&keys::record(run, *seq), json);
            line::write(&mut group.lines, json);
            group.heads.insert(run.clone(), Head { seq: *seq, hash: hash.clone() });
        }
        for (base, value) in &job.put {
            let chunks = group.changes.put(base, value);
            let before = self.outbox.insert(base.clone(), chunks).unwrap_or(0);
            group.changes.remove(base, chunks..before);
        }
        for base in &job.remove {
            group.changes.remove(base, 0..self.outbox.remove(base).unwrap_or(0));
        }
        for key in &job.forget {
            group.changes.forget(key.clone());
        }
    }

    /// Commits; a panic is an error like others.
    fn commit_caught(&self, group: Group, jobs: &[Job]) -> Result<(), String> {
        if jobs.is_empty() {
            return Ok(());
        }
        #[cfg(feature = "test-kill")]
        self.kill.before_commit(numbers(jobs));
        // Nothing is used again after a panic: it makes the store failed.
        let commit = AssertUnwindSafe(|| self.commit(group));
        let result = catch_unwind(commit);
        #[cfg(feature = "test-kill")]
        if matches!(result, Ok(Ok(()))) {
            self.kill.after_commit(numbers(jobs));
        }
        result.unwrap_or_else(|panic| Err(format!("the commit panicked: {}", panic_text(&*panic))))
    }

    /// Writes a group to the log and to sled, syncs both at the same time, and returns when both are durable.
    ///
    /// The log's sync begins at once and ends beside sled's writing and syncing. With both written before either was synced an append
    /// took 1.2 to 1.6 times as long on a disk that syncs in 45 µs; on one that takes 90 there was no difference beyond the noise.
    fn commit(&self, group: Group) -> Result<(), String> {
        self.reserve.give_back_if_needed().map_err(|error| format!("the reserve could not be given back: {error}"))?;
        self.log.write(&group.lines).map_err(log_failed)?;
        let with_lines = !group.lines.is_empty();
        if with_lines {
            self.syncer.begin().map_err(log_failed)?;
        }
        let tree = self.tree.commit(group.changes).map_err(sled_failed);
        let log = if with_lines { self.syncer.wait().map_err(log_failed) } else { Ok(()) };
        tree.and(log)?;
        lock(&self.heads).extend(group.heads);
        self.reserve.make_if_possible();
        Ok(())
    }
}

/// The numbers of the records that jobs bring.
#[cfg(feature = "test-kill")]
fn numbers(jobs: &[Job]) -> impl Iterator<Item = u64> + '_ {
    jobs.iter().flat_map(|job| &job.records).map(|record| record.seq)
}

/// Whether a record comes right behind its run's last one.
fn follows(record: &Prepared, head: Option<(u64, &str)>) -> Result<(), StoreError> {
    let (seq, hash) = head.map_or((1, GENESIS), |(seq, hash)| (seq + 1, hash));
    if (record.seq, record.previous.as_str()) == (seq, hash) {
        return Ok(());
    }
    let Prepared { run, seq: found, previous, .. } = record;
    Err(StoreError::Failed(format!(
        "record {found} of run `{run}` (behind {previous}) was refused, nothing was written: expected record {seq} behind {hash}"
    )))
}

fn place(head: Option<&Head>) -> Option<(u64, &str)> {
    head.map(|head| (head.seq, head.hash.as_str()))
}

fn log_failed(error: std::io::Error) -> String {
    format!("journal.log: {error}")
}

fn sled_failed(error: TreeError) -> String {
    format!("sled: {error}")
}

/// The map is whole after any panic: it is only ever extended.
pub(super) fn lock(heads: &Mutex<HashMap<RunId, Head>>) -> std::sync::MutexGuard<'_, HashMap<RunId, Head>> {
    heads.lock().unwrap_or_else(PoisonError::into_inner)
}
