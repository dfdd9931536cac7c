//! Deletes the backups of old runs: `backups/<run>` in the state folder.
//!
//! ```text
//!   a line in backups/deleted.jsonl, durable -> renamed to backups/.deleted-<run> -> removed
//! ```
//!
//! A crash leaves a line more, or a renamed folder that is removed the next time: never half a folder under a run's name. What can't
//! be listed, moved or removed stays and is told; it doesn't keep the backups of other runs.

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

/// Deletes the backups of these runs, and what an earlier deletion left. Tells what could not be deleted, and why: it is there whole,
/// or is finished next time.
pub fn delete(state: &Path, runs: &[RunId], now: Timestamp) -> Vec<String> {
    let folder = state.join("backups");
    if !folder.is_dir() {
        return Vec::new();
    }
    let mut left = Vec::new();
    for run in runs.iter().filter(|run| folder.join(run.to_string()).is_dir()) {
        left.extend(begin(&folder, run, now).err().map(|error| format!("the backups of run `{run}`: {error}")));
    }
    left.extend(finish(&folder));
    left
}

fn begin(folder: &Path, run: &RunId, now: Timestamp) -> io::Result<()> {
    let own = folder.join(run.to_string());
    let files = files(&own)?;
    tracing::info!(site = run.site, %run, files = files.len(), "its backups are deleted: `[backups]` keeps them no longer");
    note(folder, &json!({ "at": now, "run": run, "files": files }))?;
    fs::rename(&own, folder.join(format!("{GONE}{run}")))?;
    File::open(folder)?.sync_all()
}

/// Removes every folder that was moved aside; tells which could not be.
fn finish(folder: &Path) -> Vec<String> {
    let of = |path: &Path, error: io::Error| format!("{}: {error}", path.display());
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries.filter_map(Result::ok).map(|entry| entry.path()),
        Err(error) => return vec![of(folder, error)],
    };
    let gone = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(GONE));
    entries.filter(gone).filter_map(|path| fs::remove_dir_all(&path).err().map(|error| of(&path, error))).collect()
}

/// Every file below a run's folder, with its size; what is no text in a path is shown as U+FFFD.
fn files(own: &Path) -> io::Result<Vec<Value>> {
    let (mut found, mut left): (Vec<(PathBuf, u64)>, Vec<PathBuf>) = (Vec::new(), vec![own.to_owned()]);
    while let Some(folder) = left.pop() {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", folder.display()));
        for entry in fs::read_dir(&folder).map_err(named)? {
            let entry = entry.map_err(named)?;
            let kind = entry.file_type()?;
            match kind.is_dir() {
                true => left.push(entry.path()),
                false => found.push((entry.path(), entry.metadata()?.len())),
            }
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(path, bytes)| json!({ "path": path.to_string_lossy(), "bytes": bytes })).collect())
}

fn note(folder: &Path, line: &Value) -> io::Result<()> {
    let mut list = OpenOptions::new().create(true).append(true).mode(0o600).open(folder.join(LIST))?;
    list.write_all(format!("{line}\n").as_bytes())?;
    list.sync_all()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

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
        assert!(delete(state.path(), &["s-1".parse().unwrap()], Timestamp::UNIX_EPOCH).is_empty());
        let (old, new) = (made(state.path(), "s-1"), made(state.path(), "s-2"));
        let left = delete(state.path(), &["s-1".parse().unwrap(), "s-9".parse().unwrap()], Timestamp::UNIX_EPOCH);
        assert!(left.is_empty(), "{left:?}");
        assert!(!old.exists() && new.join("prepare.backup.a.1/one.nsb").exists());
        let lines = listed(state.path());
        assert_eq!((lines.len(), &lines[0]["run"], &lines[0]["files"][0]["bytes"]), (1, &json!("s-1"), &json!(10)));
        assert!(lines[0]["files"][0]["path"].as_str().unwrap().ends_with("s-1/prepare.backup.a.1/one.nsb"));
    }

    /// A path that is no text, and a folder that can't be moved aside: neither keeps the other runs' backups.
    #[test]
    fn bg_01_an_odd_file_keeps_no_other_run_and_a_run_that_cant_go_is_named() {
        let state = tempfile::tempdir().unwrap();
        let odd = OsStr::from_bytes(b"base-\xff.nsb");
        fs::write(made(state.path(), "s-1").join(odd), b"0123").unwrap();
        let stuck = made(state.path(), "s-2");
        // What is in its way is no folder and isn't removed either.
        fs::write(state.path().join("backups/.deleted-s-2"), b"").unwrap();
        let others = [made(state.path(), "s-3"), made(state.path(), "s-4")];
        let runs = ["s-2", "s-1", "s-3", "s-4"].map(|run| run.parse().unwrap());
        let left = delete(state.path(), &runs, Timestamp::UNIX_EPOCH);
        assert!(others.iter().all(|own| !own.exists()) && !state.path().join("backups/s-1").exists(), "{left:?}");
        assert!(stuck.join("prepare.backup.a.1/one.nsb").exists(), "what can't go stays whole");
        assert!(left.len() == 2 && left[0].contains("run `s-2`") && left[1].contains(".deleted-s-2"), "{left:?}");
        let paths: Vec<String> = listed(state.path()).iter().map(|line| line["files"].to_string()).collect();
        assert!(paths.iter().any(|files| files.contains("s-1/base-\u{fffd}.nsb")), "{paths:?}");
        assert_eq!(
            fs::read_dir(state.path().join("backups")).unwrap().count(),
            3,
            "the list, the run that stays, and what is in its way"
        );
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
            let troubles = delete(state.path(), std::slice::from_ref(&run), at);
            assert!(troubles.is_empty(), "after {ended_after}: {troubles:?}");
            let left: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            assert!(!old.exists() && kept.join("prepare.backup.a.1/one.nsb").exists(), "after {ended_after}");
            assert_eq!(left.len(), 2, "after {ended_after}: {left:?}");
            assert!(!listed(state.path()).is_empty(), "after {ended_after}");
        }
    }
}
