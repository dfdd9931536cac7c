//! A folder in memory, for tests in which nothing depends on a disk.

use tempfile::TempDir;

/// So much must be free there: a daemon reserves 32 MiB, some tests send packages of 64, and several run at once.
const ENOUGH: u64 = 1 << 30;

/// A folder in memory where the system has one with room, else an ordinary one.
///
/// What a killed process has written is there afterwards on either; only a power cut tells them apart, and that is judged
/// elsewhere (`tests/power_cut.py`). But on a disk each record waits for two syncs: twelve deaths at a record, three at a time, took
/// 58 and 93 s there, and 36 and 54 s in memory.
pub fn in_memory() -> TempDir {
    let place = "/dev/shm";
    let roomy = rustix::fs::statvfs(place).is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) >= ENOUGH);
    let folder = if roomy { tempfile::tempdir_in(place) } else { tempfile::tempdir() };
    folder.or_else(|_| tempfile::tempdir()).unwrap()
}
