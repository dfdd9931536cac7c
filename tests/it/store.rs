//! Integration tests of the durable journal.

mod child;
mod damage;
mod life;
mod space;

use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};

use changeover::domain::ids::RunId;
use changeover::domain::journal::{Entry, Record};
use changeover::drivers::store::{OpenError, Opened, Options, Store};
use changeover::ports::{Journal, OutboxItem, StoreError};

use crate::folder::in_memory;

/// Sizes that let many stores be opened in one test.
fn small() -> Options {
    Options { reserve_bytes: 1 << 16, low_water_bytes: 1 << 16, ..Options::default() }
}

fn open(state: &Path) -> Result<Opened, OpenError> {
    Store::open(state, &small())
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

fn append(store: &Store, records: &[Record]) -> Result<(), StoreError> {
    wait(store.append(records.to_vec(), Vec::new(), false))
}

fn entry(reason: &str, data: serde_json::Value) -> Entry {
    Entry {
        at: "2026-11-22T01:02:03.5Z".parse().unwrap(),
        actor: "daemon".into(),
        event: "noticed".into(),
        step: Some("window-1.update.a".into()),
        reason: reason.into(),
        data,
    }
}

/// A run's first `count` records.
fn chain(run: &str, count: usize) -> Vec<Record> {
    let run: RunId = run.parse().unwrap();
    let mut records: Vec<Record> = Vec::new();
    for number in 1..=count {
        let entry = entry(&format!("record {number} of {run}"), serde_json::json!({"number": number, "text": "ä\n\"x\""}));
        records.push(Record::chain(&run, records.last(), entry));
    }
    records
}

fn item(id: &str, hook: &str, document: &str) -> OutboxItem {
    let at = "2026-11-22T01:02:03Z".parse().unwrap();
    OutboxItem {
        id: id.into(),
        hook: hook.into(),
        event: "held".into(),
        document: document.into(),
        run: "support-7".parse().unwrap(),
        since: at,
        attempts: 0,
        next_at: at,
    }
}

/// A state folder with these runs, every record in a commit of its own, and the store closed again.
fn filled(runs: &[&[Record]]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), runs);
    folder
}

fn fill(state: &Path, runs: &[&[Record]]) {
    let store = open(state).unwrap().store;
    for records in runs {
        for record in *records {
            append(&store, std::slice::from_ref(record)).unwrap();
        }
    }
}

/// All records of all runs, as an opening hands them over.
fn all(opened: &mut Opened) -> Vec<Vec<Record>> {
    opened.runs.by_ref().map(|run| run.unwrap().1).collect()
}

fn reopened(state: &Path) -> Vec<Vec<Record>> {
    all(&mut open(state).unwrap())
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Every plain file of sled's folder.
fn db_files(state: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(state.join("db")).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.is_file()).collect()
}

/// The error of an opening that must not succeed.
fn refusal(state: &Path) -> OpenError {
    match open(state) {
        Ok(_) => panic!("{} was opened", state.display()),
        Err(error) => error,
    }
}

fn assert_damaged(error: &OpenError, case: &str) {
    assert!(matches!(error, OpenError::Damaged { .. }), "{case}: {error:?}");
    assert!(error.hint().is_some_and(|hint| hint.contains("changeover journal rebuild --state ")), "{case}");
}
