//! The preflight as its own thing: each check with each of its results, warnings and who accepts them, lifetimes, nights.

mod drain;
mod lapse;
mod nightly;
mod open_run;
mod reads_only;
pub mod warnings;

use changeover::domain::check::{Check, Outcome};
use changeover::domain::checks;
use changeover::domain::ids::{NodeId, PerNode};
use changeover::domain::proof::{self, Proof};
use changeover::domain::site::{Node, Observation, Policy, Role, Site, SyncFact, TrafficAnswer, TrafficLook};
use changeover::domain::window::calendar::Calendar;
use changeover::domain::world::World;
use changeover::engine::api::Fleet as _;
use jiff::{SignedDuration, Timestamp};

use crate::stage::Stage;

const NOW: &str = "2026-11-22T01:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn site() -> Site {
    let node = |id: NodeId| Node {
        identity: format!("appliance-{id}"),
        address: format!("192.0.2.{}", 10 * (id.index() + 1)).parse().unwrap(),
    };
    Site {
        name: "support".to_owned(),
        service: "support.example.com".to_owned(),
        procedure: None,
        nodes: PerNode::new(node),
        policy: Policy::default(),
        calendar: Calendar::default(),
    }
}

/// Node `a` primary and serving, synced two minutes ago.
fn healthy(node: NodeId) -> Observation {
    let primary = node == NodeId::A;
    let sync = SyncFact { at: now() - SignedDuration::from_mins(2), ok: Some(true), status: Some("success".to_owned()) };
    Observation {
        at: now(),
        identity: format!("appliance-{node}"),
        version: "24.1.1".parse().unwrap(),
        build: Some("4711".to_owned()),
        role: if primary { Role::Primary } else { Role::Standby },
        healthy: true,
        updating: false,
        last_sync: primary.then_some(sync),
        users: Some(3),
        sessions: Some(1),
        as_of: None,
        may_be_old: SignedDuration::ZERO,
        clock_skew: Some(SignedDuration::ZERO),
        takes_clients: Some(primary),
        certificate_until: None,
        licence_until: None,
        shared_ips: None,
        at_work: Vec::new(),
    }
}

/// What was read, before it is put into a world.
struct Read {
    nodes: PerNode<Option<Observation>>,
    answers: [Option<NodeId>; 2],
    deaf: bool,
    /// Node b refuses access.
    refused: bool,
}

impl Read {
    fn new() -> Self {
        Self { nodes: PerNode::new(|node| Some(healthy(node))), answers: [Some(NodeId::A); 2], deaf: false, refused: false }
    }

    fn node(&mut self, node: NodeId) -> &mut Observation {
        self.nodes[node].as_mut().unwrap()
    }

    fn sync(&mut self) -> &mut SyncFact {
        self.node(NodeId::A).last_sync.as_mut().unwrap()
    }

    fn world(self) -> World {
        let mut world = World::new(now(), true, SignedDuration::ZERO);
        for (node, answer) in [(NodeId::A, self.nodes.a), (NodeId::B, self.nodes.b)] {
            for _ in 0..2 {
                world.readings[node].take(answer.clone().ok_or_else(|| "no answer in 30 s".to_owned()), now());
            }
        }
        if self.refused {
            world.readings[NodeId::B].refused("access is refused".to_owned(), now());
        }
        let answer = |(number, target): (usize, Option<NodeId>)| TrafficAnswer {
            server: format!("ns{number}"),
            name: "support.example.com".to_owned(),
            target,
            ttl: Some(60),
            found: "an address".to_owned(),
            untold: false,
        };
        let answers = self.answers.into_iter().enumerate().map(answer).collect();
        let look = TrafficLook::new(now(), answers);
        world.traffic.take(vec![if self.deaf { Err("no server answers".to_owned()) } else { Ok(look) }]);
        world
    }

    fn checks(self) -> Vec<Check> {
        checks::of_site(&site(), &self.world(), &PerNode::default(), None)
    }
}

