//! Packages: what is installed, what a note beside a file says of it, and the hops of a chain.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::domain::version::{Target, Version};

/// The package that updates both nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// The file as the operator named it; the run uses its own copy.
    pub path: PathBuf,
    /// Lower-case hex.
    pub sha256: String,
    pub bytes: u64,
}

impl Package {
    /// The run's own copy, below the state folder: by content, so that runs of one package share it.
    pub fn copy(&self) -> PathBuf {
        Path::new("packages").join(&self.sha256).join(self.path.file_name().unwrap_or_default())
    }
}

/// What a file `<package>.toml` says of its package; enforced where it is there (R5).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageNote {
    pub version: Option<Version>,
    pub build: Option<String>,
    pub sha256: Option<String>,
    /// `base` or `site`; shown, not judged.
    pub kind: Option<String>,
    /// The versions it may be installed on, by their leading parts.
    pub from: Option<Vec<Version>>,
    /// The oldest version it may be installed on.
    pub minimum: Option<Version>,
    /// It is there only after this one: a version, by its leading parts, or another package's file name.
    pub after: Option<String>,
}

/// One package of a chain, and the version that it leads to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    pub to: Target,
    pub package: Package,
}
