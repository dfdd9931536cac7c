//! What the JSON edition (v2) of the command API says: health, members of the pair, logged-in users, the box's clock.
//!
//! Fields that we don't know are skipped; absent, empty and `null` are the same. Health is told with HTTP 200, and with 500 by a
//! box that is not well: the body of both holds the facts. Sync facts come from the primary only.
//!
//! # Source
//! The vendor's specification of this edition, 2.0.0: paths, fields, status codes. It was read for one of the two products; the
//! other's pages for health and appliances agree with it.

use std::net::IpAddr;

use jiff::Timestamp;
use reqwest::header::ACCEPT;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::answer::{CallError, check_status, read_all, within};
use super::call::Call;
use super::client::Api;
use super::health::{AnswerError, Health, MAX_SHARED, People, guid, moment, role_of, shown, version_of};
use super::token::Token;
use crate::domain::site::{AtWork, MOST_AT_WORK, SyncFact};

/// A user has some 200 bytes: room for 40,000.
const MAX_ANSWER: usize = 8 << 20;

/// The calls that read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    Health,
    Info,
    Appliances,
    Users,
}

impl Page {
    fn path(self) -> &'static str {
        match self {
            Self::Health => "/api/command/v2/health",
            Self::Info => "/api/command/v2/info",
            Self::Appliances => "/api/command/v2/appliance",
            Self::Users => "/api/command/v2/user",
        }
    }
}

/// An answer of the edition; that of a box that is not well came with an error status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub well: bool,
    pub body: Vec<u8>,
}

/// Asks for a page; `None` where the box has no such thing.
///
/// # Errors
/// As any call. A box that answers something else than JSON has no such page either.
pub async fn get(api: &Api, token: Token, page: Page) -> Result<Option<Told>, CallError> {
    if token.user.is_some() {
        // This edition takes only API accounts.
        return Ok(None);
    }
    let call = Call { method: Method::GET, path: page.path(), query: Vec::new() };
    let read = async {
        let response = api.send_as(&token, &call, (ACCEPT, "application/json")).await?;
        let status = response.status();
        let body = read_all(response, MAX_ANSWER).await?;
        if matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) {
            return Ok(None);
        }
        let facts = page == Page::Health && status == StatusCode::INTERNAL_SERVER_ERROR && holds_health(&body);
        if !facts {
            check_status(status, &body)?;
        }
        Ok(looks_like_json(&body).then_some(Told { well: !facts, body }))
    };
    within(api.limits.call, "no whole answer", read).await
}

/// Asks that a session ends. False if it is not (any more) under way.
///
/// # Errors
/// As any call; `Denied` where the account may not end sessions.
pub async fn end_session(api: &Api, token: Token, lsid: &str) -> Result<bool, CallError> {
    if !is_id(lsid) {
        return Err(CallError::Unusable(format!("`{}` is no session's id; nothing was asked for", shown(lsid))));
    }
    let path = format!("/api/command/v2/session/{lsid}");
    let call = Call { method: Method::DELETE, path: &path, query: Vec::new() };
    let read = async {
        let response = api.send_as(&token, &call, (ACCEPT, "application/json")).await?;
        let status = response.status();
        let body = read_all(response, MAX_ANSWER).await?;
        if status == StatusCode::NOT_FOUND {
            return Ok(false);
        }
        check_status(status, &body).map(|()| true)
    };
    within(api.limits.call, "no whole answer", read).await
}

/// An id is put into a path, where dots and slashes would lead elsewhere, whatever a report called it. Releases with this edition
/// have 32 hex digits.
fn is_id(lsid: &str) -> bool {
    !lsid.is_empty() && lsid.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn holds_health(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|json| json.get("appliance_id").is_some())
}

