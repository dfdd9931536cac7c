//! The ledger: what was changed on either node since failover was broken, and what the next sync makes of each change.
//!
//! Pure. It is made from two listings a node: the snapshot at the break and what is there now. The next sync runs from the node
//! whose data are kept (the *keeper*) to the other; what was changed on that other is overwritten, and a person acknowledges it
//! line by line.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::ids::NodeId;
use super::journal::hex;
use super::listing::{Item, Listing};

/// More lines of one fate than this are told kind by kind: nobody reads two hundred lines one by one, and a record stays small.
pub const MOST_LINES: usize = 200;

/// What happened to an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Added,
    Changed,
    Removed,
    /// It can't be told: the interface tells other fields than before, or nothing any more.
    Unknown,
}

impl Change {
    pub fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
            Self::Unknown => "unknown",
        }
    }
}

/// One change, on one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// `<node>.<kind>.<item's id>`, the same at every look.
    pub id: String,
    /// The node on which it was changed.
    pub node: NodeId,
    pub kind: String,
    pub name: String,
    pub change: Change,
    /// Changed on the other node too, in another way.
    pub both: bool,
    /// The next sync overwrites it; else it is kept.
    pub lost: bool,
    /// What it is now. An acknowledgement counts for this only.
    pub digest: String,
}

impl Line {
    /// What the next sync makes of it, and what a person does about it.
    pub fn fate(&self) -> String {
        let other = self.node.other();
        let both = if self.both { format!("; it was changed on node `{other}` too, and that is kept") } else { String::new() };
        match (self.lost, self.change) {
            (false, _) => format!("is kept: the next sync copies it to node `{other}`"),
            (true, Change::Removed) => format!("comes back with the next sync: remove it by hand on node `{other}`{both}"),
            (true, Change::Unknown) => format!("can't be compared: compare node `{}` with node `{other}` by hand", self.node),
            (true, _) => format!("is overwritten by the next sync: re-enter it by hand on node `{other}`{both}"),
        }
    }

    /// The beginning of the digest, by which a person means the line as they saw it.
    pub fn short(&self) -> &str {
        self.digest.get(..DIGEST_SHORT).unwrap_or(&self.digest)
    }

    /// For messages: ``user `anna` added on node `a` ``.
    pub fn describe(&self) -> String {
        format!("{} `{}` {} on node `{}`", self.kind, self.name, self.change.name(), self.node)
    }
}

/// 48 bits, as of a gate's evidence.
const DIGEST_SHORT: usize = 12;

/// One node's listing at the break and now. `now` says why where it tells nothing any more.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    pub node: NodeId,
    pub before: &'a Listing,
    pub now: Result<&'a Listing, &'a str>,
}

/// The lines, those that the next sync overwrites first. `kept` is absent where the keeper tells no settings.
pub fn compare(left: &Side<'_>, kept: Option<&Side<'_>>) -> Vec<Line> {
    let of_kept: Vec<Line> = kept.map(|side| changes(side, false)).unwrap_or_default();
    let also: BTreeSet<(&str, &str)> = of_kept.iter().map(|line| (line.kind.as_str(), item_id(line))).collect();
    let keeps = kept.and_then(|side| side.now.ok());
    let mut lines = changes(left, true);
    lines.retain(|line| !is_there_too(line, left, keeps));
    for line in &mut lines {
        line.both = also.contains(&(line.kind.as_str(), item_id(line)));
    }
    let lost: BTreeSet<(String, String)> = lines.iter().map(|line| (line.kind.clone(), item_id(line).to_owned())).collect();
    let told = |line: &Line| lost.contains(&(line.kind.clone(), item_id(line).to_owned()));
    let mut lines = in_short(lines);
    // What the keeper can't compare is no loss: whatever it has is kept.
    lines.extend(in_short(of_kept.into_iter().filter(|line| line.change != Change::Unknown && !told(line)).collect()));
    lines
}

fn item_id(line: &Line) -> &str {
    line.id.splitn(3, '.').nth(2).unwrap_or_default()
}

/// The keeper has it so already: somebody entered it there too, or removed it there too.
fn is_there_too(line: &Line, left: &Side<'_>, keeps: Option<&Listing>) -> bool {
    let (Some(keeps), Ok(now)) = (keeps, left.now) else { return false };
    match line.change {
        Change::Unknown => false,
        Change::Removed => keeps.item(&line.kind, item_id(line)).is_none(),
        Change::Added | Change::Changed => now.item(&line.kind, item_id(line)).is_some_and(|item| keeps.has_alike(item)),
    }
}

