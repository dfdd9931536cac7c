//! The settings of one box over the configuration API: users, groups and Jump items, page by page, only read.
//!
//! Items are kept as name and digest. What a box counts, dates or only reports of an item is not in the digest: a Jump Client
//! that connects is not a changed one. Passwords are never answered by this API, and nothing else of an item is kept.
//!
//! # Source
//! Vendor specification of the configuration API (paging, status codes); its paths for Jump items from public clients of it.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::header::{ACCEPT, HeaderMap};
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::answer::{CallError, check_status, read_all, within};
use super::call::Call;
use super::client::Api;
use super::health::shown;
use super::token::Token;
use crate::domain::journal::hex;
use crate::domain::jump_clients::JumpClients;
use crate::domain::listing::{Item, Listing};

/// What is listed: our kind, and the path below `/api/config/v1`. A product that lacks one answers 404.
const PATHS: [(&str, &str); 11] = [
    ("user", "user"),
    ("group", "group-policy"),
    ("team", "team"),
    ("jump_group", "jump-group"),
    ("jump_client", "jump-client"),
    ("jump_shell", "jump-item/shell-jump"),
    ("jump_rdp", "jump-item/remote-rdp"),
    ("jump_vnc", "jump-item/remote-vnc"),
    ("jump_web", "jump-item/web-jump"),
    ("jump_tunnel", "jump-item/protocol-tunnel-jump"),
    ("jumpoint", "jumpoint"),
];

/// The vendor's maximum, and its default.
const PER_PAGE: u64 = 100;
/// Pages of one kind: 20,000 items.
const MOST_PAGES: u64 = 200;
/// A page has 100 items; a Jump Client is some 3 KiB.
const MAX_PAGE: usize = 8 << 20;
/// Longer names are cut: they are for people's eyes.
const NAME_CHARS: usize = 64;

/// Fields by which an item has a name, the first that it has.
const NAMES: [&str; 5] = ["name", "username", "display_name", "public_display_name", "hostname"];
/// Fields that change without anybody's doing, beside those that [`is_passing`] knows by their form.
const PASSING: [&str; 10] = [
    "id",
    "connected",
    "is_lost",
    "needs_update",
    "failed_logins",
    "public_ip",
    "private_ip",
    "console_user",
    "operating_system",
    "locked",
];

/// Lists everything that the box tells; `None` where it offers none of the lists.
///
/// # Errors
/// `Denied` without the right; `Unusable` for an answer that is no page of items; else as any call.
pub async fn listing(api: &Api) -> Result<Option<Listing>, CallError> {
    let (mut items, mut fields) = (Vec::new(), BTreeMap::new());
    for (kind, path) in PATHS {
        let Some(found) = all_of(api, path).await? else { continue };
        fields.insert(kind.to_owned(), fields_of(&found));
        for object in &found {
            items.push(item(kind, object)?);
        }
    }
    if fields.is_empty() {
        return Ok(None);
    }
    // Two different items by one id: somebody changed the list while it was read.
    Listing::new(items, fields).map(Some).map_err(CallError::Unavailable)
}

/// Counts the Jump Clients, and those that still need the update. Page by page: nothing of them is kept.
///
/// # Errors
/// As [`listing`].
///
/// # Source
/// Vendor specification of the configuration API: `needs_update` is no filter, so that all pages are gone through.
pub async fn jump_clients(api: &Api) -> Result<JumpClients, CallError> {
    let (mut need_update, mut total) = (0, 0);
    for page in 1..=MOST_PAGES {
        let Some((last, found)) = api.authorised(|token| one_page(api, token, "jump-client", page)).await? else {
            let why = "the box has no list of them".to_owned();
            return if page == 1 { Ok(JumpClients::Untold { why }) } else { Err(CallError::Unavailable(why)) };
        };
        let (need, all) = counted(&found);
        need_update += need;
        total += all;
        if page >= last || found.is_empty() {
            return Ok(JumpClients::Counted { need_update, total });
        }
    }
    Err(CallError::Unusable(format!("there are more than {} Jump Clients", MOST_PAGES * PER_PAGE)))
}

/// Of one page: how many need the update, and how many there are.
pub(super) fn counted(found: &[Map<String, Value>]) -> (u64, u64) {
    let needs = |object: &&Map<String, Value>| object.get("needs_update").and_then(Value::as_bool) == Some(true);
    (found.iter().filter(needs).count() as u64, found.len() as u64)
}

/// Every page of one kind; `None` where the product has no such kind.
async fn all_of(api: &Api, path: &str) -> Result<Option<Vec<Map<String, Value>>>, CallError> {
    let mut all = Vec::new();
    for page in 1..=MOST_PAGES {
        let (last, found) = match api.authorised(|token| one_page(api, token, path, page)).await? {
            Some(page) => page,
            None if page == 1 => return Ok(None),
            None => {
                return Err(CallError::Unavailable(format!("`{path}` has no page {page} any more; it was changed meanwhile")));
            }
        };
        let count = found.len();
        if u64::try_from(count).is_ok_and(|count| count > PER_PAGE) {
            return Err(CallError::Unusable(format!("page {page} of `{path}` has {count} items, {PER_PAGE} were asked for")));
        }
        all.extend(found);
        if page >= last || count == 0 {
            return Ok(Some(all));
        }
    }
    Err(CallError::Unusable(format!("`{path}` has more than {MOST_PAGES} pages")))
}

type Page = (u64, Vec<Map<String, Value>>);

