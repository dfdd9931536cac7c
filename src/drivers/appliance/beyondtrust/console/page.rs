//! A page as a person sees it: its text, links, and the controls of its forms with the words beside them.
//!
//! Only what stands in the HTML is known. Scripts are not run: a page that works by script alone has no button here, and what
//! has no button is a person's. Parsing never fails; a page that makes no sense has nothing in it that is looked for.

use std::collections::HashMap;

use html5gum::{DefaultEmitter, EndTag, StartTag, Token, Tokenizer};
use url::Url;

/// More forms, controls, labels, links or rows than any page of a box has; a page with more is not read to its end.
const MOST: usize = 10_000;

/// What a control is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Hidden,
    /// Takes a text; also a choice among several.
    Field,
    Password,
    File,
    /// Sent only if it is ticked.
    Tick {
        on: bool,
    },
    Button,
}

/// A field or button.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    pub kind: Kind,
    pub name: Option<String>,
    pub value: String,
    /// The words by which a person knows it: a button's own, a field's labels.
    pub words: Vec<String>,
    /// Position in [`Page::forms`].
    pub form: Option<usize>,
    /// Where a button sends its form, if elsewhere than the form says.
    pub action: Option<String>,
    id: Option<String>,
    /// The id of a form elsewhere on the page.
    owner: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    pub action: String,
    pub post: bool,
    pub multipart: bool,
    id: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub text: String,
    pub target: String,
}

/// A row of a table, or an entry of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// What stands in it, but for its buttons.
    pub text: String,
    /// Positions in [`Page::controls`].
    pub controls: Vec<usize>,
}

/// One page.
#[derive(Clone, Debug)]
pub struct Page {
    /// Where it was found; what it links to counts from there.
    pub url: Url,
    pub title: String,
    /// Everything visible, its spaces made single.
    pub text: String,
    pub forms: Vec<Form>,
    pub controls: Vec<Control>,
    pub links: Vec<Link>,
    /// It has more than [`MOST`] of something and was not read to its end: nothing on it is to be believed.
    pub crowded: bool,
    /// Each counts what stands in it and in no row further in.
    pub rows: Vec<Row>,
}

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

    /// The controls that these words name, of a kind.
    pub fn named<'p>(&'p self, words: &[&str], fits: impl Fn(Kind) -> bool) -> Vec<&'p Control> {
        let called = |control: &Control| control.words.iter().any(|own| is_one_of(own, words));
        self.controls.iter().filter(|control| fits(control.kind) && called(control)).collect()
    }

    pub fn links(&self, words: &[&str]) -> Vec<&Link> {
        self.links.iter().filter(|link| is_one_of(&link.text, words)).collect()
    }

    /// True if one of these stands anywhere in the visible text.
    pub fn says(&self, words: &[&str]) -> bool {
        let text = plain(&self.text);
        words.iter().any(|word| text.contains(&plain(word)))
    }

    /// True if this name stands in the visible text on its own, not as a part of a longer name.
    pub fn says_whole(&self, name: &str) -> bool {
        let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
        let letter = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
        // A point ends a sentence or goes on with the name.
        let goes_on = |rest: &str| rest.trim_start_matches('.').starts_with(letter);
        let comes_from = |before: &str| before.ends_with(|c| letter(c) || c == '.');
        let stands = |at: usize| !comes_from(&self.text[..at]) && !goes_on(&self.text[at + name.len()..]);
        !name.is_empty() && self.text.match_indices(&name).any(|(at, _)| stands(at))
    }

    /// The first of these that stands in a text.
    pub fn first_in<'w>(text: &str, words: &[&'w str]) -> Option<&'w str> {
        let text = plain(text);
        words.iter().copied().find(|word| text.contains(&plain(word)))
    }

    /// True if one of these stands in the title or beside a field.
    pub fn is_headed(&self, words: &[&str]) -> bool {
        let fields = self.controls.iter().filter(|control| control.kind == Kind::Field);
        let heads = fields.flat_map(|field| &field.words).chain([&self.title]).map(|text| plain(text));
        let words: Vec<String> = words.iter().map(|word| plain(word)).collect();
        heads.into_iter().any(|head| words.iter().any(|word| head.contains(word)))
    }

    pub fn asks_for_password(&self) -> bool {
        self.controls.iter().any(|control| control.kind == Kind::Password)
    }

    /// What its form sends when this button is pressed: everything that is filled in, and the button itself.
    pub fn sent_by<'p>(&'p self, button: &'p Control) -> Vec<(&'p str, &'p str)> {
        let sent = |control: &&Control| match control.kind {
            Kind::Hidden | Kind::Field | Kind::Password | Kind::Tick { on: true } => true,
            Kind::Button => std::ptr::eq(*control, button),
            Kind::File | Kind::Tick { on: false } => false,
        };
        let own = self.controls.iter().filter(|control| control.form == button.form).filter(sent);
        own.filter_map(|control| Some((control.name.as_deref()?, control.value.as_str()))).collect()
    }
}

