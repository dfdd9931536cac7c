//! A whole vendor site on real protocols: the simulated pair over HTTPS, a name server with TSIG, the daemon as its own
//! process, and a person who answers gates and does by hand what has no interface.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use changeover::domain::ids::NodeId;
use changeover::drivers::clock::ScaledClock;
use changeover::ports::Clock;
use changeover::simulator::server::Resolver;
use changeover::simulator::server::generation::{Generation, Login};
use changeover::simulator::world::Truth;
use changeover::simulator::zone::{Zone, ZoneHandle, ZoneKey, ZoneOptions};
use changeover::simulator::{Simulator, SimulatorOptions};
use jiff::Timestamp;
use serde_json::Value;

use crate::daemon::{Daemon, PATIENCE};
use crate::{folder, name_servers, named, powerdns};

pub const SERVICE: &str = "support.example.com";
const CLIENT_SECRET: &str = "a client secret of nobody";

/// Who answers for the zone.
pub enum Dns {
    /// The simulator's own zone, in this process.
    Own(ZoneHandle),
    /// BIND, primary and secondary.
    Named(named::Pair),
    /// PowerDNS, alone.
    Powerdns(powerdns::Primary),
}

impl Dns {
    /// The servers that are read back, the primary first.
    pub fn servers(&self) -> Vec<SocketAddr> {
        match self {
            Self::Own(zone) => vec![zone.address],
            Self::Named(pair) => vec![pair.primary, pair.secondary],
            Self::Powerdns(server) => vec![server.address],
        }
    }
}

/// A zone of a real server in which the service's name leads to node `a`.
pub fn zone(ttl: u32) -> named::Options {
    let records = vec![(SERVICE, address(NodeId::A), ttl)];
    let (aliases, updatable) = (Vec::new(), vec![SERVICE]);
    named::Options { zone: "example.com", records, aliases, updatable, negative: 30, secondary_follows: true }
}

/// Where a node's box answers.
pub fn address(node: NodeId) -> IpAddr {
    format!("127.0.1.{}", node.index() + 1).parse().unwrap()
}

/// Seconds that an update takes: less than the simulator's own, with which nearly half of a whole run's time was two updates. No run here
/// has one that fails: the silence of one so short may seem the network's where looks are late.
const UPDATE: RangeInclusive<i64> = 360..=480;

pub struct Vendor {
    pub simulator: Simulator,
    pub daemon: Daemon,
    pub dns: Arc<Dns>,
    /// What the person has done already: step and attempt, remembered over restarts of the daemon.
    pub done: HashSet<(String, u64)>,
    _folder: tempfile::TempDir,
}

impl Vendor {
    pub async fn start(bind: bool, speed: u32) -> Self {
        Self::made("operator", bind, speed, ("24.1.1", "24.2.1")).await
    }

    /// A pair on one release that is to be brought to another; it logs in as the first one knows it.
    pub async fn between(bind: bool, speed: u32, from: &str, to: &str) -> Self {
        Self::made("operator", bind, speed, (from, to)).await
    }

    /// With a person or the daemon itself at the pages.
    pub async fn with_hands(hands: &str, bind: bool, speed: u32) -> Self {
        Self::made(hands, bind, speed, ("24.1.1", "24.2.1")).await
    }

    /// On a name server of the test's own, with more lines in the traffic entry.
    pub async fn on(dns: Dns, entry: &str, speed: u32) -> Self {
        Self::built("operator", dns, entry, speed, ("24.1.1", "24.2.1")).await
    }

    async fn made(hands: &str, bind: bool, speed: u32, versions: (&str, &str)) -> Self {
        Self::built(hands, dns(bind).await, "", speed, versions).await
    }

    async fn built(hands: &str, dns: Dns, entry: &str, speed: u32, (from, to): (&str, &str)) -> Self {
        let origin = Timestamp::now();
        let clock = Arc::new(ScaledClock::new(origin, f64::from(speed)).unwrap());
        let dns = Arc::new(dns);
        let mut options = SimulatorOptions::new(clock.clone(), CLIENT_SECRET.into(), from.parse().unwrap(), to.parse().unwrap());
        options.leads_to = Some(resolver(&dns));
        options.world.update_takes = UPDATE;
        let simulator = Simulator::start(options).await.unwrap();
        let folder = folder::in_memory();
        write_secrets(folder.path());
        let wanted = site(&simulator, &dns, entry, hands);
        let site = match Generation::of(&from.parse().unwrap()).login() {
            Login::Token => wanted,
            Login::Password => wanted.replace("client_id =", "username =").replace("client_secret_file", "password_file"),
        };
        let hook = folder.path().join("alerts");
        let main = format!(
            "[[alerts.program]]\nname = \"ops\"\nprogram = [\"/bin/sh\", \"-c\", 'cat >/dev/null; echo \"$0\" >>\"{}\"']\n",
            hook.display()
        );
        let daemon = Daemon::new(folder.path(), &site, &main, Some((origin, speed)));
        // The world's history begins now; the first automatic sync makes the pair ready.
        assert!(clock.now() >= origin);
        Self { simulator, daemon, dns, done: HashSet::new(), _folder: folder }
    }

