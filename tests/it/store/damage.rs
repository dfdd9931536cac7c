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

    fn with(records: Vec<Vec<Record>>) -> Self {
        let whole = filled(&[&records[0], &records[1]]);
        // The second opening makes a snapshot, so that there is one to cut.
        assert_eq!(reopened(whole.path()), records);
        Self { whole, place: tempfile::tempdir().unwrap(), records }
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

fn cut(path: &Path, length: u64) {
    File::options().write(true).open(path).unwrap().set_len(length).unwrap();
}

fn turn_over(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// A sample of the lengths, and each of those near the end: all of them would take two minutes.
#[test]
fn a_shorter_log_reopens_to_all_records() {
    let bench = Bench::new();
    let length = fs::metadata(bench.whole.path().join("journal.log")).unwrap().len();
    let step = usize::try_from(length / 60).unwrap();
    let near_the_end = length.saturating_sub(12)..length;
    for keep in (0..length).step_by(step).chain(near_the_end) {
        let state = bench.state();
        cut(&state.join("journal.log"), keep);
        assert!(bench.judge(&state, &format!("log cut to {keep} of {length}")), "log cut to {keep} of {length} was refused");
    }
    let state = bench.state();
    fs::remove_file(state.join("journal.log")).unwrap();
    assert!(bench.judge(&state, "no log"));
}

/// A sample of the lengths, as above.
#[test]
fn a_shorter_file_of_sled_reopens_to_all_records_or_refuses() {
    let bench = Bench::new();
    let (mut good, mut refused) = (0, 0);
    for file in db_files(bench.whole.path()) {
        let (length, name) = (fs::metadata(&file).unwrap().len(), file.file_name().unwrap());
        let step = usize::try_from(length / 50).unwrap().max(1);
        for keep in (0..length).step_by(step).chain(length - length.min(3)..length) {
            let (state, case) = (bench.state(), format!("{} cut to {keep} of {length}", name.display()));
            cut(&state.join("db").join(name), keep);
            let log = fs::read(state.join("journal.log")).unwrap();
            if bench.judge(&state, &case) {
                good += 1
            } else {
                refused += 1
            }
            assert_eq!(fs::read(state.join("journal.log")).unwrap(), log, "{case}: the log changed");
        }
        let state = bench.state();
        fs::remove_file(state.join("db").join(name)).unwrap();
        bench.judge(&state, &format!("without {}", name.display()));
    }
    println!("{good} reopened, {refused} refused");
    assert!(good > 0, "not one was reopened");
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
