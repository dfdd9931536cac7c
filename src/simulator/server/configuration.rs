//! The configuration API of a node, as far as settings are listed: pages of at most 100 items with the vendor's headers.
//!
//! # Source
//! `spec/beyondtrust.md` section 5 and the vendor's specification: the paging, 401 for an unknown parameter. What an item holds
//! beside id and name is the simulator's own.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::HeaderValue;
use hyper::{Method, Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::form::Form;
use super::listen::{self, Call};
use crate::simulator::world::{Settings, Stored};

pub const BASE: &str = "/api/config/v1/";

/// The kinds that there are, with their paths.
const PATHS: [(&str, &str); 6] = [
    ("user", "user"),
    ("group", "group-policy"),
    ("jump_group", "jump-group"),
    ("jump_client", "jump-client"),
    ("jump_shell", "jump-item/shell-jump"),
    ("jumpoint", "jumpoint"),
];

/// Jump Clients of a box beside those that somebody adds: three pages.
const JUMP_CLIENTS: u32 = 240;
/// After an update one follows the other after this time.
const FOLLOWS: SignedDuration = SignedDuration::from_secs(10);

/// One page of one kind.
///
/// `updated_at`: when the box was last updated; its Jump Clients follow one by one.
pub fn answer(settings: &Settings, call: &Call, updated_at: Option<Timestamp>, now: Timestamp) -> Response<Full<Bytes>> {
    let path = call.path.strip_prefix(BASE).unwrap_or_default();
    let Some((kind, _)) = PATHS.iter().find(|(_, known)| *known == path) else {
        return listen::json(StatusCode::NOT_FOUND, &json!({ "message": "Not Found" }));
    };
    if call.method != Method::GET {
        return listen::json(StatusCode::METHOD_NOT_ALLOWED, &json!({ "message": "Method Not Allowed" }));
    }
    let form = Form::read(&call.query, &[]);
    let number = |name, or: usize| form.value(name).map_or(Some(or), |text| text.parse().ok()).filter(|number| *number > 0);
    let (Some(per_page), Some(current)) = (number("per_page", 100), number("current_page", 1)) else {
        return listen::json(StatusCode::UNPROCESSABLE_ENTITY, &json!({ "message": "Unprocessable Entity", "errors": {} }));
    };
    let all = settings.stored.iter().filter(|((of, _), _)| of == kind);
    let mut all: Vec<Value> = all.map(|((_, id), stored)| object(kind, id, stored, now)).collect();
    if *kind == "jump_client" {
        all.extend((0..JUMP_CLIENTS).map(|number| jump_client(number, updated_at, now)));
    }
    paged(&all, per_page.min(100), current)
}

fn object(kind: &str, id: &str, stored: &Stored, now: Timestamp) -> Value {
    let id = id.parse::<u64>().map_or_else(|_| json!(id), |number| json!(number));
    let name = if kind == "user" { "username" } else { "name" };
    // What a box only reports is another each time.
    json!({ "id": id, name: stored.name, "comments": stored.value, "last_connect_timestamp": now.to_string() })
}

/// A client that is not among the settings: nobody changes it. Its number says when it has got the update.
fn jump_client(number: u32, updated_at: Option<Timestamp>, now: Timestamp) -> Value {
    let follows = |at: Timestamp| at + FOLLOWS * i32::try_from(number + 1).unwrap_or(i32::MAX);
    let needs_update = updated_at.is_some_and(|at| now < follows(at));
    json!({ "id": 1000 + number, "name": format!("pc-{number}"), "needs_update": needs_update, "is_lost": false })
}

fn paged(all: &[Value], per_page: usize, current: usize) -> Response<Full<Bytes>> {
    let last = all.len().div_ceil(per_page).max(1);
    let page: Vec<&Value> = all.iter().skip((current - 1).saturating_mul(per_page)).take(per_page).collect();
    let mut response = listen::json(StatusCode::OK, &json!(page));
    let numbers = [("current-page", current), ("last-page", last), ("per-page", per_page), ("total", all.len())];
    for (name, number) in numbers {
        let name = hyper::header::HeaderName::try_from(format!("x-bt-pagination-{name}"));
        if let Ok(name) = name {
            response.headers_mut().insert(name, HeaderValue::from(number));
        }
    }
    response
}
