//! A tiny HTTPS box: answers as it is told, byte for byte, and remembers what it was asked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

pub const SERVICE: &str = "support.example.com";
pub const A: &str = "4fa1c6e27d0b4b1e9a3c58d2e6f70a11";

/// What the box sends.
#[derive(Clone)]
pub enum Reply {
    Http(u16, &'static str, Vec<u8>),
    /// These bytes, then an orderly end.
    Raw(Vec<u8>),
    /// This, when the test says so.
    Late(Hold, Box<Reply>),
    /// These bytes, then nothing more until the client leaves.
    Stall(Vec<u8>),
    /// No token of before is taken any more, from this call on; or none at all.
    RefuseFromNow {
        for_ever: bool,
    },
    /// A good head, then this body again and again.
    Flood(Vec<u8>),
    /// A report with this root and so many sessions of so many bytes, made as it is sent.
    Sessions(&'static str, u64, usize),
}

impl Reply {
    pub fn xml(body: impl Into<Vec<u8>>) -> Self {
        Self::Http(200, "text/xml; charset=UTF-8", body.into())
    }
}

/// Answers that wait for the test, and a test that waits for their questions.
#[derive(Clone)]
pub struct Hold {
    asked: Arc<Semaphore>,
    go: Arc<Semaphore>,
}

impl Hold {
    pub fn new() -> Self {
        Self { asked: Arc::new(Semaphore::new(0)), go: Arc::new(Semaphore::new(0)) }
    }

    /// Returns when another question has come.
    pub async fn asked(&self) {
        self.asked.acquire().await.unwrap().forget();
    }

    /// From now on each question is answered.
    pub fn release(&self) {
        self.go.close();
    }

    async fn wait(&self) {
        self.asked.add_permits(1);
        // It ends with `release`, which closes it.
        let _ = self.go.acquire().await;
    }
}

#[derive(Clone, Debug)]
pub struct Asked {
    /// `GET /api/command?action=check_health`
    pub line: String,
    pub head: String,
    pub body: String,
    /// The name in the TLS handshake.
    pub sni: Option<String>,
}

#[derive(Default)]
struct State {
    replies: BTreeMap<String, Reply>,
    /// What a key that is answered once is answered with after that.
    after: BTreeMap<String, Reply>,
    asked: Vec<Asked>,
    connections: usize,
    refused_handshakes: usize,
    tokens: usize,
    /// Tokens below this number are no longer taken.
    revoked: usize,
    /// A call with any password in its form is taken, at the paths without an ending.
    takes_passwords: bool,
}

pub struct FakeBox {
    pub address: SocketAddr,
    pub ca_pem: String,
    pub certificate: Vec<u8>,
    state: Arc<Mutex<State>>,
}

impl FakeBox {
    /// Starts a healthy box whose certificate covers `names`.
    pub async fn start_with(names: &[&str]) -> Self {
        let mut ca = CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &ca).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let this = Self {
            address: listener.local_addr().unwrap(),
            ca_pem: ca.pem(),
            certificate: certificate.der().to_vec(),
            state: Arc::new(Mutex::new(State { replies: healthy(), ..State::default() })),
        };
        tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(config)), this.state.clone()));
        this
    }

    pub async fn start() -> Self {
        Self::start_with(&[SERVICE, "127.0.0.1"]).await
    }

    /// From now on answers a key (`check_health`, `/api/backup`, `SupportSession:end_time`, `/`) so.
    pub fn answer(&self, key: &str, reply: Reply) {
        self.state.lock().unwrap().replies.insert(key.to_owned(), reply);
    }

    /// Answers the next call of a key so, and those after it as before.
    pub fn answer_once(&self, key: &str, reply: Reply) {
        let mut state = self.state.lock().unwrap();
        if let Some(later) = state.replies.insert(key.to_owned(), reply) {
            state.after.insert(key.to_owned(), later);
        }
    }

    /// Takes no token that was given out until now.
    pub fn revoke_tokens(&self) {
        let mut state = self.state.lock().unwrap();
        state.revoked = state.tokens + 1;
    }

    pub fn refuse_every_token(&self) {
        self.state.lock().unwrap().revoked = usize::MAX;
    }

    pub fn take_passwords(&self) {
        self.state.lock().unwrap().takes_passwords = true;
    }

    pub fn tokens_given(&self) -> usize {
        self.state.lock().unwrap().tokens
    }

    pub fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }

    pub fn refused_handshakes(&self) -> usize {
        self.state.lock().unwrap().refused_handshakes
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.state.lock().unwrap().asked.clone()
    }

    /// How often a line or a form with this in it was asked.
    pub fn count(&self, part: &str) -> usize {
        self.asked().iter().filter(|asked| asked.line.contains(part) || asked.body.contains(part)).count()
    }
}

