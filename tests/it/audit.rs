//! What must be true of the world, as it really is, wherever a run rests.

use changeover::domain::ids::{NodeId, RunId};
use changeover::domain::site::Role;
use changeover::simulator::world::Truth;

use crate::stage::Stage;

/// Everything that must be true of the world wherever a run rests, and more if it has `succeeded`. Returns what is not.
fn audit(procedure: &str, truth: &Truth, succeeded: bool) -> Vec<String> {
    let survivor = if procedure == "in-place" { NodeId::A } else { NodeId::B };
    let mut wrong: Vec<String> = truth.broken_promises.iter().map(|broken| format!("{}: {}", broken.at, broken.note)).collect();
    let mut must = |is: bool, what: String| {
        if !is {
            wrong.push(what)
        }
    };
    for node in NodeId::BOTH {
        let updates = &truth.nodes[node].updates;
        must(updates.len() <= 1, format!("node {node} was updated {} times", updates.len()));
        must(!succeeded || truth.nodes[node].version == "24.2.1", format!("node {node} runs {}", truth.nodes[node].version));
    }
    let when = |what: &str| truth.acts.iter().filter(|act| act.what == what).map(|act| (act.at, act.node)).collect::<Vec<_>>();
    let (breaks, updates, links) = (when("break"), when("update"), when("establish"));
    // An automatic sync that began after the asking proves as much as the one that was ordered.
    let synced: Vec<_> = truth.events.iter().filter(|event| event.what == "synced").map(|event| event.at).collect();
    must(breaks.iter().all(|(_, node)| *node == Some(NodeId::A)), format!("breaks on {breaks:?}"));
    must(breaks.iter().all(|(at, _)| synced.iter().any(|sync| sync < at)), "broken without a sync".to_owned());
    must(breaks.iter().all(|(at, _)| updates.iter().all(|(update, _)| update > at)), "updated before the break".to_owned());
    must(links.iter().all(|(_, node)| *node == Some(survivor)), format!("established on {links:?}"));
    must(
        links.iter().all(|(at, _)| updates.len() == 2 && updates.iter().all(|(update, _)| update < at)),
        "linked early".to_owned(),
    );
    let lost = truth.events.iter().find(|event| event.what == "settings-overwritten" || event.what == "records-overwritten");
    must(lost.is_none(), format!("{lost:?}"));
    must(truth.sessions.gone == 0, format!("{} sessions are gone", truth.sessions.gone));
    if succeeded {
        must(truth.linked && truth.nodes[survivor].role == Role::Primary, "not home".to_owned());
        must(truth.serving == Some(survivor) && truth.leads_to == Some(survivor), format!("{:?} serves", truth.serving));
        must(
            truth.sessions.records.iter().all(|record| !record.on.is_empty() || record.handed_out),
            "a record is lost".to_owned(),
        );
    }
    wrong
}

/// Panics with the run's story unless [`audit`] finds nothing.
pub fn assert_sound(stage: &Stage, id: &RunId, procedure: &str, succeeded: bool, case: &str) {
    let mut truth = stage.truth();
    for (verb, node, at) in stage.by_hand.lock().unwrap().iter() {
        truth.acts.retain(|act| !(act.what == *verb && act.node == Some(*node) && act.at == *at));
    }
    truth.broken_promises.retain(|broken| !stage.trouble_at.lock().unwrap().contains(&broken.at));
    let wrong = audit(procedure, &truth, succeeded);
    assert_eq!(wrong, Vec::<String>::new(), "{case}\n{}", stage.story(id));
}
