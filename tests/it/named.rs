//! A real BIND `named`, primary and secondary, as foreground processes on loopback ports with files of their own.
//!
//! The programs are looked for in the folder that `CHANGEOVER_TEST_TOOLS` names (unpacked Debian packages: `usr/sbin`, `usr/bin`,
//! `usr/lib/x86_64-linux-gnu`), in `PATH` and in `/usr/sbin`. A missing one fails the test.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, RData, RecordType};
use tempfile::TempDir;

/// Base64 of 32 octets; the key of nobody.
pub const SECRET: &str = "Y2hhbmdlb3Zlci10ZXN0LXNlY3JldC0zMi1vY3RldHM=";
/// The key that may change the addresses of the updatable name and nothing else.
pub const KEY: &str = "changeover";
/// The key of "somebody else", who may change everything.
const ADMIN: &str = "admin";
/// `named` listens only on addresses that an interface carries by name, so both servers share this one.
const ADDRESS: &str = "127.0.0.1";

/// What the pair serves.
pub struct Options {
    pub zone: &'static str,
    /// Name, address, TTL.
    pub records: Vec<(&'static str, IpAddr, u32)>,
    /// The name that [`KEY`] may change.
    pub updatable: &'static str,
    /// Whether the primary tells the secondary of changes; if not, it stays behind for an hour.
    pub secondary_follows: bool,
}

/// Two running servers of one zone; killed when dropped.
pub struct Pair {
    pub primary: SocketAddr,
    pub secondary: SocketAddr,
    zone: &'static str,
    children: Vec<Child>,
    directory: TempDir,
}

impl Pair {
    /// Starts both and returns when both answer for the zone. A port taken between the choice and the start is chosen anew.
    pub fn start(options: &Options) -> Self {
        let mut last = String::new();
        for _ in 0..5 {
            match Self::try_start(options) {
                Ok(pair) => return pair,
                Err(log) => last = log,
            }
        }
        panic!("named did not start; the last try said:\n{last}");
    }

    fn try_start(options: &Options) -> Result<Self, String> {
        let (first, second) = (free_port(), free_port());
        let directory = tempfile::tempdir().expect("a temporary folder");
        let mut pair = Self { primary: first, secondary: second, zone: options.zone, children: Vec::new(), directory };
        pair.run("primary", &primary_conf(options, first, second), Some(&zone_file(options)))?;
        pair.wait_for("primary", first)?;
        pair.run("secondary", &secondary_conf(options, first, second), None)?;
        pair.wait_for("secondary", second)?;
        Ok(pair)
    }

    fn run(&mut self, name: &str, conf: &str, zone: Option<&str>) -> Result<(), String> {
        let home = self.directory.path().join(name);
        std::fs::create_dir(&home).unwrap();
        std::fs::write(home.join("named.conf"), conf.replace("HOME", home.to_str().unwrap())).unwrap();
        if let Some(zone) = zone {
            std::fs::write(home.join("zone.db"), zone).unwrap();
        }
        let log = std::fs::File::create(home.join("log")).unwrap();
        let mut command = tool("named");
        command.args(["-g", "-n", "1", "-c"]).arg(home.join("named.conf")).current_dir(&home);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.children.push(command.spawn().map_err(|error| error.to_string())?);
        Ok(())
    }

    /// Until the server gives the zone's SOA with authority; 20 s, as loading takes a second on a busy machine.
    fn wait_for(&mut self, name: &str, server: SocketAddr) -> Result<(), String> {
        let deadline = Instant::now() + Duration::from_secs(20);
        while soa_serial(server, self.zone).is_none() {
            let ended = self.children.last_mut().and_then(|child| child.try_wait().unwrap());
            if ended.is_some() || Instant::now() > deadline {
                let log = std::fs::read_to_string(self.directory.path().join(name).join("log")).unwrap_or_default();
                return Err(format!("{name} ended: {ended:?}\n{log}"));
            }
        }
        Ok(())
    }

    /// Changes the zone as somebody else would, with a key of their own.
    pub fn change(&self, lines: &str) {
        let script = format!("server {} {}\nzone {}\n{lines}\nsend\n", self.primary.ip(), self.primary.port(), self.zone);
        let (ok, said) = nsupdate(&script, Some(&format!("hmac-sha256:{ADMIN}:{SECRET}")));
        assert!(ok, "nsupdate: {said}\n{script}");
    }

    /// The serial of the primary.
    pub fn serial(&self) -> u32 {
        soa_serial(self.primary, self.zone).expect("the primary's SOA")
    }

