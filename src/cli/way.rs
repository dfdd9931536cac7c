//! The ways home as text.

use std::fmt::Write as _;

use crate::server::view::{Left, Promise, Way, WayStep, Ways};

use super::{output, plan};

/// What `abort` shows before it asks.
pub fn page(ways: &Ways) -> String {
    let mut page = format!("run `{}` at record {}, read {}\n", ways.run, ways.seq, ways.at);
    match &ways.way {
        Some(way) => page.push_str(&told("the way home", way)),
        None => page.push_str("no way leads home from here\n"),
    }
    page.push_str(&promises(&ways.not_home));
    if let Some(other) = &ways.other {
        let _ = write!(page, "\n{}", told("the next best", other));
    }
    if let Some(why) = &ways.not_now {
        // Writing into a string cannot fail.
        let _ = writeln!(page, "\nnot now: {why}");
    }
    page
}

/// One way: where it leads, its steps, what it leaves behind.
pub fn told(name: &str, way: &Way) -> String {
    let mut text = format!("{name}: {}", goal(way));
    let _ = writeln!(text, ", about {}", output::seconds(way.expected_seconds));
    text.push_str(&steps(way));
    if way.irreversible {
        text.push_str("  a step of it can't be undone\n");
    }
    let _ = writeln!(text, "  {}", left(way.leaves_behind.as_ref()));
    text
}

fn goal(way: &Way) -> String {
    match way.node {
        None => "home (linked, equal, serving)".to_owned(),
        Some(node) => format!("harbour (node {node} serves, without failover; the rest is a person's decision)"),
    }
}

fn steps(way: &Way) -> String {
    if way.steps.is_empty() {
        return "  nothing is to be done: the pair is left as it is\n".to_owned();
    }
    let row = |step: &WayStep| {
        let takes = output::seconds(step.expected_seconds);
        vec![format!("  {}", step.id), plan::impact(step.impact).to_owned(), takes, step.sentence.clone()]
    };
    output::table(&way.steps.iter().map(row).collect::<Vec<_>>())
}

fn left(left: Option<&Left>) -> String {
    let Some(Left { node, since, sessions, known_from }) = left else {
        return "it leaves no data behind".to_owned();
    };
    let count = sessions.map_or_else(|| "not told".to_owned(), |sessions| sessions.to_string());
    let from = known_from.as_ref().map(|from| format!(" (by the last {from})")).unwrap_or_default();
    let since = since.map_or_else(|| "the break".to_owned(), |since| since.to_string());
    format!("it leaves behind what was written on node {node} since {since}: sessions {count}{from}, and its settings")
}

fn promises(promises: &[Promise]) -> String {
    if promises.is_empty() {
        return String::new();
    }
    let each = |promise: &Promise| {
        format!("  {} {}: expected {}, found {}\n", promise.rule, promise.name, promise.expected, promise.found)
    };
    format!("what stands against home, a person's decision:\n{}", promises.iter().map(each).collect::<String>())
}
