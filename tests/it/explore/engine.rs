//! The engine's loop in abstract steps: record, act, answer, look, decide. The run, the readings and all decisions are the
//! real ones; what is played here is `src/engine/runner/`, `perform.rs` and `words/`.

use std::sync::Arc;

use changeover::domain::action::Kind;
use changeover::domain::decide::{Next, after_restart, decide, may_be_sent_again, never_sent};
use changeover::domain::event::{Event, Evidence, Verdict};
use changeover::domain::file::FileEvidence;
use changeover::domain::gate::Gate;
use changeover::domain::ids::NodeId;
use changeover::domain::machine::{self, Command};
use changeover::domain::run::{Phase, Run};
use changeover::domain::step::Step;
use changeover::domain::watch;
use changeover::domain::world::World;
use jiff::{SignedDuration, Timestamp};

use super::oracle::{self, Breach, Moment};
use super::scenario::{self, Budget, Hands, Scenario, Trouble};
use super::truth::{Pending, Truth, linked};

/// What the engine is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Nothing until the next look or a person's word.
    Resting,
    /// An intent is durable; its act goes out now.
    Sending,
}

/// What becomes of an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Done,
    Refused,
    NeverArrived,
    /// The answer is lost, and the act took hold.
    LostDone,
    /// The answer is lost, and nothing happened.
    LostNot,
    /// The answer is lost, and the act takes hold later.
    LostLate,
    /// The order was taken, and its effect stopped half-way.
    Half,
}

/// What a restarted daemon's driver says of the act whose answer was not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recall {
    NeverSent,
    MayBeSent,
}

/// One step of a run's story, for what must have happened sometimes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Taken {
    pub phase: &'static str,
    pub event: &'static str,
    pub to: &'static str,
    /// The step's place in the plan as it was started; none in a later revision.
    pub step: Option<usize>,
}

#[derive(Clone)]
pub struct State {
    /// Shared by the states in which nothing more was recorded.
    pub run: Arc<Run>,
    pub world: World,
    pub truth: Truth,
    pub left: Budget,
    /// What may go wrong.
    pub trouble: Trouble,
    pub place: Place,
    pub breaches: Vec<Breach>,
    /// The events of the last transition.
    pub taken: Vec<Taken>,
    /// Where the daemon could have died in the last transition, between two records.
    pub died: Vec<State>,
}

const AT_ONCE: SignedDuration = SignedDuration::from_secs(1);
/// One more than the cache time.
pub const TICK: SignedDuration = SignedDuration::from_secs(3);
/// More decisions than this without a rest or an act: the run spins.
const SPIN: usize = 40;

impl State {
    /// A run that was just started, looked once and decided.
    pub fn new(scenario: &Scenario) -> Self {
        let at = scenario::begin();
        let mut state = Self {
            run: Arc::new(machine::begin(scenario::run_id(), Box::new(scenario.plan.clone()), "tester", at)),
            world: World::new(at, true, scenario::SETTLING),
            truth: Truth { ttl: scenario.ttl, ..Truth::ideal(scenario::PRIMARY, at) },
            left: scenario.budget,
            trouble: scenario.trouble,
            place: Place::Resting,
            breaches: Vec::new(),
            taken: Vec::new(),
            died: Vec::new(),
        };
        state.look(TICK, scenario.hands);
        state.advance(scenario.hands);
        state
    }

    /// The same place, with nothing taken yet.
    pub fn fresh(&self) -> Self {
        Self {
            run: Arc::clone(&self.run),
            world: self.world.clone(),
            truth: self.truth.clone(),
            breaches: self.breaches.clone(),
            taken: Vec::new(),
            died: Vec::new(),
            ..*self
        }
    }

    pub fn breach(&mut self, promise: &'static str, how: impl Into<String>) {
        self.breaches.push(Breach { promise, how: how.into() });
    }

    /// Reads everything; what the caches still hold is read only directly after an act ([`State::look_old`]).
    pub fn look(&mut self, tick: SignedDuration, hands: Hands) {
        self.truth.before = None;
        self.read(tick, hands);
    }

    pub fn look_old(&mut self, hands: Hands) {
        self.read(AT_ONCE, hands);
    }

    fn read(&mut self, tick: SignedDuration, hands: Hands) {
        self.truth.clients_write();
        let now = self.world.now + tick;
        self.world.now = now;
        let shown = self.truth.before.unwrap_or(self.truth.now);
        for node in NodeId::BOTH {
            self.world.readings[node].take(self.truth.observe(&shown, node, hands == Hands::Interface, now), now);
        }
        self.world.traffic.take(vec![Ok(self.truth.look_at_name(now))]);
        self.world.traffic.steady_count = self.world.traffic.steady_count.min(2);
    }

