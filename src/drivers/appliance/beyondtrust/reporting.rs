//! Extraction of session records over the reporting API (R9, BG-50).
//!
//! Closed sessions are asked for by the time of their end, in windows that overlap; sessions without an end (still open, or
//! closed abnormally) are found by the time of their start. Every answer is kept as received, also an empty one: it is the
//! evidence. Sessions are told apart by LSID, never by LSEQ. Only support sessions: presentations, surveys and recordings are
//! not in these reports.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;

use super::client::{Api, Call, CallError, check_streamed, within};
use super::download::{Downloaded, local};
use super::sessions::session_ids;
use super::token::Token;
use crate::ports::ProducedFile;

/// Windows overlap by this much, and reach this much beyond both ends: more than two clocks may differ (`policy.max_clock_skew`).
const OVERLAP: SignedDuration = SignedDuration::from_mins(10);
/// One window's length: few calls for the usual range of hours to days, and two days of a large site's records (some
/// thousand sessions of some 100 KB) stay below [`MAX_REPORT`].
const WINDOW: SignedDuration = SignedDuration::from_hours(48);
/// More windows than this are made longer instead: bounds the number of calls (the box takes 15,000 an hour).
const MAX_WINDOWS: i64 = 400;
/// How long before the range a session without an end may have begun; one that began earlier is not found.
const OPEN_SINCE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Bounds one report on disk; its parsing needs memory only for the ids.
const MAX_REPORT: u64 = 1 << 30;

/// What an extraction gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extraction {
    pub files: Vec<ProducedFile>,
    /// Sessions in them, each counted once.
    pub sessions: u64,
}

/// Fetches the records of every session that ended from `since` to `until`, or is open.
///
/// # Effect
/// Load on the box. Nothing changes there.
///
/// # Repeat
/// Safe; further files.
///
/// # Errors
/// `Unusable` also if the box's listing, taken before, names a session that no report holds. Nothing is left in `directory`
/// then.
///
/// # Source
/// Vendor documentation of the reporting API: `end_time` gives only closed sessions, `start_time` open ones too.
pub async fn extract(
    api: &Api,
    since: Timestamp,
    until: Timestamp,
    directory: &Path,
    stem: &str,
) -> Result<Extraction, CallError> {
    let mut pass = Pass { api, directory, stem, kept: Kept::default() };
    let mut listed = BTreeSet::new();
    let mut found = BTreeSet::new();
    // Open ones first: one that closes meanwhile is then also fetched as it ended.
    for window in windows(earlier(since, OPEN_SINCE), until) {
        found.extend(pass.report("SupportSession", "start_time", window).await?);
    }
    for window in windows(since, until) {
        listed.extend(pass.report("SupportSessionListing", "end_time", window).await?);
        found.extend(pass.report("SupportSession", "end_time", window).await?);
    }
    check_complete(&listed, &found)?;
    Ok(Extraction { files: pass.kept.release(), sessions: found.len() as u64 })
}

/// Sessions may end between the two calls, so the reports may hold more than the listing, never less.
fn check_complete(listed: &BTreeSet<String>, found: &BTreeSet<String>) -> Result<(), CallError> {
    let missing: Vec<&str> = listed.difference(found).map(String::as_str).collect();
    let Some(first) = missing.first() else { return Ok(()) };
    let (missing, listed) = (missing.len(), listed.len());
    Err(CallError::Unusable(format!(
        "the listing names {listed} closed sessions, and the reports lack {missing} of them (`{first}` is one); nothing was kept"
    )))
}

/// One extraction's calls and what they left on disk.
struct Pass<'a> {
    api: &'a Api,
    directory: &'a Path,
    stem: &'a str,
    kept: Kept,
}

