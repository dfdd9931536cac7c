//! Tables within tables, and the keys that have no business in them.

use toml::de::{DeTable, DeValue};

use super::keys::{self, Key, Kind};
use super::reader::{Reader, Section, type_name};
use super::suggest;

/// Words that announce a secret. A key with one of them that is not ours is answered with the way secrets are given, and
/// its value is never looked at.
const SECRET_WORDS: &[&str] = &["secret", "password", "passwd", "passphrase", "token", "api_key", "private_key", "credential"];

impl Reader<'_> {
    /// The table `name` of a section; one that was left out has every default.
    pub(super) fn child<'t>(&mut self, parent: &Section<'t>, name: &str, table: &str) -> Option<Section<'t>> {
        let table = keys::table(table)?;
        let label = joined(&parent.label, name);
        let absent = Section { table, label, instance: 0, driver: None, items: None, line: parent.line };
        match parent.item(self.source, name) {
            None => Some(absent),
            Some((DeValue::Table(items), line)) => Some(Section { items: Some(items), line, ..absent }),
            Some((other, line)) => {
                self.not_a_table(&absent, other, line, &format!("[{}]", absent.label));
                None
            }
        }
    }

    /// As [`Self::child`], for a table that must be there.
    pub(super) fn required_child<'t>(&mut self, parent: &Section<'t>, name: &str, table: &str) -> Option<Section<'t>> {
        let child = self.child(parent, name, table)?;
        if child.items.is_none() {
            self.problem(child.line, format!("missing table `[{}]`", child.label));
            return None;
        }
        Some(child)
    }

    /// The list of tables `name` of a section, in the file's order.
    pub(super) fn children<'t>(&mut self, parent: &Section<'t>, name: &str, table: &str) -> Vec<Section<'t>> {
        let Some(table) = keys::table(table) else { return Vec::new() };
        let label = joined(&parent.label, name);
        let section = |instance, items: Option<&'t DeTable<'t>>, line| {
            let label = label.clone();
            Section { table, label, instance, driver: None, items, line }
        };
        let Some((value, line)) = parent.item(self.source, name) else { return Vec::new() };
        let DeValue::Array(array) = value else {
            self.not_a_table(&section(0, None, line), value, line, &format!("[[{label}]]"));
            return Vec::new();
        };
        let mut sections = Vec::new();
        for (instance, item) in array.iter().enumerate() {
            let line = self.source.line(item.span().start);
            match item.get_ref() {
                DeValue::Table(items) => sections.push(section(instance, Some(items), line)),
                other => self.not_a_table(&section(0, None, line), other, line, &format!("[[{label}]]")),
            }
        }
        sections
    }

    fn not_a_table(&mut self, section: &Section, found: &DeValue, line: usize, header: &str) {
        self.problem(line, format!("`{}` is {}; expected the table `{header}`", section.label, type_name(found)));
    }

    /// Reports every key that may not stand in this section.
    pub(super) fn refuse_strangers(&mut self, section: &Section) {
        for (name, value, line) in section.items(self.source) {
            let known = keys::allowed(section.table.name, section.driver).any(|key| key.name == name);
            if !known && !section.table.children.contains(&name) {
                let message = stranger(section, name, matches!(value, DeValue::Table(_)));
                self.problem(line, message);
            }
        }
    }
}

fn joined(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
}

fn stranger(section: &Section, name: &str, is_table: bool) -> String {
    let place = section.place();
    let name = shortened(name);
    if let Some(message) = inline_secret(section, &name) {
        return message;
    }
    if let (Some(driver), Some(key)) = (section.driver, keys::find(section.table.name, &name)) {
        let owners = key.drivers.join("`, `");
        return format!("key `{name}` {place} belongs to driver `{owners}`; the driver here is `{driver}`");
    }
    let words =
        keys::allowed(section.table.name, section.driver).map(|key| key.name).chain(section.table.children.iter().copied());
    let hint = match suggest::hint(&name, words) {
        hint if hint.is_empty() => elsewhere(section, &name),
        hint => hint,
    };
    match is_table {
        true => format!("unknown table `[{}]`{hint}", joined(&section.label, &name)),
        false => format!("unknown key `{name}` {place}{hint}"),
    }
}

/// A key that should have named a file.
fn inline_secret(section: &Section, name: &str) -> Option<String> {
    let lower = name.to_lowercase();
    let near = suggest::nearest(&lower, keys::allowed(section.table.name, section.driver).map(|key| key.name));
    if !SECRET_WORDS.iter().any(|word| lower.contains(word)) || near.is_some_and(|near| near.ends_with("_file")) {
        return None;
    }
    let files: Vec<&Key> = keys::allowed(section.table.name, section.driver).filter(|key| key.kind == Kind::SecretFile).collect();
    let same = files.iter().find(|key| key.name == format!("{lower}_file")).or(files.first());
    let way = match same {
        Some(key) => format!("write it into a file of its own and name that in `{}`", key.name),
        None => "none is needed here".to_owned(),
    };
    Some(format!("`{name}` {} would keep a secret in this file, and secrets are given only by path: {way}", section.place()))
}

/// Says where a key belongs that stands in the wrong table of its file.
fn elsewhere(section: &Section, name: &str) -> String {
    let file = |table: &str| ["site", keys::SINGLE].into_iter().find(|file| table.starts_with(file));
    let here = file(section.table.name);
    let headed = |table: &&keys::Table| file(table.name) == here && table.header.trim_matches(['[', ']']) == name;
    if let Some(table) = keys::TABLES.iter().find(headed) {
        return format!("; it is a table of its own, `{}`", table.header);
    }
    let other = keys::KEYS.iter().find(|key| key.name == name && file(key.table) == here);
    match other.and_then(|key| keys::table(key.table)) {
        Some(table) if table.header.is_empty() => "; it belongs at the top level, above the first table".to_owned(),
        Some(table) => format!("; it belongs in `{}`", table.header),
        None => String::new(),
    }
}

/// Keys are ours to print, but not at any length.
fn shortened(name: &str) -> String {
    name.chars().take(64).flat_map(char::escape_debug).collect()
}
