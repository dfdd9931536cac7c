//! Webhooks after the Standard Webhooks specification.
//!
//! # Source
//! Standard Webhooks 1.0: headers `webhook-id`, `webhook-timestamp` and `webhook-signature`; the signature is
//! `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`; secrets are `whsec_` and the base64 of 24 to 64 bytes.

use std::fmt;
use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::{BoxFuture, FutureExt as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use reqwest::{Client, Response, redirect};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;
use secrecy::{ExposeSecret as _, SecretSlice};
use sha2::Sha256;
use url::{Host, Url};

use crate::ports::{Notifier, OutboxItem};

/// What is read of an answer's body.
const MOST_ANSWER: usize = 64 * 1024;

/// What is shown of it.
const MOST_SHOWN: usize = 200;

/// What the specification allows for a key, in bytes.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// More than a secret file ever holds.
const MOST_SECRET: u64 = 4096;

/// What this hook needs to know. Not printable: the address's path is often a secret.
pub struct Settings {
    /// `https://`, or `http://` to a loopback address.
    pub url: String,
    pub secret: Secret,
    /// For one whole delivery, machine time.
    pub timeout: Duration,
}

/// The key that documents are signed with.
#[derive(Debug)]
pub struct Secret(SecretSlice<u8>);

/// Why a webhook can't be used as configured.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("the webhook's address is no URL: {0}")]
    NotAUrl(#[from] url::ParseError),
    #[error("the webhook's address begins with `{found}://`; expected `https://`, or `http://` to a loopback address")]
    Scheme { found: String },
    #[error("the webhook's address has a user or password in it; documents are signed with `secret_file` instead")]
    Credentials,
    #[error("the secret file `{path}` can't be read: {why}")]
    Unreadable { path: String, why: String },
    #[error("the secret is not `whsec_` and the base64 of 24 to 64 bytes")]
    NotASecret,
    #[error("TLS for webhooks can't be set up: {0}")]
    Tls(String),
}

/// One address that documents are posted to.
pub struct Webhook {
    client: Client,
    url: Url,
    secret: Secret,
    timeout: Duration,
}

impl Secret {
    /// Reads `whsec_<base64>`; white space around it is no part of it.
    ///
    /// # Errors
    /// [`SetupError::Unreadable`], [`SetupError::NotASecret`]; neither shows anything of the content.
    pub fn from_file(path: &Path) -> Result<Self, SetupError> {
        let unreadable =
            |error: std::io::Error| SetupError::Unreadable { path: path.display().to_string(), why: error.to_string() };
        // Opening a named pipe would wait for ever.
        if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return Err(unreadable(std::io::Error::other("is not a plain file")));
        }
        let mut text = String::new();
        std::fs::File::open(path).map_err(unreadable)?.take(MOST_SECRET).read_to_string(&mut text).map_err(unreadable)?;
        let text = secrecy::SecretString::from(text);
        Self::parse(text.expose_secret())
    }

    /// # Errors
    /// [`SetupError::NotASecret`].
    pub fn parse(text: &str) -> Result<Self, SetupError> {
        let base64 = text.trim().strip_prefix("whsec_").ok_or(SetupError::NotASecret)?;
        let key = SecretSlice::from(STANDARD.decode(base64).map_err(|_| SetupError::NotASecret)?);
        if KEY_BYTES.contains(&key.expose_secret().len()) { Ok(Self(key)) } else { Err(SetupError::NotASecret) }
    }

    fn sign(&self, id: &str, timestamp: i64, body: &str) -> Result<String, String> {
        // HMAC takes keys of any length, so this error does not come; it is passed on rather than promised away.
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.expose_secret()).map_err(|error| error.to_string())?;
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    }
}

