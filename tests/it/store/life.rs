//! A store's ordinary life: append, read, reopen, outbox, order, refusals.

use std::sync::Arc;

use changeover::domain::journal::{self, Record};
use changeover::drivers::store::{OpenError, Store, read_log_file};
use changeover::ports::{Journal, StoreError};

use super::*;

#[test]
fn what_was_appended_is_there_after_reopening() {
    let (a, b) = (chain("support-7", 5), chain("eu-west-12", 3));
    let folder = filled(&[&a, &b]);
    let mut opened = open(folder.path()).unwrap();
    assert_eq!(opened.runs.len(), 2);
    assert_eq!(all(&mut opened), [b.clone(), a.clone()]);
    assert!(opened.recovered.is_empty() && opened.outbox.is_empty());
    for after in 0..=6 {
        assert_eq!(opened.store.records(&a[0].run, after).unwrap(), a[a.len().min(after as usize)..], "after {after}");
    }
    assert_eq!(opened.store.records(&"other-1".parse().unwrap(), 0), Ok(vec![]));
    let log = read_log_file(&folder.path().join("journal.log")).unwrap();
    assert_eq!(log, [a, b].concat());
}

/// It would read most of a large store into memory after each start, to move pages about.
#[test]
fn no_thread_of_sled_works_by_itself() {
    let folder = filled(&[&chain("support-7", 5)]);
    let opened = open(folder.path()).unwrap();
    // A thread bears its name from its first step on: who has answered has gone further.
    append(&opened.store, &chain("support-7", 6)[5..]).unwrap();
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names: Vec<String> = tasks.filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok()).collect();
    assert!(names.iter().any(|name| name.trim() == "store"), "{names:?}");
    assert!(!names.iter().any(|name| name.contains("flush")), "{names:?}");
}

#[test]
fn a_record_that_does_not_continue_its_chain_is_refused_and_not_written() {
    let records = chain("support-7", 4);
    let folder = filled(&[&records[..2]]);
    let store = open(folder.path()).unwrap().store;
    let relinked = Record { previous: journal::GENESIS.into(), ..records[2].clone() };
    let changed = Record { reason: "other".into(), ..records[2].clone() };
    let other_run = Record { run: "support-8".parse().unwrap(), ..records[2].clone() };
    let cases: [(&str, Vec<Record>); 6] = [
        ("gap", vec![records[3].clone()]),
        ("twice", vec![records[1].clone()]),
        ("relinked", vec![relinked]),
        ("changed", vec![changed]),
        ("first of a run with number 3", vec![other_run]),
        ("good, then a repetition", vec![records[2].clone(), records[2].clone()]),
    ];
    for (case, bad) in cases {
        let result = append(&store, &bad);
        let why = result.unwrap_err().to_string();
        assert!(why.contains("nothing was written"), "{case}: {why}");
    }
    append(&store, &records[2..]).unwrap();
    drop(store);
    assert_eq!(reopened(folder.path()), [records]);
}

/// Some fractions change their last digit on the way through JSON; such a record must not be acknowledged and then found
/// damaged.
#[test]
fn what_is_acknowledged_can_be_read_whatever_its_numbers_are() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    let mut random = fastrand::Rng::with_seed(seed);
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap().store;
    let run = "support-7".parse().unwrap();
    let mut taken: Vec<Record> = Vec::new();
    for _ in 0..200 {
        let number = f64::from_bits(random.u64(..));
        let record = Record::chain(&run, taken.last(), entry("a number", serde_json::json!({"number": number})));
        match append(&store, std::slice::from_ref(&record)) {
            Ok(()) => taken.push(record),
            Err(error) => assert!(error.to_string().contains("does not match its own hash"), "SEED={seed} {number}: {error}"),
        }
    }
    drop(store);
    assert_eq!(reopened(folder.path()), [taken], "SEED={seed}");
}

#[test]
fn a_large_record_is_cut_into_chunks_and_never_becomes_a_blob() {
    let mut records = chain("support-7", 1);
    for bytes in [4000, 4096, 20 << 10, 100 << 10] {
        let run = &records[0].run;
        records.push(Record::chain(run, records.last(), entry("large", serde_json::json!({"text": "x".repeat(bytes)}))));
    }
    let folder = filled(&[&records]);
    assert_eq!(std::fs::read_dir(folder.path().join("db/blobs")).unwrap().count(), 0);
    assert_eq!(reopened(folder.path()), [records.clone()]);
    let huge = Record::chain(&records[0].run, records.last(), entry("huge", serde_json::json!("x".repeat(1 << 20))));
    let store = open(folder.path()).unwrap().store;
    let refused = append(&store, &[huge]).unwrap_err();
    assert!(!matches!(refused, StoreError::Failed(_)), "the store takes others: {refused}");
    assert!(refused.to_string().contains("the limit is 1048576"), "{refused}");
    append(&store, &[Record::chain(&records[0].run, records.last(), entry("small", serde_json::json!("x")))]).unwrap();
}

