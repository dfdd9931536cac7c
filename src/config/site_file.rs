//! `sites.d/<name>.toml`.

use jiff::Timestamp;

use super::gates::RolesNamed;
use super::nodes::{self, NodeInput};
use super::policy;
use super::reader::{At, Reader, Section};
use super::settings::{SiteSettings, WindowTexts};
use super::traffic;
use super::values;
use crate::domain::ids::PerNode;
use crate::domain::site::Site;
use crate::domain::window::Window;

/// A site as its file has it: the settings if nothing is missing, and what must be unique among all sites in any case.
pub(super) struct SiteInput {
    pub(super) settings: Option<SiteSettings>,
    pub(super) name: Option<At<String>>,
    pub(super) service: Option<At<String>>,
    pub(super) nodes: PerNode<NodeInput>,
    pub(super) moved: Vec<At<String>>,
    /// The roles that gates and waivers ask for.
    pub(super) roles: RolesNamed,
}

pub(super) fn read(reader: &mut Reader, root: &Section, actions: &[&str]) -> SiteInput {
    reader.refuse_strangers(root);
    let name = name(reader, root);
    let service = reader.value(root, "service", values::host_name);
    let procedure = reader.value(root, "procedure", |text| Ok(text.to_owned()));
    let nodes = nodes::read(reader, root);
    if let Some(service) = &service {
        nodes::check(reader, &service.value, &nodes);
    }
    let traffic = traffic::read(reader, root, service.as_ref().map(|service| service.value.as_str()));
    let (policy, roles) = policy::read(reader, root, actions).unzip();
    let windows = windows(reader, root);
    let site = || {
        let domain = PerNode { a: nodes.a.node()?, b: nodes.b.node()? };
        let (name, service) = (name.as_ref()?.value.clone(), service.as_ref()?.value.clone());
        Some(Site { name, service, procedure: procedure.map(|name| name.value), nodes: domain, policy: policy? })
    };
    let settings = || {
        let drivers = PerNode { a: nodes.a.driver.clone()?, b: nodes.b.driver.clone()? };
        let (site, file) = (site()?, reader.source.path.clone());
        Some(SiteSettings { site, nodes: drivers, traffic: traffic.drivers, windows, file })
    };
    let settings = settings();
    SiteInput { settings, name, service, nodes, moved: traffic.moved, roles: roles.unwrap_or_default() }
}

fn name(reader: &mut Reader, root: &Section) -> Option<At<String>> {
    let stem = reader.source.path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    reader.value(root, "name", |text| {
        let name = values::site_name(text)?;
        if name == stem { Ok(name) } else { Err(format!("`{name}` is not the file's name; expected `{stem}`")) }
    })
}

fn windows(reader: &mut Reader, root: &Section) -> WindowTexts {
    let Some(section) = reader.child(root, "windows", "site.windows") else { return WindowTexts::default() };
    reader.refuse_strangers(&section);
    let first = reader.value(&section, "first", values::window_text);
    let second = reader.value(&section, "second", values::window_text);
    if let (Some(first), Some(second)) = (&first, &second) {
        check_order(reader, first, second);
    }
    WindowTexts { first: first.map(|text| text.value), second: second.map(|text| text.value) }
}

/// Two windows with fixed starts follow each other; one that counts from `now` can be judged only when a plan is made.
fn check_order(reader: &mut Reader, first: &At<String>, second: &At<String>) {
    if first.value.starts_with("now") || second.value.starts_with("now") {
        return;
    }
    let parse = |text: &str| Window::parse(text, Timestamp::UNIX_EPOCH).ok();
    let (Some(a), Some(b)) = (parse(&first.value), parse(&second.value)) else { return };
    if b.from < a.to {
        let message = format!("`second` in `[windows]` begins at {}, before the first window ends at {}", b.from, a.to);
        reader.problem(second.line, message);
    }
}
