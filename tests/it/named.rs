//! A real BIND `named`, primary and secondary.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::name_servers::{ADDRESS, ADMIN, KEYS, Processes, free_port, nsupdate, started, tool, zone_file};
pub use crate::name_servers::{KEY, Options, SECRET, addresses};

/// Two running servers of one zone; killed when dropped.
pub struct Pair {
    pub primary: SocketAddr,
    pub secondary: SocketAddr,
    processes: Processes,
}

impl Pair {
    /// Starts both and returns when both answer for the zone. A port taken between the choice and the start is chosen anew.
    pub fn start(options: &Options) -> Self {
        started("named", || Self::try_start(options))
    }

    fn try_start(options: &Options) -> Result<Self, String> {
        let (first, second) = (free_port(), free_port());
        let mut pair = Self { primary: first, secondary: second, processes: Processes::new(options.zone) };
        std::fs::write(pair.processes.home("primary").join("zone.db"), zone_file(options)).unwrap();
        pair.run("primary", &primary_conf(options, first, second), first)?;
        pair.run("secondary", &secondary_conf(options, first, second), second)?;
        Ok(pair)
    }

    fn run(&mut self, name: &str, conf: &str, server: SocketAddr) -> Result<(), String> {
        let home = self.processes.home(name);
        std::fs::write(home.join("named.conf"), conf.replace("HOME", home.to_str().unwrap())).unwrap();
        let mut command = tool("named");
        command.args(["-g", "-n", "1", "-c"]).arg(home.join("named.conf"));
        self.processes.run(name, command, server)
    }

    /// The primary's administrator takes the key's rights away; returns when it has taken effect.
    pub fn forbid(&self, options: &Options) {
        self.reload(&Options { updatable: Vec::new(), ..options.clone() }, options.updatable[0], false);
    }

    /// And gives them back.
    pub fn allow(&self, options: &Options) {
        self.reload(options, options.updatable[0], true);
    }

    fn reload(&self, options: &Options, name: &str, allowed: bool) {
        let conf = primary_conf(options, self.primary, self.secondary);
        let home = self.processes.home("primary");
        std::fs::write(home.join("named.conf"), conf.replace("HOME", home.to_str().unwrap())).unwrap();
        self.processes.signal(0, "HUP");
        let (server, zone, deadline) = (self.primary, options.zone, Instant::now() + Duration::from_secs(20));
        // Nothing has this address: what is deleted is not there.
        let change = format!("update delete {name} A 192.0.2.250");
        let script = format!("server {} {}\nzone {zone}\n{change}\nsend\n", server.ip(), server.port());
        while nsupdate(&script, Some(&format!("hmac-sha256:{KEY}:{SECRET}"))).0 != allowed {
            assert!(Instant::now() < deadline, "the primary has not taken up its new policy");
        }
    }

    /// Ends the secondary (as a server that is down).
    pub fn stop_secondary(&mut self) {
        self.processes.stop(1);
    }

    /// Ends the primary without a word to it (as a power cut would).
    pub fn stop_primary(&mut self) {
        self.processes.stop(0);
    }

    /// Starts the primary again on what its disk holds, and returns when it answers.
    pub fn start_primary(&mut self) {
        let mut command = tool("named");
        command.args(["-g", "-n", "1", "-c"]).arg(self.processes.home("primary").join("named.conf"));
        self.processes.run("primary", command, self.primary).expect("the primary comes back");
    }
}

/// A recursive resolver that asks `upstream` and keeps every answer for at least `shortest` seconds, at most 90, whatever its TTL
/// says. Killed when dropped.
pub struct Resolver {
    pub address: SocketAddr,
    _processes: Processes,
}

impl Resolver {
    pub fn start(zone: &'static str, upstream: SocketAddr, shortest: u32) -> Self {
        started("named as a resolver", || Self::try_start(zone, upstream, shortest))
    }

    fn try_start(zone: &'static str, upstream: SocketAddr, shortest: u32) -> Result<Self, String> {
        let (address, mut processes) = (free_port(), Processes::new(zone));
        let home = processes.home("resolver");
        let conf = format!(
            "options {{ directory \"HOME\"; pid-file none; session-keyfile \"HOME/session.key\"; listen-on port {} {{ {ADDRESS}; }};\n\
             listen-on-v6 {{ none; }}; recursion yes; dnssec-validation no; min-cache-ttl {shortest};\n\
             forward only; forwarders {{ {ADDRESS} port {}; }}; }};\n\
             controls {{ }};\n\
             zone \"here.invalid\" {{ type primary; file \"here.db\"; }};\n",
            address.port(),
            upstream.port()
        );
        std::fs::write(
            home.join("here.db"),
            "@ 60 IN SOA here.invalid. here.invalid. 1 60 60 60 60\n@ 60 IN NS here.invalid.\n@ 60 IN A 127.0.0.1\n",
        )
        .unwrap();
        std::fs::write(home.join("named.conf"), conf.replace("HOME", home.to_str().unwrap())).unwrap();
        let mut command = tool("named");
        command.args(["-g", "-n", "1", "-c"]).arg(home.join("named.conf"));
        processes.run_for("resolver", command, address, "here.invalid")?;
        Ok(Self { address, _processes: processes })
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
    for (key, algorithm) in KEYS.iter().chain(&[(ADMIN, "hmac-sha256")]) {
        writeln!(conf, "key {key} {{ algorithm {algorithm}; secret \"{SECRET}\"; }};").unwrap();
    }
    let mut grants = format!("grant {ADMIN} zonesub ANY;");
    for ((key, _), name) in KEYS.iter().flat_map(|key| options.updatable.iter().map(move |name| (key, name))) {
        write!(grants, " grant {key} name {name} A AAAA CNAME;").unwrap();
    }
    let told = format!("explicit; also-notify {{ {ADDRESS} port {}; }}", secondary.port());
    let notify = if options.secondary_follows { told.as_str() } else { "no" };
    writeln!(
        conf,
        "zone \"{}\" {{ type primary; file \"zone.db\"; notify {notify}; update-policy {{ {grants} }}; }};",
        options.zone
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
