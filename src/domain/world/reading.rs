//! What was read of a node, look after look.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

use crate::domain::site::{Observation, Role, SyncFact};

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

/// A restart takes longer than this; a shorter silence is the network's.
const RESTART: SignedDuration = SignedDuration::from_mins(5);

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
                let kept = self.of_the_left_side();
                *self = Self { error: Some(error), silent_since, last_silence, ..kept };
            }
        }
    }

    /// Takes in one look's answer that access is refused. The node is there: a silence ends with it.
    pub fn refused(&mut self, why: String, now: Timestamp) {
        let (refused_since, silence) = (Some(self.refused_since.unwrap_or(now)), self.silent_since);
        let last_silence = silence.map(|since| (since, now)).or(self.last_silence);
        let kept = self.of_the_left_side();
        *self = Self { error: Some(why), refused_since, last_silence, ..kept };
    }

    /// What a look that failed leaves: who was on the node before is no news of it.
    fn of_the_left_side(&mut self) -> Self {
        let (seen_from, in_use_at, started) = (self.seen_from, self.in_use_at, std::mem::take(&mut self.started));
        Self { seen_from, in_use_at, started, ..Self::default() }
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

    /// The last silence, from its first failed look to the answer after it, if it began after `moment` and a restart fits into it.
    pub fn was_away_since(&self, moment: Timestamp) -> Option<(Timestamp, Timestamp)> {
        self.last_silence.filter(|(from, until)| *from >= moment && until.duration_since(*from) > RESTART)
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
