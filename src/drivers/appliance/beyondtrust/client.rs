//! The HTTPS side of one box: one connection a call, no redirects, no proxies, bounded time and size.
//!
//! The vendor asks for a closed connection after each call; we ask for it too and keep no pool, so that each call also proves
//! the certificate anew. An answer is judged by its body as well as by its status: this product sends errors with HTTP 200.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response, StatusCode};
use rustls::ClientConfig;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::Url;

use crate::ports::Clock;

use super::health::{AnswerError, shown};
use super::pace::Pace;
use super::token::{Token, Tokens};
use super::xml::Node;

/// Bounds on one call, by the machine's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For the TCP and TLS handshake.
    pub connect: Duration,
    /// For a whole short call, from connect to the last byte.
    pub call: Duration,
    /// Until a long answer (backup, report) begins: the box puts it together first, for how long is not documented.
    pub first_byte: Duration,
    /// Between two pieces of a long answer.
    pub stall: Duration,
    /// A backup smaller than this is none. An empty site's is not documented; a refusal is some 20 bytes.
    pub min_backup_bytes: u64,
    /// More than any backup (recordings are not in it), and less than what fills an ordinary disk.
    pub max_backup_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            call: Duration::from_secs(30),
            first_byte: Duration::from_secs(600),
            stall: Duration::from_secs(60),
            min_backup_bytes: 1024,
            max_backup_bytes: 64 << 30,
        }
    }
}

/// A command answer has a few hundred bytes, one logged-in user about 500: this is room for 16,000 users.
const MAX_ANSWER: usize = 8 << 20;
/// Token answers, and what is read of an answer that is only shown.
const MAX_SMALL: usize = 64 << 10;

/// Why a call gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The box was not reached, or not believed; nothing was sent.
    #[error("{0}")]
    NotReached(String),
    /// It was reached and can't answer now.
    #[error("{0}")]
    Unavailable(String),
    /// Access was refused.
    #[error("{0}")]
    Denied(String),
    /// Sent, and no answer or not all of it.
    #[error("{0}")]
    Lost(String),
    /// Answered, but not with what was asked for.
    #[error("{0}")]
    Unusable(String),
    /// The answer could not be kept on this machine.
    #[error("{0}")]
    Local(String),
}

impl From<AnswerError> for CallError {
    fn from(error: AnswerError) -> Self {
        match &error {
            AnswerError::Error(text) if says_denied(text) => Self::Denied(error.to_string()),
            _ => Self::Unusable(format!("the answer can't be used: {error}")),
        }
    }
}

/// The client of one box.
pub struct Api {
    http: Client,
    base: Url,
    client_id: String,
    client_secret: SecretString,
    tokens: Tokens,
    pace: Pace,
    pub limits: Limits,
}

/// What is called: a path of the box and its parameters. All of them may be called twice without harm; none holds a secret.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    pub method: Method,
    pub path: &'a str,
    pub query: Vec<(&'a str, String)>,
}

