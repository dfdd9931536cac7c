//! A node that fell silent while it served, or from which traffic was taken, and that comes back later, with users whose DNS
//! answers are old: it is told, closed before anything else is done with it, its data are taken, and it never serves again because
//! an old plan said so.

use changeover::domain::event::Cause;
use changeover::domain::homeward;
use changeover::domain::ids::{NodeId, RunId};
use changeover::domain::journal::{Entry, Record};
use changeover::domain::plan::Goal;
use changeover::domain::sheet;
use changeover::engine::api::{Fleet as _, Snapshot};
use changeover::ports::{Clock as _, Journal as _};
use changeover::simulator::faults::{Fault, Planned};
use jiff::SignedDuration;

use crate::stage::{Setting, Stage, end};

const A: NodeId = NodeId::A;
const B: NodeId = NodeId::B;

fn long_windows() -> Setting {
    Setting { first: "now +20h".to_owned(), second: "2026-11-24T01:00:00Z +40h".to_owned(), ..Setting::default() }
}

async fn minutes(stage: &Stage, minutes: i64) {
    stage.pass(SignedDuration::from_mins(minutes)).await;
}

/// Node a falls silent before the act of this step reaches it.
fn goes_silent(stage: &Stage, place: &str) {
    stage.at("step_begun", place, |world| {
        world.plan_fault(Planned { node: Some(A), ..Planned::for_ever(Fault::NodeSilent) });
        // Somebody's name server goes on answering with the old address.
        world.plan_fault(Planned { node: Some(A), ..Planned::for_ever(Fault::StrayUser) });
    });
}

/// It answers again, and those who come to work go where their name servers say.
fn comes_back(stage: &Stage) {
    let mut world = stage.site.current();
    world.plan_fault(Planned { node: Some(A), times: Some(0), ..Planned::for_ever(Fault::NodeSilent) });
    world.set_users(0);
    world.set_users(3);
}

/// The best way from here is recorded as a plan revision, and a daemon takes it up.
async fn take_the_way(stage: &mut Stage, id: &RunId) -> Goal {
    let Snapshot { run, world, .. } = stage.fleet.run(id).unwrap();
    let found = homeward::of_run(&run, &world);
    let way = found.ways.first().unwrap_or_else(|| panic!("no way: {found:#?}\n{}", stage.story(id)));
    let event = homeward::order(&run, &world, way, Cause::Abort, None);
    let (name, data) = event.to_parts();
    let step = run.step().map(|step| step.id.clone());
    let entry =
        Entry { at: stage.clock.now(), actor: "olga".to_owned(), event: name, step, reason: "a way home".to_owned(), data };
    let records = stage.records(id);
    let record = Record::chain(id, records.last(), entry);
    stage.journal.append(vec![record], Vec::new(), false).await.unwrap();
    stage.restart();
    way.goal
}

/// What was done to node a, in order, after this many acts of all.
fn done_to_a(stage: &Stage, after: usize) -> Vec<String> {
    let acts = stage.truth().acts;
    acts[after..].iter().filter(|act| act.node == Some(A)).map(|act| act.what.clone()).collect()
}

fn is_told(stage: &Stage, what: &str) -> bool {
    stage.alert_says("stray_session", what)
}

/// R7, R16: the service moves to the verified node; the one that comes back is told, and closed and read before anything else.
#[tokio::test(start_paused = true)]
async fn r16_a_silent_serving_node_comes_back_after_traffic_was_taken_from_it() {
    for place in ["window-1.drain.a", "window-1.quiesce.a"] {
        let mut stage = Stage::set(long_windows());
        goes_silent(&stage, place);
        let id = stage.start("role-swap").await;
        stage.until_step(&id, place).await;
        stage.until(&id, |run| end(run).is_some()).await;
        minutes(&stage, 2).await;
        assert_eq!(take_the_way(&mut stage, &id).await, Goal::Harbour { node: B }, "{place}");
        let run = stage.until(&id, |run| run.hold().is_some_and(|hold| hold.code == "harbour")).await;
        assert_eq!((run.survivor, stage.truth().serving), (B, Some(B)), "{place}");
        assert!(sheet::state(&run).contains("what was written on node `a`"), "{place}: {}", sheet::state(&run));
        minutes(&stage, 30).await;
        let acts = stage.truth().acts.len();
        comes_back(&stage);
        minutes(&stage, 60).await;
        assert!(is_told(&stage, "node `a` does not serve, can take clients"), "{place}\n{}", stage.story(&id));
        let run = stage.run(&id);
        assert!(
            sheet::may(&run)[0].starts_with("close node `a` to clients before anything else"),
            "{place}: {:?}",
            sheet::may(&run)
        );
        assert_eq!((done_to_a(&stage, acts), stage.truth().leads_to), (Vec::new(), Some(B)), "held: nothing is done\n{place}");
        let strays = stage.truth().nodes.a.users;
        assert!(strays > 0, "{place}: somebody's old DNS answer leads there");
        take_the_way(&mut stage, &id).await;
        let run = stage.until(&id, |run| run.hold().is_some_and(|hold| hold.code == "harbour")).await;
        assert_eq!(done_to_a(&stage, acts), ["close"], "{place}\n{}", stage.story(&id));
        assert!(!sheet::state(&run).contains("is there alone"), "{place}: {}", sheet::state(&run));
        let truth = stage.truth();
        assert!(truth.nodes.a.closed && truth.leads_to == Some(B), "{place}");
        let lost = truth.sessions.records.iter().find(|record| !record.on.contains(&B) && !record.handed_out);
        assert!(lost.is_none(), "{place}: {lost:?}");
        minutes(&stage, 10).await;
        assert!(
            run.notices.is_empty() || stage.run(&id).notices.is_empty(),
            "{place}: {:?}\n{}",
            stage.run(&id).notices,
            stage.story(&id)
        );
    }
}

