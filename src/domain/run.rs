//! A run: one execution of a plan, as the fold over its journal gives it.

mod asked;
mod frozen;
mod left;
mod lowered;
mod node;
mod phase;
mod progress;
mod release;
mod waiver;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::access::Recorded;
use super::action::{Kind, When};
use super::check::{AcceptedWarning, Finding};
use super::event::{Notice, Outcome, Verdict, WaitingOn};
use super::gate::{BACKUP_FAR_SMALLER, Gate};
use super::ids::{NodeId, PerNode, RunId};
use super::plan::{Goal, Plan, Windows};
use super::rule::Rule;
use super::site::{OnSoakFailure, SyncFact};
use super::step::Step;
use super::version::{Target, Version};

pub use asked::{Answer, Asked, Bound, Due};
pub use frozen::{Acknowledged, Frozen};
pub use lowered::Lowered;
pub(in crate::domain) use lowered::after;
pub use node::NodeRecord;
pub use phase::{Act, Hold, Instruction, Phase};
pub use progress::{Progress, Steps};
pub use release::Release;
pub use waiver::Waiver;

/// R1's evidence.
#[derive(Clone, Debug, PartialEq)]
pub struct SyncEvidence {
    pub sync: SyncFact,
    pub proven_at: Timestamp,
}

/// One execution of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    pub id: RunId,
    /// Shared by the run's copies: each record makes one, and few change the plan.
    pub plan: Arc<Plan>,
    /// Who started it.
    pub started_by: String,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    /// The last record's number, time and hash.
    pub seq: u64,
    pub last_at: Timestamp,
    pub head: String,
    pub phase: Phase,
    pub progress: Steps,
    /// Boxed, as all that a waiting run mostly has not.
    pub act: Option<Box<Act>>,
    pub windows: Windows,
    /// The user who is responsible for window two.
    pub responsible: Option<String>,
    pub nodes: PerNode<NodeRecord>,
    /// The node whose data are kept: the first primary until a switch is proven, then its target.
    pub survivor: NodeId,
    pub sync: Option<SyncEvidence>,
    pub broken_at: Option<Timestamp>,
    /// When failover was proven again: linked and its first sync good.
    pub protected_at: Option<Timestamp>,
    /// When the link was found gone by no act of this run, and no step has proven anything of it since.
    pub unlinked_at: Option<Timestamp>,
    /// When automatic failover was confirmed off, and for which part.
    pub autopilot_off: Option<When>,
    pub verdict: Option<Verdict>,
    /// The gate that is asked, with the answers so far.
    pub asked: Option<Asked>,
    /// Accepted gates that no act relies on yet, with what they showed.
    pub bound: Vec<Bound>,
    pub waivers: Vec<Waiver>,
    pub soak_from: Option<Timestamp>,
    pub soaked: bool,
    /// When the soak first saw a session on the serving node.
    pub used_at: Option<Timestamp>,
    /// R1: the sync status text that a named person accepted, once.
    pub accepted_status: Option<String>,
    pub hold_requested: bool,
    /// Out-of-band changes that a person saw and resumed after, in this part: what is already so may count, if the rules agree.
    pub acknowledged: Vec<String>,
    /// Traffic was ordered back: from here on the run follows the fixed path of [`super::machine`].
    pub switched_back: bool,
    /// Where the present plan revision leads, if it is a way home.
    pub way: Option<Goal>,
    /// Nobody ordered that way: a gate expired, or a window had no time left, and the site's policy leads home then.
    pub way_by_itself: bool,
    /// Plan revisions so far; 0: the plan as it was started.
    pub revision: u32,
    pub resumed: u32,
    pub instructions: u32,
    pub notices: Vec<(Notice, Option<NodeId>)>,
    /// R11: a person's word on the finished run, by which others may count on it.
    pub released: Option<Release>,
    /// The preflight's last results: of its step, or of the night.
    pub checked: Option<Checked>,
    /// What the traffic entries answered at the last preflight step, when they were asked whether they would take our change.
    pub access: Option<Recorded>,
    /// Warnings that people have accepted since the start.
    pub accepted: Vec<AcceptedWarning>,
    /// R9: the settings at the break, and what was changed since.
    pub settings: Frozen,
    /// R7: the TTL that this run has lowered, or set out to lower.
    pub ttl: Option<Lowered>,
}

