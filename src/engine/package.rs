//! The package: hashed, copied into the state folder at the start, hashed again before each use (R5).
//!
//! Days lie between the windows; the operator's own file may be gone or changed by then.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::domain::backups::RESERVE_BYTES;
use crate::domain::journal::hex;
use crate::domain::plan::{Package, PackageNote};

use super::space;

/// A note has a handful of lines.
const MAX_NOTE: u64 = 64 << 10;

/// Where the run's own copy lies: by content, so that runs of one package share it.
pub fn place(state: &Path, package: &Package) -> PathBuf {
    state.join(package.copy())
}

/// Reads a package and what a file `<package>.toml` beside it says.
///
/// # Errors
/// The package can't be read, or the note is not valid; the text names the file.
pub async fn read(path: PathBuf) -> Result<(Package, Option<PackageNote>), String> {
    blocking(move || {
        let (sha256, bytes) = hash(&path).map_err(|error| format!("package {}: {error}", path.display()))?;
        let note = read_note(&path)?;
        Ok((Package { path, sha256, bytes }, note))
    })
    .await
}

/// Makes the runs' own copies, one after the other: two sites that begin the same package at once would write the same file, and
/// copies lie on one disk anyway. A copy that was left half-made has the next one's name, and is overwritten by it.
#[derive(Default)]
pub struct Staging(tokio::sync::Mutex<()>);

impl Staging {
    /// Copies the package into the state folder, unless it is there already.
    ///
    /// # Errors
    /// The copy can't be made or differs.
    pub async fn stage(&self, state: PathBuf, package: Package) -> Result<(), String> {
        let _one_at_a_time = self.0.lock().await;
        stage(state, package).await
    }
}

async fn stage(state: PathBuf, package: Package) -> Result<(), String> {
    blocking(move || {
        let target = place(&state, &package);
        if hash(&target).is_ok_and(|(sha256, _)| sha256 == package.sha256) {
            return Ok(());
        }
        must_fit(&state, &package)?;
        copy(&package.path, &target).map_err(|error| {
            format!("package {} could not be copied to {}: {error}", package.path.display(), target.display())
        })?;
        expect(&target, &package.sha256)
    })
    .await
}

/// The copy leaves room for what every run writes: a full disk would stop those of other sites too.
fn must_fit(state: &Path, package: &Package) -> Result<(), String> {
    let (path, bytes) = (package.path.display(), package.bytes);
    let more = format!(
        "a copy of package {path} takes {bytes}, and {RESERVE_BYTES} stay free for the journal; nothing was copied; make room, then \
         start again"
    );
    space::must_have(state, bytes.saturating_add(RESERVE_BYTES), &more)
}

/// Checks that the copy is still the package that was planned.
///
/// # Errors
/// It can't be read or its hash differs.
pub async fn check(path: &Path, sha256: &str) -> Result<(), String> {
    let (path, sha256) = (path.to_owned(), sha256.to_owned());
    blocking(move || expect(&path, &sha256)).await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(format!("reading the package failed: {error}")))
}

fn expect(path: &Path, sha256: &str) -> Result<(), String> {
    match hash(path) {
        Ok((found, _)) if found == sha256 => Ok(()),
        Ok((found, _)) => Err(format!("package {} has SHA-256 {found}, planned was {sha256}", path.display())),
        Err(error) => Err(format!("package {}: {error}", path.display())),
    }
}

/// What is copied in part is removed again: it would keep the disk full.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let folder = to.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let part = to.with_extension("part");
    // One that was left by a daemon that was killed may be closed to writing.
    let _ = std::fs::remove_file(&part);
    let copied = write_copy(from, &part).and_then(|()| std::fs::rename(&part, to));
    copied.inspect_err(|_| drop(std::fs::remove_file(&part)))?;
    File::open(folder)?.sync_all()
}

/// With rights of its own: a source that nobody may write to would make a copy that can't be replaced.
fn write_copy(from: &Path, part: &Path) -> io::Result<()> {
    let mut file = File::create(part)?;
    io::copy(&mut open(from)?, &mut file)?;
    file.sync_all()
}

/// Opens a regular file. It is asked for what it is before: opening a pipe would wait for whoever writes to it, for ever.
fn open(path: &Path) -> io::Result<File> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
    }
    File::open(path)
}

