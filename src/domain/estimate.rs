//! How long an action takes: by the table of actions, by the site's setting, then by what was measured here.
//!
//! *Measured* is the time from a step's first intent to its proof, where this run did it and nothing lay between: neither a hold,
//! nor a doubt, nor a try that never arrived, nor an instruction that was withdrawn. What was done already measures nothing.

use jiff::SignedDuration;

use super::action::Kind;
use super::plan::{Estimate, Source};
use super::run::Run;
use super::site::Policy;
use super::version::Version;

/// Half as much again as the longest time of this release on this site. BG-03: both appliances take equally long, so that what
/// makes the difference, the data stored, is measured with it; the half is for a restart that checks its disks.
const SAME_RELEASE_PERCENT: i32 = 150;

/// Twice the longest time of other releases: what another package does is not measured, and data have been added since.
const OTHER_RELEASE_PERCENT: i32 = 200;

/// Samples count from this many of a site's newest runs: data and boxes change over the years.
pub const RUNS_LOOKED_AT: usize = 20;

/// What the earlier runs of a site took for this action: those of the same release if there are any, else all.
pub fn learned(policy: &Policy, kind: Kind, to: &Version, earlier: &[&Run]) -> Estimate {
    let of = |run: &&&Run| took(run, kind);
    let same: Vec<SignedDuration> = earlier.iter().filter(|run| run.plan.to.version == *to).flat_map(|run| of(&run)).collect();
    if !same.is_empty() {
        return measured(policy, kind, same, SAME_RELEASE_PERCENT);
    }
    measured(policy, kind, earlier.iter().flat_map(|run| of(&run)).collect(), OTHER_RELEASE_PERCENT)
}

/// What the first node took predicts the second (BG-03).
pub fn of_this_run(policy: &Policy, kind: Kind, took: SignedDuration) -> Estimate {
    measured(policy, kind, vec![took], SAME_RELEASE_PERCENT)
}

/// The measured times of an action in a run, on either node.
fn took(run: &Run, kind: Kind) -> Vec<SignedDuration> {
    let steps = run.steps().filter(|(step, _)| step.kind == kind);
    steps.filter_map(|(_, progress)| progress.measured()).collect()
}

fn measured(policy: &Policy, kind: Kind, mut times: Vec<SignedDuration>, percent: i32) -> Estimate {
    let told = Estimate::told(policy, kind);
    times.sort_unstable();
    let Some(longest) = times.last().copied() else { return told };
    // The upper one of the middle two where there are two.
    let likely = times[times.len() / 2];
    let worst = to_the_minute(longest * percent / 100);
    // The operator's word is the least that the worst case may be: the operator may know of data that no run has met yet.
    let worst = if told.source == Source::Site { worst.max(told.worst) } else { worst };
    Estimate { likely, worst, source: Source::Learned, samples: u32::try_from(times.len()).unwrap_or(u32::MAX) }
}

/// Up to the next full minute: seconds measured are no promise of seconds.
fn to_the_minute(time: SignedDuration) -> SignedDuration {
    SignedDuration::from_mins((time.as_secs() + 59).div_euclid(60).max(1))
}