/// What the preflight found, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    pub at: Timestamp,
    /// Each shared by the runs that have the same, see [`Alike`](super::alike::Alike).
    pub results: Vec<Arc<Finding>>,
}

impl Checked {
    /// What was found as `before` is kept only once.
    pub fn new(at: Timestamp, results: &[Finding], before: Option<&Self>) -> Self {
        let known = |finding: &Finding| before?.results.iter().find(|known| ***known == *finding).cloned();
        let results = results.iter().map(|finding| known(finding).unwrap_or_else(|| Arc::new(finding.clone())));
        Self { at, results: results.collect() }
    }
}

impl Run {
    /// The plan's steps, each with how far it is.
    pub fn steps(&self) -> impl Iterator<Item = (&Step, &Progress)> {
        self.plan.steps.iter().enumerate().map(|(index, step)| (step, &self.progress[index]))
    }

    /// The first step that is not done.
    pub fn step(&self) -> Option<&Step> {
        self.position().map(|index| &self.plan.steps[index])
    }

    /// The index of [`Run::step`].
    pub fn position(&self) -> Option<usize> {
        self.steps().position(|(_, progress)| progress.done_at.is_none())
    }

    /// How far the current step is.
    pub fn at(&self) -> Option<&Progress> {
        self.position().map(|index| &self.progress[index])
    }

    /// How far a step of the plan is.
    pub fn progress_of(&self, step: &Step) -> Option<&Progress> {
        self.steps().find(|(known, _)| known.id == step.id).map(|(_, progress)| progress)
    }

    /// Every acceptance of a warning, the last word last.
    pub fn acceptances(&self) -> Vec<AcceptedWarning> {
        self.plan.accepted.iter().chain(&self.accepted).cloned().collect()
    }

    pub fn is_finished(&self) -> bool {
        matches!(self.phase, Phase::Finished(_))
    }

    pub fn hold(&self) -> Option<&Hold> {
        match &self.phase {
            Phase::Held(hold) => Some(hold),
            _ => None,
        }
    }

    /// The gate that waits for a person now.
    pub fn open_gate(&self) -> Option<Gate> {
        match (&self.phase, self.step()) {
            (Phase::Waiting { on: WaitingOn::Gate, .. }, Some(step)) if step.kind == Kind::CompareSettings => {
                Some(Gate::SettingsLedger)
            }
            (Phase::Waiting { on: WaitingOn::Gate, .. }, Some(step)) => step.gate,
            (Phase::Waiting { on: WaitingOn::Operator, .. }, Some(step)) if Gate::of_act(step.kind).is_some() => {
                Gate::of_act(step.kind)
            }
            (Phase::Held(hold), _) if hold.code == "sync_status_unknown" => Some(Gate::SyncStatus),
            (Phase::Held(hold), _) if hold.code == BACKUP_FAR_SMALLER => Some(Gate::SmallerBackup),
            // At harbour the way on may be a person's word on the version that one node runs.
            (Phase::Held(hold), _) if hold.code == "harbour" && self.lacks_acceptance() => Some(Gate::Production),
            _ => None,
        }
    }

    /// The version soaks, whatever the run waits for meanwhile: the word on it may still be made an early one, or taken back.
    pub fn is_rethinkable(&self) -> bool {
        let waits = matches!(self.phase, Phase::Waiting { .. });
        let Some(here) = self.position().filter(|_| waits) else { return false };
        let asks = |step: &Step| step.gate == Some(Gate::Production);
        let (before, step) = (&self.plan.steps[..here], &self.plan.steps[here]);
        step.kind == Kind::Soak || step.when == When::Soak && !asks(step) && before.iter().any(asks)
    }

