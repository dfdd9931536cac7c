//! The loop of one run: observe, decide, record, act, observe.
//!
//! While an act is under way or nothing is to be done, people's words are taken; everything else happens in order.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::task::AbortOnDropHandle;

use crate::domain::access::Tries;
use crate::domain::action::Kind;
use crate::domain::checks;
use crate::domain::decide::{Next, after_restart, decide, may_be_sent_again};
use crate::domain::due::{access as is_right_due, jump_clients as jump_clients_due};
use crate::domain::event::{Event, Notice, Shown, WaitingOn};
use crate::domain::ids::NodeId;
use crate::domain::journal::Record;
use crate::domain::jump_clients::{self, JumpClients};
use crate::domain::machine::Command;
use crate::domain::people::People;
use crate::domain::run::{Phase, Run};
use crate::domain::settings::{Want, due};
use crate::domain::world::World;
use crate::ports::{ReadError, Recall, StoreError};

use super::Around;
use super::access;
use super::api::{Problem, Snapshot, Word};
use super::evidence::Memory;
use super::look::{Busy, Seen};
use super::package;
use super::perform::Performer;
use super::recorder::{RecordError, Recorder};
use super::settings;
use super::site::{SitePorts, SiteReaders};
use super::space;
use super::words;

/// A person's word on its way to a run.
pub struct Order {
    pub word: Word,
    pub actor: String,
    /// The journal's end that the person saw.
    pub seq: Option<u64>,
    pub reply: oneshot::Sender<Result<Snapshot, Problem>>,
}

/// What reaches a run from outside. Boxed: a run's inbox keeps room for 32 of them at all times.
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
    /// A bug of ours; the other runs go on.
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
    inbox: mpsc::Receiver<Message>,
    /// Looks since something last changed: the wait between looks grows with it.
    idle_looks: u32,
    /// What the gate that is open has shown.
    shown: Memory,
}

