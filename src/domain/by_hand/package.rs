//! Where a person finds a package.

use std::path::PathBuf;

use crate::domain::plan::Package;
use crate::domain::world::World;

/// The run's own copy of a package, as it is checked before each use; the operator's file may be gone by now.
pub fn copy_of(package: &Package, world: &World) -> PathBuf {
    world.config.state.join(package.copy())
}

/// What that is, and the file that the operator named.
pub fn original(package: &Package) -> String {
    format!(
        "The package is named by the run's own copy on the daemon's machine. The file that was named at the start, {}, does as well if its SHA-256 is {}.",
        package.path.display(),
        package.sha256
    )
}
