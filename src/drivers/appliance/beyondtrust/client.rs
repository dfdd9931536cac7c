//! The HTTPS side of one box: one connection a call, no redirects, no proxies, bounded time and size.
//!
//! The vendor asks for a closed connection after each call; we ask for it too and keep no pool, so that each call also proves
//! the certificate anew.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Method, Response, StatusCode};
use rustls::ClientConfig;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use url::Url;

use super::access::set::{MOST_LIMITED, limited};
use super::access::{Access, Fetch};
use super::answer::{CallError, MAX_SMALL, check_status, lost, read_all, refuse_client, within};
use super::budget::Need;
use super::call::Call;
use super::credentials::{Account, Credentials, Login};
use super::old_login;
use super::token::Token;
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
    /// Between two rounds of asking for recordings that were not ready.
    pub recording_wait: Duration,
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
            recording_wait: Duration::from_secs(60),
        }
    }
}

/// A command answer has a few hundred bytes, one logged-in user about 500: this is room for 16,000 users.
const MAX_ANSWER: usize = 8 << 20;
/// So many further tokens are tried for one call at most: a renewed one and the second set's.
const MOST_TOKENS: usize = 3;
/// A request for a token is waited for so many times as long as another short call: a refusal that comes later is not heard of, and
/// counts at the box all the same. Web servers in front of a login that hangs give it up after a minute.
const TOKEN_CALLS: u32 = 2;

/// The client of one box. Copies share its access.
#[derive(Clone)]
pub struct Api {
    http: Client,
    base: Url,
    pub access: Arc<Access>,
    pub limits: Limits,
}

impl Api {
    /// # Errors
    /// Only if the HTTP client can't be built.
    pub fn new(base: Url, access: Access, tls: ClientConfig, limits: Limits) -> Result<Self, reqwest::Error> {
        let http = http_client(tls, &limits, None)?;
        Ok(Self { http, base, access: Arc::new(access), limits })
    }

    /// The same accounts and their tokens, at one address, wherever the name leads later.
    ///
    /// # Errors
    /// Only if the HTTP client can't be built.
    pub fn at(&self, tls: ClientConfig, resolve: (&str, SocketAddr)) -> Result<Self, reqwest::Error> {
        let http = http_client(tls, &self.limits, Some(resolve))?;
        Ok(Self { http, base: self.base.clone(), access: self.access.clone(), limits: self.limits.clone() })
    }

    /// As [`Api::new`], with a fixed address behind the base's name.
    ///
    /// # Errors
    /// Only if the HTTP client can't be built.
    pub fn behind(
        base: Url,
        resolve: (&str, SocketAddr),
        access: Access,
        tls: ClientConfig,
        limits: Limits,
    ) -> Result<Self, reqwest::Error> {
        let http = http_client(tls, &limits, Some(resolve))?;
        Ok(Self { http, base, access: Arc::new(access), limits })
    }

    /// Makes a call that can wait (a report, a list, a backup) with a token, once more with a new one where the first was refused.
    /// It takes its turn within the account's budget first, however long that takes: the caller bounds it.
    ///
    /// # Repeat
    /// The call may be made twice: it must be a reading, or do no harm the second time.
    pub async fn authorised<T, F>(&self, call: impl Fn(Token) -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        self.with_access(Need::Bulk, call).await
    }

    /// A command's XML, with a renewed token, or with the node's second credentials, if need be.
    pub async fn command(&self, action: &str) -> Result<Vec<u8>, CallError> {
        self.with_access(Need::Reading, |token| self.command_with(token, action)).await
    }

    /// A command's XML with the token that has just served for another call: were it refused, the account would lack a
    /// right, and new tokens would only push out those of others (30 for an account).
    pub async fn command_again(&self, action: &str) -> Result<Vec<u8>, CallError> {
        self.with_present_token(|token| self.command_with(token, action)).await
    }

    /// As [`Api::command_again`], with what `now` says directly before and after the call itself.
    pub async fn command_timed<T>(&self, action: &str, now: impl Fn() -> T) -> Result<(Vec<u8>, T, T), CallError> {
        let call = async |token| {
            let before = now();
            Ok((self.command_with(token, action).await?, before, now()))
        };
        self.with_present_token(call).await
    }

    /// Makes a short reading call, with a renewed token or with the node's second credentials, if need be.
    pub async fn reading<T, F>(&self, call: impl Fn(Token) -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        self.with_access(Need::Reading, call).await
    }

    /// Makes a reading call with the token that has just served; see [`Api::command_again`].
    pub async fn with_present_token<T, F>(&self, call: impl Fn(Token) -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        self.as_it_is(Need::Reading, call).await
    }

    /// As [`Api::with_present_token`], for a call that can wait.
    pub async fn long_with_present_token<T, F>(&self, call: impl Fn(Token) -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        self.as_it_is(Need::Bulk, call).await
    }

    async fn as_it_is<T, F>(&self, need: Need, call: impl Fn(Token) -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        let token = self.token().await?;
        let answer = self.in_turn(&token, need, &call).await;
        if answer.is_ok() {
            self.access.served(&token, need).await;
        }
        answer
    }

