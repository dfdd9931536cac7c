//! The fleet's part in rehearsals (R11): it knows the runs of all sites, and takes the word on one that has ended.

use crate::domain::action::Kind::BreakFailover;
use crate::domain::ids::RunId;
use crate::domain::plan::{Plan, Refusal, Rehearsal};
use crate::domain::rehearsal;
use crate::domain::rule::Rule;
use crate::domain::run::Run;
use crate::domain::site::RehearsalPolicy;
use crate::engine::api::{Kind, Problem, Snapshot};
use crate::engine::planning::Draft;
use crate::engine::recorder::{RecordError, Recorder};
use crate::engine::words;
use crate::ports::StoreError;

use super::Fleet;

impl Fleet {
    /// Puts the release that the plan may count on into it, or says what stands against each.
    pub(super) fn rehearse(&self, draft: &mut Draft) {
        let Some(policy) = draft.plan.policy.rehearsal.clone() else { return };
        match self.rehearsed(&draft.plan, &policy) {
            Ok(rehearsal) => draft.plan.rehearsal = Some(Box::new(rehearsal)),
            Err(lines) => {
                let step = draft.plan.steps.iter().find(|step| step.kind == BreakFailover).map(|step| step.id.clone());
                let refusal = |message| Refusal { rule: format!("{:?}", Rule::R11), step: step.clone(), message };
                draft.refusals.extend(lines.into_iter().map(refusal));
            }
        }
    }

    fn rehearsed(&self, plan: &Plan, policy: &RehearsalPolicy) -> Result<Rehearsal, Vec<String>> {
        let runs = self.lock();
        let runs: Vec<_> = runs.values().map(|kept| kept.snapshot.borrow().run.clone()).collect();
        let on_site = runs.iter().filter(|run| run.id.site == policy.site).map(|run| &**run);
        let may = |user: &str| self.around.people.may(user, &policy.roles).map_err(|why| why.to_string());
        rehearsal::find(plan, policy, on_site, may, self.around.clock.now())
    }

    /// A person's word on a finished run. Its loop has ended, so that the record is made here.
    pub(super) async fn release(
        &self,
        id: &RunId,
        withdraw: bool,
        note: String,
        actor: &str,
        seq: Option<u64>,
    ) -> Result<Snapshot, Problem> {
        self.may_speak(actor, "release")?;
        let publish = self.lock().get(id).map(|kept| kept.publish.clone()).ok_or_else(|| self.no_run(id))?;
        let _one_at_a_time = self.afterwards.lock().await;
        let mut recorder = Recorder::new(self.around.clone(), publish);
        if let Some(seen) = seq.filter(|seen| *seen != recorder.run.seq) {
            return Err(words::moved_on(&recorder.run, seen));
        }
        self.may_release(&recorder.run, actor)
            .inspect_err(|barred| tracing::warn!(run = %id, "`release` by {actor} was not taken: {}", barred.message))?;
        let (event, why) = words::release::release(&recorder.run, withdraw, note, self.around.people.who(actor))?;
        if let Err(error) = recorder.record(&event, &why, actor).await {
            if matches!(error, RecordError::Store(StoreError::Failed(_))) {
                self.around.fatal.notify_one();
            }
            return Err(words::not_recorded(&recorder.run, error));
        }
        self.around.releases.keep(&recorder.run);
        Ok(recorder.snapshot())
    }

    /// A site must count on this one, and take this person's word.
    fn may_release(&self, run: &Run, actor: &str) -> Result<(), Problem> {
        let (id, site) = (&run.id, &run.id.site);
        let policies = self.sites.values().filter_map(|entry| entry.site.policy.rehearsal.as_ref());
        let mut refused = None;
        for policy in policies.filter(|policy| policy.site == *site) {
            match self.around.people.may(actor, &policy.roles) {
                Ok(()) => return Ok(()),
                Err(why) => refused = Some(why),
            }
        }
        Err(match refused {
            Some(why) => {
                Problem::not_allowed(format!("{} may not `release` run `{id}`", self.around.people.who(actor)), why.to_string())
            }
            None => Problem::new(Kind::Refused, "no_rehearsal_site", format!("nobody counts on run `{id}`"))
                .because(format!("no site has `site = \"{site}\"` in its `[policy.rehearsal]`"))
                .hint("put it into the file of the site that is to count on it, and restart the daemon"),
        })
    }
}
