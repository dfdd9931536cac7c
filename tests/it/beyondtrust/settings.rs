//! Listing settings: pages, limits, and everything that can be odd about the configuration API.

use changeover::domain::jump_clients::JumpClients;
use changeover::domain::listing::{Listing, Told};
use changeover::ports::{ReadError, Reader as _};
use serde_json::{Value, json};

use super::server::{FakeBox, Reply};
use super::{driver, with};

fn path(kind: &str, page: u64) -> String {
    format!("/api/config/v1/{kind}:{page}")
}

/// A page with the vendor's headers.
fn page(items: &Value, last: u64) -> Reply {
    let body = items.to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-bt-pagination-last-page: {last}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    Reply::Raw([head.into_bytes(), body.into_bytes()].concat())
}

fn users(ids: std::ops::Range<u64>) -> Value {
    ids.map(|id| json!({ "id": id, "username": format!("user{id}"), "future": { "field": [id] } })).collect()
}

fn status(status: u16, body: &Value) -> Reply {
    Reply::Http(status, "application/json", body.to_string().into_bytes())
}

async fn listing(server: &FakeBox) -> Listing {
    match driver(server).settings().await.unwrap() {
        Told::Listing(listing) => listing,
        Told::Nothing { why } | Told::Unread { why } => panic!("{why}"),
    }
}

/// What becomes of a listing that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lacks {
    /// Nobody expects it.
    Never,
    /// It should be there, and waiting does not help.
    Unread,
    Later,
}

