//! The state folder: its making, its lock, the names in it.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use super::error::OpenError;
use super::tree::{self, TreeError};

/// A state folder that this process alone works on, as long as the value lives.
pub(super) struct Folder {
    path: PathBuf,
    /// Holds the advisory lock; the kernel lets it go with the process.
    _lock: File,
}

impl Folder {
    /// Creates the folder if needed and takes the lock.
    pub(super) fn take(path: &Path) -> Result<Self, OpenError> {
        make(path).map_err(|error| OpenError::io(path, path, error))?;
        let lock = lock(path)?;
        let folder = Self { path: path.to_owned(), _lock: lock };
        if folder.is_free_of_sled() { Ok(folder) } else { Err(OpenError::Locked { state: path.to_owned(), holder: None }) }
    }

    /// Waits until nobody holds sled's own lock. Our lock is taken already, so that it can only be another program, or what is
    /// left of a store that this process has just closed: sled's pool lets go of its file a moment after the last handle.
    fn is_free_of_sled(&self) -> bool {
        in_a_second(|| !tree::is_locked(&self.db()))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// sled's folder.
    pub(super) fn db(&self) -> PathBuf {
        self.path.join("db")
    }

    /// The plain copy.
    pub(super) fn log(&self) -> PathBuf {
        self.path.join("journal.log")
    }

    /// Makes new, moved and removed names in the folder durable.
    pub(super) fn sync(&self) -> Result<(), OpenError> {
        File::open(&self.path).and_then(|folder| folder.sync_all()).map_err(|error| self.io(&self.path, error))
    }

    pub(super) fn damaged(&self, what: impl Into<String>) -> OpenError {
        OpenError::damaged(&self.path, what)
    }

    pub(super) fn io(&self, path: &Path, error: io::Error) -> OpenError {
        OpenError::io(&self.path, path, error)
    }

    pub(super) fn tree(&self, error: TreeError) -> OpenError {
        match error {
            TreeError::Io(error) => self.io(&self.db(), error),
            TreeError::Damaged(what) => self.damaged(what),
        }
    }
}

/// Creates a folder and makes its name durable.
fn make(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path)?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

/// Takes the lock, and leaves the process's number in its file for whoever meets it.
fn lock(state: &Path) -> Result<File, OpenError> {
    let path = state.join("lock");
    let unusable = |error: io::Error| OpenError::io(state, &path, error);
    let mut file = File::options().create(true).truncate(false).read(true).write(true).open(&path).map_err(unusable)?;
    let mut taken = Err(rustix::io::Errno::WOULDBLOCK);
    // A daemon that has just ended may have left a program that it was starting: until that runs, it holds the lock too.
    in_a_second(|| {
        taken = flock(&file, FlockOperation::NonBlockingLockExclusive);
        taken != Err(rustix::io::Errno::WOULDBLOCK)
    });
    match taken {
        Err(rustix::io::Errno::WOULDBLOCK) => Err(OpenError::Locked { state: state.to_owned(), holder: holder(&file) }),
        Err(error) => Err(unusable(error.into())),
        Ok(()) => {
            // The number is only told; on a full disk the lock holds without it.
            let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
            Ok(file)
        }
    }
}

fn holder(file: &File) -> Option<String> {
    let mut text = String::new();
    file.take(20).read_to_string(&mut text).ok()?;
    Some(text).filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether it is so now, or becomes so within a second: what locks are left behind by are gone within milliseconds.
fn in_a_second(mut is_so: impl FnMut() -> bool) -> bool {
    (0..TRIES).any(|attempt| {
        if attempt > 0 {
            std::thread::sleep(PAUSE);
        }
        is_so()
    })
}

const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(20);
