//! The fleet's part in starting a run: the plan and what stands against it, then the packages' copies and the first record.

use std::fs;
use std::path::Path;

use crate::domain::checks;
use crate::domain::event::Event;
use crate::domain::ids::RunId;
use crate::domain::journal::{Entry, Record};
use crate::domain::machine;
use crate::domain::plan::Plan;
use crate::domain::run::Run;
use crate::domain::ttl;
use crate::domain::waiver;
use crate::domain::world::World;
use crate::engine::api::{Kind, PlanPreview, PlanRequest, Problem};
use crate::engine::planning::{self, Draft};
use crate::engine::site::SiteEntry;
use crate::engine::{accepting, adopting, booking, words};
use crate::ports::StoreError;

use super::{Fleet, unknown};

/// Where each run has a folder of its own name.
const FOLDERS: [&str; 4] = ["backups", "console", "extracts", "settings"];

/// The runs whose files are there, also where the journal was thrown away and knows them no more: a new run of the same name would
/// take their files for its own, and receivers its alerts for theirs.
fn left_behind(state: &Path) -> Vec<RunId> {
    let entries = FOLDERS.iter().filter_map(|folder| fs::read_dir(state.join(folder)).ok()).flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

impl Fleet {
    /// The plan that a start would make now, and what stands against it.
    pub(super) async fn preview_plan(&self, request: PlanRequest) -> Result<PlanPreview, Problem> {
        let open = self.blocking_run(&request.site).map(|run| checks::beside(&run));
        let because = |problem: Problem| open.iter().fold(problem, |problem, open| problem.because(open.clone()));
        let (mut draft, world) = self.draft(&request).await.map_err(because)?;
        let checks = self.checks(&self.site(&request.site)?.site, &world);
        draft.plan.accepted = accepting::accepted(&request.site, &request.accepted, &checks, "")?;
        draft.refusals.extend(accepting::refusals(&checks, &draft.plan.accepted));
        if let Some(responsible) = &draft.plan.responsible {
            booking::must_be_known(&self.people, responsible)?;
        }
        let times = draft.plan.times(self.around.clock.now());
        let mut flags = booking::flags(&draft.plan, &self.site(&request.site)?.site.calendar);
        flags.extend(ttl::flags(&draft.plan, &world.traffic, self.around.clock.now()));
        flags.extend(open);
        let Draft { plan, refusals } = draft;
        Ok(PlanPreview { site: request.site, plan, times, refusals, flags, movable: world.has_traffic })
    }

    pub(super) async fn begin(&self, request: PlanRequest, actor: &str) -> Result<RunId, Problem> {
        self.may_speak(actor, "start")?;
        let entry = self.site(&request.site)?;
        let Some(lock) = self.starting.get(&request.site) else { return Err(unknown(&request.site)) };
        let _one_at_a_time = lock.lock().await;
        self.no_open_run(&request.site)?;
        self.may_be_urgent(entry, &request, actor)?;
        let (draft, world) = self.draft(&request).await?;
        let checks = self.checks(&entry.site, &world);
        planning::must_pass(&entry.site, &checks)?;
        let accepted = accepting::accepted(&request.site, &request.accepted, &checks, actor)?;
        accepting::must_be_accepted(&entry.site, &checks, &accepted)?;
        planning::must_not_be_refused(&entry.site, &draft.refusals)?;
        let responsible = draft.plan.responsible.clone().unwrap_or_else(|| actor.to_owned());
        booking::must_be_known(&self.people, &responsible)?;
        let plan = Plan { responsible: Some(responsible), accepted, ..draft.plan };
        self.stage(&plan).await?;
        self.record_start(entry, plan, actor).await
    }

    /// Reads the site and makes the plan, without starting it.
    async fn draft(&self, request: &PlanRequest) -> Result<(Draft, World), Problem> {
        let entry = self.site(&request.site)?;
        let procedure = planning::procedure(&self.procedures, entry, request)?;
        let parsed = planning::parse(entry, procedure, request, self.around.clock.now())?;
        let packages = planning::read_packages(request).await?;
        let world = self.look(entry).await;
        let earlier = self.earlier(&request.site);
        let mut draft = planning::draft(entry, procedure, parsed, packages, &world, &earlier)?;
        self.rehearse(&mut draft);
        Ok((draft, world))
    }

    /// An urgent plan waives the shortest soak, which has roles of its own.
    fn may_be_urgent(&self, entry: &SiteEntry, request: &PlanRequest, actor: &str) -> Result<(), Problem> {
        if request.urgent.is_none() {
            return Ok(());
        }
        waiver::may(&entry.site.policy, &self.people, waiver::MIN_SOAK, actor).map_err(|why| {
            tracing::warn!("an urgent `start` by {actor} was not taken: {why}");
            Problem::not_allowed(format!("{actor} may not start an urgent run of site `{}`", entry.site.name), why)
                .state("nothing was changed")
        })
    }

    /// R12: a site has at most one run.
    pub(super) fn no_open_run(&self, site: &str) -> Result<(), Problem> {
        if let Some(left) = self.left_open(site) {
            return Err(left.blocks_its_site());
        }
        let Some(open) = self.open_run(site) else { return Ok(()) };
        Err(Problem::new(Kind::Conflict, "one_run", format!("site `{site}` has a run already: `{open}`"))
            .because("R12 one_run: a site has at most one run")
            .hint(format!(
                "look at it with `changeover status {open}`; if it is not to go on, end it with `changeover close {open} --as STATE --note …`"
            )))
    }

    pub(super) fn next_id(&self, site: &str) -> RunId {
        let newest = |numbers: &mut dyn Iterator<Item = &RunId>| numbers.filter(|id| id.site == site).map(|id| id.number).max();
        let known = newest(&mut self.lock().keys()).max(newest(&mut self.lock_untouched().keys()));
        let left = left_behind(&self.around.state);
        let last = known.max(newest(&mut left.iter())).unwrap_or(0);
        RunId { site: site.to_owned(), number: last + 1 }
    }

    /// The run's own copies of the packages.
    pub(super) async fn stage(&self, plan: &Plan) -> Result<(), Problem> {
        for package in plan.packages() {
            let staged = self.staging.stage(self.around.state.clone(), package.clone()).await;
            staged.map_err(|error| Problem::new(Kind::Store, "package_not_staged", error))?;
        }
        Ok(())
    }

    pub(super) async fn record_start(&self, entry: &SiteEntry, plan: Plan, actor: &str) -> Result<RunId, Problem> {
        let id = self.next_id(&entry.site.name);
        let at = self.around.clock.now();
        let plan = Box::new(plan);
        let urgent = plan.urgent.as_ref().map(|why| format!("; urgent, the shortest soak is waived: {why}")).unwrap_or_default();
        let vouched = adopting::vouched(&plan, &self.people.who(actor));
        let reason = format!("procedure `{}` from {} to {}{urgent}{vouched}", plan.procedure, plan.from, plan.to);
        let event = Event::Started { plan: plan.clone() };
        let (name, data) = event.to_parts();
        let entry_of_record = Entry { at, actor: actor.to_owned(), event: name, step: None, reason, data };
        let record = Record::chain(&id, None, entry_of_record);
        let run = Run { seq: 1, head: record.hash.clone(), ..machine::begin(id.clone(), plan, actor, at) };
        self.around.journal.append(vec![record], Vec::new(), false).await.map_err(|error| self.store_problem(&error))?;
        tracing::info!(site = id.site, run = %id, seq = 1, "started by {actor}");
        self.keep(run, Some(entry), false);
        Ok(id)
    }

    fn store_problem(&self, error: &StoreError) -> Problem {
        let disk = "look at the disk of the state folder";
        let (code, hint) = match error {
            StoreError::Failed(_) => {
                self.around.fatal.notify_one();
                (words::STORE_FAILED, disk)
            }
            StoreError::OnlyReserve { .. } => ("store_low", disk),
            StoreError::Unfit(_) => ("record_unfit", "the plan is too long for one record: give shorter reasons and notes"),
        };
        Problem::new(Kind::Store, code, "nothing was started").because(error.to_string()).hint(hint)
    }
}
