//! Journals written by this and every earlier format, kept for ever: each must fold to the state that was written beside it.
//!
//! `tests/fixtures/journals/README.md` says how they are recorded, and why none is ever changed or deleted.

mod home;
pub mod scenes;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use changeover::domain::event::Event;
use changeover::domain::journal::Record;
use changeover::domain::machine::{self, phase_name};
use changeover::domain::run::{Phase, Run};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::stage::end;
use crate::tokens;

/// Set to a folder's name, records every scene into a new folder of that name.
const RECORD: &str = "CHANGEOVER_RECORD_JOURNALS";

const SUMS: &str = "SHA256SUMS";

fn folder() -> PathBuf {
    tokens::root().join("tests/fixtures/journals")
}

/// What the fold of a journal must give.
fn state(run: &Run) -> Value {
    let until = match &run.phase {
        Phase::Waiting { until, .. } => *until,
        _ => None,
    };
    json!({
        "run": run.id,
        "seq": run.seq,
        "head": run.head,
        "phase": phase_name(&run.phase),
        "end": end(run),
        "until": until,
        "step": run.step().map(|step| &step.id),
        "done": run.progress.begun().filter(|progress| progress.done_at.is_some()).count(),
        "survivor": run.survivor,
        "serving": run.serving(),
        "updated": [run.nodes.a.updated, run.nodes.b.updated],
        "unprotected_since": run.unprotected_since(),
        "unprotected_seconds": run.unprotected_for(run.last_at).as_secs(),
        "resumed": run.resumed,
        "ttl_before": run.ttl.as_ref().map(|lowered| lowered.before.iter().map(|name| name.ttl).collect::<Vec<_>>()),
        "ttl_clear_from": run.ttl.as_ref().and_then(|lowered| lowered.clear_from),
        "ttl_restored": run.ttl.as_ref().map(|lowered| lowered.restored),
        "windows": run.windows,
    })
}

/// The kept journals by their path below the folder.
pub fn kept() -> BTreeMap<String, Vec<Record>> {
    let files = tokens::files(&folder(), "jsonl").into_iter();
    files.map(|path| (name(&path), records(&std::fs::read_to_string(&path).unwrap()))).collect()
}

fn name(path: &Path) -> String {
    path.strip_prefix(folder()).unwrap().display().to_string()
}

fn records(text: &str) -> Vec<Record> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// New fields of events need a default, events keep their names, and the machine keeps taking what it once took.
#[test]
fn every_kept_journal_folds_to_the_state_beside_it() {
    let kept = kept();
    assert!(kept.len() >= 10, "{:?}", kept.keys());
    for (name, records) in kept {
        let run = machine::replay(&records).unwrap_or_else(|error| {
            panic!("{name}: {error}: {:?}; a journal that was written once is read for ever", std::error::Error::source(&error))
        });
        let beside = folder().join(&name).with_extension("state.json");
        let expected: Value = serde_json::from_str(&std::fs::read_to_string(beside).unwrap()).unwrap();
        let state = state(&run);
        // What a later format adds to the states is not in those of earlier ones.
        for (key, expected) in expected.as_object().unwrap() {
            assert_eq!(state[key], *expected, "{name}: {key}");
        }
    }
}

/// Read and written again, a record is what it was, but for fields that have been added since.
#[test]
fn no_field_of_a_kept_event_is_dropped() {
    for (name, records) in kept() {
        for record in records {
            let event = Event::from_parts(&record.event, &record.data).unwrap();
            let (_, written) = event.to_parts();
            assert!(
                contains(&written, &record.data),
                "{name}, record {}: {written}\nlost something of {}",
                record.seq,
                record.data
            );
        }
    }
}

/// Whether every field of `old` is in `new` with its value.
fn contains(new: &Value, old: &Value) -> bool {
    match (new, old) {
        (Value::Object(new), Value::Object(old)) => {
            old.iter().all(|(key, old)| old.is_null() || new.get(key).is_some_and(|new| contains(new, old)))
        }
        (Value::Array(new), Value::Array(old)) => {
            new.len() == old.len() && new.iter().zip(old).all(|(new, old)| contains(new, old))
        }
        _ => new == old,
    }
}

/// Each kept file is listed with its SHA-256, so that no change to one goes unseen.
#[test]
fn no_kept_journal_was_changed_or_deleted() {
    let listed = std::fs::read_to_string(folder().join(SUMS)).unwrap();
    let listed: BTreeMap<&str, &str> =
        listed.lines().filter_map(|line| line.split_once("  ")).map(|(sum, name)| (name, sum)).collect();
    let found = sums(&files());
    let found: BTreeMap<&str, &str> =
        found.lines().filter_map(|line| line.split_once("  ")).map(|(sum, name)| (name, sum)).collect();
    assert_eq!(
        found, listed,
        "a journal that was kept once stays as it is; new ones are recorded as the README beside them says"
    );
}

fn files() -> Vec<PathBuf> {
    let mut files = tokens::files(&folder(), "jsonl");
    files.extend(tokens::files(&folder(), "json"));
    files.sort();
    files
}

fn sums(files: &[PathBuf]) -> String {
    let line = |path: &PathBuf| {
        let sum = Sha256::digest(std::fs::read(path).unwrap());
        format!("{}  {}\n", changeover::domain::journal::hex(&sum), name(path))
    };
    files.iter().map(line).collect()
}

/// Records all scenes where `CHANGEOVER_RECORD_JOURNALS` names a new folder; else checks that they can be recorded.
#[tokio::test(start_paused = true)]
async fn journals_of_the_present_format_are_recorded() {
    let recorded = scenes::all().await;
    let Some(folder_name) = std::env::var_os(RECORD) else {
        for (name, records) in recorded {
            assert!(machine::replay(&records).is_ok(), "{name}");
        }
        return;
    };
    let new = folder().join(folder_name);
    std::fs::create_dir(&new).expect("a folder that is not there yet: kept journals are never written again");
    for (name, records) in recorded {
        let lines: String = records.iter().map(|record| format!("{}\n", serde_json::to_string(record).unwrap())).collect();
        std::fs::write(new.join(format!("{name}.jsonl")), lines).unwrap();
        let state = serde_json::to_string_pretty(&state(&machine::replay(&records).unwrap())).unwrap();
        std::fs::write(new.join(format!("{name}.state.json")), format!("{state}\n")).unwrap();
    }
    std::fs::write(folder().join(SUMS), sums(&files())).unwrap();
}