type Case = (&'static str, Option<NodeId>, Outcome, fn(&mut Read));

fn secs(secs: i64) -> SignedDuration {
    SignedDuration::from_secs(secs)
}

const A: Option<NodeId> = Some(NodeId::A);
const B: Option<NodeId> = Some(NodeId::B);

/// Every check with every result that it can have, and what makes it so.
const CASES: &[Case] = &[
    ("node_unreachable", B, Outcome::Unknown, |read| read.nodes.b = None),
    ("access_refused", B, Outcome::Unknown, |read| read.refused = true),
    ("wrong_box", A, Outcome::Pass, |_| {}),
    ("wrong_box", A, Outcome::Fail, |read| read.node(NodeId::A).identity = "appliance-b".to_owned()),
    ("unhealthy", B, Outcome::Pass, |_| {}),
    ("unhealthy", B, Outcome::Fail, |read| read.node(NodeId::B).healthy = false),
    ("unhealthy", B, Outcome::Fail, |read| read.node(NodeId::B).updating = true),
    ("clock_skew", A, Outcome::Pass, |read| read.node(NodeId::A).clock_skew = Some(secs(60))),
    ("clock_skew", A, Outcome::Pass, |read| read.node(NodeId::A).clock_skew = None),
    ("clock_skew", A, Outcome::Fail, |read| read.node(NodeId::A).clock_skew = Some(secs(-61))),
    ("people", A, Outcome::Pass, |_| {}),
    ("people", A, Outcome::Pass, |read| (read.node(NodeId::A).users, read.node(NodeId::A).sessions) = (None, None)),
    ("not_serving", A, Outcome::Fail, |read| read.node(NodeId::A).takes_clients = Some(false)),
    ("roles", None, Outcome::Pass, |_| {}),
    ("roles", None, Outcome::Fail, |read| read.node(NodeId::B).role = Role::Primary),
    ("roles", None, Outcome::Unknown, |read| read.nodes.a = None),
    ("versions_differ", None, Outcome::Pass, |_| {}),
    ("versions_differ", None, Outcome::Fail, |read| read.node(NodeId::B).version = "24.1.2".parse().unwrap()),
    ("builds_differ", None, Outcome::Pass, |read| read.node(NodeId::B).build = None),
    ("builds_differ", None, Outcome::Fail, |read| read.node(NodeId::B).build = Some("4712".to_owned())),
    ("sync_too_old", A, Outcome::Pass, |read| read.sync().at = now() - secs(600)),
    ("sync_too_old", A, Outcome::Fail, |read| read.sync().at = now() - secs(601)),
    ("sync_too_old", A, Outcome::Pass, |read| read.sync().at = now() + secs(60)),
    ("sync_too_old", A, Outcome::Fail, |read| read.sync().at = now() + secs(61)),
    ("sync_too_old", A, Outcome::Warn, |read| read.node(NodeId::A).last_sync = None),
    ("sync_too_old", None, Outcome::Unknown, |read| read.nodes.a = None),
    ("sync_failed", A, Outcome::Fail, |read| read.sync().ok = Some(false)),
    ("sync_status_unknown", A, Outcome::Warn, |read| read.sync().status = Some("done, mostly".to_owned())),
    ("traffic", None, Outcome::Pass, |_| {}),
    ("traffic", None, Outcome::Fail, |read| read.answers = [Some(NodeId::B); 2]),
    ("traffic", None, Outcome::Fail, |read| read.answers = [Some(NodeId::A), Some(NodeId::B)]),
    ("traffic", None, Outcome::Unknown, |read| read.deaf = true),
    ("agreement", None, Outcome::Pass, |_| {}),
    ("agreement", None, Outcome::Fail, |read| read.answers = [Some(NodeId::A), Some(NodeId::B)]),
    ("agreement", None, Outcome::Fail, |read| read.node(NodeId::B).role = Role::Primary),
    ("agreement", None, Outcome::Unknown, |read| read.deaf = true),
    ("agreement", None, Outcome::Unknown, |read| read.nodes.a = None),
    ("automatic_failover", None, Outcome::Person, |_| {}),
];

#[test]
fn bg_20_each_check_has_each_of_its_results() {
    for (name, node, expected, make) in CASES {
        let mut read = Read::new();
        make(&mut read);
        let checks = read.checks();
        let check = checks.iter().find(|check| check.name == *name && check.node == *node);
        let check = check.unwrap_or_else(|| panic!("no `{name}` {node:?} among {checks:?}"));
        assert_eq!(check.result, *expected, "{check:?}");
        assert!(!check.expected.is_empty() && !check.found.is_empty() && !check.remedy.is_empty(), "{check:?}");
        assert!(check.valid_until > check.at, "{check:?}");
    }
}

/// R1: what a wrong clock has dated says nothing of a sync's age, whatever its status is.
#[test]
fn r1_a_sync_of_the_future_is_not_young() {
    for status in ["success", "odd"] {
        let mut read = Read::new();
        *read.sync() = SyncFact { at: now() + secs(98_135_663), ok: Some(true), status: Some(status.to_owned()) };
        let checks = read.checks();
        let check = checks.iter().find(|check| check.name == "sync_too_old").unwrap_or_else(|| panic!("{checks:?}"));
        let found = format!("dated 98135663 s later than now by the daemon's clock, {status}");
        assert_eq!((check.result, &check.found, check.node), (Outcome::Fail, &found, A), "{check:?}");
    }
}

/// R1: nor does it prove that the pair is in sync, that a sync was had, or that a link was made by hand.
#[tokio::test(start_paused = true)]
async fn r1_a_sync_of_the_future_proves_nothing() {
    let stage = Stage::new();
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "window-1.force_sync.b").await;
    let run = stage.until(&id, |run| run.act.is_some()).await;
    let mut world = (*stage.fleet.ways(&id).await.unwrap().snapshot.world).clone();
    let before = world.readings[NodeId::A].current.clone().unwrap();
    let sync = SyncFact { at: world.now + secs(98_135_663), ok: Some(true), status: Some("success".to_owned()) };
    for minutes in 0..3 {
        let read = Observation { at: world.now + secs(60 * minutes), last_sync: Some(sync.clone()), ..before.clone() };
        world.readings[NodeId::A].take(Ok(read), world.now);
    }
    let check = run.plan.steps.iter().find(|step| step.id == "window-1.check_sync").unwrap();
    let proofs =
        [proof::of_look(&run, check, &world), proof::of_act(&run, run.step().unwrap(), run.act.as_ref().unwrap(), &world)];
    for proof in proofs {
        let Proof::Failed(failure) = proof else { panic!("{proof:?}") };
        assert_eq!((failure.code, failure.node), ("clock_skew", A), "{failure:?}");
        assert!(failure.message.ends_with(&format!("found one that is dated {}", sync.at)), "{failure:?}");
    }
}

