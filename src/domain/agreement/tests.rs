use super::*;
use crate::domain::site::{TrafficAnswer, TrafficLook};
use jiff::SignedDuration;

fn traffic(targets: &[Option<NodeId>], identity: Option<&str>) -> TrafficReading {
    let answer = |(index, target): (usize, &Option<NodeId>)| TrafficAnswer {
        server: format!("ns{}", index + 1),
        name: "support.example.com".to_owned(),
        target: *target,
        ttl: target.map(|_| 60),
        found: target.map_or_else(|| "no answer".to_owned(), |node| format!("node {node}")),
        untold: target.is_none(),
    };
    let answers = targets.iter().enumerate().map(answer).collect();
    let look = TrafficLook { serving_identity: identity.map(str::to_owned), ..TrafficLook::new(Timestamp::UNIX_EPOCH, answers) };
    let mut reading = TrafficReading::default();
    reading.take(vec![Ok(look)]);
    reading
}

fn nodes(a: Opinion, b: Opinion) -> PerNode<Witness> {
    let witness = |opinion| Witness { opinion, says: String::new(), at: None };
    PerNode { a: witness(a), b: witness(b) }
}

#[test]
fn the_verdict_over_all_witnesses() {
    use Opinion::{DoesNot, MayServe, Refuses, Serves, Untold};
    let (a, b, none) = (Some(NodeId::A), Some(NodeId::B), None);
    let agreed = |node| Verdict::Agreed { node };
    let cases = [
        (Serves, DoesNot, vec![a, a], Some("box-a"), agreed(NodeId::A)),
        (Serves, DoesNot, vec![a], None, agreed(NodeId::A)),
        (MayServe, MayServe, vec![b, b], Some("box-b"), agreed(NodeId::B)),
        (DoesNot, MayServe, vec![b], Some("box-b"), agreed(NodeId::B)),
        (Untold, MayServe, vec![b], None, agreed(NodeId::B)),
        (Serves, DoesNot, vec![a, b], None, Verdict::Partly),
        (MayServe, MayServe, vec![a, b, none], Some("box-a"), Verdict::Partly),
        (Serves, DoesNot, vec![b], None, Verdict::Disputed),
        (Serves, Serves, vec![a], None, Verdict::Disputed),
        (Serves, Refuses, vec![a], None, Verdict::Disputed),
        (Refuses, DoesNot, vec![a], None, Verdict::Disputed),
        (DoesNot, MayServe, vec![a], None, Verdict::Disputed),
        (MayServe, MayServe, vec![b], Some("box-a"), Verdict::Disputed),
        (Serves, DoesNot, vec![a], Some("box-x"), Verdict::Disputed),
        (Serves, DoesNot, vec![none], None, Verdict::Untold),
        (Serves, DoesNot, vec![], None, Verdict::Untold),
        (Untold, DoesNot, vec![a], None, Verdict::Untold),
    ];
    let identities = PerNode { a: "box-a", b: "box-b" };
    for (at_a, at_b, targets, identity, expected) in cases {
        let traffic = traffic(&targets, identity);
        let nodes = nodes(at_a, at_b);
        let found = verdict(&nodes, &traffic, &behind(&traffic, &identities));
        assert_eq!(found, expected, "{nodes:?} {targets:?} {identity:?}");
    }
}

#[test]
fn the_line_names_every_witness_with_its_age() {
    let mut world = World::new(Timestamp::UNIX_EPOCH + SignedDuration::from_secs(7), true, SignedDuration::ZERO);
    world.traffic = traffic(&[Some(NodeId::A), Some(NodeId::A)], Some("box-a"));
    let line = of(&world, &PerNode { a: "box-a", b: "box-b" }).line(world.now);
    for part in ["node a: not read", "node b: not read", "node a on 2 of 2 servers (7s ago)", "box box-a of node a"] {
        assert!(line.contains(part), "{part}: {line}");
    }
}
