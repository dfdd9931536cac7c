//! How a run waits: for a piece of work, for the next look. People's words are taken all the while.

use futures_util::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use tokio_util::task::AbortOnDropHandle;

use crate::domain::decide::{Next, decide};
use crate::domain::event::WaitingOn;
use crate::domain::run::Phase;
use crate::engine::look::{Busy, Seen};
use crate::engine::words;

use super::{Message, Order, Runner, Stopped};

impl Runner {
    /// Waits for a piece of work and takes people's words meanwhile.
    ///
    /// The work is a task of its own, so that it goes on while a word is taken: a word may look too, and drivers hold locks
    /// over their calls, which a piece of work that nobody drives would never let go.
    pub(super) async fn beside_words<T: Send + 'static>(
        &mut self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Stopped> {
        let mut work = AbortOnDropHandle::new(tokio::spawn(work));
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done.map_err(Stopped::ended),
                message = self.inbox.next() => match message {
                    Some(message) => Box::pin(self.hear(message)).await?,
                    // The fleet is gone: the process ends.
                    None => return Err(Stopped::WithAll),
                },
            }
        }
    }

    /// As [`Runner::beside_words`], for an act, which may take hours: meanwhile what it is not busy with is watched, and what
    /// people must know is told in time.
    pub(super) async fn attend<T: Send + 'static>(
        &mut self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Stopped> {
        let mut work = AbortOnDropHandle::new(tokio::spawn(work));
        loop {
            let mut watching = self.watch_later();
            let seen = loop {
                tokio::select! {
                    biased;
                    done = &mut work => return done.map_err(Stopped::ended),
                    seen = &mut watching => break seen.map_err(Stopped::ended)?,
                    message = self.inbox.next() => Box::pin(self.hear(message.ok_or(Stopped::WithAll)?)).await?,
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
    pub(super) async fn rest(&mut self, until: Option<Timestamp>) -> Result<Option<Message>, Stopped> {
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
            message = self.inbox.next() => message.map(Some).ok_or(Stopped::WithAll),
        }
    }

    /// The wait before the next look. A proof is looked for soon and then ever more seldom: after 0.25 s, growing by half up to
    /// 10 s, or a quarter of the time for which answers are cached. A run that waits for people or the calendar looks every
    /// minute, in the soak every five: often enough to see within `policy.max_silence` that a node went away.
    pub(super) fn poll_wait(&self) -> SignedDuration {
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
    pub(super) async fn hear(&mut self, message: Message) -> Result<(), Stopped> {
        match message {
            Message::Order(order) => {
                let Order { word, actor, seq, reply } = *order;
                let answer = words::take(self, word, &actor, seq).await;
                let stopped = answer.as_ref().err().is_some_and(|problem| problem.code == words::STORE_FAILED);
                // A person who no longer waits for the answer has still been heard.
                let _ = reply.send(answer);
                if stopped {
                    self.around.fatal.notify_one();
                    return Err(Stopped::WithAll);
                }
                Ok(())
            }
            Message::Undelivered { event, recorded } => {
                self.record(&event, "an alert was given up after its last try", "daemon").await?;
                let _ = recorded.send(());
                Ok(())
            }
        }
    }
}
