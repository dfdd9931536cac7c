//! A real Knot DNS `knotd`, primary and secondary.

use std::fmt::Write as _;
use std::net::SocketAddr;

use crate::name_servers::{ADDRESS, ADMIN, KEYS, Options, Processes, SECRET, free_port, started, tool, zone_file};

/// Two running servers of one zone; killed when dropped.
pub struct Pair {
    pub primary: SocketAddr,
    pub secondary: SocketAddr,
    processes: Processes,
}

impl Pair {
    /// Starts both and returns when both answer for the zone.
    pub fn start(options: &Options) -> Self {
        started("knotd", || Self::try_start(options))
    }

    fn try_start(options: &Options) -> Result<Self, String> {
        let (primary, secondary) = (free_port(), free_port());
        let mut pair = Self { primary, secondary, processes: Processes::new(options.zone) };
        std::fs::write(pair.processes.home("primary").join("zone.db"), zone_file(options)).unwrap();
        pair.run("primary", &primary_conf(options, primary, secondary), primary)?;
        pair.run("secondary", &secondary_conf(options, primary, secondary), secondary)?;
        Ok(pair)
    }

    fn run(&mut self, name: &str, conf: &str, server: SocketAddr) -> Result<(), String> {
        let home = self.processes.home(name);
        std::fs::write(home.join("knot.conf"), conf.replace("HOME", home.to_str().unwrap())).unwrap();
        let mut command = tool("knotd");
        command.arg("-c").arg(home.join("knot.conf"));
        self.processes.run(name, command, server)
    }
}

fn common_conf(server: SocketAddr) -> String {
    let port = server.port();
    format!(
        "server:\n    rundir: HOME\n    listen: {ADDRESS}@{port}\n    udp-workers: 1\n    tcp-workers: 1\n    background-workers: 1\n\
         log:\n  - target: stderr\n    any: info\n\
         database:\n    storage: HOME\n"
    )
}

fn primary_conf(options: &Options, primary: SocketAddr, secondary: SocketAddr) -> String {
    let mut conf = common_conf(primary);
    let names = options.updatable.iter().map(|name| format!("{name}.")).collect::<Vec<_>>().join(", ");
    let keys = KEYS.map(|(key, _)| key).join(", ");
    conf.push_str("key:\n");
    for (key, algorithm) in KEYS.iter().chain(&[(ADMIN, "hmac-sha256")]) {
        writeln!(conf, "  - id: {key}\n    algorithm: {algorithm}\n    secret: {SECRET}").unwrap();
    }
    writeln!(conf, "remote:\n  - id: secondary\n    address: {ADDRESS}@{}", secondary.port()).unwrap();
    writeln!(
        conf,
        "acl:\n  - id: ours\n    key: [{keys}]\n    action: update\n    update-type: [A, AAAA, CNAME]\n    update-owner: name\n\
         \x20   update-owner-match: equal\n    update-owner-name: [{names}]\n\
         \x20 - id: admin\n    key: {ADMIN}\n    action: update\n\
         \x20 - id: transfer\n    address: {ADDRESS}\n    action: transfer"
    )
    .unwrap();
    let notify = if options.secondary_follows { "    notify: secondary\n" } else { "" };
    writeln!(
        conf,
        "zone:\n  - domain: {}\n    storage: HOME\n    file: zone.db\n{notify}    acl: [ours, admin, transfer]",
        options.zone
    )
    .unwrap();
    conf
}

fn secondary_conf(options: &Options, primary: SocketAddr, secondary: SocketAddr) -> String {
    let (common, zone, port) = (common_conf(secondary), options.zone, primary.port());
    format!(
        "{common}remote:\n  - id: primary\n    address: {ADDRESS}@{port}\n\
         acl:\n  - id: notify\n    address: {ADDRESS}\n    action: notify\n\
         zone:\n  - domain: {zone}\n    storage: HOME\n    file: zone.db\n    master: primary\n    acl: notify\n"
    )
}
