//! A small man in the middle: passes queries on, and spoils what comes back over TCP.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RecordType;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

/// What becomes of the answer to an update that reached the server.
#[derive(Clone, Copy, Debug)]
pub enum Spoil {
    /// It is passed on as it is.
    Not,
    /// The connection ends without one.
    Lost,
    /// The signature is cut off a true answer.
    Unsigned,
    /// A refusal is put in its place, unsigned.
    Forged,
    /// Garbage of the right length.
    Garbage,
    /// Nothing; but the answers to queries for addresses lose their authority.
    Authority,
    /// The request itself is swallowed: it never reaches the server, and the connection ends.
    Swallowed,
    /// There is no TCP port at all: the request never arrives.
    Closed,
}

/// Ends when dropped.
pub struct Proxy {
    pub address: SocketAddr,
    doing: Arc<Doing>,
    _tasks: JoinSet<()>,
}

/// What it does now, and what it has done.
struct Doing {
    spoil: Mutex<Spoil>,
    lost: AtomicU32,
}

impl Doing {
    fn spoil(&self) -> Spoil {
        *self.spoil.lock().unwrap()
    }
}

impl Proxy {
    /// Queries and updates may go to different servers, which shows the client an old state of the zone.
    pub async fn start(queries: SocketAddr, updates: SocketAddr, spoil: Spoil) -> Self {
        let (udp, tcp) = ports().await;
        let address = udp.local_addr().unwrap();
        let doing = Arc::new(Doing { spoil: Mutex::new(spoil), lost: AtomicU32::new(0) });
        let mut tasks = JoinSet::new();
        tasks.spawn(pass_queries(udp, queries, doing.clone()));
        if !matches!(spoil, Spoil::Closed) {
            tasks.spawn(pass_updates(tcp, updates, doing.clone()));
        }
        Self { address, doing, _tasks: tasks }
    }

    /// From the next message on.
    pub fn set(&self, spoil: Spoil) {
        *self.doing.spoil.lock().unwrap() = spoil;
    }

    /// How many answers to updates were lost.
    pub fn lost(&self) -> u32 {
        self.doing.lost.load(Ordering::SeqCst)
    }
}

async fn ports() -> (UdpSocket, TcpListener) {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
}

async fn pass_queries(socket: UdpSocket, server: SocketAddr, doing: Arc<Doing>) {
    let mut buffer = [0; 4096];
    loop {
        let (length, client) = socket.recv_from(&mut buffer).await.unwrap();
        let upstream = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        upstream.send_to(&buffer[..length], server).await.unwrap();
        let length = upstream.recv(&mut buffer).await.unwrap();
        let mut answer = Message::from_vec(&buffer[..length]).unwrap();
        let about_zone = answer.queries.iter().any(|query| query.query_type() == RecordType::SOA);
        answer.metadata.authoritative &= about_zone || !matches!(doing.spoil(), Spoil::Authority);
        socket.send_to(&answer.to_vec().unwrap(), client).await.unwrap();
    }
}

async fn pass_updates(listener: TcpListener, server: SocketAddr, doing: Arc<Doing>) {
    loop {
        let (mut client, _) = listener.accept().await.unwrap();
        let request = read(&mut client).await;
        let spoil = doing.spoil();
        if matches!(spoil, Spoil::Swallowed) {
            continue;
        }
        let mut upstream = TcpStream::connect(server).await.unwrap();
        write(&mut upstream, &request).await;
        let answer = read(&mut upstream).await;
        if let Some(answer) = spoiled(spoil, answer) {
            write(&mut client, &answer).await;
        } else {
            doing.lost.fetch_add(1, Ordering::SeqCst);
        }
    }
}

fn spoiled(spoil: Spoil, answer: Vec<u8>) -> Option<Vec<u8>> {
    let mut message = Message::from_vec(&answer).unwrap();
    message.take_signature();
    match spoil {
        Spoil::Not | Spoil::Authority => Some(answer),
        Spoil::Lost | Spoil::Closed | Spoil::Swallowed => None,
        Spoil::Unsigned => message.to_vec().ok(),
        Spoil::Forged => {
            message.metadata.response_code = ResponseCode::Refused;
            message.to_vec().ok()
        }
        Spoil::Garbage => Some(vec![0xff; answer.len()]),
    }
}

async fn read(stream: &mut TcpStream) -> Vec<u8> {
    let mut message = vec![0; usize::from(stream.read_u16().await.unwrap())];
    stream.read_exact(&mut message).await.unwrap();
    message
}

async fn write(stream: &mut TcpStream, message: &[u8]) {
    let length = u16::try_from(message.len()).unwrap();
    stream.write_all(&[&length.to_be_bytes()[..], message].concat()).await.unwrap();
}
