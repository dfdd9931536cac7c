//! What an extraction has fetched so far, durably: one JSON line for each file that is whole.
//!
//! A file gets its line after it is in place, so a crash leaves at most a file without a line, which counts as not fetched. The
//! next attempt of the step goes on from the newest earlier manifest of the same box on the same release: each file of it
//! is hashed anew and linked into the attempt's own folder. The last line says that the extraction was complete.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::answer::CallError;
use super::download::local;
use super::private;
use super::slices::Slice;
use crate::domain::journal::hex;
use crate::ports::ProducedFile;

/// The manifest's name in an attempt's folder.
pub const NAME: &str = "manifest.jsonl";
/// Longer lines are not ours.
const MAX_LINE: u64 = 16 << 10;

/// Whose data these are. An attempt goes on only where all of it is the same: an update may change every session's id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    pub site: String,
    pub node: String,
    pub run: String,
    pub identity: String,
    pub version: String,
    pub build: Option<String>,
}

/// One file that is whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Relative to the manifest's folder.
    pub file: String,
    pub sha256: String,
    pub bytes: u64,
    pub of: Of,
    /// When it was asked for, run time.
    pub at: Timestamp,
}

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Of {
    /// An answer of the reporting API as it was received.
    Report {
        report: String,
        /// `start_time` or `end_time`.
        by: String,
        #[serde(flatten)]
        slice: Slice,
        sessions: u64,
        /// How many of them have no end.
        open: u64,
    },
    Recording {
        lsid: String,
    },
    /// The table of all sessions.
    Table {
        sessions: u64,
    },
    /// What is lacking, one row each.
    Missing {
        recordings: u64,
    },
}

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    Extraction { format: u32, source: Source, since: Timestamp, until: Timestamp, recordings: bool },
    File(Entry),
    Complete { sessions: u64, recordings: u64, missing: u64, passes: u32, at: Timestamp },
}

/// The manifest of one attempt, open for more lines.
pub struct Manifest {
    directory: PathBuf,
    file: File,
    pub entries: Vec<Entry>,
}

impl Manifest {
    /// Begins the manifest of an attempt in `directory`, which is made if need be, with what earlier attempts have left.
    /// Blocks: it hashes every file that is taken over.
    ///
    /// # Errors
    /// `Local` where it can't be written.
    pub fn begin(
        directory: &Path,
        source: &Source,
        since: Timestamp,
        until: Timestamp,
        recordings: bool,
    ) -> Result<Self, CallError> {
        private::folder(directory).map_err(|error| local(directory, &error))?;
        let entries = earlier(directory, source);
        let temporary = directory.join(format!(".{NAME}.part"));
        let failed = |error: io::Error| local(&temporary, &error);
        let mut file = private::file(&temporary).map_err(failed)?;
        let header = Line::Extraction { format: 1, source: source.clone(), since, until, recordings };
        let lines = std::iter::once(header).chain(entries.iter().cloned().map(Line::File));
        lines.into_iter().try_for_each(|line| write(&mut file, &line)).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        let path = directory.join(NAME);
        fs::rename(&temporary, &path).map_err(|error| local(&path, &error))?;
        sync(directory)?;
        let file = OpenOptions::new().append(true).open(&path).map_err(|error| local(&path, &error))?;
        Ok(Self { directory: directory.to_owned(), file, entries })
    }

    /// Notes a file that is in place; durable when this returns.
    pub fn add(&mut self, file: &ProducedFile, of: Of, at: Timestamp) -> Result<(), CallError> {
        let name = file.path.strip_prefix(&self.directory).unwrap_or(&file.path).to_string_lossy().into_owned();
        let entry = Entry { file: name, sha256: file.sha256.clone(), bytes: file.bytes, of, at };
        self.entries.push(entry.clone());
        self.append(&Line::File(entry))
    }

    /// Writes the last line; the manifest as evidence.
    pub fn finish(mut self, complete: &Line) -> Result<ProducedFile, CallError> {
        self.append(complete)?;
        let path = self.directory.join(NAME);
        let (sha256, bytes) = hash(&path).map_err(|error| local(&path, &error))?;
        Ok(ProducedFile { path, sha256, bytes })
    }

    pub fn path_of(&self, entry: &Entry) -> PathBuf {
        self.directory.join(&entry.file)
    }

