//! The table of the machine as a list of arrows, as a Mermaid drawing and as text.

use std::fmt::Write as _;

use super::edges::{By, PhaseKind, Row, TABLE, To};

/// An event in one phase, and every phase that it may lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrow {
    /// `None` for the event that makes the run.
    pub from: Option<PhaseKind>,
    pub event: &'static str,
    pub to: Vec<PhaseKind>,
    pub by: By,
    pub sentence: &'static str,
}

impl Arrow {
    fn of(row: &Row, from: PhaseKind) -> Self {
        let to = match row.to {
            To::Same => vec![from],
            To::One(phases) => phases.to_vec(),
        };
        Self { from: Some(from), event: row.event, to, by: row.by, sentence: row.sentence }
    }

    /// The phase's word; the start has none.
    pub fn from_name(&self) -> &'static str {
        self.from.map_or("-", PhaseKind::name)
    }

    pub fn to_names(&self) -> Vec<&'static str> {
        self.to.iter().map(|to| to.name()).collect()
    }

    /// Whether it leaves the phase as it is, always.
    fn stays(&self) -> bool {
        self.from.is_some_and(|from| self.to == [from])
    }
}

/// Every arrow, phase by phase, each phase's in the order of the table.
pub fn arrows() -> Vec<Arrow> {
    let started = Arrow {
        from: None,
        event: "started",
        to: vec![PhaseKind::Ready],
        by: By::Person,
        sentence: "a person started the run, or took over what was found",
    };
    let of_phase =
        |from: PhaseKind| TABLE.iter().filter(move |row| row.from.contains(&from)).map(move |row| Arrow::of(row, from));
    std::iter::once(started).chain(PhaseKind::ALL.into_iter().flat_map(of_phase)).collect()
}

/// A Mermaid state diagram. What moves nothing stands in a comment, since it would only draw loops.
pub fn mermaid() -> String {
    let mut text = "stateDiagram-v2\n    [*] --> ready: started\n".to_owned();
    for from in PhaseKind::ALL {
        for to in PhaseKind::ALL {
            let label = labels(from, to);
            if !label.is_empty() {
                // Writing into a string cannot fail.
                let _ = writeln!(text, "    {} --> {}: {}", from.name(), to.name(), label.join(", "));
            }
        }
        let stays = staying(from);
        if !stays.is_empty() {
            let _ = writeln!(text, "    %% {} stays at: {}", from.name(), stays.join(", "));
        }
    }
    text.push_str("    finished --> [*]\n");
    text
}

fn labels(from: PhaseKind, to: PhaseKind) -> Vec<&'static str> {
    let here = |arrow: &Arrow| arrow.from == Some(from) && !arrow.stays() && arrow.to.contains(&to);
    let mut events: Vec<&'static str> = arrows().into_iter().filter(here).map(|arrow| arrow.event).collect();
    // What a person may order and the run may decide too is one arrow.
    events.dedup();
    events
}

fn staying(phase: PhaseKind) -> Vec<&'static str> {
    arrows().into_iter().filter(|arrow| arrow.from == Some(phase) && arrow.stays()).map(|arrow| arrow.event).collect()
}

/// The same as text: under each phase where it leads, and by what.
pub fn text() -> String {
    let mut text = "(start)\n  --> ready      started\n".to_owned();
    for from in PhaseKind::ALL {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "\n{}", from.name());
        for to in PhaseKind::ALL {
            let label = labels(from, to);
            if !label.is_empty() {
                let _ = writeln!(text, "  --> {:<9}  {}", to.name(), label.join(", "));
            }
        }
        let stays = staying(from);
        if !stays.is_empty() {
            let _ = writeln!(text, "  stays          {}", stays.join(", "));
        }
    }
    text
}
