//! Long answers into files: streamed, hashed, synced, and in place only when whole.
//!
//! A file is written under a temporary name (`.<name>.part`), synced, checked by the caller, renamed, and its directory
//! synced. What is not kept is removed, also when the caller is dropped halfway; a crash leaves at most the temporary file,
//! which the next try under the same name overwrites.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use reqwest::Response;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;

use super::answer::{CallError, lost, within};
use super::client::Limits;
use super::private;
use crate::ports::ProducedFile;

/// How much of a file's beginning is looked at to see what it is.
const HEAD: usize = 1024;

/// A whole answer under its temporary name; removed unless kept.
pub struct Downloaded {
    temporary: PathBuf,
    path: PathBuf,
    sha256: String,
    pub bytes: u64,
    /// The first [`HEAD`] bytes.
    pub head: Vec<u8>,
    kept: bool,
}

impl Downloaded {
    /// Streams an answer into `directory`, which is made if need be.
    ///
    /// # Errors
    /// `Lost` for a body that stalls, breaks off or is shorter than announced; `Unusable` for more than `max_bytes`;
    /// `Local` if it can't be written here.
    pub async fn receive(
        mut response: Response,
        directory: &Path,
        name: &str,
        max_bytes: u64,
        limits: &Limits,
    ) -> Result<Self, CallError> {
        private::folder(directory).map_err(|error| local(directory, &error))?;
        let temporary = directory.join(format!(".{name}.part"));
        let file = tokio::fs::File::from_std(private::file(&temporary).map_err(|error| local(&temporary, &error))?);
        let path = directory.join(name);
        let mut this = Self { temporary, path, sha256: String::new(), bytes: 0, head: Vec::new(), kept: false };
        let mut sink = Sink { file, hash: Sha256::new() };
        while let Some(piece) = within(limits.stall, "no further piece of the answer", chunk(&mut response)).await? {
            this.bytes += piece.len() as u64;
            if this.bytes > max_bytes {
                return Err(CallError::Unusable(format!("the answer is larger than {max_bytes} bytes")));
            }
            this.head.extend(piece.iter().take(HEAD - this.head.len()));
            sink.write(&piece).await.map_err(|error| local(&this.temporary, &error))?;
        }
        this.sha256 = sink.finish().await.map_err(|error| local(&this.temporary, &error))?;
        Ok(this)
    }

    /// Where the bytes lie until they are kept.
    pub fn temporary(&self) -> &Path {
        &self.temporary
    }

    /// Of the whole answer, in lower-case hex.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Puts the file in place, durably.
    pub fn keep(mut self) -> Result<ProducedFile, CallError> {
        fs::rename(&self.temporary, &self.path).map_err(|error| local(&self.path, &error))?;
        self.kept = true;
        let directory = self.path.parent().unwrap_or(Path::new("."));
        fs::File::open(directory).and_then(|directory| directory.sync_all()).map_err(|error| local(directory, &error))?;
        Ok(ProducedFile { path: self.path.clone(), sha256: std::mem::take(&mut self.sha256), bytes: self.bytes })
    }
}

impl Drop for Downloaded {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = fs::remove_file(&self.temporary)
        {
            tracing::warn!(path = %self.temporary.display(), %error, "a temporary file could not be removed");
        }
    }
}

struct Sink {
    file: tokio::fs::File,
    hash: Sha256,
}

impl Sink {
    async fn write(&mut self, piece: &[u8]) -> std::io::Result<()> {
        self.hash.update(piece);
        self.file.write_all(piece).await
    }

    /// Syncs the file; its hash in lower-case hex.
    async fn finish(mut self) -> std::io::Result<String> {
        self.file.flush().await?;
        self.file.sync_all().await?;
        Ok(self.hash.finalize().iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}"); // writing into a String can't fail
            text
        }))
    }
}

async fn chunk(response: &mut Response) -> Result<Option<bytes::Bytes>, CallError> {
    response.chunk().await.map_err(lost)
}

/// A failure on this machine, not of the box.
pub fn local(path: &Path, error: &std::io::Error) -> CallError {
    CallError::Local(format!("`{}` can't be written here: {error}", path.display()))
}

/// The stem, or the stem with a number, that no file of the directory has: a file once recorded is never replaced.
pub fn free_stem(directory: &Path, stem: &str) -> String {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let taken = |stem: &str| names.iter().any(|name| name.starts_with(stem));
    let numbered = (2..=u32::MAX).map(|number| format!("{stem}-{number}"));
    std::iter::once(stem.to_owned()).chain(numbered).find(|stem| !taken(stem)).unwrap_or_else(|| stem.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_file_is_never_replaced() {
        let directory = tempfile::tempdir().unwrap();
        for stem in ["s-a-s-7-T", "s-a-s-7-T-2", "s-a-s-7-T-3"] {
            assert_eq!(free_stem(directory.path(), "s-a-s-7-T"), stem);
            fs::write(directory.path().join(format!("{stem}.nsb")), "").unwrap();
        }
        assert_eq!(free_stem(&directory.path().join("absent"), "x"), "x");
    }
}
