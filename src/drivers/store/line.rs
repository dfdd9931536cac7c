//! One line of `journal.log`: a record as JSON, a space, the CRC32C of the JSON in 8 hex digits.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write as _};
use std::path::Path;

use super::error::{LineError, LogFileError};
use crate::domain::journal::Record;

/// The longest record that is written or read, as JSON. The largest that the engine makes is a plan of some 20 KiB; the
/// limit bounds the memory that a damaged file can ask for.
pub(super) const MAX_RECORD_BYTES: usize = 1 << 20;

/// A space, 8 hex digits, and the line's end.
pub(super) const TRAILER_BYTES: usize = 10;

/// A line as it lies in the file, without its end.
pub(super) struct Line {
    /// From 1.
    pub number: u64,
    pub offset: u64,
    pub bytes: Vec<u8>,
    /// The line's end was there.
    pub ended: bool,
    pub too_long: bool,
}

/// Reads a file line by line; never more than one line in memory, and never more than the longest allowed.
pub(super) struct Lines {
    reader: BufReader<File>,
    number: u64,
    offset: u64,
}

impl Lines {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { reader: BufReader::with_capacity(1 << 16, File::open(path)?), number: 0, offset: 0 })
    }

    /// The next line, nothing at the file's end.
    pub(super) fn next_line(&mut self) -> io::Result<Option<Line>> {
        let offset = self.offset;
        let (mut bytes, mut read, mut ended) = (Vec::new(), 0, false);
        while !ended {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                break;
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(buffer.len(), |end| end + 1);
            let room = (MAX_RECORD_BYTES + TRAILER_BYTES).saturating_sub(bytes.len());
            bytes.extend_from_slice(&buffer[..taken.min(room)]);
            ended = end.is_some();
            read += taken;
            self.reader.consume(taken);
        }
        if read == 0 {
            return Ok(None);
        }
        self.offset += read as u64;
        self.number += 1;
        let too_long = read > bytes.len();
        if ended && !too_long {
            bytes.pop();
        }
        Ok(Some(Line { number: self.number, offset, bytes, ended, too_long }))
    }
}

/// Adds a record's JSON to `out` as one line.
pub(super) fn write(out: &mut Vec<u8>, json: &[u8]) {
    out.extend_from_slice(json);
    // Writing into a vector cannot fail.
    let _ = writeln!(out, " {:08x}", crc32c::crc32c(json));
}

/// The record of a line that must carry its checksum.
pub(super) fn parse(line: &Line) -> Result<Record, LineError> {
    record(check(line)?)
}

/// The JSON part of a line whose checksum fits.
pub(super) fn check(line: &Line) -> Result<&[u8], LineError> {
    whole(line)?;
    let split = line.bytes.len().checked_sub(TRAILER_BYTES - 1).ok_or(LineError::NoChecksum)?;
    let (json, trailer) = line.bytes.split_at(split);
    let digits = trailer.strip_prefix(b" ").ok_or(LineError::NoChecksum)?;
    let expected = format!("{:08x}", crc32c::crc32c(json));
    if digits != expected.as_bytes() {
        return Err(LineError::Checksum { expected, found: String::from_utf8_lossy(digits).into_owned() });
    }
    Ok(json)
}

/// Reads an exported journal or a `journal.log`: lines with or without a checksum, empty lines skipped.
///
/// # Errors
/// The first line that is not a record, by its number. The chain is not checked here: [`crate::domain::journal::verify`]
/// does that for the records of one run.
pub fn read_log_file(path: &Path) -> Result<Vec<Record>, LogFileError> {
    let unreadable = |source| LogFileError::Unreadable { path: path.to_owned(), source };
    let mut lines = Lines::open(path).map_err(unreadable)?;
    let mut records = Vec::new();
    while let Some(line) = lines.next_line().map_err(unreadable)? {
        if line.bytes.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let record = parse_either(&line);
        records.push(record.map_err(|source| LogFileError::Line { path: path.to_owned(), line: line.number, source })?);
    }
    Ok(records)
}

/// A line with a checksum, or plain JSON: a plain record's last byte is its closing brace, a checksum's never.
fn parse_either(line: &Line) -> Result<Record, LineError> {
    let plain = line.bytes.trim_ascii_end();
    if plain.last() != Some(&b'}') {
        return parse(line);
    }
    if line.too_long {
        return Err(LineError::TooLong { limit: MAX_RECORD_BYTES });
    }
    record(plain)
}

fn whole(line: &Line) -> Result<(), LineError> {
    if line.too_long {
        Err(LineError::TooLong { limit: MAX_RECORD_BYTES })
    } else if line.ended {
        Ok(())
    } else {
        Err(LineError::Torn)
    }
}

fn record(json: &[u8]) -> Result<Record, LineError> {
    serde_json::from_slice(json).map_err(|error| LineError::NotARecord(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        let ended = text.ends_with('\n');
        Line { number: 1, offset: 0, bytes: text.trim_end_matches('\n').into(), ended, too_long: false }
    }

    #[test]
    fn a_line_is_its_json_and_its_checksum() {
        let mut out = Vec::new();
        write(&mut out, b"123456789");
        // RFC 3720, B.4, gives CRC32C test patterns; e3069283 is the check value of "123456789".
        assert_eq!(out, b"123456789 e3069283\n");
        assert_eq!(check(&line("123456789 e3069283\n")), Ok(&b"123456789"[..]));
    }

    #[test]
    fn every_kind_of_bad_line_has_its_own_words() {
        for (text, expected) in [
            ("123456789 e3069283", LineError::Torn),
            ("\n", LineError::NoChecksum),
            ("e3069283\n", LineError::NoChecksum),
            ("123456789_e3069283\n", LineError::NoChecksum),
            ("123456788 e3069283\n", LineError::Checksum { expected: "946a016b".into(), found: "e3069283".into() }),
        ] {
            let found = check(&line(text)).map(<[u8]>::len);
            match (&found, &expected) {
                (Err(LineError::Checksum { .. }), LineError::Checksum { .. }) => {}
                _ => assert_eq!(found, Err(expected), "{text:?}"),
            }
        }
    }

    #[test]
    fn a_line_without_end_costs_no_more_memory_than_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, vec![b'x'; 3 * MAX_RECORD_BYTES]).unwrap();
        let line = Lines::open(&path).unwrap().next_line().unwrap().unwrap();
        assert!(line.too_long && !line.ended && line.bytes.len() <= MAX_RECORD_BYTES + TRAILER_BYTES);
        assert!(matches!(read_log_file(&path), Err(LogFileError::Line { line: 1, source: LineError::TooLong { .. }, .. })));
    }
}
