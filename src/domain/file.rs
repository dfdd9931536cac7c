//! Files that steps produce, as the journal names them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A file that a step produced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEvidence {
    pub path: PathBuf,
    pub sha256: String,
    pub bytes: u64,
}

/// The room that these files take.
pub fn total(files: &[FileEvidence]) -> u64 {
    files.iter().fold(0, |sum, file| sum.saturating_add(file.bytes))
}
