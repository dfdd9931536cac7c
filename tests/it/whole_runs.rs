//! Whole runs through the real daemon process: over HTTPS and BIND, and behind exec programs.

use std::path::Path;
use std::time::Instant;

use jiff::Timestamp;
use serde_json::Value;

use crate::daemon::{Daemon, PATIENCE};
use crate::folder;
use crate::vendor::{Vendor, at_rest};

/// BG-01, BG-20 to BG-22, BG-30, BG-31: in place, over HTTPS and a real `named` with TSIG.
#[tokio::test(flavor = "multi_thread")]
async fn bg_30_in_place_over_https_and_bind() {
    whole("in-place", "a").await;
}

/// BG-40, BG-41: role swap, over HTTPS and a real `named` with TSIG.
#[tokio::test(flavor = "multi_thread")]
async fn bg_40_role_swap_over_https_and_bind() {
    whole("role-swap", "b").await;
}

async fn whole(procedure: &str, serving: &str) {
    let mut vendor = Vendor::start(true, 600).await;
    vendor.daemon.start(None);
    let run = vendor.start_run(procedure);
    let status = vendor.accompany(&run, at_rest).unwrap();
    assert_eq!(status["outcome"], "succeeded", "{status}\n{}", vendor.daemon.log());
    let truth = vendor.truth();
    assert!(truth.linked && truth.broken_promises.is_empty(), "{:?}", truth.broken_promises);
    assert_eq!(truth.serving.map(|node| node.to_string()).as_deref(), Some(serving));
    assert_eq!((truth.nodes.a.updates.len(), truth.nodes.b.updates.len()), (1, 1));
    assert_eq!((truth.nodes.a.version.as_str(), truth.nodes.b.version.as_str()), ("24.2.1", "24.2.1"));
    assert_eq!(truth.sessions.gone, 0);
    for alert in ["gate_waiting", "by_operator", "finished"] {
        vendor.await_alert(alert);
    }
    assert_eq!(vendor.daemon.terminate(), Some(0));
}

/// A pair of small programs and a site for them; run time goes 100 times faster than the machine.
fn exec_site(folder: &Path, origin: Timestamp) -> String {
    let world = folder.join("world");
    for (node, role) in [("a", "primary"), ("b", "standby")] {
        std::fs::create_dir_all(world.join(node)).unwrap();
        let synced = origin.to_string();
        let facts = [("role", role), ("version", "24.1.1"), ("sync", synced.as_str()), ("sessions", "0")];
        facts.iter().for_each(|(name, value)| std::fs::write(world.join(node).join(name), value).unwrap());
    }
    std::fs::write(world.join("target"), "a").unwrap();
    std::fs::write(world.join("clock"), format!("{} 100\n", origin.as_millisecond())).unwrap();
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/pair");
    let world = world.display();
    let node = |name: &str, last: u8| {
        format!(
            "[nodes.{name}]\ndriver = \"exec\"\nprogram = [\"{program}\", \"{world}\", \"{name}\"]\nidentity = \"box-{name}\"\naddress = \"127.0.1.{last}\"\n"
        )
    };
    format!(
        "name = \"support\"\nservice = \"support.example.com\"\nprocedure = \"role-swap\"\n{}{}[[traffic]]\ndriver = \"exec\"\nprogram = [\"{program}\", \"{world}\", \"a\"]\n[policy]\nmin_soak = \"10min\"\nmax_sync_age = \"1h\"\n",
        node("a", 1),
        node("b", 2)
    )
}

/// A pair behind programs, and the daemon that drives it.
pub struct ExecPair {
    pub daemon: Daemon,
    pub folder: tempfile::TempDir,
}

impl ExecPair {
    pub fn start() -> Self {
        Self::start_with("", "")
    }

