//! Takes keys out of a fragment: types, defaults, unknown keys, inline secrets. Every problem is collected, none ends the reading.

use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::keys::{self, Key, Kind, Need, Table};
use super::problem::Problem;
use super::settings::Effective;
use super::source::Source;
use super::suggest;

/// No text of a configuration is longer.
const MAX_TEXT: usize = 4096;

/// A value with the line it stands on; a default has the line of its table.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) line: usize,
}

/// One table of a file.
pub(super) struct Section<'t> {
    pub(super) table: &'static Table,
    /// As messages name it: `nodes.a`; empty at the top level.
    pub(super) label: String,
    /// Counts the tables of one list.
    pub(super) instance: usize,
    /// Set once it is known; narrows the keys that may stand here.
    pub(super) driver: Option<&'static str>,
    /// `None` for a table that was left out: every key has its default.
    pub(super) items: Option<&'t DeTable<'t>>,
    pub(super) line: usize,
}

/// Reads one file.
pub(super) struct Reader<'s> {
    pub(super) source: &'s Source,
    pub(super) problems: Vec<Problem>,
    pub(super) effective: Vec<Effective>,
}

impl<'s> Reader<'s> {
    pub(super) fn new(source: &'s Source) -> Self {
        Self { source, problems: Vec::new(), effective: Vec::new() }
    }

    pub(super) fn problem(&mut self, line: usize, message: impl Into<String>) {
        self.problems.push(Problem::new(&self.source.path, line, message));
    }

    /// A text key, or its default, turned into a value by `parse`, whose error completes `` `key` in `[table]`: ``.
    pub(super) fn value<T>(
        &mut self,
        section: &Section,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<At<T>> {
        let (text, line, key) = self.text_or_default(section, name)?;
        let value = self.parsed(section, name, line.unwrap_or(section.line), parse(&text))?;
        self.note(section, key, quoted(&text), line, None);
        Some(At { value, line: line.unwrap_or(section.line) })
    }

    /// As [`Self::value`], for values of which `config show` may print only what `shown` gives.
    pub(super) fn value_shown<T>(
        &mut self,
        section: &Section,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
        shown: impl FnOnce(&T) -> String,
    ) -> Option<At<T>> {
        let (text, line, key) = self.text_or_default(section, name)?;
        let value = self.parsed(section, name, line.unwrap_or(section.line), parse(&text))?;
        self.note(section, key, quoted(&shown(&value)), line, None);
        Some(At { value, line: line.unwrap_or(section.line) })
    }

    /// A path key, resolved against the file.
    pub(super) fn path(&mut self, section: &Section, name: &str) -> Option<At<PathBuf>> {
        let (text, line, key) = self.text_or_default(section, name)?;
        let path = self.source.resolve(&text);
        self.note(section, key, quoted(&path.to_string_lossy()), line, Some(path.clone()));
        Some(At { value: path, line: line.unwrap_or(section.line) })
    }

    /// A key whose value is one of the words of its row.
    pub(super) fn word(&mut self, section: &Section, name: &str) -> Option<At<&'static str>> {
        let words = match keys::find(section.table.name, name)?.kind {
            Kind::Word(words) => words,
            _ => &[],
        };
        self.value(section, name, |text| {
            let word = words.iter().find(|word| **word == text).copied();
            word.ok_or_else(|| {
                format!("`{text}` is not {}{}", Kind::Word(words).expected(), suggest::hint(text, words.iter().copied()))
            })
        })
    }

    /// A list of texts, each turned into a value by `parse`; at least one.
    pub(super) fn list<T>(
        &mut self,
        section: &Section,
        name: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<At<Vec<T>>> {
        let key = keys::find(section.table.name, name)?;
        let Some((value, line)) = section.item(self.source, name) else {
            let text = self.default_of(section, key)?;
            let value = self.parsed(section, name, section.line, parse(text))?;
            self.note(section, key, format!("[{}]", quoted(text)), None, None);
            return Some(At { value: vec![value], line: section.line });
        };
        let texts = self.texts(section, key, value, line)?;
        let values: Vec<T> = texts.iter().filter_map(|text| self.parsed(section, name, line, parse(text))).collect();
        let shown = texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", ");
        self.note(section, key, format!("[{shown}]"), Some(line), None);
        (values.len() == texts.len()).then_some(At { value: values, line })
    }

