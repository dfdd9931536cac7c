//! Everything that can happen next in a state, each with the state it leads to.

mod outside;
mod time;
mod words;

use changeover::domain::action::Kind;
use changeover::domain::event::{Event, Verdict};
use changeover::domain::facts::Link;
use changeover::domain::gate::Gate;
use changeover::domain::homeward;
use changeover::domain::ids::NodeId;

use super::engine::{Answer, Place, Recall, State, TICK, by_hand, gives_files};
use super::scenario::{self, Hands};
use super::truth::{Health, Pending, Release, Sync};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Move {
    Begin,
    /// The act under way is answered; `old`: the look after it shows the time before.
    Answer(Answer, bool),
    Look,
    /// Time goes to the next edge.
    Later,
    /// What is under way goes on.
    Progress(Progress),
    /// The daemon dies and comes up again.
    Crash(Death),
    Word(Word),
    Fault(Fault),
    /// A node answers again, or is healthy again.
    Back(NodeId),
    /// It was restarted, and forgot that it is closed.
    BackOpen(NodeId),
    Outside(Change),
    /// A person sets right by hand what a held run found wrong.
    Mend,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Progress {
    TakesHold,
    TakesHoldHalf,
    SyncEnds(Sync),
    UpdateEnds(Release),
    UpdateEndsUnwell,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Death {
    /// Before the act went out.
    Before(Recall),
    /// The act took hold, its answer was not recorded.
    After,
    Resting,
    /// Between two records of the last transition.
    Between,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Word {
    Confirm(Gate, Verdict),
    Hold,
    Resume,
    ResumeWithWindow,
    SwitchBack,
    /// The way home, the best or the next best.
    Abort(usize),
    Close,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    Silent(NodeId),
    /// While an act is on its way, of which this becomes.
    SilentAt(NodeId, Answer),
    Unwell(NodeId),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    RolesFlipped,
    Linked(NodeId),
    Unlinked,
    BothPrimary,
    Version(NodeId, Release),
    NameMoved,
    BoxReplaced(NodeId),
    /// Opened to clients by hand.
    Opened(NodeId),
    /// Somebody works on the node that does not serve.
    Stray(NodeId),
}

pub struct Moves<'a> {
    state: &'a State,
    key: &'a [u8],
    /// Another look shows nothing new: what people and outsiders do in between comes to the same.
    settled: bool,
    hands: Hands,
    pub out: Vec<(Move, State)>,
}

/// All that can happen next.
pub fn of(state: &State, key: &[u8], hands: Hands) -> Vec<(Move, State)> {
    let mut moves = Moves { state, key, settled: false, hands, out: Vec::new() };
    if !state.run.is_finished() {
        match state.place {
            Place::Sending => moves.sending(),
            Place::Resting => moves.resting(),
        }
    }
    moves.out
}

impl Moves<'_> {
    fn push(&mut self, happened: Move, change: impl FnOnce(&mut State, Hands)) {
        let mut state = self.state.fresh();
        change(&mut state, self.hands);
        let died = std::mem::take(&mut state.died);
        self.out.push((happened, state));
        self.out.extend(died.into_iter().map(|state| (Move::Crash(Death::Between), state)));
    }

    /// Costs one of the path's faults.
    pub(super) fn fault(&mut self, happened: Move, change: impl FnOnce(&mut State, Hands)) {
        if self.state.left.faults > 0 {
            self.push(happened, |state, hands| {
                state.left.faults -= 1;
                change(state, hands);
            });
        }
    }

    fn sending(&mut self) {
        let Some(step) = self.state.run.step() else { return };
        let (kind, node) = (step.kind, step.node.unwrap_or(scenario::PRIMARY));
        let concerned = |node: NodeId| self.state.truth.is_up(node);
        let reaches = kind.is_of_traffic() || by_hand(kind, self.hands) || concerned(node);
        if reaches {
            self.push(Move::Answer(Answer::Done, false), |state, hands| state.answered(Answer::Done, false, hands));
            if !gives_files(kind) && !kind.is_of_traffic() && !by_hand(kind, self.hands) {
                self.push(Move::Answer(Answer::Done, true), |state, hands| state.answered(Answer::Done, true, hands));
            }
            let may_fail = self.state.trouble.fails(kind);
            for answer in answers(kind, self.hands).into_iter().filter(|_| may_fail) {
                self.fault(Move::Answer(answer, false), |state, hands| state.answered(answer, false, hands));
            }
        } else {
            self.push(Move::Answer(Answer::NeverArrived, false), |state, hands| {
                state.breach("R13", format!("`{kind}` goes out to node `{node}`, which could not be read"));
                state.answered(Answer::NeverArrived, false, hands);
            });
        }
        self.falls_silent_sending(kind);
        if self.state.left.crashes > 0 {
            self.dies_sending(reaches);
        }
        if self.state.left.words > 0 && !self.state.run.hold_requested && !self.state.trouble.is_silence() {
            self.word(Word::Hold, Event::HoldRequested {}, true);
        }
    }

    fn dies_sending(&mut self, reaches: bool) {
        for recall in [Recall::NeverSent, Recall::MayBeSent] {
            self.push(Move::Crash(Death::Before(recall)), |state, hands| {
                state.left.crashes -= 1;
                state.recalled(recall, hands);
            });
        }
        if reaches && !self.state.is_by_hand(self.hands) {
            self.push(Move::Crash(Death::After), |state, hands| {
                state.left.crashes -= 1;
                state.answer_event(Answer::Done, hands);
                state.recalled(Recall::MayBeSent, hands);
            });
        }
    }

    fn resting(&mut self) {
        self.push(Move::Look, |state, hands| {
            state.look(TICK, hands);
            state.advance(hands);
        });
        // Looks come every few seconds: time goes far only once another one would show nothing new.
        self.settled = *super::key::of(&self.out[0].1) == *self.key;
        self.progress();
        self.words();
        self.gets_better();
        if self.state.left.faults > 0 {
            self.faults();
        }
        if self.state.left.crashes > 0 {
            self.push(Move::Crash(Death::Resting), |state, hands| {
                state.left.crashes -= 1;
                state.restart(hands);
                state.advance(hands);
            });
        }
        if self.settled {
            if self.state.left.outside > 0 {
                self.changes();
            }
            self.later();
        }
    }

    /// Something happens in the world, and the next look sees it.
    fn world(&mut self, happened: Move, cost: bool, change: impl FnOnce(&mut State)) {
        let then = |state: &mut State, hands: Hands| {
            change(state);
            if state.breaches.is_empty() {
                state.look(TICK, hands);
                state.advance(hands);
            }
        };
        if cost && !self.state.trouble.is_any() {
            return;
        }
        if cost { self.fault(happened, then) } else { self.push(happened, then) }
    }

    fn progress(&mut self) {
        let kind = self.state.run.step().map(|step| step.kind);
        match self.state.truth.pending {
            None => {}
            Some(Pending::Instructed) if !self.may_begin() => {}
            Some(Pending::Instructed) => {
                self.world(Move::Progress(Progress::TakesHold), false, |state| state.takes_hold(false));
                if matches!(kind, Some(Kind::BreakFailover | Kind::EstablishFailover | Kind::SwitchTraffic)) {
                    self.world(Move::Progress(Progress::TakesHoldHalf), true, |state| state.takes_hold(true));
                }
            }
            Some(Pending::Late(_, kind, node)) => self.world(Move::Progress(Progress::TakesHold), false, |state| {
                state.truth.effect(kind, node, state.world.now);
            }),
            Some(Pending::Sync | Pending::FirstSync) => {
                for verdict in [Sync::Good, Sync::Failed, Sync::Odd] {
                    self.world(Move::Progress(Progress::SyncEnds(verdict)), verdict != Sync::Good, |state| {
                        sync_ends(state, verdict);
                    });
                }
            }
            Some(Pending::Update(node)) => self.update_goes_on(node),
        }
    }

    /// People keep to an instruction's "not after", and do not begin on a pair of which a node has just fallen silent: for a
    /// minute a lost answer calls nobody back.
    fn may_begin(&self) -> bool {
        let instruction = self.state.run.act.as_ref().and_then(|act| act.instruction.as_ref());
        let in_time = instruction.and_then(|instruction| instruction.not_after).is_none_or(|until| self.state.world.now <= until);
        let silent = |node: NodeId| self.state.truth.now.nodes[node].health == Health::Silent;
        in_time && !NodeId::BOTH.into_iter().any(silent)
    }

    fn update_goes_on(&mut self, node: NodeId) {
        for release in [Release::Target, Release::Start, Release::Other] {
            self.world(Move::Progress(Progress::UpdateEnds(release)), release != Release::Target, |state| {
                state.truth.update_ends(node, release, state.world.now);
                state.truth.pending = None;
            });
        }
        self.world(Move::Progress(Progress::UpdateEndsUnwell), true, |state| {
            state.truth.update_ends(node, Release::Target, state.world.now);
            state.truth.now.nodes[node].health = Health::Unwell;
            state.truth.pending = None;
        });
    }
}

/// The ways in which an act of this kind can go wrong.
fn answers(kind: Kind, hands: Hands) -> Vec<Answer> {
    use Answer as A;
    if by_hand(kind, hands) {
        return vec![A::NeverArrived];
    }
    let mut answers = vec![A::Refused, A::NeverArrived, A::LostNot];
    if !gives_files(kind) {
        answers.push(A::LostDone);
    }
    if matches!(kind, Kind::ForceSync | Kind::BreakFailover | Kind::EstablishFailover) || kind.is_of_traffic() {
        answers.push(A::LostLate);
    }
    if matches!(kind, Kind::BreakFailover | Kind::EstablishFailover | Kind::SwitchTraffic | Kind::Drain) {
        answers.push(A::Half);
    }
    answers
}

fn sync_ends(state: &mut State, verdict: Sync) {
    state.truth.sync_ends(verdict, state.world.now);
    state.truth.pending = None;
}

/// Harbour: nothing leads on but what a person decides outside the run.
pub fn is_at_rest_for_good(state: &State) -> bool {
    state.run.is_finished() || state.run.hold().is_some_and(|hold| matches!(hold.code.as_str(), "switched_back" | "harbour"))
}

/// Somebody installed another version before its time: no word but `abort` leads on, and a way is there. Where the path's words
/// are spent this counts as a way out; the explorations with words follow it.
pub fn only_abort_leads_on(state: &State) -> bool {
    let spent = state.left.words == 0 && !state.run.is_ordered();
    let stuck = state.run.hold().is_some_and(|hold| hold.code == "wrong_version");
    spent && stuck && !homeward::of_run(&state.run, &state.world).ways.is_empty()
}

/// For the stories: how the pair stands.
pub fn describe(state: &State) -> String {
    let node = |node: NodeId| {
        let it = &state.truth.now.nodes[node];
        format!(
            "{node}: {} {:?} {:?}{}{}",
            it.role.as_str(),
            it.release,
            it.health,
            if it.closed { " closed" } else { "" },
            if it.unsaved { " unsaved" } else { "" }
        )
    };
    let hold = state.run.hold().map_or(String::new(), |hold| format!(" ({}: {})", hold.code, hold.message));
    let link = Link::of(state.world.readings.as_ref().map(|reading| reading.role()));
    let step = state.run.step().map_or("-", |step| &step.id);
    let phase = changeover::domain::machine::phase_name(&state.run.phase);
    format!(
        "{} {phase}{hold} at {step}; {}; {}; name {:?}; read {link:?}",
        state.world.now,
        node(NodeId::A),
        node(NodeId::B),
        state.truth.name
    )
}
