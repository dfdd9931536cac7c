//! How figures are taken and printed: medians of several turns, with the smallest and the largest.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// Several measurements of one thing.
pub struct Figures<T>(Vec<T>);

impl<T: Copy + Ord + Debug> Figures<T> {
    pub fn new(mut all: Vec<T>) -> Self {
        all.sort();
        Self(all)
    }

    pub fn median(&self) -> T {
        self.0[self.0.len() / 2]
    }

    /// The median, and between what the figures lie.
    pub fn print(&self, what: &str) {
        let (least, most) = (self.0[0], self.0[self.0.len() - 1]);
        println!("{what:<52} median {:?}   ({least:?} to {most:?}, {} turns)", self.median(), self.0.len());
    }
}

/// How long some work takes.
pub fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}
