//! The fake as the API knows a fleet.

use std::sync::Arc;

use changeover::domain::access::{Access, Tried};
use changeover::domain::check::Check;
use changeover::domain::checks;
use changeover::domain::homeward;
use changeover::domain::ids::{PerNode, RunId};
use changeover::domain::journal::Record;
use changeover::domain::metrics::{Family, Sample};
use changeover::domain::people::People;
use changeover::domain::site::Site;
use changeover::domain::window::Window;
use changeover::domain::window::calendar::Usual;
use changeover::engine::api::{
    AdoptPreview, AdoptRequest, Fleet, Kind, PlanPreview, PlanRequest, Problem, Replaced, Snapshot, WaysFound, WindowsFound, Word,
};
use changeover::engine::traffic::{self, TrafficFound, TrafficTried};
use changeover::engine::untouched::Untouched;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};

use super::pair::{site, unlinked, world};
use super::{Fake, Kept, START, no_run};

impl Fleet for Fake {
    fn now(&self) -> Timestamp {
        START + SignedDuration::from_hours(2)
    }

    fn people(&self) -> &People {
        &self.people
    }

    fn sites(&self) -> Vec<Site> {
        ["support", "quiet"].map(site).to_vec()
    }

    fn check<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<Check>, Problem>> {
        async move {
            let faults = self.faults().clone();
            assert!(!faults.checks_panic, "asked to panic");
            if faults.checks_hang {
                std::future::pending::<()>().await;
            }
            let open = self.blocking_run(name);
            Ok(checks::of_site(&self.site(name)?, &world(faults.node_b_is_silent), &PerNode::default(), open.as_ref()))
        }
        .boxed()
    }

    fn traffic<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<TrafficFound, Problem>> {
        async move { Ok(traffic::found(&self.site(name)?, world(self.faults().node_b_is_silent))) }.boxed()
    }

