//! `[policy]`, `[policy.expected]`, `[policy.limits]`, `[policy.rehearsal]`.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use toml::de::DeValue;

use super::gates::{self, RehearsalInput, RolesNamed};
use super::keys::{self, Kind};
use super::reader::{At, Reader, Section, quoted};
use super::suggest;
use super::values;
use crate::domain::site::{AfterDrain, OnSoakFailure, Policy, RehearsalPolicy, WIDEST_SKEW, WhenWindowEnds};

type ByAction = BTreeMap<String, At<SignedDuration>>;

pub(super) fn read(reader: &mut Reader, root: &Section, actions: &[&str]) -> Option<(Policy, RolesNamed)> {
    let section = reader.child(root, "policy", "site.policy")?;
    reader.refuse_strangers(&section);
    let max_clock_skew = skew(reader, &section);
    let mut duration = |name: &str| reader.value(&section, name, values::duration).map(|duration| duration.value);
    let max_sync_age = duration("max_sync_age");
    let max_backup_age = duration("max_backup_age");
    let max_check_age = duration("max_check_age");
    let drain_limit = duration("drain_limit");
    let min_soak = duration("min_soak");
    let max_soak = duration("max_soak");
    let max_unprotected = duration("max_unprotected");
    let max_silence = duration("max_silence");
    let closing_notice = duration("closing_notice");
    let settings_look = duration("settings_look");
    let switch_ttl = reader.value(&section, "switch_ttl", values::lowest_ttl).map(|ttl| ttl.value);
    let least_backup_percent = percent(reader, &section, "least_backup_percent");
    let on_soak_failure = reader.word(&section, "on_soak_failure");
    let nightly_check = reader.value(&section, "nightly_check", values::time_of_day);
    let after_drain_limit = reader.word(&section, "after_drain_limit");
    let sync_ok_statuses = reader.list(&section, "sync_ok_statuses", |text| Ok(text.to_owned()));
    let when_window_ends = reader.word(&section, "when_window_ends");
    let expected = by_action(reader, &section, "expected", keys::EXPECTED, actions);
    let limits = by_action(reader, &section, "limits", keys::LIMITS, actions);
    let rehearsal = rehearsal(reader, &section);
    check_limits(reader, &expected, &limits);
    let (gates, waivers) = (gates::read(reader, &section), gates::waivers(reader, &section));
    let policies = gates.iter().map(|input| (input.gate, input.policy.clone())).collect();
    let rehearsed = rehearsal.as_ref().map(|input| input.policy.clone());
    let named = RolesNamed { waivers: waivers.clone(), gates, rehearsal };
    let policy = Policy {
        max_sync_age: max_sync_age?,
        sync_ok_statuses: sync_ok_statuses?.value,
        max_clock_skew: max_clock_skew?,
        max_backup_age: max_backup_age?,
        least_backup_percent: least_backup_percent?,
        max_check_age: max_check_age?,
        nightly_check: nightly_check?.value,
        drain_limit: drain_limit?,
        after_drain_limit: AfterDrain::of(after_drain_limit?.value),
        min_soak: min_soak?,
        max_soak: max_soak?,
        on_soak_failure: if on_soak_failure?.value == "alert" { OnSoakFailure::Alert } else { OnSoakFailure::Restart },
        max_unprotected: max_unprotected?,
        max_silence: max_silence?,
        closing_notice: closing_notice?,
        settings_look: settings_look?,
        switch_ttl: switch_ttl?,
        expected: without_lines(expected),
        limits: without_lines(limits),
        when_window_ends: if when_window_ends?.value == "home" { WhenWindowEnds::Home } else { WhenWindowEnds::Hold },
        gates: policies,
        waivers: waivers.into_iter().map(|(key, roles)| (key.to_owned(), roles.value)).collect(),
        rehearsal: rehearsed,
    };
    Some((policy, named))
}

/// Wider than an extraction reaches beyond its range, a box's clock could hide sessions from it (BG-50).
fn skew(reader: &mut Reader, section: &Section) -> Option<SignedDuration> {
    let At { value, line } = reader.value(section, "max_clock_skew", values::duration)?;
    if value > WIDEST_SKEW {
        let place = section.place();
        let message = format!(
            "`max_clock_skew` {place} is {value:#}; expected at most {WIDEST_SKEW:#}: an extraction reaches so far beyond its range, \
             and would miss sessions of a box whose clock differs by more (BG-50)"
        );
        reader.problem(line, message);
        return None;
    }
    Some(value)
}

/// A part of something, up to the whole of it.
fn percent(reader: &mut Reader, section: &Section, name: &str) -> Option<u32> {
    let At { value, line } = reader.count(section, name)?;
    if value > 100 {
        reader.problem(line, format!("`{name}` {} is {value}; expected at most 100, in percent", section.place()));
        return None;
    }
    Some(value)
}

/// R11: asked for only where the table is there.
fn rehearsal(reader: &mut Reader, policy: &Section) -> Option<RehearsalInput> {
    policy.item(reader.source, "rehearsal")?;
    let section = reader.child(policy, "rehearsal", keys::REHEARSAL)?;
    reader.refuse_strangers(&section);
    let site = reader.value(&section, "site", values::site_name);
    let valid_for = reader.value(&section, "valid_for", values::duration);
    let roles = reader.list(&section, "roles", |text| Ok(text.to_owned()));
    let (site, line) = site.map(|site| (site.value, site.line))?;
    let roles_line = roles.as_ref().map_or(line, |roles| roles.line);
    let policy = RehearsalPolicy { site, valid_for: valid_for?.value, roles: roles.map(|roles| roles.value).unwrap_or_default() };
    Some(RehearsalInput { policy, line, roles_line })
}

fn without_lines(durations: ByAction) -> BTreeMap<String, SignedDuration> {
    durations.into_iter().map(|(action, duration)| (action, duration.value)).collect()
}

fn by_action(reader: &mut Reader, policy: &Section, name: &str, table: &str, actions: &[&str]) -> ByAction {
    let Some(section) = reader.child(policy, name, table) else { return ByAction::new() };
    let mut durations = ByAction::new();
    for (action, value, line) in section.items(reader.source) {
        if !actions.contains(&action) {
            let shown = action.chars().take(64).flat_map(char::escape_debug).collect::<String>();
            let hint = suggest::hint(action, actions.iter().copied());
            reader.problem(line, format!("`{shown}` {} is not an action{hint}", section.place()));
            continue;
        }
        if let Some(duration) = one(reader, &section, action, value, line) {
            durations.insert(action.to_owned(), At { value: duration, line });
        }
    }
    durations
}

fn one(reader: &mut Reader, section: &Section, action: &str, value: &DeValue, line: usize) -> Option<SignedDuration> {
    let DeValue::String(text) = value else {
        reader.wrong_type(section, action, value, line, &Kind::Duration.expected());
        return None;
    };
    let duration = reader.parsed(section, action, line, values::duration(text))?;
    reader.note_named(section, action, Kind::Duration, quoted(text), Some(line), None);
    Some(duration)
}

/// An action that is given less time than it is expected to take would always end in doubt.
fn check_limits(reader: &mut Reader, expected: &ByAction, limits: &ByAction) {
    for (action, limit) in limits {
        if let Some(expected) = expected.get(action).filter(|expected| expected.value > limit.value) {
            let message =
                format!("`{action}` in `[policy.limits]` is shorter than the expected duration (line {})", expected.line);
            reader.problem(limit.line, message);
        }
    }
}