    /// It is accepted too, so that the word may be made an early one: an order back leaves none to change.
    pub fn may_be_made_early(&self) -> bool {
        self.is_rethinkable() && matches!(self.verdict, Some(Verdict::Accept | Verdict::AcceptEarly))
    }

    /// The version may be refused though its gate is not open: while it soaks, and where its gate is still to be asked because a
    /// reading is awaited. A no rests on no reading.
    pub fn is_rejectable(&self) -> bool {
        let unread = matches!(self.phase, Phase::Waiting { on: WaitingOn::Appliance, .. });
        self.is_rethinkable() || unread && self.step().is_some_and(|step| step.gate == Some(Gate::Production))
    }

    /// A node runs the target, and no person has accepted it in production.
    fn lacks_acceptance(&self) -> bool {
        let updated = NodeId::BOTH.into_iter().any(|node| self.nodes[node].updated);
        updated && !matches!(self.verdict, Some(Verdict::Accept | Verdict::AcceptEarly))
    }

    /// True if a person ordered the present steps to restore service or failover.
    pub fn is_ordered(&self) -> bool {
        self.switched_back || self.way.is_some()
    }

    /// A person closed the run while the pair was unlinked: it is over, and only looks on until the link is seen.
    pub fn is_watched(&self) -> bool {
        self.phase == Phase::Finished(Outcome::Closed) && self.unprotected_since().is_some()
    }

    /// Failover was broken by a step of this run, or before it was taken over; a break that went half-way is none.
    pub fn has_broken(&self) -> bool {
        let adopted = self.plan.adopted.as_ref().is_some_and(|adoption| adoption.broken);
        adopted || self.steps().any(|(step, progress)| step.kind == Kind::BreakFailover && progress.done_at.is_some())
    }

    /// A step of window two was begun or is done: nothing leads back to the soak any more.
    pub fn is_in_window_two(&self) -> bool {
        self.steps().any(|(step, progress)| step.when == When::Window2 && (progress.attempts > 0 || progress.done_at.is_some()))
    }

    /// True while failover is broken on purpose: from the break until the first sync after re-establishing is proven.
    pub fn unprotected_since(&self) -> Option<Timestamp> {
        self.broken_at.filter(|_| self.protected_at.is_none())
    }

    /// As [`Run::unprotected_since`], and where other hands have broken the link, from when that was found. A run that is over no
    /// longer sees whether it is so still.
    pub fn off_since(&self) -> Option<Timestamp> {
        self.unprotected_since().or(self.unlinked_at.filter(|_| !self.is_finished()))
    }

    /// How long the pair was or is without failover.
    pub fn unprotected_for(&self, now: Timestamp) -> SignedDuration {
        let until = if self.off_since().is_some() { now } else { self.protected_at.unwrap_or(now) };
        self.broken_at.or(self.off_since()).map_or(SignedDuration::ZERO, |from| until.duration_since(from))
    }

    /// The part of the budget of time without failover that is used up, in percent.
    pub fn unprotected_share(&self, now: Timestamp) -> i64 {
        let budget = self.plan.policy.max_unprotected.as_nanos().max(1);
        i64::try_from(self.unprotected_for(now).as_nanos() * 100 / budget).unwrap_or(i64::MAX)
    }

