//! The reading of one journal line, as fuzz targets call it. Compiled for tests only.

use super::line::{Line, check, parse};

/// Whether a line without its end has a checksum that fits, and whether it is a record.
pub fn line(bytes: &[u8]) -> (bool, bool) {
    let line = Line { number: 1, offset: 0, bytes: bytes.to_vec(), ended: true, too_long: false };
    (check(&line).is_ok(), parse(&line).is_ok())
}
