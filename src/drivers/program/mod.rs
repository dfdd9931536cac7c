//! Programs behind `exec`: how one is started, fed, awaited, ended and recalled.
//!
//! * `start`: which file is run and with what; the wrapper that keeps an act's program still until its trace is durable.
//! * `attend`: standard input, output and error of a running program, its end or its limit.
//! * `group`: process groups and their ending.
//! * `trace`: `exec/<slot>.json`, by which a restarted daemon finds the program that outlived the one before.
//! * `answer`: what an exit code and the printed JSON mean.
//!
//! The one thing to know: an act's program waits at a `read` until its process group and start time are on disk. If the daemon
//! dies before, the `read` sees end of file and the program never runs; if it dies after, [`Programs::recall`] finds it.
//! Linux only: `/proc` tells whether a process is still the one that was started.

pub mod answer;
mod attend;
mod group;
mod start;
mod trace;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::OwnedMutexGuard;

use crate::ports::{Clock, Intent, Recall};
pub use attend::{Ended, Output};
use trace::Trace;

/// From SIGTERM to SIGKILL, machine time.
pub const GRACE: Duration = Duration::from_secs(10);

/// How often a program that is not our child is looked for; one small read in `/proc`.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// One program to run: `program` with `verb` as the last argument, `input` on standard input.
#[derive(Clone, Debug)]
pub struct Call {
    /// What runs one program at a time: `<site>-<node>`, also the name of the trace's file.
    pub slot: String,
    /// The program and its leading arguments.
    pub program: Vec<String>,
    pub verb: String,
    /// One JSON object.
    pub input: Vec<u8>,
}

/// Why no program ran. Nothing was sent in any of these cases.
#[derive(Debug, thiserror::Error)]
pub enum NotRun {
    #[error("another program of `{slot}` was still running when `{verb}` should begin; it was not started")]
    Busy { slot: String, verb: String },
    /// It was started before the daemon's restart, or does not end although it was killed.
    #[error(
        "an earlier program, of `{step}` (process {pid}), still runs; `{verb}` was not started and will be once that one has ended"
    )]
    Outlived { step: String, pid: i32, verb: String },
    #[error(
        "`{program}` could not be started: {why}; nothing was sent; correct `program` in the site's file or put the file there"
    )]
    NotStarted { program: String, why: String },
    #[error("`{path}` could not be written, so the program was not let go: {why}; nothing was sent")]
    NoTrace { path: String, why: String },
}

/// Held while a program of the slot runs.
type Alone = OwnedMutexGuard<()>;

/// The programs of one daemon. Every driver of the process shares one of these: it keeps programs of one slot apart.
pub struct Programs {
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    grace: Duration,
    slots: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl Programs {
    /// `folder` is `state/exec`; it is created when the first act is traced.
    pub fn new(folder: PathBuf, clock: Arc<dyn Clock>) -> Self {
        Self { folder, clock, grace: GRACE, slots: Mutex::default() }
    }

    /// Another time between SIGTERM and SIGKILL than [`GRACE`].
    #[must_use]
    pub fn with_grace(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }

    /// Runs a program that only reads.
    ///
    /// # Effect
    /// None that lasts: whatever is left of its process group when it ends, or when the daemon stops, is killed.
    ///
    /// # Repeat
    /// Safe. If another program of the slot runs, waits for it.
    ///
    /// # Shapes and units
    /// `limit`: machine time, once for the waiting and once for the program. Returns also when the program was started, run time:
    /// what it read may be as old as that.
    ///
    /// # Errors
    /// See [`NotRun`].
    pub async fn read(&self, call: Call, limit: Duration) -> (Timestamp, Result<Output, NotRun>) {
        let guard = tokio::time::timeout(limit, self.slot(&call.slot)).await.map_err(|_| busy(&call));
        let began = self.clock.now();
        (began, self.read_alone(guard, call, limit).await)
    }

    async fn read_alone(&self, guard: Result<Alone, NotRun>, call: Call, limit: Duration) -> Result<Output, NotRun> {
        let guard = guard?;
        self.refuse_beside_survivor(&call)?;
        let grace = self.grace;
        let task = tokio::spawn(async move {
            let _guard = guard;
            passing(&call, limit, grace).await
        });
        task.await.unwrap_or_else(|error| Ok(Output::unknown(error.to_string())))
    }

    /// Runs a program that acts.
    ///
    /// # Effect
    /// Before the program runs, its process group and start time are durable in `<folder>/<slot>.json`, with `intent`'s key. The
    /// file stays until the slot's next act. A caller that stops waiting does not stop the program.
    ///
    /// # Repeat
    /// Not safe in general: that is for the caller to know.
    ///
    /// # Shapes and units
    /// `intent.limit`: run time, from the program's start. Then SIGTERM to the group, and SIGKILL after [`GRACE`].
    ///
    /// # Errors
    /// See [`NotRun`].
    pub async fn act(&self, call: Call, intent: &Intent) -> Result<Output, NotRun> {
        let late = self.clock.sleep_until(after(self.clock.now(), intent));
        let guard = tokio::select! {
            guard = self.slot(&call.slot) => guard,
            () = late => return Err(busy(&call)),
        };
        self.refuse_beside_survivor(&call)?;
        let (folder, clock, grace, intent) = (self.folder.clone(), self.clock.clone(), self.grace, intent.clone());
        let task = tokio::spawn(async move {
            let _guard = guard;
            traced(folder, clock, grace, call, intent).await
        });
        task.await.unwrap_or_else(|error| Ok(Output::unknown(error.to_string())))
    }

    /// After a restart: waits until the program of `intent` has ended, ends it at its limit, and says whether it ever ran.
    ///
    /// # Repeat
    /// Safe.
    pub async fn recall(&self, slot: &str, intent: &Intent) -> Recall {
        let _guard = self.slot(slot).await;
        let trace = match Trace::read(&self.folder, slot) {
            Ok(Some(trace)) if trace.intent == intent.key => trace,
            Ok(Some(_)) => return Recall::NeverSent,
            // The slot's first act, or `exec/` was deleted: nobody here can tell.
            Ok(None) => return Recall::MayBeSent,
            Err(why) => {
                tracing::warn!(
                    slot,
                    step = intent.step,
                    "the trace of the last program can't be read, so it may have run: {why}"
                );
                return Recall::MayBeSent;
            }
        };
        self.outwait(slot, &trace).await;
        Recall::MayBeSent
    }

    async fn outwait(&self, slot: &str, trace: &Trace) {
        if trace.process.is_alive() {
            tracing::info!(
                slot,
                step = trace.step,
                pid = trace.process.pid,
                "a program outlived the daemon before; waiting for it"
            );
            attend::drain_survivor(&trace.process, slot);
        }
        let limit = self.clock.sleep_until(trace.deadline());
        tokio::select! {
            () = trace.process.gone(LOOK_AGAIN) => {}
            () = limit => {
                if trace.process.is_alive() {
                    tracing::warn!(slot, step = trace.step, pid = trace.process.pid, "the program is over its limit; ending its group");
                    group::end(trace.process.pid(), self.grace).await;
                }
            }
        }
    }

    /// Waits for the slot to be free of this process's own programs.
    async fn slot(&self, name: &str) -> Alone {
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.entry(name.to_owned()).or_default().clone()
        };
        slot.lock_owned().await
    }

