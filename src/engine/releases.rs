//! R11: the releases that stand, by run. A run that counts on one of another site's looks here whenever it looks at the pair.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::ids::RunId;
use crate::domain::people::People;
use crate::domain::plan::Plan;
use crate::domain::run::{Release, Run};
use crate::domain::world::Released;

/// What was released and not withdrawn, among all runs that the fleet keeps.
#[derive(Default)]
pub struct Releases(Mutex<BTreeMap<RunId, Release>>);

impl Releases {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<RunId, Release>> {
        // Every critical section is a plain map operation that leaves the map whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in a run as it is now.
    pub fn keep(&self, run: &Run) {
        match &run.released {
            Some(release) => self.lock().insert(run.id.clone(), release.clone()),
            None => self.lock().remove(&run.id),
        };
    }

    /// The release that a plan counts on, as it is now.
    pub fn of(&self, plan: &Plan, people: &People) -> Released {
        let (Some(rehearsal), Some(policy)) = (&plan.rehearsal, &plan.policy.rehearsal) else { return Released::Unread };
        let Some(release) = self.lock().get(&rehearsal.run).cloned() else {
            return Released::Void(format!(
                "the release of run `{}` was withdrawn, or this daemon has no such run",
                rehearsal.run
            ));
        };
        match people.may(&release.by.user, &policy.roles) {
            Ok(()) => Released::Given(release),
            Err(why) => Released::Void(format!("run `{}` was released by {}, but {why}", rehearsal.run, release.by)),
        }
    }
}
