//! The routes. A handler reads its input, calls one method of the fleet and shows the answer.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use serde_json::json;

use crate::domain::exposure::{self, Exposure};
use crate::domain::handover;
use crate::domain::ids::RunId;
use crate::domain::metrics;
use crate::engine::api::{AdoptRequest, Fleet, Kind, PlanRequest, Problem, Replaced, Snapshot, Word};

use super::answer::{Answer, Refused, json as answer, lines, ok};
use super::guard::{Door, guard};
use super::input::{
    AbortBody, AcceptBody, AcknowledgeBody, Actor, After, CloseBody, ConfirmBody, For, HoldBody, Id, Input, Name, OfSite,
    ReleaseBody, ReplaceBody, ResumeBody, SiteNode, SwitchBackBody, TestTrafficBody, WaiveBody, order, required, short,
};
use super::view::{
    Adoption, AlertTests, ByHand, Checks, Ledger, LeftUntouched, NoRun, People, Plan, Runs, SiteView, Sites, Started, Status,
    TrafficTest, TrafficView, Ways, WindowsView,
};

type Shared = State<Arc<dyn Fleet>>;

/// All routes over one fleet.
pub fn router(fleet: Arc<dyn Fleet>, door: Door) -> Router {
    let api = Router::new()
        .route("/sites", get(sites))
        .route("/sites/{site}/check", get(check))
        .route("/sites/{site}/traffic", get(traffic))
        .route("/sites/{site}/traffic/test", post(test_traffic))
        .route("/sites/{site}/windows", get(windows))
        .route("/sites/{site}/status", get(newest))
        .route("/sites/{site}/by-hand", get(newest_by_hand))
        .route("/exposure", get(exposure))
        .route("/plans", post(plan))
        .route("/runs", get(runs).post(start))
        .route("/runs/{id}", get(run))
        .route("/runs/{id}/by-hand", get(by_hand))
        .route("/runs/{id}/journal", get(journal))
        .route("/runs/{id}/handover", get(handover))
        .route("/runs/{id}/ledger", get(ledger))
        .route("/runs/{id}/acknowledge", post(acknowledge))
        .route("/runs/{id}/confirm", post(confirm))
        .route("/runs/{id}/waive", post(waive))
        .route("/runs/{id}/hold", post(hold))
        .route("/runs/{id}/accept", post(accept))
        .route("/runs/{id}/resume", post(resume))
        .route("/runs/{id}/switch-back", post(switch_back))
        .route("/runs/{id}/way", get(way))
        .route("/runs/{id}/abort", post(abort))
        .route("/runs/{id}/close", post(close))
        .route("/runs/{id}/release", post(release))
        .route("/sites/{site}/adopt", post(adopt))
        .route("/sites/{site}/adopt/plan", post(adoption))
        .route("/sites/{site}/nodes/{node}/replace", post(replace_node))
        .route("/alerts/test", post(test_alerts))
        .route("/people", get(people));
    Router::new()
        .nest("/api/v1", api)
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(numbers))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(door, guard))
        .with_state(fleet)
}

async fn sites(State(fleet): Shared) -> Answer {
    ok(&Sites { sites: fleet.sites().into_iter().map(SiteView::from).collect() })
}

async fn check(State(fleet): Shared, Name(site): Name) -> Answer {
    let checks = fleet.check(&site).await?;
    ok(&Checks { run: fleet.blocking_run(&site), ..Checks::new(&site, checks, fleet.now()) })
}

async fn traffic(State(fleet): Shared, Name(site): Name) -> Answer {
    ok(&TrafficView::from(fleet.traffic(&site).await?))
}

async fn test_traffic(
    State(fleet): Shared,
    Name(site): Name,
    Actor(actor): Actor,
    Input(body): Input<TestTrafficBody>,
) -> Answer {
    ok(&TrafficTest::from(fleet.try_traffic(&site, body.ttl()?, &actor).await?))
}

async fn windows(State(fleet): Shared, Name(site): Name, For(length): For) -> Answer {
    ok(&WindowsView::new(fleet.windows(&site, length)?, length))
}

async fn newest(State(fleet): Shared, Name(site): Name) -> Answer {
    let newest = fleet.newest(&site)?;
    let number = newest.as_ref().map_or(0, |snapshot| snapshot.run.id.number);
    if let Some(left) = fleet.untouched().iter().rfind(|left| left.run.site == site && left.run.number > number) {
        return ok(&LeftUntouched::from(left));
    }
    match newest {
        Some(snapshot) => ok(&status(&*fleet, &snapshot)),
        None => ok(&NoRun { site, run: None }),
    }
}

