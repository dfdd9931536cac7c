//! One message over TCP and its answer, saying how far it came.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How far a request came.
pub(super) enum Exchange {
    Answer(Vec<u8>),
    /// No connection: nothing of it left.
    NotSent(String),
    /// It may have arrived.
    NoAnswer(String),
}

/// Sends one message and reads one. Nothing is sent twice.
///
/// # Shapes and units
/// The answer has at most 64 KiB, by its length field.
pub(super) async fn exchange(server: SocketAddr, message: &[u8]) -> Exchange {
    let stream = match timeout(CONNECT_LIMIT, TcpStream::connect(server)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Exchange::NotSent(error.to_string()),
        Err(_) => return Exchange::NotSent(format!("no connection within {} s", CONNECT_LIMIT.as_secs())),
    };
    match timeout(ANSWER_LIMIT, talk(stream, message)).await {
        Ok(Ok(answer)) => Exchange::Answer(answer),
        Ok(Err(error)) => Exchange::NoAnswer(format!("the connection broke off: {error}")),
        Err(_) => Exchange::NoAnswer(format!("no answer came within {} s", ANSWER_LIMIT.as_secs())),
    }
}

async fn talk(mut stream: TcpStream, message: &[u8]) -> io::Result<Vec<u8>> {
    let length = u16::try_from(message.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes()[..], message].concat()).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

/// Three tries of the kernel, at 0, 1 and 3 s.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// A primary answers an update in 8 ms (BIND 9.18 in the lab), after its journal is on disk; a busy disk may take seconds.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
