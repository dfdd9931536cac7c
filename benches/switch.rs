//! From "go" to the last authoritative server answering with the new address: the driver `rfc2136` against `nsupdate` and `dig`
//! loops in a shell that do the same by hand.
//!
//! Both move one record of a BIND primary on loopback, whose secondary is notified, back and forth in turn; both then ask each server
//! until it has the new address, with 10 ms between looks. Needs `named`, `nsupdate` and `dig`, as `tests/run` installs them.
//! `cargo bench --bench switch [-- TURNS]`.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use changeover::domain::ids::{NodeId, PerNode, RunId};
use changeover::drivers::clock::SystemClock;
use changeover::drivers::traffic::rfc2136::{Leads, Rfc2136, Settings};
use changeover::ports::{ActAnswer, Intent, Traffic as _, TrafficReader as _};
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

const NAME: &str = "support.example.com";
const SECRET: &str = "Y2hhbmdlb3Zlci10ZXN0LXNlY3JldC0zMi1vY3RldHM=";
const ADDRESSES: [&str; 2] = ["192.0.2.10", "192.0.2.20"];
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);
const TURNS: usize = 15;
/// BIND puts off the notice of a change that follows another within half a second; neither side is to pay for the other's.
const REST: Duration = Duration::from_secs(2);

fn main() {
    let turns = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(TURNS);
    let servers = Servers::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let driver = runtime.block_on(async { driver(&servers) });
    let (mut ours, mut by_hand) = (Vec::new(), Vec::new());
    for turn in 0..turns {
        // Each kind of turn goes both ways, and each goes first as often as the other.
        let time_ours = |to| {
            std::thread::sleep(REST);
            runtime.block_on(switch(&driver, to))
        };
        let time_by_hand = |to| {
            std::thread::sleep(REST);
            switch_by_hand(&servers, to)
        };
        if turn % 2 == 0 {
            ours.push(time_ours(NodeId::B));
            by_hand.push(time_by_hand(NodeId::A));
        } else {
            by_hand.push(time_by_hand(NodeId::B));
            ours.push(time_ours(NodeId::A));
        }
    }
    let (ours, by_hand) = (spread(ours), spread(by_hand));
    println!("driver   {}", shown(ours));
    println!("by hand  {}", shown(by_hand));
    println!("ratio    {:.2} of the medians, wanted at most 1.2", ours[1].as_secs_f64() / by_hand[1].as_secs_f64());
}

/// The shortest, the median, the longest.
fn spread(mut times: Vec<Duration>) -> [Duration; 3] {
    times.sort_unstable();
    [times[0], times[times.len() / 2], times[times.len() - 1]]
}

fn shown([shortest, median, longest]: [Duration; 3]) -> String {
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    format!("median {:.1} ms ({:.1} to {:.1})", millis(median), millis(shortest), millis(longest))
}

