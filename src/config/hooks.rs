//! `[[alerts.webhook]]`, `[[alerts.program]]`, `[[exports.program]]`.

use super::keys::ALERT_EVENTS;
use super::reader::{At, Reader, Section};
use super::settings::{ANY_EVENT, Hook, HookTarget};
use super::suggest;
use super::values;

/// The hooks of a configuration; any of them may be missing for its problems.
#[derive(Default)]
pub(super) struct Hooks {
    pub(super) alerts: Vec<Hook>,
    pub(super) exports: Vec<Hook>,
}

/// Reads all hooks. Their names are unique across all lists: the outbox knows a hook by its name alone.
pub(super) fn read(reader: &mut Reader, root: &Section) -> Hooks {
    let mut hooks = Hooks::default();
    let mut names = Vec::new();
    if let Some(alerts) = reader.child(root, "alerts", "alerts") {
        reader.refuse_strangers(&alerts);
        for section in reader.children(&alerts, "webhook", "alerts.webhook") {
            hooks.alerts.extend(hook(reader, &section, &mut names, webhook));
        }
        for section in reader.children(&alerts, "program", "alerts.program") {
            hooks.alerts.extend(hook(reader, &section, &mut names, program));
        }
    }
    if let Some(exports) = reader.child(root, "exports", "exports") {
        reader.refuse_strangers(&exports);
        for section in reader.children(&exports, "program", "exports.program") {
            hooks.exports.extend(hook(reader, &section, &mut names, program));
        }
    }
    hooks
}

type Target = fn(&mut Reader, &Section) -> Option<HookTarget>;

fn hook(reader: &mut Reader, section: &Section, names: &mut Vec<At<String>>, target: Target) -> Option<Hook> {
    reader.refuse_strangers(section);
    let name = reader.value(section, "name", |text| Ok(text.to_owned()));
    let target = target(reader, section);
    let exports = section.table.name == "exports.program";
    let events = if exports { Some(vec![ANY_EVENT.to_owned()]) } else { events(reader, section) };
    let timeout = reader.value(section, "timeout", values::duration);
    let name = unique(reader, names, name?)?;
    Some(Hook { name, target: target?, events: events?, timeout: timeout?.value })
}

fn unique(reader: &mut Reader, names: &mut Vec<At<String>>, name: At<String>) -> Option<String> {
    if let Some(first) = names.iter().find(|known| known.value == name.value) {
        let message = format!("hook name `{}` is already used in line {}; hook names are unique", name.value, first.line);
        reader.problem(name.line, message);
        return None;
    }
    names.push(name.clone());
    Some(name.value)
}

fn webhook(reader: &mut Reader, section: &Section) -> Option<HookTarget> {
    let url = reader.value_shown(section, "url", values::hook_url, |url| format!("{}/…", values::origin(url)));
    let secret_file = reader.path(section, "secret_file");
    Some(HookTarget::Webhook { url: url?.value, secret_file: secret_file?.value })
}

fn program(reader: &mut Reader, section: &Section) -> Option<HookTarget> {
    Some(HookTarget::Program { program: reader.program(section)?.value })
}

fn events(reader: &mut Reader, section: &Section) -> Option<Vec<String>> {
    let known = |text: &str| match ALERT_EVENTS.contains(&text) || text == ANY_EVENT {
        true => Ok(text.to_owned()),
        false => Err(format!("`{text}` is not an alert{}", suggest::hint(text, ALERT_EVENTS.iter().copied()))),
    };
    Some(reader.list(section, "events", known)?.value)
}