    /// Ends the secondary (as a server that is down).
    pub fn stop_secondary(&mut self) {
        end(self.children.pop().expect("the secondary runs"));
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.children.drain(..).for_each(end);
    }
}

fn end(mut child: Child) {
    let _ = child.kill();
    let _ = child.wait();
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

/// The program, with the library path it needs. The folder of tools goes first, because it was named on purpose.
fn tool(name: &str) -> Command {
    let tools = std::env::var_os("CHANGEOVER_TEST_TOOLS").map(PathBuf::from);
    if let Some(command) = tools.as_deref().and_then(|tools| unpacked(tools, name)) {
        return command;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut system = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]).map(|folder| folder.join(name));
    let found = system.find(|file| file.is_file()).unwrap_or_else(|| {
        panic!(
            "`{name}` was not found in CHANGEOVER_TEST_TOOLS ({tools:?}), in PATH or in /usr/sbin; \
             install Debian's bind9 and bind9-dnsutils, or run tests/run"
        )
    });
    Command::new(found)
}

fn unpacked(tools: &Path, name: &str) -> Option<Command> {
    let found = ["usr/sbin", "usr/bin"].map(|folder| tools.join(folder).join(name)).into_iter().find(|file| file.is_file())?;
    let mut command = Command::new(found);
    command.env("LD_LIBRARY_PATH", tools.join("usr/lib/x86_64-linux-gnu"));
    Some(command)
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

/// An address whose port is free over UDP and TCP at this moment.
fn free_port() -> SocketAddr {
    loop {
        let tcp = TcpListener::bind((ADDRESS, 0)).expect("a free port on loopback");
        let address = tcp.local_addr().unwrap();
        if UdpSocket::bind(address).is_ok() {
            return address;
        }
    }
}

fn common_conf(server: SocketAddr) -> String {
    let port = server.port();
    format!(
        "options {{ directory \"HOME\"; pid-file none; session-keyfile \"HOME/session.key\"; listen-on port {port} {{ {ADDRESS}; }};\n\
         listen-on-v6 {{ none; }}; recursion no; dnssec-validation no; empty-zones-enable no; allow-transfer {{ any; }};\n\
         notify-delay 0; serial-query-rate 1000; }};\n\
         controls {{ }};\n"
    )
}

fn primary_conf(options: &Options, primary: SocketAddr, secondary: SocketAddr) -> String {
    let mut conf = common_conf(primary);
    for key in [KEY, ADMIN] {
        writeln!(conf, "key {key} {{ algorithm hmac-sha256; secret \"{SECRET}\"; }};").unwrap();
    }
    let told = format!("explicit; also-notify {{ {ADDRESS} port {}; }}", secondary.port());
    let notify = if options.secondary_follows { told.as_str() } else { "no" };
    writeln!(
        conf,
        "zone \"{}\" {{ type primary; file \"zone.db\"; notify {notify}; update-policy {{ grant {KEY} name {} A AAAA; grant {ADMIN} zonesub ANY; }}; }};",
        options.zone, options.updatable
    )
    .unwrap();
    conf
}

fn secondary_conf(options: &Options, primary: SocketAddr, secondary: SocketAddr) -> String {
    let (zone, common, port) = (options.zone, common_conf(secondary), primary.port());
    format!(
        "{common}zone \"{zone}\" {{ type secondary; file \"zone.db\"; notify no; primaries {{ {ADDRESS} port {port}; }}; }};\n"
    )
}

fn zone_file(options: &Options) -> String {
    let zone = options.zone;
    let mut text = format!("{zone}. 60 IN SOA ns1.{zone}. hostmaster.{zone}. 100 3600 600 86400 30\n");
    writeln!(text, "{zone}. 60 IN NS ns1.{zone}.\n{zone}. 60 IN NS ns2.{zone}.").unwrap();
    writeln!(text, "ns1.{zone}. 60 IN A {ADDRESS}\nns2.{zone}. 60 IN A {ADDRESS}").unwrap();
    for (name, address, ttl) in &options.records {
        let kind = if address.is_ipv4() { "A" } else { "AAAA" };
        writeln!(text, "{name}. {ttl} IN {kind} {address}").unwrap();
    }
    text
}

/// The addresses that a server states for a name; empty where it does not answer.
pub fn addresses(server: SocketAddr, name: &str) -> Vec<String> {
    let query = Query::query(Name::from_ascii(name).unwrap(), RecordType::A);
    let answers = ask(server, query).map(|message| message.answers).unwrap_or_default();
    answers
        .iter()
        .filter_map(|record| if let RData::A(address) = &record.data { Some(address.0.to_string()) } else { None })
        .collect()
}
