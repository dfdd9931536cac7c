//! `[nodes.a.console]`: the accounts and words with which the vendor's pages are used.

use toml::de::DeValue;

use super::keys;
use super::reader::{Reader, Section};
use super::settings::{Account, Console};
use crate::domain::labels::{self, Labels};

/// Reads the table; the users of `/login` and `/appliance` are the same unless the second is given.
pub(super) fn read(reader: &mut Reader, section: &Section) -> Option<Console> {
    reader.refuse_strangers(section);
    let text = |text: &str| Ok(text.to_owned());
    let (username, file) = (reader.value(section, "username", text), reader.path(section, "password_file"));
    let other = (reader.value(section, "appliance_username", text), reader.path(section, "appliance_password_file"));
    let labels = words(reader, section);
    let login = Account { username: username?.value, password_file: file?.value };
    let appliance = match other {
        (None, None) => login.clone(),
        (Some(username), Some(file)) => Account { username: username.value, password_file: file.value },
        (username, file) => {
            let line = username.map(|at| at.line).or(file.map(|at| at.line)).unwrap_or(section.line);
            let message = format!("`appliance_username` and `appliance_password_file` {} belong together", section.place());
            reader.problem(line, message);
            return None;
        }
    };
    Some(Console { login, appliance, labels: labels? })
}

fn words(reader: &mut Reader, section: &Section) -> Option<Labels> {
    let section = reader.child(section, "labels", keys::LABELS)?;
    reader.refuse_strangers(&section);
    let mut labels = Labels::default();
    for row in &labels::TABLE {
        if let Some(word) = reader.value(&section, row.name, |text| Ok(text.to_owned())) {
            labels.set(row.label, word.value);
        }
    }
    Some(labels)
}

/// A table that nothing reads is a mistake: `hands` was forgotten, or the driver is another.
pub(super) fn refuse_unused(reader: &mut Reader, section: &Section) {
    let Some((_, line)) = section.item(reader.source, "console") else { return };
    let hands = matches!(section.item(reader.source, "hands"), Some((DeValue::String(hands), _)) if hands == "console");
    if !hands || section.driver != Some("beyondtrust") {
        let message = format!(
            "`[{}.console]` is used only with `driver = \"beyondtrust\"` and `hands = \"console\"`; take it out, or set both",
            section.label
        );
        reader.problem(line, message);
    }
}