async fn newest_by_hand(State(fleet): Shared, Name(site): Name) -> Answer {
    match fleet.newest(&site)? {
        Some(snapshot) => ok(&ByHand::from(&snapshot)),
        None => ok(&NoRun { site, run: None }),
    }
}

/// The sums of all runs, of the sites that are gone from the configuration too.
async fn exposure(State(fleet): Shared, OfSite(site): OfSite) -> Answer {
    let snapshots = fleet.runs();
    let runs = || snapshots.iter().map(|snapshot| &*snapshot.run);
    let of_site = |run: &RunId| site.as_ref().is_none_or(|site| run.site == *site);
    let untouched: Vec<RunId> = fleet.untouched().into_iter().map(|left| left.run).filter(of_site).collect();
    if let Some(site) = site.as_deref().filter(|_| untouched.is_empty() && !runs().any(|run| of_site(&run.id))) {
        fleet.newest(site)?;
    }
    ok(&Exposure { untouched, ..exposure::of(runs(), site.as_deref(), fleet.now()) })
}

async fn plan(State(fleet): Shared, Input(request): Input<PlanRequest>) -> Answer {
    ok(&Plan::from(fleet.plan(order(request)?).await?))
}

async fn start(State(fleet): Shared, Actor(actor): Actor, Input(request): Input<PlanRequest>) -> Answer {
    let run = fleet.start(order(request)?, &actor).await?;
    Ok(answer(StatusCode::CREATED, &Started { run }))
}

async fn runs(State(fleet): Shared) -> Answer {
    let now = fleet.now();
    let runs = fleet.runs().iter().map(|snapshot| Status::brief(snapshot, now)).collect();
    ok(&Runs { runs, untouched: fleet.untouched().iter().map(LeftUntouched::from).collect() })
}

async fn run(State(fleet): Shared, Id(id): Id) -> Answer {
    match fleet.untouched().iter().find(|left| left.run == id) {
        Some(left) => ok(&LeftUntouched::from(left)),
        None => ok(&status(&*fleet, &fleet.run(&id)?)),
    }
}

async fn by_hand(State(fleet): Shared, Id(id): Id) -> Answer {
    ok(&ByHand::from(&fleet.run(&id)?))
}

async fn journal(State(fleet): Shared, Id(id): Id, After(after): After) -> Answer {
    lines(&fleet.journal(&id, after)?)
}

async fn confirm(State(fleet): Shared, Id(id): Id, Actor(actor): Actor, Input(body): Input<ConfirmBody>) -> Answer {
    let seq = body.seq;
    tell(&*fleet, &id, body.into_word()?, &actor, seq).await
}

async fn handover(State(fleet): Shared, Id(id): Id) -> Answer {
    let snapshot = fleet.run(&id)?;
    match handover::note(&snapshot.run, &fleet.journal(&id, 0)?, &snapshot.world) {
        Some(note) => ok(&note),
        None => Err(no_handover(&id).into()),
    }
}

fn no_handover(id: &RunId) -> Problem {
    Problem::new(Kind::Conflict, "no_handover_yet", format!("run `{id}` has no handover note yet"))
        .hint("there is one from the end of window one's work on")
}

async fn waive(State(fleet): Shared, Id(id): Id, Actor(actor): Actor, Input(body): Input<WaiveBody>) -> Answer {
    let reason = required(body.reason, "why is the promise set aside?")?;
    tell(&*fleet, &id, Word::Waive { rule: body.rule, reason }, &actor, body.seq).await
}

async fn people(State(fleet): Shared) -> Answer {
    ok(&People { people: fleet.people().all().cloned().collect() })
}

async fn ledger(State(fleet): Shared, Id(id): Id) -> Answer {
    ok(&Ledger::of(&fleet.run(&id)?))
}

async fn acknowledge(State(fleet): Shared, Id(id): Id, Actor(actor): Actor, Input(body): Input<AcknowledgeBody>) -> Answer {
    let word = Word::Acknowledge { line: body.line, digest: body.digest, note: short(body.note)? };
    tell(&*fleet, &id, word, &actor, body.seq).await
}

async fn hold(State(fleet): Shared, Id(id): Id, Actor(actor): Actor, Input(body): Input<HoldBody>) -> Answer {
    tell(&*fleet, &id, Word::Hold, &actor, body.seq).await
}

async fn accept(State(fleet): Shared, Id(id): Id, Actor(actor): Actor, Input(body): Input<AcceptBody>) -> Answer {
    let reason = required(body.reason, "why may the warning stand?")?;
    let word = Word::AcceptWarning { check: body.check, node: body.node, reason };
    tell(&*fleet, &id, word, &actor, body.seq).await
}

