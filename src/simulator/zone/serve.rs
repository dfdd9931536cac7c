//! The sockets: messages in, messages out, with limits on both.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, ResponseCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::tsig::Signed;
use super::{Shared, update};

/// Answers datagrams for ever. A socket error of one datagram (an ICMP answer to an earlier one) is no reason to end.
pub(super) async fn udp(shared: Arc<Shared>, socket: UdpSocket) {
    let mut buffer = vec![0; MESSAGE_LIMIT];
    loop {
        let Ok((length, peer)) = socket.recv_from(&mut buffer).await else {
            tokio::task::yield_now().await;
            continue;
        };
        if let Some(response) = respond(&shared, &buffer[..length], true) {
            // A lost datagram is the client's to repeat.
            let _ = socket.send_to(&response, peer).await;
        }
    }
}

/// Answers connections for ever; above the limit they are closed unanswered.
pub(super) async fn tcp(shared: Arc<Shared>, listener: TcpListener) {
    let places = Arc::new(Semaphore::new(CONNECTION_LIMIT));
    // Connections end with this task: dropping the set aborts them.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, most likely: give others the time to close some.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        if let Ok(place) = places.clone().try_acquire_owned() {
            let shared = shared.clone();
            connections.spawn(async move {
                let _place = place;
                // A client that broke off needs no answer.
                let _ = connection(&shared, stream).await;
            });
        }
    }
}

async fn connection(shared: &Shared, mut stream: TcpStream) -> io::Result<()> {
    while let Some(request) = timeout(IDLE_LIMIT, read_message(&mut stream)).await?? {
        let Some(response) = respond(shared, &request, false) else { break };
        let length = u16::try_from(response.len()).map_err(io::Error::other)?;
        let framed = [&length.to_be_bytes()[..], &response].concat();
        timeout(IDLE_LIMIT, stream.write_all(&framed)).await??;
    }
    Ok(())
}

/// One message; `None` where the client closed or asks for more than we read.
async fn read_message(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 2];
    match stream.read_exact(&mut length).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    };
    let length = usize::from(u16::from_be_bytes(length));
    if length > MESSAGE_LIMIT {
        return Ok(None);
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message).await?;
    Ok(Some(message))
}

/// The response to one message; none to what is not a request.
pub(super) fn respond(shared: &Shared, bytes: &[u8], datagram: bool) -> Option<Vec<u8>> {
    let Ok(request) = Message::from_vec(bytes) else { return unreadable(bytes) };
    if request.message_type != MessageType::Query {
        return None;
    }
    let mut response = prepare(&request);
    let signed = shared.key.check(bytes, &request);
    match &signed {
        Signed::Badly(_) => response.metadata.response_code = ResponseCode::NotAuth,
        _ if request.version() > 0 => response.metadata.response_code = ResponseCode::BADVERS,
        _ => fill(shared, &request, matches!(signed, Signed::Yes(_)), &mut response),
    }
    let bytes = encode(shared, &mut response, signed)?;
    let limit = usize::from(request.max_payload()).min(UDP_PAYLOAD);
    if datagram && bytes.len() > limit { response.truncate().to_vec().ok() } else { Some(bytes) }
}

fn fill(shared: &Shared, request: &Message, authenticated: bool, response: &mut Message) {
    response.metadata.response_code = match (request.op_code, request.queries.as_slice()) {
        (OpCode::Query, [query]) => {
            let answer = shared.data().answer(query);
            response.metadata.authoritative = answer.authoritative;
            response.answers = answer.answers;
            response.authorities = answer.authorities;
            answer.code
        }
        (OpCode::Query, _) => ResponseCode::FormErr,
        (OpCode::Update, _) if !authenticated => ResponseCode::Refused,
        (OpCode::Update, _) => change(shared, request),
        _ => ResponseCode::NotImp,
    };
}

fn change(shared: &Shared, request: &Message) -> ResponseCode {
    let applied = update::apply(&mut shared.data(), request);
    if applied.is_ok() {
        shared.changed();
    }
    applied.err().unwrap_or(ResponseCode::NoError)
}

fn prepare(request: &Message) -> Message {
    let mut response = Message::response(request.id, request.op_code);
    response.metadata.recursion_desired = request.recursion_desired;
    response.queries = request.queries.clone();
    if request.edns.is_some() {
        let mut edns = Edns::new();
        edns.set_max_payload(UDP_PAYLOAD as u16);
        response.edns = Some(edns);
    }
    response
}

fn encode(shared: &Shared, response: &mut Message, signed: Signed) -> Option<Vec<u8>> {
    match signed {
        Signed::No => response.to_vec().ok(),
        Signed::Yes(reply) | Signed::Badly(reply) => shared.key.sign(response, reply).ok(),
    }
}

/// FORMERR for what carries a header of a request but can't be read further; never an answer to an answer.
fn unreadable(bytes: &[u8]) -> Option<Vec<u8>> {
    let [high, low, flags, ..] = *bytes else { return None };
    let is_response = flags & 0x80 != 0;
    if bytes.len() < HEADER_LENGTH || is_response {
        return None;
    }
    Message::error_msg(u16::from_be_bytes([high, low]), OpCode::Query, ResponseCode::FormErr).to_vec().ok()
}

/// Octets of a DNS header.
const HEADER_LENGTH: usize = 12;

/// Octets read of one message. An update of this zone has a few hundred; 16 KiB leave room for a hundred records.
const MESSAGE_LIMIT: usize = 16 * 1024;

/// Octets of the largest datagram sent; the value of DNS Flag Day 2020, which no path has to fragment.
const UDP_PAYLOAD: usize = 1232;

/// Connections served at once: a daemon and its tests hold one or two, a person with `dig` one.
const CONNECTION_LIMIT: usize = 64;

/// How long a connection may say nothing, and how long it may take to read its answer.
const IDLE_LIMIT: Duration = Duration::from_secs(10);
