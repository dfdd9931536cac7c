//! Breadth first through everything that can happen, with the way to each state kept for the stories.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::engine::{State, Taken};
use super::moves::{self, Move};
use super::oracle::Breach;
use super::scenario::Scenario;
use super::{key, moves::describe};

/// More states than this are not visited: the machine of a test has some gigabytes.
const MOST: usize = 4_000_000;

/// What an exploration found.
#[derive(Default)]
pub struct Found {
    pub states: usize,
    pub transitions: usize,
    /// One story a broken promise, the shortest.
    pub breaches: BTreeMap<String, String>,
    pub taken: BTreeSet<Taken>,
    /// States from which no end can be reached: how many, and the story of the first.
    pub dead_ends: usize,
    pub dead_end: Option<String>,
    /// The same by where the run stands.
    pub dead: Vec<String>,
    /// How runs ended: an outcome, or the code of a hold that is a harbour.
    pub ends: BTreeSet<String>,
    /// Which of the scenario's marks some state bears.
    pub marks: BTreeSet<&'static str>,
    pub complete: bool,
}

struct Search<'a> {
    scenario: &'a Scenario,
    known: HashMap<Box<[u8]>, u32>,
    ways: Vec<(u32, Move)>,
    edges: Vec<(u32, u32)>,
    ends: Vec<u32>,
    /// What each state is called in a count of states.
    tags: Vec<u16>,
    names: Vec<String>,
    waiting: VecDeque<(u32, Box<[u8]>, State)>,
    found: Found,
    /// Stop at the first breach of this promise.
    wanted: Option<&'static str>,
}

/// Visits everything; `wanted`: stops as soon as this promise was found broken.
pub fn explore(scenario: &Scenario, wanted: Option<&'static str>) -> Found {
    let mut search = Search {
        scenario,
        known: HashMap::new(),
        ways: Vec::new(),
        edges: Vec::new(),
        ends: Vec::new(),
        tags: Vec::new(),
        names: Vec::new(),
        waiting: VecDeque::new(),
        found: Found { complete: true, ..Found::default() },
        wanted,
    };
    search.arrive(None, Move::Begin, State::new(scenario));
    while let Some((from, key, state)) = search.waiting.pop_front() {
        search.expand(from, &key, &state);
        if search.wanted.is_some_and(|wanted| search.found.breaches.contains_key(wanted)) {
            break;
        }
        if search.known.len() > MOST {
            search.found.complete = false;
            break;
        }
    }
    search.finish()
}

