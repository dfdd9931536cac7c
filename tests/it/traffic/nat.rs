//! The NAT program of docs/concepts/traffic.md, as the page has it, through the driver `exec`; the gateway is a file behind an `ssh`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use changeover::domain::ids::{NodeId, PerNode};
use changeover::drivers::clock::SystemClock;
use changeover::drivers::program::Programs;
use changeover::drivers::traffic::exec::{ExecTraffic, Settings};
use changeover::ports::{ActAnswer, Intent, Traffic as _, TrafficReader as _};
use jiff::{SignedDuration, Timestamp};

/// Stands for the gateway: `rule` is its rule; `down` and `locked` say what can't be reached or changed; `log` has every change.
const SSH: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 255
[ "$1 $2 $3" = "-o BatchMode=yes gateway" ] || exit 255
[ -e down ] && exit 255
case "$4 $5" in
"show-nat support") cat rule ;;
"set-nat support") [ -e locked ] && exit 255; printf '%s' "$6" > rule; echo "$6" >> log ;;
*) exit 255 ;;
esac
"#;

struct Gateway {
    folder: tempfile::TempDir,
    traffic: ExecTraffic,
}

impl Gateway {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/concepts/traffic.md")).unwrap();
        let program =
            page.split("```sh\n").find(|part| part.contains("/opt/pair/nat VERB")).unwrap().split("```").next().unwrap();
        for (name, text) in [("nat", program), ("ssh", SSH)] {
            std::fs::write(folder.path().join(name), text).unwrap();
            std::fs::set_permissions(folder.path().join(name), std::fs::Permissions::from_mode(0o700)).unwrap();
        }
        let path = format!("PATH={}:/usr/local/bin:/usr/bin:/bin", folder.path().display());
        let nat = folder.path().join("nat").display().to_string();
        let settings = Settings {
            site: "support".to_owned(),
            entry: 0,
            program: vec!["/usr/bin/env".to_owned(), path, nat],
            service: "support.example.com".to_owned(),
            addresses: PerNode { a: "192.0.2.10".parse().unwrap(), b: "192.0.2.20".parse().unwrap() },
            read_limit: Duration::from_secs(60),
        };
        let programs = Arc::new(Programs::new(folder.path().join("exec"), Arc::new(SystemClock)));
        let this = Self { traffic: ExecTraffic::new(settings, programs, Arc::new(SystemClock)), folder };
        this.write("rule", "192.0.2.10");
        this
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// The addresses to which the rule was set, one by one.
    fn set(&self) -> Vec<String> {
        std::fs::read_to_string(self.path("log")).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    async fn leads_to(&self) -> Option<NodeId> {
        let look = self.traffic.look().await.unwrap();
        assert_eq!((look.answers.len(), look.answers[0].name.as_str()), (1, "support.example.com"));
        look.target()
    }

    async fn switch(&self, from: NodeId, to: NodeId) -> ActAnswer {
        let intent = Intent {
            site: "support".to_owned(),
            run: "support-7".parse().unwrap(),
            step: "window-1.switch_traffic".to_owned(),
            attempt: 1,
            key: "support-7/window-1.switch_traffic/1".to_owned(),
            since: Timestamp::now(),
            limit: SignedDuration::from_mins(5),
        };
        self.traffic.switch(&intent, from, to).await
    }
}

const A: NodeId = NodeId::A;
const B: NodeId = NodeId::B;

/// There and back, each once: a switch that is done already sets nothing.
#[tokio::test]
async fn bg_40_the_page_s_nat_program_switches_there_and_back() {
    let gateway = Gateway::new();
    assert_eq!(gateway.leads_to().await, Some(A));
    for (from, to, address) in [(A, B, "192.0.2.20"), (B, A, "192.0.2.10")] {
        for _ in 0..2 {
            assert_eq!(gateway.switch(from, to).await, ActAnswer::accepted(), "to {to}");
            assert_eq!(gateway.leads_to().await, Some(to));
        }
        assert_eq!(gateway.set().last().map(String::as_str), Some(address));
    }
    assert_eq!(gateway.set().len(), 2);
}

/// What it knows for certain it says: nothing changed, or perhaps.
#[tokio::test]
async fn the_page_s_nat_program_says_what_it_knows() {
    let gateway = Gateway::new();
    gateway.write("rule", "192.0.2.99");
    assert_eq!(gateway.leads_to().await, None, "somebody else's rule leads to neither");
    assert!(matches!(gateway.switch(A, B).await, ActAnswer::Refused { .. }));
    gateway.write("rule", "192.0.2.10");
    gateway.write("locked", "");
    assert!(matches!(gateway.switch(A, B).await, ActAnswer::Ambiguous { .. }));
    gateway.write("down", "");
    assert!(matches!(gateway.switch(A, B).await, ActAnswer::Transient { .. }));
    assert!(gateway.traffic.look().await.is_err());
    assert_eq!(gateway.set(), Vec::<String>::new());
}