    /// A program and its arguments: the first counts from the file if it has a slash, and is left to `PATH` otherwise.
    pub(super) fn program(&mut self, section: &Section) -> Option<At<Vec<String>>> {
        let key = keys::find(section.table.name, "program")?;
        let Some((value, line)) = section.item(self.source, "program") else {
            self.default_of(section, key)?;
            return None;
        };
        let mut program = self.texts(section, key, value, line)?;
        let first = program.first_mut()?;
        if first.contains('/') {
            *first = self.source.resolve(first).to_string_lossy().into_owned();
        }
        let path = PathBuf::from(&*first);
        let shown = program.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", ");
        self.note(section, key, format!("[{shown}]"), Some(line), Some(path));
        Some(At { value: program, line })
    }

    /// A whole number from 1, or its default.
    pub(super) fn count(&mut self, section: &Section, name: &str) -> Option<At<u32>> {
        let key = keys::find(section.table.name, name)?;
        let Some((value, line)) = section.item(self.source, name) else {
            let count: u32 = self.default_of(section, key)?.parse().ok()?;
            self.note(section, key, count.to_string(), None, None);
            return Some(At { value: count, line: section.line });
        };
        let DeValue::Integer(number) = value else {
            self.wrong_type(section, name, value, line, &key.kind.expected());
            return None;
        };
        let plain = (number.radix() == 10).then(|| number.as_str().parse::<u32>().ok()).flatten().filter(|count| *count > 0);
        let read = plain.ok_or_else(|| format!("`{number}` is not {}", key.kind.expected()));
        let count = self.parsed(section, name, line, read)?;
        self.note(section, key, count.to_string(), Some(line), None);
        Some(At { value: count, line })
    }

    /// `true` or `false`, or its default.
    pub(super) fn flag(&mut self, section: &Section, name: &str) -> Option<bool> {
        let key = keys::find(section.table.name, name)?;
        let (flag, line) = match section.item(self.source, name) {
            None => (self.default_of(section, key)? == "true", None),
            Some((DeValue::Boolean(flag), line)) => (*flag, Some(line)),
            Some((other, line)) => {
                self.wrong_type(section, name, other, line, &key.kind.expected());
                return None;
            }
        };
        self.note(section, key, flag.to_string(), line, None);
        Some(flag)
    }

    /// The value of a key as it stands, for keys of more than one type. A missing required key is a problem.
    pub(super) fn raw<'t>(&mut self, section: &Section<'t>, name: &str) -> Option<(&'t DeValue<'t>, usize)> {
        let key = keys::find(section.table.name, name)?;
        let found = section.item(self.source, name);
        if found.is_none() {
            self.default_of(section, key);
        }
        found
    }

    /// Notes a key in force for `config show`.
    pub(super) fn note(&mut self, section: &Section, key: &Key, value: String, line: Option<usize>, path: Option<PathBuf>) {
        self.note_named(section, key.name, key.kind, value, line, path);
    }

    /// As [`Self::note`], for keys without a row of their own.
    pub(super) fn note_named(
        &mut self,
        section: &Section,
        name: &str,
        kind: Kind,
        value: String,
        line: Option<usize>,
        path: Option<PathBuf>,
    ) {
        self.effective.push(Effective {
            file: self.source.path.clone(),
            header: section.header(),
            instance: section.instance,
            key: name.to_owned(),
            value,
            line,
            kind,
            path,
        });
    }

    /// Turns a parser's error into a problem of that key.
    pub(super) fn parsed<T>(&mut self, section: &Section, name: &str, line: usize, result: Result<T, String>) -> Option<T> {
        result.map_err(|error| self.problem(line, format!("`{name}` {}: {error}", section.place()))).ok()
    }

    /// A wrong type: names the type that stands there, never the value.
    pub(super) fn wrong_type(&mut self, section: &Section, name: &str, found: &DeValue, line: usize, expected: &str) {
        self.problem(line, format!("`{name}` {} is {}; expected {expected}", section.place(), type_name(found)));
    }

    fn text_or_default(&mut self, section: &Section, name: &str) -> Option<(String, Option<usize>, &'static Key)> {
        let key = keys::find(section.table.name, name)?;
        match section.item(self.source, name) {
            Some((value, line)) => Some((self.text(section, key, value, line)?, Some(line), key)),
            None => Some((self.default_of(section, key)?.to_owned(), None, key)),
        }
    }

    /// The default's text; a missing required key is a problem.
    fn default_of(&mut self, section: &Section, key: &Key) -> Option<&'static str> {
        match key.need {
            Need::Default(text) => return Some(text),
            Need::Optional => {}
            Need::Required => self.missing(section, key),
        }
        None
    }

    /// Makes a key that may be left out one that may not, because of what else the table holds.
    pub(super) fn need(&mut self, section: &Section, name: &str) {
        if let (None, Some(key)) = (section.item(self.source, name), keys::find(section.table.name, name)) {
            self.missing(section, key);
        }
    }

    fn missing(&mut self, section: &Section, key: &Key) {
        let message = format!("missing key `{}` {}: {}", key.name, section.place(), key.kind.expected());
        self.problem(section.line, message);
    }

    fn text(&mut self, section: &Section, key: &Key, value: &DeValue, line: usize) -> Option<String> {
        let DeValue::String(text) = value else {
            self.wrong_type(section, key.name, value, line, &key.kind.expected());
            return None;
        };
        self.parsed(section, key.name, line, plain(text))
    }

    fn texts(&mut self, section: &Section, key: &Key, value: &DeValue, line: usize) -> Option<Vec<String>> {
        let DeValue::Array(array) = value else {
            self.wrong_type(section, key.name, value, line, &key.kind.expected());
            return None;
        };
        if array.is_empty() {
            self.problem(line, format!("`{}` {} is empty; expected {}", key.name, section.place(), key.kind.expected()));
            return None;
        }
        self.array(section, key, array)
    }

    fn array(&mut self, section: &Section, key: &Key, array: &DeArray) -> Option<Vec<String>> {
        let texts: Vec<String> = array
            .iter()
            .filter_map(|item| self.text(section, key, item.get_ref(), self.source.line(item.span().start)))
            .collect();
        (texts.len() == array.len()).then_some(texts)
    }
}

