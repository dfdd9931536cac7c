//! The person on duty: prompt or late, careful or not.

use changeover::domain::action::Kind;
use changeover::domain::event::Verdict;
use changeover::domain::gate::Gate;
use changeover::domain::run::{Phase, Run};
use changeover::domain::step::Step;
use changeover::engine::api::Word;
use jiff::{SignedDuration, Timestamp};

use super::night::Night;
use super::setting::span;

/// What a run asks of people as it stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Situation {
    Instruction(u32),
    Gate(Gate, Timestamp),
    Held(Timestamp, String),
    Doubt(Timestamp),
}

/// What the person is about to do about it, and when.
pub struct Reaction {
    about: Situation,
    at: Timestamp,
    what: Way,
}

#[derive(Clone, Copy, Debug)]
enum Way {
    /// Does what the instruction says, accepts, resumes.
    AsAsked,
    /// Does it whether it still stands or not (careful people look once more).
    Blindly,
    /// Does it on the other box.
    WrongBox,
    /// Mends what can be seen to be broken, then resumes.
    Mends,
    Early,
    Rejects,
    NewWindow,
    SwitchesBack,
}

pub fn situation(run: &Run) -> Option<Situation> {
    if let Some(told) = run.act.as_ref().and_then(|act| act.instruction.as_ref()).filter(|_| run.hold().is_none()) {
        return Some(Situation::Instruction(told.number));
    }
    match &run.phase {
        Phase::Held(hold) => Some(Situation::Held(hold.since, hold.code.clone())),
        Phase::InDoubt { since, .. } => Some(Situation::Doubt(*since)),
        Phase::Waiting { since, .. } => run.open_gate().map(|gate| Situation::Gate(gate, *since)),
        _ => None,
    }
}

/// What an instruction asks to be done, and the verb of it in the truth.
pub fn verb(step: &Step) -> &'static str {
    match step.kind {
        Kind::BreakFailover => "break",
        Kind::EstablishFailover => "establish",
        Kind::ForceSync => "sync-now",
        Kind::Quiesce => "close",
        Kind::Reopen => "open",
        _ => step.kind.name(),
    }
}

impl Night {
    /// When the person will do something about how the run stands; drawn once for each situation.
    pub fn intend(&mut self, run: &Run) -> Option<Timestamp> {
        let about = situation(run);
        if self.reaction.as_ref().map(|reaction| &reaction.about) != about.as_ref() {
            self.reaction = about.map(|about| self.draw_reaction(about));
        }
        self.reaction.as_ref().map(|reaction| reaction.at)
    }

    fn draw_reaction(&mut self, about: Situation) -> Reaction {
        let rough = self.character.rough;
        let prompt = span(&mut self.random, 1.0, 900.0);
        let late = span(&mut self.random, 900.0, 6.0 * 3600.0);
        let delay = if self.random.u8(..8) == 0 { late } else { prompt };
        let drawn = self.random.u8(..20);
        let what = match &about {
            Situation::Instruction(_) => match drawn {
                0 | 1 if rough => Way::WrongBox,
                2..5 if rough => Way::Blindly,
                _ => Way::AsAsked,
            },
            Situation::Gate(Gate::Production, _) if drawn < 4 => Way::Early,
            Situation::Gate(..) if drawn == 5 => Way::Rejects,
            Situation::Gate(..) => Way::AsAsked,
            Situation::Held(..) => match drawn {
                0..3 => Way::NewWindow,
                3 => Way::SwitchesBack,
                4..14 => Way::Mends,
                _ => Way::AsAsked,
            },
            // Who looks waits until the box is back.
            Situation::Doubt(_) if rough && drawn < 5 => Way::Blindly,
            Situation::Doubt(_) => Way::AsAsked,
        };
        let delay = if matches!(about, Situation::Doubt(_)) { delay + SignedDuration::from_mins(70) } else { delay };
        Reaction { about, at: self.now() + delay, what }
    }

    /// The time has come.
    pub async fn react(&mut self) {
        let Some(Reaction { about, what, .. }) = self.reaction.take() else { return };
        match about {
            Situation::Instruction(number) => self.follow(number, what).await,
            Situation::Gate(gate, _) => self.answer(gate, what).await,
            Situation::Doubt(_) if self.is_updating() && !matches!(what, Way::Blindly) => {
                let later = self.now() + SignedDuration::from_mins(20);
                self.reaction = Some(Reaction { about, at: later, what });
            }
            Situation::Doubt(_) => drop(self.say(Word::Resume { window: None }).await),
            Situation::Held(_, code) => self.resume(&code, what).await,
        }
    }

    pub fn is_updating(&self) -> bool {
        let world = self.stage.site.current();
        changeover::domain::ids::NodeId::BOTH.into_iter().any(|node| world.node(node).updating_until().is_some())
    }

    async fn resume(&mut self, code: &str, what: Way) {
        let window = Some(self.some_window());
        let odd = code == "sync_status_unknown" && self.random.bool();
        let accepts =
            Word::Confirm { gate: Some("sync_status".to_owned()), verdict: Verdict::Accept, note: None, evidence: None };
        match what {
            Way::NewWindow => drop(self.say(Word::Resume { window }).await),
            Way::SwitchesBack => drop(self.say(Word::SwitchBack { note: "back".to_owned() }).await),
            Way::Mends => {
                self.mend().await;
                self.say(Word::Resume { window: window.filter(|_| code == "window_missed") }).await;
            }
            _ if odd => drop(self.say(accepts).await),
            _ => drop(self.say(Word::Resume { window: None }).await),
        }
    }

    async fn answer(&mut self, gate: Gate, what: Way) {
        let verdict = match what {
            Way::Early if gate == Gate::Production => Verdict::AcceptEarly,
            Way::Rejects => Verdict::Reject,
            _ => Verdict::Accept,
        };
        // The door's gate stands beside its instruction and is left to that.
        let gate = if gate.is_asked() { None } else { Some(gate.name().to_owned()) };
        self.say(Word::Confirm { gate, verdict, note: None, evidence: None }).await;
    }

    /// Carries an instruction out, in a way.
    async fn follow(&mut self, number: u32, what: Way) {
        let run = self.run();
        let stands = run.act.as_ref().and_then(|act| act.instruction.as_ref()).is_some_and(|told| told.number == number);
        let Some(step) = run.step().cloned().filter(|_| stands) else { return };
        let node = step.node.unwrap_or(run.plan.primary);
        if matches!(what, Way::WrongBox) {
            let thing = if step.kind == Kind::Update { "version" } else { "link" };
            let other = node.other();
            return self.hand(thing, (verb(&step), other), |world| world.perform(step.kind.name(), other, None));
        }
        if self.stage.has_carried_out(&run.id, number) {
            return;
        }
        let done = self.stage.carry_out(&run.id, number, &step, node);
        self.tell(format!("instruction {number} ({}) carried out: {done}", step.id));
        if matches!(what, Way::Blindly) && self.random.bool() {
            // Once more, to be sure.
            let thing = if step.kind == Kind::Update { "version" } else { "link" };
            let later = span(&mut self.random, 1.0, 1200.0);
            self.stage.pass(later).await;
            self.hand(thing, (verb(&step), node), |world| world.perform(step.kind.name(), node, None));
        }
    }
}
