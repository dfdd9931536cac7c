//! What the engine has read so far, and the facts that it gives together with the journal's evidence.
//!
//! Pure: the engine puts readings in, rules and decisions take facts out.

mod reading;
mod traffic;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::access::Tries;
use super::booking;
use super::event::Counts;
use super::facts::{Facts, Known, Link, NodeFacts, SettingsFact, WindowFact};
use super::fit;
use super::ids::{NodeId, PerNode};
use super::jump_clients;
use super::people::People;
use super::rehearsal::{self, Released};
use super::run::Run;
use super::settings;
use super::site::Observation;
use super::step::Step;
use super::ttl;
use super::waiver;
use super::window::calendar::Calendar;

pub use reading::Reading;
pub use traffic::TrafficReading;

/// Everything that was read, and the time.
#[derive(Clone, Debug, PartialEq)]
pub struct World {
    pub now: Timestamp,
    pub readings: PerNode<Reading>,
    pub traffic: TrafficReading,
    /// False for a site without traffic entries: then nothing moves the name and the survivor is taken to serve.
    pub has_traffic: bool,
    /// How long a switch of traffic whose answer was lost may still take effect.
    pub settling: SignedDuration,
    /// Whether the run's own copies of the packages are as they were when it was planned; `None` while nobody has looked.
    pub package: Option<Result<(), String>>,
    /// Bytes that are free on the disk of the state folder; `None` while nobody has looked, or where it can't be told.
    pub free: Option<u64>,
    /// When everything is read next, if nothing happens before.
    pub next_look: Option<Timestamp>,
    /// The release that the run counts on, as it is now.
    pub released: Released,
    /// What the config says now.
    pub config: Arc<Current>,
    /// What was read of settings.
    pub settings: settings::Seen,
    /// What the traffic entries answered when they were last asked whether they would take our change.
    pub access: Option<Tries>,
    /// The last count of Jump Clients that need the update.
    pub jump_clients: Option<jump_clients::Seen>,
}

/// What the config says now of a site, and may not have said when a run began.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Current {
    pub calendar: Calendar,
    pub people: Arc<People>,
    /// The daemon's state folder: what a person needs from there is told by its path.
    pub state: PathBuf,
}

impl World {
    pub fn new(now: Timestamp, has_traffic: bool, settling: SignedDuration) -> Self {
        let (readings, traffic) = (PerNode::default(), TrafficReading::default());
        Self {
            now,
            readings,
            traffic,
            has_traffic,
            settling,
            package: None,
            free: None,
            next_look: None,
            config: Arc::default(),
            settings: settings::Seen::default(),
            jump_clients: None,
            released: Released::Unread,
            access: None,
        }
    }

    /// As this, with the daemon's state folder.
    pub fn with_state(self, state: &Path) -> Self {
        let config = Current { state: state.to_owned(), ..(*self.config).clone() };
        Self { config: Arc::new(config), ..self }
    }

    /// The users and sessions that a node tells of.
    pub fn people(&self, node: NodeId) -> Counts {
        let current = self.readings[node].current.as_ref();
        Counts { users: current.and_then(|read| read.users), sessions: current.and_then(|read| read.sessions) }
    }

    pub fn link(&self) -> Link {
        Link::of(self.readings.as_ref().map(Reading::role))
    }

    /// The facts that the rules judge before `step`.
    pub fn facts(&self, run: &Run, step: &Step) -> Facts {
        Facts {
            survivor: run.survivor,
            first_primary: run.plan.primary,
            serving: if self.has_traffic { self.traffic.target() } else { Some(run.survivor) },
            link: self.link(),
            nodes: PerNode::new(|node| self.node_facts(run, node)),
            start: run.plan.from.version.clone(),
            between: run.plan.between(),
            target: run.plan.to.version.clone(),
            fresh_sync: self.sync_is_fresh(run),
            autopilot_off: run.autopilot_off == Some(step.when),
            confirmed: run.verdict.is_some_and(|verdict| verdict != super::event::Verdict::Reject),
            rejected: run.verdict == Some(super::event::Verdict::Reject),
            soaked: run.soaked,
            window: self.window(run, step),
            second: booking::lacks(run, step, self),
            ordered: run.is_ordered(),
            unprotected: run.unprotected_since().is_some(),
            movable: self.has_traffic,
            unrehearsed: rehearsal::stands_against(&run.plan, &self.released, self.now),
            waived: waiver::in_force(run, step, self),
            settings: self.settings_fact(run),
            ttl: ttl::fact(run, step, self),
            lowered: run.ttl.as_ref().is_some_and(ttl::Lowered::is_left),
            may_lose_ended: run.plan.was_broken_below_10_6(),
        }
    }

    fn settings_fact(&self, run: &Run) -> SettingsFact {
        if !run.compares_settings() || run.unprotected_since().is_none() {
            return SettingsFact::Untold;
        }
        if settings::is_settled(run, self) { SettingsFact::Settled } else { SettingsFact::Open }
    }