impl Pass<'_> {
    /// Fetches and keeps one report; the ids in it.
    async fn report(&mut self, kind: &str, by: &str, window: Window) -> Result<BTreeSet<String>, CallError> {
        let name = format!("{}-{kind}-{by}-{}.xml", self.stem, window.start);
        let call = Call {
            method: Method::GET,
            path: "/api/reporting",
            query: vec![
                ("generate_report", kind.to_owned()),
                (by, window.start.to_string()),
                ("duration", window.seconds.to_string()),
            ],
        };
        let (file, ids) = self.api.authorised(|token| self.download(token, &call, &name)).await?;
        self.kept.files.push(file.keep()?);
        Ok(ids)
    }

    async fn download(&self, token: Token, call: &Call<'_>, name: &str) -> Result<(Downloaded, BTreeSet<String>), CallError> {
        let limits = &self.api.limits;
        let response = within(limits.first_byte, "no beginning of the report", self.api.send(&token, call)).await?;
        let response = check_streamed(response).await?;
        let file = Downloaded::receive(response, self.directory, name, MAX_REPORT, limits).await?;
        let ids = ids_in_file(file.temporary().to_owned()).await?;
        Ok((file, ids))
    }
}

/// Reads a report on a thread for blocking work: it may be long.
async fn ids_in_file(path: PathBuf) -> Result<BTreeSet<String>, CallError> {
    let read = move || {
        let file = File::open(&path).map_err(|error| local(&path, &error))?;
        session_ids(BufReader::new(file))
    };
    tokio::task::spawn_blocking(read).await.map_err(|error| CallError::Local(format!("the report was not read: {error}")))?
}

/// Files that stay only if the extraction is complete.
#[derive(Default)]
struct Kept {
    files: Vec<ProducedFile>,
}

impl Kept {
    fn release(&mut self) -> Vec<ProducedFile> {
        std::mem::take(&mut self.files)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        for file in &self.files {
            if let Err(error) = std::fs::remove_file(&file.path) {
                tracing::warn!(path = %file.path.display(), %error, "a file of an incomplete extraction could not be removed");
            }
        }
    }
}

/// A time and a length in whole seconds, as the interface takes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    start: i64,
    seconds: i64,
}

/// Covers the range with overlapping windows. A range that ends before it begins is one short window at its end.
fn windows(since: Timestamp, until: Timestamp) -> Vec<Window> {
    let (overlap, end) = (OVERLAP.as_secs(), until.as_second().saturating_add(OVERLAP.as_secs()));
    let first = since.as_second().min(until.as_second()).saturating_sub(overlap).max(0);
    let length = WINDOW.as_secs().max((end - first) / MAX_WINDOWS + 1);
    let mut windows = Vec::new();
    let mut start = first;
    while start < end {
        // Never 0 seconds: that would mean "up to now".
        windows.push(Window { start, seconds: (length + overlap).min(end - start).max(1) });
        start += length;
    }
    windows
}

fn earlier(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn bg_50_windows_cover_the_range_and_overlap() {
        let day = 86_400;
        let base = 1_790_000_000;
        for length in [0, 1, 60, day - 1, day, day + 1, 10 * day, 400 * day, 20_000 * day] {
            let windows = windows(at(base - length), at(base));
            assert!(windows.len() as i64 <= MAX_WINDOWS + 1, "{length}: {}", windows.len());
            assert!(windows.iter().all(|window| window.seconds > 0), "{length}");
            assert!(windows[0].start <= base - length - 600 || windows[0].start == 0, "{length}");
            let last = windows.last().unwrap();
            assert_eq!(last.start + last.seconds, base + 600, "{length}");
            for pair in windows.windows(2) {
                let end = pair[0].start + pair[0].seconds;
                assert!(end >= (pair[1].start + 600).min(base + 600), "{length}: {pair:?}");
            }
        }
        assert!(!windows(at(base), at(base - day)).is_empty());
        assert!(!windows(Timestamp::MIN, Timestamp::MAX).is_empty());
    }

    #[test]
    fn bg_50_a_listed_session_that_no_report_holds_is_named() {
        let set = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(check_complete(&set(&["a"]), &set(&["a", "b"])), Ok(()));
        let error = check_complete(&set(&["a", "b", "c"]), &set(&["b"])).unwrap_err().to_string();
        assert!(error.contains("3 closed sessions") && error.contains("lack 2") && error.contains("`a`"), "{error}");
    }
}
