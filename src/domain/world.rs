//! What the engine has read so far, and the facts that it gives together with the journal's evidence.
//!
//! Pure: the engine puts readings in, rules and decisions take facts out.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::access::Tries;
use super::booking;
use super::crossing;
use super::event::Counts;
use super::facts::{Facts, Known, Link, NodeFacts, SettingsFact, WindowFact};
use super::fit;
use super::ids::{NodeId, PerNode};
use super::jump_clients;
use super::people::People;
use super::rehearsal::{self, Released};
use super::run::Run;
use super::settings;
use super::site::{Observation, Role, SharedOn, SyncFact, TrafficLook};
use super::step::Step;
use super::ttl;
use super::waiver;
use super::window::calendar::Calendar;

/// The last readings of a node, as far as proofs need them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// The last look's answer; `None` if the last look failed.
    pub current: Option<Observation>,
    /// Why the last look failed.
    pub error: Option<String>,
    /// Since when looks have failed without a break.
    pub silent_since: Option<Timestamp>,
    /// Since when the node answers, and only that we may not read it: that tells nothing of the node.
    pub refused_since: Option<Timestamp>,
    /// The last silence that ended: its first failed look, and the answer after it.
    pub last_silence: Option<(Timestamp, Timestamp)>,
    /// The first of the readings, without a break, that agree with the current one in every fact that proofs use.
    steady_since: Option<Timestamp>,
    steady_count: u32,
    /// The first of the readings, without a break, that show the current role.
    role_since: Option<Timestamp>,
    /// The first of the readings, without a break, that say that it takes no client.
    denied_since: Option<Timestamp>,
    /// Good readings without a break.
    healthy_count: u32,
    /// The last syncs that were read, with the time of the reading, newest last. Kept apart from the facts that must agree: a
    /// pair that syncs by itself every few minutes shows another one at almost every reading.
    syncs: VecDeque<(Timestamp, SyncFact)>,
    /// The first answer, without regard to silences: what was on the node before nobody here has seen.
    seen_from: Option<Timestamp>,
    /// The last reading with a session or a user.
    in_use_at: Option<Timestamp>,
    /// Readings that showed more sessions than the one before, with how many more, newest last.
    started: VecDeque<(Timestamp, u32)>,
}

/// Readings are at least a quarter of the cache time apart, so that this many reach back beyond it.
const SYNCS_KEPT: usize = 8;
/// As many increases are told apart by their time; older ones are added to the oldest.
const STARTS_KEPT: usize = 32;

impl Reading {
    /// Takes in one look's answer.
    pub fn take(&mut self, answer: Result<Observation, String>, now: Timestamp) {
        match answer {
            Ok(observation) => self.answered(observation),
            Err(error) => {
                let (silent_since, last_silence) = (Some(self.silent_since.unwrap_or(now)), self.last_silence);
                let (seen_from, in_use_at, started) = (self.seen_from, self.in_use_at, std::mem::take(&mut self.started));
                let kept = Self { seen_from, in_use_at, started, ..Self::default() };
                *self = Self { error: Some(error), silent_since, last_silence, ..kept };
            }
        }
    }

    /// Takes in one look's answer that access is refused. The node is there: a silence ends with it.
    pub fn refused(&mut self, why: String, now: Timestamp) {
        let (refused_since, silence) = (Some(self.refused_since.unwrap_or(now)), self.silent_since);
        let last_silence = silence.map(|since| (since, now)).or(self.last_silence);
        *self = Self { error: Some(why), refused_since, last_silence, ..Self::default() };
    }

    fn answered(&mut self, observation: Observation) {
        let steady = self.current.as_ref().is_some_and(|before| agree(before, &observation));
        self.steady_since = self.steady_since.filter(|_| steady).or(Some(observation.at));
        self.steady_count = if steady { self.steady_count.saturating_add(1) } else { 1 };
        let same_role = self.role() == Some(observation.role);
        self.role_since = self.role_since.filter(|_| same_role).or(Some(observation.at));
        let denied = observation.takes_clients == Some(false);
        self.denied_since = denied.then(|| self.denied_since.unwrap_or(observation.at));
        self.healthy_count = if well(&observation) { self.healthy_count.saturating_add(1) } else { 0 };
        self.syncs.extend(observation.last_sync.clone().map(|sync| (observation.at, sync)));
        while self.syncs.len() > SYNCS_KEPT {
            self.syncs.pop_front();
        }
        self.count(&observation);
        self.last_silence = self.silent_since.take().map(|since| (since, observation.at)).or(self.last_silence);
        self.current = Some(observation);
        (self.error, self.refused_since) = (None, None);
    }

