//! The fleet's part in ways home: what is found from where a run or a site stands, a pair taken over, a box replaced.

use std::sync::Arc;

use crate::domain::asked;
use crate::domain::gate::Gate;
use crate::domain::ids::{NodeId, RunId};
use crate::domain::run::Phase;
use crate::domain::waiver;
use crate::domain::world::World;
use crate::engine::adopting::{self, Drafted};
use crate::engine::api::{AdoptPreview, AdoptRequest, Kind, Problem, Replaced, Snapshot, WaysFound, Word};
use crate::engine::site::SiteEntry;
use crate::engine::words;

use super::{Fleet, unknown};

impl Fleet {
    /// What taking a site over would mean.
    pub(super) async fn preview_adoption(&self, site: &str, request: AdoptRequest) -> Result<AdoptPreview, Problem> {
        let entry = self.site(site)?;
        self.no_open_run(site)?;
        let (world, drafted) = self.draft_adoption(entry, &request, "").await?;
        let drafted = drafted.map(|Drafted { run, found, .. }| (run, found));
        Ok(AdoptPreview { site: entry.site.clone(), world: Arc::new(world), drafted })
    }

    /// Reads the site and looks for the way home from there, as a run of its own.
    pub(super) async fn draft_adoption(
        &self,
        entry: &SiteEntry,
        request: &AdoptRequest,
        actor: &str,
    ) -> Result<(World, Result<Drafted, Problem>), Problem> {
        let parsed = adopting::parse(entry, request, self.around.clock.now()).await?;
        let world = self.look(entry).await;
        let drafted = adopting::draft(entry, self.next_id(&entry.site.name), &parsed, &world, actor);
        Ok((world, drafted))
    }

    pub(super) async fn begin_adopted(&self, site: &str, request: AdoptRequest, actor: &str) -> Result<RunId, Problem> {
        self.may_speak(actor, "adopt")?;
        let entry = self.site(site)?;
        self.may_vouch(entry, &request, actor)?;
        let Some(lock) = self.starting.get(site) else { return Err(unknown(site)) };
        let _one_at_a_time = lock.lock().await;
        self.no_open_run(site)?;
        let Drafted { plan, .. } = self.draft_adoption(entry, &request, actor).await?.1?;
        let ids: Vec<&String> = plan.steps.iter().map(|step| &step.id).collect();
        if request.way.as_ref().is_some_and(|shown| !shown.iter().eq(ids.iter().copied())) {
            return Err(Problem::new(Kind::Conflict, "way_changed", format!("the way home of site `{site}` has changed"))
                .state("nothing was changed")
                .hint(format!("look again: `changeover adopt {site} …`")));
        }
        if request.package.is_some() {
            self.stage(&plan).await?;
        }
        self.record_start(entry, plan, actor).await
    }

    /// R10: `--accepted` stands in the place of the gate's answers and of the shortest soak, and is asked of those who may give both.
    fn may_vouch(&self, entry: &SiteEntry, request: &AdoptRequest, actor: &str) -> Result<(), Problem> {
        if !request.accepted {
            return Ok(());
        }
        let (site, policy) = (&entry.site.name, &entry.site.policy);
        let at_the_gate = asked::may_vouch(&policy.gate(Gate::Production), &self.people, actor);
        let may = at_the_gate.map_err(|barred| format!("gate `{}`: {barred}", Gate::Production));
        may.and_then(|()| waiver::may(policy, &self.people, waiver::MIN_SOAK, actor)).map_err(|why| {
            tracing::warn!("`adopt --accepted` by {actor} was not taken: {why}");
            Problem::not_allowed(
                format!("{actor} may not vouch that the version on site `{site}` is accepted in production"),
                why,
            )
            .state("nothing was changed")
            .hint(format!(
                "repeat it without `--accepted`: at harbour gate `{}` is answered by those who may, and `abort` leads home",
                Gate::Production
            ))
        })
    }

    /// By fresh readings on top of the run's own, as an order will be judged by them; while an act is busy with a node, by the
    /// last ones.
    pub(super) async fn find_ways(&self, id: &RunId) -> Result<WaysFound, Problem> {
        let mut snapshot = self.find(id)?;
        let busy = snapshot.run.is_finished() || snapshot.run.phase == Phase::Acting;
        if let Some(entry) = self.sites.get(&id.site).filter(|_| !busy) {
            self.look_twice(&entry.ports.readers(), Arc::make_mut(&mut snapshot.world)).await;
        }
        Ok(words::home::ways(snapshot))
    }

    /// A replaced box: the site's file must have its identity, as every driver answers to that one only, and no other node may.
    pub(super) async fn take_replaced(&self, site: &str, replaced: Replaced, actor: &str) -> Result<Snapshot, Problem> {
        self.may_speak(actor, "node replace")?;
        let entry = self.site(site)?;
        let Replaced { node, identity, note, seq } = replaced;
        self.is_free(site, node, &identity)?;
        let configured = &entry.site.nodes[node].identity;
        let has_it = same(configured, &identity);
        let Some(open) = self.open_run(site) else { return Err(no_open_run(site, node, has_it)) };
        if !has_it {
            return Err(Problem::new(
                Kind::Conflict,
                "not_in_the_sites_file",
                format!("node `{node}` of site `{site}` was not replaced"),
            )
            .because(format!("the site's file, as the daemon read it at its start, says that it is box {configured}"))
            .hint(format!(
                "put `identity = \"{identity}\"` into `[nodes.{node}]` of the site's file, restart the daemon, then repeat this"
            )));
        }
        // As the file has it: that is what the driver answers to.
        let identity = configured.clone();
        self.pass_on(&open, Word::ReplaceNode { node, identity, note }, actor, seq).await
    }

    /// R12: a box belongs to one node of one site.
    fn is_free(&self, site: &str, node: NodeId, identity: &str) -> Result<(), Problem> {
        let nodes = self.sites.values().flat_map(|entry| NodeId::BOTH.map(|node| (&entry.site, node)));
        let mut owners =
            nodes.filter(|(owner, of)| same(&owner.nodes[*of].identity, identity) && (owner.name != site || *of != node));
        let Some((owner, of)) = owners.next() else { return Ok(()) };
        Err(Problem::new(Kind::Conflict, "identity_taken", format!("node `{node}` of site `{site}` was not replaced"))
            .because(format!("R12 one_run: box {identity} is node `{of}` of site `{}`", owner.name)))
    }
}

/// Without an open run nothing keeps the old identity but the site's file.
fn no_open_run(site: &str, node: NodeId, has_it: bool) -> Problem {
    let problem =
        Problem::new(Kind::Conflict, "no_open_run", format!("site `{site}` has no open run, so none keeps the old box"));
    if has_it {
        return problem.because("the site's file has this identity already").hint("nothing is left to do");
    }
    problem.hint(format!("put the new identity into `[nodes.{node}]` of the site's file and restart the daemon; that is all"))
}

/// One identity, whatever its letters' case and the braces around a GUID.
fn same(a: &str, b: &str) -> bool {
    let plain = |text: &str| text.trim_matches(['{', '}']).to_lowercase();
    plain(a) == plain(b)
}
