//! The scripted person at the console: does by the control interface what no vendor interface offers.
//!
//! Who reads the daemon's instructions is not known here; these are only the hands.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::json;

use crate::domain::ids::NodeId;
use crate::domain::version::Target;

/// The control interface answers at once; this only guards against one that is gone.
const LIMIT: Duration = Duration::from_secs(10);
const MAX_ANSWER: usize = 64 * 1024;

/// Why the hands could not do it.
#[derive(Debug, thiserror::Error)]
pub enum HandsError {
    #[error(
        "`{0}` is no act for hands; expected force_sync, break_failover, establish_failover, update, drain, quiesce or reopen"
    )]
    UnknownVerb(String),
    #[error("the control interface at {address} was not reached: {reason}")]
    NotReached { address: SocketAddr, reason: String },
    #[error("the simulator refused `{verb}` on node `{node}` with status {status}: {message}")]
    Refused { verb: String, node: NodeId, status: u16, message: String },
}

/// A person with the control interface in reach.
#[derive(Clone, Copy, Debug)]
pub struct Hands {
    control: SocketAddr,
}

impl Hands {
    pub fn new(control: SocketAddr) -> Self {
        Self { control }
    }

    /// Does an act by its verb. Returns when the order was taken, not when its effect is there.
    ///
    /// # Errors
    /// See [`HandsError`].
    pub async fn act(&self, verb: &str, node: NodeId, target: Option<&Target>) -> Result<(), HandsError> {
        let act = control_word(verb).ok_or_else(|| HandsError::UnknownVerb(verb.to_owned()))?;
        let body = target.map(|target| json!({"version": target.version, "build": target.build}).to_string());
        let path = format!("/sim/v1/{node}/{act}");
        let not_reached = |reason: String| HandsError::NotReached { address: self.control, reason };
        let (status, message) = match tokio::time::timeout(LIMIT, post(self.control, &path, body.unwrap_or_default())).await {
            Ok(answer) => answer.map_err(not_reached)?,
            Err(_) => return Err(not_reached(format!("no answer within {} s", LIMIT.as_secs()))),
        };
        if status.is_success() {
            return Ok(());
        }
        Err(HandsError::Refused { verb: verb.to_owned(), node, status: status.as_u16(), message })
    }
}

fn control_word(verb: &str) -> Option<&'static str> {
    Some(match verb {
        "force_sync" => "sync-now",
        "break_failover" => "break",
        "establish_failover" => "establish",
        "update" => "update",
        "drain" => "drain",
        "quiesce" => "close",
        "reopen" => "open",
        _ => return None,
    })
}

async fn post(address: SocketAddr, path: &str, body: String) -> Result<(StatusCode, String), String> {
    let text = |error: &dyn std::error::Error| error.to_string();
    let stream = tokio::net::TcpStream::connect(address).await.map_err(|error| text(&error))?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| text(&error))?;
    let request = Request::post(path)
        .header("host", address.to_string())
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| text(&error))?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|error| text(&error))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await.map_err(|error| error.to_string())?;
        Ok((status, String::from_utf8_lossy(&body.to_bytes()).into_owned()))
    };
    // The connection is driven beside the exchange: it may end before the whole answer was taken out of it.
    let driver = tokio::spawn(connection);
    let answer = exchange.await;
    driver.abort();
    answer
}
