//! Intent before deed: the only way in which a run changes is a durable record.

use std::sync::Arc;

use tokio::sync::watch;

use crate::domain::alert;
use crate::domain::event::Event;
use crate::domain::journal::{Entry, Record};
use crate::domain::machine::{self, Command, IllegalEvent, ReplayError};
use crate::domain::run::Run;
use crate::domain::world::World;
use crate::ports::{OutboxItem, StoreError};

use super::Around;
use super::api::Snapshot;
use super::hooks::Hooks;
use super::not_driven;

/// A run, its journal's end, and those who watch it.
pub struct Recorder {
    pub run: Arc<Run>,
    around: Arc<Around>,
    published: Arc<watch::Sender<Snapshot>>,
}

/// Why an event was not recorded; the run is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Illegal(#[from] IllegalEvent),
}

impl Recorder {
    pub fn new(around: Arc<Around>, published: Arc<watch::Sender<Snapshot>>) -> Self {
        let run = published.borrow().run.clone();
        Self { run, around, published }
    }

    /// Records an event and applies it; returns what is to be done once it is durable.
    ///
    /// # Errors
    /// The store can't keep it, or the event is not expected in the run's phase. Nothing has changed then.
    pub async fn record(&mut self, event: &Event, why: &str, actor: &str) -> Result<Vec<Command>, RecordError> {
        let at = self.around.clock.now().max(self.run.last_at);
        let (next, commands) = machine::next(&self.run, event, at)?;
        let (name, data) = event.to_parts();
        let step = self.run.step().map(|step| step.id.clone());
        let entry = Entry { at, actor: actor.to_owned(), event: name, step, reason: why.to_owned(), data };
        self.keep(next, entry, event, &commands).await?;
        Ok(commands)
    }

    async fn keep(&mut self, next: Run, entry: Entry, event: &Event, commands: &[Command]) -> Result<(), StoreError> {
        let record = Record::at_place(&next.id, self.run.seq + 1, &self.run.head, entry);
        let next = Run { seq: record.seq, last_at: record.at, head: record.hash.clone(), ..next };
        let mut items = self.around.hooks.alerts(&next.id, &alert::of(&self.run, &next, &record, event));
        if commands.contains(&Command::Export) {
            items.extend(self.around.hooks.exports(&next, record.at));
        }
        self.around.journal.append(vec![record.clone()], items.clone(), is_essential(&next, event)).await?;
        self.log(&record);
        self.run = Arc::new(next);
        self.around.push(items);
        let run = self.run.clone();
        let over = run.is_finished();
        self.published.send_modify(|snapshot| snapshot.run = run);
        if over {
            self.around.over.notify_one();
        }
        Ok(())
    }

    fn log(&self, record: &Record) {
        let (site, run, seq) = (&record.run.site, &record.run, record.seq);
        let step = record.step.as_deref().unwrap_or("-");
        match record.event.as_str() {
            "held" | "doubted" | "retry_scheduled" | "undelivered" => {
                tracing::warn!(%site, %run, seq, step, event = record.event, "{}", record.reason);
            }
            event => tracing::info!(%site, %run, seq, step, event, "{}", record.reason),
        }
    }

    /// Shows the world as last read to those who watch.
    pub fn publish(&self, world: Arc<World>) {
        self.published.send_modify(|snapshot| snapshot.world = world);
    }

    /// Gives the run up in this process: shows and tells it.
    pub async fn give_up(&self, code: &'static str, message: String, hint: String) {
        not_driven::give_up(&self.around, &self.published, code, message, hint).await;
    }

    pub fn snapshot(&self) -> Snapshot {
        self.published.borrow().clone()
    }
}

/// The outbox items of those records of a run that are `wanted`, made again from its journal.
///
/// # Errors
/// The journal can't be folded.
pub fn items_of(records: &[Record], hooks: &Hooks, wanted: impl Fn(&Record) -> bool) -> Result<Vec<OutboxItem>, ReplayError> {
    let mut items = Vec::new();
    for (index, record) in records.iter().enumerate().skip(1).filter(|(_, record)| wanted(record)) {
        let before = machine::replay(&records[..index])?;
        let after = machine::replay(&records[..=index])?;
        let Ok(event) = Event::from_parts(&record.event, &record.data) else { continue };
        items.extend(hooks.alerts(&after.id, &alert::of(&before, &after, record, &event)));
        let exports = machine::next(&before, &event, record.at).is_ok_and(|(_, commands)| commands.contains(&Command::Export));
        if exports {
            items.extend(hooks.exports(&after, record.at));
        }
    }
    Ok(items)
}

/// Records that must be kept even from the reserve: what has happened already, holds, and the way back that a person
/// ordered. What would begin something new is not among them.
fn is_essential(run: &Run, event: &Event) -> bool {
    let begins = matches!(
        event,
        Event::Started { .. }
            | Event::StepBegun { .. }
            | Event::Resumed { .. }
            | Event::Confirmed { .. }
            | Event::Denied { .. }
            | Event::Waived { .. }
            | Event::Waited { .. }
            | Event::EvidenceLapsed { .. }
            | Event::WarningAccepted { .. }
            | Event::LineAcknowledged { .. }
            | Event::NodeReplaced { .. }
            | Event::Released { .. }
    );
    !begins || run.is_ordered()
}
