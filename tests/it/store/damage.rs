//! Damage: whatever is cut, torn or turned over, a store opens with every acknowledged record or refuses with the hint.

use std::fs::{self, File};

use changeover::drivers::store::{Rebuilt, rebuild};

use super::*;

/// A closed store to be damaged again and again, and the copy that is damaged.
struct Bench {
    whole: tempfile::TempDir,
    place: tempfile::TempDir,
    records: Vec<Vec<Record>>,
}

impl Bench {
    fn new() -> Self {
        Self::with(vec![chain("eu-west-12", 4), chain("support-7", 8)])
    }

    /// So few records that every length of a file can be tried.
    fn tiny() -> Self {
        Self::with(vec![chain("a-1", 1), chain("b-1", 3)])
    }

    fn with(records: Vec<Vec<Record>>) -> Self {
        let whole = in_memory();
        fill(whole.path(), &[&records[0], &records[1]]);
        // The second opening makes a snapshot, so that there is one to cut.
        assert_eq!(reopened(whole.path()), records);
        Self { whole, place: in_memory(), records }
    }

    /// A fresh copy.
    fn state(&self) -> PathBuf {
        let state = self.place.path().join("state");
        if state.exists() {
            fs::remove_dir_all(&state).unwrap();
        }
        copy(self.whole.path(), &state);
        state
    }

    fn log(&self) -> Vec<u8> {
        fs::read(self.whole.path().join("journal.log")).unwrap()
    }

    /// Everything is there although the log was cut, and the log has every line again.
    fn reopens_with_log_cut_to(&self, keep: usize) {
        let (state, case) = (self.state(), format!("log cut to {keep}"));
        let log = state.join("journal.log");
        cut(&log, keep as u64);
        assert!(self.judge(&state, &case), "{case} was refused");
        assert_eq!(lines(&fs::read(log).unwrap()), lines(&self.log()), "{case}");
    }

    /// Cuts each file of sled's to the lengths that are asked for, and takes each away: it reopens to everything or refuses, and
    /// the log stays as it was.
    fn judge_shorter_sled(&self, lengths: impl Fn(&[u8]) -> Vec<usize>) {
        let (mut good, mut refused) = (0, 0);
        for file in db_files(self.whole.path()) {
            let (bytes, name) = (fs::read(&file).unwrap(), file.file_name().unwrap());
            for keep in lengths(&bytes) {
                let (state, case) = (self.state(), format!("{} cut to {keep} of {}", name.display(), bytes.len()));
                cut(&state.join("db").join(name), keep as u64);
                if self.judge(&state, &case) {
                    good += 1
                } else {
                    refused += 1
                }
                assert!(fs::read(state.join("journal.log")).unwrap() == self.log(), "{case}: the log changed");
            }
            let state = self.state();
            fs::remove_file(state.join("db").join(name)).unwrap();
            self.judge(&state, &format!("without {}", name.display()));
        }
        println!("{good} reopened, {refused} refused");
        assert!(good > 0, "not one was reopened");
    }

    /// Opens; the answer must be everything, or the refusal with the hint.
    fn judge(&self, state: &Path, case: &str) -> bool {
        match open(state) {
            Ok(mut opened) => {
                assert_eq!(all(&mut opened), self.records, "{case}");
                drop(opened);
                assert_eq!(reopened(state), self.records, "{case}, second opening");
                true
            }
            Err(error) => {
                assert_damaged(&error, case);
                false
            }
        }
    }
}

/// The lines of a log in an order of their own: a log that is completed has the missing ones at its end, run by run.
fn lines(log: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<&[u8]> = log.split_inclusive(|byte| *byte == b'\n').collect();
    lines.sort_unstable();
    lines
}

fn cut(path: &Path, length: u64) {
    File::options().write(true).open(path).unwrap().set_len(length).unwrap();
}

