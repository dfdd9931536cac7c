//! The loop of one run: observe, decide, record, act, observe.
//!
//! While an act is under way or nothing is to be done, people's words are taken; everything else happens in order.
//! How it looks stands in `looks`, how it waits in `waits`.

mod looks;
mod waits;

use std::sync::Arc;

use futures_channel::mpsc;
use tokio::sync::{oneshot, watch};

use crate::domain::decide::{Next, after_restart, decide, may_be_sent_again, never_sent};
use crate::domain::due::{access as is_right_due, jump_clients as jump_clients_due};
use crate::domain::event::{Event, Notice, Shown};
use crate::domain::journal::Record;
use crate::domain::machine::Command;
use crate::domain::people::People;
use crate::domain::run::{Phase, Run};
use crate::domain::settings::due;
use crate::domain::world::World;
use crate::ports::{Recall, StoreError};

use super::Around;
use super::access;
use super::api::{Problem, Snapshot, Word};
use super::evidence::{self, Memory};
use super::look::Seen;
use super::perform::Performer;
use super::recorder::{RecordError, Recorder};
use super::site::{SitePorts, SiteReaders};
use super::words;

/// A person's word on its way to a run.
pub struct Order {
    pub word: Word,
    pub actor: String,
    /// The journal's end that the person saw.
    pub seq: Option<u64>,
    pub reply: oneshot::Sender<Result<Snapshot, Problem>>,
}

/// What reaches a run from outside. Whoever sends it waits for the answer, so that no bound is needed on how many wait.
pub enum Message {
    Order(Box<Order>),
    /// An alert was given up; the sender waits until that is recorded.
    Undelivered {
        event: Box<Event>,
        recorded: oneshot::Sender<()>,
    },
}

/// The run goes no further in this process.
#[derive(Debug)]
pub enum Stopped {
    /// Nor does anything else: the process ends, or the journal can't be written.
    WithAll,
    /// A bug of ours, or a record that the journal can't keep; the other runs go on.
    Alone { code: &'static str, message: String },
}

impl Stopped {
    /// A task that carried out a piece of work ended without a result.
    fn ended(error: tokio::task::JoinError) -> Self {
        if error.is_panic() {
            Self::Alone { code: "bug", message: format!("a part of it broke off: {error}") }
        } else {
            Self::WithAll
        }
    }
}

/// One run, driven.
pub struct Runner {
    pub recorder: Recorder,
    around: Arc<Around>,
    performer: Performer,
    readers: SiteReaders,
    /// The one that is published, not a second one: a thousand waiting runs have one each.
    pub world: Arc<World>,
    /// Not tokio's: that keeps room for 32 messages, 1.1 KB a run where this takes 0.2.
    inbox: mpsc::UnboundedReceiver<Message>,
    /// Looks since something last changed: the wait between looks grows with it.
    idle_looks: u32,
    /// What the gate that is open has shown before.
    shown: Memory,
}

impl Runner {
    pub fn new(
        around: Arc<Around>,
        ports: SitePorts,
        published: Arc<watch::Sender<Snapshot>>,
        inbox: mpsc::UnboundedReceiver<Message>,
    ) -> Self {
        let (world, readers) = (published.borrow().world.clone(), ports.readers());
        let recorder = Recorder::new(around.clone(), published);
        Self {
            recorder,
            readers,
            performer: Performer { around: around.clone(), ports },
            around,
            world,
            inbox,
            idle_looks: 0,
            shown: Memory::default(),
        }
    }

    /// Drives the run until it is finished or the journal fails. `recovered`: it stood in the journal when the daemon came up.
    ///
    /// Whatever is not the rest between looks is boxed, since most runs rest most of the time: a thousand of these futures take
    /// 0.6 MiB, and took 7.7.
    pub async fn drive(mut self, recovered: bool) {
        match self.drive_on(recovered).await {
            Ok(()) => {}
            Err(Stopped::WithAll) => tracing::error!(run = %self.run().id, "the run goes no further in this process"),
            Err(Stopped::Alone { code, message }) => Box::pin(self.recorder.give_up(code, message, hint(self.run()))).await,
        }
    }

    async fn drive_on(&mut self, recovered: bool) -> Result<(), Stopped> {
        Box::pin(self.look()).await?;
        // A closed run that is only watched is over: nothing was taken over of it.
        if recovered && !self.run().is_finished() {
            self.recover().await?;
        }
        self.go().await
    }

    pub fn run(&self) -> &Arc<Run> {
        &self.recorder.run
    }

    /// The run's whole journal.
    pub fn records(&self) -> Result<Vec<Record>, StoreError> {
        self.around.journal.records(&self.run().id, 0)
    }

    pub fn people(&self) -> &People {
        &self.around.people
    }

    /// What an open gate has shown before and a person means by this beginning of a hash.
    pub fn shown(&self, hash: &str) -> Option<Shown> {
        self.shown.find(hash)
    }

    async fn go(&mut self) -> Result<(), Stopped> {
        loop {
            if let Some(want) = due(self.run(), &self.world) {
                Box::pin(self.look_at_settings(want)).await?;
            }
            if is_right_due(self.run(), &self.world) {
                Box::pin(self.try_access()).await?;
            }
            if let Some(node) = jump_clients_due(self.run(), &self.world) {
                Box::pin(self.look_at_jump_clients(node)).await?;
            }
            match decide(self.run(), &self.world) {
                Next::Record { event, why } => Box::pin(self.follow(event, why)).await?,
                Next::Rest { .. } if self.run().is_finished() && !self.run().is_watched() => return Ok(()),
                Next::Rest { until } => {
                    let message = self.rest(until).await?;
                    Box::pin(self.wake(message)).await?;
                }
            }
        }
    }

