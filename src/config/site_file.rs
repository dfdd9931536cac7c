//! `sites.d/<name>.toml`.

use super::freezes::{self, Freezes};
use super::gates::RolesNamed;
use super::nodes::{self, NodeInput};
use super::policy;
use super::reader::{At, Reader, Section};
use super::settings::SiteSettings;
use super::traffic;
use super::values;
use super::windows;
use crate::domain::ids::PerNode;
use crate::domain::site::Site;
use crate::domain::window::calendar::Calendar;

/// A site as its file has it: the settings if nothing is missing, and what must be unique among all sites in any case.
pub(super) struct SiteInput {
    pub(super) settings: Option<SiteSettings>,
    pub(super) name: Option<At<String>>,
    pub(super) service: Option<At<String>>,
    pub(super) nodes: PerNode<NodeInput>,
    pub(super) moved: Vec<At<String>>,
    /// The roles that gates and waivers ask for.
    pub(super) roles: RolesNamed,
    /// Who is responsible for window two.
    pub(super) responsible: Option<At<String>>,
}

/// `shared`: the freezes of all sites.
pub(super) fn read(reader: &mut Reader, root: &Section, actions: &[&str], shared: &Freezes) -> SiteInput {
    reader.refuse_strangers(root);
    let name = name(reader, root);
    let service = reader.value(root, "service", values::host_name);
    let procedure = reader.value(root, "procedure", |text| Ok(text.to_owned()));
    let zone = reader.value(root, "zone", values::zone).map(|zone| zone.value);
    let nodes = nodes::read(reader, root);
    if let Some(service) = &service {
        nodes::check(reader, &service.value, &nodes);
    }
    let traffic = traffic::read(reader, root, service.as_ref().map(|service| service.value.as_str()), &nodes);
    let (policy, roles) = policy::read(reader, root, actions).unzip();
    let windows = windows::read(reader, root, zone.as_ref());
    let own = freezes::read(reader, root, "site.freezes");
    let calendar = zone.map(|zone| {
        let freezes = shared.of(&zone).into_iter().chain(own.of(&zone)).collect();
        Calendar { recurring: windows.recurring, fixed: windows.fixed, freezes, zone }
    });
    let site = || {
        let (domain, calendar) = (PerNode { a: nodes.a.node()?, b: nodes.b.node()? }, calendar?);
        let (name, service) = (name.as_ref()?.value.clone(), service.as_ref()?.value.clone());
        Some(Site { name, service, procedure: procedure.map(|name| name.value), nodes: domain, policy: policy?, calendar })
    };
    let settings = || {
        let drivers = PerNode { a: nodes.a.driver.clone()?, b: nodes.b.driver.clone()? };
        let (site, file) = (site()?, reader.source.path.clone());
        Some(SiteSettings { site, nodes: drivers, traffic: traffic.drivers, windows: windows.texts, file })
    };
    let settings = settings();
    let (moved, responsible) = (traffic.moved, windows.responsible);
    SiteInput { settings, name, service, nodes, moved, roles: roles.unwrap_or_default(), responsible }
}

fn name(reader: &mut Reader, root: &Section) -> Option<At<String>> {
    let stem = reader.source.path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    reader.value(root, "name", |text| {
        let name = values::site_name(text)?;
        if name == stem { Ok(name) } else { Err(format!("`{name}` is not the file's name; expected `{stem}`")) }
    })
}