    /// The daemon sends its updates of the zone, and asks the primary what it holds, by this way; before it starts.
    pub fn updates_go_through(&self, way: SocketAddr) {
        let file = self.daemon.folder.join("config/sites.d/support.toml");
        let (site, straight) = (std::fs::read_to_string(&file).unwrap(), format!("primary = \"{}\"", self.dns.servers()[0]));
        assert!(site.contains(&straight), "{site}");
        std::fs::write(file, site.replace(&straight, &format!("primary = \"{way}\""))).unwrap();
    }

    /// Starts a run whose windows both begin now.
    pub fn start_run(&mut self, procedure: &str) -> String {
        self.daemon.start_run(procedure, "now +30d", "now +30d")
    }

    /// The same to another release.
    pub fn start_run_to(&mut self, to: &str, procedure: &str) -> String {
        self.daemon.start_run_to(to, procedure, "now +30d", "now +30d")
    }

    pub fn truth(&self) -> Truth {
        self.simulator.current().truth()
    }

    /// The run's records so far.
    pub fn records(&mut self, run: &str) -> Vec<Value> {
        self.daemon.json(&["journal", "show", run])["records"].as_array().cloned().unwrap_or_default()
    }

    /// The TTL of the service's record by each server's own word, asked with `dig`.
    pub fn ttls(&self, kind: &str) -> Vec<Option<u32>> {
        self.dns.servers().into_iter().map(|server| name_servers::says(server, SERVICE, kind).1).collect()
    }

    /// Waits until an alert has reached the hook: it is delivered after its record, by a task of its own.
    pub fn await_alert(&mut self, wanted: &str) {
        let until = Instant::now() + PATIENCE;
        while !self.alerts().iter().any(|seen| seen == wanted) {
            assert!(Instant::now() < until, "no `{wanted}`: {:?}", self.alerts());
            self.daemon.listen();
        }
    }

