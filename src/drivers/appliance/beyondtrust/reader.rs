//! What is read of one box. The client behind it makes reading calls only, so that a check can't change a box even by mistake.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::answer::CallError;
use super::changes::Changes;
use super::client::Api;
use super::configuration;
use super::edition::{Disagreement, Editions, Quarrel, Remembered};
use super::health::{self, Health, People, shown};
use super::probe::Probe;
use super::settings::Settings;
use super::v2::{self, Page, Told};
use crate::domain::listing::Listing;
use crate::domain::site::Observation;
use crate::ports::Clock;

/// The vendor documents that an answer may be this old when asked for more than once a minute (for the v2 edition; assumed
/// for the XML edition too). Where both are asked either may be, so a reading is never taken for younger.
pub const CACHE_TIME: SignedDuration = SignedDuration::from_secs(60);

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
    async fn listing(&self) -> Result<Option<Listing>, CallError> {
        configuration::listing(&self.api).await
    }

    /// As [`Reads::again`], with the times directly before and after the call: a wait for its turn is not between them.
    async fn timed(&self, reading: Reading, clock: &dyn Clock) -> Result<(Vec<u8>, Timestamp, Timestamp), CallError> {
        self.api.command_timed(reading.action(), || clock.now()).await
    }

    /// As [`Api::command_again`].
    async fn again(&self, reading: Reading) -> Result<Vec<u8>, CallError> {
        self.api.command_again(reading.action()).await
    }

    /// A page of the JSON edition, as [`Api::reading`].
    pub async fn page(&self, page: Page) -> Result<Option<Told>, CallError> {
        self.api.reading(|token| v2::get(&self.api, token, page)).await
    }

    /// The same with the token that has just served for another call.
    async fn page_again(&self, page: Page) -> Result<Option<Told>, CallError> {
        self.api.with_present_token(|token| v2::get(&self.api, token, page)).await
    }
}

/// The readings of one box.
pub struct BoxReader {
    settings: Arc<Settings>,
    reads: Reads,
    probe: Probe,
    clock: Arc<dyn Clock>,
    v2: Remembered,
    quarrel: Quarrel,
    changes: Changes,
}

impl BoxReader {
    pub fn new(settings: Arc<Settings>, reads: Reads, probe: Probe, clock: Arc<dyn Clock>) -> Self {
        let changes = Changes::default();
        Self { settings, reads, probe, clock, v2: Remembered::default(), quarrel: Quarrel::default(), changes }
    }

