//! The scenes of which journals are kept: whole runs and unfinished ones, in virtual time.

use changeover::domain::ids::{NodeId, RunId};
use changeover::domain::journal::{Entry, Record};
use changeover::engine::api::Word;
use changeover::engine::outbox::Undelivered as _;
use changeover::simulator::faults::{Fault, Planned};
use changeover::simulator::inprocess::Zone;
use jiff::SignedDuration;

use super::home;
use crate::stage::{Setting, Stage};

/// Each scene's name and records.
pub async fn all() -> Vec<(&'static str, Vec<Record>)> {
    vec![
        ("in-place", undisturbed("in-place", Setting::default()).await),
        ("role-swap", undisturbed("role-swap", Setting::default()).await),
        ("in-place-by-hand", undisturbed("in-place", Setting::by_operator()).await),
        ("role-swap-by-hand", undisturbed("role-swap", Setting::by_operator()).await),
        ("switch-back", switch_back().await),
        ("new-window", new_window().await),
        ("in-doubt", in_doubt().await),
        ("doubt-settled", doubt_settled().await),
        ("sync-failed", sync_failed().await),
        ("odd-status-accepted", odd_status_accepted().await),
        ("never-reached", never_reached().await),
        ("waits-for-operator", waits_for_operator().await),
        ("silent-node", silent_node().await),
        ("rejected", rejected().await),
        ("restarted", restarted().await),
        ("window-missed", window_missed().await),
        ("aborted", home::aborted().await),
        ("aborted-by-hand", home::aborted_by_hand().await),
        ("harbour", home::harbour().await),
        ("closed", home::closed().await),
        ("node-replaced", home::node_replaced().await),
        ("adopted", home::adopted().await),
        ("ttl-lowered-and-restored", undisturbed("role-swap", ttl()).await),
        ("ttl-raised-by-somebody", ttl_raised().await),
        ("ttl-left-low", ttl_left_low().await),
        ("crossing-10-6", undisturbed("role-swap", Setting { versions: ("10.5.2", "10.6.1"), ..ttl() }).await),
    ]
}

/// A name that is remembered for two hours, and windows long enough to wait for that.
fn ttl() -> Setting {
    let zone = Zone { ttls: vec![Some(7200)], ..Zone::default() };
    let second = "2026-11-24T07:00:00Z +4h".to_owned();
    Setting { zone, first: "now +12h".to_owned(), second, ..Setting::default() }
}

/// The proof of the low TTL lapses, and it is lowered once more.
async fn ttl_raised() -> Vec<Record> {
    let stage = Stage::set(ttl());
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "window-1.update.b").await;
    stage.site.zone().set(9000);
    assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
    assert_eq!(stage.count(&id, "step_done", "prepare.lower_ttl"), 2, "{}", stage.story(&id));
    kept(&stage, &id)
}

/// Closed by a person while the name is remembered for a minute only.
async fn ttl_left_low() -> Vec<Record> {
    let stage = Stage::set(ttl());
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "soak.confirm").await;
    stage.word(&id, crate::close::close()).await.unwrap();
    kept(&stage, &id)
}

async fn undisturbed(procedure: &str, setting: Setting) -> Vec<Record> {
    let stage = Stage::set(setting);
    let id = stage.start(procedure).await;
    assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
    kept(&stage, &id)
}

async fn switch_back() -> Vec<Record> {
    let stage = Stage::new();
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "soak.confirm").await;
    stage.word(&id, Word::SwitchBack { note: "the new version prints nothing".to_owned() }).await.unwrap();
    assert_eq!(stage.to_rest(&id).await.end, "switched_back", "{}", stage.story(&id));
    kept(&stage, &id)
}

/// Held for days between the sync and the break: another window, and both the sync and the backups once more.
async fn new_window() -> Vec<Record> {
    let stage = Stage::set(Setting { second: "2026-11-26T07:00:00Z +5h".to_owned(), ..Setting::default() });
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "window-1.force_sync.b").await;
    stage.word(&id, Word::Hold).await.unwrap();
    stage.to_rest(&id).await;
    stage.pass(SignedDuration::from_hours(3 * 24)).await;
    stage.word(&id, Word::Resume { window: Some("now +5h".to_owned()) }).await.unwrap();
    assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
    assert_eq!(stage.count(&id, "step_done", "window-1.force_sync.b"), 2, "{}", stage.story(&id));
    kept(&stage, &id)
}

