//! The pair that the fake shows: what its site says, and what was read of it.

use changeover::domain::ids::{NodeId, PerNode};
use changeover::domain::site::{Node, Observation, Policy, Role, Site, SyncFact, TrafficAnswer, TrafficLook};
use changeover::domain::window::calendar::Calendar;
use changeover::domain::world::World;
use jiff::SignedDuration;

use super::START;

pub(super) fn site(name: &str) -> Site {
    let node = |id: NodeId| Node {
        identity: format!("appliance-{id}"),
        address: format!("192.0.2.{}", 10 * (id.index() + 1)).parse().unwrap(),
    };
    Site {
        name: name.to_owned(),
        service: format!("{name}.example.com"),
        procedure: Some("role-swap".to_owned()),
        nodes: PerNode::new(node),
        policy: Policy::default(),
        calendar: Calendar::default(),
    }
}

fn observation(node: NodeId) -> Observation {
    let primary = node == NodeId::A;
    Observation {
        at: START,
        identity: format!("appliance-{node}"),
        version: "24.1.1".parse().unwrap(),
        build: Some("4711".to_owned()),
        role: if primary { Role::Primary } else { Role::Standby },
        healthy: true,
        updating: false,
        last_sync: primary.then(|| SyncFact { at: START, ok: Some(true), status: Some("success".to_owned()) }),
        users: Some(3),
        sessions: Some(1),
        as_of: None,
        may_be_old: SignedDuration::ZERO,
        clock_skew: None,
        takes_clients: Some(true),
        certificate_until: None,
        licence_until: None,
        shared_ips: None,
        at_work: Vec::new(),
    }
}

pub(super) fn world(silent: bool) -> World {
    let mut world = World::new(START, true, SignedDuration::from_secs(10));
    for node in NodeId::BOTH {
        // Twice: that is what health is told from.
        for _ in 0..2 {
            let silent = silent && node == NodeId::B;
            let answer = if silent { Err("no answer from 192.0.2.20".to_owned()) } else { Ok(observation(node)) };
            world.readings[node].take(answer, START);
        }
    }
    let answer = TrafficAnswer {
        server: "ns1".to_owned(),
        name: "support.example.com".to_owned(),
        target: Some(NodeId::A),
        ttl: Some(60),
        found: "192.0.2.10".to_owned(),
        untold: false,
    };
    world.traffic.take(vec![Ok(TrafficLook::new(START, vec![answer]))]);
    world
}

/// As [`world`], without failover.
pub(super) fn unlinked() -> World {
    let mut world = world(false);
    for node in NodeId::BOTH {
        for _ in 0..2 {
            let seen = Observation { role: Role::Standalone, last_sync: None, ..observation(node) };
            world.readings[node].take(Ok(seen), START);
        }
    }
    world
}
