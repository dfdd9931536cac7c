//! One pair with its zone, its daemon and its client; a role swap is brought to the closing of the node left, and then watched.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use changeover::domain::ids::NodeId;
use changeover::simulator::zone::{Zone, ZoneHandle, ZoneKey, ZoneOptions};
use changeover::simulator::{Simulator, SimulatorOptions};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::client::Client;
use super::clock::{MeetingClock, SPEED};
use super::daemon::{Daemon, until};
use super::figures::{Gap, Parts, Swap};
use super::person::Person;

pub const SERVICE: &str = "support.example.com";
pub const SECRET: &str = "Y2hhbmdlb3Zlci10ZXN0LXNlY3JldC0zMi1vY3RldHM=";
const CLIENT_SECRET: &str = "a client secret of nobody";
const TTL_SECS: u32 = 1;

/// Faster time needs room where the machine's milliseconds count; none of it is reached once a second is a second.
const POLICY: &str = r#"[policy]
nightly_check = "off"
max_sync_age = "6h"
max_clock_skew = "1h"
max_silence = "6h"
drain_limit = "5d"
max_backup_age = "10d"
[policy.limits]
force_sync = "1d"
break_failover = "1d"
update = "2d"
verify = "1d"
quiesce = "10d"
extract_data = "1d"
switch_traffic = "1d"
"#;

pub struct Stage {
    pub simulator: Simulator,
    pub zone: Arc<ZoneHandle>,
    pub client: Client,
    clock: MeetingClock,
    folder: TempDir,
}

impl Stage {
    pub fn new(runtime: &tokio::runtime::Handle, seed: u64, calls: usize) -> Self {
        let clock = MeetingClock::new();
        let (simulator, zone) = runtime.block_on(pair(clock, seed));
        let folder = tempfile::tempdir().expect("a folder");
        configure(folder.path(), &simulator, &zone, calls);
        let client = {
            let _entered = runtime.enter();
            Client::start(runtime, &simulator, zone.address)
        };
        Self { simulator, zone, client, clock, folder }
    }

    /// Where the name leads now.
    pub fn leads_to(&self) -> Option<NodeId> {
        match self.zone.addresses_of(SERVICE).as_slice() {
            [address] => NodeId::BOTH.into_iter().find(|node| self.simulator.nodes[*node].ip() == *address),
            _ => None,
        }
    }

    /// A role swap by the daemon, measured.
    pub fn swap(&mut self, person: Person, random: &mut fastrand::Rng) -> Swap {
        let run = self.to_the_closing();
        let daemon = Daemon::start(self.folder.path(), None);
        until("a page of node a", || self.client.last(NodeId::A, Timestamp::now() - SignedDuration::from_secs(1)));
        std::thread::sleep(person.hesitates(random));
        let closed = self.close(NodeId::A);
        if person == Person::Says {
            daemon.say(&["confirm", &run, "node_closed"]);
        }
        let moved = until("the name", || (self.leads_to() == Some(NodeId::B)).then(Timestamp::now));
        let (gap, left, tries) = self.gap(closed, NodeId::B);
        let done = |step: &str| until(step, || daemon.done(&run, step));
        let proven = done("window-1.quiesce.a");
        let extracted = done("window-1.extract_data.a");
        let whole = done("window-1.switch_traffic.b").duration_since(closed);
        let parts = Parts {
            proof: proven.duration_since(left),
            extraction: extracted.duration_since(proven),
            decision: moved.duration_since(extracted),
            caches: (left + gap).duration_since(moved),
        };
        Swap { person, gap, parts, whole, tries }
    }

    /// Plays the run in faster time until it asks for the node left to be closed, and ends the daemon there; returns when run
    /// time is the machine's.
    fn to_the_closing(&self) -> String {
        let daemon = Daemon::start(self.folder.path(), Some((self.clock.meets, SPEED)));
        let order = json!({
            "site": "support", "to": "24.2.1", "package": self.folder.path().join("base.nss"),
            "first": "now +30d", "second": "now +30d",
        });
        let started = daemon.ask("POST", "/api/v1/runs", &order.to_string()).expect("a run");
        let run = started["run"].as_str().expect("its id").to_owned();
        let mut done = HashSet::new();
        until("the closing", || {
            let status = daemon.status(&run)?;
            assert_eq!(status["held"], Value::Null, "{status}");
            assert!(self.clock.is_fast(), "the closing was not reached in faster time: {status}");
            let asks = status["waiting_on"] == "operator";
            if asks && status["step"]["action"] == "quiesce" {
                return Some(());
            }
            if status["waiting_on"] == "gate" {
                daemon.ask("POST", &format!("/api/v1/runs/{run}/confirm"), "{}");
            }
            if asks {
                self.by_hand(&status, &mut done);
            }
            None
        });
        drop(daemon);
        until("the machine's time", || (!self.clock.is_fast()).then_some(()));
        run
    }

