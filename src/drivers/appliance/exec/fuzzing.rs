//! The reading of a program's answer, as fuzz targets call it. Compiled for tests only.

use jiff::{SignedDuration, Timestamp};

use super::reading::Reading;
use crate::domain::site::Observation;
use crate::drivers::program::answer::Reply;
use crate::drivers::program::{Ended, Output};

/// What an `observe` says that printed this and exited with 0.
pub fn observe(stdout: &[u8]) -> Option<Observation> {
    let output = Output { stdout: stdout.to_vec(), ended: Ended::Exited(0), too_much: false, last_words: None };
    let began = Timestamp::UNIX_EPOCH;
    match Reply::<Reading>::of("fuzzing", Ok(output)) {
        Reply::Accepted(reading) => reading.into_observation(began, began + SignedDuration::from_secs(1)).ok(),
        _ => None,
    }
}