/// The name was moved by hand while the serving node was silent: resumed, the plan closes the one that comes back before all else.
#[tokio::test(start_paused = true)]
async fn a_node_from_which_the_name_was_moved_by_hand_is_closed_first() {
    let stage = Stage::set(long_windows());
    goes_silent(&stage, "window-1.drain.a");
    let id = stage.start("role-swap").await;
    stage.until_step(&id, "window-1.drain.a").await;
    minutes(&stage, 20).await;
    stage.site.current().set_leads_to(Some(B));
    let acts = stage.truth().acts.len();
    let run = stage.until(&id, |run| run.hold().is_some()).await;
    assert_eq!(run.hold().unwrap().code, "out_of_band", "{}", stage.story(&id));
    comes_back(&stage);
    minutes(&stage, 30).await;
    assert_eq!(done_to_a(&stage, acts), Vec::<String>::new());
    stage.resume(&id).await.unwrap();
    let run = stage.until(&id, |run| run.step().is_some_and(|step| step.id.starts_with("soak")) || run.hold().is_some()).await;
    assert_eq!((run.hold(), run.survivor), (None, B), "{}", stage.story(&id));
    assert_eq!(done_to_a(&stage, acts), ["drain", "close"], "{}", stage.story(&id));
    let reason = stage.records(&id).into_iter().rfind(|record| record.event == "resumed").unwrap().reason;
    assert!(reason.contains("not as the plan has it: expected `support.example.com` leading to node `a`"), "{reason}");
    let lost = stage
        .truth()
        .sessions
        .records
        .into_iter()
        .find(|record| !record.on.contains(&B) && !record.handed_out && record.end.is_some());
    assert!(lost.is_none(), "{lost:?}");
}

/// R9, R16: the closed node forgets that it is closed. It is told at once, its data count as not extracted, and nothing is
/// taken from it, changed on it or linked to it before it is closed again.
#[tokio::test(start_paused = true)]
async fn r9_a_closed_node_that_comes_back_open_is_not_taken_for_closed() {
    for place in ["soak.soak", "window-2.update.a"] {
        let stage = Stage::set(long_windows());
        let id = stage.start("role-swap").await;
        stage.until_step(&id, place).await;
        stage.fault(Planned { node: Some(A), ..Planned::for_ever(Fault::StrayUser) });
        if place == "soak.soak" {
            stage.site.current().open(A).unwrap();
        } else {
            // It restarts in its update, and lets clients in afterwards.
            stage.until(&id, |run| run.act.as_ref().is_some_and(|act| act.accepted)).await;
            stage.until(&id, |run| run.step().is_some_and(|step| step.id == "window-2.verify.a")).await;
            stage.site.current().open(A).unwrap();
        }
        let rest = stage.to_rest(&id).await;
        // In the soak the sessions that come and go there void the acceptance again and again, and that holds the run first.
        let end = if place == "soak.soak" { "evidence_changed" } else { "no_gap" };
        assert_eq!(rest.end, end, "{place}\n{}", stage.story(&id));
        assert!(is_told(&stage, "node `a` does not serve, can take clients"), "{place}\n{}", stage.story(&id));
        assert!(!stage.truth().linked);
        minutes(&stage, 60).await;
        stage.site.current().close(A).unwrap();
        minutes(&stage, 30).await;
        let (rest, _) = stage.resume_to_end(&id).await;
        assert_eq!(rest.end, "succeeded", "{place}\n{}", stage.story(&id));
        let truth = stage.truth();
        let lost = truth.sessions.records.iter().find(|record| record.on.is_empty() && !record.handed_out);
        assert!(lost.is_none() && truth.broken_promises.is_empty(), "{place}: {lost:?} {:?}", truth.broken_promises);
        let extracted = stage.count(&id, "step_done", "window-2.extract_data.a.2");
        // It is held before the extraction, which is made once the node is closed again.
        assert!(extracted >= 1, "{place}: extracted {extracted} times directly before\n{}", stage.story(&id));
    }
}
