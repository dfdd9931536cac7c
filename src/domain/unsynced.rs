//! Since when a node may hold data that the other lacks: what is extracted, what stays behind, and what a person saves by hand begin
//! at the same moment.

use jiff::{SignedDuration, Timestamp};

use super::run::Run;

/// Where nobody knows when a pair that was taken over had synced last: a month holds every update that was left half-done.
const LONGEST_UNKNOWN: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Clocks differ, and a sync takes time.
const MARGIN: SignedDuration = SignedDuration::from_hours(1);

/// The last good sync. Of a pair that was taken over a person or a node tells it, or nobody; of any other run that knows none, its
/// start.
pub fn since(run: &Run) -> Timestamp {
    match (&run.sync, &run.plan.adopted) {
        (Some(sync), _) => sync.sync.at.min(sync.proven_at),
        (None, Some(adoption)) => adoption.since.unwrap_or(run.started_at - LONGEST_UNKNOWN),
        (None, None) => run.started_at,
    }
}

/// From when on data must be saved, so that none are lost: from a little before.
pub fn data_since(run: &Run) -> Timestamp {
    let since = since(run);
    // A box or a person may name any time.
    since.saturating_sub(MARGIN).unwrap_or(since)
}

/// R9: a range that ends before it begins holds nothing, which is never all that is there. So it is of a pair that an earlier build
/// took over since a moment that was still to come, or where this machine's clock was set back.
pub fn is_empty(run: &Run, until: Timestamp) -> bool {
    data_since(run) > until
}
