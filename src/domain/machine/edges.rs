//! The table of the machine: which event is expected in which phase, and where it leads.

use super::super::event::Event;
use super::super::run::Phase;

/// A phase without its contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PhaseKind {
    Ready,
    Acting,
    Waiting,
    InDoubt,
    Held,
    Finished,
}

use PhaseKind::{Acting, Finished, Held, InDoubt, Ready, Waiting};

impl PhaseKind {
    pub const ALL: [Self; 6] = [Ready, Acting, Waiting, InDoubt, Held, Finished];

    pub fn of(phase: &Phase) -> Self {
        match phase {
            Phase::Ready => Ready,
            Phase::Acting => Acting,
            Phase::Waiting { .. } => Waiting,
            Phase::InDoubt { .. } => InDoubt,
            Phase::Held(_) => Held,
            Phase::Finished(_) => Finished,
        }
    }

    /// The phase's word in messages and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Ready => "ready",
            Acting => "acting",
            Waiting => "waiting",
            InDoubt => "in_doubt",
            Held => "held",
            Finished => "finished",
        }
    }
}

/// Who causes an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// [`super::super::decide`], from what was read.
    Decision,
    /// The answer to an act.
    Answer,
    Person,
    /// The daemon itself: its start, its outbox.
    Daemon,
}

impl By {
    pub fn name(self) -> &'static str {
        match self {
            Self::Decision => "decision",
            Self::Answer => "answer",
            Self::Person => "person",
            Self::Daemon => "daemon",
        }
    }
}

/// Where an event leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// The phase stays as it is.
    Same,
    /// One of these.
    One(&'static [PhaseKind]),
}

/// One row: an event, the phases that expect it, and where it leads from each of them.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub event: &'static str,
    pub by: By,
    pub from: &'static [PhaseKind],
    pub to: To,
    /// What it means, an operator's sentence.
    pub sentence: &'static str,
}

const fn row(event: &'static str, by: By, from: &'static [PhaseKind], to: To, sentence: &'static str) -> Row {
    Row { event, by, from, to, sentence }
}

/// At rest or between acts: a person may order another way.
const AT_REST: &[PhaseKind] = &[Ready, Waiting, InDoubt, Held];
const OPEN: &[PhaseKind] = &[Ready, Acting, Waiting, InDoubt, Held];
const MOVING: &[PhaseKind] = &[Ready, Waiting, InDoubt];