async fn switch(driver: &Rfc2136, to: NodeId) -> Duration {
    let begun = Instant::now();
    let answer = driver.switch(&intent(), to.other(), to).await;
    assert_eq!(answer, ActAnswer::accepted());
    while driver.look().await.unwrap().target() != Some(to) {
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    begun.elapsed()
}

fn switch_by_hand(servers: &Servers, to: NodeId) -> Duration {
    let (from, to) = (ADDRESSES[to.other().index()], ADDRESSES[to.index()]);
    let [first, second] = servers.addresses.map(|server| server.port());
    let script = format!(
        "set -eu
printf '%s\\n' 'server 127.0.0.1 {first}' 'zone example.com' 'prereq yxrrset {NAME} A {from}' \\
  'update delete {NAME} A' 'update add {NAME} 60 A {to}' send | nsupdate -v -y hmac-sha256:changeover:{SECRET}
for port in {first} {second}; do
  until [ \"$(dig @127.0.0.1 -p $port +norecurse +short {NAME} A)\" = {to} ]; do sleep 0.01; done
done"
    );
    let begun = Instant::now();
    let status = Command::new("sh").args(["-c", &script]).status().unwrap();
    assert!(status.success(), "the shell's switch failed");
    begun.elapsed()
}

fn driver(servers: &Servers) -> Rfc2136 {
    let [a, b] = ADDRESSES.map(|address| vec![address.parse().unwrap()]);
    let settings = Settings {
        site: "support".into(),
        primary: servers.addresses[0],
        servers: servers.addresses.to_vec(),
        resolvers: Vec::new(),
        zone: "example.com".into(),
        records: vec![NAME.into()],
        leads: Leads::Addresses(PerNode { a, b }),
        ttl: 60,
        tsig_name: "changeover".into(),
        tsig_algorithm: "hmac-sha256".into(),
        tsig_secret: SECRET.to_owned().into(),
        signed_ahead: SignedDuration::ZERO,
    };
    Rfc2136::new(settings, Arc::new(SystemClock)).unwrap()
}

fn intent() -> Intent {
    Intent {
        site: "support".into(),
        run: RunId { site: "support".into(), number: 1 },
        step: "window-1.switch_traffic.b".into(),
        attempt: 1,
        key: "support-1/window-1.switch_traffic.b/1".into(),
        since: Timestamp::now(),
        limit: SignedDuration::from_mins(1),
    }
}

/// A BIND primary and its secondary; killed when dropped.
struct Servers {
    addresses: [SocketAddr; 2],
    children: Vec<Child>,
    _folder: TempDir,
}

impl Servers {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = [free_port(), free_port()];
        let ports = [first.port(), second.port()];
        let key = format!("key changeover {{ algorithm hmac-sha256; secret \"{SECRET}\"; }};\n");
        let primary = format!(
            "{key}zone \"example.com\" {{ type primary; file \"zone.db\"; notify explicit; also-notify {{ 127.0.0.1 port {}; }}; allow-update {{ key changeover; }}; }};",
            ports[1]
        );
        let secondary = format!(
            "zone \"example.com\" {{ type secondary; file \"zone.db\"; notify no; primaries {{ 127.0.0.1 port {}; }}; }};",
            ports[0]
        );
        let children =
            vec![named(folder.path(), "primary", first, &primary), named(folder.path(), "secondary", second, &secondary)];
        Self { addresses: [first, second], children, _folder: folder }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Starts a server and waits until it gives the record.
fn named(folder: &Path, name: &str, address: SocketAddr, zone: &str) -> Child {
    let home = folder.join(name);
    std::fs::create_dir(&home).unwrap();
    if name == "primary" {
        let text = format!(
            "example.com. 60 IN SOA ns1.example.com. hostmaster.example.com. 1 3600 600 86400 30\nexample.com. 60 IN NS ns1.example.com.\nns1.example.com. 60 IN A 127.0.0.1\n{NAME}. 60 IN A {}\n",
            ADDRESSES[0]
        );
        std::fs::write(home.join("zone.db"), text).unwrap();
    }
    let (home_text, port) = (home.display(), address.port());
    let conf = format!(
        "options {{ directory \"{home_text}\"; pid-file none; session-keyfile \"{home_text}/session.key\"; listen-on port {port} {{ 127.0.0.1; }};\n\
         listen-on-v6 {{ none; }}; recursion no; dnssec-validation no; allow-transfer {{ any; }}; notify-delay 0; serial-query-rate 1000; }};\n\
         controls {{ }};\n{zone}\n"
    );
    std::fs::write(home.join("named.conf"), conf).unwrap();
    let mut command = Command::new("named");
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin")).args(["-g", "-c"]).arg(home.join("named.conf"));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("named is installed");
    while !gives_record(port) {
        assert!(child.try_wait().unwrap().is_none(), "{name} ended at once");
        std::thread::sleep(BETWEEN_LOOKS);
    }
    child
}

fn gives_record(port: u16) -> bool {
    let said =
        Command::new("dig").args(["@127.0.0.1", "-p", &port.to_string(), "+short", "+tries=1", "+time=1", NAME, "A"]).output();
    said.is_ok_and(|said| said.stdout.starts_with(ADDRESSES[0].as_bytes()))
}

fn free_port() -> SocketAddr {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
        let address = tcp.local_addr().unwrap();
        if UdpSocket::bind(address).is_ok() {
            return address;
        }
    }
}