    /// Records what was decided and does what it asks for.
    async fn follow(&mut self, event: Event, why: String) -> Result<(), Stopped> {
        let accounts = access::may_change(self.run(), &event);
        let commands = self.record(&event, &why, "daemon").await?;
        if accounts {
            access::told(&self.readers, false).await;
        }
        self.carry_out(&commands).await
    }

    /// After a restart and the look that comes before anything else.
    async fn recover(&mut self) -> Result<(), Stopped> {
        let around = self.around.clone();
        // An error would mean a closed semaphore, and this one never is.
        let turn = around.recoveries.acquire().await;
        let why = "the daemon came up and took the run over where it stood";
        Box::pin(self.record(&Event::Recovered {}, why, "daemon")).await?;
        drop(turn);
        if self.run().phase == Phase::Acting { Box::pin(self.settle()).await } else { Ok(()) }
    }

    /// Settles what became of an act whose answer was not recorded.
    async fn settle(&mut self) -> Result<(), Stopped> {
        let performer = self.performer.clone();
        let run = self.run().clone();
        let recall = self.attend(async move { performer.recall(run).await }).await?;
        if may_be_sent_again(self.run()) {
            return self.carry_out(&[Command::Act]).await;
        }
        self.look().await?;
        let next = match recall {
            Recall::NeverSent => never_sent(self.run(), &self.world),
            Recall::MayBeSent => Some(after_restart(self.run(), &self.world)),
        };
        let Some(next) = next else { return self.carry_out(&[Command::Act]).await };
        if let Next::Record { event, why } = next {
            self.record(&event, &why, "daemon").await?;
        }
        self.look().await
    }

    async fn carry_out(&mut self, commands: &[Command]) -> Result<(), Stopped> {
        self.idle_looks = 0;
        if !commands.contains(&Command::Act) {
            return Ok(());
        }
        let performer = self.performer.clone();
        let run = self.run().clone();
        let answer = self.attend(async move { performer.act(run).await }).await?;
        let why = words::answer_sentence(&answer);
        self.record(&answer, &why, "daemon").await?;
        self.look().await
    }

    /// Takes in what a look saw, and publishes it.
    fn take(&mut self, seen: Seen) {
        let (now, wait) = (self.around.clock.now(), self.poll_wait());
        let released = self.around.releases.of(&self.run().plan, &self.around.people);
        self.know(|world| {
            seen.into_world(world, now);
            world.next_look = Some(now + wait);
            world.released = released;
        });
    }

    /// Changes what is known of the world, publishes it, and remembers what an open gate has shown until then.
    fn know(&mut self, change: impl FnOnce(&mut World)) {
        let before = evidence::now(self.run(), &self.world);
        change(Arc::make_mut(&mut self.world));
        self.shown.replaced(before, evidence::now(self.run(), &self.world));
        self.recorder.publish(self.world.clone());
    }

    /// Records an event, and remembers what an open gate has shown until then: a record may void what was read.
    pub async fn note(&mut self, event: &Event, why: &str, actor: &str) -> Result<Vec<Command>, RecordError> {
        let before = evidence::now(self.run(), &self.world);
        let commands = self.recorder.record(event, why, actor).await?;
        self.shown.replaced(before, evidence::now(self.run(), &self.world));
        Ok(commands)
    }

    /// After a rest: hears what ended it, if it was a person, and looks.
    async fn wake(&mut self, message: Option<Message>) -> Result<(), Stopped> {
        if let Some(message) = message {
            self.idle_looks = 0;
            self.hear(message).await?;
        }
        self.look().await
    }

    /// Records an event of the daemon's own. When only the reserve is left, what would begin something new holds the run instead.
    pub async fn record(&mut self, event: &Event, why: &str, actor: &str) -> Result<Vec<Command>, Stopped> {
        match self.note(event, why, actor).await {
            Ok(commands) => Ok(commands),
            Err(RecordError::Store(StoreError::OnlyReserve { free, needed })) => self.hold_for_space(free, needed).await,
            Err(RecordError::Store(error @ StoreError::Unfit(_))) => {
                Err(Stopped::Alone { code: "record_unfit", message: error.to_string() })
            }
            Err(RecordError::Store(error)) => {
                tracing::error!(run = %self.run().id, "{error}; nothing further is sent");
                self.around.fatal.notify_one();
                Err(Stopped::WithAll)
            }
            // The machine's table and what decides disagree: a bug of ours. Stop this run rather than guess.
            Err(RecordError::Illegal(error)) => Err(Stopped::Alone { code: "illegal_event", message: error.to_string() }),
        }
    }

    async fn hold_for_space(&mut self, free: u64, needed: u64) -> Result<Vec<Command>, Stopped> {
        let message = format!("only the reserve is left on the store's disk: {free} bytes free, {needed} needed");
        let (expected, found) = (format!("{needed} bytes free"), format!("{free} bytes free"));
        let notice = Event::Noticed { notice: Notice::StoreLow, node: None, raised: true, message: message.clone() };
        let held =
            Event::Held { code: "store_low".to_owned(), message: message.clone(), expected, found, node: None, given_up: true };
        let events = [(notice, !self.run().has_notice(Notice::StoreLow, None)), (held, self.run().hold().is_none())];
        for (event, wanted) in events {
            if wanted && self.recorder.record(&event, &message, "daemon").await.is_err() {
                self.around.fatal.notify_one();
                return Err(Stopped::WithAll);
            }
        }
        Ok(Vec::new())
    }
}

/// What helps a run that stopped alone.
fn hint(run: &Run) -> String {
    format!(
        "restart the daemon: the run goes on from record {}; if it stops again, go on by hand (`changeover status {}`) and report it with `changeover journal export`",
        run.seq, run.id
    )
}
