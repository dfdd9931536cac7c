//! Where the records of a `[[traffic]]` entry lead while each node serves: `addresses` or `targets`.

use std::net::IpAddr;

use toml::de::DeValue;

use super::keys;
use super::reader::{At, Reader, Section, plain, quoted};
use super::settings::Leads;
use super::values;
use crate::domain::ids::{NodeId, PerNode};

/// What the entry says, if it does; `None` stands for the nodes' own addresses, or for a problem.
pub(super) fn read(reader: &mut Reader, section: &Section) -> Option<Leads> {
    let addresses = per_node(reader, section, "addresses", values::address);
    let targets = per_node(reader, section, "targets", values::host_name);
    match (addresses, targets) {
        (Some(_), Some(targets)) => {
            let message =
                format!("`addresses` and `targets` {} exclude each other: a name has addresses, or is an alias", section.place());
            reader.problem(targets.line, message);
            None
        }
        (Some(addresses), None) => of_addresses(reader, section, addresses),
        (None, Some(targets)) => of_targets(reader, section, targets),
        (None, None) => None,
    }
}

/// One address of a family for both nodes, or of each family.
fn of_addresses(reader: &mut Reader, section: &Section, read: At<PerNode<Vec<IpAddr>>>) -> Option<Leads> {
    let At { value, line } = read;
    let counts = |node: NodeId| {
        let four = value[node].iter().filter(|address| address.is_ipv4()).count();
        (four, value[node].len() - four)
    };
    let like = counts(NodeId::A) == counts(NodeId::B) && matches!(counts(NodeId::A), (1, 0) | (0, 1) | (1, 1));
    if !like {
        let message = format!(
            "`addresses` {}: expected for both nodes one IPv4 address, one IPv6 address, or one of each",
            section.place()
        );
        reader.problem(line, message);
        return None;
    }
    if let Some(both) = value.a.iter().find(|address| value.b.contains(address)) {
        reader.problem(line, format!("`addresses` {}: both nodes have {both}", section.place()));
        return None;
    }
    Some(Leads::Addresses(value))
}

fn of_targets(reader: &mut Reader, section: &Section, read: At<PerNode<Vec<String>>>) -> Option<Leads> {
    let At { value, line } = read;
    match (value.a.as_slice(), value.b.as_slice()) {
        ([a], [b]) if a != b => Some(Leads::Names(PerNode { a: a.clone(), b: b.clone() })),
        _ => {
            let message = format!("`targets` {}: expected one name for each node, and not the same", section.place());
            reader.problem(line, message);
            None
        }
    }
}

/// `{ a = …, b = … }`, each a text or a list of texts.
fn per_node<T>(
    reader: &mut Reader,
    section: &Section,
    name: &'static str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Option<At<PerNode<Vec<T>>>> {
    let (value, line) = reader.raw(section, name)?;
    let expected = keys::find(section.table.name, name)?.kind.expected();
    let DeValue::Table(table) = value else {
        reader.wrong_type(section, name, value, line, &expected);
        return None;
    };
    let mut found: PerNode<Vec<T>> = PerNode::default();
    let mut shown = Vec::new();
    for (key, value) in table {
        let node = NodeId::BOTH.into_iter().find(|node| node.as_str() == key.get_ref().as_ref());
        let texts = texts(value.get_ref());
        let (Some(node), Ok(texts)) = (node, texts) else {
            reader.problem(line, format!("`{name}` {} is not what was expected: {expected}", section.place()));
            return None;
        };
        let values = texts.iter().map(|text| plain(text).and_then(|text| parse(&text))).collect::<Result<Vec<T>, String>>();
        found[node] = reader.parsed(section, name, line, values)?;
        shown.push(format!("{node} = [{}]", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", ")));
    }
    reader.note(section, keys::find(section.table.name, name)?, format!("{{ {} }}", shown.join(", ")), Some(line), None);
    Some(At { value: found, line })
}

fn texts(value: &DeValue) -> Result<Vec<String>, ()> {
    let text = |value: &DeValue| if let DeValue::String(text) = value { Ok(text.to_string()) } else { Err(()) };
    match value {
        DeValue::Array(items) => items.iter().map(|item| text(item.get_ref())).collect(),
        one => Ok(vec![text(one)?]),
    }
}
