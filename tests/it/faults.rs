//! Each act of both procedures × each way in which an act can fail.
//!
//! One table, one loop: whatever fails, the run comes to rest, no promise is broken, the alert is out, and once the fault is
//! over a person's `resume` is all it takes.

use changeover::domain::action::Kind;
use changeover::domain::ids::NodeId;
use changeover::domain::step::Step;
use changeover::engine::api::Fleet as _;
use changeover::simulator::faults::{Fault, Planned};

use crate::audit::assert_sound;
use crate::stage::{PROCEDURES, Setting, Stage};

/// How a fault shows.
struct Way {
    fault: Fault,
    for_ever: bool,
    /// The alert that must be out; none if the run masters it in silence.
    alert: Option<&'static str>,
    /// Whether the run needs a person.
    rests: bool,
}

const fn way(fault: Fault, for_ever: bool, alert: Option<&'static str>, rests: bool) -> Way {
    Way { fault, for_ever, alert, rests }
}

const WAYS: [Way; 7] = [
    way(Fault::Refused, false, Some("held"), true),
    way(Fault::NeverReached, false, None, false),
    way(Fault::NeverReached, true, Some("held"), true),
    way(Fault::AnswerLost, false, Some("in_doubt"), false),
    way(Fault::Slow, false, None, false),
    way(Fault::CachedOld, false, None, false),
    way(Fault::WrongBox, false, Some("held"), true),
];

/// The zone's TTL is short enough on this stage, so that these two prove themselves without an act; `ttl` strikes them.
fn is_idle(kind: Kind) -> bool {
    matches!(kind, Kind::LowerTtl | Kind::RestoreTtl)
}

/// The steps that act, each kind and node where it first occurs.
async fn acting_steps(procedure: &str) -> Vec<Step> {
    let stage = Stage::new();
    let plan = stage.fleet.plan(stage.request(procedure)).await.unwrap().plan;
    let mut steps: Vec<Step> = Vec::new();
    for step in plan.steps.iter().filter(|step| step.kind.acts() && !is_idle(step.kind)) {
        if !steps.iter().any(|known| known.kind == step.kind && known.node == step.node) {
            steps.push(step.clone());
        }
    }
    steps
}

fn has_files(kind: Kind) -> bool {
    matches!(kind, Kind::Backup | Kind::ExtractData)
}

/// In `by_operator` only files and traffic have an interface; wrong boxes answer everywhere.
fn applies(way: &Way, step: &Step, by_operator: bool) -> bool {
    let sent = !by_operator || has_files(step.kind) || step.kind == Kind::SwitchTraffic;
    // A file is in the answer: `cached-old` strikes readings, which prove nothing of it.
    way.fault == Fault::WrongBox || sent && !(way.fault == Fault::CachedOld && has_files(step.kind))
}

async fn plays(procedure: &str, step: &Step, way: &Way, setting: Setting) {
    let case = format!("{procedure}: {} {} (for ever: {})", way.fault, step.id, way.for_ever);
    let stage = Stage::set(setting);
    let node = step.node.unwrap_or(NodeId::A);
    let fault = Planned { times: (!way.for_ever).then_some(1), ..Planned::for_ever(way.fault).on(node) };
    match way.fault {
        Fault::WrongBox => {
            stage.at("step_begun", &step.id, move |world| world.plan_fault(Planned::for_ever(way_of_box()).on(node)))
        }
        _ => stage.fault(fault.act(step.kind.name())),
    }
    let id = stage.start(procedure).await;
    let rest = stage.to_rest(&id).await;
    assert_eq!(rest.end != "succeeded", way.rests, "{case}: {}\n{}", rest.end, stage.story(&id));
    assert_sound(&stage, &id, procedure, !way.rests, &case);
    let alerts = stage.alerts();
    assert!(way.alert.is_none_or(|alert| alerts.iter().any(|sent| sent == alert)), "{case}: {alerts:?}\n{}", stage.story(&id));
    if way.rests {
        let own = if step.kind == Kind::ForceSync { "sync_failed" } else { "step_failed" };
        let fits = way.fault == Fault::WrongBox || alerts.iter().any(|sent| sent == own);
        assert!(fits, "{case}: {alerts:?}\n{}", stage.story(&id));
        stage.mend();
        let (_, times) = stage.resume_to_end(&id).await;
        assert!(times <= 2, "{case}: {times} resumes\n{}", stage.story(&id));
        assert_sound(&stage, &id, procedure, true, &case);
    }
    let alarming = alerts.iter().any(|sent| sent == "held" || sent == "step_failed");
    assert_eq!(alarming, way.rests, "{case}: {alerts:?}");
}

fn way_of_box() -> Fault {
    Fault::WrongBox
}

async fn table(procedure: &str, setting: &Setting) {
    let steps = acting_steps(procedure).await;
    assert!(steps.len() >= 9, "{}", steps.len());
    for step in &steps {
        for way in WAYS.iter().filter(|way| applies(way, step, setting.options.by_operator)) {
            plays(procedure, step, way, setting.clone()).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_act_in_place_with_every_fault() {
    table(PROCEDURES[0], &Setting::default()).await;
}

#[tokio::test(start_paused = true)]
async fn every_act_of_a_role_swap_with_every_fault() {
    table(PROCEDURES[1], &Setting::default()).await;
}

#[tokio::test(start_paused = true)]
async fn every_act_in_place_by_hand_with_every_fault() {
    table(PROCEDURES[0], &Setting::by_operator()).await;
}

#[tokio::test(start_paused = true)]
async fn every_act_of_a_role_swap_by_hand_with_every_fault() {
    table(PROCEDURES[1], &Setting::by_operator()).await;
}