    /// The alerts that reached the hook, in order.
    pub fn alerts(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.daemon.folder.join("alerts")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Does what the run asks of people until `ended` says so of its status, or the daemon has died.
    pub fn accompany(&mut self, run: &str, ended: impl Fn(&Value) -> bool) -> Option<Value> {
        let until = Instant::now() + PATIENCE;
        let mut last = Value::Null;
        while Instant::now() < until {
            let Some(status) = self.daemon.status(run) else {
                if self.daemon.has_died() {
                    return None;
                }
                continue;
            };
            if ended(&status) {
                return Some(status);
            }
            self.help(run, &status);
            self.daemon.listen();
            last = status;
        }
        panic!("no end in sight: {last}\n{}", self.daemon.log());
    }

    fn help(&mut self, run: &str, status: &Value) {
        match status["waiting_on"].as_str() {
            Some("gate") if status["gate"] == "production" && !self.is_proven(status) => {}
            Some("gate") => {
                // The daemon may have died since, or stray sessions stand against it; the next status tells.
                self.daemon.confirm(run);
            }
            Some("operator") => self.by_hand(run, status),
            _ => {}
        }
    }

    /// The version was seen in use, and the shortest soak is over. Who accepts it then leaves nothing to wait for, so that a run has the
    /// same records at whatever pace the machine goes.
    fn is_proven(&self, status: &Value) -> bool {
        let soak = &status["soak"];
        let until = soak["until"].as_str().map(|until| until.parse::<Timestamp>().unwrap());
        until.is_none_or(|until| until <= self.simulator.current().now() && !soak["used_at"].is_null())
    }

    /// Does once what the instruction says; a second instruction for the same attempt is known to be done.
    fn by_hand(&mut self, run: &str, status: &Value) {
        let step = &status["step"];
        let (Some(id), Some(action)) = (step["id"].as_str(), step["action"].as_str()) else { return };
        let attempt = (id.to_owned(), step["attempt"].as_u64().unwrap_or(0));
        let node = if step["node"] == "a" { NodeId::A } else { NodeId::B };
        if self.done.contains(&attempt) {
            // Nobody sees from outside that a standby was opened, so the person says so.
            if action == "reopen" && status["nodes"][node.as_str()]["role"] == "standby" {
                self.daemon.cli(&["confirm", run, "node_open"]);
            }
            return;
        }
        // At a box that does not answer nobody can press anything; the person tries again.
        if self.simulator.current().perform(action, node, None).is_ok() {
            self.done.insert(attempt);
        }
    }
}

/// True for a status at rest; a doubt that a reading settles is no end.
pub fn at_rest(status: &Value) -> bool {
    matches!(status["phase"].as_str(), Some("finished" | "held"))
}

async fn dns(bind: bool) -> Dns {
    if bind {
        return Dns::Named(tokio::task::spawn_blocking(|| named::Pair::start(&zone(60))).await.unwrap());
    }
    let key = ZoneKey { name: named::KEY.to_owned(), algorithm: "hmac-sha256".to_owned(), secret: named::SECRET.into() };
    let options = ZoneOptions::new("example.com", key).with(SERVICE, address(NodeId::A), 60);
    Dns::Own(Zone::start(options).await.unwrap())
}

/// Where the name leads, by the zone's own truth.
fn resolver(dns: &Arc<Dns>) -> Resolver {
    let dns = dns.clone();
    Arc::new(move || {
        let led: Vec<String> = match &*dns {
            Dns::Own(zone) => zone.addresses_of(SERVICE).iter().map(ToString::to_string).collect(),
            Dns::Named(_) | Dns::Powerdns(_) => named::addresses(dns.servers()[0], SERVICE),
        };
        match led.first().map(String::as_str) {
            Some("127.0.1.1") => Some(NodeId::A),
            Some("127.0.1.2") => Some(NodeId::B),
            _ => None,
        }
    })
}

fn write_secrets(folder: &Path) {
    std::fs::create_dir_all(folder.join("secrets")).unwrap();
    std::fs::write(folder.join("secrets/client"), CLIENT_SECRET).unwrap();
    std::fs::write(folder.join("secrets/tsig.b64"), named::SECRET).unwrap();
}

fn site(simulator: &Simulator, dns: &Dns, entry: &str, hands: &str) -> String {
    let console = "[nodes.{node}.console]\nusername = \"admin\"\npassword_file = \"../../secrets/client\"\n";
    let servers = dns.servers();
    let primary = servers[0];
    let servers: Vec<String> = servers.iter().map(|server| format!("\"{server}\"")).collect();
    let mut site = format!("name = \"support\"\nservice = \"{SERVICE}\"\nprocedure = \"role-swap\"\n");
    for node in [NodeId::A, NodeId::B] {
        let address = simulator.nodes[node];
        // Writing into a string cannot fail.
        let _ = write!(
            site,
            "[nodes.{node}]\ndriver = \"beyondtrust\"\nurl = \"https://{address}\"\naddress = \"{}\"\nidentity = \"{}\"\nclient_id = \"changeover\"\n\
             client_secret_file = \"../../secrets/client\"\nhands = \"{hands}\"\ntls = {{ pins = [\"{}\"] }}\n",
            address.ip(),
            simulator.identities[node],
            simulator.pin
        );
        if hands == "console" {
            site += &console.replace("{node}", node.as_str());
        }
    }
    let _ = write!(
        site,
        "[[traffic]]\ndriver = \"rfc2136\"\nprimary = \"{primary}\"\nservers = [{}]\nzone = \"example.com\"\nttl = \"60s\"\n\
         tsig_name = \"{}\"\ntsig_secret_file = \"../../secrets/tsig.b64\"\n{entry}",
        servers.join(", "),
        named::KEY
    );
    site + POLICY
}

/// Run time goes up to thousands of times faster than the machine: one of its milliseconds is seconds here. So limits and ages have days, as a
/// machine that stalls for some seconds meanwhile is no defect; a run that hangs is found by [`PATIENCE`]. The shortest soak is as long as
/// a user who has logged in may wait with a session: with ten minutes one run in thirty told that the soak proves little.
const POLICY: &str = r#"[policy]
min_soak = "20min"
nightly_check = "off"
max_check_age = "10d"
max_sync_age = "5d"
max_clock_skew = "1h"
max_silence = "6h"
drain_limit = "5d"
max_unprotected = "60d"
max_backup_age = "10d"
[policy.limits]
backup = "1d"
lower_ttl = "1d"
check_sync = "1d"
force_sync = "1d"
break_failover = "1d"
record_settings = "1d"
update = "2d"
verify = "1d"
quiesce = "1d"
reopen = "1d"
extract_data = "1d"
switch_traffic = "1d"
establish_failover = "1d"
compare_settings = "1d"
restore_ttl = "1d"
final_check = "1d"
"#;
