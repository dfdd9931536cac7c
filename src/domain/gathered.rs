//! The facts that the rules judge before a step of a run: gathered from what was read and from what the journal proves.

use jiff::{SignedDuration, Timestamp};

use super::booking;
use super::event::Verdict;
use super::facts::{Facts, Known, NodeFacts, SettingsFact, WindowFact};
use super::ids::{NodeId, PerNode};
use super::plan::is_bound;
use super::rehearsal;
use super::run::{Lowered, Run};
use super::settings;
use super::step::Step;
use super::ttl;
use super::waiver;
use super::world::{World, takes};

impl World {
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
            confirmed: run.verdict.is_some_and(|verdict| verdict != Verdict::Reject),
            rejected: run.verdict == Some(Verdict::Reject),
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
            lowered: run.ttl.as_ref().is_some_and(Lowered::is_left),
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
        let needed = if is_bound(step, run.is_ordered()) { run.plan.need(step) } else { SignedDuration::ZERO };
        if self.now < window.from {
            WindowFact::NotYet
        } else if window.fits(self.now, needed) {
            WindowFact::Fits
        } else {
            WindowFact::TooShort
        }
    }
}
