//! What people say, and what they may say where.

use changeover::domain::action::{Kind, When};
use changeover::domain::booking;
use changeover::domain::event::{Cause, Event, Verdict, WaitingOn};
use changeover::domain::gate::Gate;
use changeover::domain::homeward;
use changeover::domain::rule::Rule;
use changeover::domain::rules;
use changeover::domain::run::Phase;

use super::super::engine::{State, TICK};
use super::super::scenario;
use super::super::truth::{Sync, Truth};
use super::{Move, Moves, Word, is_at_rest_for_good};

impl Moves<'_> {
    pub(super) fn word(&mut self, word: Word, event: Event, costs: bool) {
        self.push(Move::Word(word), |state, hands| {
            state.left.words -= u8::from(costs);
            state.hears(&event, hands);
        });
    }

    pub(super) fn words(&mut self) {
        let run = &self.state.run;
        let silence = self.state.trouble.is_silence();
        let may_order = self.state.left.words > 0 && (!silence || self.state.left.faults == 0 && run.hold().is_some());
        let may_digress = may_order && !silence;
        if let Some(gate) = run.open_gate() {
            self.gate(gate, may_digress);
        }
        if may_digress && run.hold().is_none() && !run.hold_requested {
            self.word(Word::Hold, Event::HoldRequested {}, true);
        }
        if may_digress && run.may_switch_back() {
            self.push(Move::Word(Word::SwitchBack), |state, hands| {
                state.left.words -= 1;
                state.truth.people.ordered = true;
                state.hears(&Event::SwitchBackOrdered { note: "n".to_owned() }, hands);
            });
        }
        if may_order {
            self.abort();
        }
        if may_digress {
            self.close();
        }
        self.resume();
    }

    fn abort(&mut self) {
        let (run, world) = (&self.state.run, &self.state.world);
        if !homeward::may_be_ordered(run, world) {
            return;
        }
        for (number, way) in homeward::of_run(run, world).ways.into_iter().enumerate() {
            let event = homeward::order(run, world, &way, Cause::Abort, None);
            self.push(Move::Word(Word::Abort(number)), |state, hands| {
                state.left.words -= 1;
                state.truth.people.ordered = true;
                state.truth.sent = Default::default();
                state.hears(&event, hands);
            });
        }
    }

    fn close(&mut self) {
        let event = Event::Closed { state: "s".to_owned(), note: "n".to_owned(), undone: Vec::new(), off_since: None };
        self.word(Word::Close, event, true);
    }

    fn gate(&mut self, gate: Gate, may_digress: bool) {
        for verdict in [Verdict::Accept, Verdict::AcceptEarly, Verdict::Reject] {
            let leads_on = verdict == Verdict::Accept;
            let closed =
                self.state.run.step().and_then(|step| step.node).is_some_and(|node| self.state.truth.now.nodes[node].closed);
            let true_word = match gate {
                Gate::NodeClosed => closed && leads_on,
                Gate::NodeOpen => !closed && leads_on,
                _ => true,
            };
            let sensible = (gate == Gate::Production || verdict != Verdict::AcceptEarly) && true_word;
            if sensible && (leads_on || may_digress) {
                self.confirm(gate, verdict, !leads_on);
            }
        }
    }

    /// A person speaks at a gate; an acceptance is judged on fresh readings first (R16).
    fn confirm(&mut self, gate: Gate, verdict: Verdict, costs: bool) {
        self.push(Move::Word(Word::Confirm(gate, verdict)), |state, hands| {
            state.left.words -= u8::from(costs);
            if verdict != Verdict::Reject {
                state.look(TICK, hands);
                if is_refused_by_r16(state) {
                    return state.advance(hands);
                }
                match gate {
                    Gate::Production => state.truth.people.accepted = Some(verdict),
                    Gate::AutomaticFailoverOff => state.truth.people.off = state.run.step().map(|step| step.when),
                    _ => {}
                }
                if gate == Gate::SyncStatus && matches!(state.truth.now.sync, Some((_, Sync::Odd))) {
                    sync_was_good(&mut state.truth);
                }
            }
            state.hears(&Event::Confirmed { gate, verdict, note: None, by: None, shown: None }, hands);
        });
    }

    /// As `words.rs` lets a run be resumed.
    fn resume(&mut self) {
        let run = &self.state.run;
        let waits_for_window = matches!(run.phase, Phase::Waiting { on: WaitingOn::Window, .. });
        let resumable = run.hold().is_some() || matches!(run.phase, Phase::InDoubt { .. });
        if is_at_rest_for_good(self.state) || !resumable && !waits_for_window {
            return;
        }
        let Some(step) = run.step() else {
            return self.resumed(Word::Resume, Event::Resumed { first: None, second: None, responsible: None }, false);
        };
        let now = self.state.world.now;
        if run.hold().is_some_and(|hold| hold.code == booking::HOLD) {
            let second = Some(scenario::window(booking::need_of_run(run, When::Window2, now).earliest));
            let event = Event::Resumed { first: None, second, responsible: None };
            return self.resumed(Word::ResumeWithWindow, event, false);
        }
        let missed = run.hold().is_some_and(|hold| hold.code == "window_missed");
        let fits = run.needs_of_window().is_none_or(|(bound, needed)| {
            run.windows.of(bound.when).is_none_or(|window| window.fits(now.max(window.from), needed))
        });
        if resumable && (fits || !missed) {
            let event = Event::Resumed { first: None, second: None, responsible: None };
            self.resumed(Word::Resume, event, false);
        }
        let part = if step.when >= When::Soak { run.windows.second.as_ref() } else { run.windows.first.as_ref() };
        if part.is_some_and(|part| now + run.plan.expected(Kind::Update) > part.to) {
            let window = Some(scenario::window(now));
            let (first, second) = if step.when >= When::Soak { (None, window) } else { (window, None) };
            self.resumed(Word::ResumeWithWindow, Event::Resumed { first, second, responsible: None }, true);
        }
    }

    fn resumed(&mut self, word: Word, event: Event, rebooked: bool) {
        self.push(Move::Word(word), |state, hands| {
            state.truth.sent = Default::default();
            if rebooked {
                state.truth.people.off = None;
            }
            state.hears(&event, hands);
        });
    }
}

/// A person knows better than the status text.
fn sync_was_good(truth: &mut Truth) {
    if let Some((at, _)) = truth.now.sync {
        truth.sync_ends(Sync::Good, at);
        truth.now.sync = Some((at, Sync::Odd));
    }
}

fn is_refused_by_r16(state: &State) -> bool {
    let Some(step) = state.run.step() else { return false };
    let violations = rules::violations(step, &state.world.facts(&state.run, step));
    violations.iter().any(|violation| violation.rule == Rule::R16)
}
