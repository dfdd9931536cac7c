//! Why a run stands where it stands, whose move it is, what unblocks it, and what may be done by hand.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::action::Kind;
use crate::domain::asked::question;
use crate::domain::event::{Notice, WaitingOn};
use crate::domain::gate::Gate;
use crate::domain::ids::NodeId;
use crate::domain::run::{Phase, Run};
use crate::domain::site::SharedOn;
use crate::domain::surprise;
use crate::domain::watch::second;
use crate::domain::world::World;
use crate::domain::{agreement, alert, doubt, sheet};

use super::AgreementView;

/// The page that an operator needs at night.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Guide {
    /// What the current step does.
    pub doing: Option<String>,
    pub why: String,
    /// `person`, `daemon`, `time`, `appliance` or `nobody`.
    pub whose_move: String,
    pub unblocks: String,
    /// One sentence on the pair, from the journal alone.
    pub state: String,
    /// What may and must not be done by hand now.
    pub may: Vec<String>,
    pub must_not: Vec<String>,
    /// What is not as the plan has it, from what was last read.
    pub differs: Vec<String>,
    /// While the run is in doubt: what is read, and both continuations.
    pub doubt: Option<Doubt>,
}

/// An act whose outcome is not known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Doubt {
    pub since: Timestamp,
    pub message: String,
    pub reads: String,
    pub next_look: Option<Timestamp>,
    /// Before this nobody concludes that the act had no effect; `null`: never from readings.
    pub not_done_from: Option<Timestamp>,
    pub if_done: String,
    pub if_not: String,
}

impl From<doubt::Doubt> for Doubt {
    fn from(doubt: doubt::Doubt) -> Self {
        let doubt::Doubt { since, message, reads, next_look, not_done_from, if_done, if_not } = doubt;
        Self { since, message, reads, next_look, not_done_from, if_done, if_not }
    }
}

impl Guide {
    pub fn of(run: &Run, world: &World) -> Self {
        let (why, whose_move, unblocks) = explain(run, world);
        Self {
            doing: run.step().map(|step| run.plan.sentence(step)),
            why,
            whose_move: whose_move.to_owned(),
            unblocks,
            state: sheet::state(run),
            may: sheet::may(run),
            must_not: sheet::must_not(run),
            differs: differs(run, world),
            doubt: doubt::of(run, world).map(Doubt::from),
        }
    }
}

/// What is not as the plan has it, and who says otherwise of who serves.
fn differs(run: &Run, world: &World) -> Vec<String> {
    if run.is_finished() {
        return Vec::new();
    }
    let identities = run.plan.nodes.as_ref().map(|node| node.identity.as_str());
    let closed = |node| {
        run.nodes[node].closed_at.is_some()
            || run.step().is_some_and(|step| step.kind == Kind::Quiesce && step.node == Some(node))
    };
    let disputed = !is_between(run, world) && agreement::is_disputed_but_for(closed, world, &identities);
    let disagreed = AgreementView::of_run(run, world).filter(|_| disputed);
    surprise::differences(run, world).into_iter().chain(disagreed.map(|view| view.line)).collect()
}

/// A shared address is on neither node while the switch takes it from the one and has not given it to the other. One that is held or
/// in doubt no longer goes on by the plan: there it is a difference.
fn is_between(run: &Run, world: &World) -> bool {
    let moves = run.step().is_some_and(|step| step.kind == Kind::SwitchTraffic);
    let goes_on = !matches!(run.phase, Phase::Held(_) | Phase::InDoubt { .. });
    moves && goes_on && world.traffic.shared() == Some(SharedOn::Neither)
}

