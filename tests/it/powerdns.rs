//! A real PowerDNS `pdns_server` with its SQLite backend, alone: a primary.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use crate::name_servers::{ADDRESS, ADMIN, KEYS, Options, Processes, SECRET, free_port, packaged, records, started, tool};

/// One running server of one zone; killed when dropped.
pub struct Primary {
    pub address: SocketAddr,
    _processes: Processes,
}

impl Primary {
    /// Starts it and returns when it answers for the zone.
    pub fn start(options: &Options) -> Self {
        started("pdns_server", || Self::try_start(options))
    }

    fn try_start(options: &Options) -> Result<Self, String> {
        let (address, mut processes) = (free_port(), Processes::new(options.zone));
        let home = processes.home("primary");
        fill(&home.join("zone.sqlite3"), options);
        std::fs::write(home.join("pdns.conf"), conf(&home, address)).unwrap();
        let mut command = tool("pdns_server");
        command.arg(format!("--config-dir={}", home.display()));
        processes.run("primary", command, address)?;
        Ok(Self { address, _processes: processes })
    }
}

fn conf(home: &Path, address: SocketAddr) -> String {
    let modules = packaged("usr/lib/x86_64-linux-gnu/pdns");
    let (home, modules, port) = (home.display(), modules.display(), address.port());
    format!(
        "launch=gsqlite3\ngsqlite3-database={home}/zone.sqlite3\nmodule-dir={modules}\nsocket-dir={home}\n\
         local-address={ADDRESS}\nlocal-port={port}\ndnsupdate=yes\nallow-dnsupdate-from=127.0.0.0/8\n\
         daemon=no\nguardian=no\ndisable-syslog=yes\nsecurity-poll-suffix=\nreceiver-threads=1\ndistributor-threads=1\n"
    )
}

/// The zone, the keys, and who may change it: with this server a key may change everything or nothing.
fn fill(database: &Path, options: &Options) {
    let zone = options.zone;
    let mut sql = std::fs::read_to_string(packaged("usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql")).unwrap();
    sql.push_str("BEGIN;\n");
    writeln!(sql, "INSERT INTO domains (id, name, type) VALUES (1, '{zone}', 'MASTER');").unwrap();
    let negative = options.negative;
    let soa = format!("ns1.{zone} hostmaster.{zone} 100 3600 600 86400 {negative}");
    let all = [(zone.to_owned(), negative.max(60), "SOA", soa)].into_iter().chain(records(options));
    for (name, ttl, kind, value) in all {
        let value = value.trim_end_matches('.');
        writeln!(
            sql,
            "INSERT INTO records (domain_id, name, type, content, ttl, auth) VALUES (1, '{name}', '{kind}', '{value}', {ttl}, 1);"
        )
        .unwrap();
    }
    for (key, algorithm) in KEYS.iter().chain(&[(ADMIN, "hmac-sha256")]) {
        writeln!(sql, "INSERT INTO tsigkeys (name, algorithm, secret) VALUES ('{key}', '{algorithm}', '{SECRET}');").unwrap();
        writeln!(sql, "INSERT INTO domainmetadata (domain_id, kind, content) VALUES (1, 'TSIG-ALLOW-DNSUPDATE', '{key}');")
            .unwrap();
    }
    sql.push_str(
        "INSERT INTO domainmetadata (domain_id, kind, content) VALUES (1, 'SOA-EDIT-DNSUPDATE', 'INCREASE');\nCOMMIT;\n",
    );
    let mut command = tool("sqlite3");
    command.arg("-bail").arg(database).stdin(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "the database of PowerDNS was not filled");
}
