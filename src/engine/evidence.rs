//! What an open gate has shown lately, so that a person whose evidence is out of date can be told what has changed.

use std::collections::VecDeque;

use crate::domain::event::Shown;
use crate::domain::run::Run;
use crate::domain::shown;
use crate::domain::world::World;

/// So many states of the evidence are kept: they change with the pair, not with the time. A restart forgets them; then a person is
/// told what there is now.
const KEPT: usize = 8;

/// What is shown no more, newest last; empty while no gate is open. What is shown now follows from the run and its world, and a
/// thousand waiting runs would keep 0.9 MB of it. As JSON, a quarter of what the facts take.
#[derive(Default)]
pub struct Memory(VecDeque<Box<str>>);

/// What the open gate shows, if one is open.
pub fn now(run: &Run, world: &World) -> Option<Box<str>> {
    run.open_gate().map(|_| Shown::text(&shown::facts(run, world)).into_boxed_str())
}

impl Memory {
    /// Takes in that something was shown `before` a look or a record, and something is shown now.
    pub fn replaced(&mut self, before: Option<Box<str>>, now: Option<Box<str>>) {
        if now.is_none() {
            self.0 = VecDeque::new();
            return;
        }
        self.0.extend(before.filter(|before| now.as_ref() != Some(before)));
        if self.0.len() > KEPT {
            self.0.pop_front();
        }
    }

    /// What a person means by this beginning of a hash.
    pub fn find(&self, hash: &str) -> Option<Shown> {
        self.0.iter().filter_map(|text| Shown::from_text(text)).find(|shown| shown.is_meant_by(hash))
    }
}
