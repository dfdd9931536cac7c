//! What a run makes of a node that does not let itself be read, and of one that is silent because it updates.

use changeover::domain::checks;
use changeover::domain::decide::{Next, decide};
use changeover::domain::event::{Baseline, Event, Notice, WaitingOn};
use changeover::domain::ids::NodeId;
use changeover::domain::run::Run;
use changeover::domain::site::Policy;
use changeover::domain::surprise::is_untouched;
use changeover::domain::watch::silence;
use changeover::domain::world::World;
use changeover::domain::{alert, machine};
use changeover::drivers::appliance::beyondtrust::{
    Accounts, BeyondTrust, Credentials, Editions, Limits, Peer, Product, Settings, Share,
};
use changeover::drivers::tls::TlsTrust;
use changeover::engine::api::Fleet as _;
use changeover::ports::{ActAnswer, Appliance as _, Intent, NodeAct};
use changeover::server::view::Guide;
use changeover::simulator::faults::{Fault, Planned};
use changeover::simulator::inprocess::VirtualClock;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

use crate::api::fake::Fake;
use crate::stage::{Setting, Stage};

const WHY: &str = "access is refused since 02:00 for account `x`";

/// A run at this step, its instruction out, and a world in which node b refuses every look from then on, each half minute.
fn refused(step: &str, minutes: i64) -> (Arc<Run>, World) {
    let fake = Fake::default();
    let id = fake.run_at(step);
    fake.push(&id, Event::StepBegun { attempt: 1, baseline: Baseline::default() });
    fake.push(&id, Event::Instructed { number: 1, lines: vec!["do it".to_owned()], not_after: None });
    let run = fake.run(&id).unwrap().run;
    let mut world = World::new(run.last_at, true, SignedDuration::ZERO);
    for half in 0..=minutes * 2 {
        world.now = run.last_at + SignedDuration::from_secs(30) * i32::try_from(half).unwrap();
        world.readings[NodeId::B].refused(WHY.to_owned(), world.now);
    }
    (run, world)
}

