//! Whether a box takes a client: the service's name, spoken to the box's own address.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::{Client, StatusCode};
use rustls::ClientConfig;

use super::client::{Limits, http_client};

/// Asks for the site page as a browser of a client would.
pub struct Probe {
    http: Client,
    url: String,
    limit: Duration,
}

impl Probe {
    /// `tls` must check that the certificate covers the name, whatever the trust: clients will.
    pub fn new(service: &str, box_address: SocketAddr, tls: ClientConfig, limits: &Limits) -> Result<Self, reqwest::Error> {
        let http = http_client(tls, limits, Some((service, box_address)))?;
        Ok(Self { http, url: format!("https://{service}:{}/", box_address.port()), limit: limits.call })
    }

    /// True only for the site page itself (200). Whatever else a client would meet (no connection, a certificate that it
    /// refuses, an error, silence, a redirect elsewhere) is no service, so this is never `None`.
    pub async fn takes_clients(&self) -> Option<bool> {
        let answer = self.http.get(&self.url).timeout(self.limit).send().await;
        let found = match &answer {
            Ok(response) if response.status() == StatusCode::OK => return Some(true),
            Ok(response) => response.status().to_string(),
            Err(error) => error.to_string(),
        };
        tracing::debug!(url = %self.url, found, "the box does not serve the site page");
        Some(false)
    }
}