#[test]
fn many_appends_at_once_keep_each_runs_order() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(folder.path()).unwrap().store);
    let runs: Vec<Vec<Record>> = (1..=40).map(|run| chain(&format!("site-{run}"), 25)).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    runtime.block_on(async {
        let writers = runs.clone().into_iter().map(|records| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for record in records {
                    store.append(vec![record], Vec::new(), false).await.unwrap();
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
    });
    drop(store);
    let mut expected = runs;
    expected.sort_by(|a, b| a[0].run.cmp(&b[0].run));
    assert_eq!(reopened(folder.path()), expected);
    let log = read_log_file(&folder.path().join("journal.log")).unwrap();
    for records in expected {
        let of_run: Vec<Record> = log.iter().filter(|record| record.run == records[0].run).cloned().collect();
        assert_eq!(of_run, records);
    }
}

#[test]
fn outbox_items_come_with_their_record_and_stay_until_removed() {
    let folder = tempfile::tempdir().unwrap();
    let records = chain("support-7", 1);
    let (long, short) = ("x".repeat(10_000), "y".repeat(5));
    let (ops, pager) = (item("support-7/1/held", "ops", &long), item("support-7/1/held", "pager", &short));
    let store = open(folder.path()).unwrap().store;
    wait(store.append(records, vec![ops.clone(), pager.clone()], false)).unwrap();
    drop(store);

    let opened = open(folder.path()).unwrap();
    assert_eq!(opened.outbox, [ops.clone(), pager.clone()]);
    let shorter = OutboxItem { document: short.clone(), attempts: 1, ..ops.clone() };
    let longer = OutboxItem { document: long, attempts: 2, ..pager.clone() };
    wait(opened.store.outbox_update(&shorter)).unwrap();
    wait(opened.store.outbox_update(&longer)).unwrap();
    drop(opened);

    let opened = open(folder.path()).unwrap();
    assert_eq!(opened.outbox, [shorter, longer]);
    wait(opened.store.outbox_remove(&pager.id, "pager")).unwrap();
    wait(opened.store.outbox_remove(&pager.id, "unknown")).unwrap();
    drop(opened);
    assert_eq!(open(folder.path()).unwrap().outbox.len(), 1);
}

#[test]
fn a_second_store_on_the_same_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path()).unwrap();
    let error = refusal(folder.path());
    let pid = std::process::id().to_string();
    assert!(matches!(&error, OpenError::Locked { holder: Some(holder), .. } if *holder == pid), "{error:?}");
    assert!(error.to_string().contains("is in use by another process"), "{error}");
    assert!(matches!(changeover::drivers::store::rebuild(folder.path()), Err(OpenError::Locked { .. })));
    drop(first);
    open(folder.path()).unwrap();
}

#[test]
fn sleds_own_lock_counts_too() {
    let folder = filled(&[&chain("support-7", 1)]);
    let db = sled::open(folder.path().join("db")).unwrap();
    assert!(matches!(refusal(folder.path()), OpenError::Locked { .. }));
    drop(db);
    open(folder.path()).unwrap();
}

#[test]
fn a_newer_format_is_refused_and_kept() {
    let records = chain("support-7", 2);
    let folder = filled(&[&records]);
    let set = |value: &[u8]| {
        let db = sled::open(folder.path().join("db")).unwrap();
        db.insert("meta", value).unwrap();
    };
    set(br#"{"v":2}"#);
    let error = refusal(folder.path());
    assert!(matches!(error, OpenError::Newer { found: 2, supported: 1, .. }), "{error:?}");
    assert!(matches!(changeover::drivers::store::rebuild(folder.path()), Err(OpenError::Newer { .. })));
    set(br#"{"v":1}"#);
    assert_eq!(reopened(folder.path()), [records]);
}

#[test]
fn a_path_that_is_no_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    for path in [file.clone(), file.join("below")] {
        let error = refusal(&path);
        assert!(matches!(error, OpenError::Unusable { .. }), "{error:?}");
    }
    open(&folder.path().join("new/and/deep")).unwrap();
}

#[test]
fn an_exported_journal_is_read_with_and_without_checksums() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("export");
    let records = chain("support-7", 3);
    let plain: Vec<String> = records.iter().map(|record| serde_json::to_string(record).unwrap()).collect();
    std::fs::write(&path, format!("{}\n\n{} {:08x}\n{}", plain[0], plain[1], crc32c::crc32c(plain[1].as_bytes()), plain[2]))
        .unwrap();
    assert_eq!(read_log_file(&path).unwrap(), records);
    std::fs::write(&path, format!("{}\n{} 00000000\n", plain[0], plain[1])).unwrap();
    let error = read_log_file(&path).unwrap_err();
    assert!(error.to_string().ends_with(":2"), "{error}");
    assert!(matches!(Store::open(&path, &small()), Err(OpenError::Unusable { .. })));
}
