//! How a page is read: the tokens of its HTML, one after the other, into what a person would see of them.
//!
//! As a browser does where it shows: what is left open is ended, what is not seen is left out. No more than [`MOST`] of anything.

use std::collections::HashMap;

use html5gum::{DefaultEmitter, EndTag, StartTag, Token, Tokenizer};
use url::Url;

use super::{Control, Form, Kind, Link, MOST, Page, Row};

impl Page {
    pub fn parse(url: Url, html: &str) -> Self {
        let mut emitter = DefaultEmitter::default();
        // What stands in scripts and styles is not taken for tags.
        emitter.naively_switch_states(true);
        let mut reading = Reading::default();
        for token in Tokenizer::new_with_emitter(html, emitter) {
            if reading.is_crowded() {
                break;
            }
            match token {
                Ok(Token::StartTag(tag)) => reading.start(&tag),
                Ok(Token::EndTag(tag)) => reading.end(&tag),
                Ok(Token::String(text)) => reading.text(&text),
                Ok(Token::Comment(_) | Token::Doctype(_) | Token::Error(_)) => {}
            }
        }
        reading.finish(url)
    }
}

/// What encloses the text that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inside {
    Label,
    Button,
    Link,
    Option,
    Text,
}

/// A page half read.
#[derive(Default)]
struct Reading {
    title: String,
    text: String,
    forms: Vec<Form>,
    controls: Vec<Control>,
    links: Vec<Link>,
    /// Labels with the id that they are for, or the control that stands in them.
    labels: Vec<(Option<String>, Option<usize>, String)>,
    /// The button whose words are read.
    worded: usize,
    form: Option<usize>,
    /// At most one of each kind.
    inside: Vec<Inside>,
    in_title: bool,
    /// The element whose text nobody sees.
    unseen: Option<String>,
    /// The choice whose options are read: its control, and whether one was chosen.
    choice: Option<(usize, bool)>,
    option: Option<(Option<String>, bool, String)>,
    rows: Vec<Row>,
    /// The tables and lists around, and in each the row that is open.
    around: Vec<Option<usize>>,
}

impl Reading {
    fn is_crowded(&self) -> bool {
        let counts = [self.forms.len(), self.controls.len(), self.labels.len(), self.links.len(), self.rows.len()];
        counts.into_iter().any(|count| count > MOST)
    }

    /// One within another of its kind ends it, as in a browser: else each text would count for all that are open.
    fn open(&mut self, inside: Inside) {
        self.close(inside);
        self.inside.push(inside);
    }

    fn close(&mut self, inside: Inside) {
        self.inside.retain(|open| *open != inside);
    }

    fn start(&mut self, tag: &StartTag<()>) {
        if self.unseen.is_some() {
            return;
        }
        self.text.push(' ');
        match name_of(&tag.name).as_str() {
            "title" => self.in_title = true,
            name @ ("script" | "style" | "template") => self.unseen = Some(name.to_owned()),
            "form" if self.form.is_none() => self.open_form(tag),
            "input" => self.input(tag),
            "button" => self.button(tag),
            "textarea" => self.open_control(tag, Kind::Field, Inside::Text),
            "select" => self.select(tag),
            "option" => self.open_option(tag),
            "label" => self.open_label(tag),
            "a" => self.link(tag),
            "table" | "ul" | "ol" => self.around.push(None),
            "tr" | "li" => self.open_row(),
            _ => {}
        }
    }

    /// Rows need no end tag: the next one ends the last.
    fn open_row(&mut self) {
        self.rows.push(Row::default());
        let at = Some(self.rows.len() - 1);
        match self.around.last_mut() {
            Some(open) => *open = at,
            None => self.around.push(at),
        }
    }

    fn row(&mut self) -> Option<&mut Row> {
        let at = self.around.last().copied().flatten()?;
        self.rows.get_mut(at)
    }

