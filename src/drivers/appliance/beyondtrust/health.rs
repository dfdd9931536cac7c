//! What the command API's reading calls say in the XML edition: health, logged-in users, the box's clock. The JSON edition's
//! are in [`super::v2`]; what both say is the same here.
//!
//! Elements that we don't know are skipped; absent, empty and `null` are the same. Sync facts come from the primary only
//! (documented for the v2 edition), so their absence says nothing.

use std::net::IpAddr;

use jiff::Timestamp;
use jiff::fmt::strtime;

use super::xml::{Node, XmlError};
use crate::domain::site::{AtWork, MOST_AT_WORK, Role, SyncFact};
use crate::domain::version::Version;

/// Longer than any build seen (46 characters: a number and 40 hex digits); bounds what goes into the journal.
const MAX_BUILD: usize = 200;

/// More shared addresses than a box has interfaces for.
pub const MAX_SHARED: usize = 64;

/// An answer that can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    #[error(transparent)]
    Xml(#[from] XmlError),
    #[error("it is no JSON ({0})")]
    Json(String),
    /// The box answered an `<error>`; its text.
    #[error("the box answered the error `{0}`")]
    Error(String),
    #[error("expected a `{expected}` answer, found `{found}`")]
    Unexpected { expected: &'static str, found: String },
}

/// What `check_health` says of one box.
#[derive(Clone, Debug, PartialEq)]
pub struct Health {
    /// The box's GUID, 32 hex digits.
    pub identity: String,
    pub version: Version,
    pub build: Option<String>,
    pub role: Role,
    pub healthy: bool,
    /// Only with a problem.
    pub message: Option<String>,
    /// The primary's last data sync; `ok` is always `None`, the policy's list of statuses judges.
    pub last_sync: Option<SyncFact>,
    /// The shared addresses that are enabled on it; none where the element is absent, empty or null.
    pub shared_ips: Vec<IpAddr>,
}

/// Reads an answer to `check_health`, whatever HTTP status it came with.
///
/// # Errors
/// An answer without GUID, version or role is unusable: none of them may be guessed.
///
/// # Source
/// Vendor documentation of the command API; a recorded answer of release 19.1.8 (`tests/fixtures/beyondtrust`).
pub fn health(document: &[u8]) -> Result<Health, AnswerError> {
    let root = answer(document, "health_check")?;
    let (version, build) = version(&root)?;
    Ok(Health {
        identity: identity(&root)?,
        version,
        build,
        role: role(&root)?,
        // Not saying that it is healthy is not being healthy.
        healthy: root.text_of("success") == Some("1"),
        message: root.text_of("error_message").map(str::to_owned),
        last_sync: last_sync(&root),
        shared_ips: shared_ips(&root)?,
    })
}

/// An address that can't be read makes the answer unusable: it may be the one that must be on one node only.
fn shared_ips(root: &Node) -> Result<Vec<IpAddr>, AnswerError> {
    let Some(element) = root.child("enabled_shared_ips") else { return Ok(Vec::new()) };
    let texts = element.children("ip").filter_map(Node::text).map(str::trim).filter(|text| !text.is_empty() && *text != "null");
    let read = |text: &str| text.parse().map_err(|_| AnswerError::Unexpected { expected: "ip", found: shown(text) });
    texts.take(MAX_SHARED).map(read).collect()
}

/// How many users are logged in, and their sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct People {
    pub users: u32,
    /// The sum over the users: a session shared by two counts twice, which errs on the careful side. `None` if one user's
    /// count is missing.
    pub sessions: Option<u32>,
    /// The first of them by name.
    pub at_work: Vec<AtWork>,
}

/// Reads an answer to `get_logged_in_reps`.
///
/// # Errors
/// As [`health`]. No user at all is no error, also where the box says so by an empty root.
pub fn people(document: &[u8]) -> Result<People, AnswerError> {
    let root = answer(document, "logged_in_reps")?;
    let mut people = People { users: 0, sessions: Some(0), at_work: Vec::new() };
    for user in root.children("rep") {
        let count = user.text_of("support_session_count").and_then(|text| text.parse::<u32>().ok());
        people.users = people.users.saturating_add(1);
        if people.at_work.len() < MOST_AT_WORK {
            people.at_work.push(at_work(user));
        }
        people.sessions = people.sessions.zip(count).map(|(sum, count)| sum.saturating_add(count));
    }
    Ok(people)
}

