//! A page as a person sees it: its text, links, and the controls of its forms with the words beside them.
//!
//! Only what stands in the HTML is known. Scripts are not run: a page that works by script alone has no button here, and what
//! has no button is a person's. Parsing never fails; a page that makes no sense has nothing in it that is looked for.
//! Here is what a page has and what may be asked of it; how one is read from its HTML stands in `reading`.

mod reading;

#[cfg(test)]
mod tests;

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