/// SHA-256 and size, in constant memory.
fn hash(path: &Path) -> io::Result<(String, u64)> {
    let mut file = open(path)?;
    let (mut hasher, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 18]);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((hex(&hasher.finalize()), bytes));
        }
        hasher.update(&buffer[..read]);
        bytes += read as u64;
    }
}

fn read_note(package: &Path) -> Result<Option<PackageNote>, String> {
    let mut name = package.as_os_str().to_owned();
    name.push(".toml");
    let path = PathBuf::from(name);
    let mut text = String::new();
    match open(&path).and_then(|file| file.take(MAX_NOTE + 1).read_to_string(&mut text)) {
        Ok(bytes) if bytes as u64 > MAX_NOTE => {
            return Err(format!("package note {} is larger than {MAX_NOTE} bytes", path.display()));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("package note {}: {error}", path.display())),
    }
    toml::from_str(&text).map(Some).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        format!("{}:{line}: {}", path.display(), error.message())
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn a_package_is_staged_once_and_a_changed_copy_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("base.nss");
        std::fs::write(&path, b"package").unwrap();
        std::fs::write(folder.path().join("base.nss.toml"), "version = \"24.2.1\"\nfrom = [\"24.1\"]\n").unwrap();
        let (package, note) = read(path.clone()).await.unwrap();
        assert_eq!((package.bytes, note.unwrap().from.unwrap().len()), (7, 1));
        Staging::default().stage(folder.path().join("state"), package.clone()).await.unwrap();
        let copy = place(&folder.path().join("state"), &package);
        check(&copy, &package.sha256).await.unwrap();
        std::fs::write(&copy, b"changed").unwrap();
        assert!(check(&copy, &package.sha256).await.unwrap_err().contains("planned was"));
    }

    #[cfg(feature = "test-kill")]
    #[tokio::test]
    async fn a_package_that_does_not_fit_is_not_copied() {
        let folder = tempfile::tempdir().unwrap();
        let (path, state) = (folder.path().join("base.nss"), folder.path().join("state"));
        std::fs::write(&path, b"package").unwrap();
        std::fs::create_dir(&state).unwrap();
        std::fs::write(state.join("test-free"), (RESERVE_BYTES + 6).to_string()).unwrap();
        let (package, _) = read(path).await.unwrap();
        let error = stage(state.clone(), package.clone()).await.unwrap_err();
        assert!(error.contains("nothing was copied") && !state.join("packages").exists(), "{error}");
        std::fs::write(state.join("test-free"), (RESERVE_BYTES + 7).to_string()).unwrap();
        stage(state, package).await.unwrap();
    }

    /// Two sites that begin the same package at once: neither takes the other's half-made copy away, and one that was left is no
    /// obstacle.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn one_package_is_staged_by_many_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("base.nss");
        std::fs::write(&path, vec![7; 1 << 20]).unwrap();
        let (package, _) = read(path).await.unwrap();
        for round in 0..8 {
            let (state, staging) = (folder.path().join(format!("state-{round}")), Staging::default());
            let copy = place(&state, &package);
            std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
            std::fs::write(copy.with_extension("part"), vec![1; 2 << 20]).unwrap();
            std::fs::set_permissions(copy.with_extension("part"), PermissionsExt::from_mode(0o444)).unwrap();
            let all = (0..8).map(|_| staging.stage(state.clone(), package.clone()));
            for staged in futures_util::future::join_all(all).await {
                staged.unwrap();
            }
            check(&copy, &package.sha256).await.unwrap();
            assert!(!copy.with_extension("part").exists());
        }
    }

    #[tokio::test]
    async fn a_bad_note_names_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("base.nss");
        std::fs::write(&path, b"package").unwrap();
        std::fs::write(folder.path().join("base.nss.toml"), "version = \"24.2.1\"\ncolour = 1\n").unwrap();
        let error = read(path).await.unwrap_err();
        assert!(error.contains("base.nss.toml:2: unknown field"), "{error}");
        assert!(read(folder.path().to_owned()).await.unwrap_err().contains("not a file"));
    }

    #[tokio::test]
    async fn a_pipe_is_refused_and_not_waited_for_and_an_endless_note_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("base.nss");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).unwrap();
        assert!(read(path.clone()).await.unwrap_err().contains("not a file"));
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, b"package").unwrap();
        std::fs::write(folder.path().join("base.nss.toml"), vec![b'#'; MAX_NOTE as usize + 1]).unwrap();
        assert!(read(path).await.unwrap_err().contains("larger than"));
    }
}
