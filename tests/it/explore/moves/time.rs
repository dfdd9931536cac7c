//! When something changes by itself.

use changeover::domain::action::Kind;
use changeover::domain::event::WaitingOn;
use changeover::domain::ids::NodeId;
use changeover::domain::run::Phase;
use jiff::{SignedDuration, Timestamp};

use super::super::engine::{State, phase_since};
use super::super::scenario;
use super::super::truth::{Pending, Sync};
use super::{Move, Moves};

/// How long after an edge the look takes place.
const AFTER: SignedDuration = SignedDuration::from_secs(3);

impl Moves<'_> {
    /// To the next edge that makes a difference: the others are passed on the way.
    pub(super) fn later(&mut self) {
        let mut state = self.state.fresh();
        while let Some(edge) = next_edge(&state) {
            passes(&mut state, edge);
            state.look(AFTER, self.hands);
            state.advance(self.hands);
            if *super::super::key::of(&state) != *self.key {
                return self.push(Move::Later, |at, _| *at = state);
            }
        }
    }
}

/// The next moment at which something changes by itself.
fn next_edge(state: &State) -> Option<Timestamp> {
    let run = &state.run;
    let policy = &run.plan.policy;
    let now = state.world.now;
    let second = SignedDuration::from_secs(1);
    let mut edges: Vec<Option<Timestamp>> = Vec::new();
    if let Some(step) = run.step() {
        let ahead = |kind: Kind| run.steps().any(|(step, progress)| step.kind == kind && progress.done_at.is_none());
        for window in [&run.windows.first, &run.windows.second].into_iter().flatten() {
            edges.extend([Some(window.from), Some(window.to - run.plan.expected(Kind::Update) + second), Some(window.to)]);
        }
        edges.push(run.soak_from.filter(|_| !run.soaked).map(|from| from + policy.min_soak));
        edges.push(
            run.sync.as_ref().filter(|_| ahead(Kind::BreakFailover)).map(|sync| sync.proven_at + policy.max_sync_age + second),
        );
        if ahead(Kind::Update) || ahead(Kind::EstablishFailover) {
            let lapses = |node: NodeId| run.nodes[node].backup.as_ref().map(|(at, _)| *at + policy.max_backup_age + second);
            edges.extend(NodeId::BOTH.map(lapses));
        }
        let since = run.act.as_ref().map(|act| act.since);
        edges.push(since.map(|since| since + run.plan.expected(step.kind)));
        let waited = phase_since(&run.phase).or(since);
        let has_limit = !matches!(run.phase, Phase::Waiting { on: WaitingOn::Window | WaitingOn::Gate | WaitingOn::Soak, .. });
        edges.push(waited.filter(|_| has_limit).map(|since| since + run.plan.limit(step.kind) + second));
        if matches!(run.phase, Phase::InDoubt { .. }) {
            edges.push(waited.map(|since| since + scenario::SETTLING));
        }
    }
    edges.push(run.unprotected_since().map(|from| from + policy.max_unprotected + second));
    if let Phase::Waiting { until, .. } = &run.phase {
        edges.push(*until);
    }
    edges.extend(
        NodeId::BOTH.map(|node| state.world.readings[node].silent_since.map(|since| since + policy.max_silence + second)),
    );
    edges.push(state.world.readings[run.survivor].denied_since().map(|since| since + policy.max_silence));
    edges.into_iter().flatten().filter(|edge| *edge > now).min()
}

/// Time goes to an edge: what was late has come, caches have forgotten, a healthy pair has synced by itself.
fn passes(state: &mut State, edge: Timestamp) {
    if let Some(Pending::Late(until, kind, node)) = state.truth.pending
        && edge >= until
    {
        state.truth.effect(kind, node, state.world.now);
    }
    state.world.now = edge - AFTER + SignedDuration::from_secs(1);
    if !state.trouble.is_silence() {
        state.truth.cached = None;
    }
    // After the break no sync of the pair's own matters, and a new one at each edge would keep time from passing.
    if state.run.broken_at.is_none()
        && state.truth.primary().is_some()
        && state.truth.pending.is_none()
        && NodeId::BOTH.into_iter().all(|node| state.truth.is_up(node))
    {
        state.truth.sync_ends(Sync::Good, state.world.now);
    }
}