    fn try_traffic<'a>(
        &'a self,
        name: &'a str,
        ttl: Option<u32>,
        _actor: &'a str,
    ) -> BoxFuture<'a, Result<TrafficTried, Problem>> {
        async move {
            let access = Access::Proven { how: "it took an update that alters nothing".to_owned() };
            let entries = vec![Tried { entry: "simulated support.example.com".to_owned(), access }];
            Ok(traffic::tried(&self.site(name)?, world(false), entries, ttl.unwrap_or(30)))
        }
        .boxed()
    }

    fn windows(&self, name: &str, length: Option<SignedDuration>) -> Result<WindowsFound, Problem> {
        let site = self.site(name)?;
        let window = Window::parse("2026-11-22T01:00:00Z +4h", START).unwrap();
        let usual = Usual { name: Some("sundays".to_owned()), window, flags: Vec::new(), frozen: None };
        let windows = if length.is_some_and(|length| length > SignedDuration::from_hours(4)) { Vec::new() } else { vec![usual] };
        Ok(WindowsFound { site: site.name, zone: "UTC".to_owned(), windows })
    }

    fn plan(&self, request: PlanRequest) -> BoxFuture<'_, Result<PlanPreview, Problem>> {
        async move { self.preview(request) }.boxed()
    }

    fn start<'a>(&'a self, request: PlanRequest, actor: &'a str) -> BoxFuture<'a, Result<RunId, Problem>> {
        async move {
            self.ready()?;
            let permits = self.faults().starts_wait.clone();
            if let Some(permits) = permits {
                self.faults().starting = true;
                permits.acquire().await.unwrap().forget();
            }
            self.begin(request, actor)
        }
        .boxed()
    }

    fn runs(&self) -> Vec<Snapshot> {
        self.lock().iter().map(Kept::snapshot).collect()
    }

    fn untouched(&self) -> Vec<Untouched> {
        Vec::new()
    }

    fn run(&self, id: &RunId) -> Result<Snapshot, Problem> {
        self.lock().iter().find(|kept| kept.run.id == *id).map(Kept::snapshot).ok_or_else(|| no_run(id))
    }

    fn blocking_run(&self, site: &str) -> Option<RunId> {
        let newest = self.newest(site).ok().flatten();
        newest.filter(|snapshot| !snapshot.run.is_finished()).map(|snapshot| snapshot.run.id.clone())
    }

    fn newest(&self, site: &str) -> Result<Option<Snapshot>, Problem> {
        self.site(site)?;
        Ok(self.lock().iter().rfind(|kept| kept.run.id.site == site).map(Kept::snapshot))
    }

    fn command<'a>(
        &'a self,
        id: &'a RunId,
        word: Word,
        actor: &'a str,
        seq: Option<u64>,
    ) -> BoxFuture<'a, Result<Snapshot, Problem>> {
        async move {
            self.ready()?;
            let now = self.run(id)?.run.seq;
            if seq.is_some_and(|seq| seq != now) {
                return Err(Problem::new(Kind::Conflict, "moved_on", format!("run `{id}` is at record {now}")));
            }
            let event = self.event(id, word)?;
            self.record(id, event, actor)
        }
        .boxed()
    }

    fn adoption<'a>(&'a self, site: &'a str, request: AdoptRequest) -> BoxFuture<'a, Result<AdoptPreview, Problem>> {
        async move {
            let (world, survivor) = (unlinked(), request.survivor.is_some());
            let none = Problem::new(Kind::Refused, "no_survivor", "nobody said whose data are kept").hint("name the node");
            let drafted = if survivor { Ok(self.adopted(site, &world)?) } else { Err(none) };
            Ok(AdoptPreview { site: self.site(site)?, world: Arc::new(world), drafted })
        }
        .boxed()
    }

    fn adopt<'a>(&'a self, site: &'a str, request: AdoptRequest, _: &'a str) -> BoxFuture<'a, Result<RunId, Problem>> {
        async move {
            self.ready()?;
            let (run, found) = self.adopted(site, &unlinked())?;
            let ids: Vec<String> = found.ways[0].steps.iter().map(|step| step.id.clone()).collect();
            if request.way.is_some_and(|shown| shown != ids) {
                return Err(Problem::new(Kind::Conflict, "way_changed", "the way home has changed"));
            }
            Ok(run.id)
        }
        .boxed()
    }

    fn ways<'a>(&'a self, id: &'a RunId) -> BoxFuture<'a, Result<WaysFound, Problem>> {
        async move {
            let snapshot = self.run(id)?;
            let found = homeward::of_run(&snapshot.run, &snapshot.world);
            let may = homeward::may_be_ordered(&snapshot.run, &snapshot.world);
            Ok(WaysFound { snapshot, found, not_now: (!may).then(|| "an act is under way".to_owned()) })
        }
        .boxed()
    }

    fn replace_node<'a>(&'a self, site: &'a str, replaced: Replaced, actor: &'a str) -> BoxFuture<'a, Result<Snapshot, Problem>> {
        async move {
            let Replaced { node, identity, note, seq } = replaced;
            let open = self.newest(site)?.filter(|snapshot| !snapshot.run.is_finished());
            let open =
                open.ok_or_else(|| Problem::new(Kind::Conflict, "no_open_run", format!("site `{site}` has no open run")))?;
            self.command(&open.run.id, Word::ReplaceNode { node, identity, note }, actor, seq).await
        }
        .boxed()
    }

    fn journal(&self, id: &RunId, after: u64) -> Result<Vec<Record>, Problem> {
        let runs = self.lock();
        let kept = runs.iter().find(|kept| kept.run.id == *id).ok_or_else(|| no_run(id))?;
        Ok(kept.records.iter().filter(|record| record.seq > after).cloned().collect())
    }

    fn ready(&self) -> Result<(), Problem> {
        if self.faults().store_is_down { Err(store_failed()) } else { Ok(()) }
    }

    fn metrics(&self) -> Vec<Family> {
        vec![Family::gauge("changeover_up", "It runs.", vec![Sample::new([], 1.0)])]
    }

    fn test_alerts(&self) -> BoxFuture<'_, Vec<(String, Result<(), String>)>> {
        async move { self.faults().hooks.clone() }.boxed()
    }
}

fn store_failed() -> Problem {
    Problem::new(Kind::Store, "store_failed", "the journal could not be written").because("disk full")
}