    pub async fn read(&self) -> Result<Observation, CallError> {
        let begun = self.clock.now();
        let first = self.health().await?;
        // Only a box whose health was read is asked further, and what fails then is absent, not the whole reading wrong.
        let (people, clock_skew, probed, second) =
            tokio::join!(self.people(), self.clock_skew(), self.probe.ask(), self.second_opinion(&first));
        // Most of these answers carry no GUID: they are this box's only if the same box answers before and after them (R13).
        let last = same_box(&first, self.health_again().await?)?;
        let health = self.agreed(&first, last, second?).await?;
        if self.changes.seen(&health, begun) {
            // A sync may have overwritten the accounts, and tokens may outlive that: the next reading begins with a new one.
            self.reads.api.access.retest().await;
        }
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

    /// The box's facts as a whole reading has them, by both editions where it has both, without what else is read.
    pub async fn facts(&self) -> Result<Health, CallError> {
        let first = self.health().await?;
        let Some(second) = self.second_opinion(&first).await? else { return Ok(first) };
        let last = same_box(&first, self.health_again().await?)?;
        self.agreed(&first, last, Some(second)).await
    }

    /// The box's health by the edition that is asked first; with new credentials if need be.
    pub async fn health(&self) -> Result<Health, CallError> {
        match self.settings.editions {
            Editions::V2 => self.json_health(self.reads.page(Page::Health).await?),
            Editions::Auto | Editions::Xml => self.xml_health(&self.reads.first(Reading::Health).await?),
        }
    }

    async fn health_again(&self) -> Result<Health, CallError> {
        match self.settings.editions {
            Editions::V2 => self.json_health(self.reads.page_again(Page::Health).await?),
            Editions::Auto | Editions::Xml => self.xml_health(&self.reads.again(Reading::Health).await?),
        }
    }

    fn xml_health(&self, document: &[u8]) -> Result<Health, CallError> {
        Ok(self.known(health::health(document)?))
    }

    fn json_health(&self, told: Option<Told>) -> Result<Health, CallError> {
        Ok(self.known(v2::health(&offered(told)?)?))
    }

    /// Writes the GUID as the site file has it, so that identities compare as texts; logs what the box complains of.
    fn known(&self, mut health: Health) -> Health {
        let Settings { site, node, identity, .. } = &*self.settings;
        if health.identity.eq_ignore_ascii_case(identity) {
            health.identity.clone_from(identity);
        }
        if let Some(message) = &health.message {
            tracing::warn!(%site, %node, message = %shown(message), "the box reports a problem");
        }
        health
    }

    /// What the JSON edition says beside the XML edition; `None` where it is not there, not asked, or silent now.
    async fn second_opinion(&self, first: &Health) -> Result<Option<Health>, CallError> {
        if !self.has_v2(first).await? {
            return Ok(None);
        }
        match self.reads.page_again(Page::Health).await {
            Ok(Some(told)) => Ok(self.told("v2/health", self.json_health(Some(told)))),
            Ok(None) => {
                // Gone without a new version: looked for again at the next reading.
                self.v2.forget();
                Ok(None)
            }
            Err(error) => Ok(self.told("v2/health", Err(error))),
        }
    }

    /// Whether the JSON edition is asked beside the XML edition: looked for at each version and build, by `/info`, and by
    /// `/appliance`, in which the box itself must stand.
    async fn has_v2(&self, health: &Health) -> Result<bool, CallError> {
        if self.settings.editions != Editions::Auto {
            return Ok(false);
        }
        if let Some(offered) = self.v2.offered(health) {
            return Ok(offered);
        }
        let Some(offered) = self.look_for_v2(health).await? else { return Ok(false) };
        let Settings { site, node, .. } = &*self.settings;
        tracing::info!(%site, %node, version = %health.version, offered, "looked for the JSON edition of the command API");
        self.v2.keep(health, offered);
        Ok(offered)
    }

    /// `None` where it can't be told now.
    async fn look_for_v2(&self, health: &Health) -> Result<Option<bool>, CallError> {
        match self.reads.page_again(Page::Info).await {
            Ok(Some(_)) => {}
            Ok(None) => return Ok(Some(false)),
            // No right to it: that a person gives it at this version is found by the next daemon.
            Err(CallError::Denied(_)) => return Ok(Some(false)),
            Err(error) => return Ok(self.told("v2/info", Err(error))),
        }
        let told = self.reads.page_again(Page::Appliances).await;
        let members = told.and_then(|told| Ok(v2::members(&offered(told)?.body)?));
        let Some(members) = self.told("v2/appliance", members) else { return Ok(None) };
        if members.iter().any(|member| member.eq_ignore_ascii_case(&health.identity)) {
            return Ok(Some(true));
        }
        Err(CallError::Unusable(format!(
            "expected the box {} among the appliances that it lists by JSON v2, found {}; nothing of it is used (R13)",
            health.identity,
            members.join(", ")
        )))
    }

    /// The facts of both editions, if they agree. A change between two calls is no disagreement: then one of them agrees with
    /// the JSON edition, or both do when they are asked again.
    async fn agreed(&self, first: &Health, last: Health, second: Option<Health>) -> Result<Health, CallError> {
        let Some(second) = second else { return Ok(last) };
        if Disagreement::between(&last, &second).is_none() || Disagreement::between(first, &second).is_none() {
            self.quarrel.ended();
            return Ok(together(last, &second));
        }
        let Some(second) = self.second_opinion(&last).await? else { return Ok(last) };
        let last = same_box(first, self.health_again().await?)?;
        match Disagreement::between(&last, &second) {
            None => {
                self.quarrel.ended();
                Ok(together(last, &second))
            }
            Some(what) => Err(CallError::Unusable(self.quarrel.told(&what, self.clock.now(), CACHE_TIME))),
        }
    }

    /// True if sessions are ended over the JSON edition.
    pub async fn ends_sessions_by_v2(&self, health: &Health) -> Result<bool, CallError> {
        Ok(self.settings.editions == Editions::V2 || self.has_v2(health).await?)
    }

    pub async fn people(&self) -> Option<People> {
        if self.settings.editions == Editions::V2 {
            let answer = self.reads.page_again(Page::Users).await;
            return self.told("v2/user", answer.and_then(|told| Ok(v2::people(&offered(told)?.body)?)));
        }
        let answer = self.reads.again(Reading::LoggedIn).await;
        self.told("get_logged_in_reps", answer.and_then(|document| Ok(health::people(&document)?)))
    }

    pub async fn listing(&self) -> Result<Option<Listing>, CallError> {
        self.reads.listing().await
    }

    /// The box's clock minus ours, taken at the middle of the call.
    async fn clock_skew(&self) -> Option<SignedDuration> {
        let (time, before, after) = self.box_time().await?;
        Some(time.duration_since(before) - after.duration_since(before) / 2)
    }

    /// What the box's clock says, and ours directly before and after the call.
    async fn box_time(&self) -> Option<(Timestamp, Timestamp, Timestamp)> {
        if self.settings.editions == Editions::V2 {
            let before = self.clock.now();
            let answer = self.reads.page_again(Page::Info).await;
            let time = self.told("v2/info", answer.and_then(|told| Ok(v2::clock(&offered(told)?.body)?)))?;
            return Some((time, before, self.clock.now()));
        }
        let answer = self.reads.timed(Reading::ApiInfo, &*self.clock).await;
        self.told("get_api_info", answer.and_then(|(document, before, after)| Ok((health::clock(&document)?, before, after))))
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

/// The last answer, if the first one was the same box's.
fn same_box(first: &Health, last: Health) -> Result<Health, CallError> {
    if first.identity.eq_ignore_ascii_case(&last.identity) {
        return Ok(last);
    }
    Err(CallError::Unusable(format!(
        "expected one box at this address, found GUID {} and then {} within one reading; nothing of it is used (R13)",
        first.identity, last.identity
    )))
}

/// What both editions say; a sync is taken from the JSON edition only where the XML edition tells none.
fn together(xml: Health, json: &Health) -> Health {
    Health { healthy: xml.healthy && json.healthy, last_sync: xml.last_sync.clone().or_else(|| json.last_sync.clone()), ..xml }
}

pub fn offered(told: Option<Told>) -> Result<Told, CallError> {
    told.ok_or_else(|| {
        CallError::Unusable("the box has no JSON edition (v2) of the command API; `api = \"auto\"` reads it by XML".to_owned())
    })
}
