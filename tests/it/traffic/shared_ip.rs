//! A shared address: disabled on the old node, seen gone, only then enabled on the new one; never on both.

use std::net::IpAddr;
use std::sync::Arc;

use changeover::domain::event::Notice;
use changeover::domain::ids::{NodeId, PerNode};
use changeover::domain::run::{Phase, Run};
use changeover::domain::site::SharedOn;
use changeover::drivers::traffic::shared_ip::{Settings, SharedIp};
use changeover::engine::api::Fleet as _;
use changeover::ports::{Reader, Traffic};
use changeover::server::view::Status;
use changeover::simulator::inprocess::SimSite;
use changeover::simulator::world::identity_of;
use jiff::SignedDuration;

use crate::stage::{Entries, Setting, Stage, end};

const ADDRESS: &str = "192.0.2.30";

fn address() -> IpAddr {
    ADDRESS.parse().unwrap()
}

fn entry(site: &SimSite) -> Vec<Arc<dyn Traffic>> {
    let node = |node| Arc::new(site.appliance(node)) as Arc<dyn Reader>;
    let settings = Settings {
        site: "support".to_owned(),
        service: "support.example.com".to_owned(),
        address: address(),
        identities: PerNode::new(identity_of),
    };
    vec![Arc::new(SharedIp::new(settings, PerNode::new(node), site.clock.clone()))]
}

fn stage() -> Stage {
    let entries: Entries = Arc::new(entry);
    let stage = Stage::set(Setting { traffic: Some(entries), ..Setting::default() });
    put(&stage, NodeId::A, true);
    stage
}

/// A person at /appliance; users are where it is enabled.
fn put(stage: &Stage, node: NodeId, enabled: bool) {
    let mut world = stage.site.current();
    world.set_shared_ip(node, address(), enabled).unwrap();
    let on = NodeId::BOTH.into_iter().find(|node| world.node(*node).shared_ips.contains(&address()));
    world.set_leads_to(on);
}

fn is_on(stage: &Stage, node: NodeId) -> bool {
    stage.site.current().node(node).shared_ips.contains(&address())
}

fn told(run: &Run) -> Option<String> {
    Some(run.act.as_ref()?.instruction.as_ref()?.lines.join("\n"))
}

/// To the first instruction of the switch.
async fn to_switch(stage: &Stage) -> changeover::domain::ids::RunId {
    let id = stage.start("role-swap").await;
    stage.answered(&id, |run| told(run).is_some() || end(run).is_some()).await;
    assert_eq!(stage.run(&id).step().unwrap().id, "window-1.switch_traffic.b", "{}", stage.story(&id));
    id
}

#[tokio::test(start_paused = true)]
async fn r16_it_is_enabled_only_once_it_was_seen_gone() {
    let stage = stage();
    let id = to_switch(&stage).await;
    let first = told(&stage.run(&id)).unwrap();
    assert!(
        first.contains("disable the shared address 192.0.2.30") && first.contains("Do not enable it on node `b` yet"),
        "{first}"
    );
    stage.pass(SignedDuration::from_mins(10)).await;
    assert_eq!(told(&stage.run(&id)), Some(first), "nothing further before it is gone\n{}", stage.story(&id));
    put(&stage, NodeId::A, false);
    let run = stage.until(&id, |run| told(run).is_some_and(|told| told.contains("enable 192.0.2.30"))).await;
    assert_eq!(run.at().unwrap().attempts, 2, "{}", stage.story(&id));
    assert!(!is_on(&stage, NodeId::A) && !is_on(&stage, NodeId::B));
    let between = stage.fleet.run(&id).unwrap();
    assert_eq!(between.world.traffic.shared(), Some(SharedOn::Neither));
    let differs = Status::full(&between, stage.fleet.now()).guide.unwrap().differs;
    assert_eq!(differs, Vec::<String>::new(), "it is the plan's own moment");
    put(&stage, NodeId::B, true);
    let soaking = stage.answered(&id, |run| run.soak_from.is_some() || end(run).is_some()).await;
    assert_eq!((soaking.survivor, end(&soaking)), (NodeId::B, None), "{}", stage.story(&id));
    let rest = stage.to_rest(&id).await;
    assert_eq!(rest.end, "succeeded", "{}", stage.story(&id));
    assert_eq!((stage.truth().broken_promises.len(), stage.truth().sessions.gone), (0, 0));
}

