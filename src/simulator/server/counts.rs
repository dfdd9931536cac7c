//! How often each kind of call was made, so that a test can say that something only reads.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Calls by kind, see [`super::kinds`].
#[derive(Default)]
pub struct Counts(Mutex<BTreeMap<&'static str, u64>>);

impl Counts {
    pub fn count(&self, kind: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(kind).or_default() += 1;
    }

    pub fn all(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
