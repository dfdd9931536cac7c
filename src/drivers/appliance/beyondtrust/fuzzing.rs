//! The parsers of what a box answers, as fuzz targets call them. Compiled for tests only.

use jiff::Timestamp;

use super::console::page::{Kind, Page};
use super::manifest;
use super::sessions::each_session;
use super::token::Token;
use super::v2::{self, Told};
use super::{configuration, health, recordings};

/// Identity, version and role of an accepted `check_health`.
pub fn health(document: &[u8]) -> Option<(String, String, &'static str)> {
    let health = health::health(document).ok()?;
    Some((health.identity, health.version.to_string(), health.role.as_str()))
}

/// Users, and sessions where every user's count is there.
pub fn people(document: &[u8]) -> Option<(u32, Option<u32>)> {
    health::people(document).ok().map(|people| (people.users, people.sessions))
}

/// The box's clock in `get_api_info`.
pub fn clock(document: &[u8]) -> Option<Timestamp> {
    health::clock(document).ok()
}

/// As [`health`], of the JSON edition.
pub fn health_v2(document: &[u8]) -> Option<(String, String, &'static str)> {
    let health = v2::health(&Told { well: true, body: document.to_vec() }).ok()?;
    Some((health.identity, health.version.to_string(), health.role.as_str()))
}

/// Users, the box's clock and the GUIDs of the pair, as far as a document of the JSON edition is one of the three.
pub fn lists_v2(document: &[u8]) -> (Option<u32>, Option<Timestamp>, Option<Vec<String>>) {
    let users = v2::people(document).ok().map(|people| people.users);
    (users, v2::clock(document).ok(), v2::members(document).ok())
}

/// The ids of a whole report, in its order; what is kept of its largest session, in bytes.
pub fn report(document: &[u8]) -> Option<(Vec<String>, usize)> {
    let (mut lsids, mut largest) = (Vec::new(), 0);
    let whole = each_session(document, |session| {
        let texts = session.representatives.iter().chain(&session.customers).map(String::len).sum::<usize>();
        largest = largest.max(texts + session.kind.len() + session.lseq.len() + session.duration.len());
        lsids.push(session.lsid);
        Ok(())
    });
    whole.ok().map(|()| (lsids, largest))
}

/// Whether an answer of the token endpoint gives a token.
pub fn token(document: &[u8]) -> bool {
    Token::parse(document).is_ok()
}

/// Whether an answer counts as a recording.
pub fn recording(document: &[u8]) -> bool {
    recordings::message(document, document.len() as u64).is_none()
}

/// How many whole lines a manifest begins with.
pub fn manifest(document: &[u8]) -> usize {
    manifest::lines(document).count()
}

/// Of a page at the console: how many bytes of words its controls and links have together, how many fields each of its buttons
/// would send at most, and how many controls it has.
pub fn page(document: &[u8]) -> Option<(usize, usize, usize)> {
    let page = Page::parse("https://a.example.com/login".parse().ok()?, &String::from_utf8_lossy(document));
    let words = page.controls.iter().flat_map(|control| &control.words).chain(page.links.iter().map(|link| &link.text));
    let buttons = page.controls.iter().filter(|control| control.kind == Kind::Button);
    let sent = buttons.take(10).map(|button| page.sent_by(button).len()).max().unwrap_or_default();
    Some((words.map(String::len).sum(), sent, page.controls.len()))
}

/// Names and digests.
pub type Items = Vec<(String, String)>;

/// Of a page of the configuration API: the names and digests of its items, and its Jump Clients that need the update among all.
pub fn configuration(document: &[u8]) -> Option<(Items, (u64, u64))> {
    let objects = configuration::objects("jump-client", document).ok()?;
    let items = objects.iter().filter_map(|object| configuration::item("jump_client", object).ok());
    Some((items.map(|item| (item.name, item.digest)).collect(), configuration::counted(&objects)))
}