async fn lacks(server: &FakeBox) -> Lacks {
    match driver(server).settings().await {
        Ok(Told::Nothing { .. }) => Lacks::Never,
        Ok(Told::Unread { .. }) => Lacks::Unread,
        Err(ReadError::Transient(_)) => Lacks::Later,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_page_is_read_and_only_read() {
    let server = FakeBox::start().await;
    for (number, ids) in [(1, 0..100), (2, 100..200), (3, 200..250)] {
        server.answer(&path("user", number), page(&users(ids), 3));
    }
    server.answer(&path("group-policy", 1), page(&json!([{ "id": 1, "name": "representatives" }]), 1));
    server.answer(&path("jump-group", 1), page(&json!([]), 1));
    let listing = listing(&server).await;
    assert_eq!(listing.items.len(), 251);
    assert_eq!(listing.item("user", "249").unwrap().name, "user249");
    assert_eq!(listing.fields.keys().map(String::as_str).collect::<Vec<_>>(), ["group", "jump_group", "user"]);
    let asked = server.asked();
    let configuration = asked.iter().filter(|asked| asked.line.contains("/api/config/"));
    assert!(configuration.clone().all(|asked| asked.line.starts_with("GET ") && asked.head.contains("accept: application/json")));
    assert_eq!(configuration.filter(|asked| asked.line.contains("/user?")).count(), 3);
}

#[tokio::test]
async fn the_same_box_told_twice_is_the_same_listing() {
    let server = FakeBox::start().await;
    let user = |connect: &str, comment: &str| json!([{ "id": 1, "name": "pc", "last_connect_timestamp": connect, "is_lost": false, "comments": comment }]);
    server.answer(&path("jump-client", 1), page(&user("2026-11-22T01:00:00+00:00", "x"), 1));
    let first = listing(&server).await;
    server.answer(&path("jump-client", 1), page(&user("2026-11-22T02:00:00+00:00", "x"), 1));
    assert_eq!(listing(&server).await, first, "a client that connects is no change");
    server.answer(&path("jump-client", 1), page(&user("2026-11-22T02:00:00+00:00", "y"), 1));
    assert_ne!(listing(&server).await, first);
}

/// What will not be told later either is no reason to wait, and what may be is.
#[tokio::test]
async fn oddities_are_told_apart_by_whether_waiting_helps() {
    let good = || page(&users(0..1), 1);
    let denied = status(403, &json!({ "message": "Forbidden" }));
    let cases: Vec<(&str, Reply, Option<Lacks>)> = vec![
        ("no right", denied, Some(Lacks::Never)),
        ("a refusal in disguise", status(200, &json!({ "error": "access_denied" })), Some(Lacks::Never)),
        ("unknown parameters", status(401, &json!({ "message": "unrecognized" })), Some(Lacks::Never)),
        ("a message for a list", status(200, &json!({ "message": "hello" })), Some(Lacks::Unread)),
        ("items that are no objects", status(200, &json!([1, 2])), Some(Lacks::Unread)),
        ("an item without an id", status(200, &json!([{ "name": "x" }])), Some(Lacks::Unread)),
        ("a server error", status(500, &json!({ "message": "oops" })), Some(Lacks::Unread)),
        ("pages without end", page(&users(0..1), 1_000_000), Some(Lacks::Later)),
        ("too many calls", status(429, &json!({})), Some(Lacks::Later)),
        ("busy", status(503, &json!({})), Some(Lacks::Later)),
        ("cut off", Reply::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n[{".to_vec()), Some(Lacks::Later)),
        ("nothing", Reply::Raw(Vec::new()), Some(Lacks::Later)),
        ("two different by one id", page(&json!([{ "id": 1, "name": "x" }, { "id": 1, "name": "y" }]), 1), Some(Lacks::Later)),
        ("no such list", status(404, &json!({})), None),
        ("an empty list", page(&json!([]), 1), None),
        ("no page header", status(200, &users(0..1)), None),
        ("an empty page before the last", page(&json!([]), 7), None),
    ];
    for (case, reply, lacking) in cases {
        let server = FakeBox::start().await;
        server.answer(&path("group-policy", 1), good());
        server.answer(&path("user", 1), reply);
        match lacking {
            Some(lacking) => assert_eq!(lacks(&server).await, lacking, "{case}"),
            None => drop(listing(&server).await),
        }
    }
    let server = FakeBox::start().await;
    assert_eq!(lacks(&server).await, Lacks::Never, "a box that has none of the lists");
}

/// Counted over all pages, by the field alone; what has no list of them says so.
#[tokio::test]
async fn jump_clients_that_need_the_update_are_counted_by_page() {
    let server = FakeBox::start().await;
    let clients =
        |ids: std::ops::Range<u32>| json!(ids.map(|id| json!({ "id": id, "needs_update": id % 3 == 0 })).collect::<Vec<_>>());
    for (number, ids) in [(1, 0..100), (2, 100..200), (3, 200..250)] {
        server.answer(&path("jump-client", number), page(&clients(ids), 3));
    }
    let told = with(super::settings(&server)).jump_clients().await.unwrap();
    assert_eq!(told, JumpClients::Counted { need_update: 84, total: 250 });
    for (case, reply, why) in [
        ("no such list", status(404, &json!({})), "no list"),
        ("no right", status(403, &json!({ "message": "Forbidden" })), "403"),
        ("a message for a list", status(200, &json!({ "message": "hello" })), "no list of objects"),
    ] {
        let server = FakeBox::start().await;
        server.answer(&path("jump-client", 1), reply);
        match with(super::settings(&server)).jump_clients().await.unwrap() {
            JumpClients::Untold { why: found } => assert!(found.contains(why), "{case}: {found}"),
            counted => panic!("{case}: {counted:?}"),
        }
    }
    let server = FakeBox::start().await;
    server.answer(&path("jump-client", 1), status(503, &json!({})));
    assert!(matches!(with(super::settings(&server)).jump_clients().await, Err(ReadError::Transient(_))));
}

#[tokio::test]
async fn r13_the_box_is_known_before_its_settings_are_asked_for() {
    let server = FakeBox::start().await;
    server.answer(&path("user", 1), page(&users(0..1), 1));
    let mut wrong = super::settings(&server);
    wrong.identity = super::B.to_owned();
    assert!(matches!(with(wrong).settings().await, Err(ReadError::Transient(_))));
    assert!(server.asked().iter().all(|asked| !asked.line.contains("/api/config/")));
}