    /// Does once what an instruction says.
    fn by_hand(&self, status: &Value, done: &mut HashSet<String>) {
        let step = &status["step"];
        let (Some(id), Some(action)) = (step["id"].as_str(), step["action"].as_str()) else { return };
        let node = if step["node"] == "a" { NodeId::A } else { NodeId::B };
        // At a box that does not answer nobody can press anything; the person tries again.
        if !done.contains(id) && self.simulator.current().perform(action, node, None).is_ok() {
            done.insert(id.to_owned());
        }
    }

    fn close(&self, node: NodeId) -> Timestamp {
        let mut world = self.simulator.current();
        world.perform("quiesce", node, None).expect("it is closed");
        Timestamp::now()
    }

    /// The gap around `begun`, the last page before it, and why the tries in between came to nothing.
    pub fn gap(&self, begun: Timestamp, to: NodeId) -> (Gap, Timestamp, Vec<String>) {
        let before = begun - SignedDuration::from_secs(1);
        let first = until("a page of the node that serves next", || self.client.first(to, begun));
        let left = self.client.last(to.other(), before).expect("a page before the swap");
        let failed = self.client.since(left).into_iter().filter(|one| one.ended < first).filter_map(|one| one.end.err());
        (first.duration_since(left), left, failed.collect())
    }
}

async fn pair(clock: MeetingClock, seed: u64) -> (Simulator, Arc<ZoneHandle>) {
    let (from, to) = ("24.1.1".parse().expect("a version"), "24.2.1".parse().expect("a version"));
    let mut options = SimulatorOptions::new(Arc::new(clock), CLIENT_SECRET.into(), from, to);
    let addresses = options.addresses;
    let key = ZoneKey { name: "changeover".to_owned(), algorithm: "hmac-sha256".to_owned(), secret: SECRET.into() };
    let listen = (IpAddr::V4(Ipv4Addr::new(127, 0, 1, 53)), 0).into();
    let zone = ZoneOptions { listen, ..ZoneOptions::new("example.com", key).with(SERVICE, addresses.a, TTL_SECS) };
    let zone = Arc::new(Zone::start(zone).await.expect("a zone"));
    let asked = Arc::downgrade(&zone);
    options.leads_to = Some(Arc::new(move || {
        let found = asked.upgrade()?.addresses_of(SERVICE);
        NodeId::BOTH.into_iter().find(|node| found == [addresses[*node]])
    }));
    options.world.seed = seed;
    // As in the demo: five minutes are no time at this speed.
    options.world.auto_sync = SignedDuration::from_mins(30);
    (Simulator::start(options).await.expect("a pair"), zone)
}

fn configure(folder: &Path, simulator: &Simulator, zone: &ZoneHandle, calls: usize) {
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(folder)).and_then(|()| std::fs::write(path, text)).expect("a file");
    };
    write("secrets/client", CLIENT_SECRET);
    write("secrets/tsig.b64", SECRET);
    write("base.nss", "a package");
    write("config/changeover.toml", &format!("state = \"../state\"\n[accounts]\ncalls_per_second = {calls}\n"));
    let [a, b] = NodeId::BOTH.map(|node| {
        format!(
            "[nodes.{node}]\ndriver = \"beyondtrust\"\nurl = \"{}\"\naddress = \"{}\"\nidentity = \"{}\"\nclient_id = \"changeover\"\n\
             client_secret_file = \"../../secrets/client\"\nhands = \"operator\"\nrecordings = false\ntls = {{ pins = [\"{}\"] }}\n",
            simulator.url(node),
            simulator.nodes[node].ip(),
            simulator.identities[node],
            simulator.pin
        )
    });
    let zone = zone.address;
    let traffic = format!(
        "[[traffic]]\ndriver = \"rfc2136\"\nprimary = \"{zone}\"\nservers = [\"{zone}\"]\nzone = \"example.com\"\nttl = \"{TTL_SECS}s\"\n\
         tsig_name = \"changeover\"\ntsig_secret_file = \"../../secrets/tsig.b64\"\n"
    );
    let head = format!("name = \"support\"\nservice = \"{SERVICE}\"\nprocedure = \"role-swap\"\n");
    write("config/sites.d/support.toml", &format!("{head}{a}{b}{traffic}{POLICY}"));
}
