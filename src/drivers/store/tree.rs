//! sled, as far as we use it: one tree, opened and read behind `catch_unwind`, committed with a sync of our own.

use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::is_full;
use super::keys::{self, Change, Changes, JoinError, Joined, Pair, Whole};
use crate::domain::ids::RunId;
use crate::domain::journal::Record;

/// What is wrong with sled's folder.
#[derive(Debug, thiserror::Error)]
pub(super) enum TreeError {
    /// The machine: no space, no permission, a failing disk.
    #[error("{0}")]
    Io(io::Error),
    /// Its content: sled says so, panics, or holds something that we did not write.
    #[error("{0}")]
    Damaged(String),
}

/// sled's one tree and our own handle on its file. Clones share both.
#[derive(Clone)]
pub(super) struct Tree {
    db: sled::Db,
    file: Arc<File>,
    blobs: PathBuf,
}

impl Tree {
    /// Opens or creates sled's folder. `cache_bytes`: sled's page cache; its own default is 1 GiB.
    pub(super) fn open(folder: &Path, cache_bytes: u64) -> Result<Self, TreeError> {
        // No thread of sled's own: we flush each batch ourselves, and what else it does, to move pages out of segments that are half
        // empty, is done one page at a time when others are replaced. Right after a start it read most pages for that, and kept them.
        let config = sled::Config::new().path(folder).cache_capacity(cache_bytes).flush_every_ms(None);
        let db = guarded(|| config.open())?;
        let file = File::options().read(true).write(true).open(folder.join("db"))?;
        sync_all_in(folder)?;
        Ok(Self { db, file: Arc::new(file), blobs: folder.join("blobs") })
    }

    /// Makes changes atomically and returns when they are durable.
    ///
    /// sled's flush is only a write and `sync_file_range`, and lost data in 267 of 315 images of a power cut; the sync behind it
    /// is the real barrier. Our handle was open before the write, so that an error of the writing is reported here too.
    pub(super) fn commit(&self, changes: Changes) -> Result<(), TreeError> {
        guarded(|| {
            self.apply(changes)?;
            self.db.flush().map(drop)
        })?;
        self.file.sync_data()?;
        self.sync_blobs()
    }

    /// A single change is one message in sled's log already; as a batch it would be two, and take three times as long.
    fn apply(&self, Changes(mut changes): Changes) -> sled::Result<()> {
        match (changes.len(), changes.pop()) {
            (1, Some((key, Some(value)))) => self.db.insert(key, value).map(drop),
            (1, Some((key, None))) => self.db.remove(key).map(drop),
            (_, last) => self.db.apply_batch(batch(changes.into_iter().chain(last))),
        }
    }

    /// sled never syncs a value that it moved to a file of its own. Ours are too small for that; should it happen, we do.
    fn sync_blobs(&self) -> Result<(), TreeError> {
        if fs::read_dir(&self.blobs)?.next().is_some() {
            sync_all_in(&self.blobs)?;
        }
        Ok(())
    }

    /// Touches a key's page until sled frees what its cache is too small for, see [`Self::walk`]; takes some 30 µs.
    ///
    /// When a daemon comes up, each run gets one record, which makes sled read the page of the run's last ones: with a thousand
    /// runs it held 8 MiB of them.
    pub(super) fn let_go(&self, key: &[u8]) -> Result<(), TreeError> {
        guarded(|| (0..TOUCHES_OF_A_SHARD).try_for_each(|_| self.db.get(key).map(drop)))
    }

    /// The value of a key that has no chunks.
    pub(super) fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, TreeError> {
        Ok(guarded(|| self.db.get(key))?.map(|value| value.to_vec()))
    }

    /// Keys that begin with `prefix` and have no chunks, each without the prefix, and their values.
    pub(super) fn values(&self, prefix: &[u8]) -> Result<Vec<Pair>, TreeError> {
        guarded(|| {
            let pairs = self.db.scan_prefix(prefix);
            pairs.map(|pair| pair.map(|(key, value)| (key[prefix.len()..].to_vec(), value.to_vec()))).collect()
        })
    }

    /// Hands every whole value under `prefix` to `take`, in the order of keys.
    pub(super) fn each(&self, prefix: &[u8], mut take: impl FnMut(Whole) -> Result<(), TreeError>) -> Result<(), TreeError> {
        caught(|| Joined::new(self.walk(prefix.to_vec(), prefix)).try_for_each(|whole| take(whole?)))?
    }

    /// The records of a run from number `from` on, in order, as they lie there.
    pub(super) fn records(&self, run: &RunId, from: u64) -> Result<Vec<Record>, TreeError> {
        let (before, prefix) = (keys::record(run, from), keys::run(run));
        caught(|| Joined::new(self.walk(before, &prefix)).map(|whole| record(&whole?)).collect())?
    }

    /// Keys behind `before` that begin with `prefix`, and their values.
    ///
    /// sled's own iterator touches each page once, and sled frees pages only when 64 touches of one of its 256 shards have
    /// come together: after a walk over 40 MB it held them all, whatever its cache may hold. Looking each key up, and
    /// again, keeps that at 5 MB, and takes 70 ms where the iterator takes 40.
    fn walk<'a>(&'a self, before: Vec<u8>, prefix: &'a [u8]) -> impl Iterator<Item = sled::Result<Pair>> + 'a {
        let mut last = before;
        std::iter::from_fn(move || {
            let pair = self.db.get_gt(&last).transpose()?.map(owned);
            if let Ok((key, _)) = &pair {
                last.clone_from(key);
                (0..EXTRA_TOUCHES).for_each(|_| drop(self.db.get(key)));
            }
            Some(pair).filter(|pair| pair.as_ref().map_or(true, |(key, _)| key.starts_with(prefix)))
        })
    }
}

