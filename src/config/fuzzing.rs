//! The reading of calendar files, as fuzz targets call it. Compiled for tests only.

use super::calendar;

/// How many times a calendar file freezes; the error otherwise.
///
/// # Errors
/// What is wrong with it, in words.
pub fn calendar(text: &str) -> Result<usize, String> {
    calendar::read(text).map(|spans| spans.len()).map_err(|error| error.message)
}
