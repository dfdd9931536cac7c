//! A disk that fills up, and files that may not grow.

use std::fs;
use std::process::Command;

use super::*;

/// A small file system of its own, unmounted at the end; none where the test may not mount.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(place: &Path, mebibytes: u32) -> Option<Self> {
        let path = place.join("disk");
        fs::create_dir(&path).unwrap();
        let size = format!("size={mebibytes}m");
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&path).status();
        if status.is_ok_and(|status| status.success()) {
            Some(Self(path))
        } else {
            println!("skipped: a tmpfs can't be mounted here (not root, or no permission to mount)");
            None
        }
    }

    /// Takes all space but `leave` bytes.
    fn ballast(&self, leave: u64) -> PathBuf {
        let (path, disk) = (self.0.join("ballast"), rustix::fs::statvfs(&self.0).unwrap());
        let bytes = (disk.f_bavail * disk.f_frsize - leave) as usize;
        fs::write(&path, vec![1; bytes]).unwrap();
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

const RESERVE: u64 = 4 << 20;

fn options() -> Options {
    Options { reserve_bytes: RESERVE, low_water_bytes: 2 << 20, ..Options::default() }
}

#[test]
fn with_only_the_reserve_left_essential_records_still_go_through() {
    let place = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(place.path(), 32) else { return };
    let state = disk.0.join("state");
    let mut records = chain("support-7", 60).into_iter();
    let mut next = || vec![records.next().unwrap()];
    let store = Store::open(&state, &options()).unwrap().store;
    wait(store.append(next(), vec![], false)).unwrap();
    let reserve = state.join("reserve");
    assert_eq!(fs::metadata(&reserve).unwrap().len(), RESERVE);
    assert!(!store.space().unwrap().only_reserve);

    let ballast = disk.ballast(600 << 10);
    assert!(store.space().unwrap().only_reserve);
    let refused = wait(store.append(chain("other-1", 1), vec![], false));
    assert!(matches!(refused, Err(StoreError::OnlyReserve { .. })), "{refused:?}");
    for _ in 0..40 {
        wait(store.append(next(), vec![], true)).unwrap();
    }
    assert!(!reserve.exists(), "the reserve was given back");
    assert!(store.space().unwrap().only_reserve, "what is left of the reserve is no room for others");

    fs::remove_file(ballast).unwrap();
    wait(store.append(next(), vec![], false)).unwrap();
    assert_eq!(fs::metadata(&reserve).unwrap().len(), RESERVE, "made again");
    drop(store);
    assert_eq!(all(&mut Store::open(&state, &options()).unwrap()), [chain("support-7", 42)]);
}

#[test]
fn a_full_disk_is_a_final_error_and_the_reserve_lets_the_store_open_on_it() {
    let place = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(place.path(), 32) else { return };
    let state = disk.0.join("state");
    let records = chain("support-7", 3);
    // Without a low-water mark nothing is refused in time.
    let careless = Options { low_water_bytes: 0, ..options() };
    let store = Store::open(&state, &careless).unwrap().store;
    append(&store, &records[..1]).unwrap();
    let ballast = disk.ballast(0);
    let large = Record::chain(&records[0].run, Some(&records[0]), entry("large", serde_json::json!("x".repeat(900_000))));
    for attempt in [vec![large], records[1..2].to_vec()] {
        let result = append(&store, &attempt);
        assert!(matches!(result, Err(StoreError::Failed(_))), "{result:?}");
    }
    drop(store);

    let mut opened = Store::open(&state, &options()).unwrap();
    assert_eq!(all(&mut opened), [records[..1].to_vec()]);
    wait(opened.store.append(records[1..2].to_vec(), vec![], true)).unwrap();
    assert!(!state.join("reserve").exists());
    drop(opened);
    fs::remove_file(ballast).unwrap();
    let opened = Store::open(&state, &options()).unwrap();
    append(&opened.store, &records[2..]).unwrap();
    assert_eq!(opened.store.records(&records[0].run, 0).unwrap(), records);
}

#[test]
fn a_disk_without_room_for_a_store_is_said_to_be_full_and_not_damaged() {
    let place = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(place.path(), 8) else { return };
    let state = disk.0.join("state");
    fs::create_dir(&state).unwrap();
    disk.ballast(0);
    let error = refusal(&state);
    assert!(matches!(error, OpenError::Full { .. }), "{error:?}");
}

/// With a file size limit, writes fail with EFBIG at some record; what was acknowledged before is there afterwards.
#[test]
fn a_file_size_limit_is_a_final_error_and_loses_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    // In units of 512 bytes: a little more than the 512 KiB that sled needs to open; the second such piece is too much.
    let script = "ulimit -f 1100; trap '' XFSZ; exec \"$0\" \"$@\"";
    let output = child::command_through(&["sh", "-c", script], &state, "until-failure").output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let acknowledged = said.lines().filter(|line| line.starts_with("acknowledged ")).count();
    assert!(said.contains("final: the journal could not be written"), "{said}");
    let records = reopened(&state).concat();
    assert!((1..=records.len()).contains(&acknowledged), "{} records of {acknowledged} acknowledged", records.len());
    assert_eq!(records, child::records()[..records.len()]);
}

#[test]
fn a_log_that_can_not_grow_is_a_final_error_too() {
    let place = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(place.path(), 1) else { return };
    let state = place.path().join("state");
    fs::create_dir(&state).unwrap();
    fs::write(disk.0.join("log"), "").unwrap();
    std::os::unix::fs::symlink(disk.0.join("log"), state.join("journal.log")).unwrap();
    let records = child::records();
    let store = open(&state).unwrap().store;
    append(&store, &records[..3]).unwrap();
    let ballast = disk.ballast(0);
    let failed = records.iter().enumerate().skip(3).find(|(_, record)| append(&store, std::slice::from_ref(record)).is_err());
    let (acknowledged, record) = failed.expect("an append that fails");
    let again = append(&store, std::slice::from_ref(record));
    assert!(matches!(&again, Err(StoreError::Failed(why)) if why.starts_with("journal.log: ")), "{again:?}");
    drop(store);
    fs::remove_file(ballast).unwrap();
    assert_eq!(reopened(&state).concat(), records[..acknowledged]);
}