    /// Takes in who is on the node: what the counts before do not explain has begun since.
    fn count(&mut self, observation: &Observation) {
        self.seen_from = self.seen_from.or(Some(observation.at));
        let before = self.current.as_ref().and_then(|before| before.sessions);
        let more = observation.sessions.zip(before).map_or(0, |(now, before)| now.saturating_sub(before));
        if more > 0 {
            self.started.push_back((observation.at, more));
        }
        while self.started.len() > STARTS_KEPT {
            let (_, oldest) = self.started.pop_front().unwrap_or_default();
            self.started.front_mut().into_iter().for_each(|(_, next)| *next = next.saturating_add(oldest));
        }
        if observation.sessions.unwrap_or(0) > 0 || observation.users.unwrap_or(0) > 0 {
            self.in_use_at = Some(observation.at);
        }
    }

    /// Sessions that began after `moment`, as far as two readings in a row show more of them, and when the last one was seen.
    pub fn started_after(&self, moment: Timestamp) -> (u32, Option<Timestamp>) {
        let after = self.started.iter().filter(|(at, _)| *at > moment);
        let count = after.clone().fold(0_u32, |sum, (_, more)| sum.saturating_add(*more));
        (count, after.map(|(at, _)| *at).next_back())
    }

    /// Since when nobody was on the node, counted from `moment` or from the first reading of this process at the earliest; `None`
    /// while somebody is, or nobody can tell.
    pub fn quiet_since(&self, moment: Timestamp) -> Option<Timestamp> {
        let current = self.current.as_ref()?;
        let told = current.sessions.is_some() || current.users.is_some();
        let empty = current.sessions.unwrap_or(0) == 0 && current.users.unwrap_or(0) == 0;
        let since = [Some(moment), self.seen_from, self.in_use_at].into_iter().flatten().max()?;
        (told && empty).then_some(since)
    }

    /// True if two readings, the later of which is the current one and more than the cache time after the earlier, both show a
    /// sync of this kind (BG-21).
    pub fn shows_twice(&self, wanted: impl Fn(&SyncFact) -> bool) -> bool {
        let Some(current) = self.current.as_ref().filter(|current| current.last_sync.as_ref().is_some_and(&wanted)) else {
            return false;
        };
        let before = |(at, sync): &(Timestamp, SyncFact)| current.at.duration_since(*at) >= current.may_be_old && wanted(sync);
        current.as_of.is_some() || self.syncs.len() >= 2 && self.syncs.iter().rev().skip(1).any(before)
    }

    /// True if the current facts are proven to be younger than `moment`: by the source's own word, or because two readings
    /// agree, the later of which is more than the cache time after the earlier.
    pub fn proven_after(&self, moment: Timestamp) -> bool {
        let (Some(current), Some(steady_since)) = (&self.current, self.steady_since) else { return false };
        if !current.is_after(moment) {
            return false;
        }
        current.as_of.is_some() || self.steady_count >= 2 && current.at.duration_since(steady_since) >= current.may_be_old
    }

    /// Two readings in a row agree in every fact that proofs use.
    pub fn is_steady(&self) -> bool {
        self.current.is_some() && self.steady_count >= 2
    }

    /// Healthy and not updating in two readings.
    pub fn healthy_twice(&self) -> bool {
        self.healthy_count >= 2
    }

    pub fn role(&self) -> Option<Role> {
        self.current.as_ref().map(|observation| observation.role)
    }

    /// Since when this role is read without a break.
    pub fn role_since(&self) -> Option<Timestamp> {
        self.role_since
    }

    /// Since when it is read without a break that it takes no client.
    pub fn denied_since(&self) -> Option<Timestamp> {
        self.denied_since
    }

    pub fn sync(&self) -> Option<&SyncFact> {
        self.current.as_ref()?.last_sync.as_ref()
    }