/// A switch in doubt no longer goes by the plan: that the address is on neither node is told then.
#[tokio::test(start_paused = true)]
async fn r16_on_neither_is_told_once_the_switch_is_in_doubt() {
    let stage = stage();
    let id = to_switch(&stage).await;
    put(&stage, NodeId::A, false);
    stage.until(&id, |run| matches!(run.phase, Phase::InDoubt { .. })).await;
    let differs = Status::full(&stage.fleet.run(&id).unwrap(), stage.fleet.now()).guide.unwrap().differs;
    assert!(!differs.is_empty(), "{}", stage.story(&id));
}

/// Nobody is reached while it is on neither: a hold that is asked for there waits until the switch is done.
#[tokio::test(start_paused = true)]
async fn what_a_person_has_begun_is_finished_before_a_hold() {
    let stage = stage();
    let id = to_switch(&stage).await;
    put(&stage, NodeId::A, false);
    stage.until(&id, |run| told(run).is_some_and(|told| told.contains("enable 192.0.2.30"))).await;
    stage.word(&id, changeover::engine::api::Word::Hold).await.unwrap();
    assert!(told(&stage.run(&id)).is_some(), "{}", stage.story(&id));
    put(&stage, NodeId::B, true);
    let held = stage.until(&id, |run| end(run).is_some()).await;
    assert_eq!((end(&held).as_deref(), held.survivor), (Some("operator"), NodeId::B), "{}", stage.story(&id));
}

#[tokio::test(start_paused = true)]
async fn r16_enabled_on_both_holds_the_run_and_is_told() {
    for at_switch in [false, true] {
        let stage = stage();
        let id = if at_switch { to_switch(&stage).await } else { stage.start("role-swap").await };
        if !at_switch {
            stage.until(&id, |run| run.step().is_some_and(|step| step.id.starts_with("window-1"))).await;
        }
        put(&stage, NodeId::B, true);
        let held = stage.answered(&id, |run| end(run).is_some()).await;
        assert_eq!(end(&held).as_deref(), Some("shared_address_twice"), "{at_switch}\n{}", stage.story(&id));
        assert!(stage.alert_says("held", "disable the shared address on node `b` now"), "{at_switch}");
        assert!(stage.alert_says("held", "enabled on node a; enabled on node b"), "{at_switch}");
        put(&stage, NodeId::B, false);
        stage.pass(SignedDuration::from_mins(3)).await;
        stage.resume(&id).await.unwrap();
        stage.answered(&id, |run| !matches!(run.phase, Phase::Held(_)) && told(run).is_some()).await;
        assert!(!stage.run(&id).has_notice(Notice::RoleConflict, None), "{at_switch}");
    }
}

/// A node that is silent while it updates has not moved the address meanwhile; one that was never read is not guessed at.
#[tokio::test(start_paused = true)]
async fn a_silent_node_counts_as_it_was() {
    let stage = stage();
    let entry = entry(&stage.site).remove(0);
    let silent = changeover::simulator::faults::Planned {
        node: Some(NodeId::B),
        ..changeover::simulator::faults::Planned::for_ever(changeover::simulator::faults::Fault::NodeSilent)
    };
    stage.fault(silent);
    assert_eq!(entry.look().await.unwrap().target(), None, "never read");
    stage.mend();
    assert_eq!(entry.look().await.unwrap().target(), Some(NodeId::A));
    stage.fault(changeover::simulator::faults::Planned {
        node: Some(NodeId::B),
        ..changeover::simulator::faults::Planned::for_ever(changeover::simulator::faults::Fault::NodeSilent)
    });
    let look = entry.look().await.unwrap();
    assert_eq!(look.target(), Some(NodeId::A), "{look:?}");
    assert!(look.answers[0].found.contains("it was disabled there"), "{look:?}");
}
