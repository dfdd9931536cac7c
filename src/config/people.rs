//! `[people.<user>]`, and whether the people are there whom the sites ask for.

use std::path::{Path, PathBuf};

use toml::de::DeValue;

use super::gates::{GateInput, RehearsalInput};
use super::keys;
use super::problem::Problem;
use super::reader::{Reader, Section};
use super::site_file::SiteInput;
use crate::domain::people::{People, Person};

/// The longest user name that Linux takes (useradd(8)).
const MAX_USER: usize = 32;

pub(super) fn read(reader: &mut Reader, root: &Section) -> People {
    let Some(section) = reader.child(root, "people", keys::PEOPLE) else { return People::default() };
    let mut people = Vec::new();
    for (user, value, line) in section.items(reader.source) {
        let shown = user.chars().take(64).flat_map(char::escape_debug).collect::<String>();
        if user.is_empty() || user.len() > MAX_USER || user.contains(|c: char| c.is_whitespace() || c.is_control()) {
            reader.problem(line, format!("`{shown}` {} is not a user name", section.place()));
        } else if !matches!(value, DeValue::Table(_)) {
            reader.wrong_type(&section, &shown, value, line, &format!("the table `[people.{shown}]`"));
        } else {
            let person = reader.child(&section, user, "people.person").and_then(|section| one(reader, &section, user));
            people.extend(person);
        }
    }
    People::new(people)
}

fn one(reader: &mut Reader, section: &Section, user: &str) -> Option<Person> {
    reader.refuse_strangers(section);
    let name = reader.value(section, "name", |text| Ok(text.to_owned()));
    let roles = reader.list(section, "roles", |text| Ok(text.to_owned())).map(|roles| roles.value).unwrap_or_default();
    Some(Person { user: user.to_owned(), name: name?.value, roles })
}

/// Where people are named: every role that is asked for has somebody, a gate asks for no more persons than there are, and who is
/// responsible for window two is one of them (R3).
pub(super) fn check(people: &People, sites: &[(PathBuf, SiteInput)]) -> Vec<Problem> {
    if people.is_empty() {
        return Vec::new();
    }
    sites.iter().flat_map(|(file, site)| of_site(people, file, site)).collect()
}

fn of_site(people: &People, file: &Path, site: &SiteInput) -> Vec<Problem> {
    let missing = |place: &str, line: usize, roles: &[String]| {
        let missing = roles.iter().filter(|role| !people.all().any(|person| person.roles.contains(role)));
        let message = |role: &String| format!("nobody in `[people]` has the role `{role}` that `{place}` asks for");
        missing.map(|role| Problem::new(file, line, message(role))).collect::<Vec<_>>()
    };
    let mut problems = Vec::new();
    for GateInput { gate, policy, line } in &site.roles.gates {
        let place = format!("[policy.gates.{gate}]");
        problems.extend(missing(&place, *line, &[policy.roles.clone(), policy.deputies.clone()].concat()));
        problems.extend(too_few(people, &place, policy).map(|message| Problem::new(file, *line, message)));
    }
    for (key, roles) in &site.roles.waivers {
        problems.extend(missing(&format!("[policy.waivers] {key}"), roles.line, &roles.value));
    }
    if let Some(RehearsalInput { policy, roles_line, .. }) = &site.roles.rehearsal {
        problems.extend(missing("[policy.rehearsal]", *roles_line, &policy.roles));
    }
    if let Some(user) = site.responsible.as_ref().filter(|user| people.of(&user.value).is_none()) {
        let message = format!("`responsible` in `[windows]` is user `{}`, who is not in `[people]`", user.value);
        problems.push(Problem::new(file, user.line, message));
    }
    problems
}

/// Deputies come only later: those who may answer from the start must be enough.
fn too_few(people: &People, place: &str, policy: &crate::domain::gate::GatePolicy) -> Option<String> {
    let able = people.all().filter(|person| people.may(&person.user, &policy.roles).is_ok()).count();
    let asked = policy.persons as usize;
    (able < asked).then(|| format!("`{place}` asks for {asked} persons, and {able} of `[people]` may answer"))
}
