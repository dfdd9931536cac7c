//! Old backups go when the daemon comes up and whenever a run is over.

use std::sync::Arc;

use crate::domain::backups;
use crate::domain::ids::RunId;
use crate::domain::run::Run;
use crate::engine::retention;

use super::Fleet;

impl Fleet {
    /// Deletes what may go now, and again whenever a run is over. Never returns.
    pub async fn keep_backups(&self) {
        loop {
            self.delete_old_backups().await;
            self.around.over.notified().await;
        }
    }

    /// Deletes the backups that `[backups]` of the config keeps no longer; says in the log and in `backups/deleted.jsonl` which.
    ///
    /// # Repeat
    /// Safe; what an earlier one left half-done is finished.
    pub async fn delete_old_backups(&self) {
        let (state, now, runs) = (self.around.state.clone(), self.around.clock.now(), self.removable());
        let work = tokio::task::spawn_blocking(move || retention::delete(&state, &runs, now));
        match work.await {
            Ok(left) => {
                for what in left {
                    tracing::warn!("old backups could not be deleted: {what}; it is tried again after the next run");
                }
            }
            Err(error) => tracing::error!("the deletion of old backups broke off: {error}"),
        }
    }

    fn removable(&self) -> Vec<RunId> {
        let all: Vec<Arc<Run>> = self.lock().values().map(|kept| kept.snapshot.borrow().run.clone()).collect();
        let unread: Vec<String> = self.lock_untouched().keys().map(|id| id.site.clone()).collect();
        let mut sites: Vec<&String> = all.iter().map(|run| &run.id.site).collect();
        sites.sort();
        sites.dedup();
        let now = self.around.clock.now();
        // What a run needs that can't be read nobody knows: nothing of its site goes.
        let of = |site: &&String| all.iter().filter(|run| run.id.site == **site).map(|run| &**run).collect::<Vec<_>>();
        let sites = sites.into_iter().filter(|site| !unread.contains(site));
        sites.flat_map(|site| backups::removable(&of(&site), self.around.retention, now)).collect()
    }
}
