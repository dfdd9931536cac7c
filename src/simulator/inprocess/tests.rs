//! The in-process ports in virtual time.

use std::path::PathBuf;

use super::*;
use crate::domain::site::Role;
use crate::ports::{Appliance, NodeAct, ReadError, Reader as _, Recall, Traffic, TrafficReader as _};
use crate::simulator::faults::Planned;
use crate::simulator::world::WorldOptions;

fn start() -> Timestamp {
    "2026-11-22T01:00:00Z".parse().unwrap()
}

fn site(options: InProcessOptions) -> SimSite {
    let world = World::new(WorldOptions::new(start(), "24.1.1".parse().unwrap(), "24.2.1".parse().unwrap()));
    SimSite::new(world, Arc::new(VirtualClock::new(start())), options)
}

fn uncached() -> InProcessOptions {
    InProcessOptions { cache_time: SignedDuration::ZERO, ..InProcessOptions::default() }
}

fn intent(site: &SimSite) -> Intent {
    Intent {
        site: "support".into(),
        run: "support-1".parse().unwrap(),
        step: "window-1.act".into(),
        attempt: 1,
        key: "support-1/window-1.act/1".into(),
        since: site.clock.now(),
        limit: SignedDuration::from_mins(10),
    }
}

fn update() -> NodeAct {
    NodeAct::Update { package: PathBuf::from("p.nss"), sha256: String::new(), target: "24.2.1".parse().unwrap() }
}

async fn pass(site: &SimSite, seconds: i64) {
    site.clock.sleep_until(site.clock.now() + SignedDuration::from_secs(seconds)).await;
}

fn kind(answer: &ActAnswer) -> &'static str {
    match answer {
        ActAnswer::Accepted { .. } => "accepted",
        ActAnswer::Refused { .. } => "refused",
        ActAnswer::Transient { .. } => "transient",
        ActAnswer::Ambiguous { .. } => "ambiguous",
        ActAnswer::ByOperator { .. } => "by operator",
    }
}

#[tokio::test(start_paused = true)]
async fn the_virtual_clock_skips_the_waiting() {
    let clock = VirtualClock::new(start());
    let until = start() + SignedDuration::from_hours(24 * 14);
    clock.sleep_until(until).await;
    assert!(clock.now() >= until && clock.now().duration_since(until) < SignedDuration::from_secs(1), "{}", clock.now());
    clock.sleep_until(start()).await;
}

#[tokio::test(start_paused = true)]
async fn a_whole_role_swap_by_the_ports() {
    let site = site(uncached());
    let (a, b, traffic) = (site.appliance(NodeId::A), site.appliance(NodeId::B), site.traffic());
    let order = async |node: &SimAppliance, act: NodeAct, seconds: i64| {
        let answer = node.act(&intent(&site), &act).await;
        assert_eq!(answer, ActAnswer::accepted(), "{}", act.verb());
        pass(&site, seconds).await;
    };
    let (from, to) = (NodeId::A, NodeId::B);
    order(&b, NodeAct::ForceSync { from, to }, 60).await;
    assert!(a.observe().await.unwrap().last_sync.unwrap().at > start());
    order(&a, NodeAct::BreakFailover, 60).await;
    order(&b, update(), 2400).await;
    order(&a, NodeAct::Drain { deadline: site.clock.now() }, 1200).await;
    order(&a, NodeAct::Quiesce, 0).await;
    assert_eq!(traffic.switch(&intent(&site), from, to).await, ActAnswer::accepted());
    assert_eq!(traffic.look().await.unwrap().target(), Some(to));
    order(&a, update(), 2400).await;
    order(&b, NodeAct::EstablishFailover { primary: to, standby: from }, 180).await;
    let (seen_a, seen_b) = (a.observe().await.unwrap(), b.observe().await.unwrap());
    assert_eq!((seen_a.role, seen_b.role), (Role::Standby, Role::Primary));
    assert_eq!((seen_a.version, seen_a.build), (seen_b.version, seen_b.build));
    assert_eq!((seen_a.takes_clients, seen_b.takes_clients), (Some(false), Some(true)));
    let truth = site.current().truth();
    assert_eq!((truth.broken_promises, truth.sessions.interrupted, truth.sessions.gone), (vec![], 0, 0));
    // Between close and switch the name led to a closed node; virtual time stood still meanwhile.
    assert_eq!(truth.longest_gap_ms, 0);
    assert_eq!((site.calls.of("update", Some(NodeId::A)), site.calls.of("switch_traffic", None)), (1, 1));
    assert_eq!(a.recall(&intent(&site)).await, Recall::MayBeSent);
}

