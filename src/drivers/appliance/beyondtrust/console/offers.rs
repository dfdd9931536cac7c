//! Updates that a single appliance fetches by itself (BG-10): the list on its update page, and the buttons beside it.
//!
//! A package is a row of a table or an entry of a list: its words, one version, and either the button that installs it or the
//! words that say after what it can be. A row of which only half is known is a surprise, not half an offer.

use super::acts::{Console, press_this};
use super::page::{Control, Kind, Page, Row};
use super::stop::Stop;
use super::update::update_page;
use super::visit::{Fetch, Visit, target};
use crate::domain::labels::Label;
use crate::domain::single::{self, Offer};
use crate::domain::version::Version;
use crate::drivers::appliance::beyondtrust::health::shown;

/// More rows than a vendor offers; the rest of a longer page is a surprise anyway.
const MOST_OFFERS: usize = 200;

/// A row with its button.
type Listed<'p> = (Offer, Option<&'p Control>);

impl Console {
    /// Reads the update page; `ask`: unless something is being installed, the box checks for updates first.
    pub async fn updates(&self, ask: bool) -> Result<single::Page, Stop> {
        let (visit, page) = update_page(self).await?;
        if is_installing(&visit, &page) {
            return Ok(single::Page::Installing);
        }
        if !ask {
            return Ok(single::Page::Unasked);
        }
        let page = check(&visit, &page).await?;
        if is_installing(&visit, &page) {
            return Ok(single::Page::Installing);
        }
        Ok(single::Page::Offers(list(&visit, &page)?.into_iter().map(|(offer, _)| offer).collect()))
    }

    /// Looks once more, and presses the button of this very package.
    pub async fn install(&self, wanted: &Offer) -> Result<(), Stop> {
        let (visit, page) = update_page(self).await?;
        if is_installing(&visit, &page) {
            return Err(visit.surprise(&page, "an installation that was begun by somebody else"));
        }
        let page = check(&visit, &page).await?;
        // The box was asked in between, and may have been told by somebody else.
        if is_installing(&visit, &page) {
            return Err(visit.surprise(&page, "an installation that was begun by somebody else"));
        }
        let found = list(&visit, &page)?.into_iter().find(|(offer, _)| offer == wanted);
        let Some((_, Some(button))) = found else {
            return Err(visit.surprise(&page, &format!("no `{}` any more that can be installed", shown(&wanted.name))));
        };
        press_this(&visit, &page, (Label::Install, button), &[], std::future::ready(Ok(()))).await
    }
}

fn is_installing(visit: &Visit<'_>, page: &Page) -> bool {
    page.says(&visit.door.labels.words(Label::Installing))
}

/// Presses the button that lets the box look for updates. It changes nothing on the box.
async fn check(visit: &Visit<'_>, page: &Page) -> Result<Page, Stop> {
    let button = visit.one(page, Label::CheckForUpdates, |kind| kind == Kind::Button)?;
    let target = target(page, button).map_err(Fetch::before)?;
    visit.check_box().await?;
    let (status, answer) = visit.press(target, page, button, &[]).await.map_err(Fetch::before)?;
    match status.is_success() && visit.strange(&answer).is_none() {
        true => Ok(answer),
        false => Err(Stop::Surprise(format!("after the check for updates: {status}, {}", visit.looks(&answer)))),
    }
}

/// The packages on a page that was asked for them.
///
/// # Errors
/// Neither a package nor the words that there is none; a row of which only half is known; two packages of one version.
fn list<'p>(visit: &Visit<'_>, page: &'p Page) -> Result<Vec<Listed<'p>>, Stop> {
    let mut found: Vec<Listed<'p>> = Vec::new();
    for row in &page.rows {
        let Some(listed) = package(visit, page, row)? else { continue };
        let again = |known: &Listed<'p>| known.0.version == listed.0.version && known.1.is_some() && listed.1.is_some();
        if found.iter().any(again) || found.len() == MOST_OFFERS {
            return Err(in_row(visit, page, row, "another package of the same version"));
        }
        found.push(listed);
    }
    match found.is_empty() && !page.says(&visit.door.labels.words(Label::NoUpdates)) {
        true => Err(visit.surprise(page, "neither packages nor the words that there are none")),
        false => Ok(found),
    }
}

