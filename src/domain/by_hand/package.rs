//! Where a person finds a package.

use std::path::{Path, PathBuf};

use crate::domain::plan::Package;

/// The run's own copy of a package, as it is checked before each use; the operator's file may be gone by now.
pub fn copy_of(package: &Package) -> PathBuf {
    Path::new(STATE).join(package.copy())
}

/// What `STATE` stands for, and the file that the operator named.
pub fn original(package: &Package) -> String {
    format!(
        "`{STATE}` is the daemon's state folder (`state` in its file). The file that was named at the start, {}, does as well if its SHA-256 is {}.",
        package.path.display(),
        package.sha256
    )
}

/// What stands for the daemon's state folder: a run does not know where it is.
const STATE: &str = "STATE";