/// A site page in the place of an answer is no answer of this edition.
fn looks_like_json(body: &[u8]) -> bool {
    matches!(body.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// Reads `/health`.
///
/// # Errors
/// An answer without GUID, version or role is unusable: none of them may be guessed.
pub fn health(told: &Told) -> Result<Health, AnswerError> {
    let json = object(&told.body)?;
    let (version, own_build) = version_of(text(&json, "version").unwrap_or(""))?;
    Ok(Health {
        identity: guid(text(&json, "appliance_id").unwrap_or(""))?,
        version,
        build: text(&json, "build").map(shown).or(own_build),
        role: role_of(text(&json, "failover_role").unwrap_or(""))?,
        healthy: told.well,
        message: text(&json, "message").map(str::to_owned),
        last_sync: last_sync(&json),
        shared_ips: shared_ips(&json)?,
    })
}

/// Absent, `null` and empty are alike; anything else than a list, or an address that can't be read, makes the answer unusable: it
/// may hold the one that must be on one node only.
fn shared_ips(json: &Value) -> Result<Vec<IpAddr>, AnswerError> {
    let told: &[Value] = match json.get("enabled_shared_ips") {
        None | Some(Value::Null) => &[],
        Some(Value::Array(told)) => told,
        Some(Value::String(told)) if told.trim().is_empty() => &[],
        Some(other) => {
            return Err(AnswerError::Unexpected { expected: "enabled_shared_ips", found: shown(&other.to_string()) });
        }
    };
    let unreadable = |ip: &Value| AnswerError::Unexpected { expected: "enabled_shared_ips", found: shown(&ip.to_string()) };
    let read = |ip: &Value| ip.as_str().and_then(|ip| ip.trim().parse().ok()).ok_or_else(|| unreadable(ip));
    told.iter().take(MAX_SHARED).map(read).collect()
}

/// Reads `/user`.
///
/// # Errors
/// Any other document. No user at all is no error.
pub fn people(document: &[u8]) -> Result<People, AnswerError> {
    let mut people = People { users: 0, sessions: Some(0), at_work: Vec::new() };
    for user in list(document)? {
        let count = user.get("session_count").and_then(Value::as_u64).and_then(|count| u32::try_from(count).ok());
        people.users = people.users.saturating_add(1);
        if people.at_work.len() < MOST_AT_WORK {
            let who = text(&user, "display_name").map_or_else(|| "somebody".to_owned(), shown);
            people.at_work.push(AtWork { who, from: None, since: user.get("logged_in_since").and_then(time) });
        }
        people.sessions = people.sessions.zip(count).map(|(sum, count)| sum.saturating_add(count));
    }
    Ok(people)
}

/// Reads the box's own time from `/info`.
///
/// # Errors
/// As [`people`].
pub fn clock(document: &[u8]) -> Result<Timestamp, AnswerError> {
    let json = object(document)?;
    let time = json.get("current_time").and_then(time);
    time.ok_or_else(|| AnswerError::Unexpected {
        expected: "current_time",
        found: shown(text(&json, "current_time").unwrap_or("")),
    })
}

/// Reads the GUIDs of `/appliance`: the box itself and, where there is a relationship, its peer.
///
/// # Errors
/// As [`people`]; also a member without a GUID.
pub fn members(document: &[u8]) -> Result<Vec<String>, AnswerError> {
    list(document)?.iter().map(|member| guid(text(member, "id").unwrap_or(""))).collect()
}

fn object(document: &[u8]) -> Result<Value, AnswerError> {
    let json = parse(document)?;
    let is_message = |map: &serde_json::Map<String, Value>| map.len() <= 2 && map.contains_key("message");
    match &json {
        Value::Object(map) if is_message(map) => Err(AnswerError::Error(shown(text(&json, "message").unwrap_or("")))),
        Value::Object(_) => Ok(json),
        _ => Err(AnswerError::Unexpected { expected: "object", found: shown(&json.to_string()) }),
    }
}

fn list(document: &[u8]) -> Result<Vec<Value>, AnswerError> {
    match parse(document)? {
        Value::Array(items) if items.iter().all(Value::is_object) => Ok(items),
        other => Err(AnswerError::Unexpected { expected: "list", found: shown(&other.to_string()) }),
    }
}

fn parse(document: &[u8]) -> Result<Value, AnswerError> {
    serde_json::from_slice(document).map_err(|error| AnswerError::Json(error.to_string()))
}

fn text<'a>(json: &'a Value, field: &str) -> Option<&'a str> {
    json.get(field)?.as_str().map(str::trim).filter(|text| !text.is_empty() && *text != "null")
}

fn last_sync(json: &Value) -> Option<SyncFact> {
    let at = time(json.get("last_data_sync")?)?;
    Some(SyncFact { at, ok: None, status: text(json, "last_data_sync_status").map(shown) })
}

/// RFC 3339 by the specification; unix seconds are the XML edition's, and taken here too.
fn time(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => moment(text),
        Value::Number(number) => moment(&number.to_string()),
        _ => None,
    }
}
