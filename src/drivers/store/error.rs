//! Why a store can't be opened, read or rebuilt.

use std::io;
use std::path::{Path, PathBuf};

/// Why the store can't be opened. In every case nothing acknowledged is lost.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process works on this state folder.
    #[error("the state folder `{}` is in use by another process{}", state.display(), holder.as_ref().map(|pid| format!(" (pid {pid})")).unwrap_or_default())]
    Locked { state: PathBuf, holder: Option<String> },
    /// Written by a newer program.
    #[error("the store in `{}` has format {found}, this program reads formats up to {supported}", state.display())]
    Newer { state: PathBuf, found: u64, supported: u64 },
    /// The store contradicts itself. No record was changed in either file.
    #[error("the store in `{}` is damaged: {what}", state.display())]
    Damaged { state: PathBuf, what: String },
    /// The disk has no room to open the store, not even with the reserve given back.
    #[error("no space to open the store in `{}`", state.display())]
    Full {
        state: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A file or folder could not be used: not a directory, no permission, a failing disk.
    #[error("`{}` can't be used as part of the store", path.display())]
    Unusable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// `CHANGEOVER_TEST_KILL` is set, but not to `after:<n>` or `before:<n>`.
    #[cfg(feature = "test-kill")]
    #[error("CHANGEOVER_TEST_KILL is `{0}`, expected `after:<n>` or `before:<n>`")]
    TestKill(String),
}

impl OpenError {
    /// The stable word for the API, metrics and the reference of errors.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Locked { .. } => "store_locked",
            Self::Newer { .. } => "store_newer",
            Self::Damaged { .. } => "store_damaged",
            Self::Full { .. } => "store_full",
            Self::Unusable { .. } => "store_unusable",
            #[cfg(feature = "test-kill")]
            Self::TestKill(_) => "store_unusable",
        }
    }

    /// What the operator can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Locked { .. } => Some("stop the other daemon, or give this one another `state` folder".to_owned()),
            Self::Newer { .. } => Some("start the newer program again; nothing was changed".to_owned()),
            Self::Damaged { state, .. } => {
                Some(format!("look at both copies, then run `changeover journal rebuild --state {}`", state.display()))
            }
            Self::Full { .. } => Some("free some space on that disk and start again; nothing was lost".to_owned()),
            Self::Unusable { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some("look at the owner and the mode of that path: it must belong to the user that the daemon runs as".to_owned())
            }
            _ => None,
        }
    }

    pub(super) fn damaged(state: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { state: state.to_owned(), what: what.into() }
    }

    /// An input or output error at `path`; a full disk has its own variant.
    pub(super) fn io(state: &Path, path: &Path, source: io::Error) -> Self {
        if is_full(&source) {
            Self::Full { state: state.to_owned(), source }
        } else {
            Self::Unusable { path: path.to_owned(), source }
        }
    }
}

/// Why an exported journal or a `journal.log` can't be read.
#[derive(Debug, thiserror::Error)]
pub enum LogFileError {
    #[error("`{}` can't be read", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("`{}`:{line}", path.display())]
    Line {
        path: PathBuf,
        line: u64,
        #[source]
        source: LineError,
    },
}

/// What is wrong with one line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    #[error("the line does not end: it was cut off")]
    Torn,
    #[error("the line is longer than {limit} bytes")]
    TooLong { limit: usize },
    #[error("expected a record, a space and a checksum of 8 hex digits")]
    NoChecksum,
    #[error("the checksum is {found}, the content gives {expected}: it was changed")]
    Checksum { expected: String, found: String },
    #[error("not a record: {0}")]
    NotARecord(String),
}

/// Whether the disk, the quota or the file size limit is what stopped a write.
pub(super) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | FileTooLarge | QuotaExceeded)
}
