//! Data syncs: when they begin, how they end, and what they copy over what.

use jiff::{SignedDuration, Timestamp};

use crate::domain::ids::NodeId;

use super::refusal::Refusal;
use super::{Effect, LastSync, Record, Settings, World, merges_sessions};
use crate::simulator::faults::Fault;

/// The status text of a good sync.
pub(super) const GOOD: &str = "success";
const BAD: &str = "failed: connection to peer was lost";
const ODD: &str = "completed with notices";
/// How long before the order a `sync-early` sync began.
const EARLY: SignedDuration = SignedDuration::from_secs(60);

const FAULTS: [Fault; 6] =
    [Fault::SyncFails, Fault::SyncStuck, Fault::SyncStale, Fault::SyncEarly, Fault::SyncWrongSide, Fault::SyncOddStatus];

/// A sync under way.
#[derive(Clone, Debug)]
pub(super) struct SyncJob {
    id: u64,
    from: NodeId,
    to: NodeId,
    /// What is copied is what was there then.
    begun: Timestamp,
    settings: Settings,
    fault: Option<Fault>,
    /// A change of roles follows a good end.
    pub then_primary: Option<NodeId>,
}

/// Why a sync begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Automatic,
    /// By a person on this node.
    Asked(NodeId),
    /// The first one after a link was made.
    First,
}

impl World {
    /// Sync Now: begins a sync from primary to standby, or queues one behind the sync that runs.
    pub fn sync_now(&mut self, node: NodeId) -> Result<(), Refusal> {
        self.reachable(node)?;
        let link = self.linked()?;
        self.record_act(node, "sync-now");
        if self.sync.is_some() {
            self.sync_waiting = Some(node);
        } else {
            self.begin_sync(link, Order::Asked(node));
        }
        Ok(())
    }

    pub(super) fn auto_sync(&mut self) {
        self.schedule(self.auto_sync, Effect::AutoSync);
        let Some(link) = self.link() else { return };
        if self.sync.is_none() && !self.first_sync_pending {
            self.begin_sync(link, Order::Automatic);
        }
    }

    pub(super) fn first_sync(&mut self, link: u64) {
        if link != self.links {
            return;
        }
        match self.link() {
            Some(nodes) if self.sync.is_none() => {
                self.first_sync_pending = false;
                self.begin_sync(nodes, Order::First);
            }
            // A box is silent, or a sync was asked for in the first minute: this one comes a minute later.
            _ => self.schedule(SignedDuration::from_mins(1), Effect::FirstSync { link }),
        }
    }

    fn begin_sync(&mut self, (from, to): (NodeId, NodeId), order: Order) {
        let fault = self.sync_fault(from, order);
        let length = match order {
            _ if fault == Some(Fault::SyncEarly) => self.takes(10..=20),
            Order::Automatic => self.takes(4..=6),
            Order::Asked(_) | Order::First => self.takes(35..=45),
        };
        self.tickets += 1;
        let id = self.tickets;
        let begun = if fault == Some(Fault::SyncEarly) { self.early(from) } else { self.now };
        let settings = self.nodes[from].settings.clone();
        self.sync = Some(SyncJob { id, from, to, begun, settings, fault, then_primary: None });
        if fault != Some(Fault::SyncStuck) {
            self.schedule(length, Effect::SyncEnds { job: id });
        }
    }

    /// When a `sync-early` sync began: not before the one before it ended, since a pair does one after the other.
    fn early(&self, from: NodeId) -> Timestamp {
        let ended = self.nodes[from].last_sync.as_ref().map(|last| last.at);
        ended.map_or(self.now - EARLY, |ended| ended.max(self.now - EARLY))
    }

    /// The first sync of a swap of roles by API: begun at once, with the swap after a good end.
    pub(super) fn begin_sync_then_swap(&mut self, link: (NodeId, NodeId), asked_on: NodeId, primary: NodeId) {
        self.begin_sync(link, Order::Asked(asked_on));
        if let Some(job) = &mut self.sync {
            job.then_primary = Some(primary);
        }
    }

    fn sync_fault(&mut self, primary: NodeId, order: Order) -> Option<Fault> {
        let node = if let Order::Asked(node) = order { node } else { primary };
        FAULTS.into_iter().find(|&fault| match order {
            Order::Automatic => self.faults.lingers(fault),
            Order::Asked(_) | Order::First => self.faults.take(fault, node, "force_sync"),
        })
    }