    /// Decides and records until an act goes out or nothing is to be done.
    pub fn advance(&mut self, hands: Hands) {
        for _ in 0..SPIN {
            let Next::Record { event, .. } = decide(&self.run, &self.world) else { return self.rests() };
            if self.record(&event).contains(&Command::Act) {
                self.place = Place::Sending;
                return;
            }
            if !self.breaches.is_empty() {
                return;
            }
            if self.left.crashes > 0 && !self.run.is_finished() {
                let mut dead = self.fresh();
                dead.left.crashes -= 1;
                dead.restart(hands);
                dead.advance(hands);
                self.died.push(dead);
            }
        }
        self.breach("rest", "decides again and again without an act or a rest");
    }

    fn rests(&mut self) {
        self.place = Place::Resting;
        self.breaches.extend(oracle::of_rest(&self.run, &self.truth, self.world.now));
    }

    /// Applies an event, as after its durable record.
    pub fn record(&mut self, event: &Event) -> Vec<Command> {
        let at = self.world.now.max(self.run.last_at);
        let (phase, step) = (machine::phase_name(&self.run.phase), self.run.position().filter(|_| self.run.revision == 0));
        self.judge_record(event);
        match machine::next(&self.run, event, at) {
            Ok((run, commands)) => {
                self.run = Arc::new(Run { last_at: at, ..run });
                self.taken.push(Taken { phase, event: event.name(), to: machine::phase_name(&self.run.phase), step });
                if self.run.act.is_none() && self.truth.pending == Some(Pending::Instructed) {
                    self.truth.pending = None;
                }
                commands
            }
            Err(error) => {
                self.breach("machine", error.to_string());
                Vec::new()
            }
        }
    }

    /// Acceptance and the soak's end are promises of their own; the asking for a sync counts from its record; a name that
    /// somebody moved by hand is proven moved.
    fn judge_record(&mut self, event: &Event) {
        let step = self.run.step().map(|step| (step.kind, step.node.unwrap_or(scenario::PRIMARY)));
        match (event, step) {
            (Event::StepBegun { .. }, Some((Kind::ForceSync, _))) => self.truth.asked = Some(self.world.now),
            (Event::StepDone { .. }, Some((Kind::SwitchTraffic, to)))
                if self.truth.survivor != to && self.truth.name == Some(to) =>
            {
                self.truth.survivor = to;
                self.truth.now.nodes[to.other()].saved_at = None;
            }
            _ => {}
        }
        let accepts = match event {
            Event::Confirmed { gate: Gate::Production, verdict, .. } => *verdict != Verdict::Reject,
            Event::StepDone { .. } => self.run.step().is_some_and(|step| step.kind == Kind::Soak),
            _ => false,
        };
        if accepts && let Some(step) = self.run.step().cloned() {
            self.judge(&step);
        }
    }

    /// Asks the oracle about an act that takes hold now.
    pub fn judge(&mut self, step: &Step) {
        let policy = &self.run.plan.policy;
        let moment = Moment {
            at: self.world.now,
            windows: &self.run.windows,
            expected: self.run.plan.expected(step.kind),
            max_sync_age: policy.max_sync_age + SignedDuration::from_secs(5),
            max_backup_age: policy.max_backup_age + SignedDuration::from_secs(5),
            min_soak: policy.min_soak,
        };
        let breaches = oracle::of_act(step, &self.truth, &moment);
        self.breaches.extend(breaches);
    }

    /// The act of the current step takes hold, as ordered or half-way.
    pub fn takes_hold(&mut self, half: bool) {
        let Some(step) = self.run.step().cloned() else { return };
        self.judge(&step);
        let node = step.node.unwrap_or(scenario::PRIMARY);
        // A person who carries an instruction out again is a person's word.
        if step.kind == Kind::Update && self.truth.pending != Some(Pending::Instructed) {
            self.truth.sent[node] += 1;
        }
        if half { self.half(&step, node) } else { self.truth.effect(step.kind, node, self.world.now) }
    }

    fn half(&mut self, step: &Step, node: NodeId) {
        self.truth.before = Some(self.truth.now);
        self.truth.pending = None;
        match step.kind {
            // The primary has let go, the standby has not heard of it.
            Kind::BreakFailover => {
                let role =
                    |each: NodeId| if each == node { changeover::domain::site::Role::Standalone } else { linked(node)(each) };
                self.truth.set_roles(role);
                self.truth.broken_at = Some(self.world.now);
            }
            Kind::EstablishFailover => self.truth.now.nodes[node].role = changeover::domain::site::Role::Primary,
            Kind::SwitchTraffic => self.truth.name = None,
            // The sessions stay.
            _ => {}
        }
    }