/// The text of a value, if it is one line without control characters.
pub(super) fn plain(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        Err("must not be empty".to_owned())
    } else if text.len() > MAX_TEXT {
        Err(format!("is longer than {MAX_TEXT} bytes"))
    } else if text.chars().any(char::is_control) {
        Err("must be one line without control characters".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

/// A text as TOML.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

pub(super) fn type_name(value: &DeValue) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time without quotes",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

impl<'t> Section<'t> {
    pub(super) fn root(table: &'static Table, items: &'t Spanned<DeTable<'t>>) -> Self {
        Self { table, label: String::new(), instance: 0, driver: None, items: Some(items.get_ref()), line: 1 }
    }

    /// `in [nodes.a]`, for messages.
    pub(super) fn place(&self) -> String {
        if self.label.is_empty() { "at the top level".to_owned() } else { format!("in `[{}]`", self.label) }
    }

    fn header(&self) -> String {
        match (self.label.as_str(), self.table.header.starts_with("[[")) {
            ("", _) => String::new(),
            (label, true) => format!("[[{label}]]"),
            (label, false) => format!("[{label}]"),
        }
    }

    pub(super) fn item(&self, source: &Source, name: &str) -> Option<(&'t DeValue<'t>, usize)> {
        let (key, value) = self.items?.get_key_value(name)?;
        Some((value.get_ref(), source.line(key.span().start)))
    }

    /// Every key of the table with its line, in the file's order.
    pub(super) fn items(&self, source: &Source) -> Vec<(&'t str, &'t DeValue<'t>, usize)> {
        let items = self.items.into_iter().flatten();
        let mut found: Vec<_> =
            items.map(|(key, value)| (key.get_ref().as_ref(), value.get_ref(), source.line(key.span().start))).collect();
        found.sort_by_key(|&(_, _, line)| line);
        found
    }
}