/// The package of a row; `None` for headings, the history, and rows with the page's other buttons.
fn package<'p>(visit: &Visit<'_>, page: &'p Page, row: &Row) -> Result<Option<Listed<'p>>, Stop> {
    let labels = &visit.door.labels;
    let of_page = |label| page.named(&labels.words(label), |kind| kind == Kind::Button);
    let is_one = |button: &Control, of: &[&Control]| of.iter().any(|own| std::ptr::eq(*own, button));
    let (installs, others) =
        (of_page(Label::Install), [of_page(Label::CheckForUpdates), of_page(Label::UpdateSoftware)].concat());
    let buttons = row.controls.iter().filter_map(|at| page.controls.get(*at)).filter(|control| control.kind == Kind::Button);
    let buttons: Vec<&Control> = buttons.filter(|button| !is_one(button, &others)).collect();
    let after = Page::first_in(&row.text, &labels.words(Label::AvailableAfter));
    let versions = versions(&row.text);
    match (&buttons[..], after, &versions[..]) {
        ([], None, _) | ([], Some(_), []) => Ok(None),
        ([], Some(after), [version, ..]) => Ok(Some((offer(&row.text, version, Some(after)), None))),
        ([button], None, [version]) if is_one(button, &installs) => Ok(Some((offer(&row.text, version, None), Some(*button)))),
        ([button], None, _) if is_one(button, &installs) => {
            Err(in_row(visit, page, row, &format!("{} versions beside the button", versions.len())))
        }
        (_, _, []) if !buttons.iter().any(|button| is_one(button, &installs)) => Ok(None),
        _ => Err(in_row(visit, page, row, "buttons or words that are not known")),
    }
}

fn in_row(visit: &Visit<'_>, page: &Page, row: &Row, what: &str) -> Stop {
    visit.surprise(page, &format!("{what} in the row `{}`", shown(&row.text)))
}

/// `after`: the words from which on the row says what must be there before.
fn offer(text: &str, version: &Version, after: Option<&str>) -> Offer {
    let lower = text.to_lowercase();
    // Lower case may have another length in some scripts; then the whole row stands for both.
    let cut = after.and_then(|after| lower.find(&after.to_lowercase())).filter(|at| text.is_char_boundary(*at));
    let (name, waits_for) = match (after, cut) {
        (Some(_), Some(at)) if at > 0 => (&text[..at], Some(&text[at..])),
        (Some(_), _) => (text, Some(text)),
        (None, _) => (text, None),
    };
    let cleaned = |text: &str| shown(text.trim_end_matches([' ', ',', ';', '-', '–', '(']));
    Offer { name: cleaned(name), version: version.clone(), waits_for: waits_for.map(cleaned) }
}

/// The versions in a row, each once: numbers with dots that are neither a date nor a size.
fn versions(text: &str) -> Vec<Version> {
    let tokens: Vec<&str> = text.split_whitespace().collect();
    let mut found: Vec<Version> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let bare = token.trim_matches(|c: char| !c.is_ascii_alphanumeric()).trim_start_matches(['v', 'V']);
        let size = tokens.get(at + 1).is_some_and(|unit| is_unit(unit));
        let version = bare.parse::<Version>().ok().filter(|_| bare.contains('.') && !size && !is_date(bare));
        found.extend(version.filter(|version| !found.contains(version)));
    }
    found
}

fn is_unit(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_ascii_alphabetic());
    ["B", "KB", "KiB", "MB", "MiB", "GB", "GiB"].iter().any(|unit| word.eq_ignore_ascii_case(unit))
}

/// `22.11.2026`.
fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    matches!(parts[..], [day, month, year] if day.len() <= 2 && month.len() <= 2 && year.len() == 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bg_10_which_numbers_are_versions() {
        let cases: &[(&str, &[&str])] = &[
            ("Remote Support 24.2.1", &["24.2.1"]),
            ("Remote Support v24.2.1 (1.3 GB), 22.11.2026", &["24.2.1"]),
            ("Support 24.2.1 24.2.1", &["24.2.1"]),
            ("Support 24.2.1, available after 24.1.9", &["24.2.1", "24.1.9"]),
            ("Name Version Size", &[]),
            ("3 packages", &[]),
        ];
        for (text, expected) in cases {
            let found = versions(text);
            assert_eq!(found.iter().map(Version::as_str).collect::<Vec<_>>(), *expected, "{text}");
        }
    }

    #[test]
    fn a_row_is_cut_where_its_condition_begins() {
        let version: Version = "24.2.1".parse().unwrap();
        let cut = offer("Support 24.2.1, Available after 24.1.9", &version, Some("available after"));
        assert_eq!((cut.name.as_str(), cut.waits_for.as_deref()), ("Support 24.2.1", Some("Available after 24.1.9")));
        let whole = offer("İ requires 24.1.9 for 24.2.1", &version, Some("requires"));
        assert_eq!(whole.version, version);
        assert_eq!(offer("Support 24.2.1", &version, None).waits_for, None);
    }
}
