//! What is read of one box. The client behind it makes reading calls only, so that a check can't change a box even by mistake.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::changes::Changes;
use super::client::{Api, CallError};
use super::configuration;
use super::health::{self, Health, People};
use super::probe::Probe;
use super::{CACHE_TIME, Settings};
use crate::domain::settings::Listing;
use crate::domain::site::Observation;
use crate::ports::Clock;

/// The commands that read; there is no word here for one that changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    Health,
    LoggedIn,
    ApiInfo,
}

impl Reading {
    fn action(self) -> &'static str {
        match self {
            Self::Health => "check_health",
            Self::LoggedIn => "get_logged_in_reps",
            Self::ApiInfo => "get_api_info",
        }
    }
}

/// A client of which only the reading calls can be reached.
pub struct Reads {
    api: Arc<Api>,
}

impl Reads {
    pub fn new(api: Arc<Api>) -> Self {
        Self { api }
    }

    /// As [`Api::command`].
    pub async fn first(&self, reading: Reading) -> Result<Vec<u8>, CallError> {
        self.api.command(reading.action()).await
    }

    /// The configuration API's lists, by GET.
    async fn listing(&self) -> Result<Listing, CallError> {
        configuration::listing(&self.api).await
    }

    /// As [`Api::command_again`].
    async fn again(&self, reading: Reading) -> Result<Vec<u8>, CallError> {
        self.api.command_again(reading.action()).await
    }
}

/// The readings of one box.
pub struct BoxReader {
    settings: Arc<Settings>,
    reads: Reads,
    probe: Probe,
    clock: Arc<dyn Clock>,
    changes: Changes,
}

impl BoxReader {
    pub fn new(settings: Arc<Settings>, reads: Reads, probe: Probe, clock: Arc<dyn Clock>) -> Self {
        Self { settings, reads, probe, clock, changes: Changes::default() }
    }

    pub async fn read(&self) -> Result<Observation, CallError> {
        let begun = self.clock.now();
        let health = self.health().await?;
        if self.changes.seen(&health, begun) {
            // A sync may have overwritten the accounts, and tokens may outlive that: the next reading begins with a new one.
            self.reads.api.access.retest().await;
        }
        // Only a box whose health was read is asked further, and what fails then is absent, not the whole reading wrong.
        let (people, clock_skew, probed) = tokio::join!(self.people(), self.clock_skew(), self.probe.ask());
        let at = self.clock.now();
        Ok(Observation {
            at,
            identity: health.identity,
            version: health.version,
            build: health.build,
            role: health.role,
            healthy: health.healthy,
            updating: false, // The interface doesn't say; a box that installs is silent or unhealthy.
            last_sync: health.last_sync,
            users: people.as_ref().map(|people| people.users),
            sessions: people.as_ref().and_then(|people| people.sessions),
            as_of: None,
            // The cache's age counts from when the box answered, which is not before the reading began.
            may_be_old: CACHE_TIME + at.duration_since(begun),
            clock_skew,
            takes_clients: Some(probed.takes_clients),
            certificate_until: probed.certificate_until,
            licence_until: None, // No interface tells.
            shared_ips: Some(health.shared_ips),
            at_work: people.map(|people| people.at_work).unwrap_or_default(),
        })
    }

    pub async fn health(&self) -> Result<Health, CallError> {
        let document = self.reads.first(Reading::Health).await?;
        let mut health = health::health(&document)?;
        if health.identity.eq_ignore_ascii_case(&self.settings.identity) {
            // Written as the site file has it, so that identities compare as texts.
            health.identity.clone_from(&self.settings.identity);
        }
        if let Some(message) = &health.message {
            tracing::warn!(site = %self.settings.site, node = %self.settings.node, message = %health::shown(message), "the box reports a problem");
        }
        Ok(health)
    }

    pub async fn people(&self) -> Option<People> {
        let answer = self.reads.again(Reading::LoggedIn).await;
        self.told("get_logged_in_reps", answer.and_then(|document| Ok(health::people(&document)?)))
    }

    pub async fn listing(&self) -> Result<Listing, CallError> {
        self.reads.listing().await
    }

    /// The box's clock minus ours, taken at the middle of the call.
    async fn clock_skew(&self) -> Option<SignedDuration> {
        let before = self.clock.now();
        let answer = self.reads.again(Reading::ApiInfo).await;
        let after = self.clock.now();
        let time: Timestamp = self.told("get_api_info", answer.and_then(|document| Ok(health::clock(&document)?)))?;
        Some(time.duration_since(before) - after.duration_since(before) / 2)
    }

    /// A secondary call's result; its failure goes to the log only.
    fn told<T>(&self, call: &str, result: Result<T, CallError>) -> Option<T> {
        result
            .inspect_err(|error| {
                let Settings { site, node, .. } = &*self.settings;
                tracing::debug!(%site, %node, call, %error, "a fact could not be read");
            })
            .ok()
    }
}
