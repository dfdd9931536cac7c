//! A run is followed until something is seen of it, or to where it rests by itself.

use std::sync::Arc;

use changeover::domain::gate::Gate;
use changeover::domain::ids::RunId;
use changeover::domain::run::{Phase, Run};
use changeover::ports::Clock as _;
use jiff::SignedDuration;

use super::{Stage, story};

/// How a run came to rest.
#[derive(Debug)]
pub struct Rest {
    pub run: Arc<Run>,
    /// `succeeded`, a hold's code, or `in_doubt`.
    pub end: String,
}

/// The end at which a run rests, if it does.
pub fn end(run: &Run) -> Option<String> {
    match &run.phase {
        Phase::Finished(outcome) => Some(serde_json::to_value(outcome).unwrap().as_str().unwrap().to_owned()),
        Phase::Held(hold) => Some(hold.code.clone()),
        Phase::InDoubt { .. } => Some("in_doubt".to_owned()),
        _ => None,
    }
}

impl Stage {
    /// Follows a run until `seen` says so; panics with the last status after 30 simulated days.
    pub async fn until(&self, id: &RunId, seen: impl FnMut(&Run) -> bool) -> Arc<Run> {
        let limit = SignedDuration::from_hours(30 * 24);
        match self.within(id, limit, seen).await {
            Ok(run) => run,
            Err(run) => panic!("30 days later: {:?} at {:?}\n{}", run.phase, run.step(), story(&self.records(id))),
        }
    }

    /// As [`Stage::until`], for so long; the error is the run as it stood then.
    pub async fn within(
        &self,
        id: &RunId,
        limit: SignedDuration,
        mut seen: impl FnMut(&Run) -> bool,
    ) -> Result<Arc<Run>, Arc<Run>> {
        let mut watch = self.fleet.watch(id).unwrap();
        let limit = self.clock.now() + limit;
        loop {
            let run = watch.borrow_and_update().run.clone();
            if self.answers_checklist(id, &run).await {
                continue;
            }
            if seen(&run) {
                return Ok(run);
            }
            tokio::select! {
                biased;
                changed = watch.changed() => if changed.is_err() {
                    panic!("the run's loop ended: {:?} at {:?}\n{}", run.phase, run.step(), story(&self.records(id)));
                },
                () = self.clock.sleep_until(limit) => return Err(run),
            }
        }
    }

    /// True if a checklist was open and is answered.
    async fn answers_checklist(&self, id: &RunId, run: &Run) -> bool {
        match run.open_gate().filter(|gate| self.setting.checklists && gate.is_checklist()) {
            Some(gate) => self.accept(id, Some(gate.name())).await.is_ok(),
            None => false,
        }
    }

    /// As [`Stage::until`], with every gate on the way accepted.
    pub async fn answered(&self, id: &RunId, mut seen: impl FnMut(&Run) -> bool) -> Arc<Run> {
        loop {
            let run = self.until(id, |run| seen(run) || run.open_gate().is_some_and(Gate::is_asked)).await;
            if seen(&run) {
                return run;
            }
            self.accept(id, None).await.unwrap();
        }
    }

    /// As [`Stage::to_rest`], but nobody does anything.
    pub async fn idle_to_rest(&self, id: &RunId) -> Rest {
        let run = self.until(id, |run| end(run).is_some_and(|end| end != "in_doubt")).await;
        Rest { end: end(&run).unwrap(), run }
    }
}