impl Search<'_> {
    fn expand(&mut self, from: u32, key: &[u8], state: &State) {
        if moves::is_at_rest_for_good(state) {
            self.ends.push(from);
            let harbour = state.run.hold().map(|hold| hold.code.clone());
            let phase = || format!("{:?}", state.run.phase);
            self.found.ends.insert(harbour.unwrap_or_else(phase));
        }
        if moves::only_abort_leads_on(state) {
            self.ends.push(from);
        }
        for (happened, next) in moves::of(state, key, self.scenario.hands) {
            self.arrive(Some(from), happened, next);
        }
    }

    fn arrive(&mut self, from: Option<u32>, happened: Move, mut state: State) {
        self.found.transitions += 1;
        self.found.taken.extend(std::mem::take(&mut state.taken));
        let key = key::of(&state);
        let number = self.ways.len() as u32;
        let at = *self.known.entry(key.clone()).or_insert(number);
        if let Some(from) = from {
            self.edges.push((from, at));
        }
        if at != number {
            return;
        }
        let borne = self.scenario.marks.iter().filter(|(_, bears)| bears(&state));
        self.found.marks.extend(borne.map(|(mark, _)| *mark));
        self.ways.push((from.unwrap_or(0), happened));
        self.tag(&state);
        if state.breaches.is_empty() {
            self.waiting.push_back((number, key, state));
        } else {
            self.ends.push(number);
            self.tell_breaches(number, &state);
        }
    }

    fn tag(&mut self, state: &State) {
        let hold = state.run.hold().map_or("", |hold| &hold.code);
        let step = state.run.step().map_or("-", |step| step.kind.name());
        let name = format!("{} {hold} at {step}", changeover::domain::machine::phase_name(&state.run.phase));
        let at = self.names.iter().position(|known| *known == name).unwrap_or_else(|| {
            self.names.push(name);
            self.names.len() - 1
        });
        self.tags.push(at as u16);
    }

    fn tell_breaches(&mut self, number: u32, state: &State) {
        for Breach { promise, how } in &state.breaches {
            if !self.found.breaches.contains_key(*promise) {
                let story = format!("{promise} broken: {how}\n{}", self.story(number));
                self.found.breaches.insert((*promise).to_owned(), story);
            }
        }
    }

    /// The way to a state, played again.
    fn story(&self, number: u32) -> String {
        let mut path = Vec::new();
        let mut at = number;
        while at != 0 {
            path.push(at);
            at = self.ways[at as usize].0;
        }
        let mut state = State::new(self.scenario);
        let mut lines = vec![format!("  {}", describe(&state))];
        for at in path.into_iter().rev() {
            let wanted = self.ways[at as usize].1;
            let next = moves::of(&state, &key::of(&state), self.scenario.hands)
                .into_iter()
                .find(|(happened, next)| *happened == wanted && self.known.get(&key::of(next)) == Some(&at));
            let Some((_, next)) = next else {
                lines.push(format!("  {wanted:?} (can't be played again from here: another representative)"));
                break;
            };
            let events: Vec<String> = next.taken.iter().map(|taken| taken.event.to_owned()).collect();
            lines.push(format!("  {wanted:?} [{}]\n      {}", events.join(" "), describe(&next)));
            state = next;
        }
        let next = moves::of(&state, &key::of(&state), self.scenario.hands);
        let next: Vec<String> = next
            .iter()
            .map(|(happened, next)| format!("{happened:?} {}", self.known.get(&key::of(next)).copied().unwrap_or_default()))
            .collect();
        lines.push(format!("  state {number}; from here: {}", next.join(", ")));
        lines.join("\n")
    }

    fn finish(mut self) -> Found {
        self.found.states = self.ways.len();
        if self.found.complete && self.wanted.is_none() {
            self.dead_ends();
        }
        self.found
    }

    /// Backwards from every end: what is not reached has no way out.
    fn dead_ends(&mut self) {
        self.edges.sort_unstable_by_key(|(_, to)| *to);
        let mut leads_out = vec![false; self.ways.len()];
        let mut work = std::mem::take(&mut self.ends);
        while let Some(at) = work.pop() {
            if std::mem::replace(&mut leads_out[at as usize], true) {
                continue;
            }
            let first = self.edges.partition_point(|(_, to)| *to < at);
            work.extend(self.edges[first..].iter().take_while(|(_, to)| *to == at).map(|(from, _)| *from));
        }
        self.found.dead_ends = leads_out.iter().filter(|out| !**out).count();
        self.edges.sort_unstable();
        let leaves = |at: usize| {
            let first = self.edges.partition_point(|(from, _)| (*from as usize) < at);
            self.edges[first..].iter().take_while(|(from, _)| *from as usize == at).filter(|(_, to)| *to as usize != at).count()
        };
        let dead: Vec<usize> = (0..leads_out.len()).filter(|&at| !leads_out[at]).collect();
        let mut counts: BTreeMap<u16, usize> = BTreeMap::new();
        dead.iter().for_each(|&at| *counts.entry(self.tags[at]).or_default() += 1);
        for (tag, count) in counts {
            self.found.dead.push(format!("{count} {}", self.names[tag as usize]));
        }
        let worst = dead.iter().copied().min_by_key(|&at| leaves(at));
        self.found.dead_end = worst.map(|worst| self.story(worst as u32));
    }
}
