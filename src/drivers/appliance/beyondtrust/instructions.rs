//! What a person at the vendor's pages is told, for acts that have no interface.
//!
//! One line for each thing to do, what must not be done, and what will be seen when it is done, because the run proves
//! the effect itself wherever it can see it. The wording is [`crate::domain::console`]'s, which the sheet by hand shares; the engine adds the instruction's number and
//! its last time.

use super::settings::Settings;
use crate::domain::console::{BoxAt, Boxes, People, Text};
use crate::domain::gate::Gate;
use crate::domain::ids::{PerNode, RunId};
use crate::ports::NodeAct;

/// The lines for `act` of `run`; `None` if it has an interface. `people` are those last read from the box, where it answered.
pub fn lines(settings: &Settings, run: &RunId, act: &NodeAct, people: People) -> Option<Vec<String>> {
    let (boxes, own) = (boxes(settings), settings.node);
    let text = match act {
        NodeAct::Backup { .. } | NodeAct::ExtractData { .. } | NodeAct::EndSessions => return None,
        NodeAct::ForceSync { from, to } => boxes.force_sync(*from, *to),
        NodeAct::BreakFailover => boxes.break_failover(own),
        NodeAct::Update { package, sha256, target } => boxes.update(own, package, sha256, target),
        NodeAct::EstablishFailover { primary, .. } => boxes.establish_failover(*primary),
        NodeAct::Drain { deadline } => boxes.drain(own, &deadline.to_string(), people),
        NodeAct::Quiesce => boxes.quiesce(own, people),
        NodeAct::Reopen => boxes.reopen(own),
    };
    Some(all(text, &goes_on(run, act)))
}

/// By what the run goes on. Whoever lets this machine in where clients are kept away leaves it nothing to see, and a backup serves
/// nobody, open or closed.
fn goes_on(run: &RunId, act: &NodeAct) -> String {
    let (gate, unseen) = match act {
        NodeAct::Quiesce => (Gate::NodeClosed, "this machine is let in as before"),
        NodeAct::Reopen => (Gate::NodeOpen, "the box is the backup, or this machine was let in all along"),
        _ => return "The run sees that by itself; nothing has to be confirmed.".to_owned(),
    };
    let gate = gate.name();
    format!(
        "Where the run can see that, it goes on by itself. If it still waits ({unseen}), say so: `changeover confirm {run} {gate}`."
    )
}

fn all(text: Text, goes_on: &str) -> Vec<String> {
    let never = text.never.into_iter().map(|line| format!("DO NOT {line}"));
    let seen = std::iter::once(format!("Done when: {} {goes_on}", text.seen));
    text.steps.into_iter().chain(never).chain(seen).collect()
}

fn boxes(settings: &Settings) -> Boxes {
    let at = PerNode::new(|node| {
        if node == settings.node {
            let Settings { url, address, identity, .. } = settings;
            BoxAt { url: url.to_string(), address: Some(*address), identity: identity.clone() }
        } else {
            BoxAt { url: settings.peer.url.to_string(), address: None, identity: settings.peer.identity.clone() }
        }
    });
    Boxes { service: settings.service.clone(), at }
}