impl Webhook {
    /// # Errors
    /// See [`SetupError`]. Nothing is sent yet.
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        let Settings { url, secret, timeout } = settings;
        let url = Url::parse(&url)?;
        check(&url)?;
        Ok(Self { client: client(&url)?, url, secret, timeout })
    }

    async fn post(&self, item: &OutboxItem) -> Result<(), String> {
        let within = tokio::time::timeout(self.timeout, self.exchange(item)).await;
        within.unwrap_or_else(|_| Err(format!("{}: no answer within {} s", self.host(), self.timeout.as_secs_f64())))
    }

    async fn exchange(&self, item: &OutboxItem) -> Result<(), String> {
        let timestamp = Timestamp::now().as_second();
        let signature = self.secret.sign(&item.id, timestamp, &item.document)?;
        let request = self
            .client
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header("webhook-id", &item.id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature)
            .body(item.document.clone());
        let answer = request.send().await.map_err(|error| format!("{}: {}", self.host(), chain(&error.without_url())))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let location = if status.is_redirection() { "; redirects are not followed" } else { "" };
        Err(format!("{}: answered {status}, expected 2xx{location}{}", self.host(), excerpt(answer).await))
    }

    /// What messages call it: paths and queries of webhook addresses are often secrets.
    fn host(&self) -> String {
        let port = self.url.port().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}://{}{port}", self.url.scheme(), self.url.host_str().unwrap_or_default())
    }
}

impl Notifier for Webhook {
    fn deliver<'a>(&'a self, item: &'a OutboxItem) -> BoxFuture<'a, Result<(), String>> {
        self.post(item).boxed()
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("host", &self.host()).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

fn check(url: &Url) -> Result<(), SetupError> {
    let loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    match url.scheme() {
        "https" => {}
        "http" if loopback => {}
        found => return Err(SetupError::Scheme { found: found.to_owned() }),
    }
    if url.username().is_empty() && url.password().is_none() { Ok(()) } else { Err(SetupError::Credentials) }
}

/// No redirects, and no proxy from the environment: a document goes to its address or nowhere.
fn client(url: &Url) -> Result<Client, SetupError> {
    let loopback = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)].map(|ip| SocketAddr::new(ip, 0));
    Client::builder()
        .tls_backend_preconfigured(tls(url).map_err(|error| SetupError::Tls(error.to_string()))?)
        .redirect(redirect::Policy::none())
        .no_proxy()
        // Whatever the hosts file says.
        .resolve_to_addrs("localhost", &loopback)
        .user_agent(concat!("changeover/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| SetupError::Tls(chain(&error)))
}

/// The system's roots; none at all for `http://`, so that a loopback hook works where no roots are installed.
fn tls(url: &Url) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(match url.scheme() {
        "http" => builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth(),
        _ => builder.with_platform_verifier()?.with_no_client_auth(),
    })
}

/// The beginning of an answer's body, for the operator. Reads at most [`MOST_ANSWER`] of it.
async fn excerpt(mut answer: Response) -> String {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        let room = MOST_ANSWER - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() >= room {
            break;
        }
    }
    let text = String::from_utf8_lossy(&body);
    let shown: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MOST_SHOWN).collect();
    if shown.trim().is_empty() { String::new() } else { format!(": `{}`", shown.trim()) }
}

/// reqwest's own words name only the outermost cause.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference libraries.
    #[test]
    fn signatures_agree_with_the_specifications_example() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#).unwrap();
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn bad_secrets_are_refused_without_showing_them() {
        for text in [
            "",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_",
            "whsec_c2hvcnQ=",
            "whsec_!!!!",
            "WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        ] {
            let error = Secret::parse(text).unwrap_err();
            assert!(matches!(error, SetupError::NotASecret), "{text}");
            let secret = text.trim_start_matches("whsec_");
            assert!(secret.is_empty() || !error.to_string().contains(secret), "{error}");
        }
        let shown = format!("{:?}", Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
        assert!(!shown.contains("MfKQ") && !shown.contains("49"), "{shown}");
    }

    #[test]
    fn addresses_are_https_or_loopback() {
        let cases = [
            ("https://ops.example.com/hook", true),
            ("http://127.0.0.1:8080/hook", true),
            ("http://127.9.9.9/", true),
            ("http://[::1]:1/", true),
            ("http://localhost/", true),
            ("http://ops.example.com/", false),
            ("http://192.0.2.1/", false),
            ("http://127.0.0.1.example.com/", false),
            ("http://localhost.example.com/", false),
            ("ftp://127.0.0.1/", false),
            ("htps://example.com/", false),
            ("https://user:password@example.com/", false),
        ];
        for (url, good) in cases {
            assert_eq!(check(&Url::parse(url).unwrap()).is_ok(), good, "{url}");
        }
    }
}
