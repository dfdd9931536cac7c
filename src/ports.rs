//! What the engine needs of the world, on one page: appliances, traffic, the journal, notifiers, a clock.
//!
//! Each act is asked with an [`Intent`] that was recorded before. The answer of an act is one of *accepted*, *refused*,
//! *transient*, *ambiguous*, *by operator*; accepted is never done: done is what a later reading proves.
//! Imports: domain only.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};

pub use crate::domain::access::Access;
use crate::domain::ids::{NodeId, RunId};
use crate::domain::journal::Record;
use crate::domain::jump_clients::JumpClients;
use crate::domain::listing::Told;
use crate::domain::metrics::Family;
use crate::domain::single::{Offer, Page};
use crate::domain::site::{Hands, MovedRecord, Observation, TrafficLook};
use crate::domain::version::Target;

/// A recorded intention to act. `key` is the same when the same intent is repeated after a crash.
#[derive(Clone, Debug, PartialEq)]
pub struct Intent {
    pub site: String,
    pub run: RunId,
    /// The step's id, `window-1.update.a`.
    pub step: String,
    pub attempt: u32,
    /// `<run>/<step>/<attempt>`.
    pub key: String,
    /// When the intent was recorded, run time.
    pub since: Timestamp,
    /// How long the act may take, run time; a program that still runs then is ended.
    pub limit: SignedDuration,
}

/// What is asked of a node.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeAct {
    Backup {
        directory: PathBuf,
    },
    ForceSync {
        from: NodeId,
        to: NodeId,
    },
    BreakFailover,
    Update {
        package: PathBuf,
        sha256: String,
        target: Target,
    },
    EstablishFailover {
        primary: NodeId,
        standby: NodeId,
    },
    Drain {
        deadline: Timestamp,
    },
    /// Ends the sessions that are under way (BG-02); users may stay logged in.
    EndSessions,
    Quiesce,
    /// Opens a node again that `Quiesce` closed to clients.
    Reopen,
    ExtractData {
        since: Timestamp,
        until: Timestamp,
        directory: PathBuf,
    },
}

impl NodeAct {
    /// The action's name: the verb of exec programs, the word in config, API and docs.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Backup { .. } => "backup",
            Self::ForceSync { .. } => "force_sync",
            Self::BreakFailover => "break_failover",
            Self::Update { .. } => "update",
            Self::EstablishFailover { .. } => "establish_failover",
            Self::Drain { .. } => "drain",
            Self::EndSessions => "end_sessions",
            Self::Quiesce => "quiesce",
            Self::Reopen => "reopen",
            Self::ExtractData { .. } => "extract_data",
        }
    }
}

/// A file that an act produced, hashed by us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducedFile {
    pub path: PathBuf,
    pub sha256: String,
    pub bytes: u64,
}

/// The answer to an act.
#[derive(Clone, Debug, PartialEq)]
pub enum ActAnswer {
    /// The other side took the order. The fields belong to backup and extract_data, whose files lie where they were asked for
    /// and were hashed by us. `bytes`: what all of the result takes on the disk, where `files` only name the rest of it.
    /// `missing`: recordings that are part of the data and could not be had.
    Accepted { files: Vec<ProducedFile>, records: Option<u64>, bytes: Option<u64>, missing: u64 },
    /// The other side said no; nothing changed.
    Refused { message: String },
    /// It was never reached; nothing was sent.
    Transient { message: String },
    /// Sent, answer unknown.
    Ambiguous { message: String },
    /// There is no interface for this act: a person does it, told by these lines; the effect is then observed.
    ByOperator { instructions: Vec<String> },
}

impl ActAnswer {
    /// Accepted, with nothing to hand over.
    pub fn accepted() -> Self {
        Self::with_files(Vec::new(), None)
    }

    /// Accepted, with all that was made.
    pub fn with_files(files: Vec<ProducedFile>, records: Option<u64>) -> Self {
        Self::Accepted { files, records, bytes: None, missing: 0 }
    }
}

/// Why a reading gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// No answer, or none that can be used: can't tell.
    #[error("{0}")]
    Transient(String),
    /// Access was refused (credentials, permissions): can't tell, and not to be repeated quickly (no lock-outs).
    #[error("{0}")]
    Denied(String),
    /// The set-up is wrong and no repetition helps (an exec program that does not know `observe`).
    #[error("{0}")]
    Misconfigured(String),
}

/// What became of an act whose answer was not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recall {
    /// The request certainly never left.
    NeverSent,
    /// It may have been sent; nothing of it runs on our side any more.
    MayBeSent,
}

/// What can be read of one node. Whoever holds only this has no call that changes anything.
pub trait Reader: Send + Sync {
    /// Reads the node once. Never changes anything; safe to repeat.
    ///
    /// # Errors
    /// See [`ReadError`]. A wrong identity is not an error here: the reading carries it and the rules judge it (R13).
    fn observe(&self) -> BoxFuture<'_, Result<Observation, ReadError>>;

