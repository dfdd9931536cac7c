//! What the tests with real name servers share: the zone, its keys, foreground processes with files of their own, `dig` and
//! `nsupdate`.
//!
//! The programs are looked for in the folder that `CHANGEOVER_TEST_TOOLS` names (unpacked Debian packages: `usr/sbin`, `usr/bin`,
//! `usr/lib/x86_64-linux-gnu`), in `PATH` and in `/usr/sbin`. A missing one fails the test.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, RData, RecordType};
use tempfile::TempDir;

/// Base64 of 32 octets; the key of nobody.
pub const SECRET: &str = "Y2hhbmdlb3Zlci10ZXN0LXNlY3JldC0zMi1vY3RldHM=";
/// The key that may change the addresses and aliases of the updatable names and nothing else.
pub const KEY: &str = "changeover";
/// It, and its sisters of other algorithms.
pub const KEYS: [(&str, &str); 3] = [(KEY, "hmac-sha256"), ("changeover-384", "hmac-sha384"), ("changeover-512", "hmac-sha512")];
/// The key of "somebody else", who may change everything.
pub const ADMIN: &str = "admin";
/// `named` listens only on addresses that an interface carries by name, so all servers share this one.
pub const ADDRESS: &str = "127.0.0.1";

/// What is served.
#[derive(Clone)]
pub struct Options {
    pub zone: &'static str,
    /// Name, address, TTL.
    pub records: Vec<(&'static str, IpAddr, u32)>,
    /// Name, what it is an alias of, TTL.
    pub aliases: Vec<(&'static str, &'static str, u32)>,
    /// The names that [`KEY`] may change.
    pub updatable: Vec<&'static str>,
    /// Seconds for which a resolver may remember that something is not there.
    pub negative: u32,
    /// Whether the primary tells the secondary of changes; if not, it stays behind for an hour.
    pub secondary_follows: bool,
}

/// Running servers of one zone; killed when dropped.
pub struct Processes {
    zone: &'static str,
    children: Vec<Child>,
    directory: TempDir,
}

impl Processes {
    pub fn new(zone: &'static str) -> Self {
        Self { zone, children: Vec::new(), directory: tempfile::tempdir().expect("a temporary folder") }
    }

    /// A folder for the files of this server; made.
    pub fn home(&self, name: &str) -> PathBuf {
        let home = self.directory.path().join(name);
        std::fs::create_dir_all(&home).unwrap();
        home
    }

    /// Starts a server in its folder and waits until it gives the zone's SOA with authority; 20 s, as loading takes a second on a
    /// busy machine.
    pub fn run(&mut self, name: &str, command: Command, server: SocketAddr) -> Result<(), String> {
        self.run_for(name, command, server, self.zone)
    }

    /// As [`Processes::run`], for a server of another zone.
    pub fn run_for(&mut self, name: &str, mut command: Command, server: SocketAddr, zone: &str) -> Result<(), String> {
        let home = self.home(name);
        let log = std::fs::File::create(home.join("log")).unwrap();
        let both = log.try_clone().unwrap();
        command.current_dir(&home).stdin(Stdio::null()).stdout(both).stderr(log);
        self.children.push(command.spawn().map_err(|error| error.to_string())?);
        let deadline = Instant::now() + Duration::from_secs(20);
        while soa_serial(server, zone).is_none() {
            let ended = self.children.last_mut().and_then(|child| child.try_wait().unwrap());
            if ended.is_some() || Instant::now() > deadline {
                let log = std::fs::read_to_string(home.join("log")).unwrap_or_default();
                return Err(format!("{name} ended: {ended:?}\n{log}"));
            }
        }
        Ok(())
    }

