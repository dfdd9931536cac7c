//! Alerts: webhooks against a real HTTP server, program hooks, and the outbox in virtual time.

mod daemon;
mod outbox;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use changeover::drivers::alert::program::ProgramHook;
use changeover::drivers::alert::webhook::{Secret, Settings, Webhook};
use changeover::ports::{Notifier as _, OutboxItem};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha2::Sha256;

const KEY: &[u8; 32] = b"0123456789abcdef0123456789abcdef";

fn item(hook: &str, number: u32) -> OutboxItem {
    OutboxItem {
        id: format!("support-7/{number}/held"),
        hook: hook.to_owned(),
        event: "held".to_owned(),
        document: format!("{{\"type\":\"held\",\"data\":{{\"seq\":{number}}}}}"),
        run: "support-7".parse().unwrap(),
        since: second(i64::from(number)),
        attempts: 0,
        next_at: second(i64::from(number)),
    }
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(30), "still not so after 30 s: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

type Got = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// How a server answers, request after request; the last way stays.
#[derive(Clone, Copy, Debug)]
enum Way {
    Status(u16),
    Redirect(SocketAddr),
    Hang,
    Flood,
    Trickle,
}

#[derive(Clone)]
struct Server {
    address: SocketAddr,
    got: Got,
    ways: Arc<Mutex<VecDeque<Way>>>,
}

impl Server {
    async fn start(ways: &[Way]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Self { address, got: Arc::default(), ways: Arc::new(Mutex::new(ways.iter().copied().collect())) };
        let router = Router::new().fallback(answer).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        server
    }

    fn hook(&self, timeout: Duration) -> Webhook {
        webhook(&format!("http://{}/in/secret-path", self.address), timeout)
    }

    fn count(&self) -> usize {
        self.got.lock().unwrap().len()
    }

    fn next(&self) -> Way {
        let mut ways = self.ways.lock().unwrap();
        if ways.len() > 1 { ways.pop_front().unwrap() } else { ways[0] }
    }
}

async fn answer(State(server): State<Server>, headers: HeaderMap, body: Bytes) -> Response {
    server.got.lock().unwrap().push((headers, body));
    let endless = |pause: Duration| {
        Body::from_stream(futures_util::stream::unfold((), move |()| async move {
            tokio::time::sleep(pause).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 8192])), ()))
        }))
    };
    match server.next() {
        Way::Status(code) => (StatusCode::from_u16(code).unwrap(), "no\x1b[31m room").into_response(),
        Way::Redirect(to) => (StatusCode::TEMPORARY_REDIRECT, [("location", format!("http://{to}/"))]).into_response(),
        Way::Hang => std::future::pending().await,
        Way::Flood => (StatusCode::SERVICE_UNAVAILABLE, endless(Duration::ZERO)).into_response(),
        Way::Trickle => (StatusCode::SERVICE_UNAVAILABLE, endless(Duration::from_secs(3600))).into_response(),
    }
}

fn webhook(url: &str, timeout: Duration) -> Webhook {
    let secret = Secret::parse(&format!("whsec_{}", STANDARD.encode(KEY))).unwrap();
    Webhook::new(Settings { url: url.to_owned(), secret, timeout }).unwrap()
}

#[tokio::test]
async fn a_document_arrives_signed() {
    let server = Server::start(&[Way::Status(204)]).await;
    let item = item("ops", 31);
    let before = Timestamp::now().as_second();
    server.hook(Duration::from_secs(20)).deliver(&item).await.unwrap();
    let (headers, body) = server.got.lock().unwrap().pop().unwrap();
    let text = |name: &str| headers.get(name).unwrap().to_str().unwrap().to_owned();
    assert_eq!((text("webhook-id"), body), (item.id.clone(), Bytes::from(item.document.clone())));
    assert_eq!(text("content-type"), "application/json");
    let timestamp: i64 = text("webhook-timestamp").parse().unwrap();
    assert!((before..=Timestamp::now().as_second()).contains(&timestamp), "{timestamp}");
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY).unwrap();
    mac.update(format!("{}.{timestamp}.{}", item.id, item.document).as_bytes());
    assert_eq!(text("webhook-signature"), format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())));
}