impl Runner {
    pub fn new(
        around: Arc<Around>,
        ports: SitePorts,
        published: Arc<watch::Sender<Snapshot>>,
        inbox: mpsc::Receiver<Message>,
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

    /// What an open gate has shown lately and a person means by this beginning of a hash.
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
        if recall == Recall::NeverSent || may_be_sent_again(self.run()) {
            return self.carry_out(&[Command::Act]).await;
        }
        self.look().await?;
        if let Next::Record { event, why } = after_restart(self.run(), &self.world) {
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

    /// Reads the world once. Words that arrive meanwhile are taken.
    pub async fn look(&mut self) -> Result<(), Stopped> {
        let readers = self.readers.clone();
        let seen = self.beside_words(async move { readers.look().await }).await?;
        self.take(seen);
        self.look_at_package().await
    }

    /// Hashes the run's copies of the packages where a check comes next; they may have gigabytes, and are not read at every look.
    async fn look_at_package(&mut self) -> Result<(), Stopped> {
        let run = self.run().clone();
        let begins = run.phase == Phase::Ready && run.step().is_some_and(|step| step.kind == Kind::Preflight);
        if !begins && !checks::is_due(&run, &self.world) {
            return Ok(());
        }
        let state = self.around.state.clone();
        let work = async move {
            for package in checks::packages(&run) {
                package::check(&package::place(&state, package), &package.sha256).await?;
            }
            Ok(())
        };
        let found = self.beside_words(work).await?;
        let free = space::free_bytes(&self.around.state);
        let world = Arc::make_mut(&mut self.world);
        (world.package, world.free) = (Some(found), free);
        Ok(())
    }

    /// A person lets the run go on: credentials that were refused may be tried once more.
    pub async fn reopen_access(&self) {
        access::told(&self.readers, true).await;
    }

    /// As [`Runner::look`], from within the taking of a word: nothing else is taken meanwhile.
    pub async fn look_now(&mut self) {
        let seen = self.readers.look().await;
        self.take(seen);
    }

    /// Reads settings once, where that is due. Words that arrive meanwhile are taken.
    async fn look_at_settings(&mut self, want: Want) -> Result<(), Stopped> {
        let (around, readers, run) = (self.around.clone(), self.readers.clone(), self.run().clone());
        let seen = self.beside_words(async move { settings::look(&around, &readers, &run, want).await }).await?;
        seen.into_world(Arc::make_mut(&mut self.world));
        self.recorder.publish(self.world.clone());
        Ok(())
    }

    /// Asks the traffic entries whether they would take our change. Words that arrive meanwhile are taken.
    async fn try_access(&mut self) -> Result<(), Stopped> {
        let ports = self.performer.ports.clone();
        let entries = self.beside_words(async move { ports.try_access().await }).await?;
        let at = self.around.clock.now();
        Arc::make_mut(&mut self.world).access = Some(Tries { at, entries });
        self.recorder.publish(self.world.clone());
        Ok(())
    }

    /// Counts Jump Clients once, where that is due. Words that arrive meanwhile are taken.
    async fn look_at_jump_clients(&mut self, node: NodeId) -> Result<(), Stopped> {
        let (at, readers) = (self.around.clock.now(), self.readers.clone());
        let told = self.beside_words(async move { readers.nodes[node].jump_clients().await }).await?;
        let told = told.unwrap_or_else(|error| JumpClients::Untold { why: error.to_string() });
        Arc::make_mut(&mut self.world).jump_clients = Some(jump_clients::Seen { at, node, told });
        self.recorder.publish(self.world.clone());
        Ok(())
    }

    /// The jobs that run by themselves on a node, where its driver tells.
    pub async fn enabled_jobs(&self, node: NodeId) -> Result<Vec<String>, ReadError> {
        settings::enabled_jobs(&self.readers, node).await
    }

    fn take(&mut self, seen: Seen) {
        let (now, wait) = (self.around.clock.now(), self.poll_wait());
        let world = Arc::make_mut(&mut self.world);
        seen.into_world(world, now);
        world.next_look = Some(now + wait);
        world.released = self.around.releases.of(&self.recorder.run.plan, &self.around.people);
        self.shown.keep(&self.recorder.run, world);
        self.recorder.publish(self.world.clone());
    }

    /// Waits for a piece of work and takes people's words meanwhile.
    ///
    /// The work is a task of its own, so that it goes on while a word is taken: a word may look too, and drivers hold locks
    /// over their calls, which a piece of work that nobody drives would never let go.
    async fn beside_words<T: Send + 'static>(&mut self, work: impl Future<Output = T> + Send + 'static) -> Result<T, Stopped> {
        let mut work = AbortOnDropHandle::new(tokio::spawn(work));
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done.map_err(Stopped::ended),
                message = self.inbox.recv() => match message {
                    Some(message) => Box::pin(self.hear(message)).await?,
                    // The fleet is gone: the process ends.
                    None => return Err(Stopped::WithAll),
                },
            }
        }
    }

    /// As [`Runner::beside_words`], for an act, which may take hours: meanwhile what it is not busy with is watched, and what
    /// people must know is told in time.
    async fn attend<T: Send + 'static>(&mut self, work: impl Future<Output = T> + Send + 'static) -> Result<T, Stopped> {
        let mut work = AbortOnDropHandle::new(tokio::spawn(work));
        loop {
            let mut watching = self.watch_later();
            let seen = loop {
                tokio::select! {
                    biased;
                    done = &mut work => return done.map_err(Stopped::ended),
                    seen = &mut watching => break seen.map_err(Stopped::ended)?,
                    message = self.inbox.recv() => Box::pin(self.hear(message.ok_or(Stopped::WithAll)?)).await?,
                }
            };
            self.take(seen);
            while let Next::Record { event, why } = decide(self.run(), &self.world) {
                Box::pin(self.record(&event, &why, "daemon")).await?;
            }
        }
    }

    /// The next look beside an act, after the same waits as between acts.
    fn watch_later(&mut self) -> AbortOnDropHandle<Seen> {
        let wake = self.around.clock.now() + self.poll_wait();
        self.idle_looks = self.idle_looks.saturating_add(1);
        let (clock, readers, busy) = (self.around.clock.clone(), self.readers.clone(), self.busy());
        AbortOnDropHandle::new(tokio::spawn(async move {
            clock.sleep_until(wake).await;
            readers.look_beside(busy).await
        }))
    }

    /// What the act of the current step is busy with.
    fn busy(&self) -> Option<Busy> {
        let step = self.run().step()?;
        if step.kind.is_of_traffic() { Some(Busy::Traffic) } else { step.node.map(Busy::Node) }
    }

    /// Nothing to do: until the next look is useful, or a person speaks.
    async fn rest(&mut self, until: Option<Timestamp>) -> Result<Option<Message>, Stopped> {
        let now = self.around.clock.now();
        let poll = now + self.poll_wait();
        let wake = until.filter(|until| *until > now).map_or(poll, |until| until.min(poll));
        self.idle_looks = self.idle_looks.saturating_add(1);
        let clock = self.around.clock.clone();
        tokio::select! {
            // In this order whenever both are ready: what happens is never left to chance.
            biased;
            () = clock.sleep_until(wake) => Ok(None),
            // None: the fleet is gone, the process ends.
            message = self.inbox.recv() => message.map(Some).ok_or(Stopped::WithAll),
        }
    }

    /// After a rest: hears what ended it, if it was a person, and looks.
    async fn wake(&mut self, message: Option<Message>) -> Result<(), Stopped> {
        if let Some(message) = message {
            self.idle_looks = 0;
            self.hear(message).await?;
        }
        self.look().await
    }

    /// The wait before the next look. A proof is looked for soon and then ever more seldom: after 0.25 s, growing by half up to
    /// 10 s, or a quarter of the time for which answers are cached. A run that waits for people or the calendar looks every
    /// minute, in the soak every five: often enough to see within `policy.max_silence` that a node went away.
    fn poll_wait(&self) -> SignedDuration {
        const FIRST_MILLIS: f64 = 250.0;
        let minute = SignedDuration::from_mins(1);
        let cap = match &self.run().phase {
            Phase::Waiting { on: WaitingOn::Soak, .. } | Phase::Finished(_) => minute * 5,
            Phase::Waiting { on: WaitingOn::Gate | WaitingOn::Window, .. } | Phase::Held(_) => minute,
            // Caches forget in their own time: nothing is to be seen of it.
            Phase::Waiting { on: WaitingOn::Traffic, until: Some(_), .. } => minute,
            _ => SignedDuration::from_secs(10).max(self.readers.cache_time() / 4),
        };
        let millis = FIRST_MILLIS * 1.5_f64.powi(i32::try_from(self.idle_looks.min(64)).unwrap_or(64));
        if millis >= cap.as_millis() as f64 { cap } else { SignedDuration::from_millis(millis as i64) }
    }

    /// Takes a message from outside.
    async fn hear(&mut self, message: Message) -> Result<(), Stopped> {
        match message {
            Message::Order(order) => {
                let Order { word, actor, seq, reply } = *order;
                let answer = words::take(self, word, &actor, seq).await;
                let stopped = answer.as_ref().err().is_some_and(|problem| problem.code == words::STORE_FAILED);
                // A person who no longer waits for the answer has still been heard.
                let _ = reply.send(answer);
                if stopped { Err(Stopped::WithAll) } else { Ok(()) }
            }
            Message::Undelivered { event, recorded } => {
                self.record(&event, "an alert was given up after its last try", "daemon").await?;
                let _ = recorded.send(());
                Ok(())
            }
        }
    }

    /// Records an event of the daemon's own. When only the reserve is left, what would begin something new holds the run instead.
    pub async fn record(&mut self, event: &Event, why: &str, actor: &str) -> Result<Vec<Command>, Stopped> {
        match self.recorder.record(event, why, actor).await {
            Ok(commands) => Ok(commands),
            Err(RecordError::Store(StoreError::OnlyReserve { free, needed })) => self.hold_for_space(free, needed).await,
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

/// What helps a run that a bug stopped.
fn hint(run: &Run) -> String {
    format!(
        "restart the daemon: the run goes on from record {}; if it stops again, go on by hand (`changeover status {}`) and report it with `changeover journal export`",
        run.seq, run.id
    )
}