    async fn with_access<T, F>(&self, need: Need, call: impl Fn(Token) -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        let mut token = self.token().await?;
        let mut answer = self.in_turn(&token, need, &call).await;
        for _ in 0..MOST_TOKENS {
            let Err(denied @ CallError::Denied(_)) = &answer else { break };
            let Some(next) = self.access.after_refusal(&token, need, denied, self.fetch()).await? else { break };
            token = next;
            answer = self.in_turn(&token, need, &call).await;
        }
        if answer.is_ok() {
            self.access.served(&token, need).await;
        }
        answer
    }

    /// Makes a call when it is this account's turn; again after a pause where the box answers 429, which did nothing.
    async fn in_turn<T, F>(&self, token: &Token, need: Need, call: &impl Fn(Token) -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        let mut said = String::new();
        for _ in 0..MOST_LIMITED {
            self.access.turn(token.set, need).await?;
            match call(token.clone()).await {
                Err(CallError::Limited(text)) => said = text,
                other => return other,
            }
        }
        Err(limited(&said))
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
        let response = match &token.user {
            Some(user) => self.send_with_password((token.set, user), call, header).await?,
            None => {
                let request = self.http.request(call.method.clone(), self.url(call.path)?).header(AUTHORIZATION, token.header()?);
                let request = request.header(header.0, header.1);
                let request = match call.method {
                    Method::POST if !call.query.is_empty() => request.form(&call.query),
                    _ => request.query(&call.query),
                };
                request.send().await.map_err(lost)?
            }
        };
        self.access.note(token.set, response.status(), response.headers());
        Ok(response)
    }

    async fn send_with_password(
        &self,
        (set, user): (usize, &Account),
        call: &Call<'_>,
        header: (HeaderName, &str),
    ) -> Result<Response, CallError> {
        let [old, later] = old_login::paths(call, user)?;
        let send = |path: String| async move {
            old_login::request(&self.http, self.url(&path)?, call, user, &header).send().await.map_err(lost)
        };
        match send.clone()(old).await? {
            response if response.status() == StatusCode::NOT_FOUND => {
                // The box counts both, and so does the budget.
                self.access.note(set, response.status(), response.headers());
                self.access.turn(set, Need::Reading).await?;
                send(later).await
            }
            response => Ok(response),
        }
    }

    /// Sends a JSON body, which may hold a secret, and returns when the answer begins. The old login knows forms only.
    pub async fn post_json(&self, token: &Token, path: &str, body: &Value) -> Result<Response, CallError> {
        if token.user.is_some() {
            return Err(CallError::Unusable(
                "with a user's name and password no backup can be protected by `backup_password_file`".to_owned(),
            ));
        }
        let request = self.http.post(self.url(path)?).header(AUTHORIZATION, token.header()?);
        let response = request.header(CONTENT_TYPE, "application/json").body(body.to_string()).send().await.map_err(lost)?;
        self.access.note(token.set, response.status(), response.headers());
        Ok(response)
    }

    /// The token to use; a new one if there is none, or if it is near its end.
    async fn token(&self) -> Result<Token, CallError> {
        self.access.token(self.fetch()).await
    }

    /// How a token is asked for, by whoever waits for it longest.
    fn fetch(&self) -> Fetch {
        let api = self.clone();
        Box::new(move |set, credentials| {
            let api = api.clone();
            async move { api.new_token(set, credentials).await }.boxed()
        })
    }

    /// Asks for a token, once: a refusal is a failed login, and the box counts those.
    async fn new_token(&self, set: usize, Credentials { client, login }: Credentials) -> Result<Token, CallError> {
        if login == Login::Password {
            return Ok(Token::of_user(client));
        }
        let Account { name, secret } = client;
        let read = async {
            let url = self.url("/oauth2/token")?;
            let request = self.http.post(url).basic_auth(&name, Some(secret.expose_secret()));
            let response = request.form(&[("grant_type", "client_credentials")]).send().await.map_err(lost)?;
            let status = response.status();
            self.access.note(set, status, response.headers());
            let body = read_all(response, MAX_SMALL).await?;
            refuse_client(&body)?;
            check_status(status, &body)?;
            Token::parse(&body)
        };
        let result = within(self.limits.call * TOKEN_CALLS, "no token", read).await;
        result.map_err(|error| match error {
            CallError::Denied(what) => CallError::Denied(format!("client id `{name}` was refused ({what})")),
            other => other,
        })
    }

    fn url(&self, path: &str) -> Result<Url, CallError> {
        self.base.join(path).map_err(|error| CallError::Unusable(format!("`{path}` makes no URL: {error}")))
    }
}

/// A client that calls one connection at a time and follows nothing. `resolve` fixes where a name leads.
pub fn http_client(tls: ClientConfig, limits: &Limits, resolve: Option<(&str, SocketAddr)>) -> Result<Client, reqwest::Error> {
    builder(tls, limits, resolve).build()
}

/// As [`http_client`], before it is built.
pub fn builder(tls: ClientConfig, limits: &Limits, resolve: Option<(&str, SocketAddr)>) -> ClientBuilder {
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
    builder
}
