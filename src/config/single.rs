//! The file of an appliance that has no pair: `changeover single FILE`.

use std::path::PathBuf;

use super::keys;
use super::nodes;
use super::reader::{Reader, Section};
use super::settings::{Hands, NodeDriver, is_loopback};
use super::values;
use crate::domain::site::Node;

/// One appliance, reached over its own interfaces and pages.
#[derive(Clone, Debug)]
pub struct SingleSettings {
    /// The file's name without its ending; names the appliance in messages and files.
    pub name: String,
    pub service: String,
    pub node: Node,
    /// Always [`NodeDriver::BeyondTrust`] with hands at the console.
    pub driver: NodeDriver,
    /// Where backups are kept.
    pub backups: PathBuf,
}

impl SingleSettings {
    /// Whether it lies on this machine: what a faster clock is allowed for.
    ///
    /// # Errors
    /// Names the address that doesn't.
    pub fn is_loopback(&self) -> Result<(), String> {
        let leads_here = match &self.driver {
            NodeDriver::BeyondTrust { url, .. } => is_loopback(url),
            NodeDriver::Exec { .. } => false,
        };
        match self.node.address.is_loopback() && leads_here {
            true => Ok(()),
            false => Err(format!("appliance `{}`: {} or its URL is not a loopback address", self.name, self.node.address)),
        }
    }
}

pub(super) fn read(reader: &mut Reader, root: &Section) -> Option<SingleSettings> {
    reader.refuse_strangers(root);
    let service = reader.value(root, "service", values::host_name);
    let node = reader.required_child(root, "node", "site.node").map(|mut section| {
        let node = nodes::node(reader, &mut section);
        refuse_unfit(reader, &section, node.driver.as_ref());
        node
    });
    let backups = reader.required_child(root, "backup", keys::SINGLE_BACKUP).and_then(|section| {
        reader.refuse_strangers(&section);
        reader.path(&section, "folder")
    });
    let name = reader.source.path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let name = values::site_name(&name);
    if let Err(error) = &name {
        reader.problem(root.line, format!("the file's name names the appliance: {error}"));
    }
    let node = node?;
    let facts = node.node()?;
    Some(SingleSettings { name: name.ok()?, service: service?.value, node: facts, driver: node.driver?, backups: backups?.value })
}

/// Updates of a single appliance are done at its pages, and only this driver knows them.
fn refuse_unfit(reader: &mut Reader, section: &Section, driver: Option<&NodeDriver>) {
    let place = section.place();
    let message = match driver {
        Some(NodeDriver::Exec { .. }) => format!("`driver` {place} is \"exec\"; a single appliance needs \"beyondtrust\""),
        Some(NodeDriver::BeyondTrust { hands: Hands::Operator, .. }) => {
            format!("`hands` {place} is \"operator\"; a single appliance is updated at its pages: set \"console\"")
        }
        _ => return,
    };
    reader.problem(section.line, message);
}
