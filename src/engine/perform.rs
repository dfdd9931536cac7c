//! From a recorded intent to a port call, and from its answer to the next event.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::domain::action::Kind;
use crate::domain::backups;
use crate::domain::decide::MAX_TRIES;
use crate::domain::event::{Event, Evidence, NameTtl};
use crate::domain::file::FileEvidence;
use crate::domain::ids::NodeId;
use crate::domain::run::Run;
use crate::domain::step::Step;
use crate::domain::ttl;
use crate::domain::unsynced;
use crate::domain::watch;
use crate::ports::{ActAnswer, Intent, NodeAct, ProducedFile, Recall, Traffic, TtlChange, TtlWay};

use super::Around;
use super::package;
use super::retry::Schedule;
use super::site::SitePorts;
use super::space;

/// What sending an act needs, owned so that it can run beside the loop that takes people's words.
#[derive(Clone)]
pub struct Performer {
    pub around: Arc<Around>,
    pub ports: SitePorts,
}

impl Performer {
    /// Sends the act of the current step and says which event its answer is. Called only after the intent is durable.
    pub async fn act(&self, run: Arc<Run>) -> Event {
        let (Some(step), Some(intent)) = (run.step(), intent(&run)) else {
            return Event::Doubted { message: "there is no intent to act on".to_owned() };
        };
        let answer = match step.kind {
            Kind::SwitchTraffic => self.switch(&run, step, &intent).await,
            Kind::LowerTtl | Kind::RestoreTtl => self.set_ttl(&run, step, &intent).await,
            _ => self.act_on_node(&run, step, &intent).await,
        };
        event_of(&run, step, answer, self.around.clock.now())
    }

    /// After a restart: what became of the act whose answer was not recorded.
    pub async fn recall(&self, run: Arc<Run>) -> Recall {
        let (Some(step), Some(intent)) = (run.step(), intent(&run)) else { return Recall::NeverSent };
        if !step.kind.is_of_traffic() {
            return self.ports.nodes[step.node.unwrap_or(run.plan.primary)].recall(&intent).await;
        }
        let mut recall = Recall::NeverSent;
        for entry in &self.ports.traffic {
            if entry.recall(&intent).await == Recall::MayBeSent {
                recall = Recall::MayBeSent;
            }
        }
        recall
    }

    async fn act_on_node(&self, run: &Run, step: &Step, intent: &Intent) -> ActAnswer {
        let node = step.node.unwrap_or(run.plan.primary);
        if step.kind == Kind::Update
            && let Err(message) = package::check(&self.package(run, step), &run.plan.package_of(step.hop).sha256).await
        {
            return ActAnswer::Refused { message };
        }
        if let Err(message) = self.has_room(run, step).and_then(|()| has_range(run, step, intent.since)) {
            return ActAnswer::Refused { message };
        }
        match self.node_act(run, step, node, intent) {
            Some(act) => self.ports.nodes[node].act(intent, &act).await,
            None => ActAnswer::Refused { message: format!("`{}` is not an act on a node", step.kind) },
        }
    }

    /// Before a long download begins, not when the disk is full in its middle.
    fn has_room(&self, run: &Run, step: &Step) -> Result<(), String> {
        if !backups::is_file(step.kind) {
            return Ok(());
        }
        const MORE: &str = "twice the last file, and a reserve; nothing was asked of the node; make room, then resume the run";
        space::must_have(&self.around.state, backups::needed_for(run, step), MORE)
    }

    fn node_act(&self, run: &Run, step: &Step, node: NodeId, intent: &Intent) -> Option<NodeAct> {
        let act = match step.kind {
            Kind::Backup => NodeAct::Backup { directory: self.directory("backups", run, step, intent.attempt) },
            Kind::ForceSync => NodeAct::ForceSync { from: node.other(), to: node },
            Kind::BreakFailover => NodeAct::BreakFailover,
            Kind::Update => NodeAct::Update {
                package: self.package(run, step),
                sha256: run.plan.package_of(step.hop).sha256.clone(),
                target: run.plan.target_of(step.hop).clone(),
            },
            Kind::EstablishFailover => NodeAct::EstablishFailover { primary: node, standby: node.other() },
            Kind::Drain if run.act.as_ref().is_some_and(|act| act.baseline.ending) => NodeAct::EndSessions,
            Kind::Drain => NodeAct::Drain { deadline: intent.since + intent.limit },
            Kind::Quiesce => NodeAct::Quiesce,
            Kind::Reopen => NodeAct::Reopen,
            Kind::ExtractData => NodeAct::ExtractData {
                since: unsynced::data_since(run),
                until: intent.since,
                directory: self.directory("extracts", run, step, intent.attempt),
            },
            _ => return None,
        };
        Some(act)
    }

