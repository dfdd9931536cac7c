//! Whether a box takes a client: the service's name, spoken to the box's own address.

use std::net::SocketAddr;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::tls::TlsInfo;
use reqwest::{Client, Response, StatusCode};
use rustls::ClientConfig;

use super::client::{Limits, http_client};
use crate::drivers::tls;

/// Asks for the site page as a browser of a client would.
pub struct Probe {
    http: Client,
    url: String,
    limit: Duration,
}

/// What a client would meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probed {
    /// True only for the site page itself (200). Whatever else a client would meet (no connection, a certificate that it
    /// refuses, an error, silence, a redirect elsewhere) is no service.
    pub takes_clients: bool,
    /// The end of the certificate; `None` where the box showed none that a client believes.
    pub certificate_until: Option<Timestamp>,
}

impl Probe {
    /// `tls` must check that the certificate covers the name, whatever the trust: clients will.
    pub fn new(service: &str, box_address: SocketAddr, tls: ClientConfig, limits: &Limits) -> Result<Self, reqwest::Error> {
        let http = http_client(tls, limits, Some((service, box_address)))?;
        Ok(Self { http, url: format!("https://{service}:{}/", box_address.port()), limit: limits.call })
    }

    /// What a client meets.
    pub async fn ask(&self) -> Probed {
        let answer = self.http.get(&self.url).timeout(self.limit).send().await;
        let certificate_until = answer.as_ref().ok().and_then(shown_until);
        let found = match &answer {
            Ok(response) if response.status() == StatusCode::OK => return Probed { takes_clients: true, certificate_until },
            Ok(response) => response.status().to_string(),
            Err(error) => error.to_string(),
        };
        tracing::debug!(url = %self.url, found, "the box does not serve the site page");
        Probed { takes_clients: false, certificate_until }
    }
}

/// The end of the certificate that came with the answer, whatever the answer was.
fn shown_until(response: &Response) -> Option<Timestamp> {
    tls::valid_until(response.extensions().get::<TlsInfo>()?.peer_certificate()?)
}
