//! A whole vendor site on real protocols: the simulated pair over HTTPS, a name server with TSIG, the daemon as its own
//! process, and a person who answers gates and does by hand what has no interface.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use changeover::domain::ids::NodeId;
use changeover::drivers::clock::ScaledClock;
use changeover::ports::Clock;
use changeover::simulator::server::Resolver;
use changeover::simulator::world::Truth;
use changeover::simulator::zone::{Zone, ZoneHandle, ZoneKey, ZoneOptions};
use changeover::simulator::{Simulator, SimulatorOptions};
use jiff::Timestamp;
use serde_json::Value;

use crate::daemon::{Daemon, PATIENCE};
use crate::named;

pub const SERVICE: &str = "support.example.com";
const CLIENT_SECRET: &str = "a client secret of nobody";

/// Who answers for the zone.
pub enum Dns {
    /// The simulator's own zone, in this process.
    Own(ZoneHandle),
    /// BIND, primary and secondary.
    Named(named::Pair),
}

pub struct Vendor {
    pub simulator: Simulator,
    pub daemon: Daemon,
    /// What the person has done already: step and attempt, remembered over restarts of the daemon.
    done: HashSet<(String, u64)>,
    _folder: tempfile::TempDir,
}

impl Vendor {
    pub async fn start(bind: bool, speed: u32) -> Self {
        let origin = Timestamp::now();
        let clock = Arc::new(ScaledClock::new(origin, f64::from(speed)).unwrap());
        let dns = Arc::new(dns(bind).await);
        let mut options =
            SimulatorOptions::new(clock.clone(), CLIENT_SECRET.into(), "24.1.1".parse().unwrap(), "24.2.1".parse().unwrap());
        options.leads_to = Some(resolver(&dns));
        let simulator = Simulator::start(options).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        write_secrets(folder.path());
        let site = site(&simulator, &dns);
        let hook = folder.path().join("alerts");
        let main = format!(
            "[[alerts.program]]\nname = \"ops\"\nprogram = [\"/bin/sh\", \"-c\", 'cat >/dev/null; echo \"$0\" >>\"{}\"']\n",
            hook.display()
        );
        let daemon = Daemon::new(folder.path(), &site, &main, Some((origin, speed)));
        // The world's history begins now; the first automatic sync makes the pair ready.
        assert!(clock.now() >= origin);
        Self { simulator, daemon, done: HashSet::new(), _folder: folder }
    }

    /// Starts a run whose windows both begin now.
    pub fn start_run(&mut self, procedure: &str) -> String {
        self.daemon.start_run(procedure, "now +30d", "now +30d")
    }

    pub fn truth(&self) -> Truth {
        self.simulator.current().truth()
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
            Some("gate") => {
                // The daemon may have died since, or stray sessions stand against it; the next status tells.
                self.daemon.confirm(run);
            }
            Some("operator") => self.by_hand(run, status),
            _ => {}
        }
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

/// True for a status at rest.
pub fn at_rest(status: &Value) -> bool {
    matches!(status["phase"].as_str(), Some("finished" | "held" | "in_doubt"))
}

async fn dns(bind: bool) -> Dns {
    let addresses = [NodeId::A, NodeId::B].map(|node| format!("127.0.1.{}", node.index() + 1).parse().unwrap());
    if bind {
        let records = vec![(SERVICE, addresses[0], 60)];
        let options = named::Options {
            zone: "example.com",
            records,
            aliases: Vec::new(),
            updatable: vec![SERVICE],
            secondary_follows: true,
        };
        return Dns::Named(tokio::task::spawn_blocking(move || named::Pair::start(&options)).await.unwrap());
    }
    let key = ZoneKey { name: named::KEY.to_owned(), algorithm: "hmac-sha256".to_owned(), secret: named::SECRET.into() };
    let options = ZoneOptions::new("example.com", key).with(SERVICE, addresses[0], 60);
    Dns::Own(Zone::start(options).await.unwrap())
}

/// Where the name leads, by the zone's own truth.
fn resolver(dns: &Arc<Dns>) -> Resolver {
    let dns = dns.clone();
    Arc::new(move || {
        let led: Vec<String> = match &*dns {
            Dns::Own(zone) => zone.addresses_of(SERVICE).iter().map(ToString::to_string).collect(),
            Dns::Named(pair) => named::addresses(pair.primary, SERVICE),
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

fn site(simulator: &Simulator, dns: &Dns) -> String {
    let (primary, servers) = match dns {
        Dns::Own(zone) => (zone.address, vec![zone.address]),
        Dns::Named(pair) => (pair.primary, vec![pair.primary, pair.secondary]),
    };
    let servers: Vec<String> = servers.iter().map(|server| format!("\"{server}\"")).collect();
    let mut site = format!("name = \"support\"\nservice = \"{SERVICE}\"\nprocedure = \"role-swap\"\n");
    for node in [NodeId::A, NodeId::B] {
        let address = simulator.nodes[node];
        // Writing into a string cannot fail.
        let _ = write!(
            site,
            "[nodes.{node}]\ndriver = \"beyondtrust\"\nurl = \"https://{address}\"\naddress = \"{}\"\nidentity = \"{}\"\nclient_id = \"changeover\"\n\
             client_secret_file = \"../../secrets/client\"\nhands = \"operator\"\ntls = {{ pins = [\"{}\"] }}\n",
            address.ip(),
            simulator.identities[node],
            simulator.pin
        );
    }
    let _ = write!(
        site,
        "[[traffic]]\ndriver = \"rfc2136\"\nprimary = \"{primary}\"\nservers = [{}]\nzone = \"example.com\"\nttl = \"60s\"\n\
         tsig_name = \"{}\"\ntsig_secret_file = \"../../secrets/tsig.b64\"\n",
        servers.join(", "),
        named::KEY
    );
    // Run time goes hundreds of times faster than the machine: 1 ms of it is about a second here, and limits must bear that.
    site + "[policy]\nmin_soak = \"10min\"\nnightly_check = \"off\"\nmax_sync_age = \"6h\"\nmax_clock_skew = \"1h\"\nmax_silence = \"6h\"\ndrain_limit = \"5d\"\nmax_unprotected = \"60d\"\nmax_backup_age = \"10d\"\n\
            [policy.limits]\nforce_sync = \"1d\"\nbreak_failover = \"1d\"\nupdate = \"2d\"\nverify = \"1d\"\nswitch_traffic = \"1d\"\nestablish_failover = \"1d\"\n"
}
