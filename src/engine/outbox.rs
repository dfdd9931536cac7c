//! The outbox: documents on their way to hooks, at least once, whatever the hooks do.
//!
//! One task a hook, one delivery at a time, by due time. An item is in the store before it is pushed here, and leaves the store
//! when it was delivered or given up; a crash in between delivers it again under the same id. Nothing here is awaited by a run:
//! [`Outbox::push`] returns at once, and a hook that hangs holds up its own queue only.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::ports::{Clock, Notifier, OutboxItem, StoreError};

/// The waits after the first failures, run time; then [`HOURLY`].
const FIRST_WAITS: [SignedDuration; 4] =
    [SignedDuration::from_secs(5), SignedDuration::from_secs(30), SignedDuration::from_mins(2), SignedDuration::from_mins(10)];
const HOURLY: SignedDuration = SignedDuration::from_hours(1);

/// Three days of hourly tries. Tries are counted, not days: a daemon that was down for a week still makes them.
const HOURLY_TRIES: usize = 72;

/// Where undelivered items survive a restart.
pub trait OutboxStore: Send + Sync {
    /// Keeps an item's `attempts` and `next_at`.
    fn update<'a>(&'a self, item: &'a OutboxItem) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Forgets an item: it was delivered, or given up.
    fn remove<'a>(&'a self, id: &'a str, hook: &'a str) -> BoxFuture<'a, Result<(), StoreError>>;
}

/// Hears of items that were given up.
pub trait Undelivered: Send + Sync {
    /// Called before the item leaves the store; returns when the fact is recorded. After a crash it may be called again.
    fn on_undelivered<'a>(&'a self, item: &'a OutboxItem, why: &'a str) -> BoxFuture<'a, ()>;
}

/// What every hook's task works with.
#[derive(Clone)]
pub struct Surroundings {
    pub store: Arc<dyn OutboxStore>,
    pub undelivered: Arc<dyn Undelivered>,
    pub clock: Arc<dyn Clock>,
}

/// The handle. Dropped, it stops all hooks' tasks where they are; what was not delivered is still in the store.
pub struct Outbox {
    queues: HashMap<String, mpsc::UnboundedSender<OutboxItem>>,
    /// Items for hooks that no longer exist.
    lost: mpsc::UnboundedSender<OutboxItem>,
    _tasks: JoinSet<()>,
}

impl Outbox {
    /// Starts one task a hook, by the hook's name. What waits in the store is [pushed](Self::push) once those who hear of items that
    /// are given up know their runs.
    pub fn start(hooks: Vec<(String, Arc<dyn Notifier>)>, around: &Surroundings) -> Self {
        let mut tasks = JoinSet::new();
        let mut queues = HashMap::new();
        for (name, notifier) in hooks {
            let (sender, arrivals) = mpsc::unbounded_channel();
            let (around, waiting) = (around.clone(), BTreeMap::new());
            tasks.spawn(Hook { notifier, around, arrivals, waiting, seen: Timestamp::MIN }.serve());
            queues.insert(name, sender);
        }
        let (lost, arrivals) = mpsc::unbounded_channel();
        tasks.spawn(give_up_all(arrivals, around.clone()));
        Self { queues, lost, _tasks: tasks }
    }

    /// Hands over items that are already in the store. Never blocks.
    pub fn push(&self, items: Vec<OutboxItem>) {
        for item in items {
            let queue = self.queues.get(&item.hook).unwrap_or(&self.lost);
            if let Err(unsent) = queue.send(item) {
                // The task has ended, which only a panic in a notifier does; the store still has the item.
                tracing::error!(hook = unsent.0.hook, id = unsent.0.id, "the hook's task has ended; kept for the next start");
            }
        }
    }
}

/// The order of delivery: due time, then age, then the id.
type Place = (Timestamp, Timestamp, String);

struct Hook {
    notifier: Arc<dyn Notifier>,
    around: Surroundings,
    arrivals: mpsc::UnboundedReceiver<OutboxItem>,
    waiting: BTreeMap<Place, OutboxItem>,
    /// The clock when it was last looked at.
    seen: Timestamp,
}