pub fn health(identity: &str, role: &str) -> String {
    format!(
        "<health_check xmlns=\"https://www.beyondtrust.com/namespaces/API/command\"><appliance id=\"{identity}\">a</appliance>\
         <version>24.1.1 (41000-abc)</version><success>1</success><failover_role>{role}</failover_role>\
         <last_data_sync_time ts=\"1795309323\"/><last_data_sync_status>success</last_data_sync_status></health_check>"
    )
}

fn healthy() -> BTreeMap<String, Reply> {
    let rep = "<rep id=\"1\"><support_session_count>2</support_session_count></rep>";
    let now = jiff::Timestamp::now().as_second();
    [
        ("check_health", Reply::xml(health(A, "primary"))),
        ("get_logged_in_reps", Reply::xml(format!("<logged_in_reps>{rep}{rep}</logged_in_reps>"))),
        ("get_api_info", Reply::xml(format!("<api_info><timestamp>{now}</timestamp></api_info>"))),
        ("/", Reply::Http(200, "text/html", b"<html>Welcome</html>".to_vec())),
        ("/api/backup", Reply::Http(200, "application/octet-stream", (0..=255).cycle().take(300_000).collect())),
        ("SupportSessionListing:end_time", Reply::xml("<session_summary_list/>")),
        ("SupportSession:end_time", Reply::xml("<session_list/>")),
        ("SupportSession:start_time", Reply::xml("<session_list/>")),
    ]
    .map(|(key, reply)| (key.to_owned(), reply))
    .into()
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, state: Arc<Mutex<State>>) {
    while let Ok((stream, _)) = listener.accept().await {
        state.lock().unwrap().connections += 1;
        tokio::spawn(connection(acceptor.clone(), stream, state.clone()));
    }
}

async fn connection(acceptor: TlsAcceptor, stream: TcpStream, state: Arc<Mutex<State>>) {
    let Ok(mut stream) = acceptor.accept(stream).await else {
        state.lock().unwrap().refused_handshakes += 1;
        return;
    };
    let Some(asked) = read_request(&mut stream).await else {
        state.lock().unwrap().refused_handshakes += 1;
        return;
    };
    let mut reply = decide(&mut state.lock().unwrap(), asked);
    if let Reply::Late(hold, later) = reply {
        hold.wait().await;
        reply = *later;
    }
    let _ = send(&mut stream, reply).await;
}

async fn read_request(stream: &mut TlsStream<TcpStream>) -> Option<Asked> {
    let sni = stream.get_ref().1.server_name().map(str::to_owned);
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).ok()?.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |text| text.parse().unwrap());
    while bytes.len() < head_end + length && stream.read_buf(&mut bytes).await.ok()? > 0 {}
    let line = std::str::from_utf8(&bytes).ok()?.lines().next()?.trim_end_matches(" HTTP/1.1").to_owned();
    let body = String::from_utf8_lossy(&bytes[head_end..]).into_owned();
    Some(Asked { line, head: String::from_utf8_lossy(&bytes[..head_end]).into_owned(), body, sni })
}