type Explained = (String, &'static str, String);

const BY_ITSELF: &str = "nothing is asked of you; the run goes on by itself";

const LOOKS_AGAIN: &str = "the run looks again and goes on by itself";

fn explain(run: &Run, world: &World) -> Explained {
    let id = &run.id;
    let step = run.step().map_or_else(|| "the end".to_owned(), |step| format!("`{}`", step.id));
    match &run.phase {
        Phase::Ready => (format!("{step} comes next"), "daemon", BY_ITSELF.to_owned()),
        Phase::Acting => (format!("{step} was ordered and its answer is awaited"), "daemon", BY_ITSELF.to_owned()),
        Phase::Waiting { on, until, .. } => {
            unless_refused(run, unless_lost(run, world, waiting(run, world, &step, (*on, *until))))
        }
        Phase::InDoubt { message, .. } => (
            message.clone(),
            "daemon",
            format!(
                "the run keeps looking and goes on once a reading settles it; after looking yourself: `changeover resume {id}`"
            ),
        ),
        Phase::Held(hold) => (hold.message.clone(), "person", alert::hint_of(&hold.code, run)),
        Phase::Finished(_) if run.is_watched() => (
            "a person closed the run; the pair is watched until it is linked".to_owned(),
            "person",
            format!(
                "whoever goes on by hand keeps to what is said below; `changeover adopt {}` takes the pair over by a new run",
                id.site
            ),
        ),
        Phase::Finished(_) => ("the run is finished".to_owned(), "nobody", left(run)),
    }
}

/// Where window two can't be kept any more, time alone leads to no more than a hold.
fn unless_lost(run: &Run, world: &World, explained: Explained) -> Explained {
    let Some(lack) = second::lack(run, world) else { return explained };
    let (why, whose_move, unblocks) = explained;
    let helps = alert::hint_of(Notice::SecondWindowLost.name(), run);
    let unblocks = if whose_move == "time" { helps } else { format!("{unblocks}; {helps}") };
    (format!("{why}, and {lack}"), "person", unblocks)
}

/// A node that refuses access is not read again by itself before an hour: a person mends that sooner.
fn unless_refused(run: &Run, explained: Explained) -> Explained {
    let Some(node) = NodeId::BOTH.into_iter().find(|node| run.has_notice(Notice::AccessRefused, Some(*node))) else {
        return explained;
    };
    let (why, _, unblocks) = explained;
    let helps = alert::hint_of(Notice::AccessRefused.name(), run);
    (format!("{why}, and node `{node}` refuses access"), "person", format!("{unblocks}; {helps}"))
}

/// The run does nothing more, and does not see whether a person has.
fn left(run: &Run) -> String {
    match sheet::left_to_do(run).join("; ") {
        open if open.is_empty() => "nothing is left to do".to_owned(),
        open => format!("by hand, unless it is done by now: {open}"),
    }
}

fn waiting(run: &Run, world: &World, step: &str, (on, until): (WaitingOn, Option<Timestamp>)) -> Explained {
    let id = &run.id;
    let at = until.map(|until| format!(" at {until}")).unwrap_or_default();
    match on {
        WaitingOn::Window => (
            format!("{step} waits for its window"),
            "time",
            format!("the run goes on by itself{at}; another window: `changeover resume {id} --window \"START +LENGTH\"`"),
        ),
        WaitingOn::Gate => gate(run, step),
        WaitingOn::Soak => {
            ("the new version is watched in production".to_owned(), "time", format!("the run goes on by itself{at}"))
        }
        WaitingOn::Operator => {
            ("there is no interface for this act, so a person does it".to_owned(), "person", by_hand(run, world, until))
        }
        WaitingOn::Appliance => {
            (format!("{step} awaits what the appliances must show"), "appliance", format!("{LOOKS_AGAIN}{}", refusal(run)))
        }
        WaitingOn::Traffic if run.act.is_none() && until.is_some() => (
            format!("{step} waits until caches have forgotten the TTL from before `lower_ttl`"),
            "time",
            format!("the run goes on by itself{at}"),
        ),
        WaitingOn::Traffic => {
            let what = match run.step().map(|step| step.kind) {
                Some(Kind::SwitchTraffic) => "with the new node",
                _ => "with the TTL that was asked for",
            };
            (format!("{step} awaits every server to answer {what}"), "appliance", LOOKS_AGAIN.to_owned())
        }
        WaitingOn::Retry => {
            (format!("the last attempt at {step} did not arrive"), "daemon", format!("the run tries again by itself{at}"))
        }
    }
}

/// Nobody who finds the new version bad has to wait for a box that is silent.
fn refusal(run: &Run) -> String {
    if !run.is_rejectable() {
        return String::new();
    }
    format!("; to refuse the new version: `changeover confirm {} {} --reject`", run.id, Gate::Production)
}

fn by_hand(run: &Run, world: &World, until: Option<Timestamp>) -> String {
    // Where the daemon may be unable to see the effect, a gate takes a person's word for it.
    let gate =
        run.open_gate().map(|gate| format!("; where it can't: `changeover confirm {} {gate}`", run.id)).unwrap_or_default();
    // Somebody is at it: a second person must not do it once more.
    let what = if surprise::has_begun(run, world) {
        "the instruction seems to be carried out already: finish what has begun, and do not begin it a second time".to_owned()
    } else {
        let limit = until.map(|until| format!(", not after {until}")).unwrap_or_default();
        format!("carry out the instruction{limit}")
    };
    format!("{what}; the run goes on once it sees the effect{gate}")
}

fn gate(run: &Run, step: &str) -> Explained {
    let id = &run.id;
    let Some(gate) = run.open_gate() else { return (format!("{step} waits for a person"), "person", String::new()) };
    if gate == Gate::SettingsLedger {
        let open = run.settings.open().count();
        let how = format!("`changeover ledger {id}` lists them; each by itself: `changeover acknowledge {id} LINE`");
        return (format!("a person is asked: {} Open lines: {open}", gate.question()), "person", how);
    }
    let mut how = format!("`changeover confirm {id} {gate}`");
    if gate == Gate::Production {
        how.push_str(", with `--accept-early` before the shortest soak is over, or with `--reject`");
    }
    if gate == Gate::Handover {
        how = format!("read the note, `changeover handover {id}`, then {how}");
    }
    (format!("a person is asked: {}", question(run, gate)), "person", how)
}