/// The table. `started` has no row: it makes the run, in phase `ready`.
pub const TABLE: &[Row] = &[
    row("step_begun", By::Decision, MOVING, To::One(&[Acting]), "the intent is recorded, then the act is sent"),
    row("act_accepted", By::Answer, &[Acting], To::One(&[Waiting]), "the other side took the order; its effect is awaited"),
    row("instructed", By::Answer, &[Acting], To::One(&[Waiting]), "there is no interface: a person was told what to do"),
    row("retry_scheduled", By::Answer, &[Acting], To::One(&[Waiting]), "the act was never sent and is tried again"),
    row(
        "doubted",
        By::Answer,
        &[Acting, Waiting],
        To::One(&[InDoubt]),
        "an answer was lost or a limit passed: a reading must settle it",
    ),
    row("waited", By::Decision, MOVING, To::One(&[Waiting]), "nothing to do until something else happens"),
    row("step_done", By::Decision, &[Ready, Acting, Waiting, InDoubt], To::One(&[Ready]), "the step is proven done"),
    row(
        "evidence_lapsed",
        By::Decision,
        MOVING,
        To::One(&[Ready]),
        "what an earlier step proved is too old or gone; it is done once more",
    ),
    row("held", By::Decision, &[Ready, Acting, Waiting, InDoubt], To::One(&[Held]), "the run stops until a person speaks"),
    row("finished", By::Decision, &[Ready, Waiting], To::One(&[Finished]), "every step is done"),
    row(
        "noticed",
        By::Decision,
        &[Ready, Acting, Waiting, InDoubt, Held, Finished],
        To::Same,
        "something that people must know and that moves nothing",
    ),
    row(
        "checked",
        By::Decision,
        &[Waiting, Held],
        To::Same,
        "a run that waits or is held was checked, as every night; what has changed is told",
    ),
    row("warning_accepted", By::Person, &[Waiting], To::Same, "a person accepted a warning of the preflight before it is asked"),
    row(
        "warning_accepted",
        By::Person,
        &[Held],
        To::One(&[Ready, Held]),
        "a person accepted a warning of the preflight; the run goes on once no other is left",
    ),
    row("confirmed", By::Person, &[Waiting, Held], To::One(&[Ready, Waiting, Held]), "a person answered a gate"),
    row("reminded", By::Decision, &[Waiting], To::Same, "nobody has answered a gate for long; those who may are told again"),
    row("denied", By::Person, OPEN, To::Same, "a person said what they may not say; it moved nothing"),
    row("waived", By::Person, &[Waiting], To::One(&[Ready]), "a person set a promise aside for one step, with a reason"),
    row(
        "waived",
        By::Person,
        &[Held],
        To::One(&[Ready, Held]),
        "a person set a promise aside for one step; held for another reason, the run stays held",
    ),
    row(
        "settings_compared",
        By::Decision,
        AT_REST,
        To::Same,
        "settings were compared with those at the break, and there are other lines than before",
    ),
    row("line_acknowledged", By::Person, OPEN, To::Same, "a person has seen a line of the ledger"),
    row(
        "hold_requested",
        By::Person,
        &[Ready, Acting, Waiting, InDoubt],
        To::Same,
        "a person asked to stop at the next safe point",
    ),
    row("resumed", By::Person, &[Waiting, InDoubt], To::One(&[Ready]), "a person lets the run go on"),
    row(
        "resumed",
        By::Person,
        &[Held],
        To::One(&[Ready, Waiting]),
        "a person lets the run go on; an act that was kept through the hold is awaited further",
    ),
    row(
        "switch_back_ordered",
        By::Person,
        AT_REST,
        To::One(&[Ready]),
        "a person ordered traffic back to the node it was taken from",
    ),
    row("revised", By::Decision, &[Waiting], To::One(&[Ready]), "nobody answered a gate in time: the way home is taken"),
    row("revised", By::Person, AT_REST, To::One(&[Ready]), "the steps that are not done are replaced: the way home"),
    row(
        "revised",
        By::Decision,
        MOVING,
        To::One(&[Ready]),
        "what is left of the window is too short, and the site's policy is to go home",
    ),
    row("node_replaced", By::Person, AT_REST, To::One(&[Held]), "a box was replaced; the run rests until a person lets it go on"),
    row("closed", By::Person, AT_REST, To::One(&[Finished]), "a person ended the run; nothing was touched"),
    row("recovered", By::Daemon, OPEN, To::Same, "the daemon came up and took the run over"),
    row("released", By::Person, &[Finished], To::Same, "a person lets other runs count on this one, or takes that word back"),
    row(
        "undelivered",
        By::Daemon,
        &[Ready, Acting, Waiting, InDoubt, Held, Finished],
        To::Same,
        "an alert was given up after its last try",
    ),
];

/// The row of an event, if it is expected in this phase.
pub fn expected(from: PhaseKind, event: &Event) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.event == event.name() && row.from.contains(&from))
}

/// One arrow of the drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Edge {
    pub from: PhaseKind,
    pub event: &'static str,
    pub to: PhaseKind,
}

/// Every arrow that the table allows.
pub fn all() -> Vec<Edge> {
    let edges_of = |row: &Row| {
        let Row { event, to, .. } = *row;
        let to = move |from| match to {
            To::Same => vec![from],
            To::One(phases) => phases.to_vec(),
        };
        row.from.iter().flat_map(move |&from| to(from).into_iter().map(move |to| Edge { from, event, to })).collect::<Vec<_>>()
    };
    TABLE.iter().flat_map(edges_of).collect()
}