    fn append(&mut self, line: &Line) -> Result<(), CallError> {
        let path = self.directory.join(NAME);
        write(&mut self.file, line).and_then(|()| self.file.sync_data()).map_err(|error| local(&path, &error))
    }
}

fn write(file: &mut File, line: &Line) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    file.write_all(&text)
}

/// The whole files of the newest attempt that has any, linked into `directory`.
fn earlier(directory: &Path, source: &Source) -> Vec<Entry> {
    for from in attempts(directory) {
        let kept: Vec<Entry> = read(&from.join(NAME), source).into_iter().filter(|entry| take(&from, directory, entry)).collect();
        if !kept.is_empty() {
            tracing::info!(from = %from.display(), files = kept.len(), "the extraction goes on from an earlier attempt");
            return kept;
        }
    }
    Vec::new()
}

/// This attempt's own folder (the same act again), then those of earlier attempts, the newest first.
fn attempts(directory: &Path) -> Vec<PathBuf> {
    let mut found = vec![directory.to_owned()];
    let name = directory.file_name().and_then(|name| name.to_str()).and_then(|name| name.rsplit_once('.'));
    if let Some((step, Ok(number))) = name.map(|(step, number)| (step, number.parse::<u32>())) {
        let earlier = (1..number).rev().take(1000);
        found.extend(earlier.map(|number| directory.with_file_name(format!("{step}.{number}"))));
    }
    found
}

/// The files that a manifest lists; none if it is not about this source. What can't be read ends it: a crash tears a line off.
fn read(path: &Path, source: &Source) -> Vec<Entry> {
    let Ok(file) = File::open(path) else { return Vec::new() };
    let mut lines = lines(BufReader::new(file));
    match lines.next() {
        Some(Line::Extraction { format: 1, source: found, .. }) if found == *source => {}
        _ => return Vec::new(),
    }
    let entries = lines.filter_map(|line| match line {
        Line::File(entry) => Some(entry),
        _ => None,
    });
    entries.filter(|entry| matches!(entry.of, Of::Report { .. } | Of::Recording { .. })).collect()
}

/// The lines up to the first that is not whole.
pub fn lines(mut input: impl BufRead) -> impl Iterator<Item = Line> {
    std::iter::from_fn(move || {
        let mut text = Vec::new();
        input.by_ref().take(MAX_LINE).read_until(b'\n', &mut text).ok()?;
        let text = text.strip_suffix(b"\n")?;
        serde_json::from_slice(text).ok()
    })
}

/// Verifies a file and puts it where this attempt has it, unless it is there already: an attempt may have ended while it took
/// files over. False if it is not what was noted.
fn take(from: &Path, to: &Path, entry: &Entry) -> bool {
    if !is_plain(&entry.file) {
        return false;
    }
    let (source, target) = (from.join(&entry.file), to.join(&entry.file));
    let is_it = |path: &Path| hash(path).is_ok_and(|found| found == (entry.sha256.clone(), entry.bytes));
    is_it(&source) && (source == target || link(&source, &target).is_ok() || is_it(&target))
}

/// A name of ours: one folder at most, and no way out of it.
fn is_plain(name: &str) -> bool {
    let parts: Vec<&str> = name.split('/').collect();
    parts.len() <= 2 && parts.iter().all(|part| !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', '\0']))
}

/// By a second name for the same content, which costs no space; by a copy where the disk knows no such thing.
fn link(source: &Path, target: &Path) -> io::Result<()> {
    if let Some(folder) = target.parent() {
        private::folder(folder)?;
    }
    match fs::hard_link(source, target) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        Err(_) => fs::copy(source, target).and_then(|_| File::open(target)?.sync_all()),
        Ok(()) => Ok(()),
    }
}

/// A file's SHA-256 in lower-case hex, and its size.
pub fn hash(path: &Path) -> io::Result<(String, u64)> {
    let mut file = File::open(path)?;
    let (mut digest, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 64 << 10]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((hex(&digest.finalize()), bytes)),
            length => {
                digest.update(buffer.get(..length).unwrap_or_default());
                bytes += length as u64;
            }
        }
    }
}

fn sync(directory: &Path) -> Result<(), CallError> {
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(|error| local(directory, &error))
}
