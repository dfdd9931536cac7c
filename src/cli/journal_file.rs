//! Reads records from a file: an export, or the daemon's own `journal.log`.
//!
//! Each line is a record's JSON, in `journal.log` followed by a space and the CRC32C of the JSON in eight hex digits.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use crate::domain::ids::RunId;
use crate::domain::journal::Record;

use super::Failure;

/// A record stays below 4 KiB in the store; a started run's plan is the longest.
const LINE_BYTES: u64 = 1024 * 1024;

/// What helps where a journal is damaged.
pub const ANOTHER_COPY: &str = "compare with another copy: an export, `journal.log`, or what the daemon has";

/// The records of one run in the order of the file, and the line of each.
#[derive(Default)]
pub struct Lines {
    pub records: Vec<Record>,
    pub numbers: Vec<u64>,
}

/// The records of a file by run.
pub struct JournalFile {
    pub runs: BTreeMap<RunId, Lines>,
    /// The last line has no end: a write that was cut off.
    pub torn: bool,
}

/// Reads the whole file.
///
/// # Errors
/// A line that is no record, or whose sum is wrong, with its number.
pub fn read(path: &Path) -> Result<JournalFile, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new("unknown_file", format!("`{}` can't be read", path.display())).because(error.to_string())
    };
    let mut reader = BufReader::new(File::open(path).map_err(failed)?);
    let mut found = JournalFile { runs: BTreeMap::new(), torn: false };
    for number in 1.. {
        let mut line = Vec::new();
        if reader.by_ref().take(LINE_BYTES).read_until(b'\n', &mut line).map_err(failed)? == 0 {
            break;
        }
        match record(&line) {
            Ok(record) => {
                let lines = found.runs.entry(record.run.clone()).or_default();
                lines.records.push(record);
                lines.numbers.push(number);
            }
            // Only the very last line may be cut off; a longer one ends here too and is no record.
            Err(_) if line.last() != Some(&b'\n') && (line.len() as u64) < LINE_BYTES => found.torn = true,
            Err(why) => {
                let message = format!("`{}`, line {number}: {why}", path.display());
                return Err(Failure::new("damaged", message).hint(ANOTHER_COPY));
            }
        }
    }
    Ok(found)
}

/// One line's record.
fn record(line: &[u8]) -> Result<Record, String> {
    let line = line.trim_ascii();
    let json = match line.len().checked_sub(9).map(|at| line.split_at(at)) {
        Some((json, sum)) if json.last() == Some(&b'}') && sum[0] == b' ' => {
            let sum = std::str::from_utf8(&sum[1..]).ok().and_then(|sum| u32::from_str_radix(sum, 16).ok());
            let right = crc32c::crc32c(json);
            if sum != Some(right) {
                return Err(format!("the line's sum is wrong, expected {right:08x}"));
            }
            json
        }
        _ => line,
    };
    serde_json::from_slice(json).map_err(|error| format!("no record: {error}"))
}
