//! Everything that can happen next in a state, each with the state it leads to.

use changeover::domain::action::{Gate, Kind, When};
use changeover::domain::event::{Cause, Event, Verdict, WaitingOn};
use changeover::domain::facts::Link;
use changeover::domain::ids::NodeId;
use changeover::domain::run::Phase;
use changeover::domain::site::Role;
use changeover::domain::way_home;
use jiff::{SignedDuration, Timestamp};

use super::engine::{Answer, Place, Recall, State, TICK, by_hand, gives_files, phase_since};
use super::scenario::{self, Hands};
use super::truth::{Health, Pending, Release, Sync, Truth, linked};

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
    fn fault(&mut self, happened: Move, change: impl FnOnce(&mut State, Hands)) {
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
        let reaches = kind == Kind::SwitchTraffic || by_hand(kind, self.hands) || concerned(node);
        if reaches {
            self.push(Move::Answer(Answer::Done, false), |state, hands| state.answered(Answer::Done, false, hands));
            if !gives_files(kind) && kind != Kind::SwitchTraffic && !by_hand(kind, self.hands) {
                self.push(Move::Answer(Answer::Done, true), |state, hands| state.answered(Answer::Done, true, hands));
            }
            let may_fail = self.state.faults_at.is_none_or(|may_fail| may_fail(kind));
            for answer in answers(kind, self.hands).into_iter().filter(|_| may_fail) {
                self.fault(Move::Answer(answer, false), |state, hands| state.answered(answer, false, hands));
            }
        } else {
            self.push(Move::Answer(Answer::NeverArrived, false), |state, hands| {
                state.breach("R13", format!("`{kind}` goes out to node `{node}`, which could not be read"));
                state.answered(Answer::NeverArrived, false, hands);
            });
        }
        if self.state.left.crashes > 0 {
            self.dies_sending(reaches);
        }
        if self.state.left.words > 0 && !self.state.run.hold_requested {
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
        if self.state.left.faults > 0 && self.state.faults_at.is_none() {
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

    /// To the next edge that makes a difference: the others are passed on the way.
    fn later(&mut self) {
        let mut state = self.state.fresh();
        while let Some(edge) = next_edge(&state) {
            passes(&mut state, edge);
            state.look(AFTER, self.hands);
            state.advance(self.hands);
            if *super::key::of(&state) != *self.key {
                return self.push(Move::Later, |at, _| *at = state);
            }
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
        if cost && self.state.faults_at.is_some() {
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

    fn word(&mut self, word: Word, event: Event, costs: bool) {
        self.push(Move::Word(word), |state, hands| {
            state.left.words -= u8::from(costs);
            state.hears(&event, hands);
        });
    }

    fn words(&mut self) {
        let run = &self.state.run;
        let may_digress = self.state.left.words > 0;
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
        if may_digress {
            self.abort();
            self.close();
        }
        self.resume();
    }

    fn abort(&mut self) {
        let (run, world) = (&self.state.run, &self.state.world);
        if !way_home::may_be_ordered(run, world) {
            return;
        }
        for (number, way) in way_home::of_run(run, world).ways.into_iter().enumerate() {
            let event = way_home::order(run, world, &way, Cause::Abort, None);
            self.push(Move::Word(Word::Abort(number)), |state, hands| {
                state.left.words -= 1;
                state.truth.people.ordered = true;
                state.truth.sent = Default::default();
                state.hears(&event, hands);
            });
        }
    }

    fn close(&mut self) {
        let event = Event::Closed { state: "s".to_owned(), note: "n".to_owned(), undone: Vec::new() };
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
                    Gate::SyncStatus | Gate::NodeClosed | Gate::NodeOpen => {}
                }
                if gate == Gate::SyncStatus && matches!(state.truth.now.sync, Some((_, Sync::Odd))) {
                    sync_was_good(&mut state.truth);
                }
            }
            state.hears(&Event::Confirmed { gate, verdict, note: None }, hands);
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
            return self.resumed(Word::Resume, Event::Resumed { first: None, second: None }, false);
        };
        let now = self.state.world.now;
        let missed = run.hold().is_some_and(|hold| hold.code == "window_missed");
        let window = run.windows.of(step.when);
        let fits = window.is_none_or(|window| window.fits(now.max(window.from), run.plan.expected(step.kind)));
        if resumable && (fits || !missed) {
            let event = Event::Resumed { first: None, second: None };
            self.resumed(Word::Resume, event, false);
        }
        let part = if step.when >= When::Soak { run.windows.second.as_ref() } else { run.windows.first.as_ref() };
        if part.is_some_and(|part| now + run.plan.expected(Kind::Update) > part.to) {
            let window = Some(scenario::window(now));
            let (first, second) = if step.when >= When::Soak { (None, window) } else { (window, None) };
            self.resumed(Word::ResumeWithWindow, Event::Resumed { first, second }, true);
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

    fn gets_better(&mut self) {
        for node in NodeId::BOTH {
            if matches!(self.state.truth.now.nodes[node].health, Health::Silent | Health::Unwell) {
                self.world(Move::Back(node), false, |state| state.truth.now.nodes[node].health = Health::Well);
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

    fn faults(&mut self) {
        for node in NodeId::BOTH {
            if self.state.truth.now.nodes[node].health == Health::Well {
                self.world(Move::Fault(Fault::Silent(node)), true, |state| state.truth.now.nodes[node].health = Health::Silent);
                self.world(Move::Fault(Fault::Unwell(node)), true, |state| state.truth.now.nodes[node].health = Health::Unwell);
            }
        }
    }

    fn changes(&mut self) {
        for change in possible_changes(&self.state.truth) {
            self.world(Move::Outside(change), false, |state| {
                state.left.outside -= 1;
                happens(state, change);
            });
        }
    }
}

/// How long after an edge the look takes place.
const AFTER: SignedDuration = SignedDuration::from_secs(3);

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
    if matches!(kind, Kind::ForceSync | Kind::BreakFailover | Kind::EstablishFailover | Kind::SwitchTraffic) {
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

/// A person knows better than the status text.
fn sync_was_good(truth: &mut Truth) {
    if let Some((at, _)) = truth.now.sync {
        truth.sync_ends(Sync::Good, at);
        truth.now.sync = Some((at, Sync::Odd));
    }
}

fn is_refused_by_r16(state: &State) -> bool {
    let Some(step) = state.run.step() else { return false };
    let violations = changeover::domain::rules::violations(step, &state.world.facts(&state.run, step));
    violations.iter().any(|violation| violation.rule == changeover::domain::rules::Rule::R16)
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
    spent && stuck && !way_home::of_run(&state.run, &state.world).ways.is_empty()
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
        appliance.closed = run.nodes[node].closed_at.is_some();
        appliance.sessions = node == run.survivor && appliance.sessions && run.step().is_none_or(|step| step.kind != Kind::Drain);
        // Before the break nobody installs anything; after it only what is not known at all is put right.
        if run.broken_at.is_none() || appliance.release == Release::Other {
            appliance.release = if expected == run.plan.to.version { Release::Target } else { Release::Start };
        }
    }
    truth
}

/// The next moment at which something changes by itself.
fn next_edge(state: &State) -> Option<Timestamp> {
    let run = &state.run;
    let policy = &run.plan.policy;
    let now = state.world.now;
    let second = SignedDuration::from_secs(1);
    let mut edges: Vec<Option<Timestamp>> = Vec::new();
    if let Some(step) = run.step() {
        let ahead = |kind: Kind| {
            run.plan.steps.iter().zip(&run.progress).any(|(step, progress)| step.kind == kind && progress.done_at.is_none())
        };
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
    state.truth.cached = None;
    // After the break no sync of the pair's own matters, and a new one at each edge would keep time from passing.
    if state.run.broken_at.is_none()
        && state.truth.primary().is_some()
        && state.truth.pending.is_none()
        && NodeId::BOTH.into_iter().all(|node| state.truth.is_up(node))
    {
        state.truth.sync_ends(Sync::Good, state.world.now);
    }
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
