//! Process groups and their ending.

use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use serde::{Deserialize, Serialize};

/// How long a killed group may take to vanish (a process in an uninterruptible read may take for ever).
pub(super) const AFTER_KILL: Duration = Duration::from_secs(5);

/// How often a group that was told to end is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// One process, told apart from later ones with the same number: by its start time, and by the boot it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Process {
    /// Also the number of its group: each program leads its own.
    pub pid: i32,
    /// Clock ticks since boot, field 22 of `/proc/<pid>/stat`.
    pub start: u64,
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot: String,
}

impl Process {
    /// The running process with this number.
    pub fn find(pid: u32) -> Result<Self, String> {
        let pid = i32::try_from(pid).map_err(|_| format!("process number {pid} is out of range"))?;
        let (_, start) = stat(pid).ok_or_else(|| format!("`/proc/{pid}/stat` can't be read"))?;
        Ok(Self { pid, start, boot: boot_id() })
    }

    pub fn pid(&self) -> Option<Pid> {
        // Number 1 leads no group of ours, and a negative one would name something else.
        Pid::from_raw(self.pid.max(0)).filter(|_| self.pid > 1)
    }

    /// False once it has ended, also while nobody has collected its exit code.
    pub fn is_alive(&self) -> bool {
        self.boot == boot_id() && stat(self.pid).is_some_and(|(state, start)| start == self.start && !matches!(state, 'Z' | 'X'))
    }

    /// Returns once the process has ended.
    pub async fn gone(&self, look_again: Duration) {
        while self.is_alive() {
            tokio::time::sleep(look_again).await;
        }
    }
}

/// Ends a group: SIGTERM, after `grace` SIGKILL. Returns when nothing of it is left, or soon after the SIGKILL.
pub(super) async fn end(group: Option<Pid>, grace: Duration) {
    let Some(group) = group else { return };
    signal(group, Signal::TERM);
    if !gone_within(group, grace).await {
        signal(group, Signal::KILL);
        gone_within(group, AFTER_KILL).await;
    }
}

/// Kills what is left of a group when the value goes: at the program's end, or when the daemon stops in between.
pub(super) struct KillOnDrop(Option<Pid>);

impl KillOnDrop {
    pub fn new(pid: Option<u32>) -> Self {
        Self(number(pid))
    }
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            signal(group, Signal::KILL);
        }
    }
}

/// The group that a child leads.
pub(super) fn number(pid: Option<u32>) -> Option<Pid> {
    pid.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw)
}

fn signal(group: Pid, signal: Signal) {
    match kill_process_group(group, signal) {
        // A group that is gone is what was wanted.
        Ok(()) | Err(Errno::SRCH) => {}
        Err(error) => tracing::warn!(group = group.as_raw_nonzero().get(), "a process group could not be signalled: {error}"),
    }
}

/// A group exists as long as it has a member, so its number can't belong to another one before it is gone here.
async fn gone_within(group: Pid, limit: Duration) -> bool {
    let gone = async {
        while test_kill_process_group(group) != Err(Errno::SRCH) {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    tokio::time::timeout(limit, gone).await.is_ok()
}

/// State and start time. The second field, the file's name in parentheses, may hold anything, so reading begins behind it.
fn stat(pid: i32) -> Option<(char, u64)> {
    let text = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    let mut fields = text.get(text.rfind(')')? + 1..)?.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    // Field 22; `fields` now begins at field 4.
    Some((state, fields.nth(18)?.parse().ok()?))
}

fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_from_a_later_one_with_its_number() {
        let own = Process::find(std::process::id()).unwrap();
        assert!(own.is_alive());
        assert!(!Process { start: own.start + 1, ..own.clone() }.is_alive());
        assert!(!Process { boot: "another".to_owned(), ..own.clone() }.is_alive());
        assert!(!Process { pid: i32::MAX, ..own }.is_alive());
    }

    #[test]
    fn no_number_names_a_group_that_is_not_ours() {
        for pid in [0, 1, -1, i32::MIN] {
            assert_eq!(Process { pid, start: 1, boot: String::new() }.pid(), None, "{pid}");
        }
    }
}
