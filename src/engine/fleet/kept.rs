//! The runs that the fleet keeps: just begun, taken over from the journal, or left untouched there.
//!
//! One that is not over has a loop of its own, and people's words reach it through its inbox.

use std::sync::{Arc, PoisonError};

use futures_channel::mpsc;
use jiff::SignedDuration;
use tokio::sync::{oneshot, watch};

use crate::domain::ids::RunId;
use crate::domain::run::Run;
use crate::domain::world::World;
use crate::engine::api::{Problem, Snapshot, Word};
use crate::engine::not_driven;
use crate::engine::runner::{Message, Order, Runner};
use crate::engine::site::SiteEntry;
use crate::engine::untouched::Untouched;

use super::{Fleet, Kept};

impl Fleet {
    /// Takes over the runs that stood in the journal; those that are not finished go on by themselves.
    ///
    /// A run whose site is no longer configured is shown and left alone.
    pub fn take_over(&self, runs: Vec<Run>) {
        // Before any run goes on: one may count on the release of another.
        for run in &runs {
            self.around.releases.keep(run);
        }
        for run in runs {
            match self.sites.get(&run.id.site) {
                Some(entry) => self.keep(run, Some(entry), true),
                None => self.keep(run, None, true),
            }
        }
    }

    /// Keeps runs that can't be folded in sight: nothing is written to them, and the site of an open one takes no other run.
    pub fn leave(&self, runs: Vec<Untouched>) {
        for left in runs {
            tracing::error!(site = left.run.site, run = %left.run, open = left.open, "left untouched: {}", left.message);
            if left.open {
                let (around, id, alert) = (self.around.clone(), left.run.clone(), left.alert(self.around.clock.now()));
                self.spawn(async move { not_driven::raise(&around, &id, &alert).await });
            }
            self.lock_untouched().insert(left.run.clone(), left);
        }
    }

    /// Keeps a run in sight, and starts its loop unless it is over or nothing reaches its site any more.
    pub(super) fn keep(&self, run: Run, entry: Option<&SiteEntry>, recovered: bool) {
        let id = run.id.clone();
        let over = run.is_finished() && !run.is_watched();
        let world = entry.map_or_else(
            || World::new(run.last_at, false, SignedDuration::ZERO).with_state(&self.around.state),
            |entry| entry.world(&self.people, &self.around.state, self.around.clock.now()),
        );
        let (publish, snapshot) = watch::channel(Snapshot { run: Arc::new(run), world: Arc::new(world), not_driven: None });
        let (inbox, messages) = mpsc::unbounded();
        let publish = Arc::new(publish);
        match entry {
            _ if over => {}
            Some(entry) => {
                let runner = Runner::new(self.around.clone(), entry.ports.clone(), publish.clone(), messages);
                let drive = Box::pin(runner.drive(recovered));
                self.spawn(not_driven::guarded(self.around.clone(), publish.clone(), drive));
            }
            None => self.spawn(not_driven::site_gone(self.around.clone(), publish.clone())),
        }
        self.lock().insert(id, Kept { snapshot, publish, inbox });
    }

    fn spawn(&self, run: impl Future<Output = ()> + Send + 'static) {
        let mut loops = self.loops.lock().unwrap_or_else(PoisonError::into_inner);
        while loops.try_join_next().is_some() {}
        loops.spawn(run);
    }

    /// Hands a word to the run that it is for, and waits for the answer.
    pub(super) async fn pass_on(&self, id: &RunId, word: Word, actor: &str, seq: Option<u64>) -> Result<Snapshot, Problem> {
        if let Word::Release { withdraw, note } = word {
            return self.release(id, withdraw, note, actor, seq).await;
        }
        let (inbox, snapshot) = {
            let runs = self.lock();
            let kept = runs.get(id).ok_or_else(|| self.no_run(id))?;
            (kept.inbox.clone(), kept.snapshot.clone())
        };
        let (reply, answer) = oneshot::channel();
        let order = Order { word, actor: actor.to_owned(), seq, reply };
        if inbox.unbounded_send(Message::Order(Box::new(order))).is_err() {
            return Err(not_driven::takes_no_word(&snapshot.borrow()));
        }
        answer.await.unwrap_or_else(|_| Err(not_driven::takes_no_word(&snapshot.borrow())))
    }
}
