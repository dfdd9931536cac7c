//! A journal in memory that can stop a process at any record, and lets others act on the world between two records.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use changeover::domain::ids::RunId;
use changeover::domain::journal::Record;
use changeover::domain::machine;
use changeover::domain::run::Run;
use changeover::ports::{Journal, OutboxItem, StoreError};
use futures_util::future::BoxFuture;
use tokio::sync::Notify;

/// At which record the process dies: before it is durable, or after and before anything else happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    Before(u64),
    After(u64),
}

type Witness = Box<dyn FnMut(&Record) + Send>;

/// Records and alerts, kept in memory.
#[derive(Default)]
pub struct MemoryJournal {
    records: Mutex<BTreeMap<RunId, Vec<Record>>>,
    pub outbox: Mutex<Vec<OutboxItem>>,
    death: Mutex<Option<Death>>,
    /// Only the reserve is left: what is not essential is refused.
    pub low: AtomicBool,
    /// Nothing can be written any more.
    pub broken: AtomicBool,
    /// The event whose record it can't keep, as one that is too long.
    pub unfit: Mutex<Option<&'static str>>,
    died: Notify,
    recorded: Notify,
    witnesses: Mutex<Vec<Witness>>,
}

impl MemoryJournal {
    pub fn die(&self, death: Death) {
        *self.death.lock().unwrap() = Some(death);
    }

    /// Returns once the process has died.
    pub async fn died(&self) {
        self.died.notified().await;
    }

    /// Returns once something was recorded, or at once if that was since the last call. For one caller at a time.
    pub async fn recorded(&self) {
        self.recorded.notified().await;
    }

    pub fn live_again(&self) {
        *self.death.lock().unwrap() = None;
    }

    /// Sees every record right after it is durable.
    pub fn witness(&self, witness: impl FnMut(&Record) + Send + 'static) {
        self.witnesses.lock().unwrap().push(Box::new(witness));
    }

    /// All runs, folded from their records.
    pub fn runs(&self) -> Vec<Run> {
        self.records.lock().unwrap().values().map(|records| machine::replay(records).unwrap()).collect()
    }

    fn keep(&self, record: Record) {
        for witness in self.witnesses.lock().unwrap().iter_mut() {
            witness(&record);
        }
        self.records.lock().unwrap().entry(record.run.clone()).or_default().push(record);
    }

    fn dies(&self, before: bool, seq: u64) -> bool {
        match *self.death.lock().unwrap() {
            Some(Death::Before(at)) => before && seq >= at,
            Some(Death::After(at)) => seq > at || !before && seq == at,
            None => false,
        }
    }
}

impl Journal for MemoryJournal {
    fn append(&self, records: Vec<Record>, outbox: Vec<OutboxItem>, essential: bool) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let last = records.last().map_or(0, |record| record.seq);
            if self.broken.load(Ordering::SeqCst) {
                return Err(StoreError::Failed("input/output error".to_owned()));
            }
            if !essential && self.low.load(Ordering::SeqCst) {
                return Err(StoreError::OnlyReserve { free: 1, needed: 2 });
            }
            let unfit = *self.unfit.lock().unwrap();
            if let Some(record) = records.iter().find(|record| Some(record.event.as_str()) == unfit) {
                return Err(StoreError::Unfit(format!("record {} has 1155426 bytes", record.seq)));
            }
            if self.dies(true, last) {
                self.died.notify_one();
                std::future::pending::<()>().await;
            }
            records.into_iter().for_each(|record| self.keep(record));
            self.recorded.notify_one();
            self.outbox.lock().unwrap().extend(outbox);
            if self.dies(false, last) {
                self.died.notify_one();
                std::future::pending::<()>().await;
            }
            Ok(())
        })
    }

    fn records(&self, run: &RunId, after: u64) -> Result<Vec<Record>, StoreError> {
        let records = self.records.lock().unwrap();
        Ok(records.get(run).into_iter().flatten().filter(|record| record.seq > after).cloned().collect())
    }

    fn ready(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
