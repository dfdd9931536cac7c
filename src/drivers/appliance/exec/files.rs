//! Files that a program made: where they lie, and what is in them by our own reading.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::ports::ProducedFile;

/// The folder that a program is asked to write into; made for this user only, as backups hold secrets.
pub(super) async fn make_directory(directory: &Path) -> io::Result<()> {
    let directory = directory.to_owned();
    blocking(move || DirBuilder::new().recursive(true).mode(0o700).create(directory)).await
}

/// Finds `path` (absolute, or from `directory`) inside `directory`, hashes it and makes it durable.
///
/// # Errors
/// A sentence on what was expected and found: another place, also through a symbolic link; no plain file; unreadable.
pub(super) async fn verify(directory: &Path, path: &Path) -> Result<ProducedFile, String> {
    let (directory, asked) = (directory.to_owned(), path.to_owned());
    let shown = path.display().to_string();
    let read = blocking(move || {
        let file = inside(&directory, &asked)?;
        hash(file)
    });
    read.await.map_err(|error| format!("the file `{shown}` is not accepted: {error}"))
}

fn inside(directory: &Path, asked: &Path) -> io::Result<PathBuf> {
    let folder = fs::canonicalize(directory)?;
    let file = fs::canonicalize(folder.join(asked))?;
    if !file.starts_with(&folder) {
        let message = format!("expected inside `{}`, found at `{}`", folder.display(), file.display());
        return Err(io::Error::other(message));
    }
    // Before it is opened: opening a named pipe would wait for ever.
    if !fs::metadata(&file)?.is_file() {
        return Err(io::Error::other("expected a plain file"));
    }
    Ok(file)
}

fn hash(path: PathBuf) -> io::Result<ProducedFile> {
    let mut file = File::open(&path)?;
    let (mut digest, mut bytes) = (Sha256::new(), 0);
    let mut chunk = vec![0; 256 * 1024];
    loop {
        match file.read(&mut chunk)? {
            0 => break,
            length => {
                digest.update(&chunk[..length]);
                bytes += length as u64;
            }
        }
    }
    // It becomes evidence (R4, R9), so it must outlive a power cut as the record of it does.
    file.sync_all()?;
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(ProducedFile { path, sha256: hex(&digest.finalize()), bytes })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