impl Hook {
    async fn serve(mut self) {
        while self.next_is_due().await {
            if let Some((_, item)) = self.waiting.pop_first() {
                self.attempt(item).await;
            }
        }
    }

    /// Waits until the first item is due, taking in new ones; false when no more can come.
    async fn next_is_due(&mut self) -> bool {
        loop {
            self.notice_a_step_back();
            while let Ok(item) = self.arrivals.try_recv() {
                self.keep(item);
            }
            let due = self.waiting.first_key_value().map(|((due, ..), _)| *due);
            let arrived = match due {
                Some(due) if due <= self.around.clock.now() => return true,
                Some(due) => tokio::select! {
                    item = self.arrivals.recv() => item,
                    // Also where the clock was set back meanwhile: as much time has passed as it was to wait.
                    () = self.around.clock.sleep_until(due) => return true,
                },
                None => self.arrivals.recv().await,
            };
            match arrived {
                Some(item) => self.keep(item),
                None => return false,
            }
        }
    }

    /// What waits since before the clock was set back bears times of the clock before.
    fn notice_a_step_back(&mut self) {
        let now = self.around.clock.now();
        if now < self.seen {
            for item in std::mem::take(&mut self.waiting).into_values() {
                self.keep(item);
            }
        }
        self.seen = now;
    }

    /// No try waits longer than the wait before it, the first one not at all: after the clock was set back, records bear the time
    /// of the one before, and their items would lie here for as long as that.
    fn keep(&mut self, item: OutboxItem) {
        let wait = wait_after(item.attempts).filter(|_| item.attempts > 0).unwrap_or_default();
        let latest = self.around.clock.now().checked_add(wait).unwrap_or(Timestamp::MAX);
        self.waiting.insert((item.next_at.min(latest), item.since, item.id.clone()), item);
    }

    async fn attempt(&mut self, mut item: OutboxItem) {
        let Err(why) = self.notifier.deliver(&item).await else {
            tracing::debug!(hook = item.hook, id = item.id, "delivered");
            return self.around.remove(&item).await;
        };
        item.attempts = item.attempts.saturating_add(1);
        let Some(wait) = wait_after(item.attempts) else {
            return self.around.give_up(&item, &why).await;
        };
        tracing::warn!(hook = item.hook, id = item.id, attempts = item.attempts, "not delivered, next try in {wait:#}: {why}");
        item.next_at = self.around.clock.now().checked_add(wait).unwrap_or(Timestamp::MAX);
        // Not kept means only that a restart tries sooner.
        if let Err(error) = self.around.store.update(&item).await {
            tracing::error!(hook = item.hook, id = item.id, "the next try could not be recorded: {error}");
        }
        self.keep(item);
    }
}

impl Surroundings {
    async fn give_up(&self, item: &OutboxItem, why: &str) {
        tracing::error!(hook = item.hook, id = item.id, attempts = item.attempts, "given up, undelivered: {why}");
        self.undelivered.on_undelivered(item, why).await;
        self.remove(item).await;
    }

    async fn remove(&self, item: &OutboxItem) {
        if let Err(error) = self.store.remove(&item.id, &item.hook).await {
            tracing::error!(
                hook = item.hook,
                id = item.id,
                "could not be taken off the outbox, so it comes again after a restart: {error}"
            );
        }
    }
}

async fn give_up_all(mut arrivals: mpsc::UnboundedReceiver<OutboxItem>, around: Surroundings) {
    while let Some(item) = arrivals.recv().await {
        around.give_up(&item, "no hook of this name is configured any more").await;
    }
}

/// `None` after the last try.
fn wait_after(attempts: u32) -> Option<SignedDuration> {
    let failures = usize::try_from(attempts).unwrap_or(usize::MAX);
    match FIRST_WAITS.get(failures.saturating_sub(1)) {
        Some(wait) => Some(*wait),
        None if failures <= FIRST_WAITS.len() + HOURLY_TRIES => Some(HOURLY),
        None => None,
    }
}