    /// Lists the node's settings, where there is an interface for that. Never changes anything; safe to repeat.
    ///
    /// # Errors
    /// See [`ReadError`]; what will not be told later either is no error but [`Told::Nothing`] or [`Told::Unread`].
    fn settings(&self) -> BoxFuture<'_, Result<Told, ReadError>> {
        Box::pin(std::future::ready(Ok(Told::Nothing { why: "this driver lists no settings".to_owned() })))
    }

    /// The identity of the box that answers for the service's name at this address, or where this node serves; `None` where the
    /// driver can't tell, or nobody answers. Never changes anything; safe to repeat.
    fn who_answers(&self, at: Option<IpAddr>) -> BoxFuture<'_, Option<String>> {
        let _ = at;
        Box::pin(std::future::ready(None))
    }

    /// The shared addresses that are enabled on this node, where the driver tells. Never changes anything; safe to repeat.
    ///
    /// # Errors
    /// See [`ReadError`].
    fn shared_ips(&self) -> BoxFuture<'_, Result<Option<Vec<IpAddr>>, ReadError>> {
        Box::pin(async { Ok(self.observe().await?.shared_ips) })
    }

    /// The credentials at this node may have changed: the next reading begins with a fresh look at them. `by_person`: somebody
    /// has looked after them, so that those which were refused may be tried once more.
    fn access_may_have_changed(&self, by_person: bool) -> BoxFuture<'_, ()> {
        let _ = by_person;
        Box::pin(std::future::ready(()))
    }

    /// Counts the node's Jump Clients that still need the update which it has got, where there is an interface for that. Never
    /// changes anything; safe to repeat.
    ///
    /// # Errors
    /// See [`ReadError`]; what will not be told later either is no error but [`JumpClients::Untold`].
    fn jump_clients(&self) -> BoxFuture<'_, Result<JumpClients, ReadError>> {
        Box::pin(std::future::ready(Ok(JumpClients::Untold { why: "this driver has no interface for them".to_owned() })))
    }

    /// The facts of this node may be this old; polls faster than that learn nothing new.
    fn cache_time(&self) -> SignedDuration;

    /// How a person does by hand what this driver does, for the day on which no daemon is there.
    fn hands(&self) -> Hands {
        Hands::Unknown
    }
}

/// One node of a site.
pub trait Appliance: Reader {
    /// Asks for an act whose intent was recorded. Returns when the order was taken (or not), not when its effect is there.
    fn act<'a>(&'a self, intent: &'a Intent, act: &'a NodeAct) -> BoxFuture<'a, ActAnswer>;

    /// After a restart: waits until nothing of `intent` runs on our side any more (up to the act's limit, then ends it), and
    /// says whether it may have been sent.
    fn recall<'a>(&'a self, intent: &'a Intent) -> BoxFuture<'a, Recall>;
}

/// Why the update page told nothing, or something that nobody knows. Nothing was ordered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// It was not reached, or broke off.
    #[error("{0}")]
    NotReached(String),
    /// It shows something else than expected: a person looks.
    #[error("{0}")]
    Surprise(String),
    /// Another box, or no access.
    #[error("{0}")]
    Refused(String),
}

/// An appliance without a pair, which fetches and installs updates by itself when it is told to (BG-10).
pub trait Updates: Reader {
    /// Reads the update page. `ask`: unless something is being installed the box is first told to check for updates, by the
    /// vendor's own button. Safe to repeat.
    ///
    /// # Errors
    /// See [`PageError`].
    fn updates(&self, ask: bool) -> BoxFuture<'_, Result<Page, PageError>>;

    /// Fetches and checks a backup. Safe to repeat; another file each time.
    ///
    /// # Errors
    /// Says why there is none; nothing is left in `directory` then.
    fn back_up<'a>(&'a self, directory: &'a Path) -> BoxFuture<'a, Result<ProducedFile, String>>;

    /// Looks at the page once more and orders the installation of this very package. The effect is seen in readings.
    fn install<'a>(&'a self, offer: &'a Offer) -> BoxFuture<'a, ActAnswer>;
}

/// What can be read of one way in which traffic reaches the serving node; as [`Reader`], without a call that changes anything.
pub trait TrafficReader: Send + Sync {
    /// Asks every authoritative server (or the program) where the service's name leads.
    fn look(&self) -> BoxFuture<'_, Result<TrafficLook, ReadError>>;

    /// No repeat of a switch before this much time has passed since its recorded intent.
    fn settling_time(&self) -> SignedDuration;

    /// The entry's name in messages: `rfc2136 support.example.com at 192.0.2.53:53`.
    fn name(&self) -> String;

