//! The tables of `docs/reference/config.md`, printed from [`super::keys`].

use super::keys::{ALERT_EVENTS, KEYS, Key, Kind, Need, SINGLE, TABLES, Table};

/// What stands between the markers of the page.
pub fn reference() -> String {
    let tables = TABLES.iter().filter(|table| KEYS.iter().any(|key| key.table == table.name));
    let alerts = ALERT_EVENTS.iter().map(|event| format!("`{event}`")).collect::<Vec<_>>().join(", ");
    let alerts = format!("### Alert names\n\n`events` takes these, or `\"*\"` for all of them: {alerts}.\n");
    tables.map(section).chain([alerts]).collect::<Vec<_>>().join("\n")
}

fn section(table: &Table) -> String {
    let title = match (table.header, table.name) {
        ("", "main") => "`changeover.toml`, top level".to_owned(),
        ("", SINGLE) => "A single appliance's file, top level".to_owned(),
        ("", _) => "`sites.d/<name>.toml`, top level".to_owned(),
        (header, _) => format!("`{header}`"),
    };
    let rows: String = KEYS.iter().filter(|key| key.table == table.name).map(row).collect();
    format!("### {title}\n\n{}\n\n| key | holds | default | what it does |\n| --- | --- | --- | --- |\n{rows}", table.about)
}

fn row(key: &Key) -> String {
    let drivers = match key.drivers {
        [] => String::new(),
        drivers => format!(" ({})", drivers.iter().map(|driver| format!("`{driver}`")).collect::<Vec<_>>().join(", ")),
    };
    format!("| `{}`{drivers} | {} | {} | {} |\n", key.name, holds(key.kind), default(key), key.about)
}

fn holds(kind: Kind) -> String {
    match kind {
        Kind::Text => "text".into(),
        Kind::HostName => "host name".into(),
        Kind::Address => "IP address".into(),
        Kind::Server => "IP address, port".into(),
        Kind::Servers => "list of IP addresses, ports".into(),
        Kind::Listen => "IP address with port".into(),
        Kind::Duration => "duration".into(),
        Kind::Path => "path".into(),
        Kind::Folder => "folder".into(),
        Kind::File => "file".into(),
        Kind::SecretFile => "file with a secret".into(),
        Kind::Program => "list: program, arguments".into(),
        Kind::Texts => "list of texts".into(),
        Kind::Word(words) => words.iter().map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>().join(", "),
        Kind::Url => "URL".into(),
        Kind::Window => "window".into(),
        Kind::Count => "whole number".into(),
        Kind::Flag => "`true`, `false`".into(),
        Kind::Zone => "time zone".into(),
        Kind::ClockTime => "time of day".into(),
        Kind::Windows => "list of windows".into(),
        Kind::Days => "list of days".into(),
        Kind::Moment => "day or time".into(),
        Kind::TimeOfDay => "time of day".into(),
        Kind::NodeAddresses => "`{ a = [\"…\"], b = [\"…\"] }`, addresses".into(),
        Kind::NodeNames => "`{ a = \"…\", b = \"…\" }`, host names".into(),
        Kind::Trust => "`\"system\"`, `{ ca_file = \"…\" }`, `{ pins = [\"…\"] }`".into(),
    }
}

fn default(key: &Key) -> String {
    match (key.need, key.kind) {
        (Need::Required, _) => "required".into(),
        (Need::Optional, _) => "none".into(),
        (Need::Default(text), Kind::Count | Kind::Flag) => format!("`{text}`"),
        (Need::Default(text), Kind::Texts) => format!("`[\"{text}\"]`"),
        (Need::Default(text), _) => format!("`\"{text}\"`"),
    }
}
