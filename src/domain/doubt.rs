//! In doubt: what is not known, what is read to settle it, from when on "not done" may be concluded, and both continuations.
//!
//! Words for what [`super::decide`] does; the tests hold the two together.

use jiff::Timestamp;

use super::action::{Kind, Repeat};
use super::agreement;
use super::decide;
use super::facts::Link;
use super::ids::NodeId;
use super::limit;
use super::proof;
use super::run::{Act, Phase, Run};
use super::step::Step;
use super::world::World;

/// An act whose outcome is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    pub since: Timestamp,
    /// Why it is not known.
    pub message: String,
    /// What is read, again and again.
    pub reads: String,
    /// When it is read next.
    pub next_look: Option<Timestamp>,
    /// Before this nobody concludes that the act had no effect; `None`: that is never concluded from readings.
    pub not_done_from: Option<Timestamp>,
    /// What follows if it took effect, and if it did not.
    pub if_done: String,
    pub if_not: String,
}

/// The doubt that a run is in.
pub fn of(run: &Run, world: &World) -> Option<Doubt> {
    let Phase::InDoubt { since, message } = &run.phase else { return None };
    let (step, act) = (run.step()?, run.act.as_ref()?);
    let not_done_from = not_done_from(run, step, act, world);
    Some(Doubt {
        since: *since,
        message: message.clone(),
        reads: reads(run, step),
        next_look: world.next_look,
        not_done_from,
        if_done: format!("{}; {}", done(run, step, act), next(run)),
        if_not: half_way(run, step, world).unwrap_or_else(|| not_done(run, step, not_done_from)),
    })
}

/// The earliest moment at which readings may show that the act had no effect, so that it is repeated.
fn not_done_from(run: &Run, step: &Step, act: &Act, world: &World) -> Option<Timestamp> {
    if step.kind.row().repeat != Repeat::Safe {
        return None;
    }
    let effect = proof::latest_effect(run, step, act, world)?;
    Some(effect.max(decide::pause_until(run).unwrap_or(effect)))
}

fn node_of(run: &Run, step: &Step) -> NodeId {
    step.node.unwrap_or(run.plan.primary)
}

fn reads(run: &Run, step: &Step) -> String {
    let node = node_of(run, step);
    match step.kind {
        Kind::ForceSync => format!("time and status of the last sync on node `{}`, the primary", run.plan.primary),
        Kind::BreakFailover | Kind::EstablishFailover => "the roles of both nodes".to_owned(),
        Kind::Update => format!("version, build and health of node `{node}`; while it updates it is silent"),
        Kind::Drain => format!("users and sessions of node `{node}`"),
        Kind::Quiesce => format!("whether node `{node}` takes clients, and its sessions"),
        Kind::Reopen => format!("whether node `{node}` takes clients"),
        Kind::SwitchTraffic => format!("where every server leads `{}`", run.plan.service),
        Kind::LowerTtl | Kind::RestoreTtl => format!("with which TTL every server gives out `{}`", run.plan.service),
        _ => "nothing: only its files would show it, and they were not handed over".to_owned(),
    }
}

/// A switch that has moved some entries or servers and others not: both continuations.
fn half_way(run: &Run, step: &Step, world: &World) -> Option<String> {
    let to = step.node.filter(|_| step.kind == Kind::SwitchTraffic)?;
    let partly = agreement::partly(&world.traffic)?;
    Some(format!("{}; {}", partly.describe(to), continuations(run, to)))
}

/// How a switch that is half done is finished or taken back.
pub fn continuations(run: &Run, to: NodeId) -> String {
    let (id, from) = (&run.id, to.other());
    let finish = format!(
        "to finish it: put right what refused or did not answer, then `changeover resume {id}` orders it again, and what is at node `{to}` already is left alone"
    );
    if run.is_led_back() {
        return format!("{finish}; what leads on otherwise: `changeover abort {id}`");
    }
    format!("{finish}; to take it back: `changeover switch-back {id} --note …` leads everything to node `{from}` again")
}

/// How it is seen that it took effect.
fn done(run: &Run, step: &Step, act: &Act) -> String {
    let node = node_of(run, step);
    let target = &run.plan.target_of(step.hop).version;
    match step.kind {
        Kind::ForceSync => match act.baseline.sync.as_ref() {
            Some(before) => format!("a good sync newer than that of {} is shown in two readings", before.at),
            None => "a good sync that began after it was asked for is shown in two readings".to_owned(),
        },
        Kind::BreakFailover => Link::Broken.describe(),
        Kind::EstablishFailover => {
            format!(
                "{}, then a first good sync, awaited for {}",
                Link::Linked { primary: node }.describe(),
                limit::told(&run.plan.policy, step.kind)
            )
        }
        Kind::Update => format!("node `{node}` is healthy on {target} in two readings"),
        Kind::Drain => format!("node `{node}` has no users and no sessions"),
        Kind::Quiesce => format!("node `{node}` takes no client and has no session"),
        Kind::Reopen => format!("node `{node}` takes clients"),
        Kind::SwitchTraffic => format!("every server leads to node `{node}`"),
        Kind::LowerTtl => format!("every server gives out a TTL of at most {:#}", run.plan.policy.switch_ttl),
        Kind::RestoreTtl => "every server gives out the old TTL, or one that somebody has set since".to_owned(),
        _ => "that can't be seen".to_owned(),
    }
}

/// What follows once it is proven.
fn next(run: &Run) -> String {
    let after = run.position().and_then(|index| run.plan.steps.get(index + 1));
    after.map_or_else(
        || "the step is done, and it is the last".to_owned(),
        |step| format!("the step is done and `{}` follows", step.id),
    )
}

/// What follows if it did not take effect.
fn not_done(run: &Run, step: &Step, from: Option<Timestamp>) -> String {
    let id = &run.id;
    let again = |how: &str| {
        let from = from.map(|from| format!("from {from} on ")).unwrap_or_default();
        format!("{from}{how}; after {} tries the run is held", decide::MAX_TRIES)
    };
    match step.kind {
        Kind::Update => format!(
            "it is never sent again without a person: see at the box whether it is under way; if certainly not, `changeover resume {id}` orders it again"
        ),
        Kind::BreakFailover => {
            let limit = limit::told(&run.plan.policy, step.kind);
            again(&format!(
                "it is ordered again if both nodes still show the link and every promise holds; one of the two alone holds the run after its limit ({limit})"
            ))
        }
        Kind::EstablishFailover => {
            let limit = limit::told(&run.plan.policy, step.kind);
            again(&format!(
                "it is ordered again if both nodes still show none and every promise holds; one of the two alone holds the run after its limit ({limit})"
            ))
        }
        Kind::ForceSync => again("another one is asked for if the pair is still linked and shows no new sync"),
        Kind::SwitchTraffic => again("it is ordered again if every server still leads to where it did"),
        Kind::LowerTtl | Kind::RestoreTtl => {
            again("it is ordered again if some name still has its TTL of before on all its servers")
        }
        Kind::Backup | Kind::ExtractData => again("it is asked for again, into a folder of its own"),
        _ => again("it is ordered again if a reading younger than the doubt does not show it"),
    }
}
