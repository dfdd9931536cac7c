//! What a node tells of its settings: items with digests, as a driver lists them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One setting with a name of its own. Never the whole item: names and a digest are all that a comparison needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// `user`, `group`, `jump_item`, `job`, …: the driver's word.
    pub kind: String,
    pub id: String,
    pub name: String,
    /// Of everything that counts, so without times, counters and `enabled`; the same for the same content.
    pub digest: String,
    /// For jobs: whether it runs by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// The kind of item that runs by itself: a rotation, an export, an outbound event.
pub const JOB: &str = "job";

/// What one node tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    pub items: Vec<Item>,
    /// For each kind that was asked for, a digest of the names of its items' fields, empty where there is no item. A new version
    /// may tell more fields, and then digests can't be compared. Empty where the driver sees to that itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
}

/// What a driver tells of a node's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    Listing(Listing),
    /// There is no interface, or no right to it.
    Nothing {
        why: String,
    },
    /// There is an interface, and what it answered is no listing. To ask again in a moment would not help.
    Unread {
        why: String,
    },
}

/// More items than this are no site's settings, and would fill the memory.
const MOST_ITEMS: usize = 50_000;

/// Texts go into records and onto screens.
const MOST_TEXT: usize = 256;

impl Listing {
    /// Sorts the items and checks them.
    ///
    /// # Errors
    /// Too many, too long, no text at all, or two different ones by one id: a list that was read while it changed.
    pub fn new(mut items: Vec<Item>, fields: BTreeMap<String, String>) -> Result<Self, String> {
        if items.len() > MOST_ITEMS {
            return Err(format!("{} items of settings, expected at most {MOST_ITEMS}", items.len()));
        }
        items.iter().try_for_each(checked)?;
        items.sort_by(|one, other| place(one).cmp(&place(other)));
        items.dedup();
        match items.windows(2).find(|pair| place(&pair[0]) == place(&pair[1])) {
            Some(pair) => Err(format!("{} `{}` is there twice, differently", pair[0].kind, pair[0].id)),
            None => Ok(Self { items, fields }),
        }
    }

    pub fn item(&self, kind: &str, id: &str) -> Option<&Item> {
        let found = self.items.binary_search_by(|item| place(item).cmp(&(kind, id)));
        found.ok().map(|index| &self.items[index])
    }

    /// True if an item of the same name and content is there, by whatever id: what is entered by hand gets another one.
    pub fn has_alike(&self, wanted: &Item) -> bool {
        let alike = |item: &&Item| (&item.kind, &item.name, &item.digest) == (&wanted.kind, &wanted.name, &wanted.digest);
        self.items.iter().any(|item| alike(&item))
    }

    /// The jobs that run by themselves.
    pub fn enabled_jobs(&self) -> Vec<&str> {
        let jobs = self.items.iter().filter(|item| item.kind == JOB && item.enabled == Some(true));
        jobs.map(|item| item.name.as_str()).collect()
    }
}

fn place(item: &Item) -> (&str, &str) {
    (&item.kind, &item.id)
}

fn checked(item: &Item) -> Result<(), String> {
    let word = |text: &str| text.chars().all(|each| each.is_ascii_lowercase() || each.is_ascii_digit() || each == '_');
    let line = |text: &str| !text.chars().any(char::is_control);
    let short = |text: &str| text.len() <= MOST_TEXT;
    let good = |text: &str| short(text) && line(text);
    let id = !item.id.is_empty() && good(&item.id) && !item.id.contains(char::is_whitespace);
    if !item.kind.is_empty() && short(&item.kind) && word(&item.kind) && id && good(&item.name) && good(&item.digest) {
        return Ok(());
    }
    let shown: String = format!("{}.{}", item.kind, item.id).chars().take(64).flat_map(char::escape_debug).collect();
    Err(format!("an item `{shown}` whose kind, id, name or digest can't be one"))
}