impl Api {
    /// # Errors
    /// Only if the HTTP client can't be built.
    pub fn new(
        base: Url,
        client_id: String,
        client_secret: SecretString,
        tls: ClientConfig,
        limits: Limits,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, reqwest::Error> {
        let http = http_client(tls, &limits, None)?;
        Ok(Self { http, base, client_id, client_secret, tokens: Tokens::default(), pace: Pace::new(clock), limits })
    }

    /// Makes a call with a token, once more with a new one where the first was refused.
    ///
    /// # Repeat
    /// The call may be made twice: it must be a reading, or do no harm the second time.
    pub async fn authorised<T, F>(&self, call: impl Fn(Token) -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        let token = self.token(None).await?;
        match call(token.clone()).await {
            Err(CallError::Denied(_)) => call(self.token(Some(&token)).await?).await,
            other => other,
        }
    }

    /// A command's XML, with a renewed token if need be.
    pub async fn command(&self, action: &str) -> Result<Vec<u8>, CallError> {
        self.authorised(|token| self.command_with(token, action)).await
    }

    /// A command's XML with the token that has just served for another call: were it refused, the account would lack a
    /// right, and new tokens would only push out those of others (30 for an account).
    pub async fn command_again(&self, action: &str) -> Result<Vec<u8>, CallError> {
        self.command_with(self.token(None).await?, action).await
    }

    async fn command_with(&self, token: Token, action: &str) -> Result<Vec<u8>, CallError> {
        let call = Call { method: Method::GET, path: "/api/command", query: vec![("action", action.to_owned())] };
        let read = async {
            let response = self.send(&token, &call).await?;
            let status = response.status();
            let body = read_all(response, MAX_ANSWER).await?;
            // An unhealthy box answers 500 with its health in the body (documented for v2), so that goes before the status.
            if status.is_server_error() && Node::parse(&body).is_ok_and(|root| root.is("health_check")) {
                return Ok(body);
            }
            check_status(status, &body)?;
            Ok(body)
        };
        within(self.limits.call, "no whole answer", read).await
    }

    /// Sends a call and returns when the answer begins; its status is not judged yet.
    pub async fn send(&self, token: &Token, call: &Call<'_>) -> Result<Response, CallError> {
        self.send_as(token, call, (ACCEPT, "*/*")).await
    }

    /// As [`Api::send`], with one header more.
    pub async fn send_as(&self, token: &Token, call: &Call<'_>, header: (HeaderName, &str)) -> Result<Response, CallError> {
        self.pace.turn().await;
        let url = self.url(call.path)?;
        let request = self.http.request(call.method.clone(), url).header(AUTHORIZATION, token.header()?);
        request.header(header.0, header.1).query(&call.query).send().await.map_err(lost)
    }

    /// Sends a JSON body, which may hold a secret, and returns when the answer begins.
    pub async fn post_json(&self, token: &Token, path: &str, body: &Value) -> Result<Response, CallError> {
        self.pace.turn().await;
        let request = self.http.post(self.url(path)?).header(AUTHORIZATION, token.header()?);
        request.header(CONTENT_TYPE, "application/json").body(body.to_string()).send().await.map_err(lost)
    }

    /// The token to use; a new one if there is none, if it is near its end, or if it is `refused`.
    async fn token(&self, refused: Option<&Token>) -> Result<Token, CallError> {
        self.tokens.get(refused, || self.new_token()).await
    }

    async fn new_token(&self) -> Result<Token, CallError> {
        let read = async {
            let url = self.url("/oauth2/token")?;
            let request = self.http.post(url).basic_auth(&self.client_id, Some(self.client_secret.expose_secret()));
            let response = request.form(&[("grant_type", "client_credentials")]).send().await.map_err(lost)?;
            let status = response.status();
            let body = read_all(response, MAX_SMALL).await?;
            check_status(status, &body)?;
            Token::parse(&body)
        };
        let result = within(self.limits.call, "no token", read).await;
        result.map_err(|error| match error {
            CallError::Denied(what) => CallError::Denied(format!(
                "client id `{}` was refused ({what}); check `client_id` and its secret",
                self.client_id
            )),
            other => other,
        })
    }

    fn url(&self, path: &str) -> Result<Url, CallError> {
        self.base.join(path).map_err(|error| CallError::Unusable(format!("`{path}` makes no URL: {error}")))
    }
}

/// A client that calls one connection at a time and follows nothing. `resolve` fixes where a name leads.
pub fn http_client(tls: ClientConfig, limits: &Limits, resolve: Option<(&str, SocketAddr)>) -> Result<Client, reqwest::Error> {
    let mut headers = HeaderMap::new();
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    let mut builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .https_only(true)
        .http1_only()
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        .pool_max_idle_per_host(0)
        .connect_timeout(limits.connect)
        .default_headers(headers)
        .tls_info(true)
        .user_agent(concat!("changeover/", env!("CARGO_PKG_VERSION")));
    if let Some((name, address)) = resolve {
        builder = builder.resolve(name, address);
    }
    builder.build()
}

/// Bounds a call by time; what was sent may have arrived.
pub async fn within<T>(limit: Duration, what: &str, call: impl Future<Output = Result<T, CallError>>) -> Result<T, CallError> {
    tokio::time::timeout(limit, call).await.unwrap_or_else(|_| Err(CallError::Lost(format!("{what} within {limit:?}"))))
}

/// Reads a body that is not larger than `limit`.
pub async fn read_all(mut response: Response, limit: usize) -> Result<Vec<u8>, CallError> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(lost)? {
        if body.len() + piece.len() > limit {
            return Err(CallError::Unusable(format!("the answer is larger than {limit} bytes")));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// Lets an answer pass whose body is to be kept as a file; of any other, the body is read to be shown.
pub async fn check_streamed(response: Response) -> Result<Response, CallError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = read_all(response, MAX_SMALL).await.unwrap_or_default();
    Err(check_status(status, &body).err().unwrap_or_else(|| CallError::Unusable(said(status, &body))))
}

/// Judges an answer by status and body.
pub fn check_status(status: StatusCode, body: &[u8]) -> Result<(), CallError> {
    refuse_denial(body)?;
    let said = said(status, body);
    match status {
        status if status.is_success() => Ok(()),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(CallError::Denied(said)),
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Err(CallError::Unavailable(said)),
        status if status.is_redirection() => {
            Err(CallError::Unusable(format!("{said}; redirects are not followed, `url` must be the box's own address")))
        }
        _ => Err(CallError::Unusable(said)),
    }
}

/// Finds the vendor's refusals, which come with any status: `{"error":"access_denied",…}` and `Invalid credentials`.
pub fn refuse_denial(body: &[u8]) -> Result<(), CallError> {
    if body.len() > MAX_SMALL {
        return Ok(());
    }
    let text = String::from_utf8_lossy(body);
    let json = serde_json::from_str::<Value>(&text).ok();
    let denied = json.as_ref().and_then(|json| json.get("error")).and_then(Value::as_str) == Some("access_denied");
    if denied || text.trim().eq_ignore_ascii_case("invalid credentials") {
        return Err(CallError::Denied(format!("the box answered `{}`", shown(&text))));
    }
    Ok(())
}

/// True for an `<error>` text that speaks of access; the vendor documents no list.
pub fn says_denied(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["permission", "access denied", "access_denied", "not authorized", "unauthorized", "invalid credentials"]
        .iter()
        .any(|word| text.contains(word))
}

/// Puts an answer's status and the beginning of its body into words.
fn said(status: StatusCode, body: &[u8]) -> String {
    match shown(&String::from_utf8_lossy(body)) {
        text if text.is_empty() => format!("the box answered {status}"),
        text => format!("the box answered {status}: `{text}`"),
    }
}

/// A failed connection (TCP or TLS, the certificate included) sent nothing of the call; any later failure may have.
pub fn lost(error: reqwest::Error) -> CallError {
    let not_reached = error.is_connect() || error.is_builder();
    let text = chain(&error.without_url());
    if not_reached { CallError::NotReached(text) } else { CallError::Lost(text) }
}

/// An error with its causes, each once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