    /// Plays one answer to the act of the current step, up to the next rest or act. `old`: the look that follows still shows
    /// the time before.
    pub fn answered(&mut self, answer: Answer, old: bool, hands: Hands) {
        let event = self.answer_event(answer, hands);
        self.record(&event);
        if old {
            self.look_old(hands)
        } else {
            self.look(AT_ONCE, hands)
        }
        self.advance(hands);
    }

    /// The act goes out; the event is what `perform.rs` makes of its answer.
    pub fn answer_event(&mut self, answer: Answer, hands: Hands) -> Event {
        let Some(step) = self.run.step().cloned() else { return Event::ActAccepted {} };
        if answer == Answer::Done && by_hand(step.kind, hands) {
            self.truth.pending = Some(Pending::Instructed);
            let not_after = watch::not_after(&self.run, &step);
            return Event::Instructed { number: self.run.instructions + 1, not_after, lines: Vec::new() };
        }
        match answer {
            Answer::Done | Answer::LostDone => self.takes_hold(false),
            Answer::Half => self.takes_hold(true),
            Answer::LostLate => self.takes_hold_later(&step),
            Answer::Refused | Answer::NeverArrived | Answer::LostNot => {}
        }
        match answer {
            Answer::Done | Answer::Half if gives_files(step.kind) => {
                let file = FileEvidence { path: "/f".into(), sha256: "00".to_owned(), bytes: 1 };
                Event::StepDone { evidence: Evidence::files(vec![file], None), already: false }
            }
            Answer::Done | Answer::Half => Event::ActAccepted {},
            Answer::Refused => refused(&step),
            Answer::NeverArrived => self.never_arrived(&step),
            Answer::LostDone | Answer::LostNot | Answer::LostLate => Event::Doubted { message: "no answer came".to_owned() },
        }
    }

    fn takes_hold_later(&mut self, step: &Step) {
        self.judge(step);
        let node = step.node.unwrap_or(scenario::PRIMARY);
        let wait = if step.kind.is_of_traffic() { scenario::SETTLING } else { self.run.plan.expected(step.kind) };
        self.truth.pending = Some(Pending::Late(self.world.now + wait - TICK, step.kind, node));
    }

    fn never_arrived(&self, step: &Step) -> Event {
        let tries = self.run.at().map_or(1, |progress| progress.tries);
        if tries >= changeover::domain::decide::MAX_TRIES {
            return refused(step);
        }
        let until = self.world.now + SignedDuration::from_secs(5);
        Event::RetryScheduled { attempt: tries, until, message: "not sent".to_owned() }
    }

    /// The daemon comes up again: what it had read is gone.
    pub fn restart(&mut self, hands: Hands) {
        self.world = World::new(self.world.now, true, scenario::SETTLING);
        self.look(AT_ONCE, hands);
        self.record(&Event::Recovered {});
    }

    /// After a restart in the middle of an act.
    pub fn recalled(&mut self, recall: Recall, hands: Hands) {
        self.restart(hands);
        if may_be_sent_again(&self.run) {
            self.place = Place::Sending;
            return;
        }
        self.look(TICK, hands);
        let next = match recall {
            Recall::NeverSent => never_sent(&self.run, &self.world),
            Recall::MayBeSent => Some(after_restart(&self.run, &self.world)),
        };
        let Some(next) = next else {
            self.place = Place::Sending;
            return;
        };
        if let Next::Record { event, .. } = next {
            self.record(&event);
        }
        self.look(TICK, hands);
        self.advance(hands);
    }

    /// A person's word was recorded.
    pub fn hears(&mut self, event: &Event, hands: Hands) {
        self.record(event);
        if self.place == Place::Resting {
            self.advance(hands);
        }
    }

    pub fn is_by_hand(&self, hands: Hands) -> bool {
        self.run.step().is_some_and(|step| by_hand(step.kind, hands))
    }
}

pub fn gives_files(kind: Kind) -> bool {
    matches!(kind, Kind::Backup | Kind::ExtractData)
}

/// Acts that a person carries out where there is no interface.
pub fn by_hand(kind: Kind, hands: Hands) -> bool {
    hands == Hands::Operator && !gives_files(kind) && kind != Kind::Drain
}

fn refused(step: &Step) -> Event {
    let code = if step.kind == Kind::ForceSync { "sync_failed" } else { "step_failed" };
    Event::Held {
        code: code.to_owned(),
        message: format!("`{}` was refused", step.kind),
        expected: String::new(),
        found: String::new(),
        node: step.node,
        given_up: true,
    }
}

/// The time of a phase that has one.
pub fn phase_since(phase: &Phase) -> Option<Timestamp> {
    match phase {
        Phase::Waiting { since, .. } | Phase::InDoubt { since, .. } => Some(*since),
        _ => None,
    }
}
