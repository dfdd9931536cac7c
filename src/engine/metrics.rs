//! The numbers of all runs, for a monitoring system.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::domain::machine::phase_name;
use crate::domain::metrics::{Family, Sample};

use super::api::Snapshot;

/// Runs by site and phase, the time without failover by site, and whether the store takes records.
pub fn families<'a>(sites: impl Iterator<Item = &'a str>, runs: &[Snapshot], ready: bool, now: Timestamp) -> Vec<Family> {
    let mut phases: BTreeMap<(String, &str), u32> = BTreeMap::new();
    let mut unprotected: BTreeMap<String, f64> = sites.map(|site| (site.to_owned(), 0.0)).collect();
    for run in runs.iter().map(|snapshot| &snapshot.run) {
        *phases.entry((run.id.site.clone(), phase_name(&run.phase))).or_default() += 1;
        if run.off_since().is_some() {
            unprotected.insert(run.id.site.clone(), run.unprotected_for(now).as_secs_f64());
        }
    }
    let phases =
        phases.into_iter().map(|((site, phase), count)| Sample::new([("site", site), ("phase", phase.to_owned())], count.into()));
    let unprotected = unprotected.into_iter().map(|(site, seconds)| Sample::new([("site", site)], seconds));
    vec![
        Family::gauge("changeover_runs", "Runs by the phase that they are in.", phases.collect()),
        Family::gauge(
            "changeover_site_unprotected_seconds",
            "How long the site's failover has been broken by a run that goes on; 0 while it is not.",
            unprotected.collect(),
        ),
        Family::gauge(
            "changeover_store_ready",
            "1 while the journal takes records.",
            vec![Sample::new([], f64::from(u8::from(ready)))],
        ),
    ]
}