/// Words compare without regard to case, spaces, and the signs that forms put behind them.
fn plain(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    text.trim_end_matches([':', '*', ' ', '…']).to_owned()
}

fn is_one_of(text: &str, words: &[&str]) -> bool {
    let text = plain(text);
    !text.is_empty() && words.iter().any(|word| plain(word) == text)
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
        let ended = match name.as_str() {
            "title" => {
                self.in_title = false;
                return;
            }
            "form" => {
                self.form = None;
                return;
            }
            "option" => return self.close_option(),
            "table" | "ul" | "ol" => {
                self.around.pop();
                return;
            }
            "tr" | "li" => {
                self.around.last_mut().into_iter().for_each(|open| *open = None);
                return;
            }
            "select" => {
                self.close_option();
                self.choice = None;
                return;
            }
            "label" => Inside::Label,
            "button" => Inside::Button,
            "textarea" => Inside::Text,
            "a" => Inside::Link,
            _ => return,
        };
        self.close(ended);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn page(html: &str) -> Page {
        Page::parse("https://a.example.com/login".parse().unwrap(), html)
    }

    const FORM: &str = r#"<!DOCTYPE html><title>A &amp; B</title><script>document.write("<input name=evil>")</script>
        <form action="/x" method=POST enctype="multipart/form-data"><input type=hidden name=token value="a&quot;b">
        <label for=u>User&nbsp;name:</label> <input id=u name="login[username]" value=old>
        <label>Pass<b>word</b> * <input type=password name=p></label>
        <input type=checkbox name=keep checked><input type=checkbox name=other>
        <select name=port><option value=1>one<option selected>443</select><select name=first><option>x<option>y</select>
        <textarea name=note>some
        words</textarea><input disabled name=never value=1><input type=file name=package aria-label="Update File">
        <button name=go value=sync><span>Sync</span> Now</button><input type=submit name=go value="Break  It">
        <button type=button>Script only</button><button hidden>Unseen</button></form><button>Nowhere</button>
        <a href="/next?a=1&amp;b=2">Fail<i>over</i></a> done"#;

    #[test]
    fn bg_11_a_form_is_read_as_a_person_sees_it() {
        let page = page(FORM);
        assert_eq!(page.title, "A & B");
        let one = |words: &[&str]| match page.named(words, |kind| kind != Kind::Hidden).as_slice() {
            [control] => (*control).clone(),
            found => panic!("{words:?}: {found:?}"),
        };
        assert_eq!(one(&["user name"]).name.as_deref(), Some("login[username]"));
        assert_eq!((one(&["PASSWORD"]).kind, one(&["Update File"]).kind), (Kind::Password, Kind::File));
        let sync = one(&["Sync Now"]);
        let [target] = page.named(&["Sync Now"], |kind| kind == Kind::Button)[..] else { panic!("{sync:?}") };
        let sent = page.sent_by(target);
        let expected = [
            ("token", "a\"b"),
            ("login[username]", "old"),
            ("p", ""),
            ("keep", "on"),
            ("port", "443"),
            ("first", "x"),
            ("note", "some\n        words"),
            ("go", "sync"),
        ];
        assert_eq!(sent, expected);
        assert_eq!(one(&["break it"]).value, "Break  It");
        assert_eq!(one(&["Nowhere"]).form, None);
        assert!(page.named(&["Script only", "Unseen"], |_| true).is_empty());
        assert_eq!(page.links(&["failover"])[0].target, "/next?a=1&b=2");
        assert!(page.says(&["DONE"]) && !page.says(&["evil", "words"]), "{}", page.text);
        assert!(page.forms[0].post && page.forms[0].multipart);
    }

    #[test]
    fn controls_outside_their_form_belong_to_it() {
        let page = page("<form id=f action=/y><input name=a value=1></form><button form=f name=b>Go</button>");
        let button = page.named(&["Go"], |kind| kind == Kind::Button)[0];
        assert_eq!((button.form, page.sent_by(button)), (Some(0), vec![("a", "1"), ("b", "")]));
    }

    /// As a browser has it: one within another of its kind ends it, and nobody reads a word twice.
    #[test]
    fn a_text_counts_once_for_each_kind_that_encloses_it() {
        let page = page(
            "<a href=1>one<a href=2>two<a>three</a><form><label for=x>A<label for=y>B<input id=x><input id=y></label>\
                         <button>Go<button>Stop</form><button>Far<input>Away",
        );
        let words = |at: usize| page.controls[at].words.join("|");
        assert_eq!(page.links.iter().map(|link| link.text.as_str()).collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!([words(0), words(1), words(2), words(3), words(4)], ["A", "B", "Go", "Stop", "FarAway"]);
    }

    /// 4 MiB of any one thing is read in little time, into little more than itself.
    #[test]
    fn an_odd_page_is_read_in_bounded_time_and_memory() {
        for piece in [
            "<a href=x>y",
            "<label>y",
            "<label for=x>y<input id=x>",
            "<button>y",
            "<form>y",
            "<option>y",
            "<select><option>y",
            "<input>y",
            "<textarea>y</textarea>",
            "<form id=f></form><input form=f>",
            "<b>y",
            "y ",
            "<li>y",
            "<ul><li>y",
        ] {
            let begun = std::time::Instant::now();
            let page = page(&format!("<button>{}", piece.repeat((4 << 20) / piece.len())));
            let words: usize = page.controls.iter().flat_map(|control| &control.words).map(String::len).sum();
            let links: usize = page.links.iter().map(|link| link.text.len()).sum();
            assert!(words + links <= 8 << 20, "{piece}: {words} and {links} bytes");
            let much = [page.controls.len(), page.links.len(), page.forms.len()].into_iter().any(|count| count > MOST);
            assert!(page.crowded || !much, "{piece}");
            assert!(begun.elapsed() < std::time::Duration::from_secs(30), "{piece} took {:?}", begun.elapsed());
        }
        assert!(page(&"<input>".repeat(MOST + 1)).crowded && !page(&"<input>".repeat(MOST)).crowded);
    }

    #[test]
    fn r5_a_file_is_named_by_its_whole_name() {
        for (text, named) in [
            ("base.nss", true),
            ("File: base.nss (6 bytes)", true),
            ("the package base.nss.", true),
            ("rs-base.nss and then /tmp/base.nss", true),
            ("&ldquo;base.nss&rdquo;", true),
            ("rs-base.nss", false),
            ("rs_base.nss", false),
            ("old.base.nss", false),
            ("base.nss2", false),
            ("base.nss-1", false),
            ("base.nss.old", false),
            ("base .nss", false),
            ("übase.nss", false),
            ("", false),
        ] {
            assert_eq!(page(text).says_whole("base.nss"), named, "{text}");
        }
        assert!(page("my  base.nss").says_whole("my base.nss") && !page("x").says_whole(""));
    }

    proptest! {
        #[test]
        fn no_page_causes_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..800), at in any::<prop::sample::Index>()) {
            page(&String::from_utf8_lossy(&bytes));
            let mut spoiled = FORM.as_bytes().to_vec();
            let at = at.index(spoiled.len());
            spoiled.splice(at.., bytes);
            page(&String::from_utf8_lossy(&spoiled));
        }

        #[test]
        fn no_jumble_of_tags_causes_a_panic(order in proptest::collection::vec(0..TAGS.len(), 0..60)) {
            page(&order.into_iter().map(|tag| TAGS[tag]).collect::<String>());
        }
    }

    const TAGS: [&str; 22] = [
        "<form>",
        "</form>",
        "<label>",
        "<label for=x>",
        "</label>",
        "<input id=x>",
        "<input type=submit form=q>",
        "<button>",
        "</button>",
        "<select>",
        "</select>",
        "<option>",
        "<option selected>",
        "</option>",
        "<textarea>",
        "</textarea>",
        "<a href=x>",
        "</a>",
        "words",
        "<script>",
        "</script>",
        "<title>",
    ];

    #[test]
    fn rows_hold_what_stands_in_them_and_in_no_row_further_in() {
        let html = "<form><button>Out</button><table><tr><th>Name<tr><td>A 1.2<td><button>Install</button></tr>\
                    <tr><td>B<ul><li>C 3.4<li>D</ul>E</td></tr></table>F</form>";
        let page = page(html);
        let rows: Vec<(&str, Vec<&str>)> = page
            .rows
            .iter()
            .map(|row| {
                (row.text.as_str(), row.controls.iter().map(|at| page.controls[*at].words.last().unwrap().as_str()).collect())
            })
            .collect();
        let none = Vec::new;
        assert_eq!(rows, [("Name", none()), ("A 1.2", vec!["Install"]), ("B E", none()), ("C 3.4", none()), ("D", none())]);
    }
}