    /// The records that it moves, and what each holds while either node serves; none where it moves something else.
    fn records(&self) -> Vec<MovedRecord> {
        Vec::new()
    }

    /// The address behind which clients find this node while it serves, where the entry holds addresses; `None`: the node's own.
    fn address(&self, node: NodeId) -> Option<IpAddr> {
        let _ = node;
        None
    }
}

/// Which way a TTL goes: the verb of exec programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TtlWay {
    Lower,
    Restore,
}

/// For how long answers may be remembered from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TtlChange {
    pub way: TtlWay,
    /// Seconds by name, as the entry's own [`TrafficAnswer::name`](crate::domain::site::TrafficAnswer) spells it. A name that is not
    /// among them keeps what it has.
    pub names: BTreeMap<String, u32>,
}

impl TtlChange {
    /// The action's name.
    pub fn verb(&self) -> &'static str {
        match self.way {
            TtlWay::Lower => "lower_ttl",
            TtlWay::Restore => "restore_ttl",
        }
    }

    /// For what knows one time for all its names: the longest.
    pub fn longest(&self) -> u32 {
        self.names.values().copied().max().unwrap_or_default()
    }
}

/// One way in which traffic reaches the serving node: a zone, a view, a balancer.
pub trait Traffic: TrafficReader {
    /// Moves traffic from one node to the other, only if it is still at `from`.
    fn switch<'a>(&'a self, intent: &'a Intent, from: NodeId, to: NodeId) -> BoxFuture<'a, ActAnswer>;

    /// Sets for how long answers may be remembered, and leaves where they lead. Names that have that time already are left; what
    /// has no such time (a shared address, a NAT rule) has nothing to do. Repeating it does no harm.
    fn set_ttl<'a>(&'a self, intent: &'a Intent, change: &'a TtlChange) -> BoxFuture<'a, ActAnswer> {
        let _ = (intent, change);
        Box::pin(std::future::ready(ActAnswer::accepted()))
    }

    /// Finds out whether the change would be taken, there and back, by one that alters nothing. Safe to repeat.
    fn prove_access(&self) -> BoxFuture<'_, Access> {
        Box::pin(std::future::ready(Access::Untold { why: "this entry has no way to try".to_owned() }))
    }

    /// As [`Appliance::recall`].
    fn recall<'a>(&'a self, intent: &'a Intent) -> BoxFuture<'a, Recall>;
}

/// Why a record could not be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Final for this process: nothing further may be sent.
    #[error("the journal could not be written: {0}")]
    Failed(String),
    /// Only the reserve is left: holds, the way home, a switch back and a close are still taken.
    #[error("only the reserved space is left on the store's disk: {free} bytes free, {needed} needed")]
    OnlyReserve { free: u64, needed: u64 },
    /// What was to be kept is too long, or would not be read back as it is. Nothing was written, and the store takes others.
    #[error("the journal can't keep it: {0}")]
    Unfit(String),
}

/// An alert or export on its way to one hook; kept until delivered.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct OutboxItem {
    /// `<run>/<seq>/<event>`, the same in every retry.
    pub id: String,
    /// The hook's name in the config.
    pub hook: String,
    /// The event's name, `sync_failed`.
    pub event: String,
    /// The document to deliver, as JSON text.
    pub document: String,
    pub run: RunId,
    /// When it was first due.
    pub since: Timestamp,
    pub attempts: u32,
    pub next_at: Timestamp,
}

/// The durable journal.
pub trait Journal: Send + Sync {
    /// Appends records (of one run, in order) and outbox items in one atomic commit; returns when both are durable.
    ///
    /// # Errors
    /// After `Failed` the process must act no further. `essential` records may use the reserve.
    fn append(&self, records: Vec<Record>, outbox: Vec<OutboxItem>, essential: bool) -> BoxFuture<'_, Result<(), StoreError>>;

    /// The records of a run with a sequence number above `after`, in order.
    fn records(&self, run: &RunId, after: u64) -> Result<Vec<Record>, StoreError>;

    /// Whether the journal can be written now.
    fn ready(&self) -> Result<(), StoreError>;
}

/// Delivers documents to one hook.
pub trait Notifier: Send + Sync {
    /// Delivers once; the error says why it did not arrive. The caller retries.
    fn deliver<'a>(&'a self, item: &'a OutboxItem) -> BoxFuture<'a, Result<(), String>>;
}

/// Has numbers for a monitoring system.
pub trait Meter: Send + Sync {
    /// The numbers as they are now.
    fn families(&self) -> Vec<Family>;
}

/// Run time: the machine's clock, or a faster one for the demo and tests.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
    /// Returns when `now()` has reached `at`, or when as much machine time has passed as was left at first: a clock that is set
    /// back meanwhile keeps nobody from looking. Who needs the moment itself looks at `now()` again.
    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()>;
}