    fn package(&self, run: &Run, step: &Step) -> PathBuf {
        package::place(&self.around.state, run.plan.package_of(step.hop))
    }

    /// A folder of its own for each attempt, so that a half-written file of an earlier one is never taken for its result.
    fn directory(&self, kind: &str, run: &Run, step: &Step, attempt: u32) -> PathBuf {
        self.around.state.join(kind).join(run.id.to_string()).join(format!("{}.{attempt}", step.id))
    }

    /// Every entry in turn. An entry that is there already says so.
    async fn switch(&self, run: &Run, step: &Step, intent: &Intent) -> ActAnswer {
        let to = step.node.unwrap_or(run.plan.primary);
        let mut changed = Changed::default();
        for entry in &self.ports.traffic {
            if self.is_there(&**entry, to).await {
                changed.done.push(entry.name());
                continue;
            }
            if let Some(end) = changed.take(&**entry, entry.switch(intent, to.other(), to).await) {
                return end;
            }
        }
        changed.answer()
    }

    /// Among several entries: this one was moved before another failed. A program might take being asked again for an error.
    async fn is_there(&self, entry: &dyn Traffic, to: NodeId) -> bool {
        self.ports.traffic.len() > 1 && entry.look().await.is_ok_and(|look| look.target() == Some(to))
    }

    /// Every entry with names whose TTL the intent has, in turn.
    async fn set_ttl(&self, run: &Run, step: &Step, intent: &Intent) -> ActAnswer {
        let names = run.act.as_ref().map(|act| act.baseline.ttl.as_slice()).unwrap_or_default();
        let mut changed = Changed::default();
        for (place, entry) in self.ports.traffic.iter().enumerate() {
            let change = ttl_change(run, step, names.iter().filter(|name| name.entry == place));
            if change.names.is_empty() {
                continue;
            }
            if let Some(end) = changed.take(&**entry, entry.set_ttl(intent, &change).await) {
                return end;
            }
        }
        changed.answer()
    }
}

/// What the traffic entries answered so far.
#[derive(Default)]
struct Changed {
    /// The entries that took it, or were there already.
    done: Vec<String>,
    /// The entries that wait for a person.
    by_hand: Vec<String>,
    instructions: Vec<String>,
}

impl Changed {
    /// Takes in an entry's answer. One that fails after another was changed leaves a doubt; any that fails is the end.
    fn take(&mut self, entry: &dyn Traffic, answer: ActAnswer) -> Option<ActAnswer> {
        match answer {
            ActAnswer::Accepted { .. } => self.done.push(entry.name()),
            ActAnswer::ByOperator { instructions } => {
                self.by_hand.push(entry.name());
                self.instructions.extend(instructions);
            }
            ActAnswer::Refused { message } | ActAnswer::Transient { message } if !self.done.is_empty() => {
                let message = format!("partly changed: {}; not done: {}: {message}", self.so_far(), entry.name());
                return Some(ActAnswer::Ambiguous { message });
            }
            ActAnswer::Ambiguous { message } if !self.done.is_empty() => {
                let message = format!("partly changed: {}; not known: {}: {message}", self.so_far(), entry.name());
                return Some(ActAnswer::Ambiguous { message });
            }
            other => return Some(other),
        }
        None
    }

    /// The entries before the one that failed. Nobody was told to change those that a person changes.
    fn so_far(&self) -> String {
        let done = format!("done: {}", self.done.join(", "));
        if self.by_hand.is_empty() {
            return done;
        }
        format!("{done}; a person's, who was not told: {}", self.by_hand.join(", "))
    }

    fn answer(self) -> ActAnswer {
        let Self { instructions, .. } = self;
        if instructions.is_empty() { ActAnswer::accepted() } else { ActAnswer::ByOperator { instructions } }
    }
}

/// What the step asks of an entry with these names.
fn ttl_change<'n>(run: &Run, step: &Step, names: impl Iterator<Item = &'n NameTtl>) -> TtlChange {
    let way = if step.kind == Kind::LowerTtl { TtlWay::Lower } else { TtlWay::Restore };
    let low = ttl::low(&run.plan);
    let wanted = |name: &NameTtl| if way == TtlWay::Lower { low } else { name.ttl };
    TtlChange { way, names: names.map(|name| (name.name.clone(), wanted(name))).collect() }
}

