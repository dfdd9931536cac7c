//! Deletes the backups of old runs: `backups/<run>` in the state folder.
//!
//! ```text
//!   a line in backups/deleted.jsonl, durable -> renamed to backups/.deleted-<run> -> removed
//! ```
//!
//! A crash leaves a line more, or a renamed folder that is removed the next time: never half a folder under a run's name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::domain::ids::RunId;

/// The list of what was deleted, one JSON object a line.
const LIST: &str = "deleted.jsonl";
const GONE: &str = ".deleted-";

/// Deletes the backups of these runs, and what an earlier deletion left.
///
/// # Errors
/// The list can't be written, or a folder can't be moved or removed. What was not deleted is there whole, or is finished next time.
pub fn delete(state: &Path, runs: &[RunId], now: Timestamp) -> io::Result<()> {
    let folder = state.join("backups");
    if !folder.is_dir() {
        return Ok(());
    }
    for run in runs.iter().filter(|run| folder.join(run.to_string()).is_dir()) {
        begin(&folder, run, now)?;
    }
    finish(&folder)
}

fn begin(folder: &Path, run: &RunId, now: Timestamp) -> io::Result<()> {
    let own = folder.join(run.to_string());
    let files = files(&own)?;
    tracing::info!(site = run.site, %run, files = files.len(), "its backups are deleted: `[backups]` keeps them no longer");
    note(folder, &json!({ "at": now, "run": run, "files": files }))?;
    fs::rename(&own, folder.join(format!("{GONE}{run}")))?;
    File::open(folder)?.sync_all()
}

fn finish(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(GONE) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// Every file below a run's folder, with its size.
fn files(own: &Path) -> io::Result<Vec<Value>> {
    let (mut found, mut left): (Vec<(PathBuf, u64)>, Vec<PathBuf>) = (Vec::new(), vec![own.to_owned()]);
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            match kind.is_dir() {
                true => left.push(entry.path()),
                false => found.push((entry.path(), entry.metadata()?.len())),
            }
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(path, bytes)| json!({ "path": path, "bytes": bytes })).collect())
}

fn note(folder: &Path, line: &Value) -> io::Result<()> {
    let mut list = OpenOptions::new().create(true).append(true).mode(0o600).open(folder.join(LIST))?;
    list.write_all(format!("{line}\n").as_bytes())?;
    list.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(state: &Path, run: &str) -> PathBuf {
        let own = state.join("backups").join(run).join("prepare.backup.a.1");
        fs::create_dir_all(&own).unwrap();
        fs::write(own.join("one.nsb"), b"0123456789").unwrap();
        state.join("backups").join(run)
    }

    fn listed(state: &Path) -> Vec<Value> {
        let text = fs::read_to_string(state.join("backups").join(LIST)).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn bg_01_what_goes_is_listed_first_and_the_rest_stays() {
        let state = tempfile::tempdir().unwrap();
        delete(state.path(), &["s-1".parse().unwrap()], Timestamp::UNIX_EPOCH).unwrap();
        let (old, new) = (made(state.path(), "s-1"), made(state.path(), "s-2"));
        delete(state.path(), &["s-1".parse().unwrap(), "s-9".parse().unwrap()], Timestamp::UNIX_EPOCH).unwrap();
        assert!(!old.exists() && new.join("prepare.backup.a.1/one.nsb").exists());
        let lines = listed(state.path());
        assert_eq!((lines.len(), &lines[0]["run"], &lines[0]["files"][0]["bytes"]), (1, &json!("s-1"), &json!(10)));
        assert!(lines[0]["files"][0]["path"].as_str().unwrap().ends_with("s-1/prepare.backup.a.1/one.nsb"));
    }

    /// The process ends after each of the three acts: the next deletion finishes it, and nothing else goes.
    #[test]
    fn bg_01_a_deletion_that_broke_off_is_finished_the_next_time() {
        let (at, run): (_, RunId) = (Timestamp::UNIX_EPOCH, "s-1".parse().unwrap());
        for ended_after in ["the list", "the renaming", "half of the removal"] {
            let state = tempfile::tempdir().unwrap();
            let (old, kept) = (made(state.path(), "s-1"), made(state.path(), "s-2"));
            let folder = state.path().join("backups");
            if ended_after == "the list" {
                note(&folder, &json!({ "at": at, "run": run, "files": [] })).unwrap();
            } else {
                begin(&folder, &run, at).unwrap();
            }
            if ended_after == "half of the removal" {
                fs::remove_file(folder.join(".deleted-s-1/prepare.backup.a.1/one.nsb")).unwrap();
            }
            delete(state.path(), std::slice::from_ref(&run), at).unwrap();
            let left: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            assert!(!old.exists() && kept.join("prepare.backup.a.1/one.nsb").exists(), "after {ended_after}");
            assert_eq!(left.len(), 2, "after {ended_after}: {left:?}");
            assert!(!listed(state.path()).is_empty(), "after {ended_after}");
        }
    }
}