/// Nothing is checked that the table doesn't know, and nothing stands in it that is never checked.
#[test]
fn the_table_of_checks_is_whole() {
    // Five rows are of a run only: see `nightly`, `traffic` and `backups`. Two more are tried with the soak: see `soak.rs`.
    let elsewhere = |name: &str| {
        matches!(
            name,
            "wrong_version" | "package_changed" | "certificate" | "licence" | "traffic_access" | "disk_space" | "lsid_change"
        )
    };
    let tried = |name: &str| CASES.iter().any(|(known, ..)| *known == name) || elsewhere(name);
    for row in checks::TABLE {
        assert!(tried(row.name), "{}", row.name);
        assert_eq!(checks::TABLE.iter().filter(|other| other.name == row.name).count(), 1, "{}", row.name);
    }
    for (.., make) in CASES {
        let mut read = Read::new();
        make(&mut read);
        for check in read.checks() {
            assert!(checks::row(check.name).is_some(), "{}", check.name);
        }
    }
}

/// What an acceptance and the nights compare does not move with the clock or with the people at work.
#[test]
fn a_basis_holds_no_age_and_no_count() {
    let basis = |checks: Vec<Check>| checks.into_iter().map(|check| (check.name, check.node, check.basis)).collect::<Vec<_>>();
    let mut later = Read::new();
    later.sync().at = now() - secs(400);
    (later.node(NodeId::A).users, later.node(NodeId::A).sessions) = (Some(70), Some(12));
    later.node(NodeId::B).clock_skew = Some(secs(3));
    assert_eq!(basis(Read::new().checks()), basis(later.checks()));
}