    fn open_form(&mut self, tag: &StartTag<()>) {
        let is = |name: &str, value: &str| attribute(tag, name).is_some_and(|own| own.eq_ignore_ascii_case(value));
        self.forms.push(Form {
            action: attribute(tag, "action").unwrap_or_default(),
            post: is("method", "post"),
            multipart: is("enctype", "multipart/form-data"),
            id: attribute(tag, "id"),
        });
        self.form = Some(self.forms.len() - 1);
    }

    fn control(&self, tag: &StartTag<()>, kind: Kind) -> Control {
        let beside = ["aria-label", "placeholder", "title"];
        let words = beside.into_iter().filter_map(|name| attribute(tag, name)).collect();
        Control {
            kind,
            name: attribute(tag, "name").filter(|name| !name.is_empty()),
            value: attribute(tag, "value").unwrap_or_default(),
            words: if kind == Kind::Hidden { Vec::new() } else { words },
            form: self.form,
            action: attribute(tag, "formaction"),
            id: attribute(tag, "id"),
            owner: attribute(tag, "form"),
        }
    }

    /// What a person can't use is not there. What is disabled is not sent either.
    fn push(&mut self, tag: &StartTag<()>, control: Control) -> Option<usize> {
        let has = |name: &str| tag.attributes.contains_key(name.as_bytes());
        let styled = attribute(tag, "style").is_some_and(|style| style.replace(' ', "").contains("display:none"));
        if has("disabled") || (control.kind == Kind::Button && (has("hidden") || styled)) {
            return None;
        }
        self.controls.push(control);
        let at = self.controls.len() - 1;
        if let Some(row) = self.row() {
            row.controls.push(at);
        }
        if self.inside.contains(&Inside::Label)
            && let Some((id, within, _)) = self.labels.last_mut()
            && id.is_none()
        {
            *within = within.or(Some(at));
        }
        Some(at)
    }

    fn input(&mut self, tag: &StartTag<()>) {
        let on = tag.attributes.contains_key(b"checked".as_slice());
        let kind = match attribute(tag, "type").unwrap_or_default().to_ascii_lowercase().as_str() {
            "hidden" => Kind::Hidden,
            "password" => Kind::Password,
            "file" => Kind::File,
            "checkbox" | "radio" => Kind::Tick { on },
            "submit" | "image" => Kind::Button,
            "button" | "reset" => return,
            _ => Kind::Field,
        };
        let mut control = self.control(tag, kind);
        if matches!(kind, Kind::Tick { .. }) && attribute(tag, "value").is_none() {
            control.value = "on".to_owned();
        }
        if kind == Kind::Button {
            control.words.extend([control.value.clone(), attribute(tag, "alt").unwrap_or_default()]);
        }
        self.push(tag, control);
    }

    fn button(&mut self, tag: &StartTag<()>) {
        let kind = attribute(tag, "type").unwrap_or_else(|| "submit".to_owned());
        if kind.eq_ignore_ascii_case("submit") {
            self.open_control(tag, Kind::Button, Inside::Button);
        }
    }

    fn open_control(&mut self, tag: &StartTag<()>, kind: Kind, inside: Inside) {
        let control = self.control(tag, kind);
        if let Some(at) = self.push(tag, control) {
            self.open(inside);
            if inside == Inside::Button {
                self.worded = at;
                self.controls[at].words.push(String::new());
            }
        }
    }

    fn select(&mut self, tag: &StartTag<()>) {
        let control = self.control(tag, Kind::Field);
        self.choice = self.push(tag, control).map(|at| (at, false));
    }

    fn open_option(&mut self, tag: &StartTag<()>) {
        self.close_option();
        let chosen = tag.attributes.contains_key(b"selected".as_slice());
        self.option = Some((attribute(tag, "value"), chosen, String::new()));
        self.open(Inside::Option);
    }

    /// A choice has the value of its chosen option, or of the first.
    fn close_option(&mut self) {
        let Some((value, chosen, text)) = self.option.take() else { return };
        self.close(Inside::Option);
        let Some((at, taken)) = &mut self.choice else { return };
        let control = &mut self.controls[*at];
        if chosen || (!*taken && control.value.is_empty()) {
            control.value = value.unwrap_or_else(|| text.trim().to_owned());
            *taken |= chosen;
        }
    }