async fn one_page(api: &Api, token: Token, path: &str, page: u64) -> Result<Option<Page>, CallError> {
    let full = format!("/api/config/v1/{path}");
    let query = vec![("per_page", PER_PAGE.to_string()), ("current_page", page.to_string())];
    let call = Call { method: Method::GET, path: &full, query };
    let read = async {
        let response = api.send_as(&token, &call, (ACCEPT, "application/json")).await?;
        let (status, last) = (response.status(), last_page(response.headers()));
        let body = read_all(response, MAX_PAGE).await?;
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        check_status(status, &body)?;
        Ok(Some((last.unwrap_or(page), objects(path, &body)?)))
    };
    within(api.limits.call, "no whole answer", read).await
}

/// Without the header there is one page.
fn last_page(headers: &HeaderMap) -> Option<u64> {
    headers.get("x-bt-pagination-last-page")?.to_str().ok()?.trim().parse().ok()
}

/// A page is an array of objects; a message in its place, with whatever status, is none.
pub(super) fn objects(path: &str, body: &[u8]) -> Result<Vec<Map<String, Value>>, CallError> {
    serde_json::from_slice(body).map_err(|_| {
        CallError::Unusable(format!("`{path}` answered no list of objects: `{}`", shown(&String::from_utf8_lossy(body))))
    })
}

pub(super) fn item(kind: &str, object: &Map<String, Value>) -> Result<Item, CallError> {
    let id = match object.get("id") {
        Some(Value::Number(id)) => id.to_string(),
        Some(Value::String(id)) => id.clone(),
        _ => return Err(CallError::Unusable(format!("a `{kind}` without an id"))),
    };
    let named = NAMES.iter().find_map(|name| object.get(*name)?.as_str());
    let name = named.unwrap_or(&id).chars().filter(|each| !each.is_control()).take(NAME_CHARS).collect();
    Ok(Item { kind: kind.to_owned(), id, name, digest: digest(object), enabled: None })
}

/// Of the object without what passes, with its keys in order.
fn digest(object: &Map<String, Value>) -> String {
    let kept: BTreeMap<&String, String> =
        object.iter().filter(|(key, _)| !is_passing(key)).map(|(key, value)| (key, canonical(value))).collect();
    let text: String = kept.iter().map(|(key, value)| format!("{key:?}:{value},")).collect();
    hex(&Sha256::digest(text))
}

/// JSON in one spelling: keys in order. An array's order counts.
fn canonical(value: &Value) -> String {
    match value {
        Value::Array(values) => format!("[{}]", values.iter().map(canonical).collect::<Vec<_>>().join(",")),
        Value::Object(object) => {
            let sorted: BTreeMap<&String, String> = object.iter().map(|(key, value)| (key, canonical(value))).collect();
            format!("{{{}}}", sorted.iter().map(|(key, value)| format!("{key:?}:{value}")).collect::<Vec<_>>().join(","))
        }
        plain => plain.to_string(),
    }
}

/// Times, counters and what a connection reports.
fn is_passing(key: &str) -> bool {
    let timed = key.starts_with("last_") || key.ends_with("_timestamp") || key.ends_with("_at") || key.ends_with("_count");
    timed || PASSING.contains(&key)
}

/// The names of all fields that count, in one digest; nothing where there is no item.
fn fields_of(objects: &[Map<String, Value>]) -> String {
    let names: BTreeSet<&str> = objects.iter().flat_map(Map::keys).map(String::as_str).filter(|key| !is_passing(key)).collect();
    if names.is_empty() { String::new() } else { hex(&Sha256::digest(names.into_iter().collect::<Vec<_>>().join(","))) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_digest_is_of_what_counts_whatever_the_order() {
        let one = of(json!({"id": 1, "name": "x", "last_connect_timestamp": "2026", "tags": {"b": 1, "a": [2, 3]}}));
        let same = of(json!({"tags": {"a": [2, 3], "b": 1}, "name": "x", "id": 9, "is_lost": true, "session_count": 4}));
        let other = of(json!({"id": 1, "name": "x", "tags": {"b": 1, "a": [3, 2]}}));
        assert_eq!(digest(&one), digest(&same));
        assert_ne!(digest(&one), digest(&other));
        assert_eq!(fields_of(std::slice::from_ref(&one)), fields_of(&[same, one.clone()]));
        assert_eq!(fields_of(&[]), "");
    }

    #[test]
    fn items_have_the_first_name_that_they_have() {
        for (object, id, name) in [
            (json!({"id": 7, "username": "anna", "public_display_name": "A"}), "7", "anna"),
            (json!({"id": "s-7", "display_name": "two\nlines"}), "s-7", "twolines"),
            (json!({"id": 7}), "7", "7"),
            (json!({"id": 7, "name": "n".repeat(300)}), "7", &"n".repeat(NAME_CHARS)),
        ] {
            let item = item("user", &of(object)).unwrap();
            assert_eq!((item.id.as_str(), item.name.as_str()), (id, name));
        }
        assert!(item("user", &of(json!({"name": "x"}))).is_err());
    }

    #[test]
    fn what_is_no_list_of_objects_is_no_page() {
        for body in ["{\"message\":\"Forbidden\"}", "[1]", "null", "", "<error/>", "[{}"] {
            assert!(objects("user", body.as_bytes()).is_err(), "{body}");
        }
        assert_eq!(objects("user", b"[]"), Ok(Vec::new()));
    }
}