/// The answer to an update is lost and its effect never comes.
async fn in_doubt() -> Vec<Record> {
    let stage = Stage::new();
    stage.fault(Planned::once(Fault::AnswerLost).on(NodeId::B).act("update"));
    stage.fault(Planned::for_ever(Fault::UpdateSlow).on(NodeId::B));
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "window-1.update.b").await;
    stage.until(&id, |run| matches!(run.phase, changeover::domain::run::Phase::InDoubt { .. })).await;
    kept(&stage, &id)
}

/// The answer to the break is lost; a reading settles it.
async fn doubt_settled() -> Vec<Record> {
    let stage = Stage::new();
    stage.fault(Planned::once(Fault::AnswerLost).on(NodeId::A).act("break_failover"));
    let id = stage.start("role-swap").await;
    assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
    kept(&stage, &id)
}

async fn sync_failed() -> Vec<Record> {
    let stage = Stage::new();
    stage.fault(Planned::for_ever(Fault::SyncStuck));
    let id = stage.start("in-place").await;
    assert_eq!(stage.to_rest(&id).await.end, "sync_failed", "{}", stage.story(&id));
    kept(&stage, &id)
}

async fn odd_status_accepted() -> Vec<Record> {
    let stage = Stage::new();
    stage.fault(Planned::once(Fault::SyncOddStatus));
    let id = stage.start("in-place").await;
    assert_eq!(stage.to_rest(&id).await.end, "sync_status_unknown", "{}", stage.story(&id));
    stage.accept(&id, Some("sync_status")).await.unwrap();
    stage.to_rest(&id).await;
    kept(&stage, &id)
}

/// An order never arrives and is tried again.
async fn never_reached() -> Vec<Record> {
    let stage = Stage::new();
    let planned = Planned { times: Some(2), ..Planned::once(Fault::NeverReached).on(NodeId::B) };
    stage.fault(planned);
    let id = stage.start("role-swap").await;
    assert_eq!(stage.to_rest(&id).await.end, "succeeded", "{}", stage.story(&id));
    kept(&stage, &id)
}

async fn waits_for_operator() -> Vec<Record> {
    let stage = Stage::set(Setting::by_operator());
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "window-1.break_failover.a").await;
    stage.until(&id, |run| run.act.as_ref().is_some_and(|act| act.instruction.is_some())).await;
    kept(&stage, &id)
}

/// A node falls silent in the soak, is noticed, and comes back.
async fn silent_node() -> Vec<Record> {
    let stage = Stage::new();
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "soak.confirm").await;
    stage.fault(Planned::for_ever(Fault::NodeSilent).on(NodeId::A));
    stage.pass(SignedDuration::from_hours(1)).await;
    stage.mend();
    stage.pass(SignedDuration::from_mins(20)).await;
    kept(&stage, &id)
}

async fn rejected() -> Vec<Record> {
    let stage = Stage::new();
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "soak.confirm").await;
    stage.until(&id, |run| run.open_gate().is_some()).await;
    let (verdict, note) = (changeover::domain::event::Verdict::Reject, Some("it prints nothing".to_owned()));
    stage.word(&id, Word::Confirm { gate: Some("production".to_owned()), verdict, note, evidence: None }).await.unwrap();
    kept(&stage, &id)
}

/// The daemon came up again in the soak.
async fn restarted() -> Vec<Record> {
    let mut stage = Stage::new();
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "soak.confirm").await;
    stage.restart();
    stage.until(&id, |run| run.resumed == 1).await;
    kept(&stage, &id)
}

/// Nobody answers in the first window, and nobody hears of it.
async fn window_missed() -> Vec<Record> {
    let stage = Stage::new();
    let id = stage.start("in-place").await;
    stage.until(&id, |run| run.open_gate().is_some()).await;
    assert_eq!(stage.idle_to_rest(&id).await.end, "window_missed", "{}", stage.story(&id));
    let alert = stage.journal.outbox.lock().unwrap().iter().rfind(|item| item.hook == "ops").cloned().unwrap();
    stage.fleet.on_undelivered(&alert, "no route to the hook").await;
    assert_eq!(stage.records(&id).last().unwrap().event, "undelivered");
    kept(&stage, &id)
}

/// The run's records with the test's own folder replaced by a plain one, chained anew.
pub fn kept(stage: &Stage, id: &RunId) -> Vec<Record> {
    let folder = stage.folder.path().display().to_string();
    let plain = |text: &str| text.replace(&folder, "/var/lib/changeover");
    stage.records(id).into_iter().fold(Vec::new(), |mut kept, record| {
        let Record { at, actor, event, step, reason, data, .. } = record;
        let data = serde_json::from_str(&plain(&data.to_string())).unwrap();
        let entry = Entry { at, actor, event, step, reason: plain(&reason), data };
        kept.push(Record::chain(id, kept.last(), entry));
        kept
    })
}