    fn node_facts(&self, run: &Run, node: NodeId) -> NodeFacts {
        let reading = &self.readings[node];
        let record = &run.nodes[node];
        let current = reading.current.as_ref();
        let denied = self.denies(node);
        let touched = record.touched_at;
        // R9: an update that may have had its effect leaves nothing of what was extracted before, as one that was seen to.
        let extracted_at = record.extracted_at.filter(|at| record.update_in_doubt.is_none_or(|since| *at >= since));
        let since_touched = |at: Option<Timestamp>| at.is_some_and(|at| touched.is_none_or(|touched| at >= touched));
        NodeFacts {
            known: self.known(run, node),
            role: reading.role(),
            version: current.map(|observation| observation.version.clone()),
            build: current.and_then(|observation| observation.build.clone()),
            healthy: reading.healthy_twice(),
            // A proof from before the closing says nothing of a box that came back open by itself; a later one does.
            proven: since_touched(record.verified_at)
                && (record.closed_at.is_none() || takes(current) && record.verified_at >= record.closed_at),
            verified: since_touched(record.verified_at),
            // What takes clients is not closed, whatever was recorded: a box that restarted may have forgotten it.
            closed: record.closed_at.is_some() && !takes(current),
            denied,
            backed_up: self.backup_counts(run, node),
            outdated: record.is_backup_outdated(),
            extracted: since_touched(extracted_at) && extracted_at >= record.closed_at && record.closed_at.is_some(),
            copied: since_touched(extracted_at) && self.copy_counts(run, node),
            stray: self.is_stray(run, node),
            written: self.was_written(run, node),
            unsettled: self.is_unsettled(run, node),
        }
    }

    /// R16: traffic was taken from this node, and yet it can take clients: it came back open, or its closing did not last.
    pub fn is_back_open(&self, run: &Run, node: NodeId) -> bool {
        let own = |observation: &&Observation| observation.identity == run.plan.nodes[node].identity;
        let current = self.readings[node].current.as_ref().filter(own);
        let taken = node != run.survivor && run.unprotected_since().is_some() && run.nodes[node].served_until.is_some();
        let unsure =
            run.nodes[node].closed_at.is_none() && current.is_some_and(|observation| observation.takes_clients.is_none());
        taken && !run.is_to_serve(node) && (takes(current) || unsure)
    }

    /// Its update was ordered, what became of it is not known, and no reading shows its effect.
    fn is_unsettled(&self, run: &Run, node: NodeId) -> bool {
        let reading = &self.readings[node];
        let arrived = |since| {
            let there = reading.current.as_ref().is_some_and(|current| run.has_reached(&current.version, run.nodes[node].hops));
            there && reading.healthy_twice() && reading.proven_after(since)
        };
        run.nodes[node].update_in_doubt.is_some_and(|since| !arrived(since))
    }

    /// While failover is broken: the survivor takes clients, and the node that traffic was taken from did until then.
    fn was_written(&self, run: &Run, node: NodeId) -> bool {
        let Some(broken) = run.unprotected_since() else { return false };
        // Nobody knows what was written on a pair that was taken over unlinked.
        if run.plan.adopted.as_ref().is_some_and(|adoption| adoption.broken) {
            return true;
        }
        let served = run.nodes[node].served_until.is_some_and(|until| until >= broken);
        node == run.survivor || served || self.is_stray(run, node)
    }

    /// Its last reading says that it takes no client.
    pub fn denies(&self, node: NodeId) -> bool {
        self.readings[node].current.as_ref().is_some_and(|observation| observation.takes_clients == Some(false))
    }

    fn known(&self, run: &Run, node: NodeId) -> Known {
        let reading = &self.readings[node];
        match &reading.current {
            None => Known::Unread(reading.error.clone().unwrap_or_else(|| "it was not read yet".to_owned())),
            Some(observation) if observation.identity != run.plan.nodes[node].identity => {
                Known::WrongBox(observation.identity.clone())
            }
            Some(_) => Known::Yes,
        }
    }

    /// R16: sessions on the node that does not serve.
    pub fn is_stray(&self, run: &Run, node: NodeId) -> bool {
        let own = |observation: &&Observation| observation.identity == run.plan.nodes[node].identity;
        let sessions = self.readings[node].current.as_ref().filter(own).and_then(|observation| observation.sessions);
        node != run.survivor && run.unprotected_since().is_some() && sessions.unwrap_or(0) > 0
    }

    /// R1: the evidence is there and not older than the policy's limit.
    fn sync_is_fresh(&self, run: &Run) -> bool {
        let limit = run.plan.policy.max_sync_age;
        run.sync.as_ref().is_some_and(|sync| self.now.duration_since(sync.proven_at) <= limit)
    }

    /// R4: young enough, and taken after the node last served.
    fn backup_counts(&self, run: &Run, node: NodeId) -> bool {
        let record = &run.nodes[node];
        let age = record.backup.as_ref().map(|(at, _)| self.now.duration_since(*at));
        record.was_backed_up() && age.is_some_and(|age| age <= run.plan.policy.max_backup_age)
    }

    /// BG-50: an extraction that is young enough, and from after the node began to serve.
    fn copy_counts(&self, run: &Run, node: NodeId) -> bool {
        let began = run.nodes[node.other()].served_until.filter(|_| node == run.survivor);
        let counts = |at: Timestamp| {
            self.now.duration_since(at) <= run.plan.policy.max_backup_age && began.is_none_or(|began| at >= began)
        };
        run.nodes[node].extracted_at.is_some_and(counts)
    }

    fn window(&self, run: &Run, step: &Step) -> WindowFact {
        let Some(window) = run.windows.of(step.when) else { return WindowFact::Fits };
        let needed = if fit::is_bound(step, run.is_ordered()) { run.plan.need(step) } else { SignedDuration::ZERO };
        if self.now < window.from {
            WindowFact::NotYet
        } else if window.fits(self.now, needed) {
            WindowFact::Fits
        } else {
            WindowFact::TooShort
        }
    }
}

fn takes(current: Option<&Observation>) -> bool {
    current.is_some_and(|observation| observation.takes_clients == Some(true))
}
