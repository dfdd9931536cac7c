//! How much room there is on the disk of the state folder, for files that are fetched into it.

use std::path::Path;

use rustix::fs::statvfs;

/// Bytes that may be written there; `None` where it can't be told (the folder is not there yet).
pub fn free_bytes(state: &Path) -> Option<u64> {
    #[cfg(feature = "test-kill")]
    if let Some(free) = pretended(state) {
        return Some(free);
    }
    let disk = statvfs(state).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// A number in `test-free` of the state folder stands for what is free, for tests of a full disk that fill none.
#[cfg(feature = "test-kill")]
fn pretended(state: &Path) -> Option<u64> {
    std::fs::read_to_string(state.join("test-free")).ok()?.trim().parse().ok()
}

/// # Errors
/// There is less; the text is for an operator: it ends with `more`, why so much is needed, how things stand and what to do. Where it
/// can't be told nothing stands against it.
pub fn must_have(state: &Path, needed: u64, more: &str) -> Result<(), String> {
    match free_bytes(state) {
        Some(free) if free < needed => {
            Err(format!("the disk of `{}` has {free} bytes free, {needed} are needed: {more}", state.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bg_01_room_is_asked_for_before_anything_is_fetched() {
        let folder = tempfile::tempdir().unwrap();
        let free = free_bytes(folder.path()).unwrap();
        assert!(free > 0);
        assert_eq!(must_have(folder.path(), 1, "make room"), Ok(()));
        let error = must_have(folder.path(), u64::MAX, "make room").unwrap_err();
        assert!(error.contains("are needed") && error.contains("make room"), "{error}");
        assert_eq!(must_have(Path::new("/nowhere/at/all"), u64::MAX, "make room"), Ok(()));
    }
}
