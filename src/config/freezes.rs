//! `[[freezes]]`, in the main file for all sites and in a site's file for that one.

use std::cell::RefCell;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::calendar;
use super::problem::Problem;
use super::reader::{At, Reader, Section};
use super::values;
use crate::domain::window::freeze::{Freeze, FreezeRule, Moment, span};

/// The freezes of a file as they are written, and, since most sites have one of few zones, as they are in each zone that was asked for.
#[derive(Default)]
pub(super) struct Freezes {
    rules: Vec<FreezeRule>,
    resolved: RefCell<Vec<(TimeZone, Vec<Arc<Freeze>>)>>,
}

impl Freezes {
    /// The freezes of a site in this zone.
    pub(super) fn of(&self, zone: &TimeZone) -> Vec<Arc<Freeze>> {
        if let Some((_, known)) = self.resolved.borrow().iter().find(|(known, _)| known == zone) {
            return known.clone();
        }
        let freezes: Vec<_> = self.rules.iter().map(|rule| Arc::new(rule.resolve(zone))).collect();
        self.resolved.borrow_mut().push((zone.clone(), freezes.clone()));
        freezes
    }
}

/// `table`: the keys' table, the main file's or a site's.
pub(super) fn read(reader: &mut Reader, root: &Section, table: &str) -> Freezes {
    let sections = reader.children(root, "freezes", table);
    Freezes { rules: sections.iter().filter_map(|section| rule(reader, section)).collect(), resolved: RefCell::default() }
}

fn rule(reader: &mut Reader, section: &Section) -> Option<FreezeRule> {
    reader.refuse_strangers(section);
    let name = reader.value(section, "name", |text| Ok(text.to_owned()));
    let owner = reader.value(section, "owner", |text| Ok(text.to_owned()));
    let zone = reader.value(section, "zone", values::zone);
    let spans = spans(reader, section);
    Some(FreezeRule { name: name?.value, owner: owner?.value, zone: zone.map(|zone| zone.value), spans: spans? })
}

fn spans(reader: &mut Reader, section: &Section) -> Option<Vec<(Moment, Moment)>> {
    let plain = |text: &str| Ok(text.to_owned());
    let (from, to) = (reader.value(section, "from", plain), reader.value(section, "to", plain));
    let file = section.item(reader.source, "calendar_file").is_some();
    match (from, to, file) {
        (Some(from), Some(to), false) => one(reader, section, &from, &to),
        (None, None, true) => {
            let path = reader.path(section, "calendar_file")?;
            events(reader, &path.value, path.line)
        }
        _ => {
            let message = format!("a freeze {} has either `from` and `to`, or `calendar_file`", section.place());
            reader.problem(section.line, message);
            None
        }
    }
}

fn one(reader: &mut Reader, section: &Section, from: &At<String>, to: &At<String>) -> Option<Vec<(Moment, Moment)>> {
    let found = span(&from.value, &to.value).map_err(|error| error.to_string());
    let of_to = found.as_ref().is_err_and(|error| error.starts_with(&format!("`{}`", to.value)));
    let (name, line) = if of_to { ("to", to.line) } else { ("from", from.line) };
    reader.parsed(section, name, line, found).map(|span| vec![span])
}

/// A problem of the calendar is told with the calendar's own line.
fn events(reader: &mut Reader, path: &Path, line: usize) -> Option<Vec<(Moment, Moment)>> {
    let text = match content(path) {
        Ok(text) => text,
        Err(error) => {
            reader.problem(line, format!("`calendar_file`: {} {error}", path.display()));
            return None;
        }
    };
    calendar::read(&text).map_err(|error| reader.problems.push(Problem::new(path, error.line, error.message))).ok()
}

fn content(path: &Path) -> Result<String, String> {
    let unread = |error: std::io::Error| format!("cannot be read: {error}");
    let mut bytes = Vec::new();
    File::open(path).map_err(unread)?.take(calendar::MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unread)?;
    if bytes.len() as u64 > calendar::MAX_BYTES {
        return Err(format!("is longer than {} bytes", calendar::MAX_BYTES));
    }
    String::from_utf8(bytes).map_err(|_| "is not UTF-8 text".to_owned())
}
