//! The settings in force, as TOML: what `config show` prints.

use std::fmt::Write;

use super::settings::{Effective, Settings};

/// Every key in force, file by file, each part a file that would give the same settings. With `origin`, each line says where
/// its value comes from. Secrets can't appear: the settings hold only the paths of their files.
pub fn show(settings: &Settings, origin: bool) -> String {
    let mut text = String::new();
    let mut before: Option<&Effective> = None;
    for entry in &settings.effective {
        head(&mut text, before, entry);
        let origin = if origin { format!("  # {}", origin_of(entry)) } else { String::new() };
        line(&mut text, format_args!("{} = {}{origin}", entry.key, entry.value));
        before = Some(entry);
    }
    text
}

fn head(text: &mut String, before: Option<&Effective>, entry: &Effective) {
    let same_file = before.is_some_and(|before| before.file == entry.file);
    let same_table = same_file && before.is_some_and(|b| (&b.header, b.instance) == (&entry.header, entry.instance));
    if !same_file {
        let gap = if before.is_some() { "\n" } else { "" };
        line(text, format_args!("{gap}# {}", entry.file.display()));
    }
    if !same_table && !entry.header.is_empty() {
        line(text, format_args!("{}", entry.header));
    }
}

fn origin_of(entry: &Effective) -> String {
    match entry.line {
        Some(line) => format!("{}:{line}", entry.file.display()),
        None => "default".to_owned(),
    }
}

fn line(text: &mut String, content: std::fmt::Arguments) {
    // Writing into a string cannot fail.
    let _ = writeln!(text, "{content}");
}
