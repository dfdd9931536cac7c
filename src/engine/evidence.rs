//! What an open gate has shown lately, so that a person whose evidence is out of date can be told what has changed.

use std::collections::VecDeque;

use crate::domain::run::Run;
use crate::domain::shown::Shown;
use crate::domain::world::World;

/// So many states of the evidence are kept: they change with the pair, not with the time. A restart forgets them; then a person is
/// told what there is now.
const KEPT: usize = 8;

/// Newest last; empty while no gate is open.
#[derive(Default)]
pub struct Memory(VecDeque<Shown>);

impl Memory {
    /// Takes in what is shown from this look on.
    pub fn keep(&mut self, run: &Run, world: &World) {
        if run.open_gate().is_none() {
            self.0.clear();
            return;
        }
        let shown = Shown::of(run, world);
        if self.0.back().is_none_or(|last| last.hash != shown.hash) {
            self.0.push_back(shown);
        }
        while self.0.len() > KEPT {
            self.0.pop_front();
        }
    }

    /// What a person means by this beginning of a hash.
    pub fn find(&self, hash: &str) -> Option<&Shown> {
        self.0.iter().find(|shown| shown.is_meant_by(hash))
    }
}