fn noticed(run: &Run, world: &World) -> (Notice, bool, String) {
    match decide(run, world) {
        Next::Record { event: Event::Noticed { notice, raised, message, .. }, .. } => (notice, raised, message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn access_that_is_refused_is_told_at_once_and_is_no_silence() {
    for minutes in [0, 1, 60] {
        let (run, world) = refused("window-1.update.b", minutes);
        let (notice, raised, message) = noticed(&run, &world);
        assert_eq!((notice, raised), (Notice::AccessRefused, true), "{minutes}: {message}");
        assert!(message.contains("can't tell how node `b` is") && message.contains(WHY), "{message}");
        let event = Event::Noticed { notice, node: Some(NodeId::B), raised, message };
        let (told, _) = machine::next(&run, &event, world.now).unwrap();
        assert!(alert::hint_of("access_refused", &told).contains("API Configuration"));
        let next = decide(&told, &world);
        let silence = matches!(&next, Next::Record { event: Event::Noticed { notice: Notice::NodeUnreachable, .. }, .. });
        assert!(!silence, "{minutes}: {next:?}");
        assert_eq!(world.readings[NodeId::B].silent_for(world.now), SignedDuration::ZERO);
    }
}

#[test]
fn whose_move_it_is_while_a_run_waits_for_a_node_that_refuses_access() {
    let (run, world) = refused("window-1.update.b", 1);
    let waits = Event::Waited { on: WaitingOn::Appliance, until: None };
    let (waiting, _) = machine::next(&run, &waits, world.now).unwrap();
    assert_eq!(Guide::of(&waiting, &world).whose_move, "appliance");
    let notice =
        |raised| Event::Noticed { notice: Notice::AccessRefused, node: Some(NodeId::B), raised, message: WHY.to_owned() };
    let (told, _) = machine::next(&waiting, &notice(true), world.now).unwrap();
    let guide = Guide::of(&told, &world);
    assert_eq!(guide.whose_move, "person", "{guide:?}");
    assert!(guide.why.ends_with("and node `b` refuses access"), "{guide:?}");
    assert!(guide.unblocks.contains("API Configuration") && guide.unblocks.contains("changeover resume"), "{guide:?}");
    let (mended, _) = machine::next(&told, &notice(false), world.now).unwrap();
    assert_eq!(Guide::of(&mended, &world).whose_move, "appliance");
}

#[test]
fn a_silence_ends_with_a_refusal_and_no_answer_at_all_does_not_end_the_refusal() {
    let (run, mut world) = refused("window-1.update.b", 1);
    let (notice, raised, message) = noticed(&run, &world);
    let (told, _) = machine::next(&run, &Event::Noticed { notice, node: Some(NodeId::B), raised, message }, world.now).unwrap();
    world.readings[NodeId::B].take(Err("no route to it".to_owned()), world.now);
    let over = matches!(decide(&told, &world), Next::Record { event: Event::Noticed { notice: Notice::AccessRefused, .. }, .. });
    assert!(!over, "it may be refused still");
    let silent_since = world.now;
    world.now += SignedDuration::from_mins(3);
    world.readings[NodeId::B].refused(WHY.to_owned(), world.now);
    assert_eq!(world.readings[NodeId::B].last_silence, Some((silent_since, world.now)));
}

#[test]
fn a_refusal_is_no_sign_that_a_person_has_begun_an_update() {
    let (run, mut world) = refused("window-1.update.b", 1);
    assert!(is_untouched(&run, &world));
    world.readings[NodeId::B].take(Err("connection refused".to_owned()), world.now);
    assert!(!is_untouched(&run, &world), "silence is one");
}

#[test]
fn a_check_tells_refusal_and_silence_apart() {
    let (run, world) = refused("window-1.update.b", 1);
    let names: Vec<&str> = checks::of_run(&run, &world).iter().map(|check| check.name).collect();
    assert!(names.contains(&"access_refused") && names.contains(&"node_unreachable"), "{names:?}");
}

/// BG-03: an appliance that is silent for an hour while it updates is healthy.
#[tokio::test(start_paused = true)]
async fn bg_03_an_hour_of_silence_during_an_update_is_no_news() {
    let setting = Setting::default();
    let policy = Policy { max_silence: SignedDuration::from_mins(5), ..setting.policy.clone() };
    let stage =
        Stage::set(Setting { policy, first: "now +12h".to_owned(), second: "2026-11-24T07:00:00Z +12h".to_owned(), ..setting });
    stage.at("step_begun", "window-1.update.b", |world| world.plan_fault(Planned::for_ever(Fault::UpdateSlow).on(NodeId::B)));
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "window-1.update.b").await;
    let told = Arc::new(std::sync::Mutex::new((0, SignedDuration::ZERO)));
    loop {
        let snapshot = stage.fleet.run(&id).unwrap();
        if snapshot.run.step().is_none_or(|step| step.id != "window-1.update.b") {
            break;
        }
        let (run, world) = (&snapshot.run, &snapshot.world);
        assert!(run.hold().is_none() && !run.has_notice(Notice::NodeUnreachable, Some(NodeId::B)), "{}", stage.story(&id));
        let silent = world.readings[NodeId::B].silent_for(world.now);
        if let Some(text) = silence::told(run, NodeId::B, world).filter(|_| silent > SignedDuration::ZERO && run.act.is_some()) {
            let words = ["silent since", "normal up to", "`policy.limits.update`", "15 minutes to 1 hour", "do not restart it"];
            assert!(words.iter().all(|word| text.contains(word)), "{text}");
            let mut told = told.lock().unwrap();
            *told = (told.0 + 1, told.1.max(silent));
        }
        stage.pass(SignedDuration::from_secs(60)).await;
    }
    let (times, longest) = *told.lock().unwrap();
    assert!(times > 10 && longest >= SignedDuration::from_mins(45), "{times} {longest}\n{}", stage.story(&id));
    assert!(!stage.alerts().iter().any(|alert| alert == "node_unreachable" || alert == "held"), "{:?}", stage.alerts());
}

/// No act of ours restarts an appliance, and nobody is asked to: where an instruction speaks of it, it forbids it.
#[tokio::test(start_paused = true)]
async fn nothing_restarts_an_appliance() {
    let clock = Arc::new(VirtualClock::new(Timestamp::UNIX_EPOCH));
    let settings = Settings {
        site: "support".to_owned(),
        node: NodeId::A,
        url: "https://127.0.0.1:1/".parse().unwrap(),
        address: "127.0.0.1".parse().unwrap(),
        service: "support.example.com".to_owned(),
        identity: "4fa1c6e27d0b4b1e9a3c58d2e6f70a11".to_owned(),
        credentials: Credentials::client("id", "secret".into()),
        second: None,
        accounts: Arc::new(Accounts::new(Share::default(), clock.clone())),
        tls: TlsTrust::System,
        peer: Peer {
            url: "https://127.0.0.2/".parse().unwrap(),
            identity: "9be03d5518c94f7fa6d1e27b40c8f322".to_owned(),
            console: None,
        },
        editions: Editions::Auto,
        limits: Limits::default(),
        backup_password: None,
        product: Product::default(),
        recordings: true,
        console: None,
    };
    let driver = BeyondTrust::new(settings, clock).unwrap();
    let target = "24.2.1".parse().unwrap();
    let acts = [
        NodeAct::ForceSync { from: NodeId::A, to: NodeId::B },
        NodeAct::BreakFailover,
        NodeAct::Update { package: "/p.bin".into(), sha256: "0".repeat(64), target },
        NodeAct::EstablishFailover { primary: NodeId::A, standby: NodeId::B },
        NodeAct::Drain { deadline: Timestamp::UNIX_EPOCH },
        NodeAct::Quiesce,
        NodeAct::Reopen,
    ];
    for act in acts {
        let intent = Intent {
            site: "support".to_owned(),
            run: "support-7".parse().unwrap(),
            step: "window-1.update.a".to_owned(),
            attempt: 1,
            key: "support-7/window-1.update.a/1".to_owned(),
            since: Timestamp::UNIX_EPOCH,
            limit: SignedDuration::from_mins(30),
        };
        let ActAnswer::ByOperator { instructions } = driver.act(&intent, &act).await else { panic!("{act:?}") };
        let speaks = |line: &&String| ["restart", "reboot", "switch off"].iter().any(|word| line.to_lowercase().contains(word));
        let orders: Vec<&String> = instructions.iter().filter(speaks).filter(|line| !line.contains("DO NOT ")).collect();
        assert!(orders.is_empty(), "{}: {orders:?}", act.verb());
        let forbids = instructions.iter().any(|line| line.contains("DO NOT restart"));
        assert!(forbids || !matches!(act, NodeAct::Update { .. }), "{instructions:?}");
    }
}