    /// Sends a signal to the server that was started as this one, from 0.
    pub fn signal(&self, number: usize, signal: &str) {
        let pid = self.children[number].id().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &pid]).status().unwrap().success());
    }

    /// Ends the server that was started as this one, from 0.
    pub fn stop(&mut self, number: usize) {
        end(&mut self.children[number]);
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        self.children.iter_mut().for_each(end);
    }
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// Starts anew with other ports where a port was taken between the choice and the start.
pub fn started<T>(what: &str, mut start: impl FnMut() -> Result<T, String>) -> T {
    let mut last = String::new();
    for _ in 0..5 {
        match start() {
            Ok(servers) => return servers,
            Err(log) => last = log,
        }
    }
    panic!("{what} did not start; the last try said:\n{last}");
}

/// Changes the zone as somebody else would, with a key of their own.
pub fn change(primary: SocketAddr, zone: &str, lines: &str) {
    let script = format!("server {} {}\nzone {zone}\n{lines}\nsend\n", primary.ip(), primary.port());
    let (ok, said) = nsupdate(&script, Some(&format!("hmac-sha256:{ADMIN}:{SECRET}")));
    assert!(ok, "nsupdate: {said}\n{script}");
}

/// Runs `nsupdate` over TCP on a script; whether it ended well, and all it said.
pub fn nsupdate(script: &str, key: Option<&str>) -> (bool, String) {
    let mut command = tool("nsupdate");
    command.args(["-v", "-t", "10"]).args(key.map(|key| ["-y", key]).into_iter().flatten());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success(), said)
}

/// Runs `dig` against a server; all it said.
pub fn dig(server: SocketAddr, arguments: &[&str]) -> String {
    let mut command = tool("dig");
    command.arg(format!("@{}", server.ip())).args(["-p", &server.port().to_string(), "+tries=2", "+time=5"]).args(arguments);
    let output = command.output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// What a server holds at a name: the values of that type and the TTL.
pub fn says(server: SocketAddr, name: &str, kind: &str) -> (Vec<String>, Option<u32>) {
    let said = dig(server, &["+noall", "+answer", "+norecurse", name, kind]);
    let rows: Vec<Vec<&str>> = said.lines().map(|line| line.split_whitespace().collect()).collect();
    let values = rows.iter().filter_map(|row| Some((*row.get(4)?).to_owned())).collect();
    (values, rows.first().and_then(|row| row.get(1)?.parse().ok()))
}

/// The program, with the library path it needs. The folder of tools goes first, because it was named on purpose.
pub fn tool(name: &str) -> Command {
    let tools = std::env::var_os("CHANGEOVER_TEST_TOOLS").map(PathBuf::from);
    if let Some(command) = tools.as_deref().and_then(|tools| unpacked(tools, name)) {
        return command;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut system = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]).map(|folder| folder.join(name));
    let found = system.find(|file| file.is_file()).unwrap_or_else(|| {
        panic!(
            "`{name}` was not found in CHANGEOVER_TEST_TOOLS ({tools:?}), in PATH or in /usr/sbin; \
             tests/run installs it"
        )
    });
    Command::new(found)
}

/// A file of a package, in the folder of tools if it was unpacked there.
pub fn packaged(path: &str) -> PathBuf {
    let tools = std::env::var_os("CHANGEOVER_TEST_TOOLS").map(|tools| PathBuf::from(tools).join(path));
    tools.filter(|file| file.exists()).unwrap_or_else(|| Path::new("/").join(path))
}

fn unpacked(tools: &Path, name: &str) -> Option<Command> {
    let found = ["usr/sbin", "usr/bin"].map(|folder| tools.join(folder).join(name)).into_iter().find(|file| file.is_file())?;
    let mut command = Command::new(found);
    command.env("LD_LIBRARY_PATH", tools.join("usr/lib/x86_64-linux-gnu"));
    Some(command)
}

/// The zone's serial; a server that is late is asked again, for 20 s.
pub fn serial(server: SocketAddr, zone: &str) -> u32 {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match soa_serial(server, zone) {
            Some(serial) => return serial,
            None => assert!(Instant::now() < deadline, "no SOA of {zone} from {server}"),
        }
    }
}