    /// When window one's last step was done; `None` while one is left.
    pub fn window_one_ended(&self) -> Option<Timestamp> {
        let ends = self.steps().filter(|(step, _)| step.when <= When::Window1).map(|(_, progress)| progress.done_at);
        ends.collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// A failed condition restarts the soak's clock.
    pub fn soak_restarts(&self) -> bool {
        self.plan.policy.on_soak_failure == OnSoakFailure::Restart
    }

    /// The version and build that a node should run now.
    pub fn expected_version(&self, node: NodeId) -> Target {
        let record = &self.nodes[node];
        if record.updated {
            return Target { version: self.plan.to.version.clone(), build: record.build.clone().or_else(|| self.target_build()) };
        }
        match record.hops.checked_sub(1).map(|hop| self.plan.target_of(hop)) {
            Some(hop) => Target { version: hop.version.clone(), build: record.build.clone().or_else(|| hop.build.clone()) },
            None => self.plan.from.clone(),
        }
    }

    /// The target's build: the plan's, or the one that the first updated node showed.
    pub fn target_build(&self) -> Option<String> {
        let updated = NodeId::BOTH.into_iter().filter(|&node| self.nodes[node].updated);
        let shown = || updated.filter_map(|node| self.nodes[node].build.clone()).next();
        self.plan.to.build.clone().or_else(shown)
    }

    /// The build that a hop must show: the target's, or what the plan knows of one in between.
    pub fn build_of(&self, hop: u32) -> Option<String> {
        if hop + 1 < self.plan.hop_count() { self.plan.target_of(hop).build.clone() } else { self.target_build() }
    }

    /// True if a node on this version has got the package of this hop.
    pub fn has_reached(&self, version: &Version, hop: u32) -> bool {
        self.plan.hops_done(version).is_some_and(|done| done > hop)
    }

    /// The node that the service's name should lead to.
    pub fn serving(&self) -> NodeId {
        self.survivor
    }

    /// True if steps that are not done open this node or move the service to it: then it is open because it is to serve.
    pub fn is_to_serve(&self, node: NodeId) -> bool {
        let rest = self.position().map(|index| &self.plan.steps[index..]).unwrap_or_default();
        rest.iter().any(|step| step.node == Some(node) && matches!(step.kind, Kind::Reopen | Kind::SwitchTraffic))
    }

    /// A person ordered names put back that had moved before the others did: until that is done they need not agree.
    pub fn is_put_back(&self) -> bool {
        let rest = self.position().map(|index| &self.plan.steps[index..]).unwrap_or_default();
        self.switched_back && rest.iter().any(|step| step.kind == Kind::SwitchTraffic && step.node == Some(self.survivor))
    }

    /// Whether a step of this kind is under way (its intent recorded, its proof not).
    pub fn is_at(&self, kind: Kind) -> bool {
        self.act.is_some() && self.step().is_some_and(|step| step.kind == kind)
    }

    pub fn has_notice(&self, notice: Notice, node: Option<NodeId>) -> bool {
        self.notices.contains(&(notice, node))
    }

    /// The node from which the next sync will run: where the steps establish failover from, else the one whose data are kept.
    pub fn keeper(&self) -> NodeId {
        let rest = self.position().map(|index| &self.plan.steps[index..]).unwrap_or_default();
        let establishes = rest.iter().find(|step| step.kind == Kind::EstablishFailover);
        establishes.and_then(|step| step.node).unwrap_or(self.survivor)
    }

    /// A comparison is asked for: there is a snapshot of the node that the next sync overwrites.
    pub fn compares_settings(&self) -> bool {
        self.settings.snapshot[self.keeper().other()].is_some()
    }

    /// Whether a person has set this rule aside for this step, as the journal has it.
    pub fn is_waived(&self, rule: Rule, step: &Step) -> bool {
        self.waivers.iter().any(|waiver| !waiver.over && waiver.rule == rule && waiver.step == step.id)
    }

    /// A step of the plan moves traffic; where none does, nobody is asked for the right to.
    pub fn moves_traffic(&self) -> bool {
        self.plan.steps.iter().any(|step| step.kind == Kind::SwitchTraffic)
    }

    /// The intent's key: the same when the same intent is repeated after a crash.
    pub fn key(&self, step: &Step, attempt: u32) -> String {
        format!("{}/{}/{attempt}", self.id, step.id)
    }
}
