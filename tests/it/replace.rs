//! A box is replaced under a run: the site's file, a restart, `node replace`, then resume or the way home.

use changeover::domain::alert::hint_of;
use changeover::domain::ids::{NodeId, RunId};
use changeover::domain::plan::Goal;
use changeover::engine::api::{Fleet as _, Kind, Problem, Replaced, Snapshot};
use changeover::simulator::world;
use jiff::SignedDuration;

use crate::abort::{assert_ended, held_at, order};
use crate::stage::{SITE, Setting, Stage};

const NEW: &str = "00000000000000000000000000000042";

async fn replace(stage: &Stage, node: NodeId, identity: &str) -> Result<Snapshot, Problem> {
    let replaced = Replaced { node, identity: identity.to_owned(), note: None, seq: None };
    stage.fleet.replace_node(SITE, replaced, "olga").await
}

/// Puts a new box on the start version into the world, and tells nobody.
fn swap_box(stage: &Stage, node: NodeId) {
    let version = "24.1.1+72491-a5fbb57ae78b1ca9d97aa1a9ae850936ace96fd8".parse().unwrap();
    stage.site.current().replace_box(node, NEW, &version);
}

/// What an operator does: the file, a restart, the word.
async fn told(stage: &mut Stage, id: &RunId, node: NodeId) {
    stage.pass(SignedDuration::from_mins(10)).await;
    let early = replace(stage, node, NEW).await.unwrap_err();
    assert_eq!((early.kind, early.code.as_str()), (Kind::Conflict, "not_in_the_sites_file"), "{early:?}");
    stage.identities.lock().unwrap()[node] = NEW.to_owned();
    stage.restart();
    stage.pass(SignedDuration::from_mins(5)).await;
    assert!(stage.run(id).hold().is_some(), "{}", stage.story(id));
    let run = replace(stage, node, NEW).await.unwrap_or_else(|problem| panic!("{problem:?}\n{}", stage.story(id))).run;
    assert_eq!(run.hold().unwrap().code, "node_replaced");
    assert!(stage.alert_says("held", "\"severity\":\"info\",\"code\":\"node_replaced\""), "{:?}", stage.alerts());
    assert_eq!(replace(stage, node, NEW).await.unwrap_err().code, "same_box");
}

#[tokio::test(start_paused = true)]
async fn between_the_windows_a_new_box_is_updated_by_the_plan_and_led_home() {
    let mut stage = Stage::set(Setting::by_operator());
    let id = held_at(&stage, "role-swap", "soak.confirm").await;
    swap_box(&stage, NodeId::A);
    told(&mut stage, &id, NodeId::A).await;
    stage.resume(&id).await.unwrap();
    let rest = stage.to_rest(&id).await;
    // Updated and saved by the plan; that it was closed is true of the old box alone.
    assert_eq!(rest.end, "no_gap", "{}", stage.story(&id));
    let way = order(&stage, &id).await.unwrap_or_else(|(_, problem)| panic!("{problem:?}\n{}", stage.story(&id)));
    let rest = stage.to_rest(&id).await;
    assert_ended(&stage, &id, &way, &rest, "after the plan");
    let truth = stage.truth();
    assert_eq!((truth.nodes.a.version.as_str(), truth.linked, truth.serving), ("24.2.1", true, Some(NodeId::B)));
}

#[tokio::test(start_paused = true)]
async fn before_the_update_a_new_box_is_led_home() {
    for (node, step) in [(NodeId::B, "window-1.update.b"), (NodeId::B, "window-1.force_sync.b")] {
        let mut stage = Stage::set(Setting::by_operator());
        let id = held_at(&stage, "role-swap", step).await;
        swap_box(&stage, node);
        told(&mut stage, &id, node).await;
        let way = order(&stage, &id).await.unwrap_or_else(|(_, problem)| panic!("{step}: {problem:?}\n{}", stage.story(&id)));
        assert_eq!(way.goal, Goal::Home, "{step}: {way:?}");
        let rest = stage.to_rest(&id).await;
        assert_ended(&stage, &id, &way, &rest, step);
        assert_eq!(stage.truth().nodes.b.identity, NEW);
    }
}

#[tokio::test(start_paused = true)]
async fn r12_a_box_belongs_to_one_node_and_a_run_to_tell() {
    let stage = Stage::new();
    let none = replace(&stage, NodeId::A, NEW).await.unwrap_err();
    assert_eq!((none.kind, none.code.as_str()), (Kind::Conflict, "no_open_run"), "{none:?}");
    assert!(none.hint.unwrap().contains("`[nodes.a]` of the site's file"));
    stage.start("role-swap").await;
    let taken = replace(&stage, NodeId::A, &world::identity_of(NodeId::B)).await.unwrap_err();
    assert_eq!((taken.kind, taken.code.as_str()), (Kind::Conflict, "identity_taken"), "{taken:?}");
    let unknown = stage.fleet.replace_node(
        "nowhere",
        Replaced { node: NodeId::A, identity: NEW.to_owned(), note: None, seq: None },
        "olga",
    );
    assert_eq!(unknown.await.unwrap_err().code, "unknown_site");
}

/// R8: the survivor's data went with its box. A new one in its place must not be what the other is overwritten from.
#[tokio::test(start_paused = true)]
async fn r8_the_survivor_is_not_replaced_under_a_run() {
    let mut stage = Stage::set(Setting::by_operator());
    let id = held_at(&stage, "role-swap", "soak.confirm").await;
    swap_box(&stage, NodeId::B);
    stage.pass(SignedDuration::from_mins(10)).await;
    stage.identities.lock().unwrap()[NodeId::B] = NEW.to_owned();
    stage.restart();
    stage.pass(SignedDuration::from_mins(5)).await;
    let refused = replace(&stage, NodeId::B, NEW).await.unwrap_err();
    assert_eq!((refused.kind, refused.code.as_str()), (Kind::Refused, "no_overwrite"), "{refused:?}");
    assert!(refused.hint.as_ref().is_some_and(|hint| hint.contains("changeover adopt")), "{refused:?}");
    assert_eq!(stage.run(&id).plan.nodes.b.identity, world::identity_of(NodeId::B));
}

/// To resume, with another box still there, only holds the run again: what helps is said, by which node it is.
#[tokio::test(start_paused = true)]
async fn another_box_is_held_with_what_helps() {
    let away = "`[nodes.a]` of the site's file, restart the daemon, `changeover node replace support a --identity I`";
    for (node, helps) in [(NodeId::A, away), (NodeId::B, "`changeover abort support-1` looks for a way without it")] {
        let stage = Stage::new();
        let id = stage.start("role-swap").await;
        stage.until_step(&id, "soak.confirm").await;
        swap_box(&stage, node);
        let rest = stage.idle_to_rest(&id).await;
        assert_eq!(rest.end, "wrong_box", "{}", stage.story(&id));
        assert!(stage.alert_says("held", helps), "{node}: {}", hint_of("wrong_box", &rest.run));
    }
}
