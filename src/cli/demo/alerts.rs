//! Where the daemon's alerts arrive: a webhook on loopback that believes only what is signed.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use serde::Deserialize;
use sha2::Sha256;
use tokio::net::TcpListener;

use crate::cli::Failure;

/// An alert's document, as far as the story tells it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Alert {
    #[serde(rename = "type")]
    pub name: String,
    pub data: Told,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Told {
    pub id: String,
    pub severity: String,
    pub summary: String,
}

/// The receiving end.
pub struct Hook {
    pub address: SocketAddr,
    arrived: Receiver<Alert>,
}

impl Hook {
    /// Listens on a free loopback port for as long as the runtime lives.
    pub async fn start(secret: &SecretString) -> Result<Self, Failure> {
        let failed = |error: &dyn std::error::Error| Failure::of("no_address", error);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(|error| failed(&error))?;
        let address = listener.local_addr().map_err(|error| failed(&error))?;
        let base64 = secret.expose_secret().trim_start_matches("whsec_");
        let key = STANDARD.decode(base64).map_err(|error| failed(&error))?;
        let (sender, arrived) = channel();
        let door = Arc::new(Door { key: key.into(), sender });
        let router = Router::new().route("/", post(receive)).with_state(door);
        // It ends with the runtime; an accept that fails is tried again by axum.
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address, arrived })
    }

    /// What has arrived since the last call.
    pub fn news(&self) -> Vec<Alert> {
        self.arrived.try_iter().collect()
    }
}

struct Door {
    key: SecretSlice<u8>,
    sender: Sender<Alert>,
}

async fn receive(State(door): State<Arc<Door>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    if !door.is_signed(&headers, &body) {
        return StatusCode::UNAUTHORIZED;
    }
    match serde_json::from_slice(&body) {
        // The demo may have ended meanwhile.
        Ok(alert) => door.sender.send(alert).map_or(StatusCode::GONE, |()| StatusCode::NO_CONTENT),
        Err(_) => StatusCode::BAD_REQUEST,
    }
}

impl Door {
    /// # Source
    /// Standard Webhooks 1.0: `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`.
    fn is_signed(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let (Some(id), Some(timestamp), Some(signature)) =
            (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"))
        else {
            return false;
        };
        let Some(code) = signature.strip_prefix("v1,").and_then(|code| STANDARD.decode(code).ok()) else { return false };
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.key.expose_secret()) else { return false };
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        mac.verify_slice(&code).is_ok()
    }
}
