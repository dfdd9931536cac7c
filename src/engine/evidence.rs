//! What an open gate has shown lately, so that a person whose evidence is out of date can be told what has changed.

use std::collections::VecDeque;

use crate::domain::event::Shown;
use crate::domain::run::Run;
use crate::domain::shown;
use crate::domain::world::World;

/// So many states of the evidence are kept: they change with the pair, not with the time. A restart forgets them; then a person is
/// told what there is now.
const KEPT: usize = 8;

/// Newest last; empty while no gate is open. As JSON, a quarter of what the facts take: they are kept for every run that waits, and
/// hardly ever asked for.
#[derive(Default)]
pub struct Memory(VecDeque<Box<str>>);

impl Memory {
    /// Takes in what is shown from this look on.
    pub fn keep(&mut self, run: &Run, world: &World) {
        if run.open_gate().is_none() {
            self.0.clear();
            return;
        }
        let text = shown::of(run, world).text().into_boxed_str();
        if self.0.back() != Some(&text) {
            self.0.push_back(text);
        }
        while self.0.len() > KEPT {
            self.0.pop_front();
        }
    }

    /// What a person means by this beginning of a hash.
    pub fn find(&self, hash: &str) -> Option<Shown> {
        self.0.iter().filter_map(|text| Shown::from_text(text)).find(|shown| shown.is_meant_by(hash))
    }
}