    /// With more in the daemon's file and in the site's.
    pub fn start_with(main: &str, more: &str) -> Self {
        let folder = folder::in_memory();
        let origin = Timestamp::now();
        let site = exec_site(folder.path(), origin);
        let hook =
            "[[alerts.program]]\nname = \"ops\"\nprogram = [\"/bin/sh\", \"-c\", 'cat >>alerts.json; echo >>alerts.json']\n";
        let hook = hook.replace("alerts.json", folder.path().join("alerts").to_str().unwrap());
        let (site, main) = (format!("{site}{more}"), format!("{hook}{main}"));
        let mut daemon = Daemon::new(folder.path(), &site, &main, Some((origin, 100)));
        daemon.start(None);
        Self { daemon, folder }
    }

    pub fn fact(&self, path: &str) -> String {
        std::fs::read_to_string(self.folder.path().join("world").join(path)).unwrap().trim().to_owned()
    }

    /// Answers gates until the run is at rest.
    pub fn bring_to_rest(&mut self, run: &str) -> Value {
        self.accompany(run, at_rest)
    }

    /// Answers gates until the run is so.
    pub fn accompany(&mut self, run: &str, seen: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let status = self.daemon.status(run).unwrap();
            if seen(&status) {
                return status;
            }
            if status["waiting_on"] == "gate" {
                self.daemon.confirm(run);
            }
            self.daemon.listen();
        }
        panic!("no end in sight\n{}", self.daemon.log());
    }
}

#[test]
fn a_log_that_nobody_can_write_stops_nothing() {
    let mut pair = ExecPair::start();
    assert_eq!(pair.daemon.terminate(), Some(0));
    pair.daemon.start_unheard();
    let run = pair.daemon.start_run("in-place", "now +8h", "now +8h");
    let status = pair.bring_to_rest(&run);
    assert_eq!((&status["outcome"], &status["not_driven"]), (&"succeeded".into(), &Value::Null), "{status}");
    assert_eq!(pair.daemon.cli(&["hold", "nosuch-1"]).status.code(), Some(1), "a refusal is logged, too");
    assert_eq!(pair.daemon.terminate(), Some(0));
}

#[test]
fn both_procedures_behind_exec_programs() {
    for (procedure, serving) in [("in-place", "a"), ("role-swap", "b")] {
        let mut pair = ExecPair::start();
        let run = pair.daemon.start_run(procedure, "now +8h", "now +8h");
        let status = pair.bring_to_rest(&run);
        assert_eq!(status["outcome"], "succeeded", "{status}\n{}", pair.daemon.log());
        assert_eq!((pair.fact("a/version"), pair.fact("b/version")), ("24.2.1".into(), "24.2.1".into()));
        assert_eq!(pair.fact(&format!("{serving}/role")), "primary");
        assert_eq!(pair.fact("target"), serving);
        let acts = pair.fact("acts");
        assert_eq!(acts.lines().filter(|line| line.starts_with("update ")).count(), 2, "{acts}");
        let verified = pair.daemon.cli(&["journal", "verify", &run]);
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
        assert_eq!(pair.daemon.terminate(), Some(0));
    }
}

/// BG-22: a refused sync stops the run before the link is broken; the hook gets `sync_failed`, then `held`.
#[test]
fn bg_22_a_failed_sync_holds_and_alerts() {
    let mut pair = ExecPair::start();
    std::fs::write(pair.folder.path().join("world/fail.force_sync"), "10").unwrap();
    let run = pair.daemon.start_run("role-swap", "now +8h", "now +8h");
    let status = pair.bring_to_rest(&run);
    assert_eq!(status["held"]["code"], "sync_failed", "{status}");
    assert_eq!(pair.fact("a/role"), "primary");
    let until = Instant::now() + PATIENCE;
    let events = loop {
        let text = std::fs::read_to_string(pair.folder.path().join("alerts")).unwrap_or_default();
        let alerts = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let events: Vec<String> = alerts.map(|alert| alert["type"].as_str().unwrap_or_default().to_owned()).collect();
        if events.iter().any(|event| event == "held") {
            break events;
        }
        assert!(Instant::now() < until, "{events:?}");
    };
    let place = |name: &str| events.iter().position(|event| event == name);
    assert!(place("sync_failed") < place("held"), "{events:?}");
    pair.daemon.json(&["resume", &run]);
    assert_eq!(pair.bring_to_rest(&run)["outcome"], "succeeded");
}