/// Where from is not told by this call.
fn at_work(user: &Node) -> AtWork {
    let who = user.text_of("display_name").map_or_else(|| "somebody".to_owned(), shown);
    let since = user.child("logged_in_since").and_then(|time| time.attribute("ts")).and_then(unix_seconds);
    AtWork { who, from: None, since }
}

/// Reads the box's own time, to the second, from an answer to `get_api_info`. What its root is called is not documented.
///
/// # Errors
/// As [`health`].
pub fn clock(document: &[u8]) -> Result<Timestamp, AnswerError> {
    let root = no_error(document)?;
    let text = root.text_of("timestamp").unwrap_or("");
    moment(text).ok_or_else(|| AnswerError::Unexpected { expected: "timestamp", found: shown(text) })
}

/// The root of an answer that is no error and has the expected name.
fn answer(document: &[u8], expected: &'static str) -> Result<Node, AnswerError> {
    let root = no_error(document)?;
    if root.is(expected) { Ok(root) } else { Err(AnswerError::Unexpected { expected, found: shown(root.name()) }) }
}

fn no_error(document: &[u8]) -> Result<Node, AnswerError> {
    let root = Node::parse(document)?;
    match root.error() {
        Some(message) => Err(AnswerError::Error(shown(message))),
        None => Ok(root),
    }
}

fn identity(root: &Node) -> Result<String, AnswerError> {
    guid(root.child("appliance").and_then(|appliance| appliance.attribute("id")).unwrap_or(""))
}

/// A GUID as boxes write it, 32 hex digits.
pub fn guid(text: &str) -> Result<String, AnswerError> {
    let id = text.trim();
    if id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(id.to_owned());
    }
    Err(AnswerError::Unexpected { expected: "appliance id", found: shown(id) })
}

fn version(root: &Node) -> Result<(Version, Option<String>), AnswerError> {
    version_of(root.text_of("version").unwrap_or(""))
}

/// Splits `19.1.8 (37380-…)`: the build is what stands in the parentheses.
pub fn version_of(text: &str) -> Result<(Version, Option<String>), AnswerError> {
    let (number, rest) = text.split_once(['(', ' ']).map_or((text, ""), |(number, _)| (number, &text[number.len()..]));
    let unexpected = |_| AnswerError::Unexpected { expected: "version", found: shown(text) };
    let version = number.parse::<Version>().map_err(unexpected)?;
    let build = rest.trim().strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).map(str::trim);
    Ok((version, build.filter(|build| !build.is_empty() && build.len() <= MAX_BUILD).map(str::to_owned)))
}

fn role(root: &Node) -> Result<Role, AnswerError> {
    role_of(root.text_of("failover_role").unwrap_or(""))
}

/// The vendor's word for a role.
pub fn role_of(word: &str) -> Result<Role, AnswerError> {
    match word {
        "none" => Ok(Role::Standalone),
        "primary" => Ok(Role::Primary),
        "backup" => Ok(Role::Standby),
        other => Err(AnswerError::Unexpected { expected: "failover_role", found: shown(other) }),
    }
}

/// The time in `ts` goes before the text, whose form varies with the release.
fn last_sync(root: &Node) -> Option<SyncFact> {
    let time = root.child("last_data_sync_time")?;
    let at = time.attribute("ts").and_then(unix_seconds).or_else(|| moment(time.text()?))?;
    Some(SyncFact { at, ok: None, status: root.text_of("last_data_sync_status").map(shown) })
}

/// Zero is no time: it stands for "never".
pub fn unix_seconds(text: &str) -> Option<Timestamp> {
    text.trim().parse::<i64>().ok().filter(|seconds| *seconds > 0).and_then(|seconds| Timestamp::from_second(seconds).ok())
}

/// A time in any of the forms seen: unix seconds, or a text with an offset.
pub fn moment(text: &str) -> Option<Timestamp> {
    unix_seconds(text).or_else(|| iso_time(text.trim()))
}

/// Reads `2019-10-07T00:32:50.877+0000`, and the same with `+00:00` or `Z`.
fn iso_time(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| strtime::parse("%Y-%m-%dT%H:%M:%S%.f%z", text).ok()?.to_timestamp().ok())
}

/// A text of the box as it may be shown and recorded: no control characters, not endless.
pub fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_BUILD).collect::<String>().trim().to_owned()
}