    /// With the slot taken, a traced process that lives is one that outlived the daemon before.
    fn refuse_beside_survivor(&self, call: &Call) -> Result<(), NotRun> {
        match Trace::read(&self.folder, &call.slot) {
            Ok(Some(trace)) if trace.process.is_alive() => {
                Err(NotRun::Outlived { step: trace.step, pid: trace.process.pid, verb: call.verb.clone() })
            }
            _ => Ok(()),
        }
    }
}

/// Runs a program that belongs to no slot (a hook), within `limit` of machine time; nothing of its group is left afterwards.
///
/// # Errors
/// [`NotRun::NotStarted`].
pub async fn passing(call: &Call, limit: Duration, grace: Duration) -> Result<Output, NotRun> {
    let child = start::at_once(call)?;
    let rest = group::KillOnDrop::new(child.id());
    let output = attend::attend(child, call.input.clone(), tokio::time::sleep(limit), grace, label(call)).await;
    drop(rest);
    Ok(output)
}

async fn traced(folder: PathBuf, clock: Arc<dyn Clock>, grace: Duration, call: Call, intent: Intent) -> Result<Output, NotRun> {
    let child = start::held(&call)?;
    let trace = match Trace::of(child.id(), &call, &intent, clock.now()) {
        Ok(trace) => trace,
        Err(why) => return Err(never_let_go(child, start::not_started(&call, why)).await),
    };
    let deadline = trace.deadline();
    if let Err(why) = trace.write(folder.clone(), call.slot.clone()).await {
        let path = trace::path(&folder, &call.slot).display().to_string();
        return Err(never_let_go(child, NotRun::NoTrace { path, why }).await);
    }
    let input = start::let_go(&call.input);
    Ok(attend::attend(child, input, clock.sleep_until(deadline), grace, label(&call)).await)
}

/// Closes the standard input that the wrapper waits at: it ends without having run the program.
async fn never_let_go(mut child: tokio::process::Child, why: NotRun) -> NotRun {
    drop(child.stdin.take());
    // The wrapper has nothing left but to exit; if it could not be awaited the runtime reaps it later.
    let _ = child.wait().await;
    why
}

fn busy(call: &Call) -> NotRun {
    NotRun::Busy { slot: call.slot.clone(), verb: call.verb.clone() }
}

fn label(call: &Call) -> String {
    format!("{} {}", call.slot, call.verb)
}

fn after(moment: Timestamp, intent: &Intent) -> Timestamp {
    moment.checked_add(intent.limit).unwrap_or(Timestamp::MAX)
}