fn decide(state: &mut State, asked: Asked) -> Reply {
    let (path, query) = asked.line.split_once(' ').map_or(("", ""), |(_, url)| url.split_once('?').unwrap_or((url, "")));
    let has_password = asked.body.contains("&password=");
    let is_form = asked.head.contains("content-type: application/x-www-form-urlencoded");
    let form = if is_form || has_password { format!("{query}&{}", asked.body) } else { query.to_owned() };
    let (path, key) = (path.to_owned(), key(path, &form));
    let by_password = state.takes_passwords && has_password;
    let bearer = asked.head.lines().find_map(|line| line.strip_prefix("authorization: Bearer token-")).map(str::to_owned);
    state.asked.push(asked);
    if path == "/oauth2/token" {
        return state.replies.get(&path).cloned().unwrap_or_else(|| {
            state.tokens += 1;
            let token = format!("{{\"access_token\":\"token-{}\",\"token_type\":\"Bearer\",\"expires_in\":3600}}", state.tokens);
            Reply::Http(200, "application/json", token.into_bytes())
        });
    }
    let valid = bearer.and_then(|number| number.parse::<usize>().ok()).is_some_and(|number| number >= state.revoked);
    if path.starts_with("/api") && !valid && !by_password {
        return Reply::Http(401, "application/json", br#"{"error":"access_denied","message":"expired"}"#.to_vec());
    }
    let mut reply = state.replies.get(&key).cloned();
    if let Some(Reply::RefuseFromNow { for_ever }) = reply {
        state.revoked = if for_ever { usize::MAX } else { state.tokens + 1 };
        reply = Some(Reply::Http(401, "application/json", br#"{"error":"access_denied","message":"disabled"}"#.to_vec()));
    }
    if let Some(later) = state.after.remove(&key) {
        state.replies.insert(key, later);
    }
    reply.unwrap_or(Reply::Http(404, "text/plain", b"no such page".to_vec()))
}

/// The path, with the page of a list, or what a command or report is called.
fn key(path: &str, query: &str) -> String {
    let fields: BTreeMap<String, String> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    if let Some(page) = fields.get("current_page") {
        return format!("{path}:{page}");
    }
    match (path, fields.get("action"), fields.get("generate_report")) {
        ("/api/command", Some(action), _) => action.clone(),
        ("/api/reporting", _, Some(report)) => {
            format!("{report}:{}", fields.keys().find(|name| name.ends_with("_time")).map_or("", String::as_str))
        }
        _ => path.to_owned(),
    }
}

async fn send(stream: &mut TlsStream<TcpStream>, reply: Reply) -> std::io::Result<()> {
    match reply {
        Reply::Http(status, kind, body) => {
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(&body).await?;
        }
        Reply::Raw(bytes) => stream.write_all(&bytes).await?,
        // They have become other replies before.
        Reply::RefuseFromNow { .. } | Reply::Late(..) => {}
        Reply::Stall(bytes) => {
            stream.write_all(&bytes).await?;
            stream.flush().await?;
            let _ = stream.read(&mut [0]).await;
            return Ok(());
        }
        Reply::Sessions(root, count, bytes) => send_sessions(stream, root, count, bytes).await?,
        Reply::Flood(body) => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\nconnection: close\r\n\r\n").await?;
            loop {
                stream.write_all(&body).await?;
            }
        }
    }
    stream.shutdown().await
}

async fn send_sessions(stream: &mut TlsStream<TcpStream>, root: &str, count: u64, bytes: usize) -> std::io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\nconnection: close\r\n\r\n").await?;
    let element = if root == "session_list" { "session" } else { "session_summary" };
    let events = "<event><body>What was said in the chat.</body></event>".repeat(bytes / 50);
    let (begin, end) = ("<start_time timestamp=\"1795305723\"/>", "<end_time timestamp=\"1795309323\"/>");
    stream.write_all(format!("<{root}>").as_bytes()).await?;
    for number in 0..count {
        let session =
            format!("<{element} lsid=\"{number:032x}\">{begin}{end}<session_details>{events}</session_details></{element}>");
        stream.write_all(session.as_bytes()).await?;
    }
    stream.write_all(format!("</{root}>").as_bytes()).await
}