/// The record in a value, which must lie under its own key.
pub(super) fn record(whole: &Whole) -> Result<Record, TreeError> {
    let key = || whole.base.escape_ascii().to_string();
    let record: Record = serde_json::from_slice(&whole.value)
        .map_err(|error| TreeError::Damaged(format!("sled's value under `{}` is not a record: {error}", key())))?;
    if keys::record(&record.run, record.seq) == whole.base {
        Ok(record)
    } else {
        Err(TreeError::Damaged(format!("record {} of run `{}` lies under the key `{}`", record.seq, record.run, key())))
    }
}

/// Whether another process holds sled's own lock on this folder. Our handle's lock is gone again when this returns.
pub(super) fn is_locked(folder: &Path) -> bool {
    use rustix::fs::{FlockOperation, flock};
    // A file that can't be opened is for sled to report.
    File::open(folder.join("db"))
        .is_ok_and(|file| matches!(flock(&file, FlockOperation::NonBlockingLockExclusive), Err(rustix::io::Errno::WOULDBLOCK)))
}

fn batch(changes: impl Iterator<Item = Change>) -> sled::Batch {
    let mut batch = sled::Batch::default();
    for (key, value) in changes {
        match value {
            Some(value) => batch.insert(key, value),
            None => batch.remove(key),
        }
    }
    batch
}

/// Syncs a folder and the plain files in it. sled syncs neither its folder after a rename nor its `conf`.
fn sync_all_in(folder: &Path) -> Result<(), TreeError> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            match File::open(entry.path()).and_then(|file| file.sync_all()) {
                // sled removes an old snapshot on a thread of its own.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => result?,
            }
        }
    }
    Ok(File::open(folder)?.sync_all()?)
}

fn owned((key, value): (sled::IVec, sled::IVec)) -> Pair {
    (key.to_vec(), value.to_vec())
}

/// Runs a call into sled; a panic, which sled answers to much damage with, becomes an error.
fn caught<T>(call: impl FnOnce() -> T) -> Result<T, TreeError> {
    // Nothing of a tree that panicked is used again: every caller gives up on it.
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| TreeError::Damaged(format!("sled panicked: {}", panic_text(&*panic))))
}

fn guarded<T>(call: impl FnOnce() -> sled::Result<T>) -> Result<T, TreeError> {
    Ok(caught(call)??)
}

/// The words of a panic.
pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

/// Whether an error tells of the machine and not of the content. sled also answers damage with input errors
/// (`UnexpectedEof`, or EINVAL for an offset that makes no sense).
fn is_machine(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, OutOfMemory, PermissionDenied, ReadOnlyFilesystem};
    let machine = matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem | NotADirectory | OutOfMemory);
    let errno = rustix::io::Errno::from_io_error(error);
    machine
        || is_full(error)
        || matches!(errno, Some(rustix::io::Errno::IO | rustix::io::Errno::MFILE | rustix::io::Errno::NFILE))
}

impl From<io::Error> for TreeError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<sled::Error> for TreeError {
    fn from(error: sled::Error) -> Self {
        match error {
            sled::Error::Io(error) if is_machine(&error) => Self::Io(error),
            other => Self::Damaged(format!("sled says: {other}")),
        }
    }
}

impl<E: Into<TreeError>> From<JoinError<E>> for TreeError {
    fn from(error: JoinError<E>) -> Self {
        match error {
            JoinError::Read(error) => error.into(),
            JoinError::Key(key) => Self::Damaged(format!("sled holds the key `{key}` without what belongs before it")),
        }
    }
}

/// See [`Tree::walk`]: with none 15 MB stay, with one 8, with three 5, with seven 3.
const EXTRA_TOUCHES: u32 = 3;

/// So many touches of a shard's pages come together before sled looks which of them to free.
const TOUCHES_OF_A_SHARD: u32 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_sled_is_an_error() {
        let error = guarded::<()>(|| panic!("tried to serialize {}", "Uninitialized")).map_err(|error| error.to_string());
        assert_eq!(error, Err("sled panicked: tried to serialize Uninitialized".to_owned()));
    }

    #[test]
    fn what_the_machine_did_is_told_from_what_the_content_is() {
        use io::ErrorKind::{Other, PermissionDenied, StorageFull, UnexpectedEof};
        let of_kind = |kind: io::ErrorKind| TreeError::from(sled::Error::Io(kind.into()));
        for (kind, machine) in [(StorageFull, true), (PermissionDenied, true), (UnexpectedEof, false), (Other, false)] {
            assert_eq!(matches!(of_kind(kind), TreeError::Io(_)), machine, "{kind}");
        }
        let (eio, einval) = (io::Error::from_raw_os_error(5), io::Error::from_raw_os_error(22));
        assert!(matches!(TreeError::from(sled::Error::Io(eio)), TreeError::Io(_)));
        assert!(matches!(TreeError::from(sled::Error::Io(einval)), TreeError::Damaged(_)));
    }
}