/// What became of a node's items since the snapshot.
fn changes(side: &Side<'_>, lost: bool) -> Vec<Line> {
    let now = match side.now {
        Ok(now) => now,
        Err(why) => return vec![unknown(side.node, "settings", why, lost)],
    };
    let before = side.before;
    let (strange, renamed) = incomparable(before, now);
    let line = |item: &Item, change: Change, digest: &str| Line {
        id: format!("{}.{}.{}", side.node, item.kind, item.id),
        node: side.node,
        kind: item.kind.clone(),
        name: item.name.clone(),
        change,
        both: false,
        lost,
        digest: digest.to_owned(),
    };
    let mut lines = Vec::new();
    for item in now.items.iter().filter(|item| !strange.contains(item.kind.as_str())) {
        match before.item(&item.kind, &item.id) {
            None => lines.push(line(item, Change::Added, &item.digest)),
            Some(old) if old.name != item.name || old.digest != item.digest && !renamed.contains(item.kind.as_str()) => {
                lines.push(line(item, Change::Changed, &item.digest));
            }
            Some(_) => {}
        }
    }
    let gone = before.items.iter().filter(|item| now.item(&item.kind, &item.id).is_none());
    lines.extend(gone.filter(|item| !strange.contains(item.kind.as_str())).map(|item| line(item, Change::Removed, "removed")));
    let untold = strange.iter().chain(&renamed);
    lines.extend(untold.map(|kind| unknown(side.node, kind, &all_of(now, kind), lost)));
    lines
}

/// What a kind is now as a whole: where its items can't be compared one by one, any change makes its line another.
fn all_of(now: &Listing, kind: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(now.fields.get(kind).map_or("", String::as_str));
    for item in now.items.iter().filter(|item| item.kind == kind) {
        hasher.update(format!("\n{} {}", item.id, item.digest));
    }
    hex(&hasher.finalize())
}

/// Kinds that only one of the listings tells, and kinds whose items have other fields than before: an update brings both. Of the
/// latter only names can be compared, and that is said.
fn incomparable<'a>(before: &'a Listing, now: &'a Listing) -> (BTreeSet<&'a str>, BTreeSet<&'a str>) {
    let kinds: BTreeSet<&str> = before.fields.keys().chain(now.fields.keys()).map(String::as_str).collect();
    let (mut strange, mut renamed) = (BTreeSet::new(), BTreeSet::new());
    for kind in kinds {
        match (before.fields.get(kind), now.fields.get(kind)) {
            // Without an item nobody knows the fields.
            (Some(old), Some(new)) if old != new && !old.is_empty() && !new.is_empty() => drop(renamed.insert(kind)),
            (Some(_), Some(_)) => {}
            _ => drop(strange.insert(kind)),
        }
    }
    (strange, renamed)
}

fn unknown(node: NodeId, kind: &str, why: &str, lost: bool) -> Line {
    let name = if kind == "settings" { format!("all of them: {why}") } else { "fields that an update changed".to_owned() };
    Line {
        id: format!("{node}.{kind}.*"),
        node,
        kind: kind.to_owned(),
        name,
        change: Change::Unknown,
        both: false,
        lost,
        digest: if kind == "settings" { "untold".to_owned() } else { why.to_owned() },
    }
}

/// Too many lines to be read are told in one for each kind and change.
fn in_short(lines: Vec<Line>) -> Vec<Line> {
    if lines.len() <= MOST_LINES {
        return lines;
    }
    let mut groups: BTreeMap<(String, Change), Vec<Line>> = BTreeMap::new();
    for line in lines {
        groups.entry((line.kind.clone(), line.change)).or_default().push(line);
    }
    groups.into_values().filter_map(together).collect()
}

fn together(lines: Vec<Line>) -> Option<Line> {
    let count = lines.len();
    let mut all = Sha256::new();
    for line in &lines {
        all.update(format!("{}\0{}\n", line.id, line.digest));
    }
    let both = lines.iter().any(|line| line.both);
    let first = lines.into_iter().next()?;
    if count == 1 {
        return Some(first);
    }
    let id = format!("{}.{}.{}", first.node, first.kind, first.change.name());
    Some(Line { id, name: format!("{count} items"), both, digest: hex(&all.finalize()), ..first })
}

#[cfg(test)]
mod tests;
