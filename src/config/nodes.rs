//! `[nodes.a]` and `[nodes.b]`.

use std::net::IpAddr;

use toml::de::{DeTable, DeValue};
use url::Url;

use super::console;
use super::keys::{self, Kind};
use super::reader::{At, Reader, Section, plain, quoted, type_name};
use super::settings::{CredentialSet, Editions, Hands, Login, NodeDriver, Product, TlsTrust};
use super::values;
use crate::domain::ids::{NodeId, PerNode};
use crate::domain::site::Node;

/// One node as its table has it; any part may be missing for its problems.
#[derive(Default)]
pub(super) struct NodeInput {
    pub(super) identity: Option<At<String>>,
    pub(super) address: Option<At<IpAddr>>,
    pub(super) url: Option<At<Url>>,
    pub(super) driver: Option<NodeDriver>,
}

impl NodeInput {
    pub(super) fn node(&self) -> Option<Node> {
        Some(Node { identity: self.identity.as_ref()?.value.clone(), address: self.address.as_ref()?.value })
    }
}

pub(super) fn read(reader: &mut Reader, root: &Section) -> PerNode<NodeInput> {
    let mut nodes = PerNode::default();
    let Some(section) = reader.required_child(root, "nodes", "site.nodes") else { return nodes };
    reader.refuse_strangers(&section);
    for id in NodeId::BOTH {
        if let Some(mut section) = reader.required_child(&section, id.as_str(), "site.node") {
            nodes[id] = node(reader, &mut section);
        }
    }
    nodes
}

/// Problems that show only when service and both nodes are side by side.
pub(super) fn check(reader: &mut Reader, service: &str, nodes: &PerNode<NodeInput>) {
    for id in NodeId::BOTH {
        if let Some(url) = &nodes[id].url {
            check_url(reader, service, id, url, nodes);
        }
    }
    let (Some(a), Some(b)) = (&nodes.a.address, &nodes.b.address) else { return };
    if a.value == b.value {
        reader.problem(b.line, format!("node `b` has the address {} of node `a` (line {})", b.value, a.line));
    } else if a.value.is_ipv4() != b.value.is_ipv4() {
        let message =
            format!("node `b` has {} and node `a` {} (line {}); one record cannot hold either", b.value, a.value, a.line);
        reader.problem(b.line, message);
    }
}

fn check_url(reader: &mut Reader, service: &str, id: NodeId, url: &At<Url>, nodes: &PerNode<NodeInput>) {
    let other = &nodes[id.other()];
    let host = values::url_host(&url.value);
    if host == Some(Err(service.to_owned())) {
        let message = format!(
            "the URL of node `{id}` leads through the service's name `{service}`, to whichever node serves; \
             give the node's own name or address"
        );
        reader.problem(url.line, message);
    }
    if id == NodeId::B && other.url.as_ref().is_some_and(|other| values::origin(&other.value) == values::origin(&url.value)) {
        reader.problem(url.line, "node `b` has the URL of node `a`".to_owned());
    }
    let address = |node: &NodeInput| node.address.as_ref().map(|address| Ok(address.value));
    if host.is_some() && host == address(other) && host != address(&nodes[id]) {
        reader.problem(url.line, format!("the URL of node `{id}` leads to the address of node `{}`", id.other()));
    }
}

/// Reads one node's table.
pub(super) fn node(reader: &mut Reader, section: &mut Section) -> NodeInput {
    let driver = reader.word(section, "driver").map(|driver| driver.value);
    section.driver = driver;
    reader.refuse_strangers(section);
    let identity = reader.value(section, "identity", |text| Ok(text.trim().to_owned()));
    let address = reader.value(section, "address", values::address);
    let mut input = NodeInput { identity, address, ..NodeInput::default() };
    console::refuse_unused(reader, section);
    match driver {
        Some("exec") if section.item(reader.source, "second").is_some() => {
            reader.problem(section.line, format!("`second` {} is only for the driver `beyondtrust`", section.place()));
        }
        Some("exec") => input.driver = reader.program(section).map(|program| NodeDriver::Exec { program: program.value }),
        Some("beyondtrust") => {
            input.url = reader.value(section, "url", values::appliance_url);
            input.driver = beyondtrust(reader, section, input.url.as_ref());
        }
        _ => {}
    }
    input
}

fn beyondtrust(reader: &mut Reader, section: &Section, url: Option<&At<Url>>) -> Option<NodeDriver> {
    let first = credentials(reader, section);
    let second = second(reader, section, first.as_ref()).map(Box::new);
    let (editions, hands, tls) = (editions(reader, section), hands(reader, section), trust(reader, section));
    let (product, recordings) = (product(reader, section), reader.flag(section, "recordings"));
    let backup_password_file = reader.path(section, "backup_password_file").map(|path| path.value);
    let (url, first) = (url?.value.clone(), first?.value);
    let (editions, hands, tls, product, recordings) = (editions?, hands?, tls?, product?, recordings?);
    Some(NodeDriver::BeyondTrust { url, first, second, editions, hands, tls, product, recordings, backup_password_file })
}

fn product(reader: &mut Reader, section: &Section) -> Option<Product> {
    Some(match reader.word(section, "product")?.value {
        "privileged-remote-access" => Product::PrivilegedRemoteAccess,
        _ => Product::RemoteSupport,
    })
}