fn turn_over(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// Each length of the log of a small store: 1,364 of them, in 6 s of processor time.
#[test]
fn every_shorter_log_reopens_to_all_records() {
    let bench = Bench::tiny();
    let length = bench.log().len();
    (0..length).for_each(|keep| bench.reopens_with_log_cut_to(keep));
    let state = bench.state();
    fs::remove_file(state.join("journal.log")).unwrap();
    assert!(bench.judge(&state, "no log"));
}

/// A sample of the lengths of a larger one.
#[test]
fn a_shorter_log_reopens_to_all_records() {
    let bench = Bench::new();
    let length = bench.log().len();
    let near_the_end = length.saturating_sub(12)..length;
    (0..length).step_by(length / 60).chain(near_the_end).for_each(|keep| bench.reopens_with_log_cut_to(keep));
}

/// Each length of sled's files as far as they hold data, in a small store: 1.6 KiB of the large one, and both small ones
/// whole. Behind that the large one is zeros to the end of its 512 KiB, which sled reads as the place of the next message
/// wherever it is cut; all of those lengths would take half an hour, so one in a KiB is tried.
#[test]
fn every_shorter_file_of_sled_reopens_to_all_records_or_refuses() {
    Bench::tiny().judge_shorter_sled(|bytes| {
        let data = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let nearly_all = bytes.len().saturating_sub(3)..bytes.len();
        (0..bytes.len().min(data + 64)).chain((data..bytes.len()).step_by(1024)).chain(nearly_all).collect()
    });
}

/// A sample of the lengths of a larger one.
#[test]
fn a_shorter_file_of_sled_reopens_to_all_records_or_refuses() {
    Bench::new().judge_shorter_sled(|bytes| {
        let nearly_all = bytes.len() - bytes.len().min(3)..bytes.len();
        (0..bytes.len()).step_by((bytes.len() / 50).max(1)).chain(nearly_all).collect()
    });
}

#[test]
fn without_sleds_folder_it_is_filled_again_and_told() {
    let bench = Bench::new();
    let state = bench.state();
    fs::remove_dir_all(state.join("db")).unwrap();
    for _ in 0..2 {
        let opened = open(&state).unwrap();
        assert_eq!(sorted(opened.recovered), bench.records.concat(), "told until settled");
    }
    wait(open(&state).unwrap().store.settle_recovered()).unwrap();
    let mut opened = open(&state).unwrap();
    assert!(opened.recovered.is_empty());
    assert_eq!(all(&mut opened), bench.records);
}

fn sorted(mut records: Vec<Record>) -> Vec<Record> {
    records.sort_by_key(|record| (record.run.clone(), record.seq));
    records
}

#[test]
fn a_torn_last_line_is_cut_off() {
    let bench = Bench::new();
    let mut next = chain("support-7", 9).pop().map(|record| serde_json::to_vec(&record).unwrap()).unwrap();
    next.truncate(next.len() / 2);
    for (case, tail) in [("half a record", next), ("zeros", vec![0; 5000]), ("no checksum", b"{}\n".to_vec())] {
        let state = bench.state();
        let log = state.join("journal.log");
        let whole = fs::read(&log).unwrap();
        fs::write(&log, [whole.clone(), tail].concat()).unwrap();
        assert!(bench.judge(&state, case), "{case}");
        assert_eq!(fs::read(&log).unwrap(), whole, "{case}");
    }
}

#[test]
fn a_turned_over_byte_in_the_log_is_damage_and_nothing_is_touched() {
    let bench = Bench::new();
    let length = fs::read(bench.whole.path().join("journal.log")).unwrap().len();
    for at in (0..length * 9 / 10).step_by(length / 23) {
        let (state, case) = (bench.state(), format!("byte {at}"));
        turn_over(&state.join("journal.log"), at);
        let before = contents(&state);
        assert_damaged(&refusal(&state), &case);
        assert_eq!(contents(&state), before, "{case}");
    }
}

/// The bytes of the log and of sled's files.
fn contents(state: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = db_files(state);
    files.push(state.join("journal.log"));
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn a_turned_over_byte_in_sled_loses_nothing() {
    let bench = Bench::new();
    let length = fs::read(bench.whole.path().join("db/db")).unwrap().len();
    for at in (0..length).step_by(length / 40) {
        let state = bench.state();
        turn_over(&state.join("db/db"), at);
        bench.judge(&state, &format!("byte {at} of sled's file"));
    }
}

/// What a power cut can leave of a write that no sync covered: blocks of zeros anywhere in the file. sled panics at some.
#[test]
fn blocks_of_sleds_file_that_are_lost_lose_nothing() {
    let bench = Bench::with(vec![chain("eu-west-12", 150), chain("support-7", 250)]);
    let bytes = fs::read(bench.whole.path().join("db/db")).unwrap();
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    let mut random = fastrand::Rng::with_seed(seed);
    for case in 0..60 {
        let mut holed = bytes.clone();
        let lost: Vec<usize> = (0..random.usize(1..6)).map(|_| random.usize(0..bytes.len() / 4096)).collect();
        lost.iter().for_each(|block| holed[block * 4096..(block + 1) * 4096].fill(0));
        let state = bench.state();
        fs::write(state.join("db/db"), holed).unwrap();
        bench.judge(&state, &format!("case {case} with SEED={seed}: blocks {lost:?} lost"));
    }
}

/// Files of sled's folder that were synced at different times: each whole, together not.
#[test]
fn files_of_sled_from_different_times_lose_nothing() {
    let (early, late) = (Bench::new(), Bench::with(vec![chain("eu-west-12", 150), chain("support-7", 250)]));
    for (bench, other) in [(&early, &late), (&late, &early)] {
        for name in ["db", "snapshot"] {
            let state = bench.state();
            let is_meant = |path: &PathBuf| (path.file_name().unwrap() == "db") == (name == "db") && !path.ends_with("conf");
            db_files(&state).into_iter().filter(is_meant).for_each(|path| fs::remove_file(path).unwrap());
            for path in db_files(other.whole.path()).into_iter().filter(is_meant) {
                fs::copy(&path, state.join("db").join(path.file_name().unwrap())).unwrap();
            }
            let log = fs::read(state.join("journal.log")).unwrap();
            match open(&state) {
                Ok(mut opened) => assert!(all(&mut opened).concat().len() >= bench.records.concat().len(), "{name}"),
                Err(error) => {
                    println!("{name}: {error}");
                    assert_damaged(&error, name);
                    assert_eq!(fs::read(state.join("journal.log")).unwrap(), log, "{name}");
                }
            }
        }
    }
}

#[test]
fn chains_that_part_are_damage() {
    let bench = Bench::new();
    let mut other = chain("support-7", 7);
    let run = &other[0].run;
    other.push(Record::chain(run, other.last(), entry("another eighth", serde_json::Value::Null)));
    let elsewhere = filled(&[&bench.records[0], &other]);
    let state = bench.state();
    fs::copy(elsewhere.path().join("journal.log"), state.join("journal.log")).unwrap();
    let log = fs::read(state.join("journal.log")).unwrap();
    for _ in 0..2 {
        let error = refusal(&state);
        assert_damaged(&error, "parting chains");
        assert!(error.to_string().contains("part at record 8"), "{error}");
        assert_eq!(fs::read(state.join("journal.log")).unwrap(), log);
    }
}

#[test]
fn the_longer_chain_wins_for_each_run_by_itself() {
    let (a, b) = (chain("a-1", 6), chain("b-1", 6));
    let (in_sled, in_log) = (filled(&[&a, &b[..2]]), filled(&[&a[..3], &b]));
    fs::copy(in_log.path().join("journal.log"), in_sled.path().join("journal.log")).unwrap();
    let mut opened = open(in_sled.path()).unwrap();
    assert_eq!(opened.recovered, b[2..]);
    assert_eq!(all(&mut opened), [a.clone(), b.clone()]);
    drop(opened);
    fs::remove_dir_all(in_sled.path().join("db")).unwrap();
    assert_eq!(reopened(in_sled.path()), [a, b], "the log was completed too");
}

#[test]
fn rebuilding_gives_the_same_runs() {
    let bench = Bench::new();
    type Ruin = fn(&Path);
    let ruin: [(&str, Ruin); 6] = [
        ("nothing", |_| {}),
        ("no db", |state| fs::remove_dir_all(state.join("db")).unwrap()),
        ("sled's file cut", |state| cut(&state.join("db/db"), 700)),
        ("ended while the new db was written", |state| copy(&state.join("db"), &state.join("db.new"))),
        ("ended while the new log was written", |state| fs::write(state.join("journal.log.new"), "{").unwrap()),
        ("ended between the two names", |state| {
            copy(&state.join("db"), &state.join("db.new"));
            fs::rename(state.join("db"), state.join("db.old-1")).unwrap();
        }),
    ];
    for (case, ruin) in ruin {
        let state = bench.state();
        ruin(&state);
        let rebuilt = rebuild(&state).unwrap();
        assert_eq!(counts(&rebuilt), [4, 8], "{case}");
        assert!(rebuilt.damaged.is_empty() && rebuilt.lost.is_empty(), "{case}: {rebuilt:?}");
        assert!(rebuilt.moved.iter().all(|moved| moved.exists()), "{case}");
        assert!(bench.judge(&state, case), "{case}");
        assert_eq!(counts(&rebuild(&state).unwrap()), [4, 8], "{case}, repeated");
        assert!(bench.judge(&state, case), "{case}, repeated");
        for leftover in ["db.new", "db.copy", "journal.log.new"] {
            assert!(!state.join(leftover).exists(), "{case}: {leftover}");
        }
    }
}

fn counts(rebuilt: &Rebuilt) -> Vec<u64> {
    rebuilt.runs.iter().map(|(_, count)| *count).collect()
}

#[test]
fn rebuilding_from_a_damaged_log_takes_what_the_old_db_has() {
    let bench = Bench::new();
    let state = bench.state();
    let in_line_six = line_start(&state.join("journal.log"), 6) + 100;
    turn_over(&state.join("journal.log"), in_line_six);
    let rebuilt = rebuild(&state).unwrap();
    assert_eq!((rebuilt.damaged[0].line, rebuilt.damaged.len(), rebuilt.lost.len()), (6, 1, 0), "{rebuilt:?}");
    assert_eq!(rebuilt.restored, [("support-7".parse().unwrap(), 2)]);
    assert_eq!(rebuilt.moved.len(), 2, "{rebuilt:?}");
    assert!(bench.judge(&state, "after the rebuilding"));
}

#[test]
fn rebuilding_from_a_damaged_log_alone_keeps_each_runs_beginning_and_says_what_is_lost() {
    let bench = Bench::new();
    let state = bench.state();
    let in_line_seven = line_start(&state.join("journal.log"), 7) + 100;
    turn_over(&state.join("journal.log"), in_line_seven);
    fs::remove_dir_all(state.join("db")).unwrap();
    let rebuilt = rebuild(&state).unwrap();
    assert_eq!((rebuilt.damaged[0].line, counts(&rebuilt)), (7, vec![4, 2]));
    let lost: Vec<u64> = rebuilt.lost.iter().map(|(_, seq)| *seq).collect();
    assert_eq!(lost, [4, 5, 6, 7, 8]);
    assert_eq!(reopened(&state), [bench.records[0].clone(), bench.records[1][..2].to_vec()]);
}

/// Where a line, counted from 1, begins.
fn line_start(path: &Path, line: usize) -> usize {
    let bytes = fs::read(path).unwrap();
    bytes.split_inclusive(|byte| *byte == b'\n').take(line - 1).map(<[u8]>::len).sum()
}

#[test]
fn the_outbox_survives_a_rebuilding_if_the_old_db_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap().store;
    let item = item("support-7/1/held", "ops", "{}");
    wait(store.append(chain("support-7", 1), vec![item.clone()], false)).unwrap();
    drop(store);
    rebuild(folder.path()).unwrap();
    let opened = open(folder.path()).unwrap();
    assert_eq!((opened.outbox, opened.recovered), (vec![item], vec![]));
}