/// The zone's serial by an authoritative answer; one try of 200 ms.
fn soa_serial(server: SocketAddr, zone: &str) -> Option<u32> {
    let answer = ask(server, Query::query(Name::from_ascii(format!("{zone}.")).ok()?, RecordType::SOA))?;
    answer.answers.iter().find_map(|record| if let RData::SOA(soa) = &record.data { Some(soa.serial) } else { None })
}

/// One question over UDP; an authoritative answer or none.
fn ask(server: SocketAddr, question: Query) -> Option<Message> {
    let socket = UdpSocket::bind("127.0.0.1:0").ok()?;
    socket.set_read_timeout(Some(Duration::from_millis(200))).ok()?;
    let mut query = Message::query();
    query.add_query(question);
    socket.send_to(&query.to_vec().ok()?, server).ok()?;
    let mut buffer = [0; 1232];
    let length = socket.recv(&mut buffer).ok()?;
    Message::from_vec(&buffer[..length]).ok().filter(|answer| answer.authoritative)
}

/// Ports that Linux by default gives nobody who does not name one (`net.ipv4.ip_local_port_range` begins at 32768): a server that is
/// away for seconds finds its own still free, unless a resolver's question leaves from it, by chance one of 64,512. With ports of the
/// kernel's choice one of 80 restarts failed beside fifteen tests of name servers.
const PORTS: Range<u32> = 10_000..32_000;

/// An address whose port is free over UDP and TCP at this moment. No two calls of a process give the same until the ports are used
/// up; processes begin far apart.
pub fn free_port() -> SocketAddr {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let next = || {
        let number = std::process::id().wrapping_mul(7919).wrapping_add(CALLS.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(PORTS.start + number % (PORTS.end - PORTS.start)).expect("a port has 16 bits");
        SocketAddr::new(ADDRESS.parse().unwrap(), port)
    };
    let is_free = |address: &SocketAddr| TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok();
    PORTS.map(|_| next()).find(is_free).expect("a free port on loopback")
}

/// The zone as all servers but one read it.
pub fn zone_file(options: &Options) -> String {
    let zone = options.zone;
    let negative = options.negative;
    let mut text = format!("{zone}. {} IN SOA ns1.{zone}. hostmaster.{zone}. 100 3600 600 86400 {negative}\n", negative.max(60));
    for (name, ttl, kind, value) in records(options) {
        writeln!(text, "{name}. {ttl} IN {kind} {value}").unwrap();
    }
    text
}

/// Everything but the SOA: name without the last dot, TTL, type, value with the last dot where it is a name.
pub fn records(options: &Options) -> Vec<(String, u32, &'static str, String)> {
    let zone = options.zone;
    let mut all = Vec::new();
    for server in ["ns1", "ns2"] {
        all.push((zone.to_owned(), 60, "NS", format!("{server}.{zone}.")));
        all.push((format!("{server}.{zone}"), 60, "A", ADDRESS.to_owned()));
    }
    for (name, address, ttl) in &options.records {
        let kind = if address.is_ipv4() { "A" } else { "AAAA" };
        all.push(((*name).to_owned(), *ttl, kind, address.to_string()));
    }
    let alias = |(name, target, ttl): &(&str, &str, u32)| ((*name).to_owned(), *ttl, "CNAME", format!("{target}."));
    all.extend(options.aliases.iter().map(alias));
    all
}

/// The addresses that a server states for a name; empty where it does not answer in 25 tries, which take 5 s.
pub fn addresses(server: SocketAddr, name: &str) -> Vec<String> {
    let query = Query::query(Name::from_ascii(name).unwrap(), RecordType::A);
    let answers = (0..25).find_map(|_| ask(server, query.clone())).map(|message| message.answers).unwrap_or_default();
    answers
        .iter()
        .filter_map(|record| if let RData::A(address) = &record.data { Some(address.0.to_string()) } else { None })
        .collect()
}
