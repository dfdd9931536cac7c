//! `[policy.gates.<gate>]` and `[policy.waivers]`.

use std::collections::BTreeMap;

use toml::de::DeValue;

use super::keys;
use super::reader::{At, Reader, Section};
use super::suggest;
use super::values;
use crate::domain::gate::{Expiry, Gate, GatePolicy};
use crate::domain::site::RehearsalPolicy;

/// A gate's policy, and the line of its table.
pub(super) struct GateInput {
    pub(super) gate: Gate,
    pub(super) policy: GatePolicy,
    pub(super) line: usize,
}

/// What a rehearsal is asked for, and the lines that name the site and the roles.
pub(super) struct RehearsalInput {
    pub(super) policy: RehearsalPolicy,
    pub(super) line: usize,
    pub(super) roles_line: usize,
}

/// Where a site's file names roles, and another site.
#[derive(Default)]
pub(super) struct RolesNamed {
    pub(super) gates: Vec<GateInput>,
    pub(super) waivers: BTreeMap<&'static str, At<Vec<String>>>,
    pub(super) rehearsal: Option<RehearsalInput>,
}

pub(super) fn read(reader: &mut Reader, policy: &Section) -> Vec<GateInput> {
    let Some(section) = reader.child(policy, "gates", keys::GATES) else { return Vec::new() };
    let mut gates = Vec::new();
    for (name, value, line) in section.items(reader.source) {
        let Ok(gate) = name.parse::<Gate>() else {
            let shown = name.chars().take(64).flat_map(char::escape_debug).collect::<String>();
            let hint = suggest::hint(name, Gate::all().map(Gate::name));
            reader.problem(line, format!("`{shown}` {} is not a gate{hint}", section.place()));
            continue;
        };
        if !matches!(value, DeValue::Table(_)) {
            reader.wrong_type(&section, name, value, line, &format!("the table `[policy.gates.{name}]`"));
            continue;
        }
        let policy = reader.child(&section, name, "site.policy.gate").and_then(|section| one(reader, &section, gate));
        gates.extend(policy.map(|policy| GateInput { gate, policy, line }));
    }
    gates
}

fn one(reader: &mut Reader, section: &Section, gate: Gate) -> Option<GatePolicy> {
    reader.refuse_strangers(section);
    let mut texts = |name: &str| reader.list(section, name, |text| Ok(text.to_owned())).map(|list| list.value);
    let (roles, deputies) = (texts("roles").unwrap_or_default(), texts("deputies").unwrap_or_default());
    let mut duration = |name: &str| reader.value(section, name, values::duration).map(|duration| duration.value);
    let (remind_after, escalate_after) = (duration("remind_after"), duration("escalate_after"));
    let expires_after = duration("expires_after");
    let (persons, not_starter) = (reader.count(section, "persons"), reader.flag(section, "not_starter"));
    let on_expiry = if reader.word(section, "on_expiry")?.value == "home" { Expiry::Home } else { Expiry::Hold };
    let policy = GatePolicy {
        roles,
        persons: persons?.value,
        not_starter: not_starter?,
        remind_after,
        escalate_after,
        deputies,
        expires_after,
        on_expiry,
    };
    for message in nonsense(gate, &policy) {
        reader.problem(section.line, format!("{} {message}", section.place()));
    }
    Some(policy)
}

/// What can't be meant.
fn nonsense(gate: Gate, policy: &GatePolicy) -> Vec<&'static str> {
    let GatePolicy { remind_after, escalate_after, expires_after, deputies, roles, .. } = policy;
    let timed = remind_after.is_some() || escalate_after.is_some() || expires_after.is_some();
    let past_expiry = |after| expires_after.is_some_and(|expires| after >= &Some(expires));
    let wrong = [
        (escalate_after.is_some() && deputies.is_empty(), "`escalate_after` needs `deputies`: who else is asked then?"),
        (!deputies.is_empty() && escalate_after.is_none(), "`deputies` needs `escalate_after`: from when on may they answer?"),
        (!deputies.is_empty() && roles.is_empty(), "`deputies` needs `roles`: without them everybody may answer anyway"),
        (past_expiry(remind_after), "`expires_after` is not longer than `remind_after`: nobody would be reminded"),
        (past_expiry(escalate_after), "`expires_after` is not longer than `escalate_after`: no deputy could answer"),
        (policy.on_expiry == Expiry::Home && expires_after.is_none(), "`on_expiry = \"home\"` needs `expires_after`"),
        (gate == Gate::SettingsLedger && policy.persons > 1, "each line of the ledger takes one person's word; `persons` is 1"),
        (!gate.is_asked() && timed, "this gate opens only where it is needed, and has no reminder, escalation or expiry"),
    ];
    wrong.into_iter().filter(|(is_so, _)| *is_so).map(|(_, message)| message).collect()
}

/// The roles by the promise's key.
pub(super) fn waivers(reader: &mut Reader, policy: &Section) -> BTreeMap<&'static str, At<Vec<String>>> {
    const TABLE: &str = "site.policy.waivers";
    let Some(section) = reader.child(policy, "waivers", TABLE) else { return BTreeMap::new() };
    reader.refuse_strangers(&section);
    let keys = keys::allowed(TABLE, None).map(|key| key.name);
    keys.filter_map(|key| Some((key, reader.list(&section, key, |text| Ok(text.to_owned()))?))).collect()
}