#[tokio::test]
async fn only_2xx_is_delivered_and_redirects_are_not_followed() {
    let other = Server::start(&[Way::Status(200)]).await;
    for (way, delivered) in [
        (Way::Status(200), true),
        (Way::Status(202), true),
        (Way::Status(299), true),
        (Way::Status(304), false),
        (Way::Status(404), false),
        (Way::Status(429), false),
        (Way::Status(500), false),
        (Way::Redirect(other.address), false),
    ] {
        let server = Server::start(&[way]).await;
        let result = server.hook(Duration::from_secs(20)).deliver(&item("ops", 1)).await;
        assert_eq!(result.is_ok(), delivered, "{way:?}: {result:?}");
        let message = result.err().unwrap_or_default();
        assert!(!message.contains("secret-path") && !message.chars().any(char::is_control), "{message}");
    }
    assert_eq!(other.count(), 0, "a redirect was followed");
}

#[tokio::test]
async fn a_server_that_hangs_floods_or_trickles_is_left_in_time() {
    for way in [Way::Hang, Way::Flood, Way::Trickle] {
        let server = Server::start(&[way]).await;
        let began = Instant::now();
        let result = server.hook(Duration::from_secs(1)).deliver(&item("ops", 1)).await;
        assert!(result.is_err() && began.elapsed() < Duration::from_secs(15), "{way:?}: {result:?} after {:?}", began.elapsed());
        assert!(result.unwrap_err().len() < 500);
    }
    let closed = { std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap() };
    assert!(webhook(&format!("http://{closed}/"), Duration::from_secs(10)).deliver(&item("ops", 1)).await.is_err());
}

#[tokio::test]
async fn a_certificate_that_no_system_root_vouches_for_gets_nothing() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        acceptor.accept(stream).await.is_err()
    });
    let hook = webhook(&format!("https://localhost:{}/", address.port()), Duration::from_secs(20));
    let error = hook.deliver(&item("ops", 1)).await.unwrap_err();
    assert!(error.contains("certificate"), "{error}");
    assert!(server.await.unwrap(), "the handshake was completed");
}

#[test]
fn a_secret_file_is_read_once_and_named_when_it_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ops.whsec");
    std::fs::write(&path, format!("whsec_{}\n", STANDARD.encode(KEY))).unwrap();
    assert!(Secret::from_file(&path).is_ok());
    std::fs::write(&path, [0xff; 10]).unwrap();
    for wrong in [path.as_path(), Path::new("/nowhere/x"), folder.path()] {
        let error = Secret::from_file(wrong).unwrap_err().to_string();
        assert!(error.contains(&wrong.display().to_string()), "{error}");
    }
}

fn program(folder: &Path, body: &str, timeout: Duration) -> ProgramHook {
    let program = ["/bin/sh".to_owned(), "-c".to_owned(), format!("D={}\n{body}", folder.display()), "sh".to_owned()];
    ProgramHook::new(program.to_vec(), timeout).with_grace(Duration::from_millis(300))
}

#[tokio::test]
async fn a_program_gets_the_events_name_and_the_document() {
    let folder = tempfile::tempdir().unwrap();
    let hook = program(folder.path(), "cat >$D/document; echo $# $1 >$D/event", Duration::from_secs(20));
    let item = item("pager", 5);
    hook.deliver(&item).await.unwrap();
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!((read("document"), read("event")), (item.document, "1 held\n".to_owned()));
}

#[tokio::test]
async fn a_program_that_fails_floods_or_is_missing_did_not_deliver() {
    let folder = tempfile::tempdir().unwrap();
    let long = Duration::from_secs(30);
    for (body, delivered) in [
        ("exit 0", true),
        ("exit 1", false),
        ("exit 64", false),
        ("kill -9 $$", false),
        ("head -c 30000000 /dev/zero; head -c 30000000 /dev/zero >&2; exit 0", true),
        ("echo 'no route' >&2; exit 3", false),
    ] {
        let result = program(folder.path(), body, long).deliver(&item("pager", 1)).await;
        assert_eq!(result.is_ok(), delivered, "{body}: {result:?}");
        assert!(!body.contains("no route") || result.unwrap_err().contains("no route"));
    }
    let missing = ProgramHook::new(vec!["/nowhere/page".to_owned()], long);
    assert!(missing.deliver(&item("pager", 1)).await.unwrap_err().contains("/nowhere/page"));
}

#[tokio::test]
async fn a_program_that_hangs_is_ended_with_its_children() {
    let folder = tempfile::tempdir().unwrap();
    let body = "sh -c 'trap \"\" TERM; echo $$ >$0/child; while :; do sleep 1; done' $D & wait";
    let hook = program(folder.path(), body, Duration::from_secs(10));
    let error = hook.deliver(&item("pager", 1)).await.unwrap_err();
    assert!(error.contains("longer than 10 s"), "{error}");
    let pid = std::fs::read_to_string(folder.path().join("child")).unwrap();
    let alive = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.starts_with(" Z"))
    };
    eventually("the hook's child is gone", || !alive()).await;
}
