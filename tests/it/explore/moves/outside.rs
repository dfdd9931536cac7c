//! What becomes of the nodes by themselves, what others do to the pair, and what is set right by hand.

use changeover::domain::action::Kind;
use changeover::domain::ids::NodeId;
use changeover::domain::run::Phase;
use changeover::domain::site::Role;

use super::super::engine::{Answer, State, TICK, by_hand};
use super::super::truth::{Health, Pending, Release, Sync, Truth, linked};
use super::{Change, Fault, Move, Moves, is_at_rest_for_good};

impl Moves<'_> {
    pub(super) fn gets_better(&mut self) {
        for node in NodeId::BOTH {
            if matches!(self.state.truth.now.nodes[node].health, Health::Silent | Health::Unwell) {
                self.world(Move::Back(node), false, |state| state.truth.now.nodes[node].health = Health::Well);
                if self.state.trouble.is_silence() && self.state.truth.now.nodes[node].closed {
                    self.world(Move::BackOpen(node), false, |state| {
                        let appliance = &mut state.truth.now.nodes[node];
                        (appliance.health, appliance.closed) = (Health::Well, false);
                    });
                }
            }
        }
        let stuck = matches!(self.state.run.phase, Phase::Held(_) | Phase::InDoubt { .. });
        let installing = matches!(self.state.truth.pending, Some(Pending::Update(_)));
        if stuck && !installing && !is_at_rest_for_good(self.state) {
            let mended = mended(self.state);
            if mended != self.state.truth {
                self.world(Move::Mend, false, |state| state.truth = mended);
            }
        }
    }

    pub(super) fn faults(&mut self) {
        let kind = self.state.run.step().map(|step| step.kind);
        if let Some(node) = kind.and_then(|kind| self.state.trouble.silences(kind)) {
            self.fault(Move::Fault(Fault::Silent(node)), |state, hands| {
                state.truth.now.nodes[node].health = Health::Silent;
                state.look(TICK, hands);
                state.advance(hands);
            });
        }
        if !self.state.trouble.is_any() {
            return;
        }
        for node in NodeId::BOTH {
            if self.state.truth.now.nodes[node].health == Health::Well {
                self.world(Move::Fault(Fault::Silent(node)), true, |state| state.truth.now.nodes[node].health = Health::Silent);
                self.world(Move::Fault(Fault::Unwell(node)), true, |state| state.truth.now.nodes[node].health = Health::Unwell);
            }
        }
    }

    /// A node falls silent in the middle of an act, whatever has become of that.
    pub(super) fn falls_silent_sending(&mut self, kind: Kind) {
        let Some(node) = self.state.trouble.silences(kind) else { return };
        let answers: &[Answer] = if by_hand(kind, self.hands) {
            &[Answer::Done, Answer::NeverArrived]
        } else {
            &[Answer::Done, Answer::NeverArrived, Answer::LostDone, Answer::LostNot]
        };
        for &answer in answers {
            self.fault(Move::Fault(Fault::SilentAt(node, answer)), |state, hands| {
                let event = state.answer_event(answer, hands);
                state.truth.now.nodes[node].health = Health::Silent;
                state.record(&event);
                state.look(TICK, hands);
                state.advance(hands);
            });
        }
    }

    pub(super) fn changes(&mut self) {
        for change in possible_changes(&self.state.truth).into_iter().filter(|&change| self.state.trouble.includes(change)) {
            self.world(Move::Outside(change), false, |state| {
                state.left.outside -= 1;
                happens(state, change);
            });
        }
    }
}

fn possible_changes(truth: &Truth) -> Vec<Change> {
    let mut changes = vec![Change::NameMoved, Change::BothPrimary];
    changes.extend(NodeId::BOTH.map(Change::BoxReplaced));
    match truth.primary() {
        Some(_) => changes.extend([Change::RolesFlipped, Change::Unlinked]),
        None => changes.extend(NodeId::BOTH.map(Change::Linked)),
    }
    for node in NodeId::BOTH {
        let appliance = &truth.now.nodes[node];
        let releases = [Release::Target, Release::Other].into_iter().filter(|release| *release != appliance.release);
        changes.extend(releases.map(|release| Change::Version(node, release)));
        if appliance.closed {
            changes.push(Change::Opened(node));
        } else if truth.survivor != node && appliance.role == Role::Standalone {
            changes.push(Change::Stray(node));
        }
    }
    changes
}

fn happens(state: &mut State, change: Change) {
    let at = state.world.now;
    let truth = &mut state.truth;
    match change {
        Change::RolesFlipped => {
            if let Some(primary) = truth.primary() {
                truth.set_roles(linked(primary.other()));
            }
        }
        Change::Linked(primary) => {
            truth.set_roles(linked(primary));
            truth.sync_ends(Sync::Good, at);
        }
        Change::Unlinked => {
            truth.set_roles(|_| Role::Standalone);
            truth.pending = None;
        }
        Change::BothPrimary => {
            truth.set_roles(|_| Role::Primary);
            truth.pending = None;
        }
        Change::Version(node, release) => {
            truth.now.nodes[node].release = release;
            truth.updated_at = truth.updated_at.or(Some(at).filter(|_| release == Release::Target));
        }
        Change::NameMoved => truth.name = truth.name.map(NodeId::other),
        Change::BoxReplaced(node) => truth.now.nodes[node].strange = true,
        Change::Opened(node) => truth.now.nodes[node].closed = false,
        Change::Stray(node) => {
            truth.now.nodes[node].sessions = true;
            truth.now.nodes[node].unsaved = true;
        }
    }
}

/// The pair as the journal says that it should be where the run stands: what a person restores by hand.
fn mended(state: &State) -> Truth {
    let run = &state.run;
    let mut truth = state.truth.clone();
    let linked_now = run.is_at(Kind::EstablishFailover) || run.broken_at.is_none() || run.protected_at.is_some();
    let primary = if run.broken_at.is_some() { run.survivor } else { run.plan.primary };
    let broken = !linked_now || run.is_at(Kind::BreakFailover);
    if broken && NodeId::BOTH.into_iter().any(|node| truth.now.nodes[node].role != Role::Standalone) {
        truth.set_roles(|_| Role::Standalone);
    }
    if !broken && truth.primary() != Some(primary) {
        truth.set_roles(linked(primary));
    }
    if !broken && !matches!(truth.now.sync, Some((_, Sync::Good))) {
        truth.sync_ends(Sync::Good, state.world.now);
    }
    truth.pending = None;
    truth.name = Some(run.survivor);
    truth.survivor = run.survivor;
    for node in NodeId::BOTH {
        let expected = run.expected_version(node).version;
        let appliance = &mut truth.now.nodes[node];
        appliance.strange = false;
        if appliance.health != Health::Silent {
            appliance.health = Health::Well;
        }
        // Nobody closes the node that the run is about to lead people to.
        if !run.is_to_serve(node) {
            appliance.closed = run.nodes[node].closed_at.is_some();
        }
        appliance.sessions = node == run.survivor && appliance.sessions && run.step().is_none_or(|step| step.kind != Kind::Drain);
        // Before the break nobody installs anything; after it only what is not known at all is put right.
        if run.broken_at.is_none() || appliance.release == Release::Other {
            appliance.release = if expected == run.plan.to.version { Release::Target } else { Release::Start };
        }
    }
    truth
}
