//! stdout and stderr: lines of data, tables, times; nothing that came from a box reaches the terminal unfiltered.

use std::io::{self, Write as _};

use jiff::SignedDuration;
use serde::Serialize;

use crate::domain::plan::Rehearsal;
use crate::domain::window::{Window, format_duration};

use super::Failure;
use super::zones::Zones;

/// Prints text for people: no line, one or several.
pub fn say(text: &str) -> Result<(), Failure> {
    if text.is_empty() {
        return Ok(());
    }
    write(clean(text).trim_end_matches('\n'))
}

/// Prints one JSON object on one line.
pub fn json(value: &impl Serialize) -> Result<(), Failure> {
    // Plain data: serializing it cannot fail.
    write(&serde_json::to_string(value).unwrap_or_default())
}

/// Prints what is one line of JSON already.
pub fn raw(line: &str) -> Result<(), Failure> {
    write(line.trim_end())
}

/// Tells people something on stderr. Whether anybody can read it changes nothing of what is done: with `eprintln!` a full disk or
/// a closed pipe behind stderr would end the process in the middle.
pub fn tell(text: &str) {
    write_to_stderr(&(clean(text).trim_end_matches('\n').to_owned() + "\n"));
}

/// Asks on stderr; the cursor stays behind the question.
pub fn ask(question: &str) {
    write_to_stderr(&clean(question));
}

fn write_to_stderr(text: &str) {
    let mut err = io::stderr().lock();
    // There is nowhere left to tell of it.
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

fn write(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        // Who closes the pipe has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::of("output", &error)),
        _ => Ok(()),
    }
}

/// Replaces control characters: a terminal must not be steered by what an appliance answers.
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// Rows in columns, two spaces between them, the last one ragged.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

/// `1h 4m`; seconds only below an hour.
pub fn seconds(seconds: i64) -> String {
    let shown = if seconds >= 3600 { seconds - seconds % 60 } else { seconds };
    format_duration(SignedDuration::from_secs(shown))
}

/// In UTC, in the zones of site and reader, and in the one that the window was written in.
pub fn window(window: &Window, zones: &Zones) -> String {
    zones.with(window.zone.as_deref()).span(window.from, window.to)
}

/// Whose run is counted on, by whose word, and for how long.
pub fn rehearsal(rehearsal: &Rehearsal) -> String {
    let Rehearsal { run, by, at, until, .. } = rehearsal;
    format!("{run}, released by {by} at {at}, counts until {until}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_not_steered() {
        assert_eq!(clean("a\u{1b}[2Jb\r\nc\u{9b}d"), "a\u{fffd}[2Jb\u{fffd}\nc\u{fffd}d");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        assert_eq!(table(&[row(["RUN", "é", "X"]), row(["support-7", "ready", ""])]), "RUN        é      X\nsupport-7  ready\n");
        assert_eq!(table(&[]), "");
    }

    #[test]
    fn long_times_are_shown_without_seconds() {
        let cases = [(0, "0s"), (59, "59s"), (61, "1m 1s"), (3661, "1h 1m"), (86_400, "1d"), (93_600, "26h")];
        for (given, shown) in cases {
            assert_eq!(seconds(given), shown, "{given}");
        }
    }
}