/// R9: to extract nothing of a range that is still to begin would look like an extraction of all.
fn has_range(run: &Run, step: &Step, until: Timestamp) -> Result<(), String> {
    if step.kind != Kind::ExtractData || !unsynced::is_empty(run, until) {
        return Ok(());
    }
    let (since, id, site) = (unsynced::since(run), &run.id, &run.id.site);
    Err(format!(
        "the data since {since} are to be extracted, and now it is {until}; nothing was asked of the node; if this machine's clock is \
         right, end the run with `changeover close {id} --as STATE --note …` and begin anew with `changeover adopt {site} --since TIME`"
    ))
}

/// The intent of the act under way, the same after a restart.
pub fn intent(run: &Run) -> Option<Intent> {
    let (step, act) = (run.step()?, run.act.as_ref()?);
    Some(Intent {
        site: run.id.site.clone(),
        run: run.id.clone(),
        step: step.id.clone(),
        attempt: act.attempt,
        key: run.key(step, act.attempt),
        since: act.since,
        limit: run.plan.limit(step.kind),
    })
}

fn event_of(run: &Run, step: &Step, answer: ActAnswer, now: Timestamp) -> Event {
    let gives_files = backups::is_file(step.kind);
    match answer {
        ActAnswer::Accepted { files, records, bytes, missing } if gives_files => {
            let keep = |file: ProducedFile| FileEvidence { path: file.path, sha256: file.sha256, bytes: file.bytes };
            files_event(run, step, Evidence::Files { files: files.into_iter().map(keep).collect(), records, bytes, missing })
        }
        ActAnswer::Accepted { .. } => Event::ActAccepted {},
        ActAnswer::Refused { message } => refused(step, message),
        ActAnswer::Transient { message } => never_arrived(run, step, message, now),
        ActAnswer::Ambiguous { message } => Event::Doubted { message },
        ActAnswer::ByOperator { .. } if gives_files => {
            refused(step, "there is no interface for it, and a file saved by hand can't be verified here".to_owned())
        }
        ActAnswer::ByOperator { instructions } => {
            let not_after = watch::not_after(run, step);
            let lines = again(run).map(str::to_owned).into_iter().chain(instructions).collect();
            Event::Instructed { number: run.instructions + 1, not_after, lines }
        }
    }
}

/// R1: why a sync is asked for that somebody has begun by hand already.
fn again(run: &Run) -> Option<&'static str> {
    let first = run.act.as_ref().and_then(|act| act.baseline.first_sync.as_ref());
    first.map(|_| {
        "The first sync was seen, and is asked for once more: the node does not say whether it tells a sync's start or its end, and only \
         a second one has surely begun after it was asked for."
    })
}

/// Backup and extraction are proven by their files, which the driver hashed.
fn files_event(run: &Run, step: &Step, evidence: Evidence) -> Event {
    let Evidence::Files { files, missing, .. } = &evidence else { return Event::StepDone { evidence, already: false } };
    let is_backup = step.kind == Kind::Backup;
    if is_backup && files.iter().all(|file| file.bytes == 0) {
        return refused(step, "the backup is empty".to_owned());
    }
    let smaller = files.first().filter(|_| is_backup).and_then(|file| backups::far_smaller(run, step, file.bytes));
    let held = smaller.or_else(|| backups::recordings_missing(run, step, *missing));
    held.unwrap_or(Event::StepDone { evidence, already: false })
}

fn refused(step: &Step, message: String) -> Event {
    let code = if step.kind == Kind::ForceSync { "sync_failed" } else { "step_failed" };
    Event::Held {
        code: code.to_owned(),
        message: format!("`{}` was refused: {message}", step.kind),
        expected: format!("`{}` accepted", step.kind),
        found: message,
        node: step.node,
        given_up: true,
    }
}

/// Nothing was sent: try again later, a few times.
fn never_arrived(run: &Run, step: &Step, message: String, now: Timestamp) -> Event {
    let tries = run.at().map_or(1, |progress| progress.tries);
    if tries >= MAX_TRIES {
        return refused(step, format!("it never arrived in {tries} tries, the last time: {message}"));
    }
    let schedule = Schedule::new(SignedDuration::from_secs(5), 2.0, SignedDuration::from_mins(5), u64::from(run.id.number));
    Event::RetryScheduled { attempt: tries, until: now + schedule.wait(tries), message }
}
