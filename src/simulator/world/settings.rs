//! Settings of a simulated node: some users, groups and Jump items, each with a value that stands for everything else of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::domain::ids::NodeId;
use crate::domain::journal::hex;
use crate::domain::listing::Item;

use super::World;
use super::refusal::Refusal;

/// All settings of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// New in the world with each change.
    pub revision: u64,
    pub changed_on: NodeId,
    pub changed_at: Timestamp,
    /// By kind and id.
    pub stored: BTreeMap<(String, String), Stored>,
}

/// One item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub name: String,
    pub value: String,
    /// For jobs.
    pub enabled: Option<bool>,
}

/// What somebody changes; without a name the item is removed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingChanged {
    pub kind: String,
    pub id: String,
    pub name: Option<String>,
    #[serde(default)]
    pub value: String,
    #[serde(default)]
    pub enabled: Option<bool>,
}

const AT_FIRST: [(&str, &str, &str); 6] = [
    ("user", "1", "admin"),
    ("user", "2", "user1"),
    ("user", "3", "user2"),
    ("group", "1", "representatives"),
    ("jump_group", "1", "servers"),
    ("jump_shell", "1", "linux-server"),
];

impl Settings {
    pub(super) fn new(changed_on: NodeId, changed_at: Timestamp) -> Self {
        let stored = |name: &str| Stored { name: name.to_owned(), value: "1".to_owned(), enabled: None };
        let stored = AT_FIRST.iter().map(|(kind, id, name)| (((*kind).to_owned(), (*id).to_owned()), stored(name))).collect();
        Self { revision: 1, changed_on, changed_at, stored }
    }

    /// As the port lists them.
    pub fn items(&self) -> Vec<Item> {
        let item = |((kind, id), stored): (&(String, String), &Stored)| Item {
            kind: kind.clone(),
            id: id.clone(),
            name: stored.name.clone(),
            digest: hex(&Sha256::digest(format!("{}\0{}", stored.name, stored.value))),
            enabled: stored.enabled,
        };
        self.stored.iter().map(item).collect()
    }

    /// `user.1 admin`, in order.
    pub fn names(&self) -> Vec<String> {
        self.stored.iter().map(|((kind, id), stored)| format!("{kind}.{id} {}", stored.name)).collect()
    }
}

impl World {
    /// Somebody changes the settings on a node: the first user, to something that it never was.
    ///
    /// # Errors
    /// The node is silent.
    pub fn change_settings(&mut self, node: NodeId) -> Result<(), Refusal> {
        let (name, value) = (Some("admin".to_owned()), (self.revisions + 1).to_string());
        self.change_setting(node, SettingChanged { kind: "user".to_owned(), id: "1".to_owned(), name, value, enabled: None })
    }

    /// Somebody adds, changes or removes one item on a node.
    ///
    /// # Errors
    /// The node is silent.
    pub fn change_setting(&mut self, node: NodeId, changed: SettingChanged) -> Result<(), Refusal> {
        self.reachable(node)?;
        self.record_act(node, "change-settings");
        self.revisions += 1;
        let settings = &mut self.nodes[node].settings;
        (settings.revision, settings.changed_on, settings.changed_at) = (self.revisions, node, self.now);
        let SettingChanged { kind, id, name, value, enabled } = changed;
        match name {
            Some(name) => drop(settings.stored.insert((kind, id), Stored { name, value, enabled })),
            None => drop(settings.stored.remove(&(kind, id))),
        }
        Ok(())
    }
}