    fn open_label(&mut self, tag: &StartTag<()>) {
        self.labels.push((attribute(tag, "for"), None, String::new()));
        self.open(Inside::Label);
    }

    fn link(&mut self, tag: &StartTag<()>) {
        self.close(Inside::Link);
        if let Some(target) = attribute(tag, "href") {
            self.links.push(Link { text: String::new(), target });
            self.open(Inside::Link);
        }
    }

    fn end(&mut self, tag: &EndTag<()>) {
        let name = name_of(&tag.name);
        if self.unseen.as_ref().is_some_and(|unseen| *unseen == name) {
            self.unseen = None;
        }
        self.text.push(' ');
        match name.as_str() {
            "title" => self.in_title = false,
            "form" => self.form = None,
            "option" => self.close_option(),
            "table" | "ul" | "ol" => {
                self.around.pop();
            }
            "tr" | "li" => self.around.last_mut().into_iter().for_each(|open| *open = None),
            "select" => {
                self.close_option();
                self.choice = None;
            }
            "label" => self.close(Inside::Label),
            "button" => self.close(Inside::Button),
            "textarea" => self.close(Inside::Text),
            "a" => self.close(Inside::Link),
            _ => {}
        }
    }

    fn text(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        if self.in_title {
            return self.title.push_str(&text);
        }
        if self.unseen.is_some() {
            return;
        }
        if self.inside.last() == Some(&Inside::Text) {
            // What a field holds is no word of the page.
            if let Some(control) = self.controls.last_mut() {
                control.value.push_str(&text);
            }
            return;
        }
        self.text.push_str(&text);
        if !self.inside.contains(&Inside::Button)
            && let Some(row) = self.row()
        {
            row.text.push(' ');
            row.text.push_str(&text);
        }
        for inside in &self.inside {
            let words = match inside {
                Inside::Label => self.labels.last_mut().map(|(.., words)| words),
                Inside::Link => self.links.last_mut().map(|link| &mut link.text),
                Inside::Option => self.option.as_mut().map(|(.., words)| words),
                Inside::Button => self.controls.get_mut(self.worded).and_then(|control| control.words.last_mut()),
                Inside::Text => None,
            };
            if let Some(words) = words {
                words.push_str(&text);
            }
        }
    }

    fn finish(mut self, url: Url) -> Page {
        let crowded = self.is_crowded();
        let by_id = firsts(self.controls.iter().map(|control| control.id.clone()));
        for (id, within, words) in std::mem::take(&mut self.labels) {
            let at = match id {
                Some(id) => by_id.get(&id).copied(),
                None => within,
            };
            if let Some(control) = at.and_then(|at| self.controls.get_mut(at)) {
                control.words.push(words);
            }
        }
        let by_id = firsts(self.forms.iter().map(|form| form.id.clone()));
        for control in &mut self.controls {
            if let Some(owner) = &control.owner {
                control.form = by_id.get(owner).copied();
            }
        }
        for row in &mut self.rows {
            row.text = row.text.split_whitespace().collect::<Vec<_>>().join(" ");
        }
        let text = self.text.split_whitespace().collect::<Vec<_>>().join(" ");
        let title = self.title.split_whitespace().collect::<Vec<_>>().join(" ");
        let Self { forms, controls, links, rows, .. } = self;
        Page { url, title, text, forms, controls, links, rows, crowded }
    }
}

fn attribute(tag: &StartTag<()>, name: &str) -> Option<String> {
    tag.attributes.get(name.as_bytes()).map(|value| String::from_utf8_lossy(value).into_owned())
}

fn name_of(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

/// Where each id stands first.
fn firsts(ids: impl Iterator<Item = Option<String>>) -> HashMap<String, usize> {
    let mut found = HashMap::new();
    for (at, id) in ids.enumerate().filter_map(|(at, id)| Some((at, id?))) {
        found.entry(id).or_insert(at);
    }
    found
}
