//! From settings to a working daemon: drivers, hooks and procedures made from what the config says.
//!
//! Secrets are read here, from their files, and handed on in types that cannot be printed.

mod error;
mod files;
mod hooks;
mod procedures;
mod shared;
mod traffic;
mod vendor;

use std::sync::Arc;

use crate::config::{NodeDriver, Settings, SiteSettings, WindowTexts};
use crate::domain::ids::{NodeId, PerNode};
use crate::drivers::appliance::{beyondtrust, exec};
use crate::engine::site::{SiteEntry, SitePorts};
use crate::ports::{Appliance, Clock};

pub use self::error::WiringError;
use self::error::fail;
pub use self::hooks::{WiredHooks, hooks};
pub use self::procedures::{ProcedureDocument, procedure_documents, procedures};
pub use self::shared::Shared;
pub use self::vendor::single;

/// A site with its drivers.
pub fn site(settings: &SiteSettings, shared: &Shared) -> Result<SiteEntry, WiringError> {
    let boxes = PerNode { a: vendor::node(settings, NodeId::A, shared)?, b: vendor::node(settings, NodeId::B, shared)? };
    let a = appliance(settings, NodeId::A, &boxes, shared)?;
    let b = appliance(settings, NodeId::B, &boxes, shared)?;
    let nodes = PerNode { a, b };
    let entries = settings.traffic.iter().enumerate();
    let traffic =
        entries.map(|(entry, driver)| traffic::traffic(settings, entry, (driver, &nodes), shared)).collect::<Result<_, _>>()?;
    let ports = SitePorts { nodes, traffic };
    let WindowTexts { first, second, responsible } = settings.windows.clone();
    Ok(SiteEntry { site: settings.site.clone(), ports, first, second, responsible })
}

/// The driver of one node; `boxes` are the settings of those that are BeyondTrust's.
fn appliance(
    settings: &SiteSettings,
    node: NodeId,
    boxes: &PerNode<Option<beyondtrust::Settings>>,
    shared: &Shared,
) -> Result<Arc<dyn Appliance>, WiringError> {
    let mut driver = match (&settings.nodes[node], &boxes[node]) {
        (NodeDriver::Exec { program }, _) => return Ok(Arc::new(exec_node(settings, node, program, shared))),
        (NodeDriver::BeyondTrust { .. }, Some(driver)) => driver.clone(),
        (NodeDriver::BeyondTrust { .. }, None) => return Err(fail(node.as_str(), "it has no settings")),
    };
    // Where both have hands at the console, an act of one may be done at the other's pages.
    let other = boxes[node.other()].as_ref().filter(|other| other.console.is_some() && driver.console.is_some());
    driver.peer.console = other.cloned().map(Box::new);
    let of = format!("site `{}`, node `{node}`", settings.site.name);
    let driver = beyondtrust::BeyondTrust::new(driver, shared.clock.clone());
    Ok(Arc::new(driver.map_err(|error| fail(of, error))?))
}

fn exec_node(settings: &SiteSettings, node: NodeId, program: &[String], shared: &Shared) -> exec::Exec {
    let driver = exec::Settings {
        site: settings.site.name.clone(),
        node,
        program: program.to_vec(),
        identity: settings.site.nodes[node].identity.clone(),
        address: settings.site.nodes[node].address,
        read_limit: exec::READ_LIMIT,
    };
    exec::Exec::new(driver, shared.programs.clone(), shared.clock.clone())
}

/// Makes every driver and hook and drops them again: finds secrets and certificates that can be read and not used. Nothing is
/// sent, started or written.
pub fn rehearse(settings: &Settings, clock: Arc<dyn Clock>) -> Vec<WiringError> {
    let shared = Shared::new(settings, clock);
    let hooks = settings.alerts.iter().chain(&settings.exports).filter_map(|hook| hooks::notifier(hook).err());
    hooks.chain(settings.sites.iter().filter_map(|settings| site(settings, &shared).err())).collect()
}
