//! Scenes in which a run leaves its plan: the way home, a run closed by a person, a replaced box, a pair taken over.

use changeover::domain::event::Verdict;
use changeover::domain::ids::{NodeId, RunId};
use changeover::domain::journal::Record;
use changeover::engine::api::{AdoptRequest, Fleet as _, Replaced, Word};
use changeover::simulator::world;
use jiff::SignedDuration;

use super::scenes::kept;
use crate::abort::abort;
use crate::stage::{SITE, Setting, Stage};

const NEW_BOX: &str = "00000000000000000000000000000042";

async fn led_to(setting: Setting, step: &str) -> (Stage, RunId) {
    let stage = Stage::set(setting);
    let id = stage.start("role-swap").await;
    stage.until_step(&id, step).await;
    (stage, id)
}

/// Held with the link broken and nothing updated.
async fn unlinked(setting: Setting) -> (Stage, RunId) {
    let (stage, id) = led_to(setting, "window-1.break_failover.a").await;
    stage.word(&id, Word::Hold).await.unwrap();
    let rest = stage.to_rest(&id).await;
    assert_eq!(rest.end, "operator", "{}", stage.story(&id));
    (stage, id)
}

async fn ends(stage: &Stage, id: &RunId, end: &str) -> Vec<Record> {
    assert_eq!(stage.to_rest(id).await.end, end, "{}", stage.story(id));
    kept(stage, id)
}

/// Called back before anything was updated.
pub async fn aborted() -> Vec<Record> {
    let (stage, id) = unlinked(Setting::default()).await;
    stage.word(&id, abort(None)).await.unwrap();
    ends(&stage, &id, "aborted").await
}

/// The same by hand, out of an instruction that nobody has begun to carry out.
pub async fn aborted_by_hand() -> Vec<Record> {
    let (stage, id) = led_to(Setting::by_operator(), "window-1.update.b").await;
    stage.until(&id, |run| run.act.as_ref().is_some_and(|act| act.instruction.is_some())).await;
    stage.word(&id, abort(None)).await.unwrap();
    ends(&stage, &id, "aborted").await
}

/// The new version is rejected in production: the service goes back, and the run rests at harbour.
pub async fn harbour() -> Vec<Record> {
    let (stage, id) = led_to(Setting::default(), "soak.confirm").await;
    stage.until(&id, |run| run.open_gate().is_some()).await;
    let (gate, note) = (Some("production".to_owned()), None);
    stage.word(&id, Word::Confirm { gate, verdict: Verdict::Reject, note, evidence: None }).await.unwrap();
    stage.word(&id, abort(None)).await.unwrap();
    ends(&stage, &id, "harbour").await
}

/// Closed without failover, linked by hand later: the run sees it, and has nothing left to look for.
pub async fn closed() -> Vec<Record> {
    let (stage, id) = unlinked(Setting::default()).await;
    let (state, note) = ("the vendor goes on".to_owned(), "ticket 42".to_owned());
    stage.word(&id, Word::Close { state, note }).await.unwrap();
    stage.pass(SignedDuration::from_mins(30)).await;
    stage.site.current().perform("establish_failover", NodeId::A, None).unwrap();
    stage.until(&id, |run| run.protected_at.is_some()).await;
    kept(&stage, &id)
}

/// Another box stands where node b stood; then home.
pub async fn node_replaced() -> Vec<Record> {
    let (mut stage, id) = unlinked(Setting::by_operator()).await;
    let version = "24.1.1+72491-a5fbb57ae78b1ca9d97aa1a9ae850936ace96fd8".parse().unwrap();
    stage.site.current().replace_box(NodeId::B, NEW_BOX, &version);
    stage.identities.lock().unwrap()[NodeId::B] = NEW_BOX.to_owned();
    stage.restart();
    stage.pass(SignedDuration::from_mins(5)).await;
    let replaced = Replaced { node: NodeId::B, identity: NEW_BOX.to_owned(), note: None, seq: None };
    stage.fleet.replace_node(SITE, replaced, "olga").await.unwrap();
    assert_ne!(world::identity_of(NodeId::B), NEW_BOX);
    stage.word(&id, abort(None)).await.unwrap();
    ends(&stage, &id, "aborted").await
}

/// The second run of a site whose first was closed half-way.
pub async fn adopted() -> Vec<Record> {
    let (stage, id) = unlinked(Setting::default()).await;
    let (state, note) = ("left to the next".to_owned(), "the daemon's machine is given up".to_owned());
    stage.word(&id, Word::Close { state, note }).await.unwrap();
    stage.pass(SignedDuration::from_hours(1)).await;
    let request = AdoptRequest { survivor: Some("a".to_owned()), ..AdoptRequest::default() };
    let next = stage.fleet.adopt(SITE, request, "olga").await.unwrap();
    ends(&stage, &next, "aborted").await
}
