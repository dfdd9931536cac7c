//! The procedure by hand on the wire.

use serde::{Deserialize, Serialize};

use crate::domain::by_hand;
use crate::domain::ids::RunId;
use crate::domain::sheet;
use crate::engine::api::Snapshot;

/// How to finish or to go back without the daemon, from what was last read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ByHand {
    pub run: RunId,
    pub site: String,
    /// The last record when it was made.
    pub seq: u64,
    pub state: String,
    pub may: Vec<String>,
    pub must_not: Vec<String>,
    /// The way back, the next best one where there is one, and the way on; empty once there is nothing left to do.
    pub courses: Vec<Course>,
    /// The whole sheet, to be printed.
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Course {
    pub title: String,
    pub expected_seconds: i64,
    pub acts: Vec<Act>,
    /// Promises that stand against it as things are now.
    pub against: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Act {
    pub id: String,
    pub sentence: String,
    pub steps: Vec<String>,
    pub never: Vec<String>,
    pub check: String,
}

impl From<&Snapshot> for ByHand {
    fn from(snapshot: &Snapshot) -> Self {
        let Snapshot { run, world, .. } = snapshot;
        Self {
            run: run.id.clone(),
            site: run.id.site.clone(),
            seq: run.seq,
            state: sheet::state(run),
            may: sheet::may(run),
            must_not: sheet::must_not(run),
            courses: by_hand::courses(run, world).into_iter().map(Course::from).collect(),
            text: sheet::text(run, world),
        }
    }
}

impl From<by_hand::Course> for Course {
    fn from(course: by_hand::Course) -> Self {
        let by_hand::Course { title, expected, acts, against, stands_against: _ } = course;
        Self { title, expected_seconds: expected.as_secs(), acts: acts.into_iter().map(Act::from).collect(), against }
    }
}

impl From<by_hand::Act> for Act {
    fn from(act: by_hand::Act) -> Self {
        let by_hand::Act { id, sentence, text } = act;
        Self { id, sentence, steps: text.steps, never: text.never, check: text.seen }
    }
}