/// An API account, or name and password of a user: exactly one of the two.
fn credentials(reader: &mut Reader, section: &Section) -> Option<At<CredentialSet>> {
    let given = |names: [&'static str; 2]| names.into_iter().find_map(|name| Some((name, section.item(reader.source, name)?.1)));
    let (client, user) = (["client_id", "client_secret_file"], ["username", "password_file"]);
    let (login, names) = match (given(client), given(user)) {
        (Some((one, _)), Some((other, line))) => {
            let place = section.place();
            let message =
                format!("`{other}` {place} stands beside `{one}`; expected an API account, or a user's name and password");
            reader.problem(line, message);
            return None;
        }
        (None, Some(_)) => (Login::User, user),
        (_, None) => (Login::Client, client),
    };
    names.into_iter().for_each(|name| reader.need(section, name));
    let name = reader.value(section, names[0], |text| Ok(text.to_owned()));
    let secret = reader.path(section, names[1]);
    let (At { value: name, line }, secret) = (name?, secret?);
    Some(At { value: CredentialSet { login, name, secret_file: secret.value }, line })
}

/// The second set; the first one once more would only be a second failed login.
fn second(reader: &mut Reader, section: &Section, first: Option<&At<CredentialSet>>) -> Option<CredentialSet> {
    let section = reader.child(section, "second", "site.node.second").filter(|section| section.items.is_some())?;
    reader.refuse_strangers(&section);
    let second = credentials(reader, &section)?;
    let is_same = |first: &&At<CredentialSet>| (first.value.login, &first.value.name) == (second.value.login, &second.value.name);
    if first.filter(is_same).is_some() {
        let key = if second.value.login == Login::Client { "client_id" } else { "username" };
        let message =
            format!("the second `{key}` {} is the first one again; give another account or leave it out", section.place());
        reader.problem(second.line, message);
    }
    Some(second.value)
}

fn editions(reader: &mut Reader, section: &Section) -> Option<Editions> {
    Some(match reader.word(section, "api")?.value {
        "xml" => Editions::Xml,
        "v2" => Editions::V2,
        _ => Editions::Auto,
    })
}

fn hands(reader: &mut Reader, section: &Section) -> Option<Hands> {
    match reader.word(section, "hands")?.value {
        "console" => {
            let console = reader.required_child(section, "console", keys::CONSOLE)?;
            Some(Hands::Console(Box::new(console::read(reader, &console)?)))
        }
        _ => Some(Hands::Operator),
    }
}

/// `"system"`, `{ ca_file = "…" }` or `{ pins = ["…"] }`.
fn trust(reader: &mut Reader, section: &Section) -> Option<TlsTrust> {
    let (value, line) = reader.raw(section, "tls")?;
    let key = keys::find(section.table.name, "tls")?;
    match value {
        DeValue::String(text) if text == "system" => {
            reader.note(section, key, quoted(text), Some(line), None);
            Some(TlsTrust::System)
        }
        DeValue::Table(table) => trust_table(reader, section, table, line),
        DeValue::String(text) => {
            let error = plain(text).and_then(|text| Err(format!("`{text}` is not {}", Kind::Trust.expected())));
            reader.parsed::<TlsTrust>(section, "tls", line, error)
        }
        other => {
            reader.wrong_type(section, "tls", other, line, &Kind::Trust.expected());
            None
        }
    }
}

fn trust_table(reader: &mut Reader, section: &Section, table: &DeTable, line: usize) -> Option<TlsTrust> {
    let entries: Vec<(&str, &DeValue, usize)> = table
        .iter()
        .map(|(key, value)| (key.get_ref().as_ref(), value.get_ref(), reader.source.line(key.span().start)))
        .collect();
    match entries.as_slice() {
        [("ca_file", DeValue::String(text), line)] => {
            let text = reader.parsed(section, "tls", *line, plain(text))?;
            let path = reader.source.resolve(&text);
            let shown = format!("{{ ca_file = {} }}", quoted(&path.to_string_lossy()));
            reader.note_named(section, "tls", Kind::File, shown, Some(*line), Some(path.clone()));
            Some(TlsTrust::CaFile(path))
        }
        [("pins", DeValue::Array(pins), line)] if !pins.is_empty() => {
            let texts: Vec<&DeValue> = pins.iter().map(|pin| pin.get_ref()).collect();
            pinned(reader, section, &texts, *line)
        }
        [(name @ ("ca_file" | "pins"), other, line)] => {
            let problem =
                format!("`{name}` of `tls` {} is {}; expected {}", section.place(), emptiness(other), Kind::Trust.expected());
            reader.problem(*line, problem);
            None
        }
        _ => {
            let names = entries.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join("`, `");
            let found = if names.is_empty() { "nothing".to_owned() } else { format!("`{}`", names.escape_debug()) };
            reader.problem(line, format!("`tls` {} holds {found}; expected exactly one of `ca_file`, `pins`", section.place()));
            None
        }
    }
}

fn emptiness(value: &DeValue) -> String {
    match value {
        DeValue::Array(_) => "an empty list".to_owned(),
        other => type_name(other).to_owned(),
    }
}

fn pinned(reader: &mut Reader, section: &Section, values: &[&DeValue], line: usize) -> Option<TlsTrust> {
    let mut pins = Vec::new();
    let mut shown = Vec::new();
    for value in values {
        let pin = match value {
            DeValue::String(text) => plain(text).and_then(|text| values::pin(&text).inspect(|_| shown.push(quoted(&text)))),
            other => Err(format!("{} is not a pin", type_name(other))),
        };
        pins.extend(reader.parsed(section, "tls", line, pin));
    }
    let shown = format!("{{ pins = [{}] }}", shown.join(", "));
    reader.note_named(section, "tls", Kind::Trust, shown, Some(line), None);
    (pins.len() == values.len()).then_some(TlsTrust::Pins(pins))
}
