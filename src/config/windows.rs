//! `[windows]` and `[[windows.recurring]]`.

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;

use super::reader::{At, Reader, Section};
use super::settings::WindowTexts;
use super::values;
use crate::domain::window::Window;
use crate::domain::window::choose::Wanted;
use crate::domain::window::recurring::{Days, Recurring};

/// What a site's file says of its windows.
#[derive(Default)]
pub(super) struct WindowsInput {
    pub(super) texts: WindowTexts,
    /// Who is responsible for window two, with the line.
    pub(super) responsible: Option<At<String>>,
    pub(super) recurring: Vec<Recurring>,
    pub(super) fixed: Vec<Window>,
}

/// `zone`: the site's.
pub(super) fn read(reader: &mut Reader, root: &Section, zone: Option<&TimeZone>) -> WindowsInput {
    let Some(section) = reader.child(root, "windows", "site.windows") else { return WindowsInput::default() };
    reader.refuse_strangers(&section);
    let first = reader.value(&section, "first", values::window_text);
    let second = reader.value(&section, "second", values::window_text);
    if let (Some(first), Some(second)) = (&first, &second) {
        check_order(reader, first, second);
    }
    let responsible = reader.value(&section, "responsible", |text| Ok(text.to_owned()));
    let fixed = reader.list(&section, "fixed", values::fixed_window).map(|fixed| fixed.value).unwrap_or_default();
    let recurring = recurring(reader, &section, zone);
    for text in [&first, &second].into_iter().flatten() {
        check_name(reader, text, &recurring, &fixed);
    }
    let text = |text: Option<At<String>>| text.map(|text| text.value);
    let user = responsible.as_ref().map(|user| user.value.clone());
    let texts = WindowTexts { first: text(first), second: text(second), responsible: user };
    WindowsInput { texts, responsible, recurring, fixed }
}

/// Two windows with fixed starts follow each other; what counts from `now` or is the `next` can be judged only when a plan is made.
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

/// `next` has something to choose from.
fn check_name(reader: &mut Reader, text: &At<String>, recurring: &[Recurring], fixed: &[Window]) {
    let Ok(Wanted::Next(name)) = Wanted::parse(&text.value, Timestamp::UNIX_EPOCH) else { return };
    let known = match &name {
        Some(name) => recurring.iter().any(|rule| rule.name == *name),
        None => !recurring.is_empty() || !fixed.is_empty(),
    };
    if !known {
        let what = name.map_or_else(|| "a window".to_owned(), |name| format!("a recurring window `{name}`"));
        reader.problem(text.line, format!("`{}` in `[windows]` chooses {what}, and the site has none", text.value));
    }
}

fn recurring(reader: &mut Reader, windows: &Section, zone: Option<&TimeZone>) -> Vec<Recurring> {
    let mut rules: Vec<Recurring> = Vec::new();
    for section in reader.children(windows, "recurring", "site.windows.recurring") {
        reader.refuse_strangers(&section);
        let Some((rule, line)) = rule(reader, &section, zone) else { continue };
        if rules.iter().any(|known| known.name == rule.name) {
            reader.problem(line, format!("two recurring windows are called `{}`; their names are unique", rule.name));
        }
        rules.push(rule);
    }
    rules
}

fn rule(reader: &mut Reader, section: &Section, site: Option<&TimeZone>) -> Option<(Recurring, usize)> {
    let name = reader.value(section, "name", |text| Ok(text.trim().to_owned()));
    let on = reader.list(section, "on", |text| text.parse::<Days>().map_err(|error| error.to_string()));
    let from: Option<At<Time>> = reader.value(section, "from", values::clock_time);
    let to = reader.value(section, "to", values::clock_time);
    let zone = match section.item(reader.source, "zone") {
        Some(_) => reader.value(section, "zone", values::zone)?.value,
        None => site?.clone(),
    };
    let At { value: name, line } = name?;
    Some((Recurring { name, on: on?.value, from: from?.value, to: to?.value, zone }, line))
}
