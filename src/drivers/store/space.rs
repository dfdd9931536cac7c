//! The reserve: space that is kept so that a run can still be brought home when the disk is full.
//!
//! `reserve` is a file with real blocks behind it. Little space outside it: only essential appends are taken. No space
//! outside it: an essential append removes the file first. It is made again when there is room for it and more.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{FallocateFlags, fallocate, statvfs};

/// How things stand on the store's disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// What is free outside the reserve, in bytes; what the reserve lacks counts as taken.
    pub free_bytes: u64,
    /// What must be free for appends that are not essential.
    pub needed_bytes: u64,
    /// Only essential appends are taken.
    pub only_reserve: bool,
}

/// Watches the disk and keeps the reserve.
pub(super) struct Reserve {
    folder: PathBuf,
    bytes: u64,
    low_water: u64,
    /// The file stands in its full size.
    held: AtomicBool,
    /// Making it failed once, for another reason than little space; it is not tried again at every commit.
    impossible: AtomicBool,
}

impl Reserve {
    pub(super) fn new(folder: &Path, bytes: u64, low_water: u64) -> Self {
        let held = fs::metadata(folder.join("reserve")).is_ok_and(|file| file.len() >= bytes);
        Self { folder: folder.to_owned(), bytes, low_water, held: AtomicBool::new(held), impossible: AtomicBool::new(false) }
    }

    /// How things stand now.
    pub(super) fn look(&self) -> io::Result<Space> {
        let lacking = if self.held() { 0 } else { self.bytes };
        let free_bytes = self.free()?.saturating_sub(lacking);
        Ok(Space { free_bytes, needed_bytes: self.low_water, only_reserve: free_bytes < self.low_water })
    }

    /// Gives the reserve back if the disk is so full that a commit might fail: sled grows its file by 512 KiB at a time.
    pub(super) fn give_back_if_needed(&self) -> io::Result<()> {
        if self.bytes > 0 && self.held() && self.free()? < self.low_water / 2 {
            fs::remove_file(self.path())?;
            self.held.store(false, Ordering::Relaxed);
            tracing::warn!(bytes = self.bytes, "the reserved space of the store was given back to the disk");
        }
        Ok(())
    }

    /// Makes the reserve, or makes it again, if it is not there and twice the low-water mark stays free beside it.
    pub(super) fn make_if_possible(&self) {
        let room = |free: u64| free >= self.bytes.saturating_add(2 * self.low_water);
        if self.held() || self.impossible.load(Ordering::Relaxed) || !self.free().is_ok_and(room) {
            return;
        }
        match self.make() {
            Ok(()) => self.held.store(true, Ordering::Relaxed),
            Err(error) => {
                // Without it the space counts as taken, so that nothing worse follows than an early warning.
                let _ = fs::remove_file(self.path());
                self.impossible.store(true, Ordering::Relaxed);
                tracing::warn!(%error, path = %self.path().display(), "the reserved space of the store can't be made");
            }
        }
    }

    fn make(&self) -> io::Result<()> {
        let mut file = File::options().create(true).truncate(true).write(true).open(self.path())?;
        match fallocate(&file, FallocateFlags::empty(), 0, self.bytes) {
            // Not every file system can; then its blocks are written.
            Err(rustix::io::Errno::OPNOTSUPP) => write_zeros(&mut file, self.bytes)?,
            result => result?,
        }
        file.sync_all()?;
        File::open(&self.folder)?.sync_all()
    }

    fn held(&self) -> bool {
        self.bytes == 0 || self.held.load(Ordering::Relaxed)
    }

    fn free(&self) -> io::Result<u64> {
        let disk = statvfs(&self.folder)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    fn path(&self) -> PathBuf {
        self.folder.join("reserve")
    }
}

fn write_zeros(file: &mut File, bytes: u64) -> io::Result<()> {
    let zeros = vec![0; 1 << 16];
    let mut left = bytes;
    while left > 0 {
        let part = zeros.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        file.write_all(&zeros[..part])?;
        left -= part as u64;
    }
    Ok(())
}