#[tokio::test(start_paused = true)]
async fn faults_of_acts_do_what_their_sentences_say() {
    // The answer, whether the act took effect, and how many seconds it took.
    let cases = [
        (Fault::Refused, "refused", false, 0),
        (Fault::NeverReached, "transient", false, 0),
        (Fault::AnswerLost, "ambiguous", true, 0),
        (Fault::Slow, "accepted", true, 300),
        (Fault::WrongBox, "refused", false, 0),
        (Fault::NodeSilent, "transient", false, 0),
    ];
    for (fault, expected, effect, seconds) in cases {
        let site = site(uncached());
        site.current().plan_fault(Planned::once(fault).on(NodeId::A));
        let begun = site.clock.now();
        let answer = site.appliance(NodeId::A).act(&intent(&site), &NodeAct::BreakFailover).await;
        assert_eq!(kind(&answer), expected, "{fault}: {answer:?}");
        assert_eq!(site.clock.now().duration_since(begun).as_secs(), seconds, "{fault}");
        pass(&site, 60).await;
        assert_eq!(site.current().node(NodeId::A).role == Role::Standalone, effect, "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_beyond_the_limit_is_ambiguous() {
    let site = site(uncached());
    site.current().plan_fault(Planned::once(Fault::Slow));
    let short = Intent { limit: SignedDuration::from_secs(20), ..intent(&site) };
    let answer = site.appliance(NodeId::A).act(&short, &NodeAct::BreakFailover).await;
    assert_eq!((kind(&answer), site.clock.now()), ("ambiguous", start() + SignedDuration::from_secs(20)));
}

#[tokio::test(start_paused = true)]
async fn readings_are_cached_and_say_so() {
    let site = site(InProcessOptions::default());
    let a = site.appliance(NodeId::A);
    assert_eq!(a.observe().await.unwrap().role, Role::Primary);
    a.act(&intent(&site), &NodeAct::BreakFailover).await;
    pass(&site, 30).await;
    let cached = a.observe().await.unwrap();
    assert_eq!((cached.role, cached.may_be_old), (Role::Primary, a.cache_time()));
    assert!(!cached.is_after(start()));
    pass(&site, 31).await;
    assert_eq!(a.observe().await.unwrap().role, Role::Standalone);
}

#[tokio::test(start_paused = true)]
async fn cached_old_shows_the_time_before_the_act_even_of_a_silent_box() {
    let site = site(InProcessOptions::default());
    let a = site.appliance(NodeId::A);
    site.current().plan_fault(Planned::once(Fault::CachedOld).act("update"));
    assert_eq!(kind(&a.act(&intent(&site), &update()).await), "accepted");
    pass(&site, 59).await;
    assert_eq!(a.observe().await.unwrap().version.as_str(), "24.1.1");
    pass(&site, 2).await;
    assert!(matches!(a.observe().await, Err(ReadError::Transient(_))));
}

#[tokio::test(start_paused = true)]
async fn the_wrong_box_shows_its_own_identity() {
    let site = site(uncached());
    site.current().plan_fault(Planned::for_ever(Fault::WrongBox).on(NodeId::A));
    let seen = [site.appliance(NodeId::A).observe().await.unwrap(), site.appliance(NodeId::B).observe().await.unwrap()];
    assert_eq!(seen[0].identity, seen[1].identity);
    let look = site.traffic().look().await.unwrap();
    assert_eq!(look.serving_identity.as_ref(), Some(&seen[1].identity));
}

#[tokio::test(start_paused = true)]
async fn bg_01_backups_and_extractions_lie_where_they_were_asked_for() {
    let site = site(uncached());
    pass(&site, 7200).await;
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("deep");
    let a = site.appliance(NodeId::A);
    let extract = NodeAct::ExtractData { since: start(), until: site.clock.now(), directory: directory.clone() };
    for act in [NodeAct::Backup { directory: directory.clone() }, extract] {
        let ActAnswer::Accepted { files, records, .. } = a.act(&intent(&site), &act).await else { panic!("{}", act.verb()) };
        let body = std::fs::read(&files[0].path).unwrap();
        assert_eq!((files.len(), files[0].bytes), (1, body.len() as u64));
        assert!(files[0].path.starts_with(&directory));
        assert_eq!(files[0].sha256, crate::domain::journal::hex(&<sha2::Sha256 as sha2::Digest>::digest(&body)));
        assert_eq!(records.is_some(), act.verb() == "extract_data");
        assert!(records.is_none_or(|records| records > 0));
    }
    let truth = site.current().truth();
    assert!(truth.sessions.records.iter().all(|record| record.handed_out || record.end.is_none()));
}

#[tokio::test(start_paused = true)]
async fn data_faults_reach_the_ports() {
    let site = site(uncached());
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().to_owned();
    let a = site.appliance(NodeId::A);
    for fault in [Fault::ExtractError, Fault::BackupEmpty] {
        site.current().plan_fault(Planned::once(fault));
    }
    let extract = NodeAct::ExtractData { since: start(), until: start(), directory: directory.clone() };
    assert_eq!(kind(&a.act(&intent(&site), &extract).await), "refused");
    let ActAnswer::Accepted { files, .. } = a.act(&intent(&site), &NodeAct::Backup { directory }).await else { panic!() };
    assert_eq!(files[0].bytes, 0);
}

#[tokio::test(start_paused = true)]
async fn traffic_moves_only_from_where_it_is() {
    let site = site(uncached());
    let traffic = site.traffic();
    assert_eq!(kind(&traffic.switch(&intent(&site), NodeId::B, NodeId::A).await), "refused");
    site.current().plan_fault(Planned::once(Fault::CachedOld).act("switch_traffic"));
    assert_eq!(kind(&traffic.switch(&intent(&site), NodeId::A, NodeId::B).await), "accepted");
    assert_eq!(traffic.look().await.unwrap().target(), Some(NodeId::A), "an old answer");
    assert_eq!(site.current().leads_to(), Some(NodeId::B));
    pass(&site, 61).await;
    assert_eq!(traffic.look().await.unwrap().target(), Some(NodeId::B));
}

#[tokio::test(start_paused = true)]
async fn what_has_no_interface_is_left_to_a_person_if_so_set_up() {
    let site = site(InProcessOptions { by_operator: true, ..uncached() });
    let a = site.appliance(NodeId::A);
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(kind(&a.act(&intent(&site), &NodeAct::BreakFailover).await), "by operator");
    assert_eq!(kind(&a.act(&intent(&site), &NodeAct::Backup { directory: folder.path().into() }).await), "accepted");
    site.current().perform("break_failover", NodeId::A, None).unwrap();
    pass(&site, 60).await;
    assert_eq!(a.observe().await.unwrap().role, Role::Standalone);
}