async fn resume(State(fleet): Shared, Id(id): Id, Actor(actor): Actor, Input(body): Input<ResumeBody>) -> Answer {
    let seq = body.seq;
    tell(&*fleet, &id, body.word()?, &actor, seq).await
}

async fn switch_back(State(fleet): Shared, Id(id): Id, Actor(actor): Actor, Input(body): Input<SwitchBackBody>) -> Answer {
    let word = Word::SwitchBack { note: required(body.note, "why is traffic ordered back?")? };
    tell(&*fleet, &id, word, &actor, body.seq).await
}

async fn way(State(fleet): Shared, Id(id): Id) -> Answer {
    ok(&Ways::of(&fleet.ways(&id).await?))
}

async fn abort(State(fleet): Shared, Id(id): Id, Actor(actor): Actor, Input(body): Input<AbortBody>) -> Answer {
    tell(&*fleet, &id, Word::Abort { way: body.way, note: short(body.note)? }, &actor, body.seq).await
}

async fn close(State(fleet): Shared, Id(id): Id, Actor(actor): Actor, Input(body): Input<CloseBody>) -> Answer {
    let note = required(body.note, "why is the run ended, and who goes on?")?;
    tell(&*fleet, &id, Word::Close { state: body.state, note }, &actor, body.seq).await
}

async fn release(State(fleet): Shared, Id(id): Id, Actor(actor): Actor, Input(body): Input<ReleaseBody>) -> Answer {
    let note = required(body.note, "what was tried, or why does the release end?")?;
    tell(&*fleet, &id, Word::Release { withdraw: body.withdraw, note }, &actor, body.seq).await
}

async fn adoption(State(fleet): Shared, Name(site): Name, Input(request): Input<AdoptRequest>) -> Answer {
    ok(&Adoption::from(fleet.adoption(&site, request).await?))
}

async fn adopt(State(fleet): Shared, Name(site): Name, Actor(actor): Actor, Input(request): Input<AdoptRequest>) -> Answer {
    let request = AdoptRequest { note: short(request.note)?, ..request };
    let run = fleet.adopt(&site, request, &actor).await?;
    Ok(answer(StatusCode::CREATED, &Started { run }))
}

async fn replace_node(
    State(fleet): Shared,
    SiteNode(site, node): SiteNode,
    Actor(actor): Actor,
    Input(body): Input<ReplaceBody>,
) -> Answer {
    let replaced = Replaced { node, identity: body.identity, note: short(body.note)?, seq: body.seq };
    let snapshot = fleet.replace_node(&site, replaced, &actor).await?;
    Ok(answer(StatusCode::ACCEPTED, &status(&*fleet, &snapshot)))
}

/// A person's word, answered with where the run stands after it.
async fn tell(fleet: &dyn Fleet, id: &RunId, word: Word, actor: &str, seq: Option<u64>) -> Answer {
    let snapshot = fleet.command(id, word, actor, seq).await?;
    Ok(answer(StatusCode::ACCEPTED, &status(fleet, &snapshot)))
}

/// The status of one run, with the names of those whom it mentions.
fn status(fleet: &dyn Fleet, snapshot: &Snapshot) -> Status {
    Status::full(snapshot, fleet.now()).named(fleet.people())
}

async fn test_alerts(State(fleet): Shared, Actor(actor): Actor) -> Answer {
    let barred = fleet.people().may(&actor, &[]);
    barred.map_err(|barred| Problem::not_allowed(format!("{actor} may not `alerts test`"), barred.to_string()))?;
    ok(&AlertTests::new(fleet.test_alerts().await))
}

/// The process answers.
async fn healthz() -> Answer {
    ok(&json!({ "ok": true }))
}

/// The store takes records, so runs can go on.
async fn readyz(State(fleet): Shared) -> Answer {
    fleet.ready()?;
    ok(&json!({ "ok": true }))
}

/// In the text form that Prometheus reads.
async fn numbers(State(fleet): Shared) -> Answer {
    Ok(([(CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics::text(&fleet.metrics())).into_response())
}

async fn unknown_path(uri: Uri) -> Refused {
    Refused::new(StatusCode::NOT_FOUND, "unknown_path", format!("nothing is served at `{}`", uri.path()))
}

async fn wrong_method(method: Method, uri: Uri) -> Refused {
    let message = format!("`{}` does not take {method}", uri.path());
    Refused::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", message)
}
