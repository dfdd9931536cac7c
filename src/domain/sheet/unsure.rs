//! Nodes whose version the journal can't vouch for: an update of them was ordered and is not proven, or another version was found.
//! By hand nothing is updated and nothing linked before somebody has looked.

use crate::domain::action::Kind;
use crate::domain::ids::NodeId;
use crate::domain::run::Run;

/// Why a node may show another version than the journal has.
enum Doubt<'a> {
    /// Its update was ordered, and its end is not recorded.
    Ordered,
    /// The run is held with what it showed.
    Shown(&'a str),
    Replaced,
}

fn doubt(run: &Run, node: NodeId) -> Option<Doubt<'_>> {
    let hold = run.hold().filter(|hold| hold.node == Some(node));
    if let Some(hold) = hold {
        match hold.code.as_str() {
            "out_of_band" | "wrong_version" => return Some(Doubt::Shown(&hold.found)),
            "node_replaced" => return Some(Doubt::Replaced),
            _ => {}
        }
    }
    let updates = run.step().is_some_and(|step| step.kind == Kind::Update && step.node == Some(node));
    let begun = updates && run.at().is_some_and(|progress| progress.attempts > 0);
    (begun || run.nodes[node].update_in_doubt.is_some()).then_some(Doubt::Ordered)
}

/// The nodes to look at first: the one whose data are not kept before the other.
fn nodes(run: &Run) -> impl Iterator<Item = NodeId> {
    [run.survivor.other(), run.survivor].into_iter().filter(|&node| doubt(run, node).is_some())
}

/// `node `b` runs 24.1.1`, as far as the journal knows.
pub fn describe(run: &Run, node: NodeId) -> String {
    let runs = if doubt(run, node).is_some() { "ran" } else { "runs" };
    format!("node `{node}` {runs} {}{}", run.expected_version(node).version, but(run, node))
}

/// What follows the version that the journal has: nothing, if that is what the node runs.
pub fn but(run: &Run, node: NodeId) -> String {
    match doubt(run, node) {
        Some(Doubt::Ordered) => " before its update was ordered, which is not proven".to_owned(),
        Some(Doubt::Shown(found)) => format!(" by the journal and showed {found}"),
        Some(Doubt::Replaced) => " before it was replaced".to_owned(),
        None => String::new(),
    }
}

/// What comes before an update and before a link.
pub fn look(run: &Run) -> Vec<String> {
    let line = |node| {
        format!(
            "see first which version node `{node}` shows, and that no update runs there ({}); only then decide: equal versions may be linked, and a node that shows {} needs no update",
            describe(run, node),
            run.plan.to
        )
    };
    nodes(run).map(line).collect()
}

/// What must not be done before that.
pub fn never(run: &Run) -> Vec<String> {
    let line =
        |node| format!("do not update or restart node `{node}` before its version was seen, and that no update runs there");
    nodes(run).map(line).collect()
}
