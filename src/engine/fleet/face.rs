//! The fleet as the API knows it: each request is passed on to the part that it is about.

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};

use crate::domain::check::Check;
use crate::domain::ids::RunId;
use crate::domain::journal::Record;
use crate::domain::metrics::Family;
use crate::domain::people::People;
use crate::domain::site::Site;
use crate::engine::api::{
    self, AdoptPreview, AdoptRequest, Kind, PlanPreview, PlanRequest, Problem, Replaced, Snapshot, WaysFound, WindowsFound, Word,
};
use crate::engine::traffic::{TrafficFound, TrafficTried};
use crate::engine::untouched::Untouched;
use crate::engine::{booking, metrics};

use super::Fleet;

impl api::Fleet for Fleet {
    fn now(&self) -> Timestamp {
        self.around.clock.now()
    }

    fn sites(&self) -> Vec<Site> {
        self.sites.values().map(|entry| entry.site.clone()).collect()
    }

    fn people(&self) -> &People {
        &self.around.people
    }

    fn check<'a>(&'a self, site: &'a str) -> BoxFuture<'a, Result<Vec<Check>, Problem>> {
        Box::pin(async move {
            let entry = self.site(site)?;
            Ok(self.checks(&entry.site, &self.look(entry).await))
        })
    }

    fn traffic<'a>(&'a self, site: &'a str) -> BoxFuture<'a, Result<TrafficFound, Problem>> {
        Box::pin(self.look_at_traffic(site))
    }

    fn try_traffic<'a>(
        &'a self,
        site: &'a str,
        ttl: Option<u32>,
        actor: &'a str,
    ) -> BoxFuture<'a, Result<TrafficTried, Problem>> {
        Box::pin(self.ask_traffic(site, ttl, actor))
    }

    fn windows(&self, site: &str, length: Option<SignedDuration>) -> Result<WindowsFound, Problem> {
        Ok(booking::upcoming(&self.site(site)?.site, self.around.clock.now(), length))
    }

    fn plan(&self, request: PlanRequest) -> BoxFuture<'_, Result<PlanPreview, Problem>> {
        Box::pin(self.preview_plan(request))
    }

    fn start<'a>(&'a self, request: PlanRequest, actor: &'a str) -> BoxFuture<'a, Result<RunId, Problem>> {
        Box::pin(self.begin(request, actor))
    }

    fn runs(&self) -> Vec<Snapshot> {
        let mut runs: Vec<Snapshot> = self.lock().values().map(|kept| kept.snapshot.borrow().clone()).collect();
        runs.sort_by_key(|snapshot| snapshot.run.started_at);
        runs
    }

    fn untouched(&self) -> Vec<Untouched> {
        self.lock_untouched().values().cloned().collect()
    }

    fn run(&self, id: &RunId) -> Result<Snapshot, Problem> {
        self.find(id)
    }

    fn newest(&self, site: &str) -> Result<Option<Snapshot>, Problem> {
        let runs = self.lock();
        let newest = runs.iter().filter(|(id, _)| id.site == site).max_by_key(|(id, _)| id.number);
        match newest {
            Some((_, kept)) => Ok(Some(kept.snapshot.borrow().clone())),
            None => self.site(site).map(|_| None),
        }
    }

    fn blocking_run(&self, site: &str) -> Option<RunId> {
        Self::blocking_run(self, site)
    }

    fn command<'a>(
        &'a self,
        id: &'a RunId,
        word: Word,
        actor: &'a str,
        seq: Option<u64>,
    ) -> BoxFuture<'a, Result<Snapshot, Problem>> {
        Box::pin(self.pass_on(id, word, actor, seq))
    }

    fn adoption<'a>(&'a self, site: &'a str, request: AdoptRequest) -> BoxFuture<'a, Result<AdoptPreview, Problem>> {
        Box::pin(self.preview_adoption(site, request))
    }

    fn adopt<'a>(&'a self, site: &'a str, request: AdoptRequest, actor: &'a str) -> BoxFuture<'a, Result<RunId, Problem>> {
        Box::pin(self.begin_adopted(site, request, actor))
    }

    fn ways<'a>(&'a self, id: &'a RunId) -> BoxFuture<'a, Result<WaysFound, Problem>> {
        Box::pin(self.find_ways(id))
    }

    fn replace_node<'a>(&'a self, site: &'a str, replaced: Replaced, actor: &'a str) -> BoxFuture<'a, Result<Snapshot, Problem>> {
        Box::pin(self.take_replaced(site, replaced, actor))
    }

    fn journal(&self, id: &RunId, after: u64) -> Result<Vec<Record>, Problem> {
        if !self.lock_untouched().contains_key(id) {
            self.find(id)?;
        }
        self.around.journal.records(id, after).map_err(|error| {
            Problem::new(Kind::Store, "store_failed", format!("the journal of run `{id}` could not be read"))
                .because(error.to_string())
        })
    }

    fn ready(&self) -> Result<(), Problem> {
        self.around
            .journal
            .ready()
            .map_err(|error| Problem::new(Kind::Store, "store_failed", "the journal can't be written").because(error.to_string()))
    }

    fn metrics(&self) -> Vec<Family> {
        let sites = self.sites.keys().map(String::as_str);
        let own = metrics::families(sites, &api::Fleet::runs(self), api::Fleet::ready(self).is_ok(), self.around.clock.now());
        own.into_iter().chain(self.around.meters.iter().flat_map(|meter| meter.families())).collect()
    }

    fn test_alerts(&self) -> BoxFuture<'_, Vec<(String, Result<(), String>)>> {
        Box::pin(self.try_hooks())
    }
}
