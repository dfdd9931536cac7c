//! The switch that ends the process at a chosen record, for tests of crashes. Compiled with the feature `test-kill` only.

use super::error::OpenError;

/// When to end the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kill {
    Never,
    /// Just before the commit that contains a record with this number is written.
    Before(u64),
    /// Just after a record with this number is durable in both files, before its caller hears of it.
    After(u64),
}

impl Kill {
    /// Reads `CHANGEOVER_TEST_KILL`: `after:<n>` or `before:<n>`.
    pub(super) fn from_environment() -> Result<Self, OpenError> {
        let Some(text) = std::env::var_os("CHANGEOVER_TEST_KILL") else { return Ok(Self::Never) };
        let text = text.to_string_lossy();
        let parsed = text.split_once(':').and_then(|(when, number)| match (when, number.parse()) {
            ("before", Ok(number)) => Some(Self::Before(number)),
            ("after", Ok(number)) => Some(Self::After(number)),
            _ => None,
        });
        parsed.ok_or_else(|| OpenError::TestKill(text.into_owned()))
    }

    /// Whether commits must hold one job each, so that "before" and "after" are exact.
    pub(super) fn is_armed(self) -> bool {
        self != Self::Never
    }

    /// `records`: the numbers of those that are about to be committed.
    pub(super) fn before_commit(self, mut records: impl Iterator<Item = u64>) {
        if matches!(self, Self::Before(number) if records.any(|seq| seq == number)) {
            end();
        }
    }

    /// `records`: the numbers of those that were committed.
    pub(super) fn after_commit(self, mut records: impl Iterator<Item = u64>) {
        if matches!(self, Self::After(number) if records.any(|seq| seq == number)) {
            end();
        }
    }
}

fn end() -> ! {
    // Nothing is left to do if the kernel refuses; the loop below keeps the promise that nothing later begins.
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    loop {
        std::thread::park();
    }
}