    pub(super) fn sync_ends(&mut self, id: u64) {
        if self.sync.as_ref().is_none_or(|job| job.id != id) {
            return;
        }
        let Some(job) = self.sync.take() else { return };
        if self.link() == Some((job.from, job.to)) {
            self.finish_sync(&job);
        } else {
            self.note(Some(job.from), "sync-dropped", "the link was gone when the sync would have ended".to_owned());
        }
        if let (Some(node), Some(link)) = (self.sync_waiting.take(), self.link()) {
            self.begin_sync(link, Order::Asked(node));
        }
    }

    /// The fault is over: the sync that hung goes on and ends like any other.
    pub(super) fn free_stuck_sync(&mut self) {
        let Some(job) = self.sync.as_mut().filter(|job| job.fault == Some(Fault::SyncStuck)) else { return };
        job.fault = None;
        let job = job.id;
        let length = self.takes(4..=6);
        self.schedule(length, Effect::SyncEnds { job });
    }

    fn finish_sync(&mut self, job: &SyncJob) {
        let status = match job.fault {
            Some(Fault::SyncFails) => BAD,
            Some(Fault::SyncOddStatus) => ODD,
            _ => GOOD,
        };
        let copies = !matches!(job.fault, Some(Fault::SyncFails | Fault::SyncStale | Fault::SyncWrongSide));
        if copies {
            self.compare_versions();
            self.copy_settings(job);
            self.copy_records(job);
            if self.faults.take(Fault::AccountOverwritten, job.to, "force_sync") {
                self.nodes[job.to].account_overwritten = true;
                self.note(Some(job.to), "account-overwritten", "its API account gave way to the primary's".to_owned());
            }
        }
        let shown_on = if job.fault == Some(Fault::SyncWrongSide) { job.to } else { job.from };
        if job.fault != Some(Fault::SyncStale) {
            self.nodes[shown_on].last_sync = Some(LastSync { at: self.now, status: status.to_owned() });
        }
        self.note(Some(job.from), "synced", format!("{} to {}: {status}", job.from, job.to));
        if let Some(primary) = job.then_primary.filter(|_| copies) {
            self.swap(primary);
        }
    }

    /// The primary's settings replace the standby's, whatever was changed there.
    fn copy_settings(&mut self, job: &SyncJob) {
        let old = self.nodes[job.to].settings.clone();
        if job.settings.changed_at > job.begun || job.settings == old {
            return;
        }
        self.nodes[job.to].settings = job.settings.clone();
        if old.changed_on == job.to && old.revision > 1 {
            let (new, old) = (job.settings.revision, old.revision);
            self.note(Some(job.to), "settings-overwritten", format!("revision {old} replaced by revision {new} of {}", job.from));
        }
    }

    /// The primary's records go to the standby. What only the standby has is merged back from 10.6 on and was lost before
    /// (BG-50).
    fn copy_records(&mut self, job: &SyncJob) {
        let merges = self.merges && NodeId::BOTH.into_iter().all(|node| merges_sessions(&self.nodes[node].version));
        if merges {
            self.copy_one_way(job.to, job.from, job.begun);
        } else {
            self.overwrite_strays(job);
        }
        self.copy_one_way(job.from, job.to, job.begun);
        let next = self.nodes.a.next_lseq.max(self.nodes.b.next_lseq);
        (self.nodes.a.next_lseq, self.nodes.b.next_lseq) = (next, next);
        self.merges = true;
    }

    fn copy_one_way(&mut self, from: NodeId, to: NodeId, begun: Timestamp) {
        let known = &self.nodes[to].records;
        // A copy that has an end is complete; only what is new or was in progress is copied again.
        let news =
            self.nodes[from].records.values().filter(|record| known.get(&record.serial).is_none_or(|copy| copy.end.is_none()));
        let news: Vec<_> = news.filter_map(|record| record.as_of(begun)).collect();
        for record in news {
            // What is in progress here is best known here: the other side's copy is older.
            let best_known_here = record.created_on == to && self.nodes[to].records.contains_key(&record.serial);
            if !best_known_here {
                self.nodes[to].records.insert(record.serial, record);
            }
        }
    }

    /// Before 10.6: what only the standby has, or has more of, gives way to what the primary has.
    fn overwrite_strays(&mut self, job: &SyncJob) {
        let kept = &self.nodes[job.from].records;
        let differs = |record: &&Record| kept.get(&record.serial).is_none_or(|own| own.end.is_none() && record.end.is_some());
        let strays: Vec<Record> = self.nodes[job.to].records.values().filter(differs).cloned().collect();
        if strays.is_empty() {
            return;
        }
        let note = format!("{} records that only {} had are gone", strays.len(), job.to);
        for record in strays {
            self.nodes[job.to].records.remove(&record.serial);
            self.diary.overwritten.insert(record.serial, record);
        }
        self.note(Some(job.to), "records-overwritten", note);
    }
}