    /// How long access has been refused.
    pub fn refused_for(&self, now: Timestamp) -> SignedDuration {
        self.refused_since.map_or(SignedDuration::ZERO, |since| now.duration_since(since))
    }

    /// How long looks have failed.
    pub fn silent_for(&self, now: Timestamp) -> SignedDuration {
        self.silent_since.map_or(SignedDuration::ZERO, |since| now.duration_since(since))
    }
}

fn well(observation: &Observation) -> bool {
    observation.healthy && !observation.updating
}

fn agree(a: &Observation, b: &Observation) -> bool {
    let facts = |o: &Observation| (o.identity.clone(), o.version.clone(), o.build.clone(), o.role, well(o));
    facts(a) == facts(b)
}

/// The last look at where the service's name leads.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrafficReading {
    /// One entry a traffic entry of the site.
    pub looks: Vec<Result<TrafficLook, String>>,
    /// Looks without a break that named the same node.
    pub steady_count: u32,
    /// The first of the looks without a break that named the same node.
    target_since: Option<Timestamp>,
    /// Since when some look has failed at every try.
    unread_since: Option<Timestamp>,
}

impl TrafficReading {
    pub fn take(&mut self, looks: Vec<Result<TrafficLook, String>>) {
        let before = self.target();
        self.looks = looks;
        let same = self.target() == before;
        self.steady_count = if same { self.steady_count.saturating_add(1) } else { 1 };
        let latest = self.looks.iter().flatten().map(|look| look.at).max();
        self.target_since = self.target_since.filter(|_| same).or(latest).filter(|_| self.target().is_some());
    }

    /// Since when every answer is seen to name the same node.
    pub fn target_since(&self) -> Option<Timestamp> {
        self.target_since
    }

    /// Says when the last looks were taken.
    pub fn taken_at(&mut self, now: Timestamp) {
        let unread = self.looks.iter().any(Result::is_err);
        self.unread_since = unread.then(|| self.unread_since.unwrap_or(now));
    }

    /// How long looks have failed.
    pub fn unread_for(&self, now: Timestamp) -> SignedDuration {
        self.unread_since.map_or(SignedDuration::ZERO, |since| now.duration_since(since))
    }

    /// The node that every answer of every entry names.
    pub fn target(&self) -> Option<NodeId> {
        let mut targets = self.looks.iter().map(|look| look.as_ref().ok().and_then(TrafficLook::target));
        let first = targets.next()??;
        targets.all(|target| target == Some(first)).then_some(first)
    }

    /// A shared address that is on no node or on both.
    pub fn shared(&self) -> Option<SharedOn> {
        self.looks.iter().flatten().find_map(|look| look.shared)
    }

    /// The longest time, in seconds, for which anybody may remember an answer, by what was read; `None` where nothing was told.
    pub fn longest_ttl(&self) -> Option<u32> {
        let told = self.looks.iter().flatten().filter_map(TrafficLook::longest_ttl);
        told.max()
    }

    /// True if some answer names this node.
    pub fn names(&self, node: NodeId) -> bool {
        let mut answers = self.looks.iter().flatten().flat_map(|look| &look.answers);
        answers.any(|answer| answer.target == Some(node))
    }

    /// What was seen, for messages.
    pub fn describe(&self) -> String {
        let each = self.looks.iter().flat_map(|look| match look {
            Ok(look) => look.answers.iter().map(|answer| format!("{} says {}", answer.server, answer.found)).collect(),
            Err(error) => vec![error.clone()],
        });
        each.collect::<Vec<_>>().join(", ")
    }

    /// An identity that answers at the service's name and is not this one.
    pub fn other_identity(&self, identity: &str) -> Option<&str> {
        let seen = self.looks.iter().filter_map(|look| look.as_ref().ok()?.serving_identity.as_deref());
        seen.into_iter().find(|seen| *seen != identity)
    }
}

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
            may_lose_ended: crossing::is_before(&run.plan.from.version),
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
            extracted: since_touched(record.extracted_at)
                && record.extracted_at >= record.closed_at
                && record.closed_at.is_some(),
            copied: since_touched(record.extracted_at) && self.copy_counts(run, node),
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
