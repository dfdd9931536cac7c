//! The HTTP API: every route with its codes, the peer's user as actor, and the bounds of the socket.

pub mod daemon;
pub mod fake;

use std::io::{Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use changeover::engine::api::Fleet as _;
use changeover::server::{BindError, Door, Server, Settings, router};
use daemon::{Daemon, user};
use fake::led_to;
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// One request over a connection of its own; the answer's status, head and body.
fn ask(mut stream: impl std::io::Read + std::io::Write, method: &str, path: &str, body: &str) -> (u16, String, String) {
    let length = body.len();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{method} {path}: {answer:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
    (status, head.to_lowercase(), body.to_owned())
}

fn unix(daemon: &Daemon) -> UnixStream {
    let stream = UnixStream::connect(&daemon.socket).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

fn call(daemon: &Daemon, method: &str, path: &str, body: Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let (status, _, body) = ask(unix(daemon), method, path, &body);
    (status, serde_json::from_str(&body).unwrap_or_else(|error| panic!("{method} {path}: {error}: {body}")))
}

fn order(to: &str) -> Value {
    json!({ "site": "support", "to": to, "package": "/p.bin", "first": "now +4h", "second": "2026-11-26T01:00:00Z +4h" })
}

#[test]
fn every_route_answers_with_its_codes() {
    let daemon = Daemon::start();
    let gate = led_to(&daemon.fake, "gate");
    let run = |word: &str| format!("/api/v1/runs/{gate}{word}");
    let quiet = |to: &str| {
        let mut order = order(to);
        order["site"] = json!("quiet");
        order
    };
    let with = |key: &str, value: Value| {
        let mut order = order("24.2.1");
        order[key] = value;
        order
    };
    let accepted = |reason: String| json!({ "check": "settings", "reason": reason });
    let long = json!({ "note": "x".repeat(1001) });
    // In this order: commands change the run.
    let cases: Vec<(&str, String, Value, u16, &str)> = vec![
        ("GET", "/healthz".into(), Value::Null, 200, ""),
        ("GET", "/readyz".into(), Value::Null, 200, ""),
        ("GET", "/api/v1/sites".into(), Value::Null, 200, ""),
        ("GET", "/api/v1/sites/support/check".into(), Value::Null, 200, ""),
        ("GET", "/api/v1/sites/nowhere/check".into(), Value::Null, 404, "unknown_site"),
        ("GET", "/api/v1/sites/support/status".into(), Value::Null, 200, ""),
        ("GET", "/api/v1/sites/quiet/status".into(), Value::Null, 200, ""),
        ("GET", "/api/v1/sites/nowhere/status".into(), Value::Null, 404, "unknown_site"),
        ("GET", "/api/v1/sites/%ff/status".into(), Value::Null, 400, "bad_input"),
        ("POST", "/api/v1/plans".into(), order("24.2.1"), 200, ""),
        ("POST", "/api/v1/plans".into(), order("23.1"), 200, ""),
        ("POST", "/api/v1/plans".into(), order("new"), 400, "bad_version"),
        ("POST", "/api/v1/plans".into(), json!({ "site": "support" }), 400, "bad_input"),
        ("POST", "/api/v1/plans".into(), json!({ "sight": "support" }), 400, "bad_input"),
        ("POST", "/api/v1/plans".into(), with("responsible", json!("x".repeat(255))), 200, ""),
        ("POST", "/api/v1/plans".into(), with("responsible", json!("x".repeat(256))), 400, "bad_input"),
        ("POST", "/api/v1/plans".into(), with("accepted", json!([accepted("x".repeat(1001))])), 400, "bad_input"),
        ("POST", "/api/v1/runs".into(), with("responsible", json!("x".repeat(256))), 400, "bad_input"),
        ("POST", "/api/v1/runs".into(), with("accepted", json!([accepted("x".repeat(1001))])), 400, "bad_input"),
        ("POST", "/api/v1/runs".into(), order("24.2.1"), 409, "one_run"),
        ("POST", "/api/v1/runs".into(), quiet("23.1"), 422, "known_path"),
        ("POST", "/api/v1/runs".into(), quiet("24.2.1"), 201, ""),
        ("GET", "/api/v1/runs".into(), Value::Null, 200, ""),
        ("GET", run(""), Value::Null, 200, ""),
        ("GET", "/api/v1/runs/support-99".into(), Value::Null, 404, "unknown_run"),
        ("GET", "/api/v1/runs/support".into(), Value::Null, 404, "unknown_run"),
        ("GET", "/api/v1/runs/support-99/journal".into(), Value::Null, 404, "unknown_run"),
        ("GET", run("/journal?after=x"), Value::Null, 400, "bad_input"),
        ("GET", run("/journal?befor=1"), Value::Null, 400, "bad_input"),
        ("POST", run("/confirm"), json!({ "gate": "nonsense" }), 404, "unknown_gate"),
        ("POST", run("/confirm"), json!({ "gate": "production", "seq": 1 }), 409, "moved_on"),
        ("POST", run("/confirm"), json!({ "verdict": "perhaps" }), 400, "bad_input"),
        ("POST", run("/confirm"), long.clone(), 400, "bad_input"),
        ("POST", run("/confirm"), json!({ "gate": "production", "note": "good" }), 202, ""),
        ("POST", run("/confirm"), Value::Null, 404, "unknown_gate"),
        ("POST", run("/hold"), Value::Null, 202, ""),
        ("POST", run("/hold"), json!({ "seq": 1 }), 409, "moved_on"),
        ("POST", run("/hold"), json!({ "sec": 1 }), 400, "bad_input"),
        ("POST", run("/resume"), json!({ "responsible": "x".repeat(256) }), 400, "bad_input"),
        ("POST", run("/resume"), json!({}), 409, "not_now"),
        ("POST", run("/switch-back"), json!({}), 400, "bad_input"),
        ("POST", run("/switch-back"), json!({ "note": "  " }), 400, "note_missing"),
        ("POST", run("/switch-back"), long, 400, "bad_input"),
        ("POST", run("/switch-back"), json!({ "note": "bad colours" }), 202, ""),
        ("GET", run("/way"), Value::Null, 200, ""),
        ("GET", "/api/v1/runs/support-99/way".into(), Value::Null, 404, "unknown_run"),
        ("POST", run("/abort"), json!({ "seq": 1 }), 409, "moved_on"),
        ("POST", run("/abort"), json!({ "way": "home" }), 400, "bad_input"),
        ("POST", run("/abort"), json!({ "note": "x".repeat(1001) }), 400, "bad_input"),
        ("POST", run("/abort"), json!({ "way": ["home.other"] }), 409, "way_changed"),
        ("POST", run("/abort"), Value::Null, 202, ""),
        ("POST", "/api/v1/sites/quiet/adopt/plan".into(), json!({}), 200, ""),
        ("POST", "/api/v1/sites/quiet/adopt/plan".into(), json!({ "survivor": "a" }), 200, ""),
        ("POST", "/api/v1/sites/nowhere/adopt/plan".into(), json!({}), 404, "unknown_site"),
        ("POST", "/api/v1/sites/quiet/adopt".into(), json!({ "who": "a" }), 400, "bad_input"),
        ("POST", "/api/v1/sites/quiet/adopt".into(), json!({ "note": "x".repeat(1001) }), 400, "bad_input"),
        ("POST", "/api/v1/sites/quiet/adopt".into(), json!({ "way": [] }), 409, "way_changed"),
        ("POST", "/api/v1/sites/quiet/adopt".into(), json!({ "survivor": "a", "accepted": true }), 201, ""),
        ("POST", "/api/v1/sites/support/nodes/c/replace".into(), json!({ "identity": "box-2" }), 404, "unknown_node"),
        ("POST", "/api/v1/sites/nowhere/nodes/a/replace".into(), json!({ "identity": "box-2" }), 404, "unknown_site"),
        ("POST", "/api/v1/sites/support/nodes/a/replace".into(), json!({}), 400, "bad_input"),
        ("POST", "/api/v1/sites/support/nodes/a/replace".into(), json!({ "identity": "box-2", "seq": 1 }), 409, "moved_on"),
        ("POST", "/api/v1/sites/support/nodes/a/replace".into(), json!({ "identity": "box-2" }), 202, ""),
        ("POST", run("/hold"), json!([1]), 400, "bad_input"),
        ("POST", run("/close"), json!({ "state": "by hand" }), 400, "bad_input"),
        ("POST", run("/close"), json!({ "state": "by hand", "note": " " }), 400, "note_missing"),
        ("POST", run("/close"), json!({ "state": "by hand", "note": "the vendor goes on", "seq": 1 }), 409, "moved_on"),
        ("POST", run("/close"), json!({ "state": "by hand", "note": "the vendor goes on" }), 202, ""),
        ("POST", run("/close"), json!({ "state": "by hand", "note": "once more" }), 409, "not_now"),
        ("POST", run("/release"), json!({ "note": " " }), 400, "note_missing"),
        ("POST", run("/release"), json!({ "withdraw": true }), 400, "bad_input"),
        ("POST", run("/release"), json!({ "note": "good", "seq": 1 }), 409, "moved_on"),
        ("POST", run("/release"), json!({ "note": "good" }), 409, "not_now"),
        ("POST", "/api/v1/runs/support-99/release".into(), json!({ "note": "good" }), 404, "unknown_run"),
        ("POST", "/api/v1/runs/support-99/hold".into(), Value::Null, 404, "unknown_run"),
        ("POST", "/api/v1/alerts/test".into(), Value::Null, 200, ""),
        ("GET", "/api/v1/nothing".into(), Value::Null, 404, "unknown_path"),
        ("GET", "/".into(), Value::Null, 404, "unknown_path"),
        ("DELETE", run(""), Value::Null, 405, "wrong_method"),
        ("GET", run("/hold"), Value::Null, 405, "wrong_method"),
    ];
    for (method, path, body, status, code) in cases {
        let shown = format!("{method} {path} {body:.80}");
        let (found, answer) = call(&daemon, method, &path, body);
        assert_eq!(found, status, "{shown}: {answer}");
        assert_eq!(answer["code"].as_str().unwrap_or_default(), code, "{shown}: {answer}");
        if !code.is_empty() {
            assert_eq!(answer["request_id"].as_str().map(str::len), Some(16), "{shown}: {answer}");
            assert!(!answer["message"].as_str().unwrap().is_empty(), "{shown}");
        }
    }
}

#[test]
fn a_store_that_cannot_write_is_503() {
    let daemon = Daemon::start();
    let id = led_to(&daemon.fake, "gate");
    daemon.fake.faults().store_is_down = true;
    for (method, path, status) in [
        ("GET", "/healthz".to_owned(), 200),
        ("GET", "/readyz".to_owned(), 503),
        ("POST", "/api/v1/runs".to_owned(), 503),
        ("POST", format!("/api/v1/runs/{id}/confirm"), 503),
        ("GET", format!("/api/v1/runs/{id}"), 200),
    ] {
        let body = if path.ends_with("/runs") { order("24.2.1") } else { Value::Null };
        let (found, answer) = call(&daemon, method, &path, body);
        assert_eq!(found, status, "{method} {path}: {answer}");
        if status == 503 {
            assert_eq!(answer["causes"], json!(["disk full"]));
        }
    }
}

#[test]
fn the_peers_user_is_recorded_as_actor() {
    let daemon = Daemon::start();
    let (status, started) = call(&daemon, "POST", "/api/v1/runs", order("24.2.1"));
    assert_eq!((status, &started), (201, &json!({ "run": "support-1" })));
    assert_eq!(call(&daemon, "POST", "/api/v1/runs/support-1/hold", Value::Null).0, 202);
    let records = daemon.fake.journal(&"support-1".parse().unwrap(), 0).unwrap();
    assert_eq!(records.iter().map(|record| record.actor.clone()).collect::<Vec<_>>(), [user(), user()]);
}

#[test]
fn the_status_has_every_field_of_the_contract() {
    let daemon = Daemon::start();
    let id = led_to(&daemon.fake, "operator");
    let (_, status) = call(&daemon, "GET", &format!("/api/v1/runs/{id}"), Value::Null);
    let expected = json!({
        "run": "support-1", "site": "support", "procedure": "role-swap", "from": "24.1.1", "to": "24.2.1",
        "phase": "waiting", "outcome": null, "waiting_on": "operator", "until": "2026-11-22T05:00:00Z", "gate": null,
        "step": { "id": "window-1.break_failover.a", "action": "break_failover", "node": "a", "attempt": 1,
            "latest_start": "2026-11-22T03:49:00Z", "number": 7, "of": 24 },
        "urgent": null,
        "held": null, "instructions": ["Open /login > Management > Failover on node a", "Choose Break"],
        "serving": "a", "survivor": "a", "resumed": 0, "started_at": "2026-11-22T01:00:00Z", "finished_at": null,
        "unprotected": { "since": null, "seconds": 0, "budget_seconds": 1_209_600, "share": 0 },
        "windows": {
            "first": { "from": "2026-11-22T01:00:00Z", "to": "2026-11-22T05:00:00Z", "zone": "Europe/Berlin" },
            "second": { "from": "2026-11-26T01:00:00Z", "to": "2026-11-26T05:00:00Z" },
        },
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(status[key], *value, "{key}");
    }
    let node = json!({ "version": "24.1.1", "build": "4711", "role": "standby", "healthy": true, "observed_at": "2026-11-22T01:00:00Z" });
    for (key, value) in node.as_object().unwrap() {
        assert_eq!(status["nodes"]["b"][key], *value, "{key}");
    }
    assert_eq!(status["seq"], daemon.fake.runs()[0].run.seq);
    assert_eq!(status["guide"]["whose_move"], "person");
    let page = include_str!("../../docs/reference/api.md");
    for key in status.as_object().unwrap().keys() {
        assert!(page.contains(&format!("`{key}`")), "docs/reference/api.md does not explain `{key}`");
    }
    // A list leaves the guide, the way and the times out, and nothing else.
    let (_, list) = call(&daemon, "GET", "/api/v1/runs", Value::Null);
    let mut brief = status;
    brief["guide"] = Value::Null;
    brief["way"] = Value::Null;
    brief["times"] = json!([]);
    assert_eq!(list, json!({ "runs": [brief], "untouched": [] }));
}

#[test]
fn each_phase_is_told_in_its_fields() {
    let cases = [
        ("gate", "waiting", "/gate", json!("production")),
        ("gate", "waiting", "/waiting_on", json!("gate")),
        ("gate", "waiting", "/unprotected/since", json!("2026-11-22T01:08:00Z")),
        // The break's step is done at 01:08; the fake's clock says 03:00.
        ("gate", "waiting", "/unprotected/seconds", json!(112 * 60)),
        ("gate", "waiting", "/nodes/a/served_until", json!("2026-11-22T01:14:00Z")),
        ("held", "held", "/held/code", json!("sync_failed")),
        ("held", "held", "/step/id", json!("window-1.force_sync.b")),
        ("finished", "finished", "/outcome", json!("succeeded")),
        ("finished", "finished", "/step", Value::Null),
        ("finished", "finished", "/survivor", json!("b")),
        // The servers' word goes before the journal's.
        ("finished", "finished", "/serving", json!("a")),
    ];
    for (what, phase, pointer, value) in cases {
        let daemon = Daemon::start();
        let id = led_to(&daemon.fake, what);
        let (_, status) = call(&daemon, "GET", &format!("/api/v1/runs/{id}"), Value::Null);
        assert_eq!(status["phase"], phase, "{what}");
        assert_eq!(status.pointer(pointer), Some(&value), "{what} {pointer}: {status}");
    }
}

#[test]
fn the_journal_comes_in_lines_after_a_record() {
    let daemon = Daemon::start();
    let id = led_to(&daemon.fake, "gate");
    let all = daemon.fake.journal(&id, 0).unwrap().len();
    for (query, count) in [("", all), ("?after=0", all), ("?after=3", all - 3), ("?after=999", 0)] {
        let (status, head, body) = ask(unix(&daemon), "GET", &format!("/api/v1/runs/{id}/journal{query}"), "");
        assert_eq!(status, 200);
        assert!(head.contains("application/x-ndjson"), "{head}");
        assert_eq!(body.lines().count(), count, "{query}");
        for line in body.lines() {
            let record: Value = serde_json::from_str(line).unwrap();
            for key in ["seq", "at", "actor", "event", "step", "reason", "hash", "previous", "data"] {
                assert!(record.get(key).is_some(), "{key}: {line}");
            }
        }
    }
}

#[test]
fn too_much_is_refused() {
    let daemon = Daemon::start();
    let id = led_to(&daemon.fake, "gate");
    let body = json!({ "note": "x".repeat(65 * 1024) });
    let (status, answer) = call(&daemon, "POST", &format!("/api/v1/runs/{id}/confirm"), body);
    assert_eq!((status, answer["code"].as_str()), (413, Some("too_large")));
    for headers in [format!("X: {}\r\n", "x".repeat(20 * 1024)), "X: x\r\n".repeat(100)] {
        let mut stream = unix(&daemon);
        // The server may close before all of it is written.
        let _ = stream.write_all(format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{headers}\r\n").as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(call(&daemon, "GET", "/healthz", Value::Null).0, 200);
}

#[test]
fn a_bug_in_one_request_is_500_and_the_next_is_served() {
    let daemon = Daemon::start();
    daemon.fake.faults().checks_panic = true;
    let (status, answer) = call(&daemon, "GET", "/api/v1/sites/support/check", Value::Null);
    assert_eq!((status, answer["code"].as_str()), (500, Some("bug")));
    assert_eq!(call(&daemon, "GET", "/healthz", Value::Null).0, 200);
}

#[test]
fn tcp_serves_reading_alone() {
    let daemon = Daemon::with(Some("127.0.0.1:0".parse().unwrap()));
    let id = led_to(&daemon.fake, "gate");
    let tcp = || std::net::TcpStream::connect(daemon.tcp.unwrap()).unwrap();
    let before = daemon.fake.journal(&id, 0).unwrap().len();
    for (method, path, status) in [
        ("GET", "/healthz".to_owned(), 200),
        ("GET", "/api/v1/runs".to_owned(), 200),
        ("GET", format!("/api/v1/runs/{id}"), 200),
        ("POST", format!("/api/v1/runs/{id}/hold"), 405),
        ("POST", "/api/v1/runs".to_owned(), 405),
        ("POST", "/api/v1/alerts/test".to_owned(), 405),
        ("PUT", format!("/api/v1/runs/{id}"), 405),
    ] {
        let (found, head, body) = ask(tcp(), method, &path, "");
        assert_eq!(found, status, "{method} {path}: {body}");
        assert!(head.contains("cache-control: no-store"), "{head}");
    }
    assert_eq!(daemon.fake.journal(&id, 0).unwrap().len(), before);
}

#[tokio::test]
async fn a_dead_socket_is_replaced_and_a_living_one_refused() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { socket: dir.path().join("s.sock"), listen: None };
    drop(UnixListener::bind(&settings.socket).unwrap());
    let server = Server::bind(&settings).await.unwrap();
    let found = std::fs::metadata(&settings.socket).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o7777, 0o660);
    let second = Server::bind(&settings).await.err().unwrap();
    assert!(matches!(second, BindError::Taken(_)), "{second}");
    drop(server);
    assert!(!settings.socket.exists(), "the socket's file goes with its server");

    std::fs::write(&settings.socket, "mine").unwrap();
    let file = Server::bind(&settings).await.err().unwrap();
    assert!(matches!(file, BindError::NoSocket(_)), "{file}");
    assert_eq!(std::fs::read(&settings.socket).unwrap(), b"mine");

    let nowhere = Settings { socket: dir.path().join("no/folder/s.sock"), listen: None };
    let missing = Server::bind(&nowhere).await.err().unwrap();
    assert!(matches!(missing, BindError::Socket { .. }), "{missing}");
}

#[test]
fn an_idle_connection_does_not_delay_the_end() {
    let mut daemon = Daemon::start();
    let _idle = unix(&daemon);
    let since = std::time::Instant::now();
    daemon.stop();
    assert!(since.elapsed() < Duration::from_secs(9), "{:?}", since.elapsed());
    assert!(!daemon.socket.exists());
}

/// A request to the router alone, in virtual time.
async fn in_virtual_time(fake: Arc<fake::Fake>, method: &str, path: &str, body: Body) -> (u16, Value) {
    let request = Request::builder().method(method).uri(path).body(body).unwrap();
    let response = router(fake, Door::Socket).oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test(start_paused = true)]
async fn who_waits_too_long_is_answered() {
    let fake = Arc::new(fake::Fake::default());
    fake.faults().checks_hang = true;
    let stalled = || Body::from_stream(futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>());
    for (method, path, body, status, code) in [
        ("GET", "/api/v1/sites/support/check", Body::empty(), 504, "timeout"),
        ("POST", "/api/v1/plans", stalled(), 408, "too_slow"),
    ] {
        let (found, answer) = in_virtual_time(fake.clone(), method, path, body).await;
        assert_eq!((found, answer["code"].as_str()), (status, Some(code)), "{method} {path}: {answer}");
    }
}

#[test]
fn a_start_goes_on_when_its_caller_goes_away() {
    let daemon = Daemon::start();
    let permits = Arc::new(tokio::sync::Semaphore::new(0));
    daemon.fake.faults().starts_wait = Some(permits.clone());
    let mut stream = unix(&daemon);
    let body = order("24.2.1").to_string();
    write!(stream, "POST /api/v1/runs HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    until("the start has begun", || daemon.fake.faults().starting);
    drop(stream);
    // The server has seen the end of the connection once it has served another.
    assert_eq!(call(&daemon, "GET", "/healthz", Value::Null).0, 200);
    permits.add_permits(1);
    until("the run is there", || daemon.fake.runs().len() == 1);
}

/// Waits for a condition, ten seconds at most.
fn until(what: &str, so: impl Fn() -> bool) {
    let since = std::time::Instant::now();
    while !so() {
        assert!(since.elapsed() < Duration::from_secs(10), "not within 10 s: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn numbers_are_told_as_prometheus_reads_them() {
    let daemon = Daemon::start();
    let (status, head, body) = ask(unix(&daemon), "GET", "/metrics", "");
    assert_eq!((status, body.as_str()), (200, "# HELP changeover_up It runs.\n# TYPE changeover_up gauge\nchangeover_up 1\n"));
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    assert_eq!(ask(unix(&daemon), "POST", "/metrics", "").0, 405);
}
