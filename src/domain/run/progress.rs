//! How far the steps of a run's plan are.

use std::ops::{Index, IndexMut};

use jiff::{SignedDuration, Timestamp};

/// How far one step of the plan is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// The first intent since the step was last undone.
    pub begun_at: Option<Timestamp>,
    pub done_at: Option<Timestamp>,
    /// Something lay between intent and proof, or it was so already: how long it took says nothing of the act.
    pub disturbed: bool,
    /// The last attempt's number, from 1.
    pub attempts: u32,
    /// Attempts since a person last resumed the run.
    pub tries: u32,
    /// A drain whose limit has passed: sessions are being ended.
    pub ending: bool,
}

impl Progress {
    /// How long the step took if nothing but the act itself lay between its intent and its proof. A clock that was put back
    /// meanwhile measures nothing.
    pub fn measured(&self) -> Option<SignedDuration> {
        self.took().filter(|took| !self.disturbed && took.is_positive())
    }

    /// From its first intent to its proof, whatever lay between.
    pub fn took(&self) -> Option<SignedDuration> {
        Some(self.done_at?.duration_since(self.begun_at?))
    }
}

/// How far each step of a plan is, by the step's place. Steps that nothing has happened to take no room: a run that waits in its soak
/// has a third of them before it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Steps(Vec<Progress>);

impl Steps {
    /// Those that something has happened to, with some of the others between them.
    pub fn begun(&self) -> impl Iterator<Item = &Progress> {
        self.0.iter()
    }

    /// As [`Self::begun`], to be changed.
    pub fn begun_mut(&mut self) -> impl Iterator<Item = &mut Progress> {
        self.0.iter_mut()
    }

    /// The steps from this place on are others now.
    pub fn forget_from(&mut self, index: usize) {
        self.0.truncate(index);
    }
}

impl Index<usize> for Steps {
    type Output = Progress;

    fn index(&self, index: usize) -> &Progress {
        self.0.get(index).unwrap_or(&UNTOUCHED)
    }
}

impl IndexMut<usize> for Steps {
    fn index_mut(&mut self, index: usize) -> &mut Progress {
        if self.0.len() <= index {
            self.0.resize(index + 1, UNTOUCHED);
        }
        &mut self.0[index]
    }
}

/// As [`Progress::default`], which is no constant.
const UNTOUCHED: Progress = Progress { begun_at: None, done_at: None, disturbed: false, attempts: 0, tries: 0, ending: false };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_nothing_has_happened_to_takes_no_room_and_is_as_new() {
        let mut steps = Steps::default();
        assert_eq!((&steps[7], steps.begun().count()), (&Progress::default(), 0));
        steps[2].attempts = 1;
        assert_eq!((steps[2].attempts, steps[1].attempts, steps[3].attempts, steps.begun().count()), (1, 0, 0, 3));
        steps.forget_from(2);
        assert_eq!((steps[2].attempts, steps.begun().count()), (0, 2));
        steps.forget_from(9);
        assert_eq!(steps.begun().count(), 2);
    }
}
